/* memo.h - each different raw text of a column is judged once.
 *
 * The hot loop of landing is: tokenise, look the text up here, add one to its count. A memo never
 * grows past its limit: when it is full it is emptied (its counts handed over first), and a column
 * whose texts hardly repeat gets a small limit, so memory does not follow the file.
 */
#ifndef HD_LANDING_MEMO_H
#define HD_LANDING_MEMO_H

#include "base/intern.h"
#include "catalogue/catalogue.h"

enum { /* hd_known.flags */
       HD_KNOWN_NULL = 1,
       HD_KNOWN_MISFIT = 2,
       HD_KNOWN_PROPER = 4,   /* not null, and valid or other */
       HD_KNOWN_OPTED_OUT = 8 /* persons only */
};

typedef struct hd_known {
    uint32_t code; /* of the builder's dictionary, or a person number */
    uint8_t meaning, flags;
    uint8_t shape;              /* hd_identifier_shape */
    uint32_t text_at, text_len; /* the text without blanks inside the raw text */
    int64_t number;             /* integer, day, or minutes of a clock text; INT64_MIN: none */
    uint64_t conditions;        /* bits of the rulebook's conditions that hold */
    uint64_t count;             /* rows since the memo was last emptied */
} hd_known;

/* Judges a text seen for the first time; out is zeroed. */
typedef hd_code (*hd_memo_judge)(void *ctx, const char *raw, size_t len, hd_known *out,
                                 hd_err *err);

/* In front of the table: short texts seen lately, compared in two registers. */
enum { HD_MEMO_FRONT = 512, HD_MEMO_SHORT = 16 };
typedef struct hd_memo_front {
    uint64_t first, second; /* the whole text, see memo.c */
    uint32_t len, id;       /* id HD_INTERN_NONE: free */
} hd_memo_front;

typedef struct hd_memo {
    hd_intern *texts;
    hd_known *known;
    size_t n, cap, limit;
    uint64_t looked_up;
    hd_memo_front *front; /* HD_MEMO_FRONT */
    hd_memo_judge judge;
    void *ctx;
    void (*emptied)(void *ctx, const struct hd_memo *m); /* hand the counts over */
} hd_memo;

HD_MUST hd_code hd_memo_init(hd_memo *m, hd_memo_judge judge,
                             void (*emptied)(void *, const hd_memo *), void *ctx, hd_err *err);
void hd_memo_free(hd_memo *m); /* does not hand anything over */
/* Hand the counts over and forget everything. */
HD_MUST hd_code hd_memo_empty(hd_memo *m, hd_err *err);
/* The judgement of a text, counted once more. Borrowed until the next call. */
HD_MUST hd_code hd_memo_look(hd_memo *m, const char *raw, size_t len, const hd_known **out,
                             hd_err *err);
/* The blank-free text of an entry; borrowed until the next look. */
const char *hd_memo_text(const hd_memo *m, const hd_known *k);

#endif
