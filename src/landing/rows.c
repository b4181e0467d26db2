/* rows.c - the judging stage of flow.c. A task takes a few columns that stand beside each other in
 * the file, some rows at a time: those rows stay in the nearest cache while column after column is
 * judged, and a column's memo while its rows are. A target's state is touched by one task at a
 * time. */
#include "landing/private.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { ROWS = 512 }; /* judged together */

struct range { /* rows of a chunk */
    size_t first, n;
};

/* Where the field and the one behind it begin. */
static inline const uint32_t *place_of(const hd_chunk *c, size_t row, int source)
{
    return hd_batch_row(&c->batch, c->rows[row]) + source;
}

static inline size_t len_at(const uint32_t *place)
{
    return place[1] - place[0] - 1;
}

static inline void note_watched(const hd_made *m, size_t row, const hd_known *k, const char *raw)
{
    m->kinds[row] = (uint8_t)(k->meaning | k->flags << 4);
    m->numbers[row] = k->number;
    if (m->conditions)
        m->conditions[row] = k->conditions;
    if (m->texts)
        m->texts[row] = (hd_slice){raw + k->text_at, k->text_len};
}

static void note_flaw(hd_made *m, const hd_chunk *c, size_t row, uint8_t flaw)
{
    if (!m->has_flaws)
        memset(m->flaws, 0, c->n_rows);
    m->has_flaws = true;
    m->flaws[row] |= flaw;
}

/* What a group of rows answered; `at` are those rows. */
static void take_answers(hd_target *t, const hd_chunk *c, struct range at, hd_made *m,
                         const hd_memo_span *spans, const hd_memo_answers *a)
{
    uint32_t *codes = m->codes + at.first;
    for (size_t i = 0; i < at.n; i++)
        codes[i] = HD_ANSWER_CODE(a->words[i]);
    for (size_t i = 0; i < at.n && HD_ANSWER_FLAW(a->any); i++)
        if (HD_ANSWER_FLAW(a->words[i]))
            note_flaw(m, c, at.first + i, HD_ANSWER_FLAW(a->words[i]));
    for (size_t i = 0; i < at.n && m->kinds; i++)
        note_watched(m, at.first + i, &t->memo.known[a->ids[i]], c->batch.text + spans[i].at);
    for (size_t k = 0; k < 5; k++)
        t->counts[k] += a->meanings >> 8 * k & 255;
}

static hd_code judge_stored(hd_target *t, const hd_chunk *c, struct range at, hd_made *m,
                            hd_err *err)
{
    const size_t pitch = c->batch.n_columns + 1;
    const uint32_t *places = c->batch.places + t->sources[0];
    hd_memo_span spans[HD_MEMO_MANY];
    hd_memo_answers a;
    HD_TRY(hd_memo_begin(&t->memo, err));
    hd_memo_note(&t->memo, at.n);
    for (size_t end = at.first + at.n; at.first < end; at.first += a.n) {
        at.n = end - at.first < HD_MEMO_MANY ? end - at.first : HD_MEMO_MANY;
        for (size_t i = 0; i < at.n; i++)
            memcpy(&spans[i], places + c->rows[at.first + i] * pitch, sizeof *spans);
        HD_TRY(hd_memo_look_many(&t->memo, c->batch.text, spans, at.n, m->kinds != NULL, &a, err));
        take_answers(t, c, (struct range){at.first, a.n}, m, spans, &a);
    }
    return HD_OK;
}

/* ---- lists ---------------------------------------------------------------------------------- */

/* Bits: which of at most 64 elements from `from` on the row has. Those that stand beside each other
 * in the file are compared four at a time: an empty field ends where it begins. */
static inline uint64_t find_elements(const hd_target *t, const uint32_t *row, size_t from)
{
    size_t n = t->n_there - from, i = 0;
    uint64_t found = 0;
    n = n < 64 ? n : 64;
#ifdef __SSE2__
    for (; t->is_in_line && i < n; i += 4) {
        const uint32_t *place = row + t->sources[from] + i;
        __m128i here = _mm_loadu_si128((const __m128i *)(const void *)place);
        __m128i next = _mm_loadu_si128((const __m128i *)(const void *)(place + 1));
        __m128i empty = _mm_cmpeq_epi32(_mm_sub_epi32(next, here), _mm_set1_epi32(1));
        found |= (uint64_t)(~(unsigned)_mm_movemask_ps(_mm_castsi128_ps(empty)) & 15) << i;
    }
#endif
    for (; i < n; i++)
        if (t->sources[from + i] >= 0)
            found |= (uint64_t)(len_at(row + t->sources[from + i]) > 0) << i;
    return n < 64 ? found & ((UINT64_C(1) << n) - 1) : found;
}

struct elements { /* on their way to the memo */
    size_t n;
    hd_memo_span spans[HD_MEMO_MANY];
    uint32_t rows[HD_MEMO_MANY], positions[HD_MEMO_MANY];
    uint32_t row, filled; /* the row of the last one that has its answer, and its codes so far */
};

/* One element and its answer, in the order of rows and positions. */
static inline void take_element(hd_target *t, const hd_chunk *c, hd_made *m, struct elements *e,
                                size_t i, const hd_memo_answers *a)
{
    const uint64_t word = a->words[i];
    const uint32_t row = e->rows[i], position = e->positions[i];
    const bool is_null = HD_ANSWER_FLAGS(word) & HD_KNOWN_NULL;
    if (row != e->row) {
        m->n_elements += m->lengths[e->row];
        e->row = row;
        e->filled = 0;
    }
    uint32_t *codes = m->codes + m->n_elements;
    while (e->filled < position)
        codes[e->filled++] = 0;
    codes[e->filled++] = HD_ANSWER_CODE(word);
    t->element_shapes[position] |= HD_ANSWER_SHAPE(word);
    if (is_null && HD_ANSWER_MEANING(word) == HD_MEANING_MISSING)
        t->counts[HD_MEANING_MISSING]--; /* blanks are no answer */
    if (!is_null)
        m->lengths[row] = position + 1;
    if (HD_ANSWER_FLAW(word))
        note_flaw(m, c, row, HD_ANSWER_FLAW(word));
    if (position == 0 && m->kinds)
        note_watched(m, row, &t->memo.known[a->ids[i]], c->batch.text + e->spans[i].at);
}

static hd_code ask_elements(hd_target *t, const hd_chunk *c, hd_made *m, struct elements *e,
                            hd_err *err)
{
    hd_memo_answers a;
    hd_memo_note(&t->memo, e->n);
    HD_TRY(hd_memo_look_many(&t->memo, c->batch.text, e->spans, e->n, m->kinds != NULL, &a, err));
    for (size_t i = 0; i < a.n; i++)
        take_element(t, c, m, e, i, &a);
    for (size_t k = 0; k < 5; k++)
        t->counts[k] += a.meanings >> 8 * k & 255;
    e->n -= a.n;
    memmove(e->spans, e->spans + a.n, e->n * sizeof *e->spans);
    memmove(e->rows, e->rows + a.n, e->n * sizeof *e->rows);
    memmove(e->positions, e->positions + a.n, e->n * sizeof *e->positions);
    return HD_OK;
}

/* Empty elements are no answers, and no memo is looked at for them. */
static hd_code judge_list(hd_target *t, const hd_chunk *c, struct range at, hd_made *m,
                          hd_err *err)
{
    static const hd_known nothing = {
        .number = INT64_MIN, .meaning = HD_MEANING_MISSING, .flags = HD_KNOWN_NULL};
    struct elements e;
    HD_TRY(hd_memo_begin(&t->memo, err));
    e.n = e.filled = 0;
    e.row = (uint32_t)at.first;
    m->n_elements = at.first ? m->n_elements : 0;
    for (size_t r = at.first; r < at.first + at.n; r++) {
        const uint32_t *row = place_of(c, r, 0);
        m->lengths[r] = 0;
        if (m->kinds)
            note_watched(m, r, &nothing, "");
        for (size_t from = 0; from < t->n_there; from += 64)
            for (uint64_t left = find_elements(t, row, from); left; left &= left - 1) {
                const size_t position = from + (size_t)__builtin_ctzll(left);
                if (e.n == HD_MEMO_MANY)
                    HD_TRY(ask_elements(t, c, m, &e, err));
                memcpy(&e.spans[e.n], row + t->sources[position], sizeof *e.spans);
                e.rows[e.n] = (uint32_t)r;
                e.positions[e.n++] = (uint32_t)position;
            }
    }
    while (e.n)
        HD_TRY(ask_elements(t, c, m, &e, err));
    m->n_elements += m->lengths[e.row];
    for (size_t r = at.first; r < at.first + at.n; r++)
        t->counts[HD_MEANING_MISSING] += m->lengths[r] == 0;
    return HD_OK;
}

/* ---- keys ----------------------------------------------------------------------------------- */

uint64_t hd_intake_key_hash(const struct hd_intake *in, const void *id, size_t len)
{
    return in->sink ? hd_vault_key_hash(in->sink->vault, id, len)
                    : hd_key_hash(in->hash_key, id, len);
}

/* Up to 16 digits, the first of which is no zero: what hd_normal_id leaves as it is. Most keys are
 * so. */
static inline bool is_plain_number(const char *p, size_t len)
{
    if (len == 0 || len > 16 || *p == '0')
        return false;
    uint64_t word[2], odd = 0;
    word[0] = hd_memo_word(p, len);
    word[1] = len > 8 ? hd_memo_word(p + 8, len - 8) : 0;
    for (size_t i = 0; i < 2; i++) {
        size_t have = len < 8 * i ? 0 : len - 8 * i;
        uint64_t filled = word[i] | (have >= 8 ? 0 : UINT64_C(0x3030303030303030) << 8 * have);
        odd |= (filled ^ UINT64_C(0x3030303030303030)) |
               ((filled ^ UINT64_C(0x3030303030303030)) + UINT64_C(0x0606060606060606));
    }
    return (odd & UINT64_C(0xF0F0F0F0F0F0F0F0)) == 0;
}

/* Row keys are all different: no memo. */
static void judge_keys(const struct hd_intake *in, hd_target *t, const hd_chunk *c,
                       struct range at, hd_made *m)
{
    bool is_open = hd_field_is_open(t->field);
    for (size_t r = at.first; r < at.first + at.n; r++) {
        const uint32_t *place = place_of(c, r, t->sources[0]);
        const char *raw = c->batch.text + place[0], *id = raw;
        size_t len = len_at(place);
        char scratch[10];
        hd_meaning meaning = HD_MEANING_VALID;
        bool is_there = is_plain_number(id, len) || hd_normal_id(&id, &len, scratch);
        if (!is_there) {
            meaning = HD_MEANING_MISSING;
        } else if (!is_open) {
            hd_judged j;
            hd_judge_text(t->judge, raw, len_at(place), &j);
            meaning = j.meaning;
            /* a listed sentinel ("-1": could not be spelled) is no key; an odd-looking one is */
            is_there = meaning == HD_MEANING_VALID || meaning == HD_MEANING_OTHER ||
                       (meaning == HD_MEANING_INVALID && *t->field->pattern);
        }
        m->keys[r] = is_there ? hd_intake_key_hash(in, id, len) : 0;
        t->counts[meaning]++;
        if (meaning == HD_MEANING_INVALID)
            note_flaw(m, c, r, HD_FLAW_INVALID);
    }
}

static hd_code judge_rows(const struct hd_intake *in, hd_target *t, const hd_chunk *c,
                          struct range at, hd_made *m, hd_err *err)
{
    if (t->field->kind == HD_FIELD_LIST)
        return judge_list(t, c, at, m, err);
    if (t->field->kind == HD_FIELD_STORED)
        return judge_stored(t, c, at, m, err);
    if (t->field->kind == HD_FIELD_KEY)
        judge_keys(in, t, c, at, m);
    return HD_OK;
}

/* The text that a task begins with is in no cache near by: all of it is asked for at once. */
static void fetch_texts(const hd_chunk *c, struct range at, const hd_target *first)
{
    for (size_t r = at.first; r < at.first + at.n && first->sources[0] >= 0; r++)
        __builtin_prefetch(c->batch.text + *place_of(c, r, first->sources[0]));
}

hd_code hd_rows_targets(struct hd_intake *in, hd_target *const *targets, size_t n,
                        const hd_chunk *c, unsigned made, hd_err *err)
{
    for (size_t i = 0; i < n; i++)
        targets[i]->made[made].has_flaws = false;
    for (struct range at = {0, ROWS}; at.first < c->n_rows; at.first += ROWS) {
        at.n = c->n_rows - at.first < ROWS ? c->n_rows - at.first : ROWS;
        if (n)
            fetch_texts(c, at, targets[0]);
        for (size_t i = 0; i < n; i++)
            HD_TRY(judge_rows(in, targets[i], c, at, &targets[i]->made[made], err));
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 5; k++) {
            in->quality.counts[targets[i]->position][k] += targets[i]->counts[k];
            targets[i]->counts[k] = 0;
        }
    return HD_OK;
}

hd_code hd_rows_scan(const struct hd_intake *in, hd_scan *s, const hd_chunk *c, hd_err *err)
{
    for (size_t r = 0; r < c->n_rows; r++)
        HD_TRY(hd_scan_value(in, s, hd_batch_field(&c->batch, c->rows[r], (size_t)s->source), err));
    return HD_OK;
}

/* ---- the row as a whole --------------------------------------------------------------------- */

/* A row is the same however its file is delimited and quoted: fields with a bar between them, and a
 * bar inside a field as a zero byte, which no field has. In a pipe file that is the line itself. */
static hd_code hash_fields(struct hd_intake *in, const hd_chunk *c, size_t row, uint64_t *out,
                           hd_err *err)
{
    hd_buf *b = &in->row_text;
    hd_buf_clear(b);
    for (size_t i = 0; i < hd_delivery_n_columns(in->reader); i++) {
        hd_slice f = hd_batch_field(&c->batch, row, i);
        size_t from = b->len + (i > 0);
        if (i > 0)
            hd_buf_char(b, '|');
        if (f.len == 0)
            continue;
        hd_buf_add(b, f.bytes, f.len);
        for (size_t k = from; k < b->len; k++)
            if (b->data[k] == '|')
                b->data[k] = '\0';
    }
    *out = hd_hash64(b->data, b->len);
    return hd_buf_check(b, err);
}

hd_code hd_rows_hash(struct hd_intake *in, hd_chunk *c, hd_err *err)
{
    size_t last = hd_delivery_n_columns(in->reader) - 1;
    bool is_whole = hd_delivery_delimiter(in->reader) == '|';
    for (size_t r = 0; r < c->n_rows; r++) {
        size_t row = c->rows[r];
        hd_slice from = hd_batch_field(&c->batch, row, 0);
        hd_slice to = hd_batch_field(&c->batch, row, last);
        if (is_whole)
            c->hashes[r] = hd_hash64(from.bytes, (size_t)(to.bytes + to.len - from.bytes));
        else
            HD_TRY(hash_fields(in, c, row, &c->hashes[r], err));
    }
    return HD_OK;
}
