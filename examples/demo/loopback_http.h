/* The least HTTP that the demo can do with: one request to http://127.0.0.1:PORT. */

#ifndef LOOPBACK_HTTP_H
#define LOOPBACK_HTTP_H

#include <stddef.h>

/* Sends one request; `headers` is "" or lines that each end with "\r\n". Puts the reply's body into `reply`, cut to `size`,
   and gives its HTTP status; 0 if there was no reply. */
int loopback_http(const char *base_url, const char *method, const char *path, const char *headers, const char *body, char *reply,
                  size_t size);

/* A port that nobody listens on; 0 if there is none. */
int loopback_free_port(void);

/* Whether somebody listens there. */
int loopback_answers(int port);

#endif
