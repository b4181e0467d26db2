/* chosen.h - which records stand behind the cells of a question, row by row.
 *
 * Not for output: only disclosure/ may include this, to tell sets of records apart (disclosure/
 * sets.h). A row is given when it passes WHERE; with it come its person, the identity of the record,
 * its slot in every key, and the classes it contributes to. A class is what aggregates with the same
 * filter and the same argument share: the set of records that their figures are made of.
 *
 * The identity of a record is a hash of its person, its date (the table's period) and its position
 * among the person's records of that date. It does not depend on where the row lies, so the same
 * record has the same identity in the next data version of the table.
 */
#ifndef HD_ENGINE_CHOSEN_H
#define HD_ENGINE_CHOSEN_H

#include "engine/question.h"
#include "engine/spans.h"

typedef struct hd_chosen hd_chosen;

typedef struct hd_chosen_block {
    size_t n;                /* rows, in the order of the table: a person's rows lie together */
    const uint32_t *persons; /* n; 0: linked to nobody */
    const uint64_t *records; /* n: identities */
    const uint32_t *slots;   /* slot of key k in row i: slots[k * stride + i] */
    size_t stride;
    const uint64_t *classes; /* n: bit c, the row contributes to class c; never 0 */
} hd_chosen_block;

/* Plan the scan. The engine must not run another question before it is freed. */
HD_MUST hd_code hd_chosen_open(hd_chosen **out, hd_engine *e, const hd_question *q, hd_err *err);
void hd_chosen_free(hd_chosen *c); /* NULL is allowed */

unsigned hd_chosen_class_of(const hd_chosen *c, size_t aggregate); /* below 64 */
uint32_t hd_chosen_n_slots(const hd_chosen *c, size_t key);
/* The value that a slot stands for; borrowed. Slots of a key have different values. */
hd_value hd_chosen_slot_value(const hd_chosen *c, size_t key, uint32_t slot);

/* What the definition says of the records of a class, WHERE included; and of those in each slot of a key,
 * as far as WHERE leaves them. */
HD_MUST hd_code hd_chosen_class_spans(const hd_chosen *c, unsigned class, hd_spans *out, hd_err *err);
HD_MUST hd_code hd_chosen_key_spans(const hd_chosen *c, size_t key, hd_spans *out, hd_err *err);

/* Lanes may be scanned at the same time; a person's rows lie in one lane. */
size_t hd_chosen_n_lanes(const hd_chosen *c);
HD_MUST hd_code hd_chosen_scan(const hd_chosen *c, size_t lane,
                               hd_code (*take)(void *ctx, const hd_chosen_block *b, hd_err *err),
                               void *ctx, hd_err *err);

/* Grouping sets that the question asks: bit k, key k is told apart. */
const uint32_t *hd_question_sets(const hd_question *q, size_t *n);

#endif
