/* What happened when, kept to be drawn in text at the end. Times are seconds since the start. Any thread may call these. */

#ifndef TIMELINE_H
#define TIMELINE_H

/* A token was obtained, with the refresh token or with the API key, that is handed out for so long. */
void timeline_add_token(double at, double usable, int is_refreshed);

/* Authentication was down from the first moment to the second. */
void timeline_add_outage(double from, double until);

/* The longest time without a usable token between two of them. False if there was none. */
int timeline_gap(double *from, double *until);

/* Draws it until that moment: a bar for each token, the outage as a band behind them. */
void timeline_draw(double end);

#endif
