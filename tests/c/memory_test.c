/* Memory: reads allocate nothing, and no key or token is left in it after the client is freed. */
#include "time_travel.h"

#include "memory_search.h"
#include "support.h"

/* --- Counting allocations: the library's come here. --- */

static __thread volatile long allocations; /* The compiler thinks that malloc changes no variable. */

#ifdef _WIN32
/* The library never grows a block in its place: it wipes what it leaves. */
static LPVOID WINAPI counted_alloc(HANDLE heap, DWORD flags, SIZE_T size) {
    allocations++;
    return HeapAlloc(heap, flags, size);
}
__attribute__((constructor)) static void take_over_the_heap(void) {
    LPVOID(WINAPI * alloc)(HANDLE, DWORD, SIZE_T) = counted_alloc;
    void *address;
    ADDRESS_OF(alloc, address);
    take_over("kernel32.dll", "HeapAlloc", address);
}
#else
/* This program defines malloc, and the library calls it. */
#ifdef __cplusplus
extern "C" {
#endif
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
#ifdef __cplusplus
#define NOTHROW __THROW
#else
#define NOTHROW
#endif

void *malloc(size_t size) NOTHROW {
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) NOTHROW {
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) NOTHROW {
    allocations++;
    return __libc_realloc(block, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) NOTHROW {
    allocations++;
    *out = __libc_memalign(alignment, size);
    return *out == NULL ? 12 : 0;
}
#ifdef __cplusplus
}
#endif
#endif

static apivideo_client *client;

static void *count_allocations_of_reads(void *unused) {
    long before;
    int i;
    (void)unused;
    free(access_token_of(client)); /* The thread's first read. */
    before = allocations;
    for (i = 0; i < 10000; i++) {
        const apivideo_token *token = NULL;
        CHECK(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
        apivideo_token_free(token);
    }
    CHECK(allocations == before);
    return NULL;
}

static void a_read_allocates_nothing_while_a_renewal_hangs(void) {
    enum { READERS = 16 };
    pthread_t readers[READERS];
    int64_t start = now_ms();
    long before = allocations;
    int i;
    sandbox_fault("{\"on\": \"refresh\", \"times\": 0, \"fault\": {\"kind\": \"hang\"}}");
    client = test_client();
    CHECK(allocations > before + 2); /* The counting counts. */
    free(access_token_of(client));
    travel_s(50 * 60);
    free(access_token_of(client));
    while (client_count(client, APIVIDEO_STATISTIC_EXCHANGES_IN_FLIGHT) == 0)
        REQUIRE(now_ms() - start < 20000);
    for (i = 0; i < READERS; i++)
        REQUIRE(pthread_create(&readers[i], NULL, count_allocations_of_reads, NULL) == 0);
    for (i = 0; i < READERS; i++) pthread_join(readers[i], NULL);
    apivideo_client_free(client);
}

static void an_error_nobody_wants_allocates_no_object(void) {
    const apivideo_token *token = NULL;
    long before = allocations;
    long without, with;
    apivideo_error *error = NULL;
    CHECK(apivideo_get_token(NULL, &token, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);
    without = allocations - before;
    before = allocations;
    CHECK(apivideo_get_token(NULL, &token, &error) == APIVIDEO_STATUS_NULL_ARGUMENT);
    with = allocations - before;
    CHECK(with > without);
    apivideo_error_free(error);
}

static needle key_needle, access_needle, refresh_needle, old_access_needle;

static void request_and_forget(void) {
    const apivideo_response *response = NULL;
    REQUIRE(apivideo_request(client, "GET", "/videos", NULL, &response, NULL) == APIVIDEO_STATUS_OK);
    apivideo_response_free(response);
}

static void *use_and_forget(void *unused) {
    const apivideo_token *token = NULL;
    (void)unused;
    request_and_forget();
    REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    old_access_needle = needle_of(apivideo_token_access_token(token));
    apivideo_token_free(token);
    REQUIRE(apivideo_refresh(client, &token, NULL) == APIVIDEO_STATUS_OK);
    access_needle = needle_of(apivideo_token_access_token(token));
    refresh_needle = needle_of(apivideo_token_refresh_token(token));
    apivideo_token_free(token);
    request_and_forget();
    return NULL;
}

static void no_secret_is_left_in_memory(void) {
    apivideo_config *config = test_config();
    pthread_t thread;
    char key[] = "canary-0123456789-abcdefghij";
    char settings[128];
    snprintf(settings, sizeof settings, "{\"key\": \"%s\"}", key);
    sandbox("/_sandbox/settings", settings);
    explicit_bzero(settings, sizeof settings);
    REQUIRE(apivideo_client_new(key, config, &client, NULL) == APIVIDEO_STATUS_OK);
    apivideo_config_free(config);
    key_needle = needle_of(key);
    explicit_bzero(key, sizeof key);
    REQUIRE(pthread_create(&thread, NULL, use_and_forget, NULL) == 0);
    pthread_join(thread, NULL);

    CHECK(count_in_memory(&key_needle) == 1);    /* The search finds what is there, */
    CHECK(count_in_memory(&access_needle) == 1); /* and the library keeps one of each. */
    CHECK(count_in_memory(&refresh_needle) == 1);
    CHECK(count_in_memory(&old_access_needle) == 0);
    apivideo_client_free(client);
    CHECK(count_in_memory(&key_needle) == 0);
    CHECK(count_in_memory(&access_needle) == 0);
    CHECK(count_in_memory(&refresh_needle) == 0);
}

#ifndef _WIN32
static apivideo_client *sharing[2];

/* One gets the token for both. */
static void *share_and_forget(void *unused) {
    const apivideo_token *token = NULL;
    int i;
    (void)unused;
    for (i = 0; i < 2; i++) {
        REQUIRE(apivideo_get_token(sharing[i], &token, NULL) == APIVIDEO_STATUS_OK);
        access_needle = needle_of(apivideo_token_access_token(token));
        apivideo_token_free(token);
    }
    return NULL;
}

static void no_secret_is_left_in_memory_by_clients_that_share(void) {
    char directory[] = "/tmp/apivideo-memory-XXXXXX";
    char key[] = "canary-9876543210-jihgfedcba";
    char text[128];
    apivideo_store *store = NULL;
    pthread_t thread;
    int i;
    REQUIRE(mkdtemp(directory) != NULL);
    REQUIRE(apivideo_store_new_file(directory, &store, NULL) == APIVIDEO_STATUS_OK);
    snprintf(text, sizeof text, "{\"key\": \"%s\"}", key);
    sandbox("/_sandbox/settings", text);
    explicit_bzero(text, sizeof text);
    for (i = 0; i < 2; i++) {
        apivideo_config *config = test_config();
        REQUIRE(apivideo_config_set_store(config, store, NULL) == APIVIDEO_STATUS_OK);
        REQUIRE(apivideo_client_new(key, config, &sharing[i], NULL) == APIVIDEO_STATUS_OK);
        apivideo_config_free(config);
    }
    apivideo_store_free(store);
    key_needle = needle_of(key);
    explicit_bzero(key, sizeof key);
    REQUIRE(pthread_create(&thread, NULL, share_and_forget, NULL) == 0);
    pthread_join(thread, NULL);
    CHECK(client_count(sharing[1], APIVIDEO_STATISTIC_TOKENS_ADOPTED) == 1);

    CHECK(count_in_memory(&key_needle) == 2); /* Each client's; the store has none. */
    CHECK(count_in_memory(&access_needle) >= 2);
    for (i = 0; i < 2; i++) apivideo_client_free(sharing[i]);
    sleep_ms(200); /* A flight's thread may just be ending. */
    CHECK(count_in_memory(&key_needle) == 0);
    CHECK(count_in_memory(&access_needle) == 0);
    remove_files(directory);
    REQUIRE(rmdir(directory) == 0);
}
#endif

int main(void) {
    RUN(a_read_allocates_nothing_while_a_renewal_hangs);
    RUN(an_error_nobody_wants_allocates_no_object);
    RUN(no_secret_is_left_in_memory);
#ifndef _WIN32
    RUN(no_secret_is_left_in_memory_by_clients_that_share);
#endif
    return report();
}
