/* What first_token.c and first_token_curl.c share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline double ms_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static inline void must(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

/* "VmHWM:" is the peak, "VmRSS:" what is resident now. */
static inline double rss_mib(const char *which) {
    char line[256];
    double kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    must(status != NULL, "/proc/self/status");
    while (kib == 0 && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, which, strlen(which)) == 0) kib = atof(line + strlen(which));
    fclose(status);
    return kib / 1024;
}

static inline void report(double first_ms, double refresh_ms) {
    printf("%.3f %.3f %.2f\n", first_ms, refresh_ms, rss_mib("VmHWM:"));
}
