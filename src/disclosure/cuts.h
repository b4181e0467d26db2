/* cuts.h - what sums between figures that cut across each other (overlaps.h, short_sums.h) say of few
 * people: figures of the answer and of earlier ones, and the sums that are found among them.
 *
 * Looked at together are the figures under the same values of keys, the latest first; and whatever
 * their keys, those of answers with few figures: what an asker makes up to take apart is asked figure
 * by figure. Records of one table, and people, are searched by what they are (overlaps.h); all of
 * them together by how many of each person there are (short_sums.h).
 *
 * Sound: a sum is only used when the identities of the records confirm it, so its bounds hold.
 * Missed: figures that are not looked at together, and sums that no draw finds.
 */
#ifndef HD_DISCLOSURE_CUTS_H
#define HD_DISCLOSURE_CUTS_H

#include "disclosure/audit_work.h"

typedef struct hd_range {
    int64_t low, high; /* -HD_NO_BOUND, HD_NO_BOUND: endless */
} hd_range;

static inline hd_range hd_range_both(hd_range x, hd_range y)
{
    return (hd_range){x.low > y.low ? x.low : y.low, x.high < y.high ? x.high : y.high};
}

/* INT64_MAX: no end of them. */
static inline int64_t hd_range_values(hd_range r)
{
    if (r.low <= -HD_NO_BOUND || r.high >= HD_NO_BOUND)
        return INT64_MAX;
    return r.high < r.low ? 0 : r.high - r.low + 1;
}

/* A figure of the answer or an earlier one. */
typedef struct hd_cut_figure {
    uint64_t place;
    size_t age; /* 0: of the answer; then the latest first */
    const hd_set *set;
    const hd_printed *printed;
    size_t item; /* of the answer, or SIZE_MAX */
    hd_set_kind kind; /* as of hd_audit_figure */
    bool is_controlled, is_defined, is_loose;
    bool is_unasked; /* few people of whom earlier answers tell */
} hd_cut_figure;

/* Few people who were asked for, by their two names. */
typedef struct hd_cut_asked {
    uint64_t by_sum[2], by_profile[2];
    const hd_cut_figure *figure;
} hd_cut_asked;

typedef struct hd_cut_figures {
    hd_cut_figure *items; /* by place, then the latest first */
    size_t n, cap;
    hd_cut_asked *asked; /* ascending by_sum */
    uint32_t *by_profile; /* the same, ascending by_profile */
    size_t n_asked, asked_cap;
} hd_cut_figures;

/* What one sum says of few people: sum of factors times figures = times the few. */
typedef struct hd_cut {
    hd_range leaves; /* to them, as printed when last measured */
    uint64_t few[2]; /* their name */
    uint32_t *figures;
    int32_t *factors;
    size_t n;
    int64_t times;
    bool is_mixed; /* some may be left over with the other sign */
    bool leaves_few; /* figures of one kind leave the few, whom nobody asked for */
} hd_cut;

typedef struct hd_cuts {
    hd_cut *items;
    size_t n, cap;
} hd_cuts;

/* Values that a sum leaves; more, and it hardly ever says more than others. */
enum { HD_CUT_WIDEST = 40 };

/* Also from one side only: what is withheld for others is more than a star is. */
static inline bool hd_cut_is_telling(hd_range r)
{
    enum { MOST = 7 };
    return hd_range_values(r) <= HD_CUT_WIDEST || r.low > 1 || r.high <= MOST;
}

/* Few people whom nobody asked for that are searched, and that an answer adds. */
enum { HD_CUT_FEW = 24 };

/* What an asker makes up to take figures apart is an answer with few of them. */
bool hd_cut_is_loose(const hd_account *a);
/* Of a row; whatever the order of the keys. 0: no key is told apart. */
uint64_t hd_cut_place(const hd_account *a, size_t cell);

/* The answer's and those that the audit remembers; good as long as they are. */
HD_MUST hd_code hd_cut_figures_list(hd_cut_figures *out, const hd_audit *a, hd_err *err);
void hd_cut_figures_free(hd_cut_figures *f);

/* In the ledger, what sums say of few people stands under their name, marked: whole profiles
 * have the same place. */
void hd_cut_name(uint64_t out[2], const uint64_t sum[2], bool by_profile);
int hd_cut_compare_names(const void *x, const void *y); /* uint64_t[2] */
/* The k-th who was asked for, by name of one kind; NULL: it is not of this name. Those of one name
 * follow each other from hd_cut_find_asked. */
size_t hd_cut_find_asked(const hd_cut_figures *f, bool by_profile, const uint64_t name[2]);
const hd_cut_asked *hd_cut_asked_at(const hd_cut_figures *f, bool by_profile, size_t k,
                                    const uint64_t name[2]);

/* All sums that are found with a figure of the answer. The same figures give the same cuts. */
HD_MUST hd_code hd_cuts_find(hd_cuts *out, const hd_audit *a, const hd_cut_figures *f, hd_err *err);
void hd_cuts_free(hd_cuts *c);
/* What is left to the few, as the figures are printed now. */
hd_range hd_cut_range(const hd_cut_figures *f, const hd_cut *c);

#endif
