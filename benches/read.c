/*
 * What a read of a valid token costs: read WORK THREADS MILLISECONDS CORES, or read WORK 1 =COUNT 1 for exactly so many.
 *
 * Prints nanoseconds for one operation on one core. WORK is `token` (get, use, free), or a floor under it: `call`, an empty call into
 * a shared library; `clock`, the coarse clock that says whether time has passed; `increment`, one atomic increment.
 */
#include "support.h"

#include <stdatomic.h>

#define BATCH 1000

typedef void (*batch_function)(long);

static const apivideo_client *client;
static atomic_bool over;
static _Thread_local volatile char used; /* Shared, it would be what is measured. */
static pthread_barrier_t start;

static void tokens(long count) {
    while (count-- > 0) {
        const apivideo_token *token;
        REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
        used = apivideo_token_authorization(token)[0];
        apivideo_token_free(token);
    }
}

static void calls(long count) {
    while (count-- > 0) apivideo_token_free(NULL);
}

static void clocks(long count) {
    struct timespec wall;
    while (count-- > 0) clock_gettime(CLOCK_REALTIME_COARSE, &wall);
}

static void increments(long count) {
    static _Thread_local atomic_long number;
    while (count-- > 0) atomic_fetch_add_explicit(&number, 1, memory_order_relaxed);
}

static batch_function work_called(const char *name) {
    if (strcmp(name, "token") == 0) return tokens;
    if (strcmp(name, "call") == 0) return calls;
    if (strcmp(name, "clock") == 0) return clocks;
    if (strcmp(name, "increment") == 0) return increments;
    fprintf(stderr, "no such work: %s\n", name);
    exit(2);
}

struct worker {
    pthread_t thread;
    batch_function batch;
    long done;
};

static void *run(void *argument) {
    struct worker *worker = argument;
    worker->batch(BATCH); /* The first has costs of its own. */
    pthread_barrier_wait(&start);
    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        worker->batch(BATCH);
        worker->done += BATCH;
    }
    return NULL;
}

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double ns_per_operation(batch_function batch, int threads, int ms, int cores) {
    struct worker *workers = calloc((size_t)threads, sizeof *workers);
    long done = 0;
    double began, took;
    int i;
    REQUIRE(workers != NULL);
    pthread_barrier_init(&start, NULL, (unsigned)threads + 1);
    for (i = 0; i < threads; i++) {
        workers[i].batch = batch;
        REQUIRE(pthread_create(&workers[i].thread, NULL, run, &workers[i]) == 0);
    }
    pthread_barrier_wait(&start);
    began = seconds_now();
    sleep_ms(ms);
    atomic_store(&over, true);
    for (i = 0; i < threads; i++) pthread_join(workers[i].thread, NULL);
    took = seconds_now() - began;
    for (i = 0; i < threads; i++) done += workers[i].done;
    free(workers);
    return took * 1e9 * (double)(threads < cores ? threads : cores) / (double)done;
}

int main(int argc, char **argv) {
    apivideo_client *made;
    REQUIRE(argc == 5);
    made = client_with(test_config());
    client = made;
    tokens(1);
    if (argv[3][0] == '=') {
        work_called(argv[1])(atol(argv[3] + 1));
    } else {
        printf("%.2f\n", ns_per_operation(work_called(argv[1]), atoi(argv[2]), atoi(argv[3]), atoi(argv[4])));
    }
    apivideo_client_free(made);
    return 0;
}
