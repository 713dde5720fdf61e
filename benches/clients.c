/*
 * What clients cost, beside their exchanges: clients [URL COUNT SECONDS].
 *
 * Alone: prints the microseconds that making and freeing a client takes, with what else a
 * program's first one costs behind it. With a URL that answers nothing but errors: that many
 * clients want a token for so long. Prints the milliseconds of CPU for one try.
 */
#include "support.h"

#include <sys/resource.h>

static apivideo_client *make(const apivideo_config *config) {
    apivideo_client *client;
    REQUIRE(apivideo_client_new(KEY, config, &client, NULL) == APIVIDEO_STATUS_OK);
    return client;
}

static double cpu_ms(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-3;
}

static long statistic(const apivideo_client *client, int which) {
    apivideo_statistics *statistics;
    uint64_t value;
    REQUIRE(apivideo_client_get_statistics(client, &statistics, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_statistics_get(statistics, which, &value, NULL) == APIVIDEO_STATUS_OK);
    apivideo_statistics_free(statistics);
    return (long)value;
}

static int made_and_freed(void) {
    enum { COUNT = 5000 };
    struct timespec begin, end;
    int i;
    apivideo_client_free(make(NULL));
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (i = 0; i < COUNT; i++) apivideo_client_free(make(NULL));
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.2f\n", ((double)(end.tv_sec - begin.tv_sec) * 1e6 + (double)(end.tv_nsec - begin.tv_nsec) * 1e-3) / COUNT);
    return 0;
}

static int in_an_outage(const char *url, int count, int seconds) {
    apivideo_client **clients = calloc((size_t)count, sizeof *clients);
    apivideo_operation **operations = calloc((size_t)count, sizeof *operations);
    apivideo_config *config;
    double began;
    long tries = 0, failures = 0;
    int i;
    REQUIRE(clients != NULL && operations != NULL);
    REQUIRE(apivideo_config_new(&config, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_config_set_base_url(config, url, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_config_set_wait_for_recovery(config, true, NULL) == APIVIDEO_STATUS_OK);
    for (i = 0; i < count; i++) clients[i] = make(config);
    began = cpu_ms();
    for (i = 0; i < count; i++) REQUIRE(apivideo_get_token_start(clients[i], 0, &operations[i], NULL) == APIVIDEO_STATUS_OK);
    sleep_ms(1000 * seconds);
    for (i = 0; i < count; i++) {
        tries += statistic(clients[i], APIVIDEO_STATISTIC_AUTHENTICATE_REQUESTS);
        failures += statistic(clients[i], APIVIDEO_STATISTIC_FAILURES);
    }
    printf("%.4f %ld %ld\n", (cpu_ms() - began) / (double)tries, tries, failures);
    for (i = 0; i < count; i++) {
        apivideo_operation_free(operations[i]);
        apivideo_client_free(clients[i]);
    }
    apivideo_config_free(config);
    free(operations);
    free(clients);
    return 0;
}

int main(int argc, char **argv) {
    return argc == 4 ? in_an_outage(argv[1], atoi(argv[2]), atoi(argv[3])) : made_and_freed();
}
