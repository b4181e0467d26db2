/* memo.h - each different raw text of a column is judged once.
 *
 * The hot loop of landing is: tokenise, look the text up here. A memo never grows past its limit:
 * when it is full it is emptied, and a column whose texts hardly repeat gets a small limit, so
 * memory does not follow the file.
 */
#ifndef HD_LANDING_MEMO_H
#define HD_LANDING_MEMO_H

#include "base/intern.h"
#include "catalogue/catalogue.h"

#include <stddef.h>
#include <string.h>

enum { /* hd_known.flags */
       HD_KNOWN_NULL = 1,
       HD_KNOWN_MISFIT = 2,
       HD_KNOWN_PROPER = 4 /* not null, and valid or other */
};

enum { HD_FLAW_MISFIT = 1, HD_FLAW_INVALID = 2 }; /* of a text, or of a row by its texts */

typedef struct hd_known {
    uint32_t code; /* of the builder's dictionary */
    uint8_t meaning, flags;
    uint8_t shape;              /* hd_identifier_shape */
    uint32_t text_at, text_len; /* the text without blanks inside the raw text */
    int64_t number;             /* integer, day, or minutes of a clock text; INT64_MIN: none */
    uint64_t conditions;        /* bits of the rulebook's conditions that hold */
} hd_known;

/* Judges a text seen for the first time; out is zeroed. */
typedef hd_code (*hd_memo_judge)(void *ctx, const char *raw, size_t len, hd_known *out,
                                 hd_err *err);

/* In front of the table: texts seen lately with what most columns want to know of them. A short
 * text is compared in two registers. */
enum { HD_MEMO_FRONT_BITS = 12, HD_MEMO_SHORT = 16 };
/* A probe holds all of a short text, with zeros behind its end, and the first and last eight bytes
 * of a long one. No field holds a zero byte or 0xF8 or above (delivery.h), so two short texts are
 * the same when their probes are. The eighth byte is set to what no text holds where a slot is free, in
 * the probe of a long text, and, to another, in a slot that holds one: probes of long texts match
 * nothing and are compared as a whole. */
#define HD_MEMO_FREE      UINT64_MAX
#define HD_MEMO_LONG      (UINT64_C(0xFE) << 56)
#define HD_MEMO_LONG_SLOT (UINT64_C(0xFD) << 56)
#define HD_MEMO_EIGHTH    (UINT64_C(0xFF) << 56)
typedef struct hd_memo_front {
    uint64_t first, second; /* of the probe; HD_MEMO_FREE, HD_MEMO_LONG */
    uint32_t len;
    uint32_t id;   /* of the known text */
    uint32_t code; /* from here on the eight bytes of hd_memo_answer */
    uint8_t meaning, flags, shape, flaw;
} hd_memo_front;
_Static_assert(offsetof(hd_memo_front, code) + 8 == sizeof(hd_memo_front), "one word");

/* What most columns want to know, read at once. */
static inline uint64_t hd_memo_answer(const hd_memo_front *f)
{
    uint64_t word;
    memcpy(&word, &f->code, sizeof word);
    return word;
}
#define HD_ANSWER_CODE(word)    ((uint32_t)(word))
#define HD_ANSWER_MEANING(word) ((word) >> 32 & 255)
#define HD_ANSWER_FLAW(word)    ((uint8_t)((word) >> 56))

typedef struct hd_memo {
    hd_intern *texts;
    hd_known *known;
    size_t n, cap, limit;
    uint64_t looked_up; /* texts since it was empty; kept by those who look */
    hd_memo_front *front; /* 1 << HD_MEMO_FRONT_BITS */
    hd_memo_judge judge;
    void *ctx;
} hd_memo;

HD_MUST hd_code hd_memo_init(hd_memo *m, hd_memo_judge judge, void *ctx, hd_err *err);
/* Before the first look; a memo that is never looked at takes no room. */
HD_MUST hd_code hd_memo_begin(hd_memo *m, hd_err *err);
void hd_memo_free(hd_memo *m);
HD_MUST hd_code hd_memo_empty(hd_memo *m, hd_err *err); /* forget everything */

static inline uint64_t hd_memo_word(const char *p, size_t len)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return len >= 8 ? w : len == 0 ? 0 : w & (UINT64_MAX >> (64 - 8 * len));
}

/* Where a text would stand in front: all of it that can be worked out before the memo is looked at,
 * so that a row of them can be on its way from memory at once. No branch depends on the length,
 * which changes from row to row. */
typedef struct hd_memo_probe {
    uint64_t first, second;
    uint32_t slot;
} hd_memo_probe;

extern const uint64_t hd_memo_masks[HD_MEMO_SHORT + 1][2];

/* HD_MEMO_SHORT bytes from raw on can be read. */
static inline hd_memo_probe hd_memo_probe_of(const char *raw, size_t len)
{
    hd_memo_probe p;
    memcpy(&p.first, raw, 8);
    if (__builtin_expect(len > HD_MEMO_SHORT, 0)) {
        p.first = (p.first & ~HD_MEMO_EIGHTH) | HD_MEMO_LONG;
        memcpy(&p.second, raw + len - 8, 8);
    } else {
        memcpy(&p.second, raw + 8, 8);
        p.first &= hd_memo_masks[len][0];
        p.second &= hd_memo_masks[len][1];
    }
    uint64_t hash = (p.first ^ (p.second << 1 | p.second >> 63)) * UINT64_C(0x9E3779B97F4A7C15);
    p.slot = (uint32_t)(hash >> (64 - HD_MEMO_FRONT_BITS));
    return p;
}

static inline bool hd_memo_is(const hd_memo_front *f, const hd_memo_probe *p)
{
    return ((f->first ^ p->first) | (f->second ^ p->second)) == 0;
}

/* As hd_memo_look, past the front. */
HD_MUST hd_code hd_memo_look_further(hd_memo *m, const char *raw, size_t len, hd_memo_probe p,
                                     hd_err *err);

/* The judgement of a text, borrowed until the next call. */
HD_MUST static inline hd_code hd_memo_look(hd_memo *m, const char *raw, size_t len, hd_memo_probe p,
                                           const hd_memo_front **out, hd_err *err)
{
    const hd_memo_front *f = &m->front[p.slot];
    *out = f;
    if (hd_memo_is(f, &p))
        return HD_OK;
    return hd_memo_look_further(m, raw, len, p, err);
}
/* All that is known of a text that was just looked at. */
static inline const hd_known *hd_memo_known(const hd_memo *m, const hd_memo_front *f)
{
    return &m->known[f->id];
}

#endif
