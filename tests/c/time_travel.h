/*
 * The library's clocks, moved at will: a program that includes this defines clock_gettime() itself, and the library's calls
 * come here. CLOCK_MONOTONIC, by which condition variables wait, stays as it is.
 */
#ifndef APIVIDEO_TEST_TIME_TRAVEL_H
#define APIVIDEO_TEST_TIME_TRAVEL_H

#ifdef _WIN32
#include "time_travel_windows.h"
#else

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

typedef int (*clock_gettime_function)(clockid_t, struct timespec *);

static clock_gettime_function real_clock_gettime;
static int64_t wall_offset_s, boot_offset_s; /* Atomic: the library's threads read them. */

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
    clock_gettime_function real = __atomic_load_n(&real_clock_gettime, __ATOMIC_RELAXED);
    int result;
    if (real == NULL) {
        void *found = dlsym(RTLD_NEXT, "clock_gettime");
        memcpy(&real, &found, sizeof found);
        __atomic_store_n(&real_clock_gettime, real, __ATOMIC_RELAXED);
    }
    result = real(id, t);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) t->tv_sec += (time_t)__atomic_load_n(&wall_offset_s, __ATOMIC_RELAXED);
    if (id == CLOCK_BOOTTIME) t->tv_sec += (time_t)__atomic_load_n(&boot_offset_s, __ATOMIC_RELAXED);
    return result;
}

#endif

/* Time passes for the library. */
static inline void travel_s(int64_t seconds) {
    __atomic_fetch_add(&wall_offset_s, seconds, __ATOMIC_RELAXED);
    __atomic_fetch_add(&boot_offset_s, seconds, __ATOMIC_RELAXED);
}

#endif
