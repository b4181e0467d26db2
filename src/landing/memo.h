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
 * text is compared in two registers, one of at most eight bytes in one. */
enum { HD_MEMO_SHORT = 15 };
/* A probe holds all of a short text, with zeros behind its end, and the first and last eight bytes
 * of a long one. No field holds a zero byte or 0xF8 or above (delivery.h), so two short texts are
 * the same when their probes are. The eighth byte of `first` is set to what no text holds
 *   where a slot is free,
 *   where there is more behind it: it then stands at the end of `second`, and texts of up to eight
 *     bytes differ from all others in `first` alone,
 *   in the probe of a long text, and, to another, in a slot that holds one: probes of long texts
 *     match nothing and are compared as a whole. */
#define HD_MEMO_FREE      UINT64_MAX
#define HD_MEMO_LONG      (UINT64_C(0xFE) << 56)
#define HD_MEMO_LONG_SLOT (UINT64_C(0xFD) << 56)
#define HD_MEMO_WIDE      (UINT64_C(0xFC) << 56)
#define HD_MEMO_EIGHTH    (UINT64_C(0xFF) << 56)
/* Is this first word all of a text? */
static inline bool hd_memo_is_whole(uint64_t first)
{
    return first < HD_MEMO_WIDE;
}
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
#define HD_ANSWER_FLAGS(word)   ((word) >> 40 & 255)
#define HD_ANSWER_SHAPE(word)   ((uint8_t)((word) >> 48))
#define HD_ANSWER_FLAW(word)    ((uint8_t)((word) >> 56))

typedef struct hd_memo {
    hd_intern *texts;
    hd_known *known;
    size_t n, cap, limit;
    uint64_t looked_up; /* texts since it was empty */
    hd_memo_front *front; /* as many as a hash shifted by `shift` can tell apart */
    unsigned shift;
    uint64_t seen, missed; /* since the front has its size: texts looked up, not found in front */
    hd_memo_judge judge;
    void *ctx;
} hd_memo;

HD_MUST hd_code hd_memo_init(hd_memo *m, hd_memo_judge judge, void *ctx, hd_err *err);
/* Before some looks; a memo that is never looked at takes no room. The front stays where it is
 * until the next begin. */
HD_MUST hd_code hd_memo_begin(hd_memo *m, hd_err *err);
/* So many looks there were. */
static inline void hd_memo_note(hd_memo *m, uint64_t n)
{
    m->looked_up += n;
    m->seen += n;
}
void hd_memo_free(hd_memo *m);
HD_MUST hd_code hd_memo_empty(hd_memo *m, hd_err *err); /* forget everything */

static inline uint64_t hd_memo_word(const char *p, size_t len)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return len >= 8 ? w : len == 0 ? 0 : w & (UINT64_MAX >> (64 - 8 * len));
}

/* A text on its way to the front. */
typedef struct hd_memo_probe {
    uint64_t first, second;
    uint32_t hash; /* its upper bits say where the text stands in front */
} hd_memo_probe;

extern const uint64_t hd_memo_masks[HD_MEMO_SHORT + 1][2];

/* Four numbers of 32 bits, each multiplied by its own: what a vector multiplies at once. */
#define HD_MEMO_FACTORS_1 UINT64_C(0x85EBCA779E3779B1)
#define HD_MEMO_FACTORS_2 UINT64_C(0x27D4EB2FC2B2AE3D)
static inline uint32_t hd_memo_hash(uint64_t first, uint64_t second)
{
    return (uint32_t)first * (uint32_t)HD_MEMO_FACTORS_1 +
           (uint32_t)(first >> 32) * (uint32_t)(HD_MEMO_FACTORS_1 >> 32) +
           (uint32_t)second * (uint32_t)HD_MEMO_FACTORS_2 +
           (uint32_t)(second >> 32) * (uint32_t)(HD_MEMO_FACTORS_2 >> 32);
}

/* HD_SLICE_SLACK bytes from raw on can be read. */
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
        if (len > 8) {
            p.second |= p.first & HD_MEMO_EIGHTH;
            p.first = (p.first & ~HD_MEMO_EIGHTH) | HD_MEMO_WIDE;
        }
    }
    p.hash = hd_memo_hash(p.first, p.second);
    return p;
}

/* A short text stands in its place or, when another took that, beside it. */
static inline size_t hd_memo_beside(size_t place)
{
    return place ^ 1;
}

static inline bool hd_memo_is(const hd_memo_front *f, const hd_memo_probe *p)
{
    return ((f->first ^ p->first) | (f->second ^ p->second)) == 0;
}

/* Past the front: the text then stands in it, in its place. */
HD_MUST hd_code hd_memo_look_further(hd_memo *m, const char *raw, size_t len, hd_memo_probe p,
                                     hd_err *err);

/* Many texts at a time, as hd_lay_out has laid them out. Where they stand is only looked at for
 * those that are not in front. */
typedef struct hd_memo_texts {
    const uint64_t *first, *second; /* second NULL: none has more than eight bytes */
    const char *text;
    const uint32_t *places; /* of the column, from a row on; each row's `pitch` behind the last's */
    size_t pitch;
    const uint32_t *rows; /* text i is that of row rows[i]; NULL: of row i */
} hd_memo_texts;

/* Where text i and the field behind it begin. */
static inline const uint32_t *hd_memo_place(const hd_memo_texts *x, size_t i)
{
    return x->places + (x->rows ? x->rows[i] : i) * x->pitch;
}
enum { HD_MEMO_MANY = 64 };
typedef struct hd_memo_answers {
    size_t n;                     /* texts that have their answers */
    uint64_t words[HD_MEMO_MANY]; /* hd_memo_answer */
    uint32_t ids[HD_MEMO_MANY];   /* of the known texts, when wanted */
    uint64_t any, meanings;       /* all words together; how often each meaning, a byte for each */
} hd_memo_answers;
/* The answers to n <= HD_MEMO_MANY texts, or to fewer, at least one, where the next may make the
 * memo forget: the ids hold until the next call. */
HD_MUST hd_code hd_memo_look_many(hd_memo *m, const hd_memo_texts *x, size_t n, bool wants_ids,
                                  hd_memo_answers *a, hd_err *err);
/* For tests: in no better form than this. */
typedef enum hd_memo_form { HD_MEMO_EACH, HD_MEMO_AVX2, HD_MEMO_AVX512 } hd_memo_form;
HD_MUST hd_code hd_memo_look_with(hd_memo *m, const hd_memo_texts *x, size_t n, bool wants_ids,
                                  hd_memo_answers *a, hd_memo_form best, hd_err *err);

#endif
