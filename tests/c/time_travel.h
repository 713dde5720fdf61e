/*
 * The library's clocks, moved at will: a program that includes this defines clock_gettime() itself, and the library's calls
 * come here. CLOCK_MONOTONIC, by which condition variables wait, stays as it is.
 */
#ifndef APIVIDEO_TEST_TIME_TRAVEL_H
#define APIVIDEO_TEST_TIME_TRAVEL_H

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

typedef int (*clock_gettime_function)(clockid_t, struct timespec *);

static clock_gettime_function real_clock_gettime;
static volatile int64_t wall_offset_s, boot_offset_s;

#ifdef __cplusplus
extern "C"
#endif
int clock_gettime(clockid_t id, struct timespec *t)
#ifdef __cplusplus
#if defined(__GLIBC__)
    __THROW
#endif
#endif
{
    int result;
    if (real_clock_gettime == NULL) {
        void *found = dlsym(RTLD_NEXT, "clock_gettime");
        memcpy(&real_clock_gettime, &found, sizeof found);
    }
    result = real_clock_gettime(id, t);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) t->tv_sec += (time_t)wall_offset_s;
    if (id == CLOCK_BOOTTIME) t->tv_sec += (time_t)boot_offset_s;
    return result;
}

/* Time passes for the library. */
static inline void travel_s(int64_t seconds) {
    wall_offset_s += seconds;
    boot_offset_s += seconds;
}

#endif
