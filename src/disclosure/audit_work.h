/* audit_work.h - the audit at work: shared by audit.c (what happens to the answer) and
 * audit_system.c (what a reader knows, as one system of sums).
 */
#ifndef HD_DISCLOSURE_AUDIT_WORK_H
#define HD_DISCLOSURE_AUDIT_WORK_H

#include "base/intern.h"
#include "disclosure/audit.h"
#include "disclosure/component.h"
#include "disclosure/near.h"
#include "disclosure/system.h"
#include "disclosure/unions.h"

#include <string.h>

#define HD_AUDIT_NONE UINT32_MAX

/* Up to so many sets of records all that are near are audited and in the certificate; of more
 * those alone that hang together with a small count. */
enum { HD_AUDIT_WHOLE = 50000 };

/* What is known of a set beside its bounds. */
typedef struct hd_audit_node {
    bool now, shown_now, shown_before, is_small, is_exact;
    bool is_in_doubt, is_tried; /* not proven in the answer; looked at without it */
    bool is_lost; /* earlier releases alone leave it too few values: nothing here changes that */
    int32_t preference;
    int64_t times; /* everybody has at least so many of its records; 0: 1 */
    int64_t low_before, high_before; /* what earlier releases say */
    int64_t known_low, known_high;   /* and what follows by simple sums from all that hang together */
    bool is_difference; /* of two figures that differ by few people, and no release had it or both of them */
    bool is_narrowed; /* of an earlier release, and the answer's figures say more of it */
    uint64_t name;
    uint32_t cell; /* of the system; HD_AUDIT_NONE when left out of it */
} hd_audit_node;

/* How often each person is in a set, and what it is a set of: a table, or people. */
typedef struct hd_audit_profiled {
    uint64_t sum[2], of;
    uint32_t node;
} hd_audit_profiled;

/* A figure of an earlier answer that may cut across those of the answer. */
typedef struct hd_audit_figure {
    hd_set set;
    hd_printed printed;
    hd_set_kind kind; /* HD_SET_PROFILE: of records of another table, comparable by profile only */
    bool is_controlled, is_defined;
    bool is_loose;  /* of an answer with few figures */
    uint64_t place; /* values of its keys */
} hd_audit_figure;

/* A figure as the whole of a family, or a part of it (definition.h). */
typedef struct hd_audit_member {
    uint64_t family, column; /* column 0: the whole */
    hd_span span;            /* of the part; its values are the audit's */
    uint64_t sum[2], records;
    int64_t low, high;
    uint32_t release; /* 0: the answer */
    uint8_t times;
    bool is_small, is_controlled, is_number;
} hd_audit_member;

struct hd_audit {
    const hd_policy_file *p;
    hd_account *now;
    hd_near *near;
    bool is_indexed; /* own, derived, profiles and places are filled: an earlier release was there */
    hd_intern *own;     /* sets of the answer's cells  */
    hd_intern *derived; /* and of its margins          */
    hd_intern *profiles[2]; /* of the answer's cells, by kind */
    uint64_t *sums;     /* a bit by the first sum of each of these: most earlier sets are none of them */
    hd_account margins; /* of the answer, as hd_margins_make has them */
    hd_account *earlier;
    size_t n_earlier, earlier_cap;
    size_t n_direct; /* the first of them: what the answer itself has something to do with */
    hd_component *parts; /* which releases hang together; the answer is 0 */
    uint32_t n_given, n_releases; /* releases looked at, this time; and in all */
    uint32_t *kept; /* n_earlier: their numbers */
    size_t kept_cap, next_kept;
    bool is_connected;
    uint64_t n_near, limit;
    const atomic_bool *stop;
    hd_known *known; /* from every earlier release */
    size_t n_known, known_cap;
    hd_audit_figure *overlap; /* oldest first */
    size_t n_overlap, overlap_cap;
    hd_few *few; /* the same for these, each once */
    size_t n_few, few_cap;
    hd_intern *families; /* that figures of the answer belong to */
    uint64_t *family_sums; /* a bit by each */
    hd_audit_member *members; /* of earlier answers; then of all */
    uint32_t *member_values;
    size_t n_members, members_cap, n_member_values, member_values_cap;
    size_t n_held; /* figures of earlier answers that are in the system as members */
    uint64_t *places; /* of the answer's cells, ascending */
    size_t n_places;
    /* while judging */
    hd_intern *nodes;
    hd_intern *rules;
    hd_audit_profiled *profiled; /* every count, and the margins that are nodes */
    size_t n_profiled, profiled_cap;
    hd_system system;
    hd_audit_node *about;
    int64_t *low, *high;
    size_t n_nodes, about_cap, low_cap, high_cap;
    uint32_t *node_of; /* by cell of the system */
    bool create; /* an unprinted margin becomes a cell, because several grouping sets meet in it */
};

/* ---- names of sets ---- */

enum { HD_SET_NAME = 17 };

static inline void hd_set_name(char out[HD_SET_NAME], hd_set_kind kind, const uint64_t sum[2])
{
    out[0] = (char)kind;
    memcpy(out + 1, sum, 16);
}

static inline bool hd_set_is_empty(const uint64_t sum[2])
{
    return sum[0] == 0 && sum[1] == 0;
}

/* In a component (component.h) a profile has a name that no set has. */
static inline uint64_t hd_audit_profile_name(const uint64_t profile[2])
{
    return ~profile[0];
}

/* HD_AUDIT_SUMS bits. */
enum { HD_AUDIT_SUMS = 1 << 20 };

static inline void hd_audit_add_sum(uint64_t *sums, uint64_t sum)
{
    sums[sum % HD_AUDIT_SUMS / 64] |= UINT64_C(1) << sum % 64;
}

static inline bool hd_audit_has_sum(const uint64_t *sums, uint64_t sum)
{
    return sums[sum % HD_AUDIT_SUMS / 64] >> sum % 64 & 1;
}

/* The node of a set, made when there is none. */
HD_MUST hd_code hd_audit_node_find(hd_audit *a, hd_set_kind kind, const uint64_t sum[2],
                                   uint32_t *out, hd_err *err);
/* Two figures that differ by few people: the larger, the smaller and what names the few; false when
 * nothing is to be audited about them. */
typedef struct hd_audit_difference {
    const hd_set *of_whole, *of_part;
    const hd_printed *whole, *part;
    hd_set_kind whole_kind, part_kind, kind; /* of the two, and of the few */
    uint64_t sum[2];
} hd_audit_difference;

bool hd_audit_difference_of(const hd_audit *a, const hd_near_pair *p, hd_audit_difference *out);
/* Remember the figures of an earlier answer that may cut across the answer's; list_places comes first. Then
 * withhold what together with them says too much of few people (audit_overlaps.c). */
HD_MUST hd_code hd_audit_list_places(hd_audit *a, hd_err *err);
HD_MUST hd_code hd_audit_note_overlaps(hd_audit *a, const hd_account *earlier, hd_err *err);
HD_MUST hd_code hd_audit_cross(hd_audit *a, void (*withhold)(hd_audit *a, size_t item), hd_err *err);
/* Families of the answer; figures of an earlier release that belong to one; and the sums, with rests that
 * nobody asked for, that they make (audit_parts.c). */
HD_MUST hd_code hd_audit_list_families(hd_audit *a, hd_err *err);
HD_MUST hd_code hd_audit_note_members(hd_audit *a, const hd_account *earlier, hd_err *err);
HD_MUST hd_code hd_audit_hold(hd_audit *a, hd_err *err);
/* A whole, and the parts that follow it, as a sum. */
HD_MUST hd_code hd_audit_add_summed(hd_audit *a, const hd_summed *whole, hd_err *err);
/* Whether earlier releases say anything of the system. */
static inline bool hd_audit_has_past(const hd_audit *a)
{
    return a->n_earlier > 0 || a->n_held > 0;
}
/* Calls take for every set that is made of others, in the answer and an earlier release together: printed
 * ones, and margins that nobody asked for. */
HD_MUST hd_code hd_audit_unions(const hd_audit *a, const hd_account *earlier, hd_take_union take,
                                void *ctx, hd_err *err);
/* Fills nodes, rules and system from the answer and the earlier releases that were taken over. */
HD_MUST hd_code hd_audit_build(hd_audit *a, hd_err *err);

#endif
