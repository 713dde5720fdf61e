/*
 * A program's first token over TLS, and refreshes after it, with libapivideo:
 * first_token URL REFRESHES.
 *
 * Prints, as first_token_curl.c does: milliseconds from main() to the token, milliseconds of a
 * refresh, and the peak RSS in MiB.
 */
#include <apivideo.h>

#include "first_token.h"

int main(int argc, char **argv) {
    double began = ms_now(), first, refreshed;
    apivideo_config *config = NULL;
    apivideo_client *client = NULL;
    const apivideo_token *token = NULL;
    int refreshes, i;
    must(argc == 3 && (refreshes = atoi(argv[2])) > 0, "first_token URL REFRESHES");
    must(apivideo_config_new(&config, NULL) == APIVIDEO_STATUS_OK, "the settings");
    must(apivideo_config_set_base_url(config, argv[1], NULL) == APIVIDEO_STATUS_OK, "the URL");
    must(apivideo_client_new("sandbox-key", config, &client, NULL) == APIVIDEO_STATUS_OK, "the client");
    must(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK, "the token");
    first = ms_now();
    for (i = 0; i < refreshes; i++) {
        apivideo_token_free(token);
        must(apivideo_refresh(client, &token, NULL) == APIVIDEO_STATUS_OK, "the refresh");
    }
    refreshed = ms_now();
    apivideo_token_free(token);
    report(first - began, (refreshed - first) / refreshes);
    apivideo_client_free(client);
    apivideo_config_free(config);
    return 0;
}
