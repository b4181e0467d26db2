/* dirt.h - content errors that real deliveries have, put into a stated share of the rows. One error
 * a row; never one that breaks the structure of a file. What a reader must understand afterwards is
 * in the row, so the truth is made from dirty rows as they stand. */
#ifndef HD_SYNTH_DIRT_H
#define HD_SYNTH_DIRT_H

#include "base/rng.h"
#include "synth/layout.h"

enum { HD_N_DIRT_KINDS = 11 };
extern const char *const hd_dirt_names[HD_N_DIRT_KINDS];

typedef struct hd_dirt hd_dirt;

HD_MUST hd_dirt *hd_dirt_new(const hd_layout layouts[HD_N_DATASETS]); /* NULL when memory is out */
void hd_dirt_free(hd_dirt *d);

/* Spoil one column; changes the row, or fills the spot, or both. Returns the kind. */
int hd_dirt_apply(const hd_dirt *d, hd_dataset dataset, void *row, hd_spot *spot, hd_rng *r);

#endif
