/* shape.h - what a batch kernel works out once for a question: predicates as signatures, the
 * columns that are read, which update each measure needs.
 *
 * Inside src/kernel only. All predicates of a question, of `where`, filters and arguments alike,
 * read codes of a few columns. The codes of one column fall into few groups that no predicate tells
 * apart; a row's groups together are one of at most 256 signatures (or two numbers below 256 that a
 * table turns into one). A signature says everything: whether the row is selected, and in which
 * classes it counts. So any number of predicates costs one pass over their columns.
 */
#ifndef HD_KERNEL_SHAPE_H
#define HD_KERNEL_SHAPE_H

#include "kernel/ops.h"
#include "kernel/plan.h"

enum { HD_K_SIGNATURES = 256, HD_K_MAX_CLASSES = 64, HD_K_PARTS = 2 };

typedef struct hd_k_reader { /* one column that predicates read */
    hd_k_codes codes;
    const uint32_t *starts; /* a list: the atom's table decides, see hd_k_atom */
    const uint8_t *lut;
    hd_k_adds adds;
    uint8_t list_adds; /* when any element satisfies */
    unsigned part;     /* of the sums: 0 or 1 */
    uint8_t *by_code;  /* adds.by_code, owned */
    uint8_t *bits;     /* adds.bits, owned */
} hd_k_reader;

typedef struct hd_k_key { /* one group that a set uses */
    bool is_shifted; /* slot = code - lowest, or 0 */
    uint32_t lowest;
    const uint8_t *bytes; /* 256 slots: codes and slots fit a byte; else NULL */
    size_t column;
} hd_k_key;

typedef struct hd_k_shape {
    size_t n_readers;
    hd_k_reader *readers;
    unsigned n_parts; /* 0: no predicates */
    hd_k_joined joined; /* with two parts */
    uint8_t *joined_of; /* joined.of, owned */
    unsigned n_signatures;
    uint64_t members[HD_K_SIGNATURES]; /* classes a signature counts in, class 0 among them; 0: not
                                        * selected */
    uint8_t keep[HD_K_SIGNATURES];     /* members != 0 */
    bool keeps_all;
    unsigned n_live; /* different sets of classes among the selected */
    uint8_t live_of[HD_K_SIGNATURES];
    uint64_t live[HD_K_SIGNATURES];         /* classes of each */
    uint8_t (*class_keep)[HD_K_SIGNATURES]; /* n_classes */
    bool *class_is_all;                     /* n_classes: every selected row is a member */
    size_t n_columns;                       /* different columns that groups and measures read */
    hd_k_codes *columns;
    hd_k_key *keys; /* n_groups */
    uint8_t (*key_bytes)[256];
    size_t *measure_column; /* n_measures */
    bool *ranks_ascend;         /* n_measures: with codes, of those that have a value */
    hd_k_key *ranks;            /* n_measures: rank = code - lowest; without column or bytes */
    uint8_t (*rank_bytes)[256]; /* n_measures: ranks, where they fit a byte as codes do */
} hd_k_shape;

/* *fits is false when the predicates have too many signatures; then nothing is held. */
HD_MUST hd_code hd_k_shape_make(hd_k_shape *s, const hd_k_plan *p, bool *fits, hd_err *err);
void hd_k_shape_free(hd_k_shape *s);

#endif
