/*
 * Processes of one key, with the store that APIVIDEO_STORE names, or none, and what that costs. The
 * sandbox is set by whoever runs this.
 *
 *   fleet cold COUNT               So many processes without a token want one at the same moment.
 *                                  Prints the milliseconds until the last has it, and how many
 *                                  exchanges were made.
 *   fleet rejected COUNT           So many have the same token, and say at the same moment that the
 *                                  API rejected it. Prints the same.
 *   fleet renewals COUNT SECONDS   So many read all the time. Prints the exchanges; those for each
 *                                  token that a process used; the store's failures; and the reads
 *                                  that failed.
 *   fleet next                     This process wants a token. Prints the microseconds that it
 *                                  takes after apivideo_client_new().
 */
#include "support.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_EVERY_MS = 50 };

static struct shared {
    int ready, over;
    int64_t last; /* when the last had its token */
    int64_t used, store_failed, failed;
} *shared;

static int gate[2];
static int seconds;

static int64_t us_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static const apivideo_token *token_of(const apivideo_client *client) {
    const apivideo_token *token;
    REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    return token;
}

static void raise_to(int64_t *most, int64_t value) {
    int64_t was = __atomic_load_n(most, __ATOMIC_RELAXED);
    while (was < value && !__atomic_compare_exchange_n(most, &was, value, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

/* --- What a process does --- */

/* Until all are there and the gate opens. */
static void wait_for_all(void) {
    char byte;
    __atomic_fetch_add(&shared->ready, 1, __ATOMIC_RELAXED);
    REQUIRE(read(gate[0], &byte, 1) == 0);
}

static void get_cold(apivideo_client *client) {
    wait_for_all();
    apivideo_token_free(token_of(client));
    raise_to(&shared->last, us_now());
}

static void reject(apivideo_client *client) {
    const apivideo_token *rejected = token_of(client);
    wait_for_all();
    REQUIRE(apivideo_invalidate_token(client, rejected, NULL) == APIVIDEO_STATUS_OK);
    apivideo_token_free(token_of(client));
    raise_to(&shared->last, us_now());
    apivideo_token_free(rejected);
}

static void read_on(apivideo_client *client) {
    wait_for_all();
    while (!__atomic_load_n(&shared->over, __ATOMIC_RELAXED)) {
        const apivideo_token *token;
        if (apivideo_get_token(client, &token, NULL) != APIVIDEO_STATUS_OK) __atomic_fetch_add(&shared->failed, 1, __ATOMIC_RELAXED);
        apivideo_token_free(token);
        sleep_ms(READ_EVERY_MS);
    }
    raise_to(&shared->used, (int64_t)(client_count(client, APIVIDEO_STATISTIC_TOKENS_GRANTED)
                                      + client_count(client, APIVIDEO_STATISTIC_TOKENS_ADOPTED)));
    __atomic_fetch_add(&shared->store_failed, (int64_t)client_count(client, APIVIDEO_STATISTIC_STORE_FAILURES), __ATOMIC_RELAXED);
}

static void next(void) {
    apivideo_client *client = test_client();
    int64_t began = us_now();
    apivideo_token_free(token_of(client));
    printf("%ld\n", (long)(us_now() - began));
    apivideo_client_free(client);
}

/* --- All of them --- */

static long exchanges(void) { return sandbox_count("api_key", "requests") + sandbox_count("refresh", "requests"); }

static void start(int count, void (*act)(apivideo_client *)) {
    int64_t until = now_ms() + 60000;
    int i;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(shared != MAP_FAILED && pipe(gate) == 0);
    for (i = 0; i < count; i++) {
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            close(gate[1]);
            act(test_client());
            _exit(0);
        }
    }
    while (__atomic_load_n(&shared->ready, __ATOMIC_RELAXED) < count) {
        REQUIRE(now_ms() < until);
        sleep_ms(1);
    }
}

static void end(int count) {
    int status;
    while (count-- > 0) REQUIRE(wait(&status) > 0 && status == 0);
}

static void at_once(int count, void (*act)(apivideo_client *)) {
    long before;
    int64_t began;
    start(count, act);
    before = exchanges();
    began = us_now();
    close(gate[1]);
    end(count);
    printf("%.3f %ld\n", (double)(shared->last - began) * 1e-3, exchanges() - before);
}

/* Exchanges that have just been made are still on their way to the others. */
static long settled(void) {
    long was = -1, now = exchanges();
    int i;
    for (i = 0; i < 5 && now != was; i++) {
        sleep_ms(1000);
        was = now;
        now = exchanges();
    }
    return now;
}

static void renewals(int count) {
    long before, made, in_all;
    start(count, read_on);
    before = exchanges();
    close(gate[1]);
    sleep_ms(1000 * seconds);
    made = exchanges() - before;
    in_all = settled() - before;
    shared->over = 1;
    end(count);
    printf("%ld %.3f %ld %ld\n", made, (double)in_all / (double)shared->used, (long)shared->store_failed, (long)shared->failed);
}

int main(int argc, char **argv) {
    const char *work = argc >= 2 ? argv[1] : "";
    int count = argc >= 3 ? atoi(argv[2]) : 1;
    seconds = argc >= 4 ? atoi(argv[3]) : 0;
    if (strcmp(work, "cold") == 0) at_once(count, get_cold);
    else if (strcmp(work, "rejected") == 0) at_once(count, reject);
    else if (strcmp(work, "renewals") == 0) renewals(count);
    else if (strcmp(work, "next") == 0) next();
    else return 2;
    return 0;
}
