/*
 * A file becomes a video: makes the video, sends the file, and shows how far it is.
 *
 *     cc -o upload_file upload_file.c $(pkg-config --cflags --libs apivideo)
 *     APIVIDEO_API_KEY=... ./upload_file movie.mp4
 *     APIVIDEO_API_KEY=... ./upload_file movie.mp4 VIDEO_ID      to go on after it was ended
 *
 * Without a file it sends itself, which only the local sandbox takes for a video.
 */

#include <apivideo.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A member of a JSON object that has a plain text. A program has a JSON library for this. */
static int find_text(const char *json, const char *name, char *text, size_t size) {
    char quoted[64];
    const char *at;
    size_t length;
    snprintf(quoted, sizeof quoted, "\"%s\":\"", name);
    if ((at = strstr(json, quoted)) == NULL) return 0;
    at += strlen(quoted);
    length = strcspn(at, "\"");
    if (length >= size) return 0;
    memcpy(text, at, length);
    text[length] = '\0';
    return 1;
}

/* On a thread of the library: a program with a window would tell its event loop. */
static void show(uint64_t acknowledged, uint64_t sent, uint64_t total, void *unused) {
    (void)unused;
    (void)acknowledged; /* What api.video has said it has. */
    if (total > 0) fprintf(stderr, "\r%3" PRIu64 " %%", 100 * sent / total);
}

static apivideo_status make_video(const apivideo_client *client, char *id, size_t size, apivideo_error **error) {
    const apivideo_response *response = NULL;
    apivideo_status status = apivideo_request(client, "POST", "/videos", "{\"title\": \"My movie\"}", &response, error);
    if (status == APIVIDEO_STATUS_OK && !find_text(apivideo_response_body(response), "videoId", id, size))
        status = APIVIDEO_STATUS_PROTOCOL_ERROR;
    apivideo_response_free(response);
    return status;
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : argv[0];
    const int is_resumed = argc > 2;
    char id[64] = "";
    apivideo_client *client = NULL;
    apivideo_upload *upload = NULL;
    const apivideo_response *response = NULL;
    apivideo_error *error = NULL;

    apivideo_status status = apivideo_client_new(NULL, NULL, &client, &error);
    if (is_resumed) {
        snprintf(id, sizeof id, "%s", argv[2]);
    } else if (status == APIVIDEO_STATUS_OK) {
        status = make_video(client, id, sizeof id, &error);
    }

    /* apivideo_upload_file(client, id, path, &response, &error) does all that follows, but for
     * the progress. */
    if (status == APIVIDEO_STATUS_OK) status = apivideo_upload_new(client, &upload, &error);
    if (status == APIVIDEO_STATUS_OK) status = apivideo_upload_set_video_id(upload, id, &error);
    if (status == APIVIDEO_STATUS_OK) status = apivideo_upload_set_file(upload, path, &error);
    if (status == APIVIDEO_STATUS_OK) status = apivideo_upload_set_resume(upload, is_resumed, &error);
    if (status == APIVIDEO_STATUS_OK) status = apivideo_upload_set_on_progress(upload, show, NULL, NULL, &error);
    if (status == APIVIDEO_STATUS_OK) status = apivideo_upload_start(upload, &error);
    if (status == APIVIDEO_STATUS_OK) status = apivideo_upload_wait(upload, UINT32_MAX, &response, &error);

    if (status == APIVIDEO_STATUS_OK) {
        char player[256] = "";
        find_text(apivideo_response_body(response), "player", player, sizeof player);
        printf("\nThe video %s is there: %s\n", id, player);
    } else {
        fprintf(stderr, "\n%s\n", apivideo_error_message(error));
        if (id[0] != '\0') fprintf(stderr, "To go on: %s %s %s\n", argv[0], path, id);
    }

    apivideo_response_free(response);
    apivideo_upload_free(upload);
    apivideo_error_free(error);
    apivideo_client_free(client);
    return status == APIVIDEO_STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
