/* Requests through the C ABI: what programs ask the API for, and what goes wrong around it. */
#include "time_travel.h"

#include "support.h"

static const apivideo_response *get(const apivideo_client *client, const char *path) {
    const apivideo_response *response = NULL;
    apivideo_error *error = NULL;
    if (apivideo_request(client, "GET", path, NULL, &response, &error) != APIVIDEO_STATUS_OK)
        fprintf(stderr, "%s\n", apivideo_error_message(error));
    REQUIRE(response != NULL && error == NULL);
    return response;
}

static void get_and_forget(const apivideo_client *client) { apivideo_response_free(get(client, "/videos")); }

static void a_list_is_read_page_by_page(void) {
    apivideo_client *client = test_client();
    char path[256] = "/videos?pageSize=2";
    int pages = 0;
    while (path[0] != '\0') {
        const apivideo_response *response = get(client, path);
        CHECK(apivideo_response_http_status(response) == 200);
        CHECK(strlen(apivideo_response_body(response)) == apivideo_response_body_length(response));
        CHECK(strstr(apivideo_response_body(response), "\"videoId\"") != NULL);
        CHECK(strcmp(apivideo_response_header(response, "content-TYPE"), "application/json") == 0);
        CHECK(strcmp(apivideo_response_header(response, "X-Nothing"), "") == 0);
        CHECK(strcmp(apivideo_response_header(response, NULL), "") == 0);
        CHECK(strcmp(apivideo_response_header(response, "\xff"), "") == 0);
        snprintf(path, sizeof path, "%s", apivideo_response_next_page(response));
        apivideo_response_free(response);
        pages++;
    }
    CHECK(pages == 2);
    apivideo_client_free(client);
}

static void a_response_outlives_its_client(void) {
    apivideo_client *client = test_client();
    const apivideo_response *response = get(client, "/videos?pageSize=1");
    apivideo_client_free(client);
    CHECK(strstr(apivideo_response_next_page(response), "currentPage=2") != NULL);
    apivideo_response_free(response);
}

static void a_body_is_bytes(void) {
    apivideo_client *client = test_client();
    const apivideo_response *response;
    sandbox_fault("{\"on\": \"videos\", \"fault\": {\"kind\": \"reply\", \"status\": 200, \"body\": [97, 0, 98]}}");
    response = get(client, "/videos");
    CHECK(apivideo_response_body_length(response) == 3);
    CHECK(memcmp(apivideo_response_body(response), "a\0b", 4) == 0);
    apivideo_response_free(response);
    apivideo_client_free(client);
}

static void a_refusal_has_the_problem_and_each_of_its_faults(void) {
    apivideo_client *client = test_client();
    const apivideo_response *response = (const apivideo_response *)&response;
    apivideo_error *error = NULL;
    sandbox_fault(
        "{\"on\": \"videos\", \"fault\": {\"kind\": \"reply\", \"status\": 400, \"body\": \"{\\\"type\\\":"
        "\\\"https://docs.api.video/reference/invalid-attribute\\\",\\\"title\\\":\\\"Two faults.\\\",\\\"detail\\\":\\\"See below.\\\","
        "\\\"problems\\\":[{\\\"title\\\":\\\"A.\\\",\\\"name\\\":\\\"title\\\"},{\\\"type\\\":\\\"https://docs.api.video/b\\\","
        "\\\"title\\\":\\\"B.\\\",\\\"name\\\":\\\"tags\\\",\\\"detail\\\":\\\"C.\\\"}]}\"}}");
    CHECK(apivideo_request(client, "POST", "/videos", "{}", &response, &error) == APIVIDEO_STATUS_REQUEST_REJECTED);
    CHECK(response == NULL);
    CHECK(apivideo_error_status(error) == APIVIDEO_STATUS_REQUEST_REJECTED);
    CHECK(apivideo_error_http_status(error) == 400);
    CHECK(!apivideo_error_is_retryable(error));
    CHECK(strcmp(apivideo_error_problem_type(error), "https://docs.api.video/reference/invalid-attribute") == 0);
    CHECK(strcmp(apivideo_error_title(error), "Two faults.") == 0);
    CHECK(strcmp(apivideo_error_name(error), "") == 0);
    CHECK(strcmp(apivideo_error_detail(error), "See below.") == 0);
    CHECK(apivideo_error_problem_count(error) == 2);
    CHECK(strcmp(apivideo_error_title_at(error, 0), "A.") == 0);
    CHECK(strcmp(apivideo_error_problem_type_at(error, 0), "") == 0);
    CHECK(strcmp(apivideo_error_problem_type_at(error, 1), "https://docs.api.video/b") == 0);
    CHECK(strcmp(apivideo_error_name_at(error, 1), "tags") == 0);
    CHECK(strcmp(apivideo_error_detail_at(error, 1), "C.") == 0);
    CHECK(strcmp(apivideo_error_title_at(error, 2), "") == 0);
    CHECK(strcmp(apivideo_error_title_at(error, SIZE_MAX), "") == 0);
    CHECK(strstr(apivideo_error_message(error), "POST /videos, HTTP 400: Two faults; See below.; title: A; tags: B") != NULL);
    apivideo_error_free(error);
    apivideo_client_free(client);
}

static void a_401_gets_another_token_and_a_second_one_is_the_callers(void) {
    apivideo_client *client = test_client();
    const apivideo_response *response = NULL;
    apivideo_error *error = NULL;
    char *first = access_token_of(client);
    char *second;
    sandbox("/_sandbox/revoke", "{\"what\": \"access\"}");
    get_and_forget(client);
    second = access_token_of(client);
    CHECK(strcmp(first, second) != 0);
    CHECK(sandbox_count("api_key", "requests") == 2);
    sandbox_fault("{\"on\": \"videos\", \"times\": 0, \"fault\": {\"kind\": \"reply\", \"status\": 401, \"body\": \"{}\"}}");
    CHECK(apivideo_request(client, "GET", "/videos", NULL, &response, &error) == APIVIDEO_STATUS_REQUEST_REJECTED);
    CHECK(apivideo_error_http_status(error) == 401);
    apivideo_error_free(error);
    free(first);
    free(second);
    apivideo_client_free(client);
}

static void a_hundred_requests_take_one_connection_until_it_was_idle(void) {
    apivideo_client *client = test_client();
    int i;
    for (i = 0; i < 100; i++) get_and_forget(client);
    CHECK(sandbox_count("api_key", "connections") == 2); /* One for the token. */
    travel_s(31);
    get_and_forget(client);
    CHECK(sandbox_count("api_key", "connections") == 3);
    apivideo_client_free(client);
}

static void a_reply_that_is_too_large_is_refused(void) {
    apivideo_config *config = test_config();
    apivideo_client *client;
    const apivideo_response *response = NULL;
    apivideo_error *error = NULL;
    CHECK(apivideo_config_set_max_reply_bytes(config, 1000, NULL) == APIVIDEO_STATUS_OK);
    client = client_with(config);
    CHECK(apivideo_request(client, "GET", "/videos", NULL, &response, &error) == APIVIDEO_STATUS_PROTOCOL_ERROR);
    CHECK(strstr(apivideo_error_message(error), "larger than 1000 bytes") != NULL);
    apivideo_error_free(error);
    apivideo_client_free(client);
}

/* --- Operations --- */

static apivideo_operation *start(const apivideo_client *client) {
    apivideo_operation *operation = NULL;
    REQUIRE(apivideo_request_start(client, "GET", "/videos", NULL, &operation, NULL) == APIVIDEO_STATUS_OK);
    return operation;
}

static void count_call(void *calls) { __atomic_fetch_add((int *)calls, 1, __ATOMIC_RELAXED); }

static void an_operation_brings_the_response_and_calls_back(void) {
    apivideo_client *client = test_client();
    apivideo_operation *operation = start(client);
    const apivideo_response *response = NULL, *again = NULL;
    int calls = 0;
    int64_t begun = now_ms();
    CHECK(apivideo_operation_on_complete(operation, count_call, &calls, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_operation_wait_response(operation, UINT32_MAX, &response, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_operation_wait_response(operation, 0, &again, NULL) == APIVIDEO_STATUS_OK);
    CHECK(again == response && apivideo_response_http_status(response) == 200);
    while (__atomic_load_n(&calls, __ATOMIC_RELAXED) != 1) REQUIRE(now_ms() - begun < 20000);
    apivideo_response_free(response);
    apivideo_operation_free(operation);
    CHECK(strstr(apivideo_response_body(again), "videoId") != NULL);
    apivideo_response_free(again);
    apivideo_client_free(client);
}

static void an_operation_gives_what_it_was_started_for(void) {
    apivideo_client *client = test_client();
    apivideo_operation *request = start(client), *token_s = NULL;
    const apivideo_response *response = (const apivideo_response *)&response;
    const apivideo_token *token = (const apivideo_token *)&token;
    REQUIRE(apivideo_get_token_start(client, 0, &token_s, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_operation_wait(request, 0, &token, NULL) == APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(apivideo_operation_wait_response(token_s, 0, &response, NULL) == APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(token == NULL && response == NULL);
    apivideo_operation_free(request);
    apivideo_operation_free(token_s);
    apivideo_client_free(client);
}

static void cancelling_or_freeing_the_client_ends_a_request_at_once(void) {
    apivideo_config *config = test_config();
    apivideo_client *client;
    apivideo_operation *cancelled, *closed, *freed;
    const apivideo_response *response = NULL;
    int calls = 0;
    int64_t begun;
    REQUIRE(apivideo_config_set_attempt_timeout_ms(config, 60000, NULL) == APIVIDEO_STATUS_OK);
    client = client_with(config);
    free(access_token_of(client));
    sandbox_fault("{\"on\": \"videos\", \"times\": 0, \"fault\": {\"kind\": \"hang\"}}");
    cancelled = start(client);
    closed = start(client);
    freed = start(client);
    while (sandbox_count("videos", "requests") < 3) sleep_ms(1);
    CHECK(apivideo_operation_wait_response(cancelled, 1, &response, NULL) == APIVIDEO_STATUS_PENDING);
    REQUIRE(apivideo_operation_on_complete(freed, count_call, &calls, NULL) == APIVIDEO_STATUS_OK);
    begun = now_ms();
    apivideo_operation_cancel(cancelled);
    CHECK(apivideo_operation_wait_response(cancelled, 0, &response, NULL) == APIVIDEO_STATUS_CANCELLED);
    apivideo_operation_free(freed);
    CHECK(calls == 1);
    apivideo_client_free(client);
    CHECK(apivideo_operation_wait_response(closed, 0, &response, NULL) == APIVIDEO_STATUS_CLOSED);
    CHECK_AT_ONCE("cancelling, and freeing the client", begun);
    apivideo_operation_free(cancelled);
    apivideo_operation_free(closed);
}

static apivideo_client *shared;

static void *request_and_tell(void *unused) {
    const apivideo_response *response = NULL;
    (void)unused;
    return (void *)(intptr_t)apivideo_request(shared, "GET", "/videos", NULL, &response, NULL);
}

static void freeing_the_client_ends_a_callers_wait(void) {
    apivideo_config *config = test_config();
    pthread_t thread;
    void *status;
    REQUIRE(apivideo_config_set_attempt_timeout_ms(config, 60000, NULL) == APIVIDEO_STATUS_OK);
    shared = client_with(config);
    sandbox_fault("{\"on\": \"videos\", \"times\": 0, \"fault\": {\"kind\": \"hang\"}}");
    REQUIRE(pthread_create(&thread, NULL, request_and_tell, NULL) == 0);
    await_request("videos");
    apivideo_client_free(shared);
    pthread_join(thread, &status);
    CHECK((intptr_t)status == APIVIDEO_STATUS_CLOSED);
}

/* --- Webhooks --- */

static void a_webhook_is_verified(void) {
    /* RFC 4231, test case 2. */
    static const char secret[] = "Jefe", body[] = "what do ya want for nothing?";
    static const char signature[] = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    CHECK(apivideo_webhook_verify(secret, body, strlen(body), signature));
    CHECK(!apivideo_webhook_verify(secret, body, strlen(body) - 1, signature));
    CHECK(!apivideo_webhook_verify("jefe", body, strlen(body), signature));
    CHECK(!apivideo_webhook_verify(secret, body, strlen(body), signature + 1));
    CHECK(!apivideo_webhook_verify(NULL, body, strlen(body), signature));
    CHECK(!apivideo_webhook_verify(secret, NULL, strlen(body), signature));
    CHECK(!apivideo_webhook_verify(secret, body, strlen(body), NULL));
    CHECK(!apivideo_webhook_verify("\xff", body, strlen(body), signature));
    CHECK(!apivideo_webhook_verify("", NULL, 0, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
    CHECK(apivideo_webhook_verify("key", NULL, 0, "5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0"));
}

int main(void) {
    RUN(a_list_is_read_page_by_page);
    RUN(a_response_outlives_its_client);
    RUN(a_body_is_bytes);
    RUN(a_refusal_has_the_problem_and_each_of_its_faults);
    RUN(a_401_gets_another_token_and_a_second_one_is_the_callers);
    RUN(a_hundred_requests_take_one_connection_until_it_was_idle);
    RUN(a_reply_that_is_too_large_is_refused);
    RUN(an_operation_brings_the_response_and_calls_back);
    RUN(an_operation_gives_what_it_was_started_for);
    RUN(cancelling_or_freeing_the_client_ends_a_request_at_once);
    RUN(freeing_the_client_ends_a_callers_wait);
    RUN(a_webhook_is_verified);
    return report();
}
