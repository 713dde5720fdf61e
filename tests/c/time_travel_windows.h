/* time_travel.h on Windows. QueryPerformanceCounter, by which std measures waits, stays as it is. */
#include "imports_windows.h"

#include <stdint.h>

static int64_t wall_offset_s, boot_offset_s; /* Atomic: the library's threads read them. */

static inline ULONGLONG WINAPI moved_ticks(void) {
    return GetTickCount64() + (ULONGLONG)__atomic_load_n(&boot_offset_s, __ATOMIC_RELAXED) * 1000;
}

static inline void WINAPI moved_time(FILETIME *time) {
    ULARGE_INTEGER units; /* Of 100 ns. */
    GetSystemTimePreciseAsFileTime(time);
    units.LowPart = time->dwLowDateTime;
    units.HighPart = time->dwHighDateTime;
    units.QuadPart += (ULONGLONG)__atomic_load_n(&wall_offset_s, __ATOMIC_RELAXED) * 10000000;
    time->dwLowDateTime = units.LowPart;
    time->dwHighDateTime = units.HighPart;
}

/* Before main(). */
__attribute__((constructor)) static void take_over_the_clocks(void) {
    ULONGLONG(WINAPI * ticks)(void) = moved_ticks;
    void(WINAPI * time)(FILETIME *) = moved_time;
    void *address;
    ADDRESS_OF(ticks, address);
    take_over("kernel32.dll", "GetTickCount64", address);
    ADDRESS_OF(time, address);
    take_over("kernel32.dll", "GetSystemTimePreciseAsFileTime", address);
    take_over("kernel32.dll", "GetSystemTimeAsFileTime", address);
}
