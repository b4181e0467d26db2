/* ops_portable.c - the steps of a batch for any processor; see ops.h. */
#include "kernel/ops_plain.inc"

const hd_k_ops hd_k_ops_portable = {
    .name = "portable",
    .picks_below = 1,
    .add8 = plain_add8,
    .add16 = plain_add16,
    .join = plain_join,
    .keep = plain_keep,
    .pack8 = plain_pack8,
    .pack16 = plain_pack16,
    .pack32 = plain_pack32,
    .positions = plain_positions,
    .key8 = plain_key8,
    .key16 = plain_key16,
    .look8 = plain_look8,
    .look16 = plain_look16,
    .key_slots = plain_key_slots,
    .begins_of = plain_begins_of,
    .groups = plain_groups,
    .shared = plain_shared,
    .runs = plain_runs,
};
