/*
 * Many callers, no token: herd CALLERS. Each is a thread, and none begins before the last is there.
 *
 * Prints the milliseconds until the last has its token, and the exchanges that were made. The sandbox takes 100 ms for one.
 * What is due to the threads alone is seen with herd CALLERS plain: they wait for a plain condition, which is true after 100 ms.
 */
#include "support.h"

static const apivideo_client *client;
static pthread_barrier_t gate;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int is_there;
static int64_t began; /* When the first was let through. */

static void begin(void) {
    int64_t nobody = 0;
    pthread_barrier_wait(&gate);
    __atomic_compare_exchange_n(&began, &nobody, now_ms(), 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static void *wait_plainly(void *unused) {
    begin();
    pthread_mutex_lock(&lock);
    while (!is_there) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return unused;
}

static void end_plain_wait(void) {
    sleep_ms(100);
    pthread_mutex_lock(&lock);
    is_there = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void *call(void *unused) {
    const apivideo_token *token;
    begin();
    REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    apivideo_token_free(token);
    return unused;
}

int main(int argc, char **argv) {
    int callers = argc >= 2 ? atoi(argv[1]) : 0, plain = argc == 3, i;
    pthread_t *threads = calloc((size_t)callers, sizeof *threads);
    pthread_attr_t small;
    apivideo_client *made = client_with(test_config());
    REQUIRE(callers > 0 && threads != NULL);
    client = made;
    sandbox("/_sandbox/reset", "{}");
    sandbox("/_sandbox/settings", "{\"latency_ms\":100}");
    pthread_barrier_init(&gate, NULL, (unsigned)callers + 1);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 128 * 1024);
    for (i = 0; i < callers; i++) REQUIRE(pthread_create(&threads[i], &small, plain ? wait_plainly : call, NULL) == 0);
    begin();
    if (plain) end_plain_wait();
    for (i = 0; i < callers; i++) pthread_join(threads[i], NULL);
    printf("%ld %ld\n", (long)(now_ms() - began), sandbox_count("api_key", "requests") + sandbox_count("refresh", "requests"));
    free(threads);
    apivideo_client_free(made);
    return 0;
}
