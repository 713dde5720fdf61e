/* A Redis or Valkey of the demo's own, on a free loopback port. It ends with this process,
 * however that ends. */

#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include <sys/types.h>

struct redis_server {
    const char *program;
    int port;
    pid_t guard;
    /* The server lives as long as this end of a pipe is open somewhere. */
    int alive;
};

/* Finds its program and a port. False if neither redis-server nor valkey-server is installed. */
int redis_find(struct redis_server *redis);

/* Starts it, empty, always at the same port. False if it does not answer. */
int redis_start(struct redis_server *redis);

/* Kills it, and waits until it is gone. */
void redis_kill(struct redis_server *redis);

/* In a child of fork(): the server is none of its business. */
void redis_forget(struct redis_server *redis);

#endif
