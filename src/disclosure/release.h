/* release.h - figures that may leave. Made from cells by hd_disclose and by nothing else;
 * everything that writes output takes a release.
 */
#ifndef HD_DISCLOSURE_RELEASE_H
#define HD_DISCLOSURE_RELEASE_H

#include "base/buf.h"
#include "base/vector.h"

/* A rule set, read from catalogue/policies/NAME.yaml (data, not branches). */
typedef struct hd_policy hd_policy;
HD_MUST hd_code hd_policy_open(hd_policy **out, const char *catalogue_folder, const char *name,
                               hd_err *err);
void hd_policy_free(hd_policy *p);
const char *hd_policy_name(const hd_policy *p);
const char *hd_policy_version(const hd_policy *p);
bool hd_policy_shows_true_counts(const hd_policy *p); /* the policy `none` */

typedef struct hd_figure {
    hd_value value; /* meaningless when mark is not 0 */
    char mark;      /* 0: shown; '*': withheld, small number; ':': withheld to protect another */
} hd_figure;

typedef struct hd_release_column {
    const char *name;
    hd_type type;
    bool is_key; /* a breakdown, not a figure */
    /* n_rows each; hd_release_at reads them. */
    hd_vector values;
    const char *marks; /* of hd_figure; NULL: nothing is withheld */
} hd_release_column;

typedef struct hd_release {
    size_t n_columns, n_rows;
    const hd_release_column *columns;
    const char *policy, *policy_version;
    const char *legend;   /* one line that must go with the figures: marks and rounding */
    bool has_true_counts; /* small numbers inside: mark it wherever it is shown */
    uint64_t data_version; /* 0: it does not come from a vault */
    const char *question;
    uint64_t n_withheld; /* marked figures among those shown: stars that everybody sees */
    bool has_left_out; /* some rows are not shown; how many would say what is behind a star */
    bool has_unknown; /* rows for which HAVING reads a withheld figure are not shown either */
    bool has_several; /* numbers of records are rounded further where everybody has several */
    bool has_rounded; /* national counts are rounded, as the exact ones would give others away */
    bool has_near; /* figures are withheld because an earlier release stands in the way */
    const char *certificate; /* digest of the proof that is kept inside; "" when there is none */
} hd_release;

void hd_release_free(hd_release *r);
static inline hd_figure hd_release_at(const hd_release *r, size_t row, size_t column)
{
    const hd_release_column *c = &r->columns[column];
    if (c->marks && c->marks[row])
        return (hd_figure){{.type = c->type, .is_null = true}, c->marks[row]};
    return (hd_figure){.value = hd_vector_at(&c->values, row)};
}
/* Position of a column by name, or -1. */
int hd_release_column_find(const hd_release *r, const char *name);

struct hd_engine;
/* Ask, run, disclose: the one way from SQL to figures. */
HD_MUST hd_code hd_release_ask(hd_release **out, struct hd_engine *e, const hd_policy *p,
                               const char *sql, hd_err *err);

/* The same for a question that the catalogue defines (an indicator). Figures of two such questions
 * that differ by few people are audited like figures of one answer; those of a question that
 * somebody made up are withheld beside any other. */
HD_MUST hd_code hd_release_ask_defined(hd_release **out, struct hd_engine *e, const hd_policy *p,
                                       const char *sql, hd_err *err);

struct hd_question;
/* HD_DENIED: hd_release_ask would refuse the question before it reads any record. */
HD_MUST hd_code hd_release_admit(const hd_policy *p, const struct hd_question *q, hd_err *err);

/* What the ledger holds of a release. */
typedef struct hd_release_entry {
    int64_t number;
    const char *at, *asker, *agreement; /* when in UTC; "" where no agreement was named */
    const char *table, *policy, *question;
    const char *certificate; /* digest in hexadecimal, "" when there is none */
    uint64_t data_version;
    int64_t near; /* figures withheld because of earlier releases */
} hd_release_entry;
struct hd_vault;
/* Every release, oldest first; what e points to ends with the call. */
HD_MUST hd_code hd_release_each(struct hd_vault *v,
                                hd_code (*take)(void *ctx, const hd_release_entry *e, hd_err *err),
                                void *ctx, hd_err *err);
/* Append the certificate with this digest (a part of it that only one has will do) after adding it
 * up. HD_NOTFOUND: no release has it. */
HD_MUST hd_code hd_release_proof(struct hd_vault *v, const char *digest, hd_buf *out, hd_err *err);

/* The columns and origin of a release without its rows and questions: for what cannot be shown beside
 * it. */
HD_MUST hd_code hd_release_without_rows(hd_release **out, const hd_release *like, hd_err *err);

/* A new release whose columns are computed from releases (indicators: values, limits, flags). The
 * builder copies names and text. Figures must be computed from released figures only. */
typedef struct hd_release_builder hd_release_builder;
HD_MUST hd_release_builder *hd_release_builder_new(const hd_release *like); /* policy, versions */
HD_MUST hd_code hd_release_builder_column(hd_release_builder *b, const char *name, hd_type type,
                                          bool is_key, hd_err *err);
/* Another release that the figures rest on: its question and certificate go behind those of
 * `like`. */
HD_MUST hd_code hd_release_builder_also(hd_release_builder *b, const hd_release *other,
                                        hd_err *err);
/* Figures row by row, left to right. */
HD_MUST hd_code hd_release_builder_put(hd_release_builder *b, const hd_figure *f, hd_err *err);
HD_MUST hd_code hd_release_builder_finish(hd_release_builder *b, hd_release **out, hd_err *err);
void hd_release_builder_free(hd_release_builder *b);

#endif
