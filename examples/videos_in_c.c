/*
 * The titles of all videos: requests with the library itself, which renews, waits and tries again
 * as it must.
 *
 *     cc -o videos_in_c videos_in_c.c $(pkg-config --cflags --libs apivideo)
 *     APIVIDEO_API_KEY=... ./videos_in_c
 */

#include <apivideo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A program has a JSON parser for this. */
static void print_titles(const char *json) {
    static const char name[] = "\"title\":\"";
    for (const char *at = json; (at = strstr(at, name)) != NULL;) {
        at += strlen(name);
        printf("%.*s\n", (int)strcspn(at, "\""), at);
    }
}

int main(void) {
    apivideo_client *client = NULL;
    const apivideo_response *page = NULL;
    apivideo_error *error = NULL;
    apivideo_status status = apivideo_client_new(NULL, NULL, &client, &error);
    char path[8193] = "/videos?pageSize=100"; /* the longest path that the library takes, and a NUL */

    while (status == APIVIDEO_STATUS_OK && path[0] != '\0') {
        status = apivideo_request(client, "GET", path, NULL, &page, &error);
        print_titles(apivideo_response_body(page)); /* empty after a failure, as all that is asked of NULL */
        snprintf(path, sizeof path, "%s", apivideo_response_next_page(page));
        apivideo_response_free(page);
    }

    if (status != APIVIDEO_STATUS_OK) {
        fprintf(stderr, "%s\n", apivideo_error_message(error));
    }
    apivideo_error_free(error);
    apivideo_client_free(client);
    return status == APIVIDEO_STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
