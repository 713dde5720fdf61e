/*
 * The life of a token, live. `make demo` runs this in one of two ways:
 *
 *   - against a local imitation of api.video, whose URL is the argument. Its tokens live for 3 seconds. Eight threads read the
 *     token all the time while a refresh token is revoked and authentication is down for 5 seconds. No read may fail.
 *   - against api.video's sandbox environment, without an argument, with the key in APIVIDEO_API_KEY.
 */

#define _POSIX_C_SOURCE 200809L

#include <apivideo.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loopback_http.h"
#include "timeline.h"
#include "tools.h"

enum { READERS = 8, READS_AT_A_TIME = 100, CALL_EVERY_MS = 250, OUTAGE_MS = 5000 };

/* Of its 3 s a token is handed out for all but the last tenth. */
static const double usable = 2.7;

/* --- Telling what happens: a line per event, with the time since the start --- */

static double started_at;

/* One printf, so that the lines of several threads do not mix. */
static void say(const char *who, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    printf("%6.2f s  %-8s %s\n", seconds() - started_at, who, text);
}

static void on_log(int32_t level, const char *line, void *user_data) {
    static const char new_token[] = "New token from /auth/";
    (void)user_data;
    if (strncmp(line, new_token, sizeof new_token - 1) == 0) {
        timeline_add_token(seconds() - started_at, usable, line[sizeof new_token - 1] == 'r');
    }
    say(level <= APIVIDEO_LOG_LEVEL_WARNING ? "warning" : "library", "%s", line);
}

static void on_state(int32_t state, void *user_data) {
    static const char *const texts[] = {
        [APIVIDEO_TOKEN_STATE_NONE] = "no token yet",
        [APIVIDEO_TOKEN_STATE_VALID] = "a valid token is at hand",
        [APIVIDEO_TOKEN_STATE_RENEWAL_FAILING] = "a valid token is at hand, but renewing it fails",
        [APIVIDEO_TOKEN_STATE_EXPIRED] = "the token has expired",
        [APIVIDEO_TOKEN_STATE_REJECTED] = "the API rejected the token",
        [APIVIDEO_TOKEN_STATE_UNAVAILABLE] = "no valid token, and none to be had for now",
    };
    (void)user_data;
    if (state >= 0 && (size_t)state < sizeof texts / sizeof *texts) {
        say("state", "%s", texts[state]);
    }
}

/* Says why a call failed, and frees the error. */
static int failed(const char *what, apivideo_error *error) {
    say("error", "%s: %s", what, apivideo_error_message(error));
    apivideo_error_free(error);
    return 1;
}

/* --- The client --- */

/* With `wait`, a read without a valid token waits for the next one, instead of failing with the reason at once. */
static apivideo_status make_client(const char *key, const char *base_url, int wait, apivideo_client **client,
                                   apivideo_error **error) {
    apivideo_config *config = NULL;
    apivideo_status status = apivideo_config_new(&config, error);
    if (status == APIVIDEO_STATUS_OK) {
        status = apivideo_config_set_base_url(config, base_url, error);
    }
    if (status == APIVIDEO_STATUS_OK) {
        status = apivideo_config_set_wait_for_recovery(config, wait, error);
    }
    if (status == APIVIDEO_STATUS_OK) {
        status = apivideo_config_set_log(config, APIVIDEO_LOG_LEVEL_INFO, on_log, NULL, NULL, error);
    }
    if (status == APIVIDEO_STATUS_OK) {
        status = apivideo_config_set_on_state(config, on_state, NULL, NULL, error);
    }
    if (status == APIVIDEO_STATUS_OK) {
        status = apivideo_client_new(key, config, client, error);
    }
    apivideo_config_free(config);
    return status;
}

/* --- The readers --- */

/* What the readers have done; guarded by `lock`. */
static struct {
    pthread_mutex_t lock;
    int stop;
    uint64_t reads, reads_failed, calls, calls_failed, replaced;
    double longest_wait;
} board = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct reader {
    pthread_t thread;
    const apivideo_client *client;
    const char *base_url;
};

static int get_videos(const char *base_url, const apivideo_token *token) {
    char headers[4096];
    int length = snprintf(headers, sizeof headers, "Authorization: %s\r\n", apivideo_token_authorization(token));
    return length < (int)sizeof headers ? loopback_http(base_url, "GET", "/videos", headers, "", NULL, 0) : 0;
}

/* Calls the API; after a 401 once again with another token, as a program should. */
static void call_api(const struct reader *reader) {
    int http_status = 401, tries = 0;
    while (http_status == 401 && tries++ < 2) {
        const apivideo_token *token = NULL;
        if (apivideo_get_token(reader->client, &token, NULL) != APIVIDEO_STATUS_OK) {
            break;
        }
        http_status = get_videos(reader->base_url, token);
        if (http_status == 401) {
            apivideo_invalidate_token(reader->client, token, NULL);
        }
        apivideo_token_free(token);
    }
    if (http_status != 200) {
        say("error", "GET /videos: HTTP %d", http_status);
    }
    pthread_mutex_lock(&board.lock);
    board.calls++;
    board.calls_failed += http_status != 200;
    board.replaced += tries > 1;
    pthread_mutex_unlock(&board.lock);
}

/* Reads the token again and again, until the first failure. False when it is time to stop. */
static int read_tokens(const struct reader *reader) {
    double longest_wait = 0;
    int reads = 0, failures = 0;
    while (reads < READS_AT_A_TIME && failures == 0) {
        const apivideo_token *token = NULL;
        apivideo_error *error = NULL;
        double before = seconds();
        if (apivideo_get_token(reader->client, &token, &error) != APIVIDEO_STATUS_OK) {
            failures += failed("get_token", error);
        }
        double waited = seconds() - before;
        if (waited > longest_wait) {
            longest_wait = waited;
        }
        apivideo_token_free(token);
        reads++;
    }
    pthread_mutex_lock(&board.lock);
    board.reads += (uint64_t)reads;
    board.reads_failed += (uint64_t)failures;
    if (longest_wait > board.longest_wait) {
        board.longest_wait = longest_wait;
    }
    int go_on = !board.stop;
    pthread_mutex_unlock(&board.lock);
    return go_on;
}

static void *run_reader(void *argument) {
    const struct reader *reader = argument;
    double next_call = 0;
    while (read_tokens(reader)) {
        if (seconds() >= next_call) {
            call_api(reader);
            next_call = seconds() + CALL_EVERY_MS / 1000.0;
        }
        nap(1);
    }
    return NULL;
}

static int start_readers(struct reader *readers, const apivideo_client *client, const char *base_url) {
    for (int i = 0; i < READERS; i++) {
        readers[i].client = client;
        readers[i].base_url = base_url;
        if (pthread_create(&readers[i].thread, NULL, run_reader, &readers[i]) != 0) {
            say("error", "The system refused a thread.");
            return i;
        }
    }
    return READERS;
}

static void stop_readers(struct reader *readers, int count) {
    pthread_mutex_lock(&board.lock);
    board.stop = 1;
    pthread_mutex_unlock(&board.lock);
    for (int i = 0; i < count; i++) {
        pthread_join(readers[i].thread, NULL);
    }
}

static void say_progress(const apivideo_client *client) {
    pthread_mutex_lock(&board.lock);
    uint64_t reads = board.reads, reads_failed = board.reads_failed, calls = board.calls;
    pthread_mutex_unlock(&board.lock);
    char number[32];
    say("readers", "%s reads, %" PRIu64 " failed, %" PRIu64 " API calls; %" PRIu64 " of %d wait for a token", grouped(reads, number),
        reads_failed, calls, statistic(client, APIVIDEO_STATISTIC_WAITERS), READERS);
}

/* --- The story --- */

/* Waits until a counter has the value, for 20 seconds at most. */
static int reaches(const apivideo_client *client, int32_t which, uint64_t value) {
    for (int i = 0; i < 2000; i++) {
        if (statistic(client, which) >= value) {
            return 1;
        }
        nap(10);
    }
    say("error", "What should have happened by now did not.");
    return 0;
}

static int three_renewals(const apivideo_client *client) {
    say("demo", "%d threads ask for a token, all at once. It lives for 3 s; it is renewed when 70 to 80 %% of that are over.", READERS);
    int good = reaches(client, APIVIDEO_STATISTIC_TOKENS_GRANTED, 1);
    nap(1000);
    say_progress(client);
    return good && reaches(client, APIVIDEO_STATISTIC_TOKENS_GRANTED, 3);
}

static int rejected_refresh_token(const apivideo_client *client, const char *base_url) {
    nap(500);
    say("demo", "The refresh token is revoked, as when the key is used elsewhere. Nobody tells the library.");
    int good = tell_sandbox(base_url, "POST", "/_sandbox/revoke", "{\"what\":\"refresh\"}")
               && reaches(client, APIVIDEO_STATISTIC_REFRESH_REJECTIONS, 1)
               && reaches(client, APIVIDEO_STATISTIC_TOKENS_GRANTED, 4);
    say_progress(client);
    return good;
}

static int outage(const apivideo_client *client, const char *base_url) {
    nap(500);
    double down = seconds() - started_at;
    say("demo", "Authentication goes down for %d s: the token will not live that long.", OUTAGE_MS / 1000);
    int good = tell_sandbox(base_url, "POST", "/_sandbox/faults",
                       "{\"on\":\"auth\",\"times\":0,\"fault\":{\"kind\":\"reply\",\"status\":503,\"body\":\"{}\"}}");
    nap(OUTAGE_MS / 2);
    say_progress(client);
    nap(OUTAGE_MS / 2);
    uint64_t before = statistic(client, APIVIDEO_STATISTIC_TOKENS_GRANTED);
    say("demo", "Authentication is back.");
    timeline_add_outage(down, seconds() - started_at);
    good = tell_sandbox(base_url, "DELETE", "/_sandbox/faults", "") && good;
    good = good && reaches(client, APIVIDEO_STATISTIC_TOKENS_GRANTED, before + 1);
    nap(100);
    say_progress(client);
    /* One renewal more shows that everything is as before. */
    return good && reaches(client, APIVIDEO_STATISTIC_TOKENS_GRANTED, before + 2);
}

static void print_count(const char *what, uint64_t number) {
    char text[32];
    printf("  %-36s%12s\n", what, grouped(number, text));
}

/* Why a reader had to wait as long as it did. */
static void explain_longest_wait(void) {
    double from, until;
    if (timeline_gap(&from, &until)) {
        printf("A reader waited %.1f s at most: the last token's time was over at %.1f s, in the middle of the outage, and the first try\n"
               "after the outage brought the next one at %.1f s.\n", board.longest_wait, from, until);
    } else {
        printf("A reader waited %.1f s at most, for the first token: ever after there was a valid one.\n", board.longest_wait);
    }
}

/* The table at the end. True if all is well. */
static int conclude(const apivideo_client *client, const char *base_url) {
    uint64_t keys = statistic(client, APIVIDEO_STATISTIC_AUTHENTICATE_REQUESTS);
    uint64_t refreshes = statistic(client, APIVIDEO_STATISTIC_REFRESH_REQUESTS);
    uint64_t seen_keys = sandbox_requests(base_url, "api_key"), seen_refreshes = sandbox_requests(base_url, "refresh");
    int good = board.reads_failed == 0 && board.calls_failed == 0 && keys == seen_keys && refreshes == seen_refreshes;

    putchar('\n');
    timeline_draw(seconds() - started_at);
    putchar('\n');
    print_count("Reads of the token", board.reads);
    print_count("Reads failed", board.reads_failed);
    print_count("GET /videos with the token", board.calls);
    print_count("GET /videos failed", board.calls_failed);
    print_count("... answered 401 and tried again", board.replaced);
    print_count("Tokens obtained", statistic(client, APIVIDEO_STATISTIC_TOKENS_GRANTED));
    print_count("POST /auth/api-key, library's count", keys);
    print_count("POST /auth/api-key, sandbox's count", seen_keys);
    print_count("POST /auth/refresh, library's count", refreshes);
    print_count("POST /auth/refresh, sandbox's count", seen_refreshes);
    putchar('\n');
    return good;
}

static int run_here(const char *base_url) {
    struct reader readers[READERS];
    apivideo_client *client = NULL;
    apivideo_error *error = NULL;
    if (make_client("sandbox-key", base_url, 1, &client, &error) != APIVIDEO_STATUS_OK) {
        return failed("client_new", error);
    }
    int count = start_readers(readers, client, base_url);
    int good = count == READERS && three_renewals(client) && rejected_refresh_token(client, base_url) && outage(client, base_url);
    stop_readers(readers, count);
    good = conclude(client, base_url) && good;
    puts(good ? "All is well: no read failed." : "Something went wrong; see above.");
    explain_longest_wait();
    apivideo_client_free(client);
    return !good;
}

/* --- Against api.video --- */

/* This program speaks no TLS, so it lets curl make the request. The token goes through a pipe, since everybody on the machine
   can see a command's arguments. */
static int get_videos_with_curl(const apivideo_token *token) {
    if (system("command -v curl > /dev/null") != 0) {
        say("demo", "GET /videos is skipped: there is no curl.");
        return 0;
    }
    FILE *curl = popen("curl -sSf --max-time 30 -o /dev/null -H @- \"$APIVIDEO_BASE_URL/videos\"", "w");
    if (curl == NULL) {
        say("error", "curl does not start.");
        return 1;
    }
    fprintf(curl, "Authorization: %s\n", apivideo_token_authorization(token));
    int result = pclose(curl);
    say("demo", result == 0 ? "GET /videos with this token: 200." : "GET /videos with this token failed.");
    return result != 0;
}

static int run_there(const char *key) {
    apivideo_client *client = NULL;
    const apivideo_token *token = NULL, *renewed = NULL;
    apivideo_error *error = NULL;
    int result;
    setenv("APIVIDEO_BASE_URL", "https://sandbox.api.video", 0); /* unless it is set */
    say("demo", "Asking %s for a token.", getenv("APIVIDEO_BASE_URL"));
    if (make_client(key, getenv("APIVIDEO_BASE_URL"), 0, &client, &error) != APIVIDEO_STATUS_OK) {
        result = failed("client_new", error);
    } else if (apivideo_get_token(client, &token, &error) != APIVIDEO_STATUS_OK) {
        result = failed("get_token", error);
    } else if (apivideo_refresh(client, &renewed, &error) != APIVIDEO_STATUS_OK) {
        result = failed("refresh", error);
    } else {
        result = get_videos_with_curl(renewed);
    }
    apivideo_token_free(token);
    apivideo_token_free(renewed);
    apivideo_client_free(client);
    return result;
}

int main(int argc, char **argv) {
    const char *key = getenv("APIVIDEO_API_KEY");
    setvbuf(stdout, NULL, _IOLBF, 0);  /* live, into a pipe too */
    signal(SIGPIPE, SIG_IGN);          /* a lost connection is an error of write(), not the end */
    started_at = seconds();
    if (argc == 2) {
        return run_here(argv[1]);
    }
    if (key == NULL) {
        fprintf(stderr, "Usage: demo SANDBOX_URL, or APIVIDEO_API_KEY=... demo\n");
        return 2;
    }
    return run_there(key);
}
