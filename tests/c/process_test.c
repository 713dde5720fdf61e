/* Processes: fork, exit, signals, limits, dlopen. Each danger is met in a child process, whose end is what is checked. */
#include "time_travel.h"

#include "support.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef FORKS
#define FORKS 1000
#endif

/* How a child ended: its exit status, or minus the signal that killed it. A child that hangs is killed after 20 s. */
static int end_of(pid_t child) {
    int status = 0;
    int64_t start = now_ms();
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (now_ms() - start > 20000) kill(child, SIGKILL);
        sleep_ms(1);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Runs `body` in a child made with fork(). */
static int in_child(int (*body)(void)) {
    pid_t child;
    fflush(NULL);
    child = fork();
    if (child == 0) _exit(body());
    return end_of(child);
}

static apivideo_client *client;
static volatile int stop;

static void *read_until_stopped(void *unused) {
    (void)unused;
    while (!stop) {
        const apivideo_token *token = NULL;
        apivideo_status status = apivideo_get_token(client, &token, NULL);
        apivideo_token_free(token);
        if (status != APIVIDEO_STATUS_OK) return (void *)(intptr_t)status;
    }
    return NULL;
}

static void *refresh_until_stopped(void *unused) {
    (void)unused;
    while (!stop) {
        const apivideo_token *token = NULL;
        /* A child's renewal takes this process's refresh token away: that is routine. */
        if (apivideo_refresh(client, &token, NULL) != APIVIDEO_STATUS_OK)
            (void)apivideo_authenticate(client, &token, NULL);
        apivideo_token_free(token);
    }
    return NULL;
}

/* In the child: the token is readable, and after its end a new one comes, without the parent's refresh token. */
static int use_client_after_fork(void) {
    const apivideo_token *token = NULL;
    if (apivideo_get_token(client, &token, NULL) != APIVIDEO_STATUS_OK) return 1;
    apivideo_token_free(token);
    apivideo_client_free(client);
    return 0;
}

static int renew_after_fork(void) {
    const apivideo_token *token = NULL;
    travel_s(7200);
    if (apivideo_get_token(client, &token, NULL) != APIVIDEO_STATUS_OK) return 1;
    if (apivideo_token_expires_in_ms(token) < 3000000) return 2;
    if (client_count(client, APIVIDEO_STATISTIC_REFRESH_REQUESTS) != 0) return 3;
    if (client_count(client, APIVIDEO_STATISTIC_AUTHENTICATE_REQUESTS) != 1) return 4;
    apivideo_token_free(token);
    apivideo_client_free(client);
    return 0;
}

static void forks_in_the_middle_of_renewals(void) {
    enum { READERS = 8 };
    pthread_t readers[READERS], renewer;
    void *result;
    int i, failed = 0;
    client = test_client();
    free(access_token_of(client));
    stop = 0;
    for (i = 0; i < READERS; i++)
        REQUIRE(pthread_create(&readers[i], NULL, read_until_stopped, NULL) == 0);
    REQUIRE(pthread_create(&renewer, NULL, refresh_until_stopped, NULL) == 0);
    for (i = 0; i < FORKS; i++) {
        int end = in_child(i % 50 == 0 ? renew_after_fork : use_client_after_fork);
        if (end != 0 && failed++ < 3) fprintf(stderr, "child %d ended with %d\n", i, end);
    }
    stop = 1;
    for (i = 0; i < READERS; i++) {
        pthread_join(readers[i], &result);
        CHECK(result == NULL);
    }
    pthread_join(renewer, NULL);
    CHECK(failed == 0);
    CHECK(sandbox_count("refresh", "requests") > 0);
    CHECK(sandbox_count("refresh", "replayed") == 0);
    apivideo_client_free(client);
}

static const apivideo_token *rejected;
static pthread_barrier_t step;

enum { WAITS = 16 };

/* Waits a little for answers that do not come: each wait parks the thread and wakes it again. */
static int wait_in_slices(void) {
    apivideo_operation *operations[WAITS] = {NULL};
    int i, failed = 0;
    for (i = 0; i < WAITS; i++) {
        const apivideo_token *token = NULL;
        failed |= apivideo_get_token_start(client, 0, &operations[i], NULL) != APIVIDEO_STATUS_OK;
        failed |= apivideo_operation_wait(operations[i], 1, &token, NULL) != APIVIDEO_STATUS_PENDING;
    }
    for (i = 0; i < WAITS; i++) apivideo_operation_free(operations[i]);
    return failed;
}

static void *wait_until_stopped(void *unused) {
    (void)unused;
    while (!stop) CHECK(wait_in_slices() == 0);
    return NULL;
}

/* Locks that park their waiters in a table of the process, as parking_lot's do, leave a child with a
 * table that another thread was changing: here one child in a few hangs with them. */
static void a_child_can_wait_though_its_parents_threads_were_waiting(void) {
    enum { THREADS = 8, CHILDREN = 100 };
    pthread_t threads[THREADS];
    int i, failed = 0;
    sandbox_fault("{\"on\": \"api-key\", \"times\": 0, \"fault\": {\"kind\": \"hang\"}}");
    client = test_client();
    stop = 0;
    for (i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, wait_until_stopped, NULL) == 0);
    for (i = 0; i < CHILDREN; i++) failed += in_child(wait_in_slices) != 0;
    stop = 1;
    for (i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    CHECK(failed == 0);
    apivideo_client_free(client);
}

static void *withdraw_and_look(void *unused) {
    const apivideo_token *token = NULL;
    intptr_t wrong = 0;
    (void)unused;
    pthread_barrier_wait(&step);
    if (apivideo_invalidate_token(client, rejected, NULL) != APIVIDEO_STATUS_OK) wrong = 1;
    pthread_barrier_wait(&step);
    if (apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK &&
        apivideo_token_id(token) == apivideo_token_id(rejected))
        wrong = 1;
    apivideo_token_free(token);
    return (void *)wrong;
}

/* The first calls in a child, by several threads at once. */
static int withdraw_by_all_threads(void) {
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    void *wrong;
    int i, failed = 0;
    pthread_barrier_init(&step, NULL, THREADS);
    for (i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, withdraw_and_look, NULL) != 0) return 2;
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &wrong);
        if (wrong != NULL) failed = 1;
    }
    return failed;
}

static void a_childs_threads_withdraw_a_token_for_good(void) {
    int i, failed = 0;
    client = test_client();
    REQUIRE(apivideo_get_token(client, &rejected, NULL) == APIVIDEO_STATUS_OK);
    for (i = 0; i < FORKS; i++) failed += in_child(withdraw_by_all_threads) != 0;
    CHECK(failed == 0);
    apivideo_token_free(rejected);
    apivideo_client_free(client);
}

static apivideo_operation *operation;

static int look_at_parents_operation(void) {
    const apivideo_token *token = NULL;
    apivideo_operation *own = NULL;
    sandbox_clear_faults();
    if (apivideo_get_token_start(client, 0, &own, NULL) != APIVIDEO_STATUS_OK) return 1;
    if (apivideo_operation_wait(operation, UINT32_MAX, &token, NULL) != APIVIDEO_STATUS_CANCELLED) return 2;
    apivideo_operation_cancel(operation);
    apivideo_operation_free(operation);
    /* The child's own is another, and goes on. */
    if (apivideo_operation_wait(own, UINT32_MAX, &token, NULL) != APIVIDEO_STATUS_OK) return 3;
    apivideo_token_free(token);
    apivideo_operation_free(own);
    return 0;
}

static void a_parents_operation_is_cancelled_in_the_child(void) {
    client = test_client();
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"hang\"}}");
    REQUIRE(apivideo_get_token_start(client, 0, &operation, NULL) == APIVIDEO_STATUS_OK);
    await_request("api_key");
    CHECK(in_child(look_at_parents_operation) == 0);
    apivideo_operation_free(operation);
    apivideo_client_free(client);
}

static int exit_while_an_exchange_hangs(void) {
    apivideo_config *config = test_config();
    apivideo_operation *pending = NULL;
    apivideo_config_set_attempt_timeout_ms(config, 60000, NULL);
    client = client_with(config);
    if (apivideo_get_token_start(client, 0, &pending, NULL) != APIVIDEO_STATUS_OK) return 1;
    await_request("api_key");
    exit(0); /* With its atexit handlers, unlike _exit(). */
}

static void exit_is_not_delayed_by_a_hung_exchange(void) {
    int64_t start;
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"hang\"}}");
    start = now_ms();
    CHECK(in_child(exit_while_an_exchange_hangs) == 0);
    CHECK(now_ms() - start < 5000);
}

/* The server goes away while requests are sent to it; writing to its socket must not kill the program. */
static int lose_connections_with_sigpipe_at_its_default(void) {
    int i;
    signal(SIGPIPE, SIG_DFL);
    client = test_client();
    for (i = 0; i < 50; i++) {
        const apivideo_token *token = NULL;
        if (apivideo_authenticate(client, &token, NULL) == APIVIDEO_STATUS_OK) return 1;
    }
    return 0;
}

static void a_lost_connection_raises_no_sigpipe(void) {
    sandbox_fault("{\"on\": \"any\", \"times\": 0, \"fault\": {\"kind\": \"close\"}}");
    CHECK(in_child(lose_connections_with_sigpipe_at_its_default) == 0);
}

/* No thread can be started; not as root, whom the limit does not bind. */
static int use_client_without_threads(void) {
    struct rlimit none;
    apivideo_config *config = test_config();
    apivideo_operation *pending = NULL;
    apivideo_error *error = NULL;
    const apivideo_token *token = NULL;
    char *first;
    pthread_t thread;
    none.rlim_cur = none.rlim_max = 0;
    if (setrlimit(RLIMIT_NPROC, &none) != 0) return 1;
    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 2;
    if (pthread_create(&thread, NULL, read_until_stopped, NULL) != EAGAIN) return 3;
    apivideo_config_set_keep_fresh(config, 1, NULL);
    client = client_with(config);
    /* Without a thread nobody could bring the answer: a status at once. */
    if (apivideo_get_token_start(client, 0, &pending, NULL) != APIVIDEO_STATUS_OK) return 4;
    if (apivideo_operation_wait(pending, UINT32_MAX, &token, &error) != APIVIDEO_STATUS_SYSTEM_ERROR) return 5;
    if (!apivideo_error_is_retryable(error)) return 6;
    apivideo_error_free(error);
    apivideo_operation_free(pending);
    /* A caller that waits does the work itself. */
    first = access_token_of(client);
    /* So does the caller that finds the token expired. */
    travel_s(7200);
    if (apivideo_get_token(client, &token, NULL) != APIVIDEO_STATUS_OK) return 7;
    if (strcmp(first, apivideo_token_access_token(token)) == 0) return 8;
    apivideo_token_free(token);
    /* A due token is served all the same. */
    travel_s(3000);
    if (apivideo_get_token(client, &token, NULL) != APIVIDEO_STATUS_OK) return 9;
    apivideo_token_free(token);
    apivideo_client_free(client);
    free(first);
    return 0;
}

static int wait_without_threads(void) {
    apivideo_config *config = test_config();
    const apivideo_token *token = NULL;
    int64_t start;
    struct rlimit none;
    none.rlim_cur = none.rlim_max = 0;
    if (setrlimit(RLIMIT_NPROC, &none) != 0) return 1;
    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 2;
    apivideo_config_set_attempt_timeout_ms(config, 30000, NULL);
    apivideo_config_set_wait_timeout_ms(config, 300, NULL);
    client = client_with(config);
    start = now_ms();
    if (apivideo_get_token(client, &token, NULL) != APIVIDEO_STATUS_TIMEOUT) return 3;
    if (now_ms() - start > 5000) return 4;
    apivideo_client_free(client);
    return 0;
}

static void without_threads_a_wait_has_its_end_too(void) {
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"hang\"}}");
    CHECK(in_child(wait_without_threads) == 0);
}

/* How many threads this process has. */
static int count_threads(void) {
    char line[256];
    int threads = -1;
    FILE *status = fopen("/proc/self/status", "r");
    REQUIRE(status != NULL);
    while (fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "Threads:", 8) == 0) threads = atoi(line + 8);
    fclose(status);
    return threads;
}

static int use_every_thread_and_wait_for_its_end(void) {
    apivideo_config *config = test_config();
    apivideo_client *plain = test_client();
    int64_t start = now_ms();
    apivideo_config_set_keep_fresh(config, 1, NULL);
    client = client_with(config);
    free(access_token_of(client));
    free(access_token_of(plain));
    while (count_threads() != 2) /* This one and the timer. */
        if (now_ms() - start > 10000) return 1;
    apivideo_client_free(client);
    while (count_threads() != 1) /* The plain client, which goes on living, has none. */
        if (now_ms() - start > 10000) return 2;
    apivideo_client_free(plain);
    return 0;
}

static void no_thread_is_idle(void) { CHECK(in_child(use_every_thread_and_wait_for_its_end) == 0); }

static int keep_fresh_in_a_child(void) {
    int64_t start = now_ms();
    free(access_token_of(client)); /* Reads what the parent has: it is far from due. */
    while (count_threads() != 2) {
        free(access_token_of(client)); /* The first may have come within the tick of the parent's. */
        if (now_ms() - start > 10000) return 1;
    }
    apivideo_client_free(client);
    return 0;
}

static void a_child_goes_on_keeping_fresh(void) {
    apivideo_config *config = test_config();
    apivideo_config_set_keep_fresh(config, 1, NULL);
    client = client_with(config);
    free(access_token_of(client));
    CHECK(in_child(keep_fresh_in_a_child) == 0);
    apivideo_client_free(client);
}

static void without_threads_the_caller_does_the_work(void) {
    CHECK(in_child(use_client_without_threads) == 0);
}

static int use_client_without_file_descriptors(void) {
    struct rlimit few;
    const apivideo_token *token = NULL;
    apivideo_status status;
    client = test_client();
    few.rlim_cur = 3;
    few.rlim_max = 256;
    if (setrlimit(RLIMIT_NOFILE, &few) != 0) return 1;
    status = apivideo_get_token(client, &token, NULL);
    if (status != APIVIDEO_STATUS_SYSTEM_ERROR) return 10 + status;
    few.rlim_cur = 256;
    if (setrlimit(RLIMIT_NOFILE, &few) != 0) return 2;
    status = apivideo_authenticate(client, &token, NULL);
    if (status != APIVIDEO_STATUS_OK) return 30 + status;
    apivideo_token_free(token);
    apivideo_client_free(client);
    return 0;
}

static void without_file_descriptors_there_is_a_status(void) {
    CHECK(in_child(use_client_without_file_descriptors) == 0);
}

/* From here on any system call of this thread but exit kills the process. */
static void forbid_system_calls(void) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program;
    program.len = sizeof rules / sizeof *rules;
    program.filter = rules;
    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void *read_without_system_calls(void *unused) {
    int i;
    const apivideo_token *token = NULL;
    (void)unused;
    apivideo_get_token(client, &token, NULL); /* The thread's first read. */
    apivideo_token_free(token);
    forbid_system_calls();
    for (i = 0; i < 100000; i++) {
        if (apivideo_get_token(client, &token, NULL) != APIVIDEO_STATUS_OK) break;
        apivideo_token_free(token);
    }
    stop = i;
    syscall(SYS_exit, 0); /* The one way out. */
    return NULL;
}

static int read_while_a_renewal_hangs(void) {
    pthread_t thread;
    int64_t start = now_ms();
    apivideo_config *config = test_config();
    apivideo_config_set_attempt_timeout_ms(config, 30000, NULL);
    client = client_with(config);
    free(access_token_of(client));
    travel_s(50 * 60);
    free(access_token_of(client)); /* Starts the renewal. */
    while (client_count(client, APIVIDEO_STATISTIC_EXCHANGES_IN_FLIGHT) == 0 ||
           client_count(client, APIVIDEO_STATISTIC_REFRESH_REQUESTS) == 0)
        if (now_ms() - start > 10000) return 1;
    stop = 0;
    if (pthread_create(&thread, NULL, read_without_system_calls, NULL) != 0) return 2;
    pthread_join(thread, NULL);
    if (stop != 100000) return 3;
    if (client_count(client, APIVIDEO_STATISTIC_EXCHANGES_IN_FLIGHT) != 1) return 4;
    return 0;
}

static void a_read_makes_no_system_call_while_a_renewal_hangs(void) {
    sandbox_fault("{\"on\": \"refresh\", \"times\": 0, \"fault\": {\"kind\": \"hang\"}}");
    CHECK(in_child(read_while_a_renewal_hangs) == 0);
}

int main(void) {
    RUN(forks_in_the_middle_of_renewals);
    RUN(a_child_can_wait_though_its_parents_threads_were_waiting);
    RUN(a_childs_threads_withdraw_a_token_for_good);
    RUN(a_parents_operation_is_cancelled_in_the_child);
    RUN(exit_is_not_delayed_by_a_hung_exchange);
    RUN(a_lost_connection_raises_no_sigpipe);
    RUN(without_threads_the_caller_does_the_work);
    RUN(without_threads_a_wait_has_its_end_too);
    RUN(no_thread_is_idle);
    RUN(a_child_goes_on_keeping_fresh);
    RUN(without_file_descriptors_there_is_a_status);
    RUN(a_read_makes_no_system_call_while_a_renewal_hangs);
    return report();
}
