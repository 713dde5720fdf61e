/*
 * What the C tests share: checks that say what failed, and a hand on the local sandbox.
 *
 * Written so that it compiles as C99 and later and as C++11 and later.
 */
#ifndef APIVIDEO_TEST_SUPPORT_H
#define APIVIDEO_TEST_SUPPORT_H

#include <apivideo.h>

#include "sockets.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef _WIN32
#define explicit_bzero(at, length) SecureZeroMemory(at, length)
#define NO_PLACE "C:\\<none>"
#else
#define NO_PLACE "/proc/none" /* Where nobody can make a directory. */
#endif

#define KEY "sandbox-key"

static int passed_checks; /* Atomic: callbacks check too, on the library's threads. */
static int failed_checks;

static inline void count_check(int *counter) { __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

/* Notes a failure and goes on. */
#define CHECK(condition)                                                                \
    ((condition) ? count_check(&passed_checks)                                          \
                 : (count_check(&failed_checks),                                        \
                    (void)fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition)))

/* Notes a failure and ends the program: nothing after it would make sense. */
#define REQUIRE(condition)                                                              \
    do {                                                                                \
        if (!(condition)) {                                                             \
            fprintf(stderr, "%s:%d: required: %s\n", __FILE__, __LINE__, #condition);   \
            exit(1);                                                                    \
        }                                                                               \
    } while (0)

/* The last line of every program, and its exit status. */
static inline int report(void) {
    printf("%d passed, %d failed\n", passed_checks, failed_checks);
    return failed_checks == 0 ? 0 : 1;
}

/* Makes a directory that is this process's alone, and says where. */
static inline void make_directory(char *path, size_t room, const char *name) {
#ifdef _WIN32
    char temporary[MAX_PATH + 1];
    REQUIRE(GetTempPathA(sizeof temporary, temporary) > 0);
    snprintf(path, room, "%sapivideo-%s-%ld", temporary, name, (long)getpid());
    REQUIRE(CreateDirectoryA(path, NULL));
#else
    snprintf(path, room, "/tmp/apivideo-%s-XXXXXX", name);
    REQUIRE(mkdtemp(path) != NULL);
#endif
}

/* Removes what is in a directory, which has no other in it. Not by a shell: musl's root has
 * none. */
static inline void remove_files(const char *directory) {
    char path[512];
    struct dirent *file;
    DIR *files = opendir(directory);
    REQUIRE(files != NULL);
    while ((file = readdir(files)) != NULL) {
        if (strcmp(file->d_name, ".") == 0 || strcmp(file->d_name, "..") == 0) continue;
        snprintf(path, sizeof path, "%s/%s", directory, file->d_name);
        REQUIRE(unlink(path) == 0);
    }
    closedir(files);
}

/* That it took no time since then, which is told: a busy machine adds some, and what might be waited
 * for takes far longer. */
#define CHECK_AT_ONCE(what, start)                                  \
    do {                                                            \
        int64_t took = now_ms() - (start);                          \
        printf("     %s took %" PRId64 " ms\n", what, took);         \
        CHECK(took < 2000);                                         \
    } while (0)

/* A name of this process's own for a file where it runs: other tests may run there as well. */
static inline const char *own_file(void) {
    static char name[64];
    snprintf(name, sizeof name, "apivideo-test-%ld.mp4", (long)getpid());
    return name;
}

static inline int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline void sleep_ms(int64_t ms) {
    struct timespec t;
    t.tv_sec = (time_t)(ms / 1000);
    t.tv_nsec = (long)(ms % 1000) * 1000000;
    nanosleep(&t, NULL);
}

static inline const char *sandbox_url(void) {
    const char *url = getenv("APIVIDEO_TEST_URL");
    if (url == NULL || strncmp(url, "http://127.0.0.1:", 17) != 0) {
        fprintf(stderr, "APIVIDEO_TEST_URL must be the URL of apivideo-sandbox, http://127.0.0.1:PORT\n");
        exit(2);
    }
    return url;
}

/* One request to the sandbox on a connection of its own. The reply as text, to be freed, or NULL. */
static inline char *sandbox_request(const char *method, const char *path, const char *body) {
    int port = atoi(sandbox_url() + 17);
    struct sockaddr_in address;
    char head[512];
    size_t length = 0, capacity = 1 << 16;
    long n;
    char *reply = (char *)malloc(capacity + 1);
    socket_handle fd = open_socket();
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (reply == NULL || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        free(reply);
        close_socket(fd);
        return NULL;
    }
    snprintf(head, sizeof head,
             "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
             "Content-Length: %zu\r\nConnection: close\r\n\r\n",
             method, path, strlen(body));
    if (send_all(fd, head, strlen(head)) && send_all(fd, body, strlen(body))) {
        while (length < capacity && (n = receive(fd, reply + length, capacity - length)) > 0)
            length += (size_t)n;
    }
    reply[length] = '\0';
    close_socket(fd);
    return reply;
}

/* Tells the sandbox something; it must agree. */
static inline void sandbox(const char *path, const char *body) {
    char *reply = sandbox_request("POST", path, body);
    REQUIRE(reply != NULL && strncmp(reply, "HTTP/1.1 2", 10) == 0);
    explicit_bzero(reply, strlen(reply)); /* It may repeat a key that a test then looks for in memory. */
    free(reply);
}

static inline void sandbox_fault(const char *fault) { sandbox("/_sandbox/faults", fault); }

static inline void sandbox_clear_faults(void) { free(sandbox_request("DELETE", "/_sandbox/faults", "")); }

/* One of the sandbox's counters, such as ("api_key", "requests"). */
static inline long sandbox_count(const char *section, const char *field) {
    char *reply = sandbox_request("GET", "/_sandbox/counters", "");
    char name[64];
    char *at;
    long value = -1;
    REQUIRE(reply != NULL);
    snprintf(name, sizeof name, "\"%s\":", section);
    at = strstr(reply, name);
    snprintf(name, sizeof name, "\"%s\":", field);
    if (at != NULL && (at = strstr(at, name)) != NULL) value = atol(at + strlen(name));
    free(reply);
    return value;
}

/* Waits until a request is there: later, it would meet the fault that is meant for the next test. */
static inline void await_request(const char *section) {
    int64_t start = now_ms();
    while (sandbox_count(section, "requests") < 1) REQUIRE(now_ms() - start < 20000);
}

/* Runs one test of a program against a sandbox like new, and names it. */
#define RUN(test)                                                                       \
    do {                                                                                \
        int failed_before = failed_checks;                                              \
        sandbox("/_sandbox/reset", "{}");                                               \
        test();                                                                         \
        printf("%s %s\n", failed_checks == failed_before ? "ok  " : "FAIL", #test);     \
        fflush(stdout);                                                                 \
    } while (0)

/* Settings for the sandbox, with an attempt timeout that keeps tests short. */
static inline apivideo_config *test_config(void) {
    apivideo_config *config = NULL;
    REQUIRE(apivideo_config_new(&config, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_config_set_base_url(config, sandbox_url(), NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_config_set_attempt_timeout_ms(config, 1500, NULL) == APIVIDEO_STATUS_OK);
    return config;
}

/* A client with these settings, which it frees. */
static inline apivideo_client *client_with(apivideo_config *config) {
    apivideo_client *client = NULL;
    REQUIRE(apivideo_client_new(KEY, config, &client, NULL) == APIVIDEO_STATUS_OK);
    apivideo_config_free(config);
    return client;
}

static inline apivideo_client *test_client(void) { return client_with(test_config()); }

/* The access token that the client gives now, as a copy to be freed. */
static inline char *access_token_of(const apivideo_client *client) {
    const apivideo_token *token = NULL;
    char *copy;
    REQUIRE(apivideo_get_token(client, &token, NULL) == APIVIDEO_STATUS_OK);
    copy = strdup(apivideo_token_access_token(token));
    apivideo_token_free(token);
    return copy;
}

/* One of the client's counters. */
static inline uint64_t client_count(const apivideo_client *client, int32_t statistic) {
    apivideo_statistics *statistics = NULL;
    uint64_t value = 0;
    REQUIRE(apivideo_client_get_statistics(client, &statistics, NULL) == APIVIDEO_STATUS_OK);
    REQUIRE(apivideo_statistics_get(statistics, statistic, &value, NULL) == APIVIDEO_STATUS_OK);
    apivideo_statistics_free(statistics);
    return value;
}

#endif
