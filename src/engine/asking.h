/* asking.h - the steps from SQL text to a checked question; ask.c runs them in this order: keys.c
 * finds the select list and the keys, lift.c lifts the aggregates out, check.c refuses what no
 * question may hold and lets DuckDB check types.
 *
 * Inside src/engine only. A step that fails leaves everything for hd_question_free and ask.c to
 * free.
 */
#ifndef HD_ENGINE_ASKING_H
#define HD_ENGINE_ASKING_H

#include "engine/private.h"

struct item {
    json_t *tree;     /* resolved; later lifted */
    char *alias;      /* as written, or NULL */
    char *name;       /* of the output column */
    json_t *resolved; /* before lifting, for GROUP BY and ORDER BY */
    bool is_subnational;
};

struct asking {
    hd_engine *e;
    asked *a;
    json_t *select; /* the SELECT_NODE */
    char alias[64]; /* of the table */
    struct item *items;
    size_t n_items;
    hd_output *outputs;
    hd_order_term *order;
};

/* The allowed form that refusals name. */
#define HD_NEAREST "SELECT provider, count(*) FROM spells GROUP BY provider"

/* keys.c */
HD_MUST hd_code hd_take_items(struct asking *s, hd_err *err);
HD_MUST hd_code hd_take_keys(struct asking *s, hd_err *err);
struct item *hd_item_by_alias(const struct asking *s, const char *name);
/* The select item that an ordinal (GROUP BY 1) names, NULL when the node is no ordinal. */
HD_MUST hd_code hd_item_by_ordinal(const struct asking *s, const json_t *node, const char *clause,
                                   struct item **out, hd_err *err);
bool hd_has_aggregate(json_t *tree);
HD_MUST hd_code hd_keep_text(asked *a, const char *s, const char **out, hd_err *err);

/* lift.c */
HD_MUST hd_code hd_lift_outputs(struct asking *s, hd_err *err);
/* Lift a tree and give its text over k0.., a0... aliases: names of select items may be used. */
HD_MUST hd_code hd_lift_to_sql(struct asking *s, json_t *tree, bool aliases, const char **sql,
                               uint64_t *aggregates, hd_err *err);

/* check.c */
HD_MUST hd_code hd_guard_all(const asked *a, hd_err *err);
HD_MUST hd_code hd_guard_tree(const asked *a, json_t *tree, const char *where, hd_err *err);
/* The condition of an event (order.h): what it may hold, and its types. */
HD_MUST hd_code hd_check_event(hd_engine *e, asked *event, hd_err *err);
HD_MUST hd_code hd_check_types(struct asking *s, hd_err *err);
HD_MUST hd_code hd_count_key_fields(asked *a, hd_err *err);

#endif
