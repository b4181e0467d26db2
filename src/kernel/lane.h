/* lane.h - the tables one lane fills: cells by place or by hash, counts, values, bins.
 *
 * Inside src/kernel only. All arrays start as zeros and zero means "nothing yet" in each of them,
 * so growing is appending zeros and merging is adding, or-ing or taking the larger.
 */
#ifndef HD_KERNEL_LANE_H
#define HD_KERNEL_LANE_H

#include "kernel/plan.h"

/* Of a class and a cell where people are counted: they are its rows (below 2^32) less those of somebody
 * who had a row there before. Only what may come again is looked up, see batch.c. */
typedef struct hd_k_seen {
    uint32_t again; /* such rows, and rows linked to nobody */
    uint32_t last;  /* number of who was seen last; 0: nobody */
} hd_k_seen;

typedef struct hd_k_extremes {
    uint32_t above;  /* highest rank + 1 */
    uint32_t beyond; /* UINT32_MAX - lowest rank */
} hd_k_extremes;

/* Numbers 0, 1, 2, ... for 64-bit keys in order of first appearance. */
typedef struct hd_k_map {
    uint64_t *keys;  /* n of cap */
    uint32_t *slots; /* number + 1, or 0; 2 * cap of them */
    size_t n, cap;   /* cap is a power of two, or 0 */
} hd_k_map;

/* Bins that have no place of their own: a list of cell, rank and how many rows, in one number from the top.
 * The same cell and rank may be there more than once; what is the same is put together before the list
 * grows, so it is never much longer than there are different ones. */
typedef struct hd_k_pairs {
    uint64_t *items;
    size_t n, cap;
} hd_k_pairs;

/* How an item divides. */
typedef struct hd_k_pair_bits {
    unsigned rank, rows;
} hd_k_pair_bits;

/* Rows counted in bytes, of a set or of the bins of a measure. The place of a bin is
 * rank x product + cell: the few ranks that most rows have then lie close together, and so do the
 * months of one provider. A place is listed here each time its byte would pass 255; the byte is 1
 * again and the entry stands for 255 rows, so a byte is 0 only where no row is. */
typedef struct hd_k_full {
    uint32_t *at; /* places */
    size_t n, cap;
} hd_k_full;
enum { HD_K_FULL_ROWS = 255 };

/* One grouping set in one lane. */
typedef struct hd_k_table {
    hd_k_map map;   /* slots to cell; unused when dense */
    size_t n_cells; /* cells in use: the product when dense */
    size_t cap;
    void **arrays;     /* plan's n_arrays; NULL where a cell needs nothing */
    hd_k_pairs *pairs; /* n_measures */
    hd_k_full *full;   /* plan's n_arrays */
} hd_k_table;

/* Memory that is cut into parts and stays until its lane closes. */
typedef struct hd_k_room {
    struct hd_k_room *next;
    char *memory;
    size_t size, used;
} hd_k_room;

typedef struct hd_k_lane {
    const hd_k_plan *plan;
    uint64_t first, end;       /* rows in hand: a piece, or what of it lies in one block */
    uint64_t piece_end, read_end; /* read_end: of the rows that were in hand last */
    bool begins_anew;          /* the first row in hand counts as that of another person */
    bool has_entered;          /* the feed knows that we read them */
    atomic_size_t *next_piece; /* shared by all lanes; NULL: the lane has one piece, its own */
    size_t number;             /* of the lane */
    bool is_done;
    uint64_t bytes, max_bytes;
    hd_k_table *tables; /* n_sets */
    hd_k_room *rooms;
} hd_k_lane;

HD_MUST hd_code hd_k_lane_open(hd_k_lane *lane, const hd_k_plan *p, size_t number,
                               atomic_size_t *next_piece, hd_err *err);
/* Take the next rows in hand; *more is false when there are none. Pieces of a lane ascend. */
HD_MUST hd_code hd_k_lane_next(hd_k_lane *lane, bool *more, hd_err *err);
void hd_k_lane_close(hd_k_lane *lane);

/* Room for bytes more, or HD_LIMIT. */
HD_MUST hd_code hd_k_lane_take(hd_k_lane *lane, uint64_t bytes, hd_err *err);

/* n items of a part; `to` is the address of a pointer. */
typedef struct hd_k_part {
    void *to;
    size_t n, item;
} hd_k_part;

/* Zeros for each part, on a cache line, until the lane closes. In a long scan they lie together on huge
 * pages: tables and scratch of a few hundred kilobytes, touched at every row, are more small pages than
 * the processor knows the addresses of. */
HD_MUST hd_code hd_k_lane_parts(hd_k_lane *lane, const hd_k_part *parts, size_t n_parts, hd_err *err);

/* Turn n keys (mixed radix of slots) into cells of a set, making cells as they appear. */
HD_MUST hd_code hd_k_lane_cells(hd_k_lane *lane, size_t set, const uint64_t *keys, size_t n,
                                uint32_t *cells, hd_err *err);
/* Room for n more places of an array of bytes. */
HD_MUST hd_code hd_k_lane_full_room(hd_k_lane *lane, size_t set, size_t array, size_t n,
                                    hd_err *err);
/* A row more at each place of a table of `size` bytes. A byte that would pass 255 becomes 1 and its
 * place is listed in `full`, which has room for n. Returns how many were listed. The processor looks far
 * enough ahead by itself as long as the table fits its second cache. */
size_t hd_k_count_bytes(uint8_t *bytes, size_t size, const uint32_t *places, size_t n,
                        uint32_t *full);
/* Rows of runs: run k has those from at[k] to at[k + 1], HD_K_BATCH together at most. */
HD_MUST hd_code hd_k_lane_count_runs(hd_k_lane *lane, size_t set, size_t array, const uint32_t *places,
                                     const uint16_t *at, size_t n_runs, hd_err *err);
/* Once all rows are read: rows of classes out of bins and packed sums, unless they are there already,
 * and the sums themselves. */
void hd_k_lane_finish(hd_k_lane *lane, size_t set, bool has_rows);
hd_k_pair_bits hd_k_lane_pair_bits(const hd_k_plan *p, size_t set, size_t measure);
/* Room for n more pairs of a measure. */
HD_MUST hd_code hd_k_lane_pair_room(hd_k_lane *lane, size_t set, size_t measure, size_t n,
                                    hd_err *err);
/* Put the n items in order, and those of the same cell and rank together. Returns how many are left. */
size_t hd_k_join_pairs(uint64_t *items, uint64_t *spare, size_t n, unsigned rows_bits);

#endif
