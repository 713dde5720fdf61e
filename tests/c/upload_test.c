/* Uploads through the C ABI: files and bytes on their way to api.video, and what goes wrong
 * around it. */
#include "support.h"

#define MIB (1024L * 1024)
#define LENGTH (11 * MIB)

static char *content; /* Of every upload here. */

static void write_file(void) {
    FILE *file = fopen(own_file(), "wb");
    REQUIRE(file != NULL && fwrite(content, 1, LENGTH, file) == LENGTH && fclose(file) == 0);
}

/* The text of a member of a reply, to be freed. */
static char *member(const apivideo_response *response, const char *name) {
    char quoted[64], *value;
    const char *at;
    snprintf(quoted, sizeof quoted, "\"%s\":\"", name);
    at = strstr(apivideo_response_body(response), quoted);
    REQUIRE(at != NULL);
    value = strdup(at + strlen(quoted));
    *strchr(value, '"') = '\0';
    return value;
}

static char *post(const apivideo_client *client, const char *path, const char *json, const char *name) {
    const apivideo_response *response = NULL;
    char *value;
    REQUIRE(apivideo_request(client, "POST", path, json, &response, NULL) == APIVIDEO_STATUS_OK);
    value = member(response, name);
    apivideo_response_free(response);
    return value;
}

static char *new_video(const apivideo_client *client) {
    return post(client, "/videos", "{\"title\": \"A video\"}", "videoId");
}

/* What the sandbox says of a video that has all of the file, and the file's bytes. */
#define COMPLETE "\"complete\":true,\"crc32\":14229206,\"length\":11534336"

/* What the sandbox has: CHECK(has(COMPLETE)). */
static int has(const char *text) {
    char *reply = sandbox_request("GET", "/_sandbox/videos", "");
    int found;
    REQUIRE(reply != NULL);
    found = strstr(reply, text) != NULL;
    if (!found) fprintf(stderr, "%s\n", reply);
    free(reply);
    return found;
}

static apivideo_upload *new_upload(const apivideo_client *client, const char *video_id) {
    apivideo_upload *upload = NULL;
    REQUIRE(apivideo_upload_new(client, &upload, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_upload_set_chunk_size(upload, 5 * MIB, NULL) == APIVIDEO_STATUS_OK);
    if (video_id != NULL) REQUIRE(apivideo_upload_set_video_id(upload, video_id, NULL) == APIVIDEO_STATUS_OK);
    return upload;
}

static apivideo_upload *new_file_upload(const apivideo_client *client, const char *video_id) {
    apivideo_upload *upload = new_upload(client, video_id);
    REQUIRE(apivideo_upload_set_file(upload, own_file(), NULL) == APIVIDEO_STATUS_OK);
    return upload;
}

static const apivideo_response *finished(const apivideo_upload *upload) {
    const apivideo_response *response = NULL;
    apivideo_error *error = NULL;
    uint64_t acknowledged = 0, sent = 0, total = 0;
    if (apivideo_upload_wait(upload, 60000, &response, &error) != APIVIDEO_STATUS_OK)
        fprintf(stderr, "%s\n", apivideo_error_message(error));
    REQUIRE(response != NULL);
    apivideo_upload_progress(upload, &acknowledged, &sent, &total);
    CHECK(acknowledged == LENGTH && sent == LENGTH && total == LENGTH);
    return response;
}

static void a_file_takes_one_call(void) {
    apivideo_client *client = test_client();
    const apivideo_response *response = NULL;
    char *id = new_video(client), *told;
    CHECK(apivideo_upload_file(client, id, own_file(), &response, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_response_http_status(response) == 201);
    told = member(response, "videoId");
    CHECK(strcmp(told, id) == 0);
    CHECK(has(COMPLETE));
    free(told);
    free(id);
    apivideo_response_free(response);
    apivideo_client_free(client);
}

typedef struct {
    uint64_t acknowledged, sent;
    int calls, back, released, completed;
} progress;

static void note_progress(uint64_t acknowledged, uint64_t sent, uint64_t total, void *user_data) {
    progress *seen = (progress *)user_data;
    seen->back |= acknowledged < seen->acknowledged || sent < seen->sent || sent > total;
    seen->acknowledged = acknowledged;
    seen->sent = sent;
    seen->calls++;
}

static void note_release(void *user_data) { __atomic_store_n(&((progress *)user_data)->released, 1, __ATOMIC_RELEASE); }
static void note_complete(void *user_data) { __atomic_store_n(&((progress *)user_data)->completed, 1, __ATOMIC_RELEASE); }

static void an_upload_tells_how_far_it_is_and_that_it_is_over(void) {
    apivideo_client *client = test_client();
    char *id = new_video(client);
    apivideo_upload *upload = new_file_upload(client, id);
    progress seen = {0, 0, 0, 0, 0, 0};
    int64_t begun = now_ms();
    CHECK(strcmp(apivideo_upload_video_id(upload), "") == 0);
    CHECK(apivideo_upload_set_parallel(upload, 2, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_upload_set_on_progress(upload, note_progress, &seen, note_release, NULL) == APIVIDEO_STATUS_OK);
    sandbox_fault("{\"on\": \"uploads\", \"skip\": 1, \"after\": 3000000, \"fault\": {\"kind\": \"reset\"}}");
    REQUIRE(apivideo_upload_start(upload, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_upload_on_complete(upload, note_complete, &seen, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_upload_on_complete(upload, note_complete, &seen, NULL) == APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(apivideo_upload_set_parallel(upload, 2, NULL) == APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(apivideo_upload_start(upload, NULL) == APIVIDEO_STATUS_INVALID_ARGUMENT);
    CHECK(strcmp(apivideo_upload_video_id(upload), id) == 0);
    apivideo_response_free(finished(upload));
    apivideo_response_free(finished(upload)); /* As often as one likes. */
    while (!__atomic_load_n(&seen.completed, __ATOMIC_ACQUIRE)) REQUIRE(now_ms() - begun < 60000);
    apivideo_upload_free(upload);
    while (!__atomic_load_n(&seen.released, __ATOMIC_ACQUIRE)) REQUIRE(now_ms() - begun < 60000);
    CHECK(seen.calls >= 3 && !seen.back && seen.acknowledged == LENGTH);
    CHECK(has(COMPLETE));
    free(id);
    apivideo_client_free(client);
}

static void bytes_are_written_while_they_are_sent(void) {
    apivideo_client *client = test_client();
    char *id = new_video(client);
    int announced;
    for (announced = 0; announced < 2; announced++) {
        apivideo_upload *upload = new_upload(client, id);
        long at, step = 700001;
        if (announced) CHECK(apivideo_upload_set_size(upload, LENGTH, NULL) == APIVIDEO_STATUS_OK);
        REQUIRE(apivideo_upload_start(upload, NULL) == APIVIDEO_STATUS_OK);
        for (at = 0; at < LENGTH; at += step) {
            size_t count = (size_t)(LENGTH - at < step ? LENGTH - at : step);
            REQUIRE(apivideo_upload_write(upload, content + at, count, NULL) == APIVIDEO_STATUS_OK);
        }
        CHECK(apivideo_upload_write(upload, NULL, 0, NULL) == APIVIDEO_STATUS_OK);
        CHECK(apivideo_upload_finish(upload, NULL) == APIVIDEO_STATUS_OK);
        CHECK(apivideo_upload_finish(upload, NULL) == APIVIDEO_STATUS_OK);
        CHECK(apivideo_upload_write(upload, content, 1, NULL) == APIVIDEO_STATUS_INVALID_ARGUMENT);
        apivideo_response_free(finished(upload));
        apivideo_upload_free(upload);
        free(id);
        id = new_video(client);
    }
    CHECK(has(COMPLETE));
    free(id);
    apivideo_client_free(client);
}

static void a_program_without_a_key_uploads_by_token(void) {
    apivideo_client *owner = test_client(), *client = NULL;
    char *token = post(owner, "/upload-tokens", "{}", "token"), *id;
    apivideo_config *config = test_config();
    apivideo_upload *upload;
    apivideo_error *error = NULL;
    const apivideo_response *response;
    const apivideo_token *none = NULL;
    REQUIRE(apivideo_client_new_without_key(config, &client, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_get_token(client, &none, NULL) == APIVIDEO_STATUS_KEY_REJECTED);
    upload = new_file_upload(client, NULL);
    CHECK(apivideo_upload_set_token(upload, token, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_upload_set_file_name(upload, "Holiday \"1\".mp4", NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_upload_start(upload, NULL) == APIVIDEO_STATUS_OK);
    response = finished(upload);
    id = member(response, "videoId");
    CHECK(strcmp(apivideo_upload_video_id(upload), id) == 0);
    CHECK(has(COMPLETE) && has("\"title\":\"Holiday "));
    apivideo_response_free(response);
    apivideo_upload_free(upload);

    upload = new_file_upload(client, NULL);
    CHECK(apivideo_upload_set_token(upload, "toOfNobodySecret", NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_upload_start(upload, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_upload_wait(upload, 60000, &response, &error) == APIVIDEO_STATUS_REQUEST_REJECTED);
    CHECK(apivideo_error_http_status(error) == 401);
    CHECK(strstr(apivideo_error_message(error), "Secret") == NULL);
    apivideo_error_free(error);
    apivideo_upload_free(upload);
    free(id);
    free(token);
    apivideo_config_free(config);
    apivideo_client_free(client);
    apivideo_client_free(owner);
}

static void what_was_cancelled_is_resumed_with_what_is_missing(void) {
    apivideo_client *client = test_client();
    char *id = new_video(client);
    apivideo_upload *upload = new_file_upload(client, id);
    const apivideo_response *response = NULL;
    uint64_t acknowledged = 0, sent = 0;
    int64_t begun;
    sandbox_fault("{\"on\": \"uploads\", \"skip\": 1, \"after\": 3000000, \"fault\": {\"kind\": \"hang\", \"handled\": false}}");
    REQUIRE(apivideo_upload_start(upload, NULL) == APIVIDEO_STATUS_OK);
    begun = now_ms();
    while (acknowledged == 0 || sent == acknowledged) { /* The second is in its middle. */
        REQUIRE(now_ms() - begun < 60000);
        apivideo_upload_progress(upload, &acknowledged, &sent, NULL);
    }
    CHECK(apivideo_upload_wait(upload, 1, &response, NULL) == APIVIDEO_STATUS_PENDING);
    begun = now_ms();
    apivideo_upload_cancel(upload);
    CHECK(apivideo_upload_wait(upload, 0, &response, NULL) == APIVIDEO_STATUS_CANCELLED);
    apivideo_upload_free(upload);
    CHECK_AT_ONCE("cancelling", begun);

    sandbox_clear_faults();
    upload = new_file_upload(client, id);
    CHECK(apivideo_upload_set_resume(upload, 1, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_upload_start(upload, NULL) == APIVIDEO_STATUS_OK);
    apivideo_response_free(finished(upload));
    CHECK(has(COMPLETE));
    apivideo_upload_free(upload);
    free(id);
    apivideo_client_free(client);
}

static void a_file_that_is_none_is_refused(void) {
    apivideo_client *client = test_client();
    const apivideo_response *response = NULL;
    apivideo_error *error = NULL;
    FILE *empty = fopen(own_file(), "wb");
    REQUIRE(empty != NULL && fclose(empty) == 0);
    CHECK(apivideo_upload_file(client, "vi1", "nothing-here.mp4", &response, &error) == APIVIDEO_STATUS_FILE_ERROR);
    CHECK(strstr(apivideo_error_message(error), "nothing-here.mp4") != NULL);
    CHECK(response == NULL && !apivideo_error_is_retryable(error));
    apivideo_error_free(error);
    CHECK(apivideo_upload_file(client, "vi1", ".", &response, NULL) == APIVIDEO_STATUS_FILE_ERROR);
    CHECK(apivideo_upload_file(client, "vi1", own_file(), &response, NULL) == APIVIDEO_STATUS_FILE_ERROR);
    CHECK(sandbox_count("api_key", "requests") == 0);
    write_file(); /* For the next. */
    apivideo_client_free(client);
}

static void freeing_the_client_ends_its_uploads_at_once(void) {
    apivideo_client *client = test_client();
    char *id = new_video(client);
    apivideo_upload *upload = new_file_upload(client, id), *late = new_file_upload(client, id);
    const apivideo_response *response = NULL;
    progress seen = {0, 0, 0, 0, 0, 0};
    int64_t begun;
    sandbox_fault("{\"on\": \"uploads\", \"after\": 3000000, \"fault\": {\"kind\": \"hang\", \"handled\": false}}");
    REQUIRE(apivideo_upload_start(upload, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_upload_on_complete(upload, note_complete, &seen, NULL) == APIVIDEO_STATUS_OK);
    await_request("uploads");
    begun = now_ms();
    apivideo_client_free(client);
    CHECK_AT_ONCE("freeing the client", begun);
    CHECK(seen.completed);
    CHECK(apivideo_upload_wait(upload, 0, &response, NULL) == APIVIDEO_STATUS_CLOSED);
    CHECK(apivideo_upload_start(late, NULL) == APIVIDEO_STATUS_CLOSED);
    apivideo_upload_free(upload);
    apivideo_upload_free(late);
    free(id);
}

static apivideo_upload *own;

static void free_upload(uint64_t acknowledged, uint64_t sent, uint64_t total, void *user_data) {
    (void)acknowledged, (void)sent, (void)total, (void)user_data;
    apivideo_upload_free(__atomic_exchange_n(&own, (apivideo_upload *)NULL, __ATOMIC_ACQ_REL));
}

/* Also while apivideo_upload_start() still starts threads. */
static void a_callback_may_free_its_own_upload(void) {
    apivideo_client *client = test_client();
    char *id = new_video(client);
    progress seen = {0, 0, 0, 0, 0, 0};
    int64_t begun = now_ms();
    own = new_file_upload(client, id);
    CHECK(apivideo_upload_set_parallel(own, 8, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_upload_set_on_progress(own, free_upload, &seen, note_release, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_upload_start(own, NULL) == APIVIDEO_STATUS_OK);
    while (!__atomic_load_n(&seen.released, __ATOMIC_ACQUIRE)) REQUIRE(now_ms() - begun < 60000);
    CHECK(__atomic_load_n(&own, __ATOMIC_ACQUIRE) == NULL);
    free(id);
    apivideo_client_free(client);
}

int main(void) {
    size_t at;
    uint32_t state = 1;
    content = (char *)malloc(LENGTH);
    REQUIRE(content != NULL);
    for (at = 0; at < LENGTH; at++) content[at] = (char)((state = state * 1664525 + 1013904223) >> 24);
    write_file();
    RUN(a_file_takes_one_call);
    RUN(an_upload_tells_how_far_it_is_and_that_it_is_over);
    RUN(bytes_are_written_while_they_are_sent);
    RUN(a_program_without_a_key_uploads_by_token);
    RUN(what_was_cancelled_is_resumed_with_what_is_missing);
    RUN(a_file_that_is_none_is_refused);
    RUN(freeing_the_client_ends_its_uploads_at_once);
    RUN(a_callback_may_free_its_own_upload);
    remove(own_file());
    free(content);
    return report();
}
