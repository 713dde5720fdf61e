#define _POSIX_C_SOURCE 200809L

#include "tools.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "loopback_http.h"

double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void nap(int ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

const char *grouped(uint64_t number, char text[32]) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, number), to = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            text[to++] = ',';
        }
        text[to++] = digits[i];
    }
    text[to] = '\0';
    return text;
}

uint64_t statistic(const apivideo_client *client, int32_t which) {
    apivideo_statistics *statistics = NULL;
    uint64_t value = 0;
    if (apivideo_client_get_statistics(client, &statistics, NULL) == APIVIDEO_STATUS_OK) {
        apivideo_statistics_get(statistics, which, &value, NULL);
    }
    apivideo_statistics_free(statistics);
    return value;
}

int tell_sandbox(const char *base_url, const char *method, const char *path, const char *body) {
    int http_status = loopback_http(base_url, method, path, "Content-Type: application/json\r\n", body, NULL, 0);
    if (http_status != 200) {
        printf("error: the sandbox answers %s %s with HTTP %d\n", method, path, http_status);
    }
    return http_status == 200;
}

/* Its counters are like {"api_key":{"ok":1,"rejected":0,"requests":1},...}. */
uint64_t sandbox_requests(const char *base_url, const char *endpoint) {
    static const char requests[] = "\"requests\":";
    char json[2048] = "", name[32];
    loopback_http(base_url, "GET", "/_sandbox/counters", "", "", json, sizeof json);
    snprintf(name, sizeof name, "\"%s\"", endpoint);
    const char *found = strstr(json, name);
    found = found != NULL ? strstr(found, requests) : NULL;
    return found != NULL ? strtoull(found + strlen(requests), NULL, 10) : 0;
}
