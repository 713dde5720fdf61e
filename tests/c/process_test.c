/* Processes: fork, exit, signals, limits, dlopen. Each danger is met in a child process, whose end is what is checked. */
#include "time_travel.h"

#include "support.h"

#include <limits.h>
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

static pid_t (*make_child)(void) = fork;

/* Runs `body` in a child. */
static int in_child(int (*body)(void)) {
    pid_t child;
    fflush(NULL);
    child = make_child();
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

/* One request. Its status. */
static apivideo_status request(void) {
    const apivideo_response *response = NULL;
    apivideo_status status = apivideo_request(client, "GET", "/videos", NULL, &response, NULL);
    apivideo_response_free(response);
    return status;
}

static void *request_until_stopped(void *unused) {
    (void)unused;
    while (!stop) {
        apivideo_status status = request();
        if (status != APIVIDEO_STATUS_OK) return (void *)(intptr_t)status;
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

static int request_after_fork(void) {
    int i;
    for (i = 0; i < 3; i++)
        if (request() != APIVIDEO_STATUS_OK) return 1;
    apivideo_client_free(client);
    return 0;
}

static void forks_in_the_middle_of_requests(void) {
    enum { REQUESTERS = 4 };
    pthread_t requesters[REQUESTERS];
    void *result;
    int i, failed = 0;
    client = test_client();
    stop = 0;
    for (i = 0; i < REQUESTERS; i++)
        REQUIRE(pthread_create(&requesters[i], NULL, request_until_stopped, NULL) == 0);
    for (i = 0; i < FORKS / 5; i++) {
        int end = in_child(request_after_fork);
        if (end != 0 && failed++ < 3) fprintf(stderr, "child %d ended with %d\n", i, end);
    }
    stop = 1;
    for (i = 0; i < REQUESTERS; i++) {
        pthread_join(requesters[i], &result);
        CHECK(result == NULL);
    }
    CHECK(failed == 0);
    apivideo_client_free(client);
}

/* --- Children of which the C library's fork handlers know nothing --- */

static pid_t bare_clone(void) { return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }

static void a_parents_refresh_token_is_sent_by_the_parent_alone(void) {
    const apivideo_token *token = NULL;
    client = test_client();
    free(access_token_of(client));
    CHECK(in_child(use_client_after_fork) == 0);
    CHECK(in_child(renew_after_fork) == 0);
    (void)apivideo_refresh(client, &token, NULL); /* The child's authentication may have retired it. */
    apivideo_token_free(token);
    CHECK(sandbox_count("refresh", "requests") == 1);
    CHECK(sandbox_count("refresh", "replayed") == 0);
    apivideo_client_free(client);
}

static void a_child_makes_its_own_connections_and_leaves_its_parents_alone(void) {
    client = test_client();
    CHECK(request() == APIVIDEO_STATUS_OK);
    CHECK(sandbox_count("api_key", "connections") == 2); /* One for the token. */
    CHECK(in_child(request_after_fork) == 0);
    CHECK(sandbox_count("api_key", "connections") == 3);
    CHECK(request() == APIVIDEO_STATUS_OK);
    CHECK(sandbox_count("api_key", "connections") == 3); /* The parent's still serves it. */
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
    apivideo_config *patient = test_config();
    int i, failed = 0;
    REQUIRE(apivideo_config_set_attempt_timeout_ms(patient, 300000, NULL) == APIVIDEO_STATUS_OK);
    sandbox_fault("{\"on\": \"api-key\", \"times\": 0, \"fault\": {\"kind\": \"hang\"}}");
    client = client_with(patient);
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

/* Its parent's connection must not be shut down either: the parent waits for the reply. */
static int look_at_parents_request(void) {
    const apivideo_response *response = NULL;
    apivideo_operation_cancel(operation);
    if (apivideo_operation_wait_response(operation, 0, &response, NULL) != APIVIDEO_STATUS_CANCELLED) return 1;
    apivideo_operation_free(operation);
    apivideo_client_free(client);
    return 0;
}

static void a_parents_request_is_cancelled_in_the_child_alone(void) {
    const apivideo_response *response = NULL;
    client = test_client();
    free(access_token_of(client));
    sandbox_fault("{\"on\": \"videos\", \"fault\": {\"kind\": \"delay\", \"ms\": 1000}}");
    REQUIRE(apivideo_request_start(client, "GET", "/videos", NULL, &operation, NULL) == APIVIDEO_STATUS_OK);
    await_request("videos");
    CHECK(in_child(look_at_parents_request) == 0);
    CHECK(apivideo_operation_wait_response(operation, UINT32_MAX, &response, NULL) == APIVIDEO_STATUS_OK);
    CHECK(sandbox_count("videos", "requests") == 1);
    apivideo_response_free(response);
    apivideo_operation_free(operation);
    apivideo_client_free(client);
}

static int exit_while_a_request_hangs(void) {
    apivideo_config *config = test_config();
    apivideo_operation *pending = NULL;
    apivideo_config_set_attempt_timeout_ms(config, 60000, NULL);
    client = client_with(config);
    if (apivideo_request_start(client, "GET", "/videos", NULL, &pending, NULL) != APIVIDEO_STATUS_OK) return 1;
    await_request("videos");
    exit(0); /* With its atexit handlers, unlike _exit(). */
}

static void exit_is_not_delayed_by_a_hung_request(void) {
    int64_t start;
    sandbox_fault("{\"on\": \"videos\", \"fault\": {\"kind\": \"hang\"}}");
    start = now_ms();
    CHECK(in_child(exit_while_a_request_hangs) == 0);
    CHECK(now_ms() - start < 5000);
}

static apivideo_upload *upload;
static char video_id[64];

static void ignore_completion(void *unused) { (void)unused; }

/* An upload of 6 MiB of zeros, of which the server takes nothing for now. */
static void start_upload(const char *fault) {
    static char zeros[6 << 20];
    const apivideo_response *response = NULL;
    const char *id;
    client = test_client();
    REQUIRE(apivideo_request(client, "POST", "/videos", "{\"title\": \"x\"}", &response, NULL) == APIVIDEO_STATUS_OK);
    id = strstr(apivideo_response_body(response), "\"videoId\":\"");
    REQUIRE(id != NULL && sscanf(id, "\"videoId\":\"%63[^\"]", video_id) == 1);
    apivideo_response_free(response);
    sandbox_fault(fault);
    REQUIRE(apivideo_upload_new(client, &upload, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_upload_set_video_id(upload, video_id, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_upload_set_size(upload, sizeof zeros, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_upload_set_chunk_size(upload, 5 << 20, NULL) == APIVIDEO_STATUS_OK); /* The last waits for the end. */
    REQUIRE(apivideo_upload_start(upload, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_upload_write(upload, zeros, sizeof zeros, NULL) == APIVIDEO_STATUS_OK);
    await_request("uploads");
}

static int look_at_parents_upload(void) {
    const apivideo_response *response = NULL;
    uint64_t total = 0;
    if (apivideo_upload_wait(upload, 0, &response, NULL) != APIVIDEO_STATUS_CANCELLED) return 1;
    if (apivideo_upload_write(upload, "x", 1, NULL) != APIVIDEO_STATUS_CANCELLED) return 2;
    if (apivideo_upload_finish(upload, NULL) != APIVIDEO_STATUS_CANCELLED) return 3;
    if (apivideo_upload_on_complete(upload, ignore_completion, NULL, NULL) != APIVIDEO_STATUS_CANCELLED) return 4;
    apivideo_upload_progress(upload, NULL, NULL, &total);
    if (total != 6 << 20 || strcmp(apivideo_upload_video_id(upload), video_id) != 0) return 5;
    apivideo_upload_cancel(upload);
    apivideo_upload_free(upload);
    if (request() != APIVIDEO_STATUS_OK) return 6;
    apivideo_client_free(client);
    return 0;
}

/* The parent's connection must not be shut down by the child: nothing is sent twice. */
static void a_parents_upload_is_cancelled_in_the_child_alone(void) {
    const apivideo_response *response = NULL;
    start_upload("{\"on\": \"uploads\", \"after\": 3000000, \"fault\": {\"kind\": \"delay\", \"ms\": 1000}}");
    CHECK(in_child(look_at_parents_upload) == 0);
    CHECK(apivideo_upload_finish(upload, NULL) == APIVIDEO_STATUS_OK);
    CHECK(apivideo_upload_wait(upload, 60000, &response, NULL) == APIVIDEO_STATUS_OK);
    CHECK(sandbox_count("uploads", "requests") == 2);
    apivideo_response_free(response);
    apivideo_upload_free(upload);
    apivideo_client_free(client);
}

static int exit_while_an_upload_hangs(void) {
    start_upload("{\"on\": \"uploads\", \"after\": 3000000, \"fault\": {\"kind\": \"hang\", \"handled\": false}}");
    exit(0); /* With its atexit handlers, unlike _exit(). */
}

static void exit_is_not_delayed_by_a_hung_upload(void) {
    int64_t start = now_ms();
    CHECK(in_child(exit_while_an_upload_hangs) == 0);
    CHECK(now_ms() - start < 5000);
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

/* From here on no thread can be started. Not as root, whom the limit does not bind. */
static int forbid_threads(void) {
    struct rlimit none;
    none.rlim_cur = none.rlim_max = 0;
    if (setrlimit(RLIMIT_NPROC, &none) != 0) return -1;
    return getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0) ? -1 : 0;
}

static int use_client_without_threads(void) {
    apivideo_config *config = test_config();
    apivideo_operation *pending = NULL;
    apivideo_error *error = NULL;
    const apivideo_token *token = NULL;
    const apivideo_response *response = NULL;
    char *first;
    pthread_t thread;
    if (forbid_threads() != 0) return 1;
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
    if (request() != APIVIDEO_STATUS_OK) return 10;
    if (apivideo_request_start(client, "GET", "/videos", NULL, &pending, NULL) != APIVIDEO_STATUS_OK) return 11;
    if (apivideo_operation_wait_response(pending, UINT32_MAX, &response, NULL) != APIVIDEO_STATUS_SYSTEM_ERROR) return 12;
    apivideo_operation_free(pending);
    apivideo_client_free(client);
    free(first);
    return 0;
}

static int wait_without_threads(void) {
    apivideo_config *config = test_config();
    const apivideo_token *token = NULL;
    int64_t start;
    if (forbid_threads() != 0) return 1;
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
    /* Not pthread_join(): musl's is not told of a thread that ends by the bare system call. */
    while (stop == 0 && now_ms() - start < 15000) sleep_ms(1);
    if (stop != 100000) return 3;
    if (client_count(client, APIVIDEO_STATISTIC_EXCHANGES_IN_FLIGHT) != 1) return 4;
    return 0;
}

static void a_read_makes_no_system_call_while_a_renewal_hangs(void) {
    sandbox_fault("{\"on\": \"refresh\", \"times\": 0, \"fault\": {\"kind\": \"hang\"}}");
    CHECK(in_child(read_while_a_renewal_hangs) == 0);
}

/* --- The program's threads: their stacks, and pthread_cancel --- */

static int outcome; /* What a thread has found; atomic where callbacks count. */

/* Runs `body` on a thread with this much stack, which waits for `step` before it does anything. */
static pthread_t start_on_stack(size_t bytes, void *(*body)(void *)) {
    pthread_t thread;
    pthread_attr_t attributes;
    REQUIRE(pthread_attr_init(&attributes) == 0);
    REQUIRE(pthread_attr_setstacksize(&attributes, bytes) == 0);
    REQUIRE(pthread_barrier_init(&step, NULL, 2) == 0);
    outcome = -1;
    REQUIRE(pthread_create(&thread, &attributes, body, NULL) == 0);
    return thread;
}

static void *make_each_kind_of_call(void *unused) {
    const apivideo_token *token = NULL;
    apivideo_operation *pending = NULL;
    (void)unused;
    pthread_barrier_wait(&step);
    client = test_client();
    free(access_token_of(client));
    REQUIRE(apivideo_refresh(client, &token, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_invalidate_token(client, token, NULL) == APIVIDEO_STATUS_OK);
    apivideo_token_free(token);
    REQUIRE(apivideo_get_token_start(client, 0, &pending, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_operation_wait(pending, UINT32_MAX, &token, NULL) == APIVIDEO_STATUS_OK);
    apivideo_operation_free(pending);
    apivideo_token_free(token);
    REQUIRE(request() == APIVIDEO_STATUS_OK);
    apivideo_client_free(client);
    outcome = 0;
    return NULL;
}

static int call_on_a_small_stack(void) {
    /* glibc asks for more than 64 KiB on arm64. */
    size_t bytes = PTHREAD_STACK_MIN > 64 * 1024 ? PTHREAD_STACK_MIN : 64 * 1024;
    pthread_t thread = start_on_stack(bytes, make_each_kind_of_call);
    pthread_barrier_wait(&step);
    pthread_join(thread, NULL);
    return outcome;
}

static void a_call_needs_64_kib_of_stack(void) { CHECK(in_child(call_on_a_small_stack) == 0); }

static void *get_a_token(void *unused) {
    const apivideo_token *token = NULL;
    (void)unused;
    pthread_barrier_wait(&step);
    outcome = apivideo_get_token(client, &token, NULL);
    apivideo_token_free(token);
    return NULL;
}

static int make_an_exchange_on_a_small_stack(void) {
    pthread_t thread = start_on_stack(256 * 1024, get_a_token);
    client = test_client();
    if (forbid_threads() != 0) return -1;
    pthread_barrier_wait(&step);
    pthread_join(thread, NULL);
    return outcome;
}

static void a_caller_that_makes_the_exchange_needs_256_kib(void) {
    CHECK(in_child(make_an_exchange_on_a_small_stack) == 0);
}

static pthread_t the_caller;

static void use_much_stack(int32_t level, const char *line, void *unused) {
    volatile char much[1024 * 1024];
    size_t i;
    (void)level, (void)line, (void)unused;
    for (i = 0; i < sizeof much; i += 1024) much[i] = 1;
    if (!pthread_equal(pthread_self(), the_caller) && much[0] == 1)
        __atomic_store_n(&outcome, 0, __ATOMIC_RELAXED);
}

static int call_back_with_a_small_default(void) {
    int64_t start = now_ms();
    const apivideo_token *token = NULL;
    apivideo_config *config = test_config();
    setenv("RUST_MIN_STACK", "32768", 1);
    outcome = -1;
    the_caller = pthread_self();
    apivideo_config_set_log(config, APIVIDEO_LOG_LEVEL_DEBUG, use_much_stack, NULL, NULL, NULL);
    client = client_with(config);
    /* A line may also come on this thread. */
    while (__atomic_load_n(&outcome, __ATOMIC_RELAXED) != 0 && now_ms() - start < 10000) {
        REQUIRE(apivideo_authenticate(client, &token, NULL) == APIVIDEO_STATUS_OK);
        apivideo_token_free(token);
    }
    apivideo_client_free(client);
    return outcome;
}

/* Whatever the environment says. Comes first: it is asked for the first thread of a process. */
static void a_callback_on_a_library_thread_has_1_mib(void) {
    CHECK(in_child(call_back_with_a_small_default) == 0);
}

/* A thread that has been cancelled, and waits for its next cancellation point: this one. */
static void end_if_cancelled(int32_t level, const char *line, void *unused) {
    (void)level, (void)line, (void)unused;
    pthread_testcancel();
    __atomic_fetch_add(&outcome, 1, __ATOMIC_RELAXED);
}
static void end_if_cancelled_too(void *unused) { end_if_cancelled(0, "", unused); }

static apivideo_client *client_that_logs(void) {
    apivideo_config *config = test_config();
    apivideo_config_set_log(config, APIVIDEO_LOG_LEVEL_DEBUG, end_if_cancelled, NULL, NULL, NULL);
    return client_with(config);
}

/* What was put off happens at the thread's own next cancellation point. */
static int end_of_cancelled(pthread_t thread) {
    void *result = NULL;
    pthread_join(thread, &result);
    if (outcome < 0) return 100;
    return result == PTHREAD_CANCELED ? 0 : 101;
}

static void *get_a_token_and_end(void *unused) {
    get_a_token(unused);
    if (outcome != APIVIDEO_STATUS_OK) return NULL;
    pthread_testcancel();
    return NULL;
}

static int cancel_in_the_middle_of_an_exchange(void) {
    pthread_t thread = start_on_stack(256 * 1024, get_a_token_and_end);
    client = test_client();
    if (forbid_threads() != 0) return 1;
    pthread_barrier_wait(&step);
    await_request("api_key");
    pthread_cancel(thread);
    return end_of_cancelled(thread);
}

static void cancelling_a_caller_that_makes_the_exchange_is_put_off(void) {
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"delay\", \"ms\": 500}}");
    CHECK(in_child(cancel_in_the_middle_of_an_exchange) == 0);
}

static void *call_while_cancelled(void *unused) {
    const apivideo_token *token = NULL;
    apivideo_operation *pending = NULL;
    apivideo_config *config = test_config();
    (void)unused;
    pthread_barrier_wait(&step);
    client = client_that_logs();
    REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_get_token_start(client, 0, &pending, NULL) == APIVIDEO_STATUS_OK);
    apivideo_config_set_on_state(config, NULL, NULL, end_if_cancelled_too, NULL);
    __atomic_store_n(&outcome, 0, __ATOMIC_RELAXED);
    pthread_cancel(pthread_self());
    (void)apivideo_config_set_ca_file(config, "/etc/passwd", NULL); /* Opens and reads it. */
    (void)apivideo_operation_on_complete(pending, end_if_cancelled_too, NULL, NULL);
    (void)apivideo_invalidate_token(client, token, NULL);
    apivideo_config_free(config);
    apivideo_operation_free(pending);
    apivideo_token_free(token);
    apivideo_client_free(client);
    if (outcome < 2) outcome = -1; /* The callbacks were called. */
    pthread_testcancel();
    return NULL;
}

static int call_back_while_cancelled(void) {
    pthread_t thread = start_on_stack(256 * 1024, call_while_cancelled);
    pthread_barrier_wait(&step);
    return end_of_cancelled(thread);
}

static void cancelling_a_caller_whose_call_calls_back_is_put_off(void) {
    CHECK(in_child(call_back_while_cancelled) == 0);
}

static void *read_while_cancelled(void *unused) {
    const apivideo_token *token = NULL;
    (void)unused;
    pthread_barrier_wait(&step);
    travel_s(50 * 60); /* Due: the read wants a thread, and logs that there is none. */
    __atomic_store_n(&outcome, 0, __ATOMIC_RELAXED);
    pthread_cancel(pthread_self());
    if (apivideo_get_token(client, &token, NULL) != APIVIDEO_STATUS_OK || outcome == 0) outcome = -1;
    apivideo_token_free(token);
    pthread_testcancel();
    return NULL;
}

static int read_without_threads_while_cancelled(void) {
    pthread_t thread = start_on_stack(256 * 1024, read_while_cancelled);
    client = client_that_logs();
    free(access_token_of(client));
    if (forbid_threads() != 0) return 1;
    pthread_barrier_wait(&step);
    return end_of_cancelled(thread);
}

static void cancelling_a_reader_is_put_off(void) {
    CHECK(in_child(read_without_threads_while_cancelled) == 0);
}

static int close_what_belongs_to_others(void) {
    int64_t start = now_ms();
    const apivideo_token *token = NULL;
    pthread_t thread = start_on_stack(256 * 1024, get_a_token);
    int fd;
    client = test_client();
    pthread_barrier_wait(&step);
    await_request("api_key");
    for (fd = 3; fd < 256; fd++) close(fd);
    pthread_join(thread, NULL);
    if (outcome != APIVIDEO_STATUS_TIMEOUT && outcome != APIVIDEO_STATUS_NETWORK_ERROR) return 100 + outcome;
    sandbox_clear_faults();
    while (apivideo_get_token(client, &token, NULL) != APIVIDEO_STATUS_OK) {
        if (now_ms() - start > 15000) return 1;
        sleep_ms(10);
    }
    apivideo_token_free(token);
    apivideo_client_free(client);
    return 0;
}

static void an_exchange_whose_socket_the_program_closes_is_made_again(void) {
    sandbox_fault("{\"on\": \"api-key\", \"fault\": {\"kind\": \"hang\"}}");
    CHECK(in_child(close_what_belongs_to_others) == 0);
}

/* What becomes of a kept connection: it is asked for, it has been idle too long, or its client
 * is freed. */
static enum { ASKED_FOR, TOO_OLD, FREED } kept;

/* A daemon closes what it did not open, and opens files of its own under the same numbers. */
static int close_kept_connection(void) {
    enum { FILES = 64 };
    int peers[FILES], ours[FILES], i, fd;
    client = test_client();
    if (request() != APIVIDEO_STATUS_OK) return 1;
    for (fd = 3; fd < 256; fd++) close(fd);
    for (i = 0; i < FILES; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 2;
        ours[i] = pair[0];
        peers[i] = pair[1];
    }
    if (kept == TOO_OLD) travel_s(31);
    if (kept != FREED && request() != APIVIDEO_STATUS_OK) return 3;
    apivideo_client_free(client);
    for (i = 0; i < FILES; i++) {
        char byte;
        /* Open on both sides, and nothing was written. */
        if (recv(ours[i], &byte, 1, MSG_DONTWAIT) != -1 || errno != EAGAIN) return 4;
        if (recv(peers[i], &byte, 1, MSG_DONTWAIT) != -1 || errno != EAGAIN) return 5;
    }
    return 0;
}

static void a_kept_connection_whose_descriptor_is_another_files_is_left_alone(void) {
    kept = ASKED_FOR;
    CHECK(in_child(close_kept_connection) == 0);
    kept = TOO_OLD;
    CHECK(in_child(close_kept_connection) == 0);
    kept = FREED;
    CHECK(in_child(close_kept_connection) == 0);
}

int main(void) {
    static const struct {
        const char *name;
        pid_t (*make)(void);
    } ways[] = {
        {"fork", fork},
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 34)
        {"_Fork", _Fork},
#endif
#endif
        {"clone", bare_clone},
    };
    size_t i;
    RUN(a_callback_on_a_library_thread_has_1_mib);
    RUN(forks_in_the_middle_of_renewals);
    RUN(a_child_can_wait_though_its_parents_threads_were_waiting);
    RUN(a_childs_threads_withdraw_a_token_for_good);
    RUN(forks_in_the_middle_of_requests);
    RUN(exit_is_not_delayed_by_a_hung_exchange);
    RUN(exit_is_not_delayed_by_a_hung_request);
    RUN(exit_is_not_delayed_by_a_hung_upload);
    RUN(a_lost_connection_raises_no_sigpipe);
    RUN(without_threads_the_caller_does_the_work);
    RUN(without_threads_a_wait_has_its_end_too);
    RUN(no_thread_is_idle);
    for (i = 0; i < sizeof ways / sizeof *ways; i++) {
        printf("-- %s\n", ways[i].name);
        make_child = ways[i].make;
        RUN(a_parents_refresh_token_is_sent_by_the_parent_alone);
        RUN(a_parents_operation_is_cancelled_in_the_child);
        RUN(a_child_goes_on_keeping_fresh);
        RUN(a_child_makes_its_own_connections_and_leaves_its_parents_alone);
        RUN(a_parents_request_is_cancelled_in_the_child_alone);
        RUN(a_parents_upload_is_cancelled_in_the_child_alone);
    }
    make_child = fork;
    RUN(without_file_descriptors_there_is_a_status);
    RUN(a_read_makes_no_system_call_while_a_renewal_hangs);
    RUN(a_call_needs_64_kib_of_stack);
    RUN(a_caller_that_makes_the_exchange_needs_256_kib);
    RUN(cancelling_a_caller_that_makes_the_exchange_is_put_off);
    RUN(cancelling_a_caller_whose_call_calls_back_is_put_off);
    RUN(cancelling_a_reader_is_put_off);
    RUN(an_exchange_whose_socket_the_program_closes_is_made_again);
    RUN(a_kept_connection_whose_descriptor_is_another_files_is_left_alone);
    return report();
}
