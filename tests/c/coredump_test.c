/* Core dumps: the keys and tokens that a client holds are in no memory that a dump would hold. */
#include "memory_search.h"
#include "support.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* What the child that dies tells the one that looks at its remains. */
typedef struct {
    needle key, access, refresh, shared_access;
    needle marker; /* No secret: it shows that a search finds what is there. */
    int ready;
    int passed, failed;
} findings;

static findings *shared;

typedef struct {
    int dumped; /* Copies that a core dump would hold, */
    int kept;   /* and copies that it would not. */
    int flags_seen;
    int here_kept; /* The mapping of a given address would not be in a core dump. */
} places;

/* Where the needle is in the writable memory of this process, by the kernel's own account of what it dumps. */
static places places_of(const needle *n, const char *address) {
    places result = {0, 0, 0, 0};
    char line[1024];
    uintptr_t from = 0, to = 0, a, b;
    char mode[5] = "", m[5];
    int special = 0;
    FILE *maps = fopen("/proc/self/smaps", "r");
    REQUIRE(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &a, &b, m) == 3) {
            from = a;
            to = b;
            memcpy(mode, m, sizeof mode);
            special = strstr(line, "[v") != NULL;
        } else if (strncmp(line, "VmFlags:", 8) == 0) {
            int kept = strstr(line, " dd") != NULL;
            result.flags_seen++;
            if ((uintptr_t)address >= from && (uintptr_t)address < to) result.here_kept = kept;
            if (special || mode[0] != 'r' || mode[1] != 'w') continue;
            *(kept ? &result.kept : &result.dumped) += count_in_range(from, to, n);
        }
    }
    fclose(maps);
    memset(window, 0, sizeof window);
    return result;
}

static void expect_undumped(const needle *n, int copies, const char *address) {
    places found = places_of(n, address);
    CHECK(found.flags_seen > 0);
    CHECK(found.kept == copies);
    CHECK(found.dumped == 0);
    if (address != NULL) CHECK(found.here_kept);
}

static apivideo_client *client, *sharing; /* The latter with a store. */
static const apivideo_token *token, *shared_token;

/* In a thread, whose stack may keep what it likes: it is searched too. */
static void *use(void *unused) {
    (void)unused;
    REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    shared->access = needle_of(apivideo_token_access_token(token));
    shared->refresh = needle_of(apivideo_token_refresh_token(token));
    REQUIRE(apivideo_get_token(sharing, &shared_token, NULL) == APIVIDEO_STATUS_OK);
    shared->shared_access = needle_of(apivideo_token_access_token(shared_token));
    return NULL;
}

/* Some text that was never in this program's file. */
static void invent(char *text, size_t length) {
    FILE *random = fopen("/dev/urandom", "rb");
    size_t i;
    REQUIRE(random != NULL && fread(text, 1, length, random) == length);
    fclose(random);
    for (i = 0; i < length; i++) text[i] = (char)('a' + (text[i] & 15));
    text[length] = '\0';
}

static void hold_secrets(const char *directory) {
    apivideo_config *config = test_config();
    apivideo_store *store = NULL;
    pthread_t thread;
    char key[33], settings[128];
    char *marker = (char *)malloc(sizeof key);
    places found;
    invent(key, sizeof key - 1);
    REQUIRE(marker != NULL);
    invent(marker, sizeof key - 1);
    snprintf(settings, sizeof settings, "{\"key\": \"%s\"}", key);
    sandbox("/_sandbox/settings", settings);
    explicit_bzero(settings, sizeof settings);
    REQUIRE(apivideo_client_new(key, config, &client, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_store_new_file(directory, &store, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_config_set_store(config, store, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_client_new(key, config, &sharing, NULL) == APIVIDEO_STATUS_OK);
    apivideo_config_free(config);
    apivideo_store_free(store);
    shared->key = needle_of(key);
    explicit_bzero(key, sizeof key);
    shared->marker = needle_of(marker);
    REQUIRE(pthread_create(&thread, NULL, use, NULL) == 0);
    pthread_join(thread, NULL);

    found = places_of(&shared->marker, marker);
    CHECK(found.dumped == 1 && found.kept == 0 && !found.here_kept); /* The search finds what is there. */
    expect_undumped(&shared->key, 2, NULL);
    expect_undumped(&shared->access, 1, apivideo_token_authorization(token));
    expect_undumped(&shared->refresh, 1, apivideo_token_refresh_token(token));
    found = places_of(&shared->shared_access, NULL);
    CHECK(found.kept >= 1 && found.dumped == 0); /* The client keeps one as it is in the store, too. */
    shared->ready = 1;
}

/* How often the needle is in a file. */
static int count_in_file(const char *path, const needle *n) {
    int found = 0;
    size_t got, kept = 0;
    FILE *file = fopen(path, "rb");
    REQUIRE(file != NULL);
    while ((got = fread(window + kept, 1, sizeof window - kept, file)) > 0) {
        size_t length = kept + got;
        found += count_in(window, (ssize_t)length, n);
        kept = length < n->length - 1 ? length : n->length - 1;
        memmove(window, window + length - kept, kept);
    }
    fclose(file);
    return found;
}

/* Whether the system writes core dumps beside the program that died. */
static int cores_are_files(void) {
    char pattern[128] = "|";
    FILE *file = fopen("/proc/sys/kernel/core_pattern", "r");
    if (file != NULL) {
        if (fgets(pattern, sizeof pattern, file) == NULL) pattern[0] = '|';
        fclose(file);
    }
    return strchr(pattern, '|') == NULL && strchr(pattern, '/') == NULL && strncmp(pattern, "core", 4) == 0;
}

static void search_core(const char *directory) {
    char path[512];
    struct dirent *entry;
    int cores = 0;
    DIR *files = opendir(directory);
    REQUIRE(files != NULL);
    while ((entry = readdir(files)) != NULL) {
        if (strncmp(entry->d_name, "core", 4) != 0) continue;
        cores++;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        CHECK(count_in_file(path, &shared->marker) >= 1); /* The dump holds this program's memory, */
        CHECK(count_in_file(path, &shared->key) == 0);    /* but no secret. */
        CHECK(count_in_file(path, &shared->access) == 0);
        CHECK(count_in_file(path, &shared->shared_access) == 0);
        CHECK(count_in_file(path, &shared->refresh) == 0);
    }
    closedir(files);
    CHECK(cores == 1);
    printf("     a core dump was made and searched\n");
}

static void a_core_dump_holds_no_secret(void) {
    char directory[] = "/tmp/apivideo-core-XXXXXX";
    int status = 0;
    int as_file = cores_are_files();
    pid_t child;
    REQUIRE(mkdtemp(directory) != NULL);
    fflush(stdout);
    child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        struct rlimit limit;
        hold_secrets(directory);
        shared->passed = passed_checks;
        shared->failed = failed_checks;
        /* A dump only where it can be looked at: it is nobody else's. */
        if (getrlimit(RLIMIT_CORE, &limit) == 0) {
            limit.rlim_cur = as_file ? limit.rlim_max : 0;
            setrlimit(RLIMIT_CORE, &limit);
        }
        if (chdir(directory) == 0) abort();
        _exit(1);
    }
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(shared->ready);
    if (WIFSIGNALED(status) && WCOREDUMP(status) && as_file)
        search_core(directory);
    else
        printf("     no core dump here (core_pattern or its limit): only what the kernel would dump was searched\n");
    remove_files(directory);
    REQUIRE(rmdir(directory) == 0);
    passed_checks += shared->passed;
    failed_checks += shared->failed;
}

int main(void) {
    void *pages = mmap(NULL, sizeof(findings), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(pages != MAP_FAILED);
    shared = (findings *)pages;
    RUN(a_core_dump_holds_no_secret);
    return report();
}
