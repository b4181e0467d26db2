/* derivation.h - the rows of the table of derivations; inside derive/ only. */
#ifndef HD_DERIVE_DERIVATION_H
#define HD_DERIVE_DERIVATION_H

#include "derive/output.h"
#include "derive/source.h"

typedef struct hd_derivation {
    const char *name;
    const char *const *parameters; /* names that a table may set; ends with NULL */
    const hd_computed *computed;   /* in the order in which run puts them */
    size_t n_computed;
    /* Read the source person by person and put the rows. */
    hd_code (*run)(const hd_table_def *def, hd_source *s, hd_output *out, hd_err *err);
} hd_derivation;

extern const hd_derivation hd_provider_spell, hd_continuous_spell, hd_delivery;

/* The next run of rows that may join: all rows of one person, or one row of nobody. */
static inline uint64_t hd_source_run_end(const hd_source *s, uint64_t begin)
{
    uint64_t end = begin + 1;
    while (s->persons[begin] != 0 && end < s->n_rows && s->persons[end] == s->persons[begin])
        end++;
    return end;
}

/* A parameter as a whole number; HD_FORMAT when it is none. */
HD_MUST hd_code hd_derivation_days(const hd_table_def *def, const char *name, const char *fallback,
                                   int32_t *out, hd_err *err);

#endif
