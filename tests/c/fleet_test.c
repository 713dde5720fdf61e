/*
 * A fleet: many real processes on one key. How many exchanges they make, and how long each waits.
 *
 * APIVIDEO_TEST_PROCESSES is how many they are: 200, and 1,000 in `make prove`. The store is a
 * directory, and if APIVIDEO_TEST_REDIS names one, a Redis too.
 */
#include "support.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 1000, LATENCY_MS = 200, RENEWALS = 10 };

static char directory[] = "/tmp/apivideo-fleet-test-XXXXXX";
static const char *redis;  /* Its URL, or NULL for files. */
static int count;          /* Of the processes. */
static int life_s;         /* Of a token, where it is renewed: the shorter, the less time there is for the store. */

/* What a process tells, in memory that all share. */
typedef struct {
    pid_t pid;
    int status;
    int64_t us;      /* Until it had its token. */
    long tokens;     /* How many different ones it saw. */
    long adopted, store_failures, failed_reads;
    uint64_t mark;   /* Of its last token. */
} process;

static process *fleet;

static uint64_t mark_of(const apivideo_token *token) {
    uint64_t mark = 14695981039346656037u;
    const char *at = apivideo_token_access_token(token);
    for (; *at != '\0'; at++) mark = (mark ^ (unsigned char)*at) * 1099511628211u;
    return mark;
}

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static apivideo_client *sharing(void) {
    apivideo_config *config = test_config();
    apivideo_client *client;
    apivideo_store *store = NULL;
    REQUIRE((redis == NULL ? apivideo_store_new_file(directory, &store, NULL)
                           : apivideo_store_new_redis(redis, NULL, &store, NULL)) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_config_set_store(config, store, NULL) == APIVIDEO_STATUS_OK);
    client = client_with(config);
    apivideo_store_free(store);
    return client;
}

/* Gets a token, and notes whether it is another than before. */
static void get(process *me, apivideo_client *client) {
    const apivideo_token *token = NULL;
    me->status = apivideo_get_token(client, &token, NULL);
    if (me->status != APIVIDEO_STATUS_OK) {
        me->failed_reads++;
        return;
    }
    if (mark_of(token) != me->mark) me->tokens++;
    me->mark = mark_of(token);
    apivideo_token_free(token);
}

static void tell(process *me, apivideo_client *client) {
    me->adopted = client_count(client, APIVIDEO_STATISTIC_TOKENS_ADOPTED);
    me->store_failures = client_count(client, APIVIDEO_STATISTIC_STORE_FAILURES);
}

/* Starts so many processes, which do this with a client of their own once all are there. */
static void start(int from, int to, void (*work)(process *, apivideo_client *)) {
    int ready[2], go[2], i;
    char byte;
    memset(fleet + from, 0, (size_t)(to - from) * sizeof *fleet);
    REQUIRE(pipe(ready) == 0 && pipe(go) == 0);
    for (i = from; i < to; i++) {
        pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            apivideo_client *client = sharing();
            close(go[1]);
            REQUIRE(write(ready[1], "x", 1) == 1 && read(go[0], &byte, 1) == 0);
            work(&fleet[i], client);
            tell(&fleet[i], client);
            _exit(0);
        }
        fleet[i].pid = pid;
    }
    for (i = from; i < to; i++) REQUIRE(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    close(ready[1]);
    close(go[0]);
    close(go[1]);
}

static void await_end(int from, int to) {
    int i, status = -1;
    for (i = from; i < to; i++) REQUIRE(waitpid(fleet[i].pid, &status, 0) == fleet[i].pid && status == 0);
}

static int64_t slowest_ms(int from, int to) {
    int64_t most = 0;
    int i;
    for (i = from; i < to; i++)
        if (fleet[i].us > most) most = fleet[i].us;
    return most / 1000;
}

/* Whether all had a token, and in the end the same one. */
static int agree(int from, int to) {
    int i;
    for (i = from; i < to; i++)
        if (fleet[i].status != APIVIDEO_STATUS_OK || fleet[i].failed_reads != 0 || fleet[i].mark != fleet[from].mark)
            return 0;
    return 1;
}

static long sum_of_failures(int from, int to) {
    long sum = 0;
    int i;
    for (i = from; i < to; i++) sum += fleet[i].store_failures;
    return sum;
}

static void latency(int ms) {
    char settings[64];
    snprintf(settings, sizeof settings, "{\"latency_ms\": %d}", ms);
    sandbox("/_sandbox/settings", settings);
}

static void first_token(process *me, apivideo_client *client) {
    int64_t begun = now_us();
    get(me, client);
    me->us = now_us() - begun;
}

static void cold_processes_make_one_exchange(void) {
    latency(LATENCY_MS);
    start(0, count, first_token);
    await_end(0, count);
    printf("     %d cold processes: %ld exchange, the last served after %" PRId64 " ms (the server takes %d), %ld store failures\n",
           count, sandbox_count("api_key", "requests"), slowest_ms(0, count), LATENCY_MS, sum_of_failures(0, count));
    CHECK(sandbox_count("api_key", "requests") == 1);
    CHECK(agree(0, count));
    CHECK(slowest_ms(0, count) < 5000); /* The figure is above: this machine may be busy. */
}

static int by_time(const void *a, const void *b) {
    int64_t difference = ((const process *)a)->us - ((const process *)b)->us;
    return difference < 0 ? -1 : difference > 0;
}

static void a_short_lived_process_finds_its_token(void) {
    enum { RUNS = 100 };
    int i;
    start(0, 1, first_token);
    await_end(0, 1);
    for (i = 1; i <= RUNS; i++) {
        start(i, i + 1, first_token);
        await_end(i, i + 1);
    }
    CHECK(sandbox_count("api_key", "requests") == 1);
    CHECK(agree(0, RUNS + 1));
    qsort(fleet + 1, RUNS, sizeof *fleet, by_time);
    printf("     a short-lived process: its token after %" PRId64 " us in the median, %" PRId64 " us at the 90th of 100\n",
           fleet[1 + RUNS / 2].us, fleet[1 + RUNS * 9 / 10].us);
    CHECK(fleet[1 + RUNS / 2].us < 100000);
}

/* --- The one who gets it for all is gone --- */

static void hold(int signal) {
    int64_t begun;
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"delay\", \"ms\": 6000}}");
    start(0, 1, first_token);
    await_request("api_key");
    start(1, 20, first_token);
    sleep_ms(300);
    CHECK(sandbox_count("api_key", "requests") == 1); /* They wait. */
    begun = now_ms();
    REQUIRE(kill(fleet[0].pid, signal) == 0);
    await_end(1, 20);
    printf("     signal %d for who gets the token: 19 others have one %" PRId64 " ms later, %ld exchanges in all\n", signal,
           now_ms() - begun, sandbox_count("api_key", "requests"));
    CHECK(sandbox_count("api_key", "requests") == 2);
    CHECK(agree(1, 20));
    /* Files tell that a process has ended; else the lease of 5 s does. */
    CHECK(now_ms() - begun < (signal == SIGKILL && redis == NULL ? 2000 : 8000));
}

static void one_that_is_killed_is_followed(void) {
    hold(SIGKILL);
    REQUIRE(waitpid(fleet[0].pid, NULL, 0) == fleet[0].pid);
}

static void one_that_is_stopped_is_followed_and_displaces_nothing(void) {
    hold(SIGSTOP);
    REQUIRE(kill(fleet[0].pid, SIGCONT) == 0);
    await_end(0, 1);
    start(20, 21, first_token);
    await_end(20, 21);
    CHECK(fleet[20].mark == fleet[1].mark); /* And not the one that came late. */
    CHECK(sandbox_count("api_key", "requests") == 2);
}

static void fork_and_get(process *me, apivideo_client *client) {
    apivideo_operation *operation = NULL;
    const apivideo_token *token = NULL;
    int status = -1;
    pid_t child;
    REQUIRE(apivideo_get_token_start(client, 0, &operation, NULL) == APIVIDEO_STATUS_OK);
    sleep_ms(LATENCY_MS / 2);
    child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        process mine;
        memset(&mine, 0, sizeof mine);
        get(&mine, client);
        _exit(mine.status == APIVIDEO_STATUS_OK ? 0 : 1);
    }
    REQUIRE(waitpid(child, &status, 0) == child && status == 0);
    REQUIRE(apivideo_operation_wait(operation, 5000, &token, NULL) == APIVIDEO_STATUS_OK);
    apivideo_token_free(token);
    apivideo_operation_free(operation);
    get(me, client);
}

static void processes_that_fork_in_mid_exchange_make_one(void) {
    latency(LATENCY_MS);
    start(0, 20, fork_and_get);
    await_end(0, 20);
    CHECK(agree(0, 20));
    CHECK(sandbox_count("api_key", "requests") == 1);
}

/* --- Later on --- */

/* Reads all the time, until a lone process would have renewed so many times. */
static void read_for_lives(process *me, apivideo_client *client) {
    int64_t until = now_ms() + (int64_t)life_s * 1000 * 3 / 4 * RENEWALS + life_s * 500;
    while (now_ms() < until) {
        get(me, client);
        sleep_ms(count / 10); /* Together they are 10,000 reads a second. */
    }
}

static void renewals_are_shared(void) {
    char settings[64];
    long exchanges, tokens, failures;
    snprintf(settings, sizeof settings, "{\"expires_in\": %d}", life_s);
    sandbox("/_sandbox/settings", settings);
    start(0, count, read_for_lives);
    await_end(0, count);
    exchanges = sandbox_count("api_key", "requests");
    tokens = fleet[0].tokens;
    failures = sum_of_failures(0, count);
    printf("     %d processes, lives of %d s: %ld exchanges for the %ld tokens of one process, %ld store failures\n", count, life_s,
           exchanges, tokens, failures);
    CHECK(tokens >= RENEWALS);
    CHECK(exchanges * 100 <= tokens * 105 + failures * 100);
    CHECK(agree(0, count));
}

/* All of them report the one 401. */
static void get_report_and_get(process *me, apivideo_client *client) {
    const apivideo_token *token = NULL;
    REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    sleep_ms(2000);
    REQUIRE(apivideo_invalidate_token(client, token, NULL) == APIVIDEO_STATUS_OK);
    apivideo_token_free(token);
    get(me, client);
}

static void reports_of_one_401_make_one_exchange(void) {
    start(0, count, get_report_and_get);
    await_end(0, count);
    printf("     %d reports of one 401: %ld exchange\n", count, sandbox_count("api_key", "requests") - 1);
    CHECK(sandbox_count("api_key", "requests") == 2);
    CHECK(agree(0, count));
}

/* Each test begins with an empty store. */
static void empty(void) {
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s/*", directory);
    if (redis != NULL) snprintf(command, sizeof command, "redis-cli -u %s FLUSHALL >/dev/null", redis);
    REQUIRE(system(command) == 0);
}

#define RUN_EMPTY(test) \
    do {                \
        empty();        \
        RUN(test);      \
        fflush(stdout); \
    } while (0)

static void run_all(void) {
    RUN_EMPTY(cold_processes_make_one_exchange);
    RUN_EMPTY(a_short_lived_process_finds_its_token);
    RUN_EMPTY(one_that_is_killed_is_followed);
    RUN_EMPTY(one_that_is_stopped_is_followed_and_displaces_nothing);
    RUN_EMPTY(processes_that_fork_in_mid_exchange_make_one);
    RUN_EMPTY(renewals_are_shared);
    RUN_EMPTY(reports_of_one_401_make_one_exchange);
}

int main(void) {
    const char *processes = getenv("APIVIDEO_TEST_PROCESSES");
    count = processes == NULL ? 200 : atoi(processes);
    REQUIRE(count > 1 && count <= MOST);
    fleet = (process *)mmap(NULL, MOST * sizeof *fleet, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(fleet != MAP_FAILED && mkdtemp(directory) != NULL);
    life_s = count <= 200 ? 2 : 10;
    puts("     by files");
    run_all();
    empty();
    redis = getenv("APIVIDEO_TEST_REDIS");
    if (redis != NULL) {
        life_s = count <= 200 ? 4 : 10;
        puts("     by Redis");
        run_all();
        redis = NULL;
    }
    CHECK(rmdir(directory) == 0);
    return report();
}
