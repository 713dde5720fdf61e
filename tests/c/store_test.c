/* A token that several clients share: by files, and by a program's own store. */
#include "memory_search.h"
#include "support.h"

#ifndef _WIN32
#include <signal.h>
#include <sys/wait.h>
#endif

static char directory[300];

static apivideo_store *file_store(void) {
    apivideo_store *store = NULL;
    REQUIRE(apivideo_store_new_file(directory, &store, NULL) == APIVIDEO_STATUS_OK);
    return store;
}

/* A client that uses the store, which goes on when the store is freed. */
static apivideo_client *sharing(const apivideo_store *store, uint32_t timeout_ms) {
    apivideo_config *config = test_config();
    REQUIRE(apivideo_config_set_store(config, store, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_config_set_store_timeout_ms(config, timeout_ms, NULL) == APIVIDEO_STATUS_OK);
    return client_with(config);
}

static void two_clients_share_a_token_by_a_file(void) {
    apivideo_store *store = file_store();
    apivideo_client *one = sharing(store, 1000);
    apivideo_client *other = sharing(store, 1000);
    char *first, *second;
    apivideo_store_free(store);
    first = access_token_of(one);
    second = access_token_of(other);
    CHECK(strcmp(first, second) == 0);
    CHECK(sandbox_count("api_key", "requests") == 1);
    CHECK(client_count(one, APIVIDEO_STATISTIC_TOKENS_ADOPTED) == 0);
    CHECK(client_count(other, APIVIDEO_STATISTIC_TOKENS_ADOPTED) == 1);
    CHECK(client_count(other, APIVIDEO_STATISTIC_STORE_FAILURES) == 0);
    free(first);
    free(second);
    apivideo_client_free(one);
    apivideo_client_free(other);
}

static void a_shared_token_has_no_refresh_token(void) {
    apivideo_store *store = file_store();
    apivideo_client *client = sharing(store, 1000);
    const apivideo_token *token = NULL;
    REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    CHECK(strcmp(apivideo_token_refresh_token(token), "") == 0);
    apivideo_token_free(token);
    CHECK(apivideo_refresh(client, &token, NULL) == APIVIDEO_STATUS_NO_REFRESH_TOKEN);
    apivideo_client_free(client);
    apivideo_store_free(store);
}

#ifndef _WIN32
/* Ends a child. If it passed, at once: valgrind would else look for what is lost there, and the memory of
 * its parent's threads is. */
static void end_child(int passed) {
    if (passed) raise(SIGKILL);
    _exit(1);
}

static int child_passed(pid_t child) {
    int status = -1;
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* Forked in mid-exchange: the child holds no lock, and both get the one token. */
static void a_child_of_who_gets_the_token_shares_it(void) {
    apivideo_store *store = file_store();
    apivideo_client *client = sharing(store, 1000);
    apivideo_operation *operation = NULL;
    const apivideo_token *token = NULL;
    pid_t child;
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"delay\", \"ms\": 500}}");
    REQUIRE(apivideo_get_token_start(client, 0, &operation, NULL) == APIVIDEO_STATUS_OK);
    await_request("api_key");
    child = fork();
    REQUIRE(child >= 0);
    if (child == 0) end_child(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    CHECK(child_passed(child));
    CHECK(apivideo_operation_wait(operation, 5000, &token, NULL) == APIVIDEO_STATUS_OK);
    CHECK(sandbox_count("api_key", "requests") == 1);
    apivideo_token_free(token);
    apivideo_operation_free(operation);
    apivideo_client_free(client);
    apivideo_store_free(store);
}

/* Killed in mid-exchange, its child lives on with what it inherited: that is no lock. */
static void the_lock_of_who_was_killed_does_not_live_on_in_its_child(void) {
    apivideo_store *store = file_store();
    apivideo_client *client;
    char *token;
    int64_t start;
    int pipes[2];
    char byte;
    pid_t holder;
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"hang\", \"handled\": false}}");
    REQUIRE(pipe(pipes) == 0);
    holder = fork();
    REQUIRE(holder >= 0);
    if (holder == 0) {
        apivideo_operation *operation = NULL;
        client = sharing(store, 1000);
        (void)apivideo_get_token_start(client, 0, &operation, NULL);
        await_request("api_key");
        if (fork() == 0) {
            close(pipes[1]);
            sleep_ms(8000);
            _exit(0);
        }
        (void)!write(pipes[1], "x", 1);
        sleep_ms(8000);
        _exit(0);
    }
    REQUIRE(read(pipes[0], &byte, 1) == 1);
    REQUIRE(kill(holder, SIGKILL) == 0 && waitpid(holder, NULL, 0) == holder);
    start = now_ms();
    client = sharing(store, 1000);
    token = access_token_of(client);
    CHECK(now_ms() - start < 5000);
    free(token);
    close(pipes[0]);
    close(pipes[1]);
    apivideo_client_free(client);
    apivideo_store_free(store);
}
#else
/* This program once more, in the same directory: it begins to get the token, and hangs. */
static HANDLE holder_of_the_lease(void) {
    char program[MAX_PATH], command[2 * MAX_PATH + 64];
    STARTUPINFOA how;
    PROCESS_INFORMATION child;
    memset(&how, 0, sizeof how);
    how.cb = sizeof how;
    GetModuleFileNameA(NULL, program, sizeof program);
    snprintf(command, sizeof command, "\"%s\" \"%s\"", program, directory);
    REQUIRE(CreateProcessA(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &how, &child));
    CloseHandle(child.hThread);
    return child.hProcess;
}

static void hold_the_lease(void) {
    apivideo_operation *operation = NULL;
    (void)apivideo_get_token_start(sharing(file_store(), 1000), 0, &operation, NULL);
    sleep_ms(60000);
}

static void the_lock_of_who_was_killed_is_free(void) {
    apivideo_store *store = file_store();
    apivideo_client *client;
    HANDLE holder;
    int64_t start;
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"hang\", \"handled\": false}}");
    holder = holder_of_the_lease();
    await_request("api_key");
    REQUIRE(TerminateProcess(holder, 1) && WaitForSingleObject(holder, 20000) == WAIT_OBJECT_0);
    CloseHandle(holder);
    start = now_ms();
    client = sharing(store, 1000);
    free(access_token_of(client));
    CHECK(now_ms() - start < 5000);
    CHECK(client_count(client, APIVIDEO_STATISTIC_STORE_FAILURES) == 0);
    apivideo_client_free(client);
    apivideo_store_free(store);
}
#endif

/* --- A program's own --- */

typedef struct {
    pthread_mutex_t lock;
    uint64_t version;
    unsigned char data[4096];
    size_t size;
    int loads, swaps, released;
    int fails; /* Of each call: 0 not, 1 at once, 2 after a while. */
    int calling, crowded;
} table;

static int trouble(table *t) {
    int fails = __atomic_load_n(&t->fails, __ATOMIC_SEQ_CST);
    if (__atomic_fetch_add(&t->calling, 1, __ATOMIC_SEQ_CST) != 0) t->crowded = 1;
    sleep_ms(fails == 2 ? 1500 : 1); /* So that others come meanwhile, if they may. */
    __atomic_fetch_sub(&t->calling, 1, __ATOMIC_SEQ_CST);
    return fails != 0;
}

static int32_t load(const char *name, uint32_t timeout_ms, apivideo_record *record, void *user_data) {
    table *t = (table *)user_data;
    if (trouble(t)) return APIVIDEO_STORE_RESULT_FAILED;
    CHECK(strncmp(name, "apivideo-", 9) == 0 && timeout_ms <= 10000);
    pthread_mutex_lock(&t->lock);
    t->loads++;
    if (t->version != 0) {
        CHECK(apivideo_record_set(record, t->version, t->data, t->size, 0, NULL) == APIVIDEO_STATUS_OK);
    } else {
        CHECK(apivideo_record_set(NULL, 1, t->data, 1, 0, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);
        CHECK(apivideo_record_set(record, 1, NULL, 1, 0, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);
        CHECK(apivideo_record_set(record, 0, t->data, 1, 0, NULL) == APIVIDEO_STATUS_INVALID_ARGUMENT);
        CHECK(apivideo_record_set(record, 1, t->data, 65537, 0, NULL) == APIVIDEO_STATUS_INVALID_ARGUMENT);
        CHECK(apivideo_record_set(record, 1, t->data, 1, 1, NULL) == APIVIDEO_STATUS_INVALID_ARGUMENT);
        CHECK(apivideo_record_set(record, 0, NULL, 0, 0, NULL) == APIVIDEO_STATUS_OK);
    }
    pthread_mutex_unlock(&t->lock);
    return APIVIDEO_STORE_RESULT_OK;
}

static int32_t swap(const char *name, uint64_t expected, uint64_t version, const void *data, size_t size,
                    uint64_t keep_ms, uint32_t timeout_ms, void *user_data) {
    table *t = (table *)user_data;
    int32_t result = APIVIDEO_STORE_RESULT_CONFLICT;
    (void)timeout_ms;
    if (trouble(t)) return APIVIDEO_STORE_RESULT_FAILED;
    CHECK(strncmp(name, "apivideo-", 9) == 0 && keep_ms >= 600000);
    CHECK(version != 0 && version != expected && version <= INT64_MAX && size <= sizeof t->data);
    pthread_mutex_lock(&t->lock);
    t->swaps++;
    if (t->version == expected) {
        t->version = version;
        memcpy(t->data, data, size);
        t->size = size;
        result = APIVIDEO_STORE_RESULT_OK;
    }
    pthread_mutex_unlock(&t->lock);
    return result;
}

static void release(void *user_data) { __atomic_fetch_add(&((table *)user_data)->released, 1, __ATOMIC_SEQ_CST); }

static apivideo_store *own_store(table *t) {
    apivideo_store *store = NULL;
    memset(t, 0, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    REQUIRE(apivideo_store_new(load, swap, t, release, &store, NULL) == APIVIDEO_STATUS_OK);
    return store;
}

static void a_programs_own_store_shares_too_and_is_released_once(void) {
    static table t;
    apivideo_store *store = own_store(&t);
    apivideo_client *one = sharing(store, 1000);
    apivideo_client *other = sharing(store, 1000);
    char *first, *second;
    needle end_of_token;
    int64_t start;
    apivideo_store_free(store);
    first = access_token_of(one);
    second = access_token_of(other);
    end_of_token = needle_of(first + strlen(first) - 16);
    CHECK(strcmp(first, second) == 0);
    CHECK(t.loads == 2 && t.swaps == 2);
    CHECK(count_in(t.data, (ssize_t)t.size, &end_of_token) == 0);
    CHECK(t.released == 0);
    free(first);
    free(second);
    apivideo_client_free(one);
    apivideo_client_free(other);
    start = now_ms(); /* A flight's thread may just be ending. */
    while (__atomic_load_n(&t.released, __ATOMIC_SEQ_CST) == 0) REQUIRE(now_ms() - start < 20000);
    sleep_ms(10);
    CHECK(t.released == 1);
}

static void a_store_that_fails_or_hangs_costs_its_time_once(void) {
    int fails;
    for (fails = 1; fails <= 2; fails++) {
        static table t;
        apivideo_store *store = own_store(&t);
        apivideo_client *client = sharing(store, 300);
        int64_t start = now_ms();
        t.fails = fails;
        free(access_token_of(client));
        CHECK(now_ms() - start < (fails == 1 ? 250 : 900));
        CHECK(client_count(client, APIVIDEO_STATISTIC_STORE_FAILURES) == 1);
        apivideo_client_free(client);
        apivideo_store_free(store);
        while (__atomic_load_n(&t.released, __ATOMIC_SEQ_CST) == 0) REQUIRE(now_ms() - start < 20000);
    }
}

enum { CLIENTS = 12 };

/* Who comes second is not told that the store fails, but waits. */
static void clients_take_turns_at_a_programs_own_store(void) {
    static table t;
    apivideo_store *store = own_store(&t);
    apivideo_client *clients[CLIENTS];
    apivideo_operation *operations[CLIENTS];
    int i;
    for (i = 0; i < CLIENTS; i++) {
        clients[i] = sharing(store, 10000);
        REQUIRE(apivideo_get_token_start(clients[i], 0, &operations[i], NULL) == APIVIDEO_STATUS_OK);
    }
    apivideo_store_free(store);
    for (i = 0; i < CLIENTS; i++) {
        const apivideo_token *token = NULL;
        CHECK(apivideo_operation_wait(operations[i], 20000, &token, NULL) == APIVIDEO_STATUS_OK);
        CHECK(client_count(clients[i], APIVIDEO_STATISTIC_STORE_FAILURES) == 0);
        apivideo_token_free(token);
        apivideo_operation_free(operations[i]);
        apivideo_client_free(clients[i]);
    }
    CHECK(sandbox_count("api_key", "requests") == 1);
    CHECK(!t.crowded);
}

/* What a program's own store needs may be gone when its client is: not even a lease is given
 * back. */
static void a_programs_own_store_is_not_called_when_its_client_is_freed(void) {
    static table t;
    apivideo_store *store = own_store(&t);
    apivideo_client *client = sharing(store, 10000);
    apivideo_operation *operation = NULL;
    int64_t start = now_ms();
    int loads, swaps;
    sandbox("/_sandbox/settings", "{\"latency_ms\":300}");
    apivideo_store_free(store);
    REQUIRE(apivideo_get_token_start(client, 0, &operation, NULL) == APIVIDEO_STATUS_OK);
    await_request("api_key");
    loads = t.loads;
    swaps = t.swaps;
    CHECK(loads == 1 && swaps == 1);
    apivideo_client_free(client);
    while (__atomic_load_n(&t.released, __ATOMIC_SEQ_CST) == 0) REQUIRE(now_ms() - start < 20000);
    CHECK(t.loads == loads && t.swaps == swaps);
    apivideo_operation_free(operation);
}

/* As APIVIDEO_STORE names one. */
static void a_text_names_a_store(void) {
    static const char *const bad[] = {"", "file:", "memcached://x", "redis://"};
    char name[320];
    apivideo_store *store = NULL;
    apivideo_client *one, *other;
    char *first, *second;
    size_t i;
    snprintf(name, sizeof name, "file:%s", directory);
    REQUIRE(apivideo_store_new_named(name, NULL, &store, NULL) == APIVIDEO_STATUS_OK);
    one = sharing(store, 1000);
    other = sharing(store, 1000);
    apivideo_store_free(store);
    first = access_token_of(one);
    second = access_token_of(other);
    CHECK(strcmp(first, second) == 0);
    CHECK(client_count(other, APIVIDEO_STATISTIC_TOKENS_ADOPTED) == 1);
    free(first);
    free(second);
    apivideo_client_free(one);
    apivideo_client_free(other);

    /* A place that cannot be used is noticed when it is used, and costs nothing. */
    REQUIRE(apivideo_store_new_named("file:" NO_PLACE, NULL, &store, NULL) == APIVIDEO_STATUS_OK);
    one = sharing(store, 1000);
    apivideo_store_free(store);
    free(access_token_of(one));
    CHECK(client_count(one, APIVIDEO_STATISTIC_STORE_FAILURES) == 1);
    apivideo_client_free(one);

    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        apivideo_error *error = NULL;
        store = (apivideo_store *)&store;
        CHECK(apivideo_store_new_named(bad[i], NULL, &store, &error) == APIVIDEO_STATUS_INVALID_ARGUMENT);
        CHECK(store == NULL && strncmp(apivideo_error_message(error), "`name` ", 7) == 0);
        apivideo_error_free(error);
    }
    CHECK(apivideo_store_new_named(NULL, NULL, &store, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);
    CHECK(apivideo_store_new_named("file", NULL, NULL, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);
    CHECK(apivideo_store_new_named("rediss://x", "/none", &store, NULL) == APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(apivideo_store_new_named("redis://x", "/none", &store, NULL) == APIVIDEO_STATUS_OK);
    apivideo_store_free(store);
}

/* --- Secrets --- */

/* What one client swaps in, another opens: both clients have the token, and nothing else has. */
static void no_secret_is_left_in_memory_by_a_store(const char *url) {
    static const char key[] = "canary-0123456789-abcdefghij"; /* Not in memory that can be written. */
    needle key_needle = needle_of(key), first_needle, token_needle;
    apivideo_client *clients[2];
    const apivideo_token *token = NULL;
    char settings[128];
    int i;
    snprintf(settings, sizeof settings, "{\"key\": \"%s\"}", key);
    sandbox("/_sandbox/settings", settings);
    explicit_bzero(settings, sizeof settings);
    for (i = 0; i < 2; i++) {
        apivideo_config *config = test_config();
        apivideo_store *store = NULL;
        REQUIRE((url == NULL ? apivideo_store_new_file(directory, &store, NULL)
                             : apivideo_store_new_redis(url, NULL, &store, NULL)) == APIVIDEO_STATUS_OK);
        REQUIRE(apivideo_config_set_store(config, store, NULL) == APIVIDEO_STATUS_OK);
        REQUIRE(apivideo_client_new(key, config, &clients[i], NULL) == APIVIDEO_STATUS_OK);
        apivideo_config_free(config);
        apivideo_store_free(store);
        REQUIRE(apivideo_get_token(clients[i], &token, NULL) == APIVIDEO_STATUS_OK);
        first_needle = needle_of(apivideo_token_access_token(token));
        apivideo_token_free(token);
    }
    REQUIRE(apivideo_authenticate(clients[0], &token, NULL) == APIVIDEO_STATUS_OK);
    token_needle = needle_of(apivideo_token_access_token(token));
    CHECK(apivideo_invalidate_token(clients[1], token, NULL) == APIVIDEO_STATUS_OK);
    apivideo_token_free(token);
    CHECK(client_count(clients[1], APIVIDEO_STATISTIC_STORE_FAILURES) == 0);
    CHECK(count_in_memory(&key_needle) == 2); /* The search finds what is there. */
    CHECK(count_in_memory(&first_needle) >= 1);
    CHECK(count_in_memory(&token_needle) >= 1);
    for (i = 0; i < 2; i++) apivideo_client_free(clients[i]);
    CHECK(count_in_memory(&key_needle) == 0);
    CHECK(count_in_memory(&first_needle) == 0);
    CHECK(count_in_memory(&token_needle) == 0);
}

static void no_secret_is_left_in_memory_by_files(void) { no_secret_is_left_in_memory_by_a_store(NULL); }

/* Not where there is no Redis: the Rust tests say so. */
static void no_secret_is_left_in_memory_by_redis(void) {
    no_secret_is_left_in_memory_by_a_store(getenv("APIVIDEO_TEST_REDIS"));
}

static void what_is_no_store_is_refused(void) {
    static table t;
    apivideo_store *store = (apivideo_store *)&store;
    apivideo_config *config = test_config();
    CHECK(apivideo_store_new_file(directory, NULL, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);
    CHECK(apivideo_store_new_file(NO_PLACE, &store, NULL) == APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(store == NULL);
    CHECK(apivideo_store_new_file("\xff", &store, NULL) == APIVIDEO_STATUS_INVALID_UTF8);
    store = (apivideo_store *)&store;
    CHECK(apivideo_store_new_redis(NULL, NULL, &store, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);
    CHECK(store == NULL);
    CHECK(apivideo_store_new_redis("http://x", NULL, &store, NULL) == APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(apivideo_store_new_redis("rediss://x", "/none", &store, NULL) == APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(apivideo_store_new_redis("redis://x", NULL, NULL, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);
    REQUIRE(apivideo_store_new_redis("redis://x", NULL, &store, NULL) == APIVIDEO_STATUS_OK);
    apivideo_store_free(store);
    CHECK(apivideo_store_new(NULL, swap, &t, release, &store, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);
    CHECK(apivideo_store_new(load, NULL, &t, release, &store, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);
    CHECK(apivideo_store_new(load, swap, &t, release, NULL, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);
    CHECK(t.released == 3);
    CHECK(apivideo_config_set_store(NULL, NULL, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);
    CHECK(apivideo_config_set_store(config, NULL, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_config_set_store_timeout_ms(config, 0, NULL) == APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(apivideo_config_set_store_timeout_ms(config, 10001, NULL) == APIVIDEO_STATUS_INVALID_ARGUMENT);
    apivideo_config_free(config);
    apivideo_store_free(NULL);
}

/* Each test begins with an empty directory. */
static void empty(void) { remove_files(directory); }

#define RUN_EMPTY(test) \
    do {                \
        empty();        \
        RUN(test);      \
    } while (0)

int main(int argc, char **argv) {
#ifdef _WIN32
    if (argc > 1) {
        snprintf(directory, sizeof directory, "%s", argv[1]);
        hold_the_lease();
        return 0;
    }
#endif
    (void)argc, (void)argv;
    make_directory(directory, sizeof directory, "store-test");
    RUN_EMPTY(two_clients_share_a_token_by_a_file);
    RUN_EMPTY(a_shared_token_has_no_refresh_token);
#ifndef _WIN32
    RUN_EMPTY(a_child_of_who_gets_the_token_shares_it);
    RUN_EMPTY(the_lock_of_who_was_killed_does_not_live_on_in_its_child);
#else
    RUN_EMPTY(the_lock_of_who_was_killed_is_free);
#endif
    RUN_EMPTY(a_programs_own_store_shares_too_and_is_released_once);
    RUN_EMPTY(a_store_that_fails_or_hangs_costs_its_time_once);
    RUN_EMPTY(clients_take_turns_at_a_programs_own_store);
    RUN_EMPTY(a_programs_own_store_is_not_called_when_its_client_is_freed);
    RUN_EMPTY(a_text_names_a_store);
    RUN_EMPTY(what_is_no_store_is_refused);
    RUN_EMPTY(no_secret_is_left_in_memory_by_files);
    if (getenv("APIVIDEO_TEST_REDIS") != NULL) RUN(no_secret_is_left_in_memory_by_redis);
    empty();
    CHECK(rmdir(directory) == 0);
    return report();
}
