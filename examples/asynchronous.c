/*
 * A token for a program with an event loop, which must not wait anywhere but in its loop.
 *
 *     cc -o asynchronous asynchronous.c $(pkg-config --cflags --libs apivideo)
 *     APIVIDEO_API_KEY=... ./asynchronous
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

int main(void) {
    int ends[2]; /* of the pipe; it has to live until the callback was called */
    if (pipe(ends) != 0) {
        fprintf(stderr, "There is no pipe to be had.\n");
        return EXIT_FAILURE;
    }

    apivideo_client *client = NULL;
    apivideo_operation *operation = NULL;
    const apivideo_token *token = NULL;
    apivideo_error *error = NULL;
    apivideo_status status = apivideo_client_new(NULL, NULL, &client, &error);
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
