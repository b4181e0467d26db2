/* concordance.c - the c-statistic: see hd_c_statistic in glm.h. Rows are shared out by the size of
 * their probability, each share is sorted on its own, and what it adds for the pairs with the
 * shares below it needs totals only. How they are shared out depends on the probabilities alone,
 * so the number of threads changes nothing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "statistics/glm.h"

enum { SHARES = 1 << 17, TASKS = 64, FEW = 32 };

typedef struct scored {
    uint64_t key; /* bits of the probability: in the order of positive numbers */
    double events, others;
} scored;

typedef struct part {
    double won, events, others;
} part;

typedef struct work {
    const double *probability, *events, *trials;
    /* Rows of share 0, then of share 1, ...; where every row is one event or none, which is most
     * of the time, a word each will do: the key, then the event in place of the sign. */
    scored *rows;
    uint64_t *words;
    size_t *start;  /* SHARES + 1: where the next row of a share goes; then where shares end */
    uint64_t least; /* key */
    unsigned shift; /* share of a key: (key - least) >> shift */
    part parts[TASKS];
} work;

static uint64_t key_of(double p)
{
    uint64_t key;
    p = fabs(p); /* no negative zero */
    memcpy(&key, &p, sizeof key);
    return key;
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = ((const scored *)a)->key, y = ((const scored *)b)->key;
    return (x > y) - (x < y);
}

static void sort_share(scored *v, size_t n)
{
    if (n > FEW) {
        qsort(v, n, sizeof *v, by_key);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        scored one = v[i];
        size_t at = i;
        for (; at > 0 && v[at - 1].key > one.key; at--)
            v[at] = v[at - 1];
        v[at] = one;
    }
}

/* Pairs within a share, and of its events with the others below it in the same task. */
static void count_share(const scored *v, size_t n, part *t)
{
    for (size_t i = 0; i < n;) {
        double others = 0, events = 0;
        uint64_t key = v[i].key;
        for (; i < n && v[i].key == key; i++) {
            others += v[i].others;
            events += v[i].events;
        }
        t->won += events * (t->others + others / 2);
        t->others += others;
        t->events += events;
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void sort_words(uint64_t *v, size_t n)
{
    if (n > FEW) {
        qsort(v, n, sizeof *v, by_value);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        uint64_t one = v[i];
        size_t at = i;
        for (; at > 0 && v[at - 1] > one; at--)
            v[at] = v[at - 1];
        v[at] = one;
    }
}

static void count_words(const uint64_t *v, size_t n, part *t)
{
    for (size_t i = 0; i < n;) {
        uint64_t key = v[i] >> 1, events = 0, from = i;
        for (; i < n && v[i] >> 1 == key; i++)
            events += v[i] & 1;
        double others = (double)(i - from - events);
        t->won += (double)events * (t->others + others / 2);
        t->others += others;
        t->events += (double)events;
    }
}

static hd_code run_task(void *context, size_t which, hd_err *err)
{
    (void)err;
    work *w = context;
    for (size_t s = which * (SHARES / TASKS); s < (which + 1) * (SHARES / TASKS); s++) {
        size_t from = s ? w->start[s - 1] : 0, n = w->start[s] - from;
        if (w->words) {
            sort_words(w->words + from, n);
            count_words(w->words + from, n, &w->parts[which]);
        } else {
            sort_share(w->rows + from, n);
            count_share(w->rows + from, n, &w->parts[which]);
        }
    }
    return HD_OK;
}

static void share_out(work *w, size_t n)
{
    uint64_t most = 0;
    w->least = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        uint64_t key = key_of(w->probability[i]);
        w->least = key < w->least ? key : w->least;
        most = key > most ? key : most;
    }
    while (n && (most - w->least) >> w->shift >= SHARES)
        w->shift++;
    for (size_t i = 0; i < n; i++)
        w->start[((key_of(w->probability[i]) - w->least) >> w->shift) + 1]++;
    for (size_t s = 1; s < SHARES; s++)
        w->start[s] += w->start[s - 1];
    for (size_t i = 0; i < n; i++) {
        uint64_t key = key_of(w->probability[i]);
        size_t at = w->start[(key - w->least) >> w->shift]++;
        double trials = w->trials ? w->trials[i] : 1;
        if (w->words)
            w->words[at] = key << 1 | (w->events[i] > 0);
        else
            w->rows[at] = (scored){key, w->events[i], trials - w->events[i]};
    }
}

hd_code hd_c_statistic(const double *probability, const double *events, const double *trials,
                       size_t n, double *out, hd_err *err)
{
    hd_code rc = HD_OK;
    double below = 0, won = 0, all = 0;
    work w = {probability, events, trials};
    bool single = true;
    for (size_t i = 0; i < n && single; i++)
        single = (!trials || trials[i] == 1) && (events[i] == 0 || events[i] == 1);
    if (single)
        w.words = hd_calloc(n + 1, sizeof *w.words);
    else
        w.rows = hd_calloc(n + 1, sizeof *w.rows);
    w.start = hd_calloc(SHARES + 1, sizeof *w.start);
    if ((!w.rows && !w.words) || !w.start)
        HD_GO(hd_fail_nomem(err));
    share_out(&w, n);
    HD_GO(hd_par_run(TASKS, run_task, &w, err));
    for (size_t t = 0; t < TASKS; t++) {
        won += w.parts[t].won + w.parts[t].events * below;
        below += w.parts[t].others;
        all += w.parts[t].events;
    }
    *out = all > 0 && below > 0 ? won / all / below : (double)NAN;
out:
    hd_free(w.rows);
    hd_free(w.words);
    hd_free(w.start);
    return rc;
}
