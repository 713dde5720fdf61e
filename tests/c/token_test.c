/* Tokens through the C ABI: what programs do all day, and what goes wrong around them. */
#include "time_travel.h"

#include "environment.h"
#include "support.h"

static void a_token_and_its_four_fields(void) {
    apivideo_client *client = test_client();
    const apivideo_token *token = NULL;
    const apivideo_token *again;
    REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    CHECK(strncmp(apivideo_token_authorization(token), "Bearer ", 7) == 0);
    CHECK(strcmp(apivideo_token_authorization(token) + 7, apivideo_token_access_token(token)) == 0);
    CHECK(strcmp(apivideo_token_token_type(token), "Bearer") == 0);
    CHECK(strlen(apivideo_token_access_token(token)) > 500);
    CHECK(strlen(apivideo_token_refresh_token(token)) > 500);
    CHECK(apivideo_token_lifetime_ms(token) == 3600000);
    CHECK(apivideo_token_expires_in_ms(token) > 3590000);
    CHECK(apivideo_token_expires_in_ms(token) <= 3600000);
    CHECK(apivideo_token_expires_at_ms(token) / 1000 - (int64_t)time(NULL) > 3590);

    /* It outlives its client, and each reference is freed on its own. */
    again = apivideo_token_clone(token);
    apivideo_token_free(token);
    apivideo_client_free(client);
    CHECK(strlen(apivideo_token_access_token(again)) > 500);
    travel_s(7200);
    CHECK(apivideo_token_expires_in_ms(again) == 0);
    apivideo_token_free(again);
}

static void a_copy_is_good_while_the_clients_token_has_its_number(void) {
    apivideo_client *client = test_client();
    const apivideo_token *token = NULL;
    uint64_t id;
    CHECK(apivideo_client_token_id(client) == 0);
    REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    id = apivideo_token_id(token);
    CHECK(id != 0);
    CHECK(apivideo_client_token_id(client) == id);
    CHECK(apivideo_invalidate_token(client, token, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_client_token_id(client) == 0);
    free(access_token_of(client));
    CHECK(apivideo_client_token_id(client) > id);
    travel_s(7200);
    CHECK(apivideo_client_token_id(client) == 0);
    apivideo_token_free(token);
    apivideo_client_free(client);
}

static apivideo_client *herd_client;
static pthread_barrier_t herd_start;

static void *herd_member(void *unused) {
    (void)unused;
    pthread_barrier_wait(&herd_start);
    return access_token_of(herd_client);
}

static void sixty_four_cold_threads_make_one_request(void) {
    enum { HERD = 64 };
    pthread_t threads[HERD];
    void *tokens[HERD];
    int i;
    herd_client = test_client();
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"delay\", \"ms\": 100}}");
    pthread_barrier_init(&herd_start, NULL, HERD);
    for (i = 0; i < HERD; i++) REQUIRE(pthread_create(&threads[i], NULL, herd_member, NULL) == 0);
    for (i = 0; i < HERD; i++) pthread_join(threads[i], &tokens[i]);
    for (i = 0; i < HERD; i++) CHECK(strcmp((char *)tokens[i], (char *)tokens[0]) == 0);
    for (i = 0; i < HERD; i++) free(tokens[i]);
    pthread_barrier_destroy(&herd_start);
    CHECK(sandbox_count("api_key", "requests") == 1);
    apivideo_client_free(herd_client);
}

/* Reads until the token is another one; each read is at once. */
static void await_renewal(const apivideo_client *client, const char *old) {
    int64_t start = now_ms();
    for (;;) {
        char *token = access_token_of(client);
        int renewed = strcmp(token, old) != 0;
        free(token);
        if (renewed) break;
        REQUIRE(now_ms() - start < 20000);
    }
}

static void a_due_token_is_renewed_ahead_of_its_expiry(void) {
    apivideo_client *client = test_client();
    char *first = access_token_of(client);
    travel_s(50 * 60);
    await_renewal(client, first);
    CHECK(sandbox_count("refresh", "ok") == 1);
    CHECK(sandbox_count("api_key", "requests") == 1);
    free(first);
    apivideo_client_free(client);
}

static void a_rejected_refresh_token_is_recovered_from(void) {
    apivideo_client *client = test_client();
    char *first = access_token_of(client);
    sandbox("/_sandbox/revoke", "{\"what\": \"refresh\"}");
    travel_s(50 * 60);
    await_renewal(client, first);
    CHECK(sandbox_count("refresh", "rejected") == 1);
    CHECK(sandbox_count("api_key", "ok") == 2);
    CHECK(client_count(client, APIVIDEO_STATISTIC_REFRESH_REJECTIONS) == 1);
    free(first);
    apivideo_client_free(client);
}

static void a_suspended_machine_gets_a_new_token(void) {
    apivideo_client *client = test_client();
    char *first = access_token_of(client);
    char *second;
    __atomic_fetch_add(&boot_offset_s, 7200, __ATOMIC_RELAXED);
    second = access_token_of(client);
    CHECK(strcmp(first, second) != 0);
    free(first);
    first = second;
    __atomic_fetch_add(&wall_offset_s, 86400, __ATOMIC_RELAXED);
    second = access_token_of(client);
    CHECK(strcmp(first, second) != 0);
    free(first);
    free(second);
    apivideo_client_free(client);
}

static void a_minimum_validity_renews_or_is_refused(void) {
    apivideo_client *client = test_client();
    const apivideo_token *token = NULL;
    apivideo_error *error = NULL;
    free(access_token_of(client));
    travel_s(40 * 60);
    CHECK(apivideo_get_token_valid_for(client, 50 * 60000, &token, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_token_expires_in_ms(token) > 50 * 60000);
    CHECK(client_count(client, APIVIDEO_STATISTIC_TOKENS_GRANTED) == 2);
    apivideo_token_free(token);
    CHECK(apivideo_get_token_valid_for(client, 7200000, &token, &error) == APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(token == NULL);
    CHECK(strstr(apivideo_error_message(error), "min_validity_ms") != NULL);
    apivideo_error_free(error);
    CHECK(apivideo_get_token_valid_for(client, UINT64_MAX, &token, NULL) ==
          APIVIDEO_STATUS_INVALID_ARGUMENT);
    apivideo_client_free(client);
}

static void a_401_is_recovered_from_once_a_minute(void) {
    apivideo_client *client = test_client();
    const apivideo_token *first = NULL, *second = NULL;
    apivideo_error *error = NULL;
    int i;
    REQUIRE(apivideo_get_token(client, &first, NULL) == APIVIDEO_STATUS_OK);
    for (i = 0; i < 1000; i++) CHECK(apivideo_invalidate_token(client, first, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_get_token(client, &second, NULL) == APIVIDEO_STATUS_OK);
    CHECK(strcmp(apivideo_token_access_token(first), apivideo_token_access_token(second)) != 0);
    CHECK(apivideo_invalidate_token(client, second, &error) == APIVIDEO_STATUS_TOKEN_REJECTED);
    CHECK(apivideo_error_retry_after_ms(error) > 50000);
    CHECK(apivideo_error_retry_after_ms(error) <= 60000);
    apivideo_error_free(error);
    CHECK(sandbox_count("api_key", "requests") == 2);
    CHECK(sandbox_count("refresh", "requests") == 0);
    apivideo_token_free(first);
    apivideo_token_free(second);
    apivideo_client_free(client);
}

static void an_error_says_what_comes_next(void) {
    apivideo_config *config = test_config();
    apivideo_client *client = NULL;
    const apivideo_token *token = NULL;
    apivideo_error *error = NULL;
    REQUIRE(apivideo_client_new("wrong-key", config, &client, NULL) == APIVIDEO_STATUS_OK);
    apivideo_config_free(config);
    CHECK(apivideo_get_token(client, &token, &error) == APIVIDEO_STATUS_KEY_REJECTED);
    CHECK(apivideo_error_http_status(error) == 400);
    CHECK(strlen(apivideo_error_problem_type(error)) > 0);
    CHECK(strlen(apivideo_error_title(error)) > 0);
    CHECK(!apivideo_error_is_retryable(error));
    CHECK(apivideo_error_retry_after_ms(error) >= 15000);
    CHECK(strstr(apivideo_error_message(error), "wrong-key") == NULL);
    apivideo_error_free(error);
    /* Until then the same error comes at once, and nothing is sent. */
    CHECK(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_KEY_REJECTED);
    CHECK(sandbox_count("api_key", "requests") == 1);
    apivideo_client_free(client);
}

static void the_endpoints_on_their_own(void) {
    apivideo_client *client = test_client();
    const apivideo_token *token = NULL;
    CHECK(apivideo_refresh(client, &token, NULL) == APIVIDEO_STATUS_NO_REFRESH_TOKEN);
    CHECK(apivideo_authenticate(client, &token, NULL) == APIVIDEO_STATUS_OK);
    apivideo_token_free(token);
    CHECK(apivideo_refresh(client, &token, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_token_lifetime_ms(token) == 3600000);
    apivideo_token_free(token);
    sandbox("/_sandbox/revoke", "{\"what\": \"refresh\"}");
    CHECK(apivideo_refresh(client, &token, NULL) == APIVIDEO_STATUS_REFRESH_REJECTED);
    CHECK(token == NULL);
    CHECK(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    apivideo_token_free(token);
    apivideo_client_free(client);
}

static int completions;
static pthread_mutex_t completions_lock = PTHREAD_MUTEX_INITIALIZER;

static void count_completion(void *user_data) {
    pthread_mutex_lock(&completions_lock);
    completions += *(int *)user_data;
    pthread_mutex_unlock(&completions_lock);
}

static void await_completions(int expected) {
    int64_t start = now_ms();
    int seen;
    do {
        pthread_mutex_lock(&completions_lock);
        seen = completions;
        pthread_mutex_unlock(&completions_lock);
        REQUIRE(now_ms() - start < 20000);
    } while (seen < expected);
    CHECK(seen == expected);
}

/* Takes the operation's answer and frees it. */
static apivideo_status ended(apivideo_operation *operation) {
    const apivideo_token *token = NULL;
    apivideo_status status = apivideo_operation_wait(operation, UINT32_MAX, &token, NULL);
    apivideo_token_free(token);
    apivideo_operation_free(operation);
    return status;
}

static void the_endpoints_without_waiting(void) {
    apivideo_client *client = test_client();
    apivideo_operation *operation = NULL, *same = NULL;
    REQUIRE(apivideo_refresh_start(client, &operation, NULL) == APIVIDEO_STATUS_OK);
    CHECK(ended(operation) == APIVIDEO_STATUS_NO_REFRESH_TOKEN);
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"delay\", \"ms\": 1000}}");
    REQUIRE(apivideo_authenticate_start(client, &operation, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_authenticate_start(client, &same, NULL) == APIVIDEO_STATUS_OK);
    CHECK(ended(operation) == APIVIDEO_STATUS_OK);
    CHECK(ended(same) == APIVIDEO_STATUS_OK);
    CHECK(sandbox_count("api_key", "requests") == 1);
    REQUIRE(apivideo_refresh_start(client, &operation, NULL) == APIVIDEO_STATUS_OK);
    CHECK(ended(operation) == APIVIDEO_STATUS_OK);
    CHECK(sandbox_count("refresh", "requests") == 1);
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"hang\"}}");
    REQUIRE(apivideo_authenticate_start(client, &operation, NULL) == APIVIDEO_STATUS_OK);
    apivideo_client_free(client);
    CHECK(ended(operation) == APIVIDEO_STATUS_CLOSED);
}

static void an_operation_is_waited_for_in_slices_called_back_and_cancelled(void) {
    apivideo_client *client = test_client();
    apivideo_operation *operation = NULL, *cancelled = NULL, *freed = NULL;
    const apivideo_token *token = NULL;
    int one = 1;
    completions = 0;
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"delay\", \"ms\": 500}}");
    REQUIRE(apivideo_get_token_start(client, 0, &operation, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_get_token_start(client, 0, &cancelled, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_get_token_start(client, 0, &freed, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_operation_wait(operation, 0, &token, NULL) == APIVIDEO_STATUS_PENDING);
    CHECK(apivideo_operation_on_complete(operation, count_completion, &one, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_operation_on_complete(operation, count_completion, &one, NULL) ==
          APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(apivideo_operation_on_complete(cancelled, count_completion, &one, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_operation_on_complete(freed, count_completion, &one, NULL) == APIVIDEO_STATUS_OK);
    apivideo_operation_cancel(cancelled);
    apivideo_operation_cancel(cancelled);
    apivideo_operation_free(freed);
    await_completions(2);
    CHECK(apivideo_operation_wait(cancelled, UINT32_MAX, &token, NULL) == APIVIDEO_STATUS_CANCELLED);
    while (apivideo_operation_wait(operation, 10, &token, NULL) == APIVIDEO_STATUS_PENDING) continue;
    CHECK(token != NULL);
    apivideo_token_free(token);
    CHECK(apivideo_operation_wait(operation, 0, &token, NULL) == APIVIDEO_STATUS_OK);
    apivideo_token_free(token);
    await_completions(3);
    apivideo_operation_free(cancelled);
    apivideo_operation_free(operation);

    /* Complete at once: the callback comes before on_complete returns. */
    REQUIRE(apivideo_get_token_start(client, 0, &operation, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_operation_on_complete(operation, count_completion, &one, NULL) == APIVIDEO_STATUS_OK);
    CHECK(completions == 4);
    apivideo_operation_free(operation);
    CHECK(sandbox_count("api_key", "requests") == 1);
    apivideo_client_free(client);
}

static void free_operation(void *user_data) { apivideo_operation_free(*(apivideo_operation **)user_data); }

static void a_callback_may_free_its_own_operation(void) {
    apivideo_client *client = test_client();
    apivideo_operation *cold = NULL, *cancelled = NULL, *complete = NULL;
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"hang\"}}"); /* Freed by nothing but the cancel. */
    REQUIRE(apivideo_get_token_start(client, 0, &cancelled, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_operation_on_complete(cancelled, free_operation, &cancelled, NULL) == APIVIDEO_STATUS_OK);
    apivideo_operation_cancel(cancelled);
    apivideo_client_free(client);
    sandbox_clear_faults();

    client = test_client();
    REQUIRE(apivideo_get_token_start(client, 0, &cold, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_operation_on_complete(cold, free_operation, &cold, NULL) == APIVIDEO_STATUS_OK);
    free(access_token_of(client));
    REQUIRE(apivideo_get_token_start(client, 0, &complete, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_operation_on_complete(complete, free_operation, &complete, NULL) == APIVIDEO_STATUS_OK);
    apivideo_client_free(client);
}

static void a_second_callback_is_refused_after_the_end_too(void) {
    apivideo_client *client = test_client();
    apivideo_operation *operation = NULL;
    int one = 1;
    free(access_token_of(client));
    completions = 0;
    REQUIRE(apivideo_get_token_start(client, 0, &operation, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_operation_on_complete(operation, count_completion, &one, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_operation_on_complete(operation, count_completion, &one, NULL) ==
          APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(completions == 1);
    apivideo_operation_free(operation);
    apivideo_client_free(client);
}

static void who_cancels_waits_no_more(void) {
    apivideo_client *client = test_client();
    apivideo_operation *operation = NULL;
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"hang\"}}");
    REQUIRE(apivideo_get_token_start(client, 0, &operation, NULL) == APIVIDEO_STATUS_OK);
    await_request("api_key");
    CHECK(client_count(client, APIVIDEO_STATISTIC_WAITERS) == 1);
    apivideo_operation_cancel(operation);
    CHECK(client_count(client, APIVIDEO_STATISTIC_WAITERS) == 0);
    CHECK(client_count(client, APIVIDEO_STATISTIC_TIMEOUTS) == 0);
    apivideo_operation_free(operation);
    apivideo_client_free(client);
}

static void an_operation_ends_at_its_deadline_without_anybody_waiting(void) {
    apivideo_config *config = test_config();
    apivideo_client *client;
    apivideo_operation *operation = NULL;
    const apivideo_token *token = NULL;
    int one = 1;
    completions = 0;
    REQUIRE(apivideo_config_set_wait_timeout_ms(config, 100, NULL) == APIVIDEO_STATUS_OK);
    client = client_with(config);
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"hang\"}}");
    REQUIRE(apivideo_get_token_start(client, 0, &operation, NULL) == APIVIDEO_STATUS_OK);
    await_request("api_key");
    REQUIRE(apivideo_operation_on_complete(operation, count_completion, &one, NULL) == APIVIDEO_STATUS_OK);
    await_completions(1);
    CHECK(apivideo_operation_wait(operation, 0, &token, NULL) == APIVIDEO_STATUS_TIMEOUT);
    apivideo_operation_free(operation);
    apivideo_client_free(client);
}

static int released, lines, states;
static char *log_text;

static void on_log(int32_t level, const char *message, void *user_data) {
    pthread_mutex_lock(&completions_lock);
    CHECK(level >= APIVIDEO_LOG_LEVEL_ERROR && level <= APIVIDEO_LOG_LEVEL_DEBUG);
    CHECK(user_data == (void *)&lines);
    lines++;
    log_text = (char *)realloc(log_text, (log_text ? strlen(log_text) : 0) + strlen(message) + 2);
    strcpy(lines == 1 ? log_text : log_text + strlen(log_text), message);
    pthread_mutex_unlock(&completions_lock);
}

static void on_state(int32_t state, void *user_data) {
    (void)user_data;
    CHECK(state >= APIVIDEO_TOKEN_STATE_NONE && state <= APIVIDEO_TOKEN_STATE_UNAVAILABLE);
    __atomic_fetch_add(&states, 1, __ATOMIC_SEQ_CST);
}

static void on_release(void *user_data) {
    (void)user_data;
    __atomic_fetch_add(&released, 1, __ATOMIC_SEQ_CST);
}

static void callbacks_tell_no_secret_and_are_released_once(void) {
    apivideo_config *config = test_config();
    apivideo_client *client;
    const apivideo_token *token = NULL;
    int64_t start = now_ms();
    REQUIRE(apivideo_config_set_log(config, APIVIDEO_LOG_LEVEL_DEBUG, on_log, &lines, on_release, NULL) ==
            APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_config_set_on_state(config, on_state, NULL, on_release, NULL) == APIVIDEO_STATUS_OK);
    client = client_with(config);
    REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    CHECK(__atomic_load_n(&released, __ATOMIC_SEQ_CST) == 0);
    apivideo_client_free(client);
    /* The thread that made the exchange may be about to end still. */
    while (__atomic_load_n(&released, __ATOMIC_SEQ_CST) < 2) REQUIRE(now_ms() - start < 20000);
    CHECK(released == 2);
    CHECK(lines >= 2 && states == 1);
    CHECK(strstr(log_text, KEY) == NULL);
    CHECK(strstr(log_text, apivideo_token_access_token(token)) == NULL);
    CHECK(strstr(log_text, apivideo_token_refresh_token(token)) == NULL);
    apivideo_token_free(token);
    free(log_text);

    /* A setter that fails releases too. */
    REQUIRE(apivideo_config_new(&config, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_config_set_log(config, 99, on_log, &lines, on_release, NULL) ==
          APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(released == 3);
    apivideo_config_free(config);
}

static void *wait_for_token(void *client) {
    const apivideo_token *token = NULL;
    apivideo_status status = apivideo_get_token((const apivideo_client *)client, &token, NULL);
    apivideo_token_free(token);
    return (void *)(intptr_t)status;
}

static void freeing_a_client_ends_the_waits_at_once(void) {
    enum { WAITERS = 8 };
    apivideo_config *config = test_config();
    apivideo_client *client;
    pthread_t threads[WAITERS];
    void *status;
    int64_t start;
    int i;
    REQUIRE(apivideo_config_set_attempt_timeout_ms(config, 20000, NULL) == APIVIDEO_STATUS_OK);
    client = client_with(config);
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"hang\"}}");
    for (i = 0; i < WAITERS; i++) REQUIRE(pthread_create(&threads[i], NULL, wait_for_token, client) == 0);
    start = now_ms();
    while (client_count(client, APIVIDEO_STATISTIC_WAITERS) < WAITERS) REQUIRE(now_ms() - start < 20000);
    await_request("api_key");
    start = now_ms();
    apivideo_client_free(client);
    CHECK_AT_ONCE("freeing the client", start);
    for (i = 0; i < WAITERS; i++) {
        pthread_join(threads[i], &status);
        CHECK((intptr_t)status == APIVIDEO_STATUS_CLOSED);
    }
    CHECK(now_ms() - start < 5000);
}

static int lines_logged;

static void count_line(int32_t level, const char *line, void *unused) {
    (void)level;
    (void)line;
    (void)unused;
    __atomic_fetch_add(&lines_logged, 1, __ATOMIC_SEQ_CST);
}

static int log_released;

static void note_log_release(void *unused) {
    (void)unused;
    __atomic_store_n(&log_released, 1, __ATOMIC_SEQ_CST);
}

/* The exchange goes on, and fails, when its client is long gone. */
static void nothing_is_logged_of_a_client_that_was_freed(void) {
    apivideo_config *config = test_config();
    apivideo_client *client;
    apivideo_operation *operation;
    int64_t start = now_ms();
    int before;
    REQUIRE(apivideo_config_set_attempt_timeout_ms(config, 1000, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_config_set_log(config, APIVIDEO_LOG_LEVEL_DEBUG, count_line, NULL, note_log_release, NULL) == APIVIDEO_STATUS_OK);
    client = client_with(config);
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"hang\"}}");
    REQUIRE(apivideo_get_token_start(client, 0, &operation, NULL) == APIVIDEO_STATUS_OK);
    await_request("api_key");
    apivideo_operation_free(operation);
    apivideo_client_free(client);
    before = __atomic_load_n(&lines_logged, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&log_released, __ATOMIC_SEQ_CST)) REQUIRE(now_ms() - start < 20000);
    CHECK(__atomic_load_n(&lines_logged, __ATOMIC_SEQ_CST) == before);
}

/* --- Callbacks that use the client, and free it. --- */

/* NULL before the client is there and when it is about to be freed: the lock keeps it from that during a callback. */
static apivideo_client *callbacks_client;
static pthread_mutex_t callbacks_lock = PTHREAD_MUTEX_INITIALIZER;
static int asked_in_callback;

static void ask_on_state(int32_t state, void *unused) {
    (void)state;
    (void)unused;
    pthread_mutex_lock(&callbacks_lock);
    if (callbacks_client != NULL) {
        free(access_token_of(callbacks_client));
        asked_in_callback++;
    }
    pthread_mutex_unlock(&callbacks_lock);
}

static void ask_on_log(int32_t level, const char *message, void *unused) {
    (void)message;
    ask_on_state(level, unused);
}

static void a_callback_may_ask_for_a_token(void) {
    apivideo_config *config = test_config();
    apivideo_client *client;
    int64_t start;
    int i;
    REQUIRE(apivideo_config_set_on_state(config, ask_on_state, NULL, NULL, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_config_set_log(config, APIVIDEO_LOG_LEVEL_DEBUG, ask_on_log, NULL, NULL, NULL) ==
            APIVIDEO_STATUS_OK);
    client = client_with(config);
    pthread_mutex_lock(&callbacks_lock);
    callbacks_client = client;
    pthread_mutex_unlock(&callbacks_lock);
    start = now_ms();
    for (i = 0; i < 3; i++) {
        if (i > 0) travel_s(7200);
        free(access_token_of(client));
    }
    CHECK(now_ms() - start < 5000);
    CHECK(sandbox_count("api_key", "ok") + sandbox_count("refresh", "ok") >= 3);
    pthread_mutex_lock(&callbacks_lock);
    callbacks_client = NULL;
    CHECK(asked_in_callback > 0);
    pthread_mutex_unlock(&callbacks_lock);
    apivideo_client_free(client);
}

static pthread_barrier_t in_callback;

static void meet_on_state(int32_t state, void *unused) {
    (void)unused;
    if (state != APIVIDEO_TOKEN_STATE_EXPIRED) return;
    pthread_barrier_wait(&in_callback);
    pthread_barrier_wait(&in_callback);
}

static void a_client_may_be_freed_while_a_call_is_in_a_callback(void) {
    apivideo_config *config = test_config();
    apivideo_client *client;
    pthread_t thread;
    void *status;
    pthread_barrier_init(&in_callback, NULL, 2);
    REQUIRE(apivideo_config_set_on_state(config, meet_on_state, NULL, NULL, NULL) == APIVIDEO_STATUS_OK);
    client = client_with(config);
    free(access_token_of(client));
    travel_s(7200);
    REQUIRE(pthread_create(&thread, NULL, wait_for_token, client) == 0);
    pthread_barrier_wait(&in_callback);
    apivideo_client_free(client);
    pthread_barrier_wait(&in_callback);
    pthread_join(thread, &status);
    CHECK((intptr_t)status == APIVIDEO_STATUS_CLOSED || (intptr_t)status == APIVIDEO_STATUS_OK);
}

static void free_on_log(int32_t level, const char *message, void *user_data) {
    apivideo_client **client = (apivideo_client **)user_data;
    apivideo_client *mine = __atomic_exchange_n(client, (apivideo_client *)NULL, __ATOMIC_SEQ_CST);
    (void)level;
    (void)message;
    apivideo_client_free(mine);
}

static void a_client_may_be_freed_by_its_own_callback(void) {
    apivideo_config *config = test_config();
    static apivideo_client *client;
    const apivideo_token *token = NULL;
    int64_t start = now_ms();
    REQUIRE(apivideo_config_set_log(config, APIVIDEO_LOG_LEVEL_DEBUG, free_on_log, &client, on_release, NULL) ==
            APIVIDEO_STATUS_OK);
    __atomic_store_n(&released, 0, __ATOMIC_SEQ_CST);
    client = client_with(config);
    (void)apivideo_get_token(client, &token, NULL);
    apivideo_token_free(token);
    while (__atomic_load_n(&released, __ATOMIC_SEQ_CST) == 0) REQUIRE(now_ms() - start < 20000);
    CHECK(client == NULL);
}

/* What apivideo_client_new() says of a variable of the environment, in `error`, which is to be freed. */
static apivideo_status client_of_environment(const char *name, const char *value, const apivideo_config *config,
                                             apivideo_client **client, apivideo_error **error) {
    REQUIRE(set_variable(name, value));
    return apivideo_client_new(NULL, config, client, error);
}

static void the_environment_fills_in_what_a_program_leaves_out(void) {
    apivideo_client *client = NULL;
    apivideo_error *error = NULL;
    apivideo_config *config = test_config();

    /* Empty is as good as missing. */
    CHECK(client_of_environment("APIVIDEO_API_KEY", "", config, &client, &error) == APIVIDEO_STATUS_NULL_ARGUMENT);
    CHECK(strstr(apivideo_error_message(error), "APIVIDEO_API_KEY") != NULL);
    apivideo_error_free(error);

    CHECK(client_of_environment("APIVIDEO_API_KEY", "\"hush\"", config, &client, &error) == APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(strncmp(apivideo_error_message(error), "`APIVIDEO_API_KEY` begins", 25) == 0);
    CHECK(strstr(apivideo_error_message(error), "hush") == NULL);
    apivideo_error_free(error);

    CHECK(client_of_environment("APIVIDEO_API_KEY", "\xff", config, &client, &error) == APIVIDEO_STATUS_INVALID_UTF8);
    CHECK(strstr(apivideo_error_message(error), "APIVIDEO_API_KEY") != NULL);
    apivideo_error_free(error);

    /* What the program sets goes before the environment, which is not even looked at. */
    REQUIRE(set_variable("APIVIDEO_BASE_URL", "no URL"));
    REQUIRE(client_of_environment("APIVIDEO_API_KEY", KEY, config, &client, NULL) == APIVIDEO_STATUS_OK);
    free(access_token_of(client));
    apivideo_client_free(client);
    REQUIRE(set_variable("APIVIDEO_API_KEY", "not the key"));
    client = client_with(config);
    free(access_token_of(client));
    apivideo_client_free(client);

    CHECK(apivideo_client_new(KEY, NULL, &client, &error) == APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(strstr(apivideo_error_message(error), "`APIVIDEO_BASE_URL`") != NULL);
    apivideo_error_free(error);

    /* All of it from the environment. */
    REQUIRE(set_variable("APIVIDEO_BASE_URL", sandbox_url()));
    REQUIRE(client_of_environment("APIVIDEO_API_KEY", KEY, NULL, &client, NULL) == APIVIDEO_STATUS_OK);
    unset_variable("APIVIDEO_API_KEY"); /* It was read, once. */
    unset_variable("APIVIDEO_BASE_URL");
    CHECK(strcmp(apivideo_client_base_url(client), sandbox_url()) == 0);
    free(access_token_of(client));
    apivideo_client_free(client);
    CHECK(sandbox_count("api_key", "ok") == 3);
}

int main(void) {
    RUN(a_token_and_its_four_fields);
    RUN(a_copy_is_good_while_the_clients_token_has_its_number);
    RUN(sixty_four_cold_threads_make_one_request);
    RUN(a_due_token_is_renewed_ahead_of_its_expiry);
    RUN(a_rejected_refresh_token_is_recovered_from);
    RUN(a_suspended_machine_gets_a_new_token);
    RUN(a_minimum_validity_renews_or_is_refused);
    RUN(a_401_is_recovered_from_once_a_minute);
    RUN(an_error_says_what_comes_next);
    RUN(the_endpoints_on_their_own);
    RUN(the_endpoints_without_waiting);
    RUN(an_operation_is_waited_for_in_slices_called_back_and_cancelled);
    RUN(a_callback_may_free_its_own_operation);
    RUN(a_second_callback_is_refused_after_the_end_too);
    RUN(who_cancels_waits_no_more);
    RUN(an_operation_ends_at_its_deadline_without_anybody_waiting);
    RUN(callbacks_tell_no_secret_and_are_released_once);
    RUN(freeing_a_client_ends_the_waits_at_once);
    RUN(nothing_is_logged_of_a_client_that_was_freed);
    RUN(a_callback_may_ask_for_a_token);
    RUN(a_client_may_be_freed_while_a_call_is_in_a_callback);
    RUN(a_client_may_be_freed_by_its_own_callback);
    RUN(the_environment_fills_in_what_a_program_leaves_out);
    return report();
}
