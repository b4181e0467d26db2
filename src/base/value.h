/* value.h - one typed value: a dictionary entry, a group key, a figure. NULL is a value too. */
#ifndef HD_BASE_VALUE_H
#define HD_BASE_VALUE_H

#include "base/err.h"

typedef enum hd_type { HD_TEXT, HD_INTEGER, HD_DECIMAL, HD_DATE, HD_BOOLEAN } hd_type;

typedef struct hd_value {
    hd_type type;
    bool is_null;
    union {
        int64_t integer; /* HD_INTEGER, HD_BOOLEAN (0, 1), HD_DATE (days from 1970-01-01) */
        double decimal;  /* HD_DECIMAL */
        struct {
            const char *bytes; /* not NUL-terminated; owned by whatever holds the value */
            size_t len;
        } text; /* HD_TEXT */
    };
} hd_value;

const char *hd_type_name(hd_type type); /* text, integer, decimal, date, boolean */
/* -1, 0, 1; types equal; NULL first; text by bytes. */
int hd_value_compare(const hd_value *a, const hd_value *b);

/* The same for equal values of one type; not keyed. */
uint64_t hd_value_hash(hd_value v);

struct hd_buf;
/* Append bytes that values of one type have in common only when they are equal: names of cells. */
void hd_value_put_name(struct hd_buf *out, hd_value v);

#endif
