/*
 * Many callers, no token: herd CALLERS. Each is a thread, and none begins before the last is there.
 *
 * Prints the milliseconds until the last has its token, and the exchanges that were made. The sandbox takes 100 ms for one.
 */
#include "support.h"

static const apivideo_client *client;
static pthread_barrier_t gate;

static void *call(void *unused) {
    const apivideo_token *token;
    pthread_barrier_wait(&gate);
    REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    apivideo_token_free(token);
    return unused;
}

int main(int argc, char **argv) {
    int callers = argc == 2 ? atoi(argv[1]) : 0, i;
    pthread_t *threads = calloc((size_t)callers, sizeof *threads);
    pthread_attr_t small;
    apivideo_client *made = client_with(test_config());
    int64_t began;
    REQUIRE(callers > 0 && threads != NULL);
    client = made;
    sandbox("/_sandbox/reset", "{}");
    sandbox("/_sandbox/settings", "{\"latency_ms\":100}");
    pthread_barrier_init(&gate, NULL, (unsigned)callers + 1);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 128 * 1024);
    for (i = 0; i < callers; i++) REQUIRE(pthread_create(&threads[i], &small, call, NULL) == 0);
    pthread_barrier_wait(&gate);
    began = now_ms();
    for (i = 0; i < callers; i++) pthread_join(threads[i], NULL);
    printf("%ld %ld\n", (long)(now_ms() - began), sandbox_count("api_key", "requests") + sandbox_count("refresh", "requests"));
    free(threads);
    apivideo_client_free(made);
    return 0;
}
