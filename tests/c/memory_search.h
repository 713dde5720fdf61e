/*
 * Where in this process's memory a secret is: in all that is writable, read as a debugger reads it.
 */
#ifndef APIVIDEO_TEST_MEMORY_SEARCH_H
#define APIVIDEO_TEST_MEMORY_SEARCH_H

#include "needle.h"
#include "support.h"

#ifndef _WIN32
#include <sys/uio.h>
#endif

static unsigned char window[1 << 20];

/* How many bytes were copied into the window; less than 1: none. */
static inline ssize_t copy_to_window(uintptr_t from, size_t length) {
#ifdef _WIN32
    SIZE_T got = 0;
    ReadProcessMemory(GetCurrentProcess(), (const void *)from, window, length, &got);
    return (ssize_t)got;
#else
    struct iovec local, remote;
    local.iov_base = window;
    remote.iov_base = (void *)from;
    local.iov_len = remote.iov_len = length;
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
#endif
}

/* How often the needle is there, but for the window itself, which holds copies of what was searched. */
static inline int count_in_range(uintptr_t from, uintptr_t to, const needle *n) {
    uintptr_t begin = (uintptr_t)window, end = begin + sizeof window, at;
    int found = 0;
    if (from < end && to > begin) {
        if (from < begin) found += count_in_range(from, begin, n);
        if (to > end) found += count_in_range(end, to, n);
        return found;
    }
    /* A needle lies in one part, or else wholly in the next. */
    for (at = from; at < to; at += sizeof window - (n->length - 1))
        found += count_in(window, copy_to_window(at, to - at < sizeof window ? to - at : sizeof window), n);
    return found;
}

/* How often the needle is in the writable memory of this process. */
static inline int count_in_memory(const needle *n) {
    int found = 0;
#ifdef _WIN32
    MEMORY_BASIC_INFORMATION region;
    uintptr_t at = 0;
    for (; VirtualQuery((const void *)at, &region, sizeof region) != 0; at += region.RegionSize)
        if (region.State == MEM_COMMIT && (region.Protect == PAGE_READWRITE || region.Protect == PAGE_EXECUTE_READWRITE))
            found += count_in_range(at, at + region.RegionSize, n);
#else
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    REQUIRE(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) {
        uintptr_t from, to;
        char mode[5];
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &from, &to, mode) != 3) continue;
        if (mode[0] == 'r' && mode[1] == 'w' && strstr(line, "[v") == NULL) found += count_in_range(from, to, n);
    }
    fclose(maps);
#endif
    memset(window, 0, sizeof window);
    return found;
}

#endif
