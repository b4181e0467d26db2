/* listing.h - definitions as rows: `hdis datasets`, `hdis fields`, `hdis release list`. Never figures: those are releases
 * and go through present/. */
#ifndef HD_CLI_LISTING_H
#define HD_CLI_LISTING_H

#include "cli/command.h"

enum { HD_LISTING_COLUMNS = 12, HD_LISTING_WIDTH = 100 };

typedef struct hd_listing {
    size_t n_columns, n_cells, cap_cells;
    char **cells; /* row by row; the first row is the header */
    uint32_t numbers; /* bit i: column i holds whole numbers; the others are texts in JSON */
    bool failed;
} hd_listing;

/* Add a row of n_columns texts (copied); the first one is the header and sets their number. */
void hd_listing_row(hd_listing *l, const char *const *cells, size_t n);
#define HD_LISTING_ROW(l, ...)                                                                     \
    hd_listing_row((l), (const char *const[]){__VA_ARGS__},                                        \
                   sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
/* Says what is wrong with the name of a format; HD_EXIT_OK: nothing. */
int hd_listing_check(const hd_command *c, const char *format);
/* Print on standard output: "csv" (RFC 4180), "json" (an array of objects), else columns aligned to at most HD_LISTING_WIDTH
 * characters, the last one wrapped between words. */
HD_MUST hd_code hd_listing_print(const hd_listing *l, const char *format, hd_err *err);
void hd_listing_free(hd_listing *l);

#endif
