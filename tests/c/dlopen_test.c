/* Loading and unloading at run time, as plug-ins do. Not linked with the library: APIVIDEO_TEST_LIBRARY names it. */
#include "support.h"

#ifdef _WIN32
#define RTLD_NOW 0
#define RTLD_LOCAL 0

static void *dlopen(const char *path, int unused) {
    (void)unused;
    return (void *)LoadLibraryA(path);
}
static void *dlsym(void *library, const char *name) {
    FARPROC found = GetProcAddress((HMODULE)library, name);
    void *address;
    memcpy(&address, &found, sizeof address);
    return address;
}
static int dlclose(void *library) { return FreeLibrary((HMODULE)library) ? 0 : 1; }
static const char *dlerror(void) { return "LoadLibrary refused it"; }
#else
#include <dlfcn.h>
#endif

/* The function `name` of the loaded library, in the variable of the same name without "apivideo_". */
#define LOAD(variable, name)                                                            \
    do {                                                                                \
        void *symbol = dlsym(library, name);                                            \
        REQUIRE(symbol != NULL);                                                        \
        memcpy(&variable, &symbol, sizeof symbol);                                      \
    } while (0)

static apivideo_status (*config_new)(apivideo_config **, apivideo_error **);
static apivideo_status (*set_base_url)(apivideo_config *, const char *, apivideo_error **);
static void (*config_free)(apivideo_config *);
static apivideo_status (*client_new)(const char *, const apivideo_config *, apivideo_client **,
                                     apivideo_error **);
static void (*client_free)(apivideo_client *);
static apivideo_status (*token_start)(const apivideo_client *, uint64_t, apivideo_operation **,
                                      apivideo_error **);
static void (*operation_free)(apivideo_operation *);

static void closing_the_library_while_it_makes_exchanges(void) {
    const char *path = getenv("APIVIDEO_TEST_LIBRARY");
    int i;
    REQUIRE(path != NULL);
    for (i = 0; i < 1000; i++) {
        apivideo_config *config = NULL;
        apivideo_client *client = NULL;
        apivideo_operation *operation = NULL;
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) fprintf(stderr, "%s\n", dlerror());
        REQUIRE(library != NULL);
        LOAD(config_new, "apivideo_config_new");
        LOAD(set_base_url, "apivideo_config_set_base_url");
        LOAD(config_free, "apivideo_config_free");
        LOAD(client_new, "apivideo_client_new");
        LOAD(client_free, "apivideo_client_free");
        LOAD(token_start, "apivideo_get_token_start");
        LOAD(operation_free, "apivideo_operation_free");
        REQUIRE(config_new(&config, NULL) == APIVIDEO_STATUS_OK);
        REQUIRE(set_base_url(config, sandbox_url(), NULL) == APIVIDEO_STATUS_OK);
        REQUIRE(client_new(KEY, config, &client, NULL) == APIVIDEO_STATUS_OK);
        CHECK(token_start(client, 0, &operation, NULL) == APIVIDEO_STATUS_OK);
        operation_free(operation);
        client_free(client);
        config_free(config);
        CHECK(dlclose(library) == 0);
    }
}

int main(void) {
    RUN(closing_the_library_while_it_makes_exchanges);
    return report();
}
