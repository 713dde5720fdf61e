/*
 * The same requests with libcurl as its documentation advises: one handle for all, so that each
 * but the first finds the connection open.
 * The reply's fields are found by a search for their names, which costs less than the JSON parser that a program would use.
 */
#include <curl/curl.h>

#include "first_token.h"

struct reply {
    char text[16384];
    size_t length;
};

static size_t append(char *bytes, size_t size, size_t count, void *to) {
    struct reply *reply = to;
    size_t length = size * count;
    if (reply->length + length >= sizeof reply->text) return 0;
    memcpy(reply->text + reply->length, bytes, length);
    reply->length += length;
    reply->text[reply->length] = '\0';
    return length;
}

/* The value of a field that is a string, to be freed. */
static char *field(const char *json, const char *name) {
    const char *at = strstr(json, name), *end;
    must(at != NULL, name);
    at = strchr(at + strlen(name) + 1, '"');
    must(at != NULL, name);
    end = strchr(at + 1, '"');
    must(end != NULL, name);
    return strndup(at + 1, (size_t)(end - at - 1));
}

static void post(CURL *curl, const char *base, const char *path, const char *body, struct reply *reply) {
    char url[512];
    long status = 0;
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    snprintf(url, sizeof url, "%s%s", base, path);
    reply->length = 0;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
    must(curl_easy_perform(curl) == CURLE_OK, "the request");
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    must(status == 200, "the reply");
    curl_slist_free_all(headers);
}

int main(int argc, char **argv) {
    static struct reply reply;
    double began = ms_now(), first, refreshed;
    char *access, *refresh, body[2048];
    CURL *curl;
    int refreshes, i;
    must(argc == 4 && (refreshes = atoi(argv[2])) > 0, "first_token_curl URL REFRESHES CA_BUNDLE");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    curl = curl_easy_init();
    must(curl != NULL, "the handle");
    curl_easy_setopt(curl, CURLOPT_CAINFO, argv[3]);
    post(curl, argv[1], "/auth/api-key", "{\"apiKey\":\"sandbox-key\"}", &reply);
    access = field(reply.text, "\"access_token\"");
    refresh = field(reply.text, "\"refresh_token\"");
    first = ms_now();
    free(access);
    for (i = 0; i < refreshes; i++) {
        snprintf(body, sizeof body, "{\"refreshToken\":\"%s\"}", refresh);
        free(refresh);
        post(curl, argv[1], "/auth/refresh", body, &reply);
        free(field(reply.text, "\"access_token\""));
        refresh = field(reply.text, "\"refresh_token\"");
    }
    refreshed = ms_now();
    free(refresh);
    report(first - began, (refreshed - first) / refreshes);
    curl_easy_cleanup(curl);
    curl_global_cleanup();
    return 0;
}
