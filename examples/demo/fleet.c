/*
 * One token for many processes, live: `make demo-fleet` runs this.
 *
 *     fleet SANDBOX_URL PROCESSES LIFE STRETCH
 *
 * So many processes read the token of one key all the time. It lives for LIFE seconds. For a
 * stretch of so many seconds each is on its own; then they share the token by files; then by Redis,
 * which is killed in the middle and started again, empty. All that a process is told of it is in
 * its environment. A row for each stretch says what came of it.
 */

#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include <apivideo.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loopback_http.h"
#include "redis_server.h"
#include "tools.h"

enum { READ_EVERY_MS = 20, MOST_PROCESSES = 2000, SERVER_MS = 100 };

static const char *base_url;
static int processes, life, stretch;
static struct redis_server redis;

/* What is counted since the fleet started; in a row, since the row began. */
struct counts {
    double at;
    uint64_t exchanges, shared, reads, failed, store_failed;
};
static struct counts row_began;

/* --- The processes --- */

/* In memory that all have in common. A process writes its own slot alone. */
static struct board {
    int stop;
    struct slot {
        uint64_t reads, failed, shared, store_failed, token;
        char why[200]; /* the first read failed */
    } slots[MOST_PROCESSES];
} *board;

/* Tells tokens apart. */
static uint64_t fingerprint(const char *text) {
    uint64_t hash = 14695981039346656037u;
    while (*text != '\0') {
        hash = (hash ^ (unsigned char)*text++) * 1099511628211u;
    }
    return hash;
}

static void read_token(const apivideo_client *client, struct slot *slot) {
    const apivideo_token *token = NULL;
    apivideo_error *error = NULL;
    if (apivideo_get_token(client, &token, &error) == APIVIDEO_STATUS_OK) {
        slot->token = fingerprint(apivideo_token_authorization(token));
    } else if (slot->failed++ == 0) {
        snprintf(slot->why, sizeof slot->why, "%s", apivideo_error_message(error));
    }
    slot->reads++;
    slot->shared = statistic(client, APIVIDEO_STATISTIC_TOKENS_ADOPTED);
    slot->store_failed = statistic(client, APIVIDEO_STATISTIC_STORE_FAILURES);
    apivideo_error_free(error);
    apivideo_token_free(token);
}

/* Until it is told to stop, or whoever started it is gone. */
static void live(struct slot *slot, pid_t parent) {
    apivideo_client *client = NULL;
    apivideo_error *error = NULL;
    redis_forget(&redis);
    if (apivideo_client_new(NULL, NULL, &client, &error) != APIVIDEO_STATUS_OK) {
        slot->failed = 1;
        snprintf(slot->why, sizeof slot->why, "%s", apivideo_error_message(error));
        _exit(1);
    }
    while (!__atomic_load_n(&board->stop, __ATOMIC_ACQUIRE) && getppid() == parent) {
        read_token(client, slot);
        nap(READ_EVERY_MS);
    }
    _exit(0);
}

/* Everything begins anew: the processes, the sandbox and its counters. `store`: what
 * APIVIDEO_STORE says; NULL for nothing. */
static int start_fleet(const char *store) {
    char settings[64];
    pid_t parent = getpid();
    memset(board, 0, sizeof *board);
    if (store != NULL) {
        setenv("APIVIDEO_STORE", store, 1);
    } else {
        unsetenv("APIVIDEO_STORE");
    }
    snprintf(settings, sizeof settings, "{\"expires_in\":%d,\"latency_ms\":%d}", life, SERVER_MS);
    if (!tell_sandbox(base_url, "POST", "/_sandbox/reset", "") || !tell_sandbox(base_url, "POST", "/_sandbox/settings", settings)) {
        return 0;
    }
    row_began = (struct counts){.at = seconds()};
    for (int i = 0; i < processes; i++) {
        pid_t child = fork();
        if (child == 0) {
            live(&board->slots[i], parent);
        }
        if (child < 0) {
            printf("error: the system refused a process\n");
            return 0;
        }
    }
    return 1;
}

static void stop_fleet(void) {
    __atomic_store_n(&board->stop, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < processes; i++) {
        wait(NULL);
    }
}

/* --- The table --- */

static struct counts count(void) {
    struct counts now = {.at = seconds()};
    now.exchanges = sandbox_requests(base_url, "api_key") + sandbox_requests(base_url, "refresh");
    for (int i = 0; i < processes; i++) {
        const struct slot *slot = &board->slots[i];
        now.shared += slot->shared;
        now.reads += slot->reads;
        now.failed += slot->failed;
        now.store_failed += slot->store_failed;
    }
    return now;
}

static struct counts since(const struct counts *began, struct counts now) {
    now.at -= began->at;
    now.exchanges -= began->exchanges;
    now.shared -= began->shared;
    now.reads -= began->reads;
    now.failed -= began->failed;
    now.store_failed -= began->store_failed;
    return now;
}

/* How many different tokens are in use at this moment. */
static int tokens_in_use(void) {
    int different = 0;
    for (int i = 0; i < processes; i++) {
        int is_new = board->slots[i].token != 0;
        for (int j = 0; j < i && is_new; j++) {
            is_new = board->slots[j].token != board->slots[i].token;
        }
        different += is_new;
    }
    return different;
}

static void print_head(void) {
    printf("%-24s %6s %9s %8s %6s %10s %6s\n", "", "time", "exchanges", "shared", "in use", "reads", "failed");
}

static void print_row(const char *label, const struct counts *row) {
    char exchanges[32], shared[32], reads[32];
    printf("%-24s %4.1f s %9s %8s %6d %10s %6" PRIu64, label, row->at, grouped(row->exchanges, exchanges), grouped(row->shared, shared),
           tokens_in_use(), grouped(row->reads, reads), row->failed);
}

/* A row that grows for so long: in place on a terminal, else with a line now and then. It begins
 * where the one before it ended. */
static struct counts watch(const char *label, double duration) {
    int is_terminal = isatty(STDOUT_FILENO);
    double every = is_terminal ? 0.1 : 2, end = row_began.at + duration;
    struct counts now = row_began, row = {0};
    for (double next = row_began.at + every; row.at < duration; next += every) {
        double pause = (next < end ? next : end) - seconds();
        nap(pause > 0 ? (int)(pause * 1000) + 1 : 0);
        now = count();
        row = since(&row_began, now);
        fputs(is_terminal ? "\r" : "", stdout);
        print_row(label, &row);
        fputs(is_terminal && row.at < duration ? "\033[K" : "\n", stdout);
        fflush(stdout);
    }
    row_began = now;
    return row;
}

/* --- What must come of it --- */

/* So often at most is a token due, for one process alone: it is renewed after 70 to 80 % of its
 * life. */
static uint64_t alone(double duration) { return (uint64_t)(duration / (0.7 * life)) + 1; }

static int check(int good, const char *what) {
    if (!good) {
        printf("error: %s\n", what);
    }
    return good;
}

/* No read failed; and if the token is shared, one exchange for all, and one more for each time
 * that the store failed somebody. Twice as many on a machine so busy that whoever makes it for all
 * comes too late, and another takes its place: that is far from one for each process. */
static int check_row(const struct counts *row, int is_shared) {
    int good = check(row->reads > 0 && row->failed == 0, "a read failed");
    for (int i = 0; i < processes && row->failed > 0; i++) {
        if (board->slots[i].failed > 0) {
            return check(0, board->slots[i].why);
        }
    }
    return check(!is_shared || row->exchanges <= 2 * alone(row->at) + row->store_failed, "more exchanges than shared tokens need") && good;
}

static void say_exchanges(const char *before, const struct counts *row) {
    char text[32];
    printf("%s%s", before, grouped(row->exchanges, text));
    if (row->store_failed > 0) {
        printf(" (the store failed a process %s times)", grouped(row->store_failed, text));
    }
}

static void say_reads(uint64_t reads, uint64_t failed) {
    char text[32];
    printf("; %" PRIu64 " of %s reads failed.\n", failed, grouped(reads, text));
}

/* --- The story --- */

struct story {
    struct counts without, file, redis, killed, back, later;
    int has_redis;
};

static int without_store(struct story *story) {
    int good = start_fleet(NULL);
    story->without = watch("Each on its own", stretch);
    stop_fleet();
    return good && check_row(&story->without, 0)
           && check(story->without.exchanges >= (uint64_t)processes, "fewer exchanges than processes, without a store");
}

static int with_file(struct story *story) {
    const char *folder = getenv("TMPDIR");
    char store[300];
    snprintf(store, sizeof store, "file:%s/store", folder != NULL ? folder : "/tmp");
    int good = start_fleet(store);
    story->file = watch("Shared by files", stretch);
    stop_fleet();
    return good && check_row(&story->file, 1);
}

/* While Redis is away, a token falls due. When it is back, each has a token of its own, and for
 * the life of that may go on with it. */
static int with_redis(struct story *story) {
    char store[64];
    snprintf(store, sizeof store, "redis://127.0.0.1:%d", redis.port);
    int good = check(redis_start(&redis), "Redis does not start") && start_fleet(store);
    story->redis = watch("Shared by Redis", stretch);
    good = check_row(&story->redis, 1) && good;
    redis_kill(&redis);
    story->killed = watch("... which is killed", 1.25 * life);
    good = check_row(&story->killed, 0) && good;
    good = check(redis_start(&redis), "Redis does not start again") && good;
    story->back = watch("... is back, and empty", life);
    good = check_row(&story->back, 0) && good;
    story->later = watch("... a token's life later", stretch);
    stop_fleet();
    redis_kill(&redis);
    return check_row(&story->later, 1) && good;
}

static void conclude(const struct story *story) {
    const struct counts *r = &story->redis, *k = &story->killed, *b = &story->back, *l = &story->later;
    printf("\nEach on its own, %d processes made", processes);
    say_exchanges(" ", &story->without);
    printf(" exchanges in %d s", stretch);
    say_reads(story->without.reads, story->without.failed);
    say_exchanges("With files they made ", &story->file);
    printf(", where one process alone makes %" PRIu64 " at most", alone(story->file.at));
    say_reads(story->file.reads, story->file.failed);
    if (story->has_redis) {
        say_exchanges("With Redis they made ", r);
        say_exchanges(", while that was away each its own again, ", k);
        say_exchanges(", and once all had met again ", l);
        say_reads(r->reads + k->reads + b->reads + l->reads, r->failed + k->failed + b->failed + l->failed);
    }
}

static int tell(void) {
    struct story story = {.has_redis = redis_find(&redis)};
    printf("%d processes read the token of one key. It lives for %d s, and the server takes %d ms for one.\n"
           "Exchanges are those that the server saw; shared: tokens that a process got from another; in use: how many tokens.\n",
           processes, life, SERVER_MS);
    if (!story.has_redis) {
        puts("Redis is left out: neither redis-server nor valkey-server is installed.");
    }
    putchar('\n');
    print_head();
    int good = without_store(&story);
    good = with_file(&story) && good;
    if (story.has_redis) {
        good = with_redis(&story) && good;
    }
    conclude(&story);
    return good;
}

int main(int argc, char **argv) {
    if (argc == 5) {
        base_url = argv[1];
        processes = atoi(argv[2]);
        life = atoi(argv[3]);
        stretch = atoi(argv[4]);
    }
    if (processes < 1 || processes > MOST_PROCESSES || life < 2 || stretch < 1) {
        fprintf(stderr, "Usage: fleet SANDBOX_URL PROCESSES LIFE STRETCH\n1 to %d processes, tokens of 2 s or more\n", MOST_PROCESSES);
        return 2;
    }
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    setenv("APIVIDEO_API_KEY", "sandbox-key", 1);
    setenv("APIVIDEO_BASE_URL", base_url, 1);
    return !tell();
}
