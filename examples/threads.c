/*
 * Several threads share one client: the first token costs one exchange, however many ask for it.
 *
 *     cc -pthread -o threads threads.c $(pkg-config --cflags --libs apivideo)
 *     APIVIDEO_API_KEY=... ./threads
 */

#include <apivideo.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 8, READS = 100000 };

/* Gives NULL if every read succeeded. The client is const: any number of threads may use it at once, without a lock. */
static void *read_tokens(void *client) {
    for (int i = 0; i < READS; i++) {
        const apivideo_token *token = NULL;
        apivideo_error *error = NULL;
        if (apivideo_get_token(client, &token, &error) != APIVIDEO_STATUS_OK) {
            fprintf(stderr, "%s\n", apivideo_error_message(error));
            apivideo_error_free(error);
            return client;
        }
        /* Here the thread would send its request. The token stays as it is until it is freed, whatever the others do. */
        apivideo_token_free(token);
    }
    return NULL;
}

static apivideo_status print_statistics(const apivideo_client *client, apivideo_error **error) {
    apivideo_statistics *statistics = NULL;
    uint64_t exchanges = 0, tokens = 0;
    apivideo_status status = apivideo_client_get_statistics(client, &statistics, error);
    if (status == APIVIDEO_STATUS_OK) {
        status = apivideo_statistics_get(statistics, APIVIDEO_STATISTIC_AUTHENTICATE_REQUESTS, &exchanges, error);
    }
    if (status == APIVIDEO_STATUS_OK) {
        status = apivideo_statistics_get(statistics, APIVIDEO_STATISTIC_TOKENS_GRANTED, &tokens, error);
    }
    if (status == APIVIDEO_STATUS_OK) {
        printf("%d threads, %d reads each. Exchanges with the API key: %" PRIu64 ". Tokens obtained: %" PRIu64 ".\n", THREADS,
               READS, exchanges, tokens);
    }
    apivideo_statistics_free(statistics);
    return status;
}

int main(void) {
    apivideo_client *client = NULL;
    apivideo_error *error = NULL;
    apivideo_status status = apivideo_client_new(NULL, NULL, &client, &error);

    pthread_t threads[THREADS];
    int started = 0, failed = 0;
    while (status == APIVIDEO_STATUS_OK && started < THREADS
           && pthread_create(&threads[started], NULL, read_tokens, client) == 0) {
        started++;
    }
    if (status == APIVIDEO_STATUS_OK && started < THREADS) {
        fprintf(stderr, "The system refused a thread.\n");
    }
    for (int i = 0; i < started; i++) {
        void *result = NULL;
        failed += pthread_join(threads[i], &result) != 0 || result != NULL;
    }

    if (status == APIVIDEO_STATUS_OK) {
        status = print_statistics(client, &error);
    }
    if (status != APIVIDEO_STATUS_OK) {
        fprintf(stderr, "%s\n", apivideo_error_message(error));
    }
    apivideo_error_free(error);
    apivideo_client_free(client); /* no thread uses it any more */
    return status == APIVIDEO_STATUS_OK && started == THREADS && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
