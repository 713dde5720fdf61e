/* What the demos share. */

#ifndef TOOLS_H
#define TOOLS_H

#include <apivideo.h>
#include <stdint.h>

/* The time on a clock that is never set. */
double seconds(void);

void nap(int ms);

/* A number with commas: 1,234,567. */
const char *grouped(uint64_t number, char text[32]);

/* One of a client's counters: an apivideo_statistic. */
uint64_t statistic(const apivideo_client *client, int32_t which);

/* Tells the sandbox to do something. False, with a line that says so, if it does not. */
int tell_sandbox(const char *base_url, const char *method, const char *path, const char *body);

/* How many requests the sandbox has had to an endpoint: "api_key", "refresh". */
uint64_t sandbox_requests(const char *base_url, const char *endpoint);

#endif
