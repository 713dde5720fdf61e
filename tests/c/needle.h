/*
 * Secrets that a test looks for in memory or in a file, without keeping a copy that would be found.
 */
#ifndef APIVIDEO_TEST_NEEDLE_H
#define APIVIDEO_TEST_NEEDLE_H

#include <string.h>
#include <sys/types.h>

/* Secrets are kept inverted here, so that this program's own copy is never found. */
typedef struct {
    unsigned char inverted[64];
    size_t length;
} needle;

/* Of the end of a text: tokens begin alike. */
static inline needle needle_of(const char *text) {
    needle n;
    size_t i;
    n.length = strlen(text) < 64 ? strlen(text) : 64;
    text += strlen(text) - n.length;
    for (i = 0; i < n.length; i++) n.inverted[i] = (unsigned char)~text[i];
    return n;
}

static inline int matches(const unsigned char *at, const needle *n) {
    size_t i;
    for (i = 0; i < n->length; i++)
        if ((at[i] ^ n->inverted[i]) != 0xff) return 0;
    return 1;
}

/* How often the needle is in these bytes. */
static inline int count_in(const unsigned char *bytes, ssize_t length, const needle *n) {
    int found = 0;
    ssize_t i;
    for (i = 0; i + (ssize_t)n->length <= length; i++)
        if (matches(bytes + i, n)) found++;
    return found;
}

#endif
