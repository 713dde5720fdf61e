/*
 * A token for a program with an event loop, which must not wait anywhere but in its loop.
 *
 *     cc -o asynchronous asynchronous.c $(pkg-config --cflags --libs apivideo)
 *     APIVIDEO_API_KEY=... ./asynchronous
 *
 * The key is one of api.video's sandbox environment, or of the server that APIVIDEO_BASE_URL names.
 */

#define _POSIX_C_SOURCE 200809L

#include <apivideo.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SLICE_MS = 250, SLICES = 20 };

/* Runs on a thread of the library, so it only wakes the loop. A pipe has room for one byte: this does not block. */
static void wake(void *user_data) {
    const int *pipe_in = user_data;
    while (write(*pipe_in, "", 1) < 0 && errno == EINTR) {
    }
}

/* The event loop. It has other things to do, and after 5 seconds it has lost interest in the token. */
static void run_loop(const apivideo_operation *operation, int pipe_out) {
    struct pollfd event = {.fd = pipe_out, .events = POLLIN};
    for (int slice = 0; slice < SLICES; slice++) {
        if (poll(&event, 1, SLICE_MS) > 0) {
            break;
        }
        puts("Doing something else meanwhile.");
    }
    /* Does nothing if the operation is complete. Either way the callback is called once, perhaps at this very moment on another
       thread: so wait for its byte before the pipe is closed. */
    apivideo_operation_cancel(operation);
    char byte;
    while (read(pipe_out, &byte, 1) < 0 && errno == EINTR) {
    }
}

/* With the settings in one place. The client keeps a copy of them. */
static apivideo_status make_client(const char *key, apivideo_client **client, apivideo_error **error) {
    const char *base_url = getenv("APIVIDEO_BASE_URL");
    apivideo_config *config = NULL;
    apivideo_status status = apivideo_config_new(&config, error);
    if (status == APIVIDEO_STATUS_OK) {
        status = base_url != NULL ? apivideo_config_set_base_url(config, base_url, error)
                                  : apivideo_config_set_environment(config, APIVIDEO_ENVIRONMENT_SANDBOX, error);
    }
    if (status == APIVIDEO_STATUS_OK) {
        status = apivideo_client_new(key, config, client, error);
    }
    apivideo_config_free(config);
    return status;
}

int main(void) {
    const char *key = getenv("APIVIDEO_API_KEY");
    int ends[2]; /* of the pipe; it has to live until the callback was called */
    if (key == NULL || pipe(ends) != 0) {
        fprintf(stderr, key == NULL ? "Set APIVIDEO_API_KEY to your API key.\n" : "There is no pipe to be had.\n");
        return EXIT_FAILURE;
    }

    apivideo_client *client = NULL;
    apivideo_operation *operation = NULL;
    const apivideo_token *token = NULL;
    apivideo_error *error = NULL;
    apivideo_status status = make_client(key, &client, &error);
    if (status == APIVIDEO_STATUS_OK) {
        status = apivideo_get_token_start(client, 0, &operation, &error); /* 0: any valid token will do */
    }
    if (status == APIVIDEO_STATUS_OK) {
        status = apivideo_operation_on_complete(operation, wake, &ends[1], &error);
    }
    if (status == APIVIDEO_STATUS_OK) {
        run_loop(operation, ends[0]);
        status = apivideo_operation_wait(operation, 0, &token, &error); /* complete by now: this takes the result */
    }
    if (status == APIVIDEO_STATUS_OK) {
        printf("Got a token, good for another %ld s.\n", (long)(apivideo_token_expires_in_ms(token) / 1000));
    } else {
        fprintf(stderr, "%s\n", apivideo_error_message(error));
    }

    apivideo_error_free(error);
    apivideo_token_free(token);
    apivideo_operation_free(operation);
    apivideo_client_free(client);
    close(ends[0]);
    close(ends[1]);
    return status == APIVIDEO_STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
