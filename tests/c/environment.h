/*
 * The environment as the library reads it. C99 and later, C++11 and later.
 */
#ifndef APIVIDEO_TEST_ENVIRONMENT_H
#define APIVIDEO_TEST_ENVIRONMENT_H

#ifdef _WIN32
#include <winsock2.h>
#include <windows.h>

/* A value that is no UTF-8 becomes one that is no UTF-16 either. Whether it could be set. */
static inline int set_variable(const char *name, const char *value) {
    wchar_t wide_name[64], wide[1024];
    if (MultiByteToWideChar(CP_UTF8, 0, name, -1, wide_name, 64) == 0) return 0;
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, value, -1, wide, 1024) == 0) {
        wide[0] = 0xd800;
        wide[1] = 0;
    }
    return SetEnvironmentVariableW(wide_name, wide) != 0;
}

static inline void unset_variable(const char *name) { SetEnvironmentVariableA(name, NULL); }
#else
#include <stdlib.h>

static inline int set_variable(const char *name, const char *value) { return setenv(name, value, 1) == 0; }

static inline void unset_variable(const char *name) { unsetenv(name); }
#endif

#endif
