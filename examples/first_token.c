/*
 * The smallest program: a valid token, and how long it still lives.
 *
 *     cc -o first_token first_token.c $(pkg-config --cflags --libs apivideo)
 *     APIVIDEO_API_KEY=... ./first_token
 */

#include <apivideo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    apivideo_client *client = NULL;
    const apivideo_token *token = NULL;
    apivideo_error *error = NULL;

    /* No key and no settings: the environment has them, or else the defaults hold. */
    apivideo_status status = apivideo_client_new(NULL, NULL, &client, &error);

    /* Ask for the token before each request, and do not store it: that costs next to nothing, and it is always a valid one. */
    if (status == APIVIDEO_STATUS_OK) {
        status = apivideo_get_token(client, &token, &error);
    }
    if (status == APIVIDEO_STATUS_OK) {
        /* apivideo_token_authorization(token) is what goes into the Authorization header. It is a secret: do not print it. */
        printf("Got a token of %lu characters, good for another %ld s.\n",
               (unsigned long)strlen(apivideo_token_access_token(token)),
               (long)(apivideo_token_expires_in_ms(token) / 1000));
    } else {
        fprintf(stderr, "%s\n", apivideo_error_message(error));
    }

    /* What was never made is NULL, and freeing NULL is fine. */
    apivideo_error_free(error);
    apivideo_token_free(token);
    apivideo_client_free(client);
    return status == APIVIDEO_STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
