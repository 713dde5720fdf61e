/* What upload.c and upload_curl.c share: a file, and what it took to send it. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "first_token.h"

struct start {
    double ms, rss;
};

/* From now on: what was the peak before counts no more. */
static inline struct start begin(void) {
    struct start start;
    FILE *peak = fopen("/proc/self/clear_refs", "w");
    must(peak != NULL && fputs("5", peak) > 0 && fclose(peak) == 0, "/proc/self/clear_refs");
    start.rss = rss_mib("VmRSS:");
    start.ms = ms_now();
    return start;
}

/* Milliseconds, and by how many MiB the memory in use has grown at most. */
static inline void end(struct start start) {
    double ms = ms_now() - start.ms;
    printf("%.1f %.2f\n", ms, rss_mib("VmHWM:") - start.rss);
}
