/*
 * The smallest program: a valid token, and how long it still lives.
 *
 *     cc -o first_token first_token.c $(pkg-config --cflags --libs apivideo)
 *     APIVIDEO_API_KEY=... ./first_token
 *
 * The key is one of api.video's sandbox environment, or of the server that APIVIDEO_BASE_URL names.
 */

#include <apivideo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    const char *key = getenv("APIVIDEO_API_KEY");
    const char *base_url = getenv("APIVIDEO_BASE_URL");
    if (key == NULL) {
        fprintf(stderr, "Set APIVIDEO_API_KEY to your API key.\n");
        return EXIT_FAILURE;
    }

    apivideo_config *config = NULL;
    apivideo_client *client = NULL;
    const apivideo_token *token = NULL;
    apivideo_error *error = NULL;

    /* A NULL instead of the settings would mean the production environment. */
    apivideo_status status = apivideo_config_new(&config, &error);
    if (status == APIVIDEO_STATUS_OK) {
        status = base_url != NULL ? apivideo_config_set_base_url(config, base_url, &error)
                                  : apivideo_config_set_environment(config, APIVIDEO_ENVIRONMENT_SANDBOX, &error);
    }
    if (status == APIVIDEO_STATUS_OK) {
        status = apivideo_client_new(key, config, &client, &error);
    }

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
    apivideo_config_free(config);
    return status == APIVIDEO_STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
