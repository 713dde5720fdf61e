/* The conventions of the header, kept by every function: NULL, text that is not UTF-8, out-parameters, numbers, versions. */
#include "support.h"

static const char NOT_UTF8[] = "\xff\xfe";

/* A call that must fail: its status, and that nothing is handed out but an error that says the same. */
#define FAILS(expected, error, call)                                                    \
    do {                                                                                \
        apivideo_status status_ = (call);                                               \
        CHECK(status_ == (expected));                                                   \
        CHECK(apivideo_error_status(error) == (expected));                              \
        CHECK(strlen(apivideo_error_message(error)) > 10);                              \
        apivideo_error_free(error);                                                     \
        error = NULL;                                                                   \
    } while (0)

static apivideo_error *error;

static void status_numbers_are_frozen(void) {
    /* tests/abi/promises.txt has them too; numbers are never changed or used again. */
    static const struct {
        int32_t status, number;
    } frozen[] = {
        {APIVIDEO_STATUS_OK, 0},
        {APIVIDEO_STATUS_INVALID_ARGUMENT, 1},
        {APIVIDEO_STATUS_NULL_ARGUMENT, 2},
        {APIVIDEO_STATUS_INVALID_UTF8, 3},
        {APIVIDEO_STATUS_KEY_REJECTED, 4},
        {APIVIDEO_STATUS_REFRESH_REJECTED, 5},
        {APIVIDEO_STATUS_NO_REFRESH_TOKEN, 6},
        {APIVIDEO_STATUS_TOKEN_REJECTED, 7},
        {APIVIDEO_STATUS_RATE_LIMITED, 8},
        {APIVIDEO_STATUS_SERVER_ERROR, 9},
        {APIVIDEO_STATUS_PROTOCOL_ERROR, 10},
        {APIVIDEO_STATUS_NETWORK_ERROR, 11},
        {APIVIDEO_STATUS_TLS_ERROR, 12},
        {APIVIDEO_STATUS_TIMEOUT, 13},
        {APIVIDEO_STATUS_PENDING, 14},
        {APIVIDEO_STATUS_CANCELLED, 15},
        {APIVIDEO_STATUS_CLOSED, 16},
        {APIVIDEO_STATUS_SYSTEM_ERROR, 17},
        {APIVIDEO_STATUS_INTERNAL, 18},
        {APIVIDEO_STATUS_REQUEST_REJECTED, 19},
        {APIVIDEO_STATUS_FILE_ERROR, 20},
    };
    size_t i, count = sizeof frozen / sizeof *frozen;
    for (i = 0; i < count; i++) {
        CHECK(frozen[i].status == frozen[i].number);
        CHECK(strcmp(apivideo_status_string(frozen[i].number), "unknown status") != 0);
    }
    CHECK(strcmp(apivideo_status_string(-1), "unknown status") == 0);
    CHECK(strcmp(apivideo_status_string((int32_t)count), "unknown status") == 0);
}

static void header_and_library_have_one_version(void) {
    CHECK(strcmp(apivideo_version(), APIVIDEO_VERSION) == 0);
    CHECK(apivideo_abi_version() == APIVIDEO_ABI_VERSION);
    CHECK(apivideo_version_number() ==
          APIVIDEO_VERSION_MAJOR * 1000000 + APIVIDEO_VERSION_MINOR * 1000 + APIVIDEO_VERSION_PATCH);
}

static void null_in_every_pointer_of_the_client(void) {
    apivideo_client *client = test_client();
    apivideo_client *none = (apivideo_client *)&none;
    const apivideo_token *token = (const apivideo_token *)&token;
    apivideo_operation *operation = (apivideo_operation *)&operation;
    apivideo_statistics *statistics = (apivideo_statistics *)&statistics;

    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_client_new(NULL, NULL, &none, &error));
    CHECK(none == NULL);
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_client_new(KEY, NULL, NULL, &error));
    FAILS(APIVIDEO_STATUS_INVALID_UTF8, error, apivideo_client_new(NOT_UTF8, NULL, &none, &error));
    FAILS(APIVIDEO_STATUS_INVALID_ARGUMENT, error, apivideo_client_new("", NULL, &none, &error));
    FAILS(APIVIDEO_STATUS_INVALID_ARGUMENT, error, apivideo_client_new("key\n", NULL, &none, &error));
    CHECK(apivideo_client_new(NULL, NULL, NULL, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);

    CHECK(strcmp(apivideo_client_base_url(NULL), "") == 0);
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_get_token(NULL, &token, &error));
    CHECK(token == NULL);
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_get_token(client, NULL, &error));
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_get_token_valid_for(NULL, 0, &token, &error));
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_get_token_valid_for(client, 0, NULL, &error));
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_authenticate(NULL, &token, &error));
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_authenticate(client, NULL, &error));
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_refresh(NULL, &token, &error));
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_refresh(client, NULL, &error));
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_get_token_start(NULL, 0, &operation, &error));
    CHECK(operation == NULL);
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_get_token_start(client, 0, NULL, &error));
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_authenticate_start(NULL, &operation, &error));
    CHECK(operation == NULL);
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_authenticate_start(client, NULL, &error));
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_refresh_start(NULL, &operation, &error));
    CHECK(operation == NULL);
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_refresh_start(client, NULL, &error));
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_invalidate_token(client, NULL, &error));
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_invalidate_token(NULL, NULL, &error));
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error,
          apivideo_client_get_statistics(NULL, &statistics, &error));
    CHECK(statistics == NULL);
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_client_get_statistics(client, NULL, &error));
    CHECK(apivideo_get_token(NULL, NULL, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);

    CHECK(sandbox_count("api_key", "requests") == 0); /* A refused call sends nothing. */
    apivideo_client_free(client);
    apivideo_client_free(NULL);
}

static void ignore_progress(uint64_t acknowledged, uint64_t sent, uint64_t total, void *user_data) {
    (void)acknowledged, (void)sent, (void)total, (void)user_data;
}

static void ignore_completion(void *user_data) { (void)user_data; }

static void null_and_nonsense_in_every_argument_of_an_upload(void) {
    apivideo_client *client = test_client();
    apivideo_client *none = (apivideo_client *)&none;
    apivideo_upload *upload = (apivideo_upload *)&upload;
    const apivideo_response *response = (const apivideo_response *)&response;
    const int32_t invalid = APIVIDEO_STATUS_INVALID_ARGUMENT;
    const int32_t null = APIVIDEO_STATUS_NULL_ARGUMENT;
    const int32_t utf8 = APIVIDEO_STATUS_INVALID_UTF8;
    uint64_t acknowledged = 7, sent = 7, total = 7;

    FAILS(null, error, apivideo_client_new_without_key(NULL, NULL, &error));
    CHECK(apivideo_client_new_without_key(NULL, &none, NULL) == APIVIDEO_STATUS_OK);
    apivideo_client_free(none);

    FAILS(null, error, apivideo_upload_file(NULL, "vi1", "x", &response, &error));
    CHECK(response == NULL);
    FAILS(null, error, apivideo_upload_file(client, NULL, "x", &response, &error));
    FAILS(null, error, apivideo_upload_file(client, "vi1", NULL, &response, &error));
    FAILS(null, error, apivideo_upload_file(client, "vi1", "x", NULL, &error));
    FAILS(utf8, error, apivideo_upload_file(client, NOT_UTF8, "x", &response, &error));
    FAILS(utf8, error, apivideo_upload_file(client, "vi1", NOT_UTF8, &response, &error));
    FAILS(invalid, error, apivideo_upload_file(client, "../x", "x", &response, &error));

    FAILS(null, error, apivideo_upload_new(NULL, &upload, &error));
    CHECK(upload == NULL);
    FAILS(null, error, apivideo_upload_new(client, NULL, &error));
    REQUIRE(apivideo_upload_new(client, &upload, NULL) == APIVIDEO_STATUS_OK);
    FAILS(null, error, apivideo_upload_set_video_id(NULL, "vi1", &error));
    FAILS(null, error, apivideo_upload_set_video_id(upload, NULL, &error));
    FAILS(utf8, error, apivideo_upload_set_video_id(upload, NOT_UTF8, &error));
    FAILS(invalid, error, apivideo_upload_set_video_id(upload, "a/b", &error));
    FAILS(null, error, apivideo_upload_set_token(NULL, "to1", &error));
    FAILS(null, error, apivideo_upload_set_token(upload, NULL, &error));
    FAILS(utf8, error, apivideo_upload_set_token(upload, NOT_UTF8, &error));
    FAILS(invalid, error, apivideo_upload_set_token(upload, "a b", &error));
    FAILS(null, error, apivideo_upload_set_file(NULL, "x", &error));
    FAILS(null, error, apivideo_upload_set_file(upload, NULL, &error));
    FAILS(utf8, error, apivideo_upload_set_file(upload, NOT_UTF8, &error));
    FAILS(invalid, error, apivideo_upload_set_file(upload, "", &error));
    FAILS(null, error, apivideo_upload_set_file_name(NULL, "x", &error));
    FAILS(null, error, apivideo_upload_set_file_name(upload, NULL, &error));
    FAILS(utf8, error, apivideo_upload_set_file_name(upload, NOT_UTF8, &error));
    FAILS(invalid, error, apivideo_upload_set_file_name(upload, "a\r\nb", &error));
    FAILS(null, error, apivideo_upload_set_size(NULL, 1, &error));
    FAILS(invalid, error, apivideo_upload_set_size(upload, 0, &error));
    FAILS(null, error, apivideo_upload_set_chunk_size(NULL, 5242880, &error));
    FAILS(invalid, error, apivideo_upload_set_chunk_size(upload, 5242879, &error));
    FAILS(invalid, error, apivideo_upload_set_chunk_size(upload, 209715201, &error));
    FAILS(null, error, apivideo_upload_set_parallel(NULL, 1, &error));
    FAILS(invalid, error, apivideo_upload_set_parallel(upload, 0, &error));
    FAILS(invalid, error, apivideo_upload_set_parallel(upload, 9, &error));
    FAILS(null, error, apivideo_upload_set_resume(NULL, 1, &error));
    FAILS(invalid, error, apivideo_upload_set_resume(upload, 2, &error));
    FAILS(null, error, apivideo_upload_set_on_progress(NULL, ignore_progress, NULL, NULL, &error));
    CHECK(apivideo_upload_set_on_progress(upload, NULL, NULL, NULL, NULL) == APIVIDEO_STATUS_OK);

    FAILS(null, error, apivideo_upload_start(NULL, &error));
    FAILS(null, error, apivideo_upload_write(NULL, "x", 1, &error));
    FAILS(null, error, apivideo_upload_write(upload, NULL, 1, &error));
    FAILS(invalid, error, apivideo_upload_write(upload, "x", 1, &error)); /* It is not started. */
    FAILS(null, error, apivideo_upload_finish(NULL, &error));
    FAILS(null, error, apivideo_upload_wait(NULL, 0, &response, &error));
    CHECK(response == NULL);
    FAILS(null, error, apivideo_upload_wait(upload, 0, NULL, &error));
    FAILS(invalid, error, apivideo_upload_wait(upload, 0, &response, &error));
    FAILS(null, error, apivideo_upload_on_complete(NULL, ignore_completion, NULL, &error));
    FAILS(invalid, error, apivideo_upload_on_complete(upload, ignore_completion, NULL, &error));
    apivideo_upload_progress(NULL, &acknowledged, &sent, &total);
    CHECK(acknowledged == 0 && sent == 0 && total == 0);
    apivideo_upload_progress(upload, NULL, NULL, NULL);
    CHECK(strcmp(apivideo_upload_video_id(NULL), "") == 0);
    apivideo_upload_cancel(NULL);
    apivideo_upload_cancel(upload);
    FAILS(invalid, error, apivideo_upload_start(upload, &error)); /* It has neither video nor token. */
    apivideo_upload_free(upload);
    apivideo_upload_free(NULL);
    CHECK(apivideo_upload_file(NULL, NULL, NULL, NULL, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);

    CHECK(sandbox_count("api_key", "requests") == 0); /* A refused call sends nothing. */
    apivideo_client_free(client);
}

static void null_and_nonsense_in_every_argument_of_a_request(void) {
    apivideo_client *client = test_client();
    const apivideo_response *response = (const apivideo_response *)&response;
    apivideo_operation *operation = (apivideo_operation *)&operation;
    const int32_t invalid = APIVIDEO_STATUS_INVALID_ARGUMENT;
    const int32_t null = APIVIDEO_STATUS_NULL_ARGUMENT;
    const int32_t utf8 = APIVIDEO_STATUS_INVALID_UTF8;

    FAILS(null, error, apivideo_request(NULL, "GET", "/", NULL, &response, &error));
    CHECK(response == NULL);
    FAILS(null, error, apivideo_request(client, NULL, "/", NULL, &response, &error));
    FAILS(null, error, apivideo_request(client, "GET", NULL, NULL, &response, &error));
    FAILS(null, error, apivideo_request(client, "GET", "/", NULL, NULL, &error));
    FAILS(utf8, error, apivideo_request(client, NOT_UTF8, "/", NULL, &response, &error));
    FAILS(utf8, error, apivideo_request(client, "GET", NOT_UTF8, NULL, &response, &error));
    FAILS(utf8, error, apivideo_request(client, "POST", "/", NOT_UTF8, &response, &error));
    FAILS(invalid, error, apivideo_request(client, "GET /", "/", NULL, &response, &error));
    FAILS(invalid, error, apivideo_request(client, "GET", "https://example.com/", NULL, &response, &error));
    FAILS(invalid, error, apivideo_request(client, "GET", "/a/%2e%2e/b", NULL, &response, &error));
    FAILS(invalid, error, apivideo_request(client, "GET", "/\r\nX: y", NULL, &response, &error));
    FAILS(invalid, error, apivideo_request(client, "POST", "/", "{", &response, &error));
    CHECK(apivideo_request(NULL, NULL, NULL, NULL, NULL, NULL) == APIVIDEO_STATUS_NULL_ARGUMENT);

    FAILS(null, error, apivideo_request_start(NULL, "GET", "/", NULL, &operation, &error));
    CHECK(operation == NULL);
    FAILS(null, error, apivideo_request_start(client, NULL, "/", NULL, &operation, &error));
    FAILS(null, error, apivideo_request_start(client, "GET", NULL, NULL, &operation, &error));
    FAILS(null, error, apivideo_request_start(client, "GET", "/", NULL, NULL, &error));
    FAILS(utf8, error, apivideo_request_start(client, "GET", "/", NOT_UTF8, &operation, &error));
    FAILS(invalid, error, apivideo_request_start(client, "GET", "", NULL, &operation, &error));

    response = (const apivideo_response *)&response;
    FAILS(null, error, apivideo_operation_wait_response(NULL, 0, &response, &error));
    CHECK(response == NULL);
    REQUIRE(apivideo_request_start(client, "GET", "/", NULL, &operation, NULL) == APIVIDEO_STATUS_OK);
    FAILS(null, error, apivideo_operation_wait_response(operation, 0, NULL, &error));
    /* It ends here: what the next test counts are its own requests. */
    (void)apivideo_operation_wait_response(operation, 10000, &response, NULL);
    apivideo_response_free(response);
    apivideo_operation_free(operation);

    CHECK(apivideo_response_http_status(NULL) == 0);
    CHECK(strcmp(apivideo_response_body(NULL), "") == 0);
    CHECK(apivideo_response_body_length(NULL) == 0);
    CHECK(strcmp(apivideo_response_header(NULL, "a"), "") == 0);
    CHECK(strcmp(apivideo_response_next_page(NULL), "") == 0);
    apivideo_response_free(NULL);
    apivideo_client_free(client);
}

static void on_complete(void *user_data) { (void)user_data; }

static void null_in_every_other_pointer(void) {
    apivideo_client *client = test_client();
    apivideo_operation *operation = NULL;
    apivideo_statistics *statistics = NULL;
    const apivideo_token *token = (const apivideo_token *)&token;
    uint64_t value = 7;

    REQUIRE(apivideo_get_token_start(client, 0, &operation, NULL) == APIVIDEO_STATUS_OK);
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_operation_wait(NULL, 0, &token, &error));
    CHECK(token == NULL);
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_operation_wait(operation, 0, NULL, &error));
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error,
          apivideo_operation_on_complete(NULL, on_complete, NULL, &error));
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error,
          apivideo_operation_on_complete(operation, NULL, NULL, &error));
    apivideo_operation_cancel(NULL);
    apivideo_operation_free(NULL);
    apivideo_operation_free(operation);

    REQUIRE(apivideo_client_get_statistics(client, &statistics, NULL) == APIVIDEO_STATUS_OK);
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_statistics_get(NULL, 0, &value, &error));
    CHECK(value == 0);
    FAILS(APIVIDEO_STATUS_NULL_ARGUMENT, error, apivideo_statistics_get(statistics, 0, NULL, &error));
    FAILS(APIVIDEO_STATUS_INVALID_ARGUMENT, error, apivideo_statistics_get(statistics, -1, &value, &error));
    FAILS(APIVIDEO_STATUS_INVALID_ARGUMENT, error, apivideo_statistics_get(statistics, 14, &value, &error));
    apivideo_statistics_free(statistics);
    apivideo_statistics_free(NULL);

    CHECK(strcmp(apivideo_token_authorization(NULL), "") == 0);
    CHECK(strcmp(apivideo_token_access_token(NULL), "") == 0);
    CHECK(strcmp(apivideo_token_token_type(NULL), "") == 0);
    CHECK(strcmp(apivideo_token_refresh_token(NULL), "") == 0);
    CHECK(apivideo_token_expires_in_ms(NULL) == 0);
    CHECK(apivideo_token_expires_at_ms(NULL) == 0);
    CHECK(apivideo_token_lifetime_ms(NULL) == 0);
    CHECK(apivideo_token_id(NULL) == 0);
    CHECK(apivideo_client_token_id(NULL) == 0);
    CHECK(apivideo_token_clone(NULL) == NULL);
    apivideo_token_free(NULL);

    CHECK(apivideo_error_status(NULL) == APIVIDEO_STATUS_OK);
    CHECK(strcmp(apivideo_error_message(NULL), "") == 0);
    CHECK(apivideo_error_http_status(NULL) == 0);
    CHECK(strcmp(apivideo_error_problem_type(NULL), "") == 0);
    CHECK(strcmp(apivideo_error_title(NULL), "") == 0);
    CHECK(strcmp(apivideo_error_name(NULL), "") == 0);
    CHECK(strcmp(apivideo_error_detail(NULL), "") == 0);
    CHECK(apivideo_error_problem_count(NULL) == 0);
    CHECK(strcmp(apivideo_error_problem_type_at(NULL, 0), "") == 0);
    CHECK(strcmp(apivideo_error_title_at(NULL, 0), "") == 0);
    CHECK(strcmp(apivideo_error_name_at(NULL, 0), "") == 0);
    CHECK(strcmp(apivideo_error_detail_at(NULL, 0), "") == 0);
    CHECK(!apivideo_error_is_retryable(NULL));
    CHECK(apivideo_error_retry_after_ms(NULL) == -1);
    apivideo_error_free(NULL);
    apivideo_client_free(client);
}

static void null_and_nonsense_in_every_setting(void) {
    apivideo_config *c = NULL;
    const int32_t invalid = APIVIDEO_STATUS_INVALID_ARGUMENT;
    const int32_t null = APIVIDEO_STATUS_NULL_ARGUMENT;
    const int32_t utf8 = APIVIDEO_STATUS_INVALID_UTF8;
    FAILS(null, error, apivideo_config_new(NULL, &error));
    REQUIRE(apivideo_config_new(&c, NULL) == APIVIDEO_STATUS_OK);

    FAILS(null, error, apivideo_config_set_environment(NULL, 0, &error));
    FAILS(null, error, apivideo_config_set_base_url(NULL, "https://a", &error));
    FAILS(null, error, apivideo_config_set_app(NULL, "a", "1", &error));
    FAILS(null, error, apivideo_config_set_sdk(NULL, "a", "1", &error));
    FAILS(null, error, apivideo_config_set_connect_timeout_ms(NULL, 1, &error));
    FAILS(null, error, apivideo_config_set_attempt_timeout_ms(NULL, 1, &error));
    FAILS(null, error, apivideo_config_set_wait_timeout_ms(NULL, 1, &error));
    FAILS(null, error, apivideo_config_set_wait_for_recovery(NULL, 1, &error));
    FAILS(null, error, apivideo_config_set_keep_fresh(NULL, 1, &error));
    FAILS(null, error, apivideo_config_set_max_reply_bytes(NULL, 1, &error));
    FAILS(null, error, apivideo_config_set_proxy(NULL, "", &error));
    FAILS(null, error, apivideo_config_set_ca_file(NULL, "/dev/null", &error));
    FAILS(null, error, apivideo_config_set_log(NULL, 0, NULL, NULL, NULL, &error));
    FAILS(null, error, apivideo_config_set_on_state(NULL, NULL, NULL, NULL, &error));

    FAILS(null, error, apivideo_config_set_base_url(c, NULL, &error));
    FAILS(null, error, apivideo_config_set_app(c, NULL, "1", &error));
    FAILS(null, error, apivideo_config_set_app(c, "a", NULL, &error));
    FAILS(null, error, apivideo_config_set_sdk(c, NULL, "1", &error));
    FAILS(null, error, apivideo_config_set_sdk(c, "a", NULL, &error));
    FAILS(null, error, apivideo_config_set_proxy(c, NULL, &error));
    FAILS(null, error, apivideo_config_set_ca_file(c, NULL, &error));

    FAILS(utf8, error, apivideo_config_set_base_url(c, NOT_UTF8, &error));
    FAILS(utf8, error, apivideo_config_set_app(c, NOT_UTF8, "1", &error));
    FAILS(utf8, error, apivideo_config_set_app(c, "a", NOT_UTF8, &error));
    FAILS(utf8, error, apivideo_config_set_sdk(c, NOT_UTF8, "1", &error));
    FAILS(utf8, error, apivideo_config_set_sdk(c, "a", NOT_UTF8, &error));
    FAILS(utf8, error, apivideo_config_set_proxy(c, NOT_UTF8, &error));
    FAILS(utf8, error, apivideo_config_set_ca_file(c, NOT_UTF8, &error));

    FAILS(invalid, error, apivideo_config_set_environment(c, 2, &error));
    FAILS(invalid, error, apivideo_config_set_environment(c, -1, &error));
    FAILS(invalid, error, apivideo_config_set_base_url(c, "http://example.com", &error));
    FAILS(invalid, error, apivideo_config_set_app(c, "a b", "1", &error));
    FAILS(invalid, error, apivideo_config_set_sdk(c, "a", "v1", &error));
    FAILS(invalid, error, apivideo_config_set_connect_timeout_ms(c, 0, &error));
    FAILS(invalid, error, apivideo_config_set_attempt_timeout_ms(c, UINT32_MAX, &error));
    FAILS(invalid, error, apivideo_config_set_wait_timeout_ms(c, 3600001, &error));
    FAILS(invalid, error, apivideo_config_set_max_reply_bytes(c, 0, &error));
    FAILS(invalid, error, apivideo_config_set_max_reply_bytes(c, 1073741825, &error));
    FAILS(invalid, error, apivideo_config_set_proxy(c, "ftp://a", &error));
    FAILS(invalid, error, apivideo_config_set_ca_file(c, "/nonexistent", &error));
    FAILS(invalid, error, apivideo_config_set_log(c, 5, NULL, NULL, NULL, &error));
    apivideo_config_free(c);
    apivideo_config_free(NULL);
}

static void an_error_names_the_setting(void) {
    apivideo_config *config = NULL;
    REQUIRE(apivideo_config_new(&config, NULL) == APIVIDEO_STATUS_OK);
    apivideo_config_set_wait_timeout_ms(config, 9999999, &error);
    CHECK(strstr(apivideo_error_message(error), "wait_timeout_ms") != NULL);
    CHECK(strstr(apivideo_error_message(error), "3600000") != NULL);
    apivideo_error_free(error);
    apivideo_config_free(config);
}

int main(void) {
    RUN(status_numbers_are_frozen);
    RUN(header_and_library_have_one_version);
    RUN(null_in_every_pointer_of_the_client);
    RUN(null_and_nonsense_in_every_argument_of_a_request);
    RUN(null_and_nonsense_in_every_argument_of_an_upload);
    RUN(null_in_every_other_pointer);
    RUN(null_and_nonsense_in_every_setting);
    RUN(an_error_names_the_setting);
    return report();
}
