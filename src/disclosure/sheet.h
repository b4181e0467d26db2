/* sheet.h - a table from a CSV file, whole: its dimensions, all margins, and what is in each cell.
 *
 * Three kinds of file. Counts (`count`): a row a cell; cells that are left out are 0, margins are
 * worked out where they are left out and must add up where they are there. Sums (`value` beside
 * `contributors`): the same with decimals. Records (neither): a row a record, which is counted, or
 * whose `value` is added up.
 *
 * These are true figures: nothing outside disclosure/ may include this file.
 */
#ifndef HD_DISCLOSURE_SHEET_H
#define HD_DISCLOSURE_SHEET_H

#include "disclosure/axis.h"
#include "disclosure/protect.h"
#include "disclosure/system.h"

enum { HD_SHEET_TOP = 5 }; /* largest contributors that are kept */

/* One of the largest contributors; weight: how many contributors it stands for, at most 5. */
typedef struct hd_contributor {
    int64_t value; /* -1: there is none, or it is not known */
    int64_t weight;
} hd_contributor;

typedef struct hd_sheet {
    const char *name; /* of the file, borrowed */
    size_t n_dims;
    hd_axis *axes;                            /* in the order of --dims */
    size_t lattice_dim[HD_LATTICE_DIMENSIONS]; /* of each axis: the lattice has them by name */
    hd_lattice *lattice;
    size_t n_cells;
    bool is_sorted;   /* records: their order is nobody's business */
    int64_t *count;   /* records, or contributors to the sum */
    int64_t *people;  /* distinct; NULL: not told apart from records */
    int64_t *sum;     /* in units of 10^-decimals; NULL: a table of counts */
    unsigned decimals;
    hd_contributor *top; /* n_cells * HD_SHEET_TOP, largest first; NULL: not known */
    bool *is_given;      /* cell was a row of the file */
    bool *is_exact;      /* --exact */
    bool *is_wanted;     /* --wanted */
    int64_t *width;      /* --sensitive: how uncertain; -1: not asked */
} hd_sheet;

HD_MUST hd_code hd_sheet_read(hd_sheet *t, const hd_protect_options *o, hd_err *err);
void hd_sheet_free(hd_sheet *t); /* wipes */

/* ---- for audit too ---- */

/* The dimensions named (comma-separated) and the trees "dim=FILE" over them. */
HD_MUST hd_code hd_sheet_axes(hd_sheet *t, const char *dims, const char *const *hierarchies,
                              size_t n_hierarchies, const char *total, hd_err *err);
/* The cell of each row of the file. Finishes the axes and makes the lattice. cells: n_rows, freed
 * by the caller. */
HD_MUST hd_code hd_sheet_place(hd_sheet *t, const hd_csv *csv, uint32_t **cells, hd_err *err);
/* Set flags[cell] for each cell with the code of "dim=code". option: used in errors. */
HD_MUST hd_code hd_sheet_flag(const hd_sheet *t, const char *option, const char *text, bool *flags,
                              hd_err *err);
/* The cell whose codes stand in a row of another file with the same dimensions. */
HD_MUST hd_code hd_sheet_find(const hd_sheet *t, const hd_csv *csv, const char *name, size_t row,
                              size_t *cell, hd_err *err);
/* All cells in the order in which a reader expects them. order: n_cells, freed by the caller. */
HD_MUST hd_code hd_sheet_order(const hd_sheet *t, uint32_t **order, hd_err *err);
/* The code of a cell in dimension d (of --dims). Borrowed. */
const char *hd_sheet_code(const hd_sheet *t, size_t cell, size_t d);
/* Column of the file by name; HD_NOTFOUND names the option that asked for it. */
HD_MUST hd_code hd_sheet_column(const hd_csv *csv, const char *file, const char *option,
                                const char *name, int *column, hd_err *err);
/* The same of a column that must not be a dimension, because what is in it is withheld. */
HD_MUST hd_code hd_sheet_figures(const hd_sheet *t, const hd_csv *csv, const char *option,
                                 const char *name, int *column, hd_err *err);
/* A whole number of 0 to 5,000,000,000 ("12", "12.0"). */
bool hd_sheet_whole(const char *text, int64_t *out);
/* A decimal number that is not negative: digits and how many of them are decimals. */
bool hd_sheet_decimal(const char *text, int64_t *digits, unsigned *decimals);

/* sheet_fill.c, sheet_records.c: what hd_sheet_read does once it knows the cells of the rows */
HD_MUST hd_code hd_sheet_fill(hd_sheet *t, const hd_protect_options *o, const hd_csv *csv,
                              const uint32_t *cells, hd_err *err);
HD_MUST hd_code hd_sheet_count(hd_sheet *t, const hd_protect_options *o, const hd_csv *csv,
                               const uint32_t *cells, hd_err *err);
/* The value column as whole numbers of 10^-decimals, -1 where it is empty. Freed by the caller. */
HD_MUST hd_code hd_sheet_values(const hd_csv *csv, const char *file, int column, bool may_be_empty,
                                unsigned decimals, int64_t *out, hd_err *err);
/* The most decimals in a column. */
HD_MUST hd_code hd_sheet_decimals(const hd_csv *csv, const char *file, int column,
                                  unsigned *decimals, hd_err *err);
/* Put one contributor among the largest of a cell. */
void hd_sheet_rank(hd_contributor *top, hd_contributor c);

#endif
