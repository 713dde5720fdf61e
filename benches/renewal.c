/*
 * What readers notice of a renewal: renewal SECONDS RENEWAL_MS. 0: no renewal.
 *
 * 16 threads read the token every millisecond. After a second the clocks are moved to where the token is due, but valid for ten
 * minutes more, and the exchange takes RENEWAL_MS. A reader that was kept waiting has missed reads: each would have waited until the
 * same moment, and counts. Prints the longest and the p99.9 wait of a read in microseconds.
 */
#include "support.h"
#include "time_travel.h"

#define READERS 16

static const apivideo_client *client;
static int64_t end_ms;

struct reader {
    pthread_t thread;
    float *waits; /* µs */
    size_t count, capacity;
};

static double us_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void add_waits(struct reader *reader, double us) {
    for (; reader->count < reader->capacity; us -= 1000) {
        reader->waits[reader->count++] = (float)us;
        if (us <= 1000) return;
    }
}

static void *run(void *argument) {
    struct reader *reader = argument;
    while (reader->count < reader->capacity && now_ms() < end_ms) {
        const apivideo_token *token;
        double began = us_now();
        REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
        add_waits(reader, us_now() - began);
        apivideo_token_free(token);
        sleep_ms(1);
    }
    return NULL;
}

static int by_size(const void *a, const void *b) {
    float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

int main(int argc, char **argv) {
    static struct reader readers[READERS];
    apivideo_config *config = test_config();
    apivideo_client *made;
    const apivideo_token *token;
    float *all;
    size_t total = 0, i;
    int seconds, renewal_ms;
    char settings[64];
    REQUIRE(argc == 3);
    seconds = atoi(argv[1]);
    renewal_ms = atoi(argv[2]);
    sandbox("/_sandbox/reset", "{}");
    REQUIRE(apivideo_config_set_attempt_timeout_ms(config, 60000, NULL) == APIVIDEO_STATUS_OK);
    made = client_with(config);
    client = made;
    REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    apivideo_token_free(token);
    snprintf(settings, sizeof settings, "{\"latency_ms\":%d}", renewal_ms);
    sandbox("/_sandbox/settings", settings);

    end_ms = now_ms() + seconds * 1000;
    for (i = 0; i < READERS; i++) {
        readers[i].capacity = (size_t)seconds * 1000;
        readers[i].waits = malloc(readers[i].capacity * sizeof *readers[i].waits);
        REQUIRE(readers[i].waits != NULL);
        REQUIRE(pthread_create(&readers[i].thread, NULL, run, &readers[i]) == 0);
    }
    if (renewal_ms > 0) {
        sleep_ms(1000);
        travel_s(49 * 60);
    }
    for (i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        total += readers[i].count;
    }
    all = malloc(total * sizeof *all);
    REQUIRE(all != NULL);
    total = 0;
    for (i = 0; i < READERS; i++) {
        memcpy(all + total, readers[i].waits, readers[i].count * sizeof *all);
        total += readers[i].count;
        free(readers[i].waits);
    }
    qsort(all, total, sizeof *all, by_size);
    printf("%.1f %.1f %ld\n", all[total - 1], all[total * 999 / 1000], sandbox_count("refresh", "requests"));
    free(all);
    apivideo_client_free(made);
    return 0;
}
