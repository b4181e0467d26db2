/* work.h - shared by the files of src/indicators; nobody else includes it. */
#ifndef HD_INDICATORS_WORK_H
#define HD_INDICATORS_WORK_H

#include "base/buf.h"
#include "indicators/indicator.h"

#include <math.h>

typedef enum hd_by_kind { HD_BY_FIELD, HD_BY_MONTH, HD_BY_QUARTER, HD_BY_YEAR } hd_by_kind;

/* What every step needs to know about one evaluation. */
typedef struct hd_task {
    hd_engine *engine;
    const hd_policy *policy;
    const hd_indicator_file *def;
    const hd_indicator_request *request;
    const hd_table_def *table;
    hd_by_kind kinds[HD_INDICATOR_MAX_BY];
    int unit;     /* position in by, or -1 */
    int month;    /* position of month in by, or -1 */
    int data_end; /* last month that the data cover; INT32_MAX: not known */
} hd_task;

/* A number that may be withheld or missing. */
typedef struct hd_number {
    double x; /* NAN when NULL or withheld */
    char mark;
} hd_number;

static inline bool hd_is_known(hd_number n)
{
    return n.mark == 0 && !isnan(n.x);
}

/* A value with its interval and what it was made from. */
typedef struct hd_estimate {
    hd_number numerator, denominator, sd;
    hd_number value, lower, upper;
} hd_estimate;

typedef enum hd_flag { HD_FLAG_UNKNOWN, HD_FLAG_NO, HD_FLAG_YES } hd_flag;

typedef struct hd_unit_row {
    const hd_figure *keys; /* in the release; n_by of them */
    uint32_t context;      /* rows with the same keys but for the unit */
    uint32_t series;       /* rows with the same keys but for the month */
    int month;             /* index, or INT32_MIN */
    int peer_class;        /* -1: outside the peers */
    hd_estimate own;
    hd_number national, peer_median;
    bool is_ranked;
    unsigned decile; /* 0: none */
    hd_flag worst;
    int funnel; /* -2, -1, 0, 1, 2; INT32_MIN: none */
    hd_number funnel_p;
    int months_flagged; /* -1: not known */
    bool is_incomplete;
} hd_unit_row;

/* Percentiles of a context. */
typedef struct hd_band {
    uint32_t context;
    int month;
    size_t n;
    double p10, p25, p50, p75, p90;
    hd_estimate national;
} hd_band;

/* compose.c */
HD_MUST hd_code hd_task_prepare(hd_task *t, hd_err *err);
/* The question by all keys, or (national) by all but the unit. */
HD_MUST hd_code hd_compose(const hd_task *t, bool national, hd_buf *sql, hd_err *err);

/* estimate.c: first_figure is the column of the first figure in the release. */
HD_MUST hd_code hd_estimate_row(const hd_task *t, const hd_release *r, size_t row,
                                size_t first_figure, const hd_value *period_keys[],
                                hd_estimate *out, hd_err *err);

/* compare.c */
HD_MUST hd_code hd_compare(const hd_task *t, hd_unit_row *rows, size_t n, hd_band *bands,
                           size_t n_contexts, hd_err *err);

#endif
