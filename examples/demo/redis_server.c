#define _POSIX_C_SOURCE 200809L

#include "redis_server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loopback_http.h"
#include "tools.h"

static int is_installed(const char *program) {
    char command[64];
    snprintf(command, sizeof command, "command -v %s > /dev/null", program);
    return system(command) == 0;
}

int redis_find(struct redis_server *redis) {
    static const char *const programs[] = {"redis-server", "valkey-server"};
    memset(redis, 0, sizeof *redis);
    for (size_t i = 0; i < sizeof programs / sizeof *programs && redis->program == NULL; i++) {
        if (is_installed(programs[i])) {
            redis->program = programs[i];
        }
    }
    redis->alive = -1;
    redis->port = loopback_free_port();
    return redis->program != NULL && redis->port > 0;
}

static void run(const struct redis_server *redis) {
    char port[8];
    int nothing = open("/dev/null", O_WRONLY);
    snprintf(port, sizeof port, "%d", redis->port);
    dup2(nothing, STDOUT_FILENO);
    dup2(nothing, STDERR_FILENO);
    execlp(redis->program, redis->program, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", (char *)NULL);
    _exit(127);
}

/* Kills the server when the other end of the pipe is closed. */
static void guard(const struct redis_server *redis, int lives) {
    char byte;
    pid_t server = fork();
    if (server == 0) {
        close(lives);
        run(redis);
    }
    while (read(lives, &byte, 1) > 0) {
    }
    if (server > 0) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
    }
    _exit(0);
}

int redis_start(struct redis_server *redis) {
    int ends[2];
    if (pipe(ends) != 0) {
        return 0;
    }
    redis->guard = fork();
    if (redis->guard == 0) {
        close(ends[1]);
        guard(redis, ends[0]);
    }
    close(ends[0]);
    redis->alive = ends[1];
    for (int i = 0; i < 500; i++) {
        if (loopback_answers(redis->port)) {
            return 1;
        }
        nap(10);
    }
    redis_kill(redis);
    return 0;
}

void redis_kill(struct redis_server *redis) {
    if (redis->alive >= 0) {
        close(redis->alive);
        redis->alive = -1;
        waitpid(redis->guard, NULL, 0);
    }
}

void redis_forget(struct redis_server *redis) {
    if (redis->alive >= 0) {
        close(redis->alive);
    }
}
