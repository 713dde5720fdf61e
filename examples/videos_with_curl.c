/*
 * A request to the API with libcurl, and what to do about a 401.
 *
 *     cc -o videos_with_curl videos_with_curl.c $(pkg-config --cflags --libs apivideo libcurl)
 *     APIVIDEO_API_KEY=... ./videos_with_curl
 */

#include <apivideo.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

/* GET /videos. The body of a good reply goes to stdout. Gives the HTTP status, 0 if there was no reply. */
static long get_videos(const char *base_url, const apivideo_token *token) {
    char url[2100];
    snprintf(url, sizeof url, "%s/videos", base_url); /* the library has checked that a base URL is at most 2,048 bytes long */
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        return 0;
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L); /* no body of a reply that is an error */
    const char *ca_file = getenv("APIVIDEO_CA_FILE"); /* the library reads it by itself */
    if (ca_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
    }
    /* curl makes the Authorization header. Other HTTP clients take its whole value: apivideo_token_authorization(token). */
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    CURLcode result = curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, apivideo_token_access_token(token));
    if (result == CURLE_OK) {
        result = curl_easy_perform(curl);
    }
    long http_status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
    if (result != CURLE_OK) {
        fprintf(stderr, "GET %s: HTTP %ld, %s\n", url, http_status, curl_easy_strerror(result));
    }
    curl_easy_cleanup(curl);
    return result == CURLE_OK || http_status >= 400 ? http_status : 0;
}

int main(void) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fprintf(stderr, "libcurl does not start.\n");
        return EXIT_FAILURE;
    }
    apivideo_client *client = NULL;
    apivideo_error *error = NULL;
    apivideo_status status = apivideo_client_new(NULL, NULL, &client, &error);

    /* A token may die early, for instance when it is revoked. The API then answers 401, and another token helps: once. */
    long http_status = 401;
    for (int tries = 0; tries < 2 && status == APIVIDEO_STATUS_OK && http_status == 401; tries++) {
        const apivideo_token *token = NULL;
        status = apivideo_get_token(client, &token, &error);
        if (status == APIVIDEO_STATUS_OK) {
            http_status = get_videos(apivideo_client_base_url(client), token);
        }
        if (status == APIVIDEO_STATUS_OK && http_status == 401) {
            /* TOKEN_REJECTED if this token replaced a rejected one just now: the key lacks a right, and no token would help. */
            status = apivideo_invalidate_token(client, token, &error);
        }
        apivideo_token_free(token);
    }

    if (status != APIVIDEO_STATUS_OK) {
        fprintf(stderr, "%s\n", apivideo_error_message(error));
    }
    apivideo_error_free(error);
    apivideo_client_free(client);
    curl_global_cleanup();
    return status == APIVIDEO_STATUS_OK && http_status == 200 ? EXIT_SUCCESS : EXIT_FAILURE;
}
