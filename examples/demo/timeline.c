#define _POSIX_C_SOURCE 200809L

#include "timeline.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MOST_TOKENS = 64, COLUMNS_A_SECOND = 4, MOST_COLUMNS = 120, LABEL = 14 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    double at, usable;
    int is_refreshed;
} tokens[MOST_TOKENS];
static int count;
static double outage_from, outage_until;

void timeline_add_token(double at, double usable, int is_refreshed) {
    pthread_mutex_lock(&lock);
    if (count < MOST_TOKENS) {
        tokens[count].at = at;
        tokens[count].usable = usable;
        tokens[count++].is_refreshed = is_refreshed;
    }
    pthread_mutex_unlock(&lock);
}

void timeline_add_outage(double from, double until) {
    pthread_mutex_lock(&lock);
    outage_from = from;
    outage_until = until;
    pthread_mutex_unlock(&lock);
}

int timeline_gap(double *from, double *until) {
    double longest = 0;
    pthread_mutex_lock(&lock);
    for (int i = 1; i < count; i++) {
        double end = tokens[i - 1].at + tokens[i - 1].usable;
        if (tokens[i].at - end > longest) {
            longest = tokens[i].at - end;
            *from = end;
            *until = tokens[i].at;
        }
    }
    pthread_mutex_unlock(&lock);
    return longest > 0;
}

static void fill(char *row, double from, double until, char what) {
    for (int i = (int)(from * COLUMNS_A_SECOND); i < until * COLUMNS_A_SECOND && i < MOST_COLUMNS; i++) {
        row[i] = what;
    }
}

static void print_row(const char *label, const char *row) {
    int length = MOST_COLUMNS;
    while (length > 0 && row[length - 1] == ' ') {
        length--;
    }
    printf("  %-*s%.*s\n", LABEL, label, length, row);
}

/* The seconds, a number every five. */
static void print_scale(double end) {
    char row[MOST_COLUMNS + 1];
    memset(row, ' ', sizeof row);
    for (int second = 0; second <= end && (second + 1) * COLUMNS_A_SECOND <= MOST_COLUMNS; second++) {
        char text[8] = ".";
        if (second % 5 == 0) {
            snprintf(text, sizeof text, "%d", second);
        }
        memcpy(row + second * COLUMNS_A_SECOND, text, strlen(text));
    }
    print_row("Seconds", row);
}

static void draw_token(int i, double end) {
    char row[MOST_COLUMNS], label[32];
    double expiry = tokens[i].at + tokens[i].usable;
    double replaced = i + 1 < count && tokens[i + 1].at < expiry ? tokens[i + 1].at : expiry;
    memset(row, ' ', sizeof row);
    fill(row, outage_from, outage_until, ':');
    fill(row, tokens[i].at, expiry < end ? expiry : end, '-');
    fill(row, tokens[i].at, replaced < end ? replaced : end, '=');
    snprintf(label, sizeof label, "%d, %s", i + 1, tokens[i].is_refreshed ? "refresh" : "API key");
    print_row(label, row);
}

void timeline_draw(double end) {
    pthread_mutex_lock(&lock);
    print_scale(end);
    for (int i = 0; i < count; i++) {
        draw_token(i, end);
    }
    puts("\n  A row for each token: = in use, - still valid, : authentication is down.");
    pthread_mutex_unlock(&lock);
}
