/*
 * Sends a file as the source of a video, with libapivideo: upload URL FILE CHUNK_SIZE.
 *
 * Prints, as upload_curl.c and upload.py do: milliseconds, and by how many MiB the memory in use
 * has grown. The token is there before.
 */
#include <apivideo.h>

#include "upload.h"

int main(int argc, char **argv) {
    apivideo_config *config = NULL;
    apivideo_client *client = NULL;
    apivideo_upload *upload = NULL;
    const apivideo_token *token = NULL;
    const apivideo_response *response = NULL;
    struct start start;
    must(argc == 4, "upload URL FILE CHUNK_SIZE");
    must(apivideo_config_new(&config, NULL) == APIVIDEO_STATUS_OK, "the settings");
    must(apivideo_config_set_base_url(config, argv[1], NULL) == APIVIDEO_STATUS_OK, "the URL");
    must(apivideo_client_new("sandbox-key", config, &client, NULL) == APIVIDEO_STATUS_OK, "the client");
    must(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK, "the token");
    apivideo_token_free(token);
    start = begin();
    must(apivideo_upload_new(client, &upload, NULL) == APIVIDEO_STATUS_OK, "the upload");
    must(apivideo_upload_set_video_id(upload, "vi1", NULL) == APIVIDEO_STATUS_OK, "the video");
    must(apivideo_upload_set_file(upload, argv[2], NULL) == APIVIDEO_STATUS_OK, "the file");
    must(apivideo_upload_set_chunk_size(upload, (uint64_t)atoll(argv[3]), NULL) == APIVIDEO_STATUS_OK, "the chunk's size");
    must(apivideo_upload_start(upload, NULL) == APIVIDEO_STATUS_OK, "the start");
    must(apivideo_upload_wait(upload, UINT32_MAX, &response, NULL) == APIVIDEO_STATUS_OK, "the upload's end");
    end(start);
    apivideo_response_free(response);
    apivideo_upload_free(upload);
    apivideo_client_free(client);
    apivideo_config_free(config);
    return 0;
}
