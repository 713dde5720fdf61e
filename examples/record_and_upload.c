/*
 * A recording is uploaded while it goes on: nobody knows how long it will be, and nothing is on
 * disk.
 *
 *     cc -o record record_and_upload.c $(pkg-config --cflags --libs apivideo)
 *     APIVIDEO_API_KEY=... ./record
 *
 * The "camera" gives noise, which only the local sandbox takes for a video.
 */

#include <apivideo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECONDS = 24, BYTES_A_SECOND = 1024 * 1024 };

static unsigned char second[BYTES_A_SECOND];

static void record_a_second(void) {
    size_t at;
    for (at = 0; at < sizeof second; at++) second[at] = (unsigned char)rand();
}

int main(void) {
    apivideo_client *client = NULL;
    apivideo_upload *upload = NULL;
    const apivideo_response *video = NULL, *response = NULL;
    apivideo_error *error = NULL;
    char id[64] = "";
    const char *at;
    int i;

    apivideo_status status = apivideo_client_new(NULL, NULL, &client, &error);
    if (status == APIVIDEO_STATUS_OK)
        status = apivideo_request(client, "POST", "/videos", "{\"title\": \"A recording\"}", &video, &error);
    at = strstr(apivideo_response_body(video), "\"videoId\":\""); /* A program has a JSON library for this. */
    if (at != NULL) sscanf(at, "\"videoId\":\"%63[^\"]", id);

    if (status == APIVIDEO_STATUS_OK) status = apivideo_upload_new(client, &upload, &error);
    if (status == APIVIDEO_STATUS_OK) status = apivideo_upload_set_video_id(upload, id, &error);
    /* Two chunks are held in memory: one that is sent, one that is filled meanwhile. */
    if (status == APIVIDEO_STATUS_OK) status = apivideo_upload_set_chunk_size(upload, 8 * 1024 * 1024, &error);
    if (status == APIVIDEO_STATUS_OK) status = apivideo_upload_start(upload, &error);

    for (i = 0; i < SECONDS && status == APIVIDEO_STATUS_OK; i++) {
        record_a_second();
        status = apivideo_upload_write(upload, second, sizeof second, &error); /* Waits only if the line is too slow. */
    }
    if (status == APIVIDEO_STATUS_OK) status = apivideo_upload_finish(upload, &error);
    if (status == APIVIDEO_STATUS_OK) status = apivideo_upload_wait(upload, UINT32_MAX, &response, &error);

    if (status == APIVIDEO_STATUS_OK)
        printf("A recording of %d MiB is the video %s.\n", SECONDS, apivideo_upload_video_id(upload));
    else
        fprintf(stderr, "%s\n", apivideo_error_message(error));

    apivideo_response_free(response);
    apivideo_response_free(video);
    apivideo_upload_free(upload);
    apivideo_error_free(error);
    apivideo_client_free(client);
    return status == APIVIDEO_STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
