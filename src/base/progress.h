/* progress.h - one line of progress on standard error while long work runs; silent when standard
 * error is not a terminal. Shows counts of bytes and rows only, never data. */
#ifndef HD_BASE_PROGRESS_H
#define HD_BASE_PROGRESS_H

#include <stdint.h>

typedef struct hd_progress {
    const char *what;
    uint64_t total; /* 0: unknown */
    uint64_t done;  /* of hd_progress_more */
    int64_t last_ms;
    int shown;
} hd_progress;

void hd_progress_begin(hd_progress *p, const char *what, uint64_t total);
void hd_progress_at(hd_progress *p, uint64_t done); /* redraws at most five times a second */
void hd_progress_more(hd_progress *p);              /* one more is done */
void hd_progress_end(hd_progress *p);               /* clears the line */

#endif
