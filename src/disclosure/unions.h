/* unions.h - which sets are made of which, when no common key says so: regions of providers, bands
 * of ages, a condition's codes.
 *
 * The lower bits of the counters of a set's buckets (sets.h) are 1,024 sums over the field of
 * two elements, its lines, so "this set is the union of some of those" is a system of linear
 * equations, solved by elimination; the sums of identities confirm it. Up to HD_UNION_PARTS rows
 * are searched at a time: all rows of a grouping set when they are so few, and those that share
 * the value of a key.
 */
#ifndef HD_DISCLOSURE_UNIONS_H
#define HD_DISCLOSURE_UNIONS_H

#include "disclosure/account.h"

enum { HD_UNION_PARTS = 400 };

/* Calls take for every printed set of `wholes` that is made of two or more rows of one grouping
 * set of `parts`. Items are cell * n_columns + column; parts in ascending order. */
typedef hd_code (*hd_take_union)(void *ctx, const hd_account *parts, const size_t *items, size_t n,
                                 const hd_account *wholes, size_t whole, hd_err *err);
HD_MUST hd_code hd_unions_find(const hd_account *parts, const hd_account *wholes,
                               hd_take_union take, void *ctx, hd_err *err);

#endif
