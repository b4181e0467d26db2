/* rules.h - the table of rules a delivered row is judged by, as data (catalogue/quality/).
 *
 *   rules.csv                what can be wrong with a row, whether that rejects it (structural) or
 *                            only counts it (content), and what to do about it
 *   checks.csv               agreement between the fields of one row; reported, never a refusal
 *   key_fields.csv           for each table: its provider field and the fields reported by provider
 *                            and month
 *
 * Each rule name must be one that the program knows, and each must be there; the tests that
 * checks.csv may name are listed in doc/landing.md. Errors name file, line and column.
 */
#ifndef HD_LANDING_RULES_H
#define HD_LANDING_RULES_H

#include "catalogue/catalogue.h"

typedef enum hd_rule_id {
    HD_RULE_FEW_FIELDS, /* the first ones in the order of hd_defect */
    HD_RULE_MANY_FIELDS,
    HD_RULE_QUOTE,
    HD_RULE_NUL,
    HD_RULE_UTF8,
    HD_RULE_LONG_FIELD,
    HD_RULE_LONG_ROW,
    HD_RULE_MISFIT,    /* a value that its type cannot hold */
    HD_RULE_INVALID,   /* a value outside its codes, range or pattern */
    HD_RULE_NO_PERSON, /* nothing to link the row by */
    HD_RULE_NO_KEY,
    HD_RULE_NO_PERIOD,     /* the date that months refer to is missing or a sentinel */
    HD_RULE_SAME_KEY,      /* the key of an earlier row */
    HD_RULE_SAME_ROW,      /* an earlier row, byte for byte */
    HD_RULE_CONTRADICTION, /* fails a check */
    HD_N_RULES
} hd_rule_id;

typedef struct hd_rule {
    const char *name; /* as in rules.csv */
    bool is_structural;
    const char *says, *remedy;
} hd_rule;

typedef enum hd_check_test {
    HD_CHECK_DAYS_EQUAL,    /* c = b - a in days                             */
    HD_CHECK_MINUTES_EQUAL, /* c = b - a in minutes of the clock, modulo 24 h */
    HD_CHECK_NOT_BEFORE,    /* b on or after a                                */
    HD_CHECK_STARTS_WITH,   /* a starts with b                                */
    HD_CHECK_FLAG,          /* a is 1 exactly when the conditions hold        */
    HD_CHECK_NEVER          /* the conditions never all hold                  */
} hd_check_test;

typedef struct hd_check {
    const char *name, *title, *source;
    hd_check_test test;
    int a, b, c;         /* positions in the table's fields, -1: not used */
    uint64_t conditions; /* bits of hd_rulebook.conditions */
} hd_check;

typedef struct hd_condition {
    int field;
    enum { HD_COND_IN, HD_COND_NOT, HD_COND_LIKE } kind; /* LIKE: starts with one of the values */
    size_t n_values;
    const char **values;
} hd_condition;

enum { HD_MAX_CONDITIONS = 64, HD_MAX_KEY_FIELDS = 16 };

typedef struct hd_rulebook {
    hd_rule rules[HD_N_RULES];
    size_t n_checks;
    hd_check *checks;
    size_t n_conditions;
    hd_condition conditions[HD_MAX_CONDITIONS];
    int provider; /* field position, or -1 */
    int period;
    size_t n_key_fields;
    int key_fields[HD_MAX_KEY_FIELDS];
    struct hd_quality_tables *tables_; /* owns the strings */
} hd_rulebook;

/* The rules for one table. HD_FORMAT: a definition is wrong; the text names file and line. */
HD_MUST hd_code hd_rulebook_open(hd_rulebook **out, const hd_catalogue *c, const hd_table_def *t,
                                 hd_err *err);
void hd_rulebook_close(hd_rulebook *b); /* NULL is allowed */
/* Does a value with this canonical text meet the condition? */
bool hd_condition_holds(const hd_condition *k, const char *text, size_t len);

#endif
