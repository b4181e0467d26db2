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

/* Why a month of a series has no value. */
typedef enum hd_month_state {
    HD_MONTH_MISSING, /* no figure: nothing happened, or nothing was sent */
    HD_MONTH_KNOWN,
    HD_MONTH_WITHHELD,
    HD_MONTH_INCOMPLETE /* has a figure, which rests on too short a follow-up */
} hd_month_state;

/* The released values of one unit, or of the nation, month by month without leaving one out. */
typedef struct hd_series {
    bool has_keys; /* false: the nation */
    hd_figure keys[HD_INDICATOR_MAX_BY]; /* of any of its rows; their texts are the release's */
    double *values;        /* NAN unless the state is HD_MONTH_KNOWN */
    unsigned char *states;
} hd_series;

typedef struct hd_series_set {
    const hd_indicator_file *def;
    hd_release *units; /* texts of keys lie in it */
    const hd_catalogue *catalogue;
    int unit, month; /* positions of the keys, or -1 */
    bool is_provider;
    int first;
    size_t months, n; /* months of each series; series */
    hd_series *series;
} hd_series_set;

/* What an XmR chart that ends with a month says about this month. */
typedef struct hd_signal {
    bool is_known;
    hd_special_cause cause;
    hd_variation variation;
    int towards;
    hd_assurance assurance;
    char note[80]; /* "" or what it does not rest on */
} hd_signal;

typedef struct hd_unit_row {
    hd_figure keys[HD_INDICATOR_MAX_BY]; /* n_by of them; their texts are the release's */
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
    hd_signal signal;
} hd_unit_row;

/* Percentiles of a context. */
typedef struct hd_band {
    uint32_t context;
    int month;
    size_t n;
    double p10, p25, p50, p75, p90;
    hd_estimate national;
    bool is_incomplete;
    hd_signal signal;
} hd_band;

/* compose.c */
HD_MUST hd_code hd_task_prepare(hd_task *t, hd_err *err);
/* The question by all keys, or (national) by all but the unit. */
HD_MUST hd_code hd_compose(const hd_task *t, bool national, hd_buf *sql, hd_err *err);

/* estimate.c: first_figure is the column of the first figure in the release. */
HD_MUST hd_code hd_estimate_row(const hd_task *t, const hd_release *r, size_t row,
                                size_t first_figure, const hd_value *period_keys[],
                                hd_estimate *out, hd_err *err);

/* put.c */
HD_MUST hd_code hd_put_text(hd_release_builder *b, const char *text, hd_err *err);
HD_MUST hd_code hd_put_number(hd_release_builder *b, hd_number n, hd_err *err);
HD_MUST hd_code hd_put_count(hd_release_builder *b, hd_number n, hd_err *err);
HD_MUST hd_code hd_put_integer(hd_release_builder *b, bool is_known, int64_t x, hd_err *err);
HD_MUST hd_code hd_put_flag(hd_release_builder *b, hd_flag flag, hd_err *err);
HD_MUST hd_code hd_put_words(hd_release_builder *b, const char *text, hd_err *err);
HD_MUST hd_code hd_put_signal(hd_release_builder *b, const hd_signal *s, hd_err *err);

/* series.c */
/* Series for the rows, one a number `series` below n_series, and one for the bands when has_bands;
 * HD_OK and *out NULL when not by month. units stays with the caller until hd_series_set_free. */
HD_MUST hd_code hd_series_make(const hd_task *t, const hd_unit_row *rows, size_t n, size_t n_series,
                               const hd_band *bands, size_t n_bands, hd_series_set **out,
                               hd_err *err);
void hd_series_set_free(hd_series_set *s); /* NULL is allowed; frees units, too */
/* The signal of `month` from the signal_months that end with it. */
HD_MUST hd_code hd_signal_find(const hd_task *t, const hd_series_set *set, const hd_series *s,
                               int month, hd_signal *out, hd_err *err);

/* compare.c */
HD_MUST hd_code hd_compare(const hd_task *t, hd_unit_row *rows, size_t n, hd_band *bands,
                           size_t n_contexts, hd_err *err);

/* What the catalogue says of a provider: a name, a region. NULL when nothing; code is scratch. */
const char *hd_look_up(const hd_catalogue *c, const char *lookup, const hd_figure *unit,
                       char code[64]);

#endif
