/* reader.h - a reader who tries every whole-number table.
 *
 * A release is a set of forms: a sum and difference of leaves that lies between two bounds. The
 * reader finds, by depth-first search over the leaves, which values a form can have in tables that
 * satisfy them all. Shares no code with src/disclosure.
 *
 * Only tables whose leaves are not far above the true ones are tried, first READER_NEAR and, where
 * these do not show what is asked for, READER_FAR: a sum that moves by one may move a leaf by
 * several, so that a wide enough range of sums can need leaves further away than it is wide.
 */
#ifndef HD_TEST_READER_H
#define HD_TEST_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    READER_LEAVES = 27,
    READER_FORMS = 512,
    READER_TARGETS = 4096,
    READER_NEAR = 30, READER_FAR = 600,
};

/* plus, minus: sets of leaves. */
typedef struct reader_form {
    int64_t low, high;
    uint32_t plus, minus;
} reader_form;

typedef struct reader reader;

/* truth: a table that satisfies all forms; its neighbourhood is searched first. */
reader *reader_new(size_t n_leaves, const int64_t *truth);
void reader_free(reader *r);
/* False when the true table does not satisfy it. */
bool reader_knows(reader *r, reader_form form);
/* What is asked for: does `plus` less `minus` have so many different values (or, where `width` is
 * not 0, two that differ by it) within low .. high? The true value is, of those with a width. */
typedef struct reader_target {
    reader_form form; /* of the values that count */
    int values;
    int64_t width;
    uint64_t seen; /* bits: values from the lowest of 64 around the truth */
    int64_t up, down; /* with a width: how far above and below the truth there are values */
    bool is_cut;   /* the search among near tables was ended before it was through */
} reader_target;
/* Add up a table that somebody else found: noted for every target when it satisfies all forms. */
bool reader_note(reader *r, const int64_t *leaf, reader_target *targets, size_t n);
/* Search for what is missing to the target; what is found is noted for all of them. */
bool reader_has(reader *r, reader_target *t, reader_target *targets, size_t n);
/* How far the search went since reader_new. */
uint64_t reader_nodes(const reader *r);

#endif
