/* rows.c - the judging stage of flow.c: each column is judged by itself, so that its memo stays in
 * the processor's cache. A target's state is touched by one task at a time. */
#include "landing/private.h"

#include <string.h>

static inline hd_span span_of(const hd_chunk *c, size_t row, int source)
{
    return c->batch.fields[hd_span_at(c->batch.n_columns, c->rows[row], (size_t)source)];
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

static void add_counts(struct hd_intake *in, const hd_target *t, const uint64_t counts[5])
{
    for (size_t i = 0; i < 5; i++)
        in->quality.counts[t->position][i] += counts[i];
}

/* Rows looked at together, and how far ahead the text is fetched. */
enum { GROUP = 32, AHEAD = HD_TILE_ROWS };

struct group {
    hd_span spans[GROUP];
    hd_memo_probe probes[GROUP];
};

/* Text and places in the memo of n rows from r on, which begins a group and so lies in one tile. */
static void find_group(const hd_chunk *c, int source, size_t r, size_t n, struct group *g)
{
    const char *text = c->batch.text;
    const hd_span *tile = &c->batch.fields[hd_span_at(c->batch.n_columns, r, (size_t)source)];
    const hd_span *ahead = r + AHEAD + n <= c->n_rows ? tile + c->batch.n_columns * HD_TILE_PITCH
                                                      : tile;
    if (c->n_rows == c->batch.n_rows)
        memcpy(g->spans, tile, n * sizeof *tile);
    else
        for (size_t i = 0; i < n; i++)
            g->spans[i] = span_of(c, r + i, source);
    for (size_t i = 0; i < n; i++) {
        __builtin_prefetch(text + ahead[i].at);
        g->probes[i] = hd_memo_probe_of(text + g->spans[i].at, g->spans[i].len);
    }
}

/* The answers to a group, and how often each meaning is among them, a byte for each. */
static hd_code ask_memo(hd_memo *m, const char *text, const struct group *g, size_t n,
                        uint64_t *answers, uint64_t *meanings, hd_err *err)
{
    const hd_memo_front *front = m->front;
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        const hd_memo_front *f = &front[g->probes[i].slot];
        if (!hd_memo_is(f, &g->probes[i]))
            HD_TRY(hd_memo_look_further(m, text + g->spans[i].at, g->spans[i].len, g->probes[i],
                                        err));
        answers[i] = hd_memo_answer(f);
        sum += UINT64_C(1) << 8 * HD_ANSWER_MEANING(answers[i]);
    }
    *meanings = sum;
    return HD_OK;
}

/* The same of a watched target, one row after another: what is known of a text may be forgotten
 * when the next is new. */
static hd_code ask_and_watch(hd_memo *m, const hd_made *made, const char *text,
                             const struct group *g, size_t row, size_t n, uint64_t *answers,
                             uint64_t *meanings, hd_err *err)
{
    *meanings = 0;
    for (size_t i = 0; i < n; i++) {
        const char *raw = text + g->spans[i].at;
        const hd_memo_front *f;
        HD_TRY(hd_memo_look(m, raw, g->spans[i].len, g->probes[i], &f, err));
        answers[i] = hd_memo_answer(f);
        *meanings += UINT64_C(1) << 8 * HD_ANSWER_MEANING(answers[i]);
        note_watched(made, row + i, hd_memo_known(m, f), raw);
    }
    return HD_OK;
}

static hd_code judge_stored(struct hd_intake *in, hd_target *t, const hd_chunk *c, hd_made *m,
                            hd_err *err)
{
    uint64_t counts[5] = {0}, answers[GROUP], meanings;
    struct group g;
    HD_TRY(hd_memo_begin(&t->memo, err));
    t->memo.looked_up += c->n_rows;
    for (size_t first = 0, n; first < c->n_rows; first += n) {
        n = c->n_rows - first < GROUP ? c->n_rows - first : GROUP;
        find_group(c, t->sources[0], first, n, &g);
        HD_TRY(m->kinds ? ask_and_watch(&t->memo, m, c->batch.text, &g, first, n, answers,
                                        &meanings, err)
                        : ask_memo(&t->memo, c->batch.text, &g, n, answers, &meanings, err));
        uint32_t *codes = m->codes + first;
        uint64_t any = 0;
        for (size_t i = 0; i < n; i++) {
            codes[i] = HD_ANSWER_CODE(answers[i]);
            any |= answers[i];
        }
        for (size_t i = 0; i < n && HD_ANSWER_FLAW(any); i++)
            if (HD_ANSWER_FLAW(answers[i]))
                note_flaw(m, c, first + i, HD_ANSWER_FLAW(answers[i]));
        for (size_t k = 0; k < 5; k++)
            counts[k] += meanings >> 8 * k & 255;
    }
    add_counts(in, t, counts);
    return HD_OK;
}

/* The elements of row r that are not empty; no memo needs to be looked at for the others. */
static size_t find_elements(const hd_target *t, const hd_chunk *c, size_t r, hd_element *to)
{
    size_t n = 0;
    const hd_span *tile = &c->batch.fields[hd_span_at(c->batch.n_columns, c->rows[r], 0)];
    for (size_t i = 0; i < t->field->n_elements; i++) {
        if (t->sources[i] < 0)
            continue;
        hd_span s = tile[(size_t)t->sources[i] * HD_TILE_PITCH];
        if (s.len == 0)
            continue;
        to[n] = (hd_element){(uint32_t)r, (uint32_t)i, s,
                                 hd_memo_probe_of(c->batch.text + s.at, s.len)};
        __builtin_prefetch(&t->memo.front[to[n++].probe.slot]);
    }
    return n;
}

static hd_code judge_element(hd_target *t, const hd_chunk *c, hd_made *m, const hd_element *e,
                             uint64_t counts[5], uint32_t *codes, hd_err *err)
{
    const char *raw = c->batch.text + e->span.at;
    const hd_memo_front *f;
    HD_TRY(hd_memo_look(&t->memo, raw, e->span.len, e->probe, &f, err));
    codes[e->position] = f->code;
    t->element_shapes[e->position] |= f->shape;
    if (f->meaning != HD_MEANING_MISSING || !(f->flags & HD_KNOWN_NULL))
        counts[f->meaning]++;
    if (f->flaw)
        note_flaw(m, c, e->row, f->flaw);
    if (!(f->flags & HD_KNOWN_NULL))
        m->lengths[e->row] = e->position + 1;
    if (e->position == 0 && m->kinds)
        note_watched(m, e->row, hd_memo_known(&t->memo, f), raw);
    return HD_OK;
}

/* Empty list elements are no answers. Elements of some rows are found, then judged. */
static hd_code judge_list(struct hd_intake *in, hd_target *t, const hd_chunk *c, hd_made *m,
                          hd_err *err)
{
    static const hd_known nothing = {
        .number = INT64_MIN, .meaning = HD_MEANING_MISSING, .flags = HD_KNOWN_NULL};
    const size_t most = t->field->n_elements;
    HD_TRY(hd_memo_begin(&t->memo, err));
    uint64_t counts[5] = {0};
    uint32_t *codes = m->codes;
    for (size_t r = 0; r < c->n_rows;) {
        size_t n = 0, first = r, used = 0;
        for (; r < c->n_rows && n + most <= t->n_elements; r++)
            n += find_elements(t, c, r, t->elements + n);
        t->memo.looked_up += n;
        for (size_t row = first; row < r; row++) {
            m->lengths[row] = 0;
            memset(codes, 0, most * sizeof *codes);
            if (m->kinds)
                note_watched(m, row, &nothing, "");
            for (; used < n && t->elements[used].row == row; used++)
                HD_TRY(judge_element(t, c, m, &t->elements[used], counts, codes, err));
            codes += m->lengths[row];
            counts[HD_MEANING_MISSING] += m->lengths[row] == 0;
        }
    }
    add_counts(in, t, counts);
    return HD_OK;
}

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
static void judge_keys(struct hd_intake *in, hd_target *t, const hd_chunk *c, hd_made *m)
{
    bool is_open = hd_field_is_open(t->field);
    uint64_t counts[5] = {0};
    for (size_t r = 0; r < c->n_rows; r++) {
        hd_span s = span_of(c, r, t->sources[0]);
        if (r + AHEAD < c->n_rows)
            __builtin_prefetch(c->batch.text + span_of(c, r + AHEAD, t->sources[0]).at);
        const char *raw = c->batch.text + s.at, *id = raw;
        size_t len = s.len;
        char scratch[10];
        hd_meaning meaning = HD_MEANING_VALID;
        bool is_there = is_plain_number(id, len) || hd_normal_id(&id, &len, scratch);
        if (!is_there) {
            meaning = HD_MEANING_MISSING;
        } else if (!is_open) {
            hd_judged j;
            hd_judge_text(t->judge, raw, s.len, &j);
            meaning = j.meaning;
            /* a listed sentinel ("-1": could not be spelled) is no key; an odd-looking one is */
            is_there = meaning == HD_MEANING_VALID || meaning == HD_MEANING_OTHER ||
                       (meaning == HD_MEANING_INVALID && *t->field->pattern);
        }
        m->keys[r] = is_there ? hd_intake_key_hash(in, id, len) : 0;
        counts[meaning]++;
        if (meaning == HD_MEANING_INVALID)
            note_flaw(m, c, r, HD_FLAW_INVALID);
    }
    add_counts(in, t, counts);
}

hd_code hd_rows_target(struct hd_intake *in, hd_target *t, const hd_chunk *c, unsigned made,
                       hd_err *err)
{
    hd_made *m = &t->made[made];
    m->has_flaws = false;
    if (t->field->kind == HD_FIELD_LIST)
        return judge_list(in, t, c, m, err);
    if (t->field->kind == HD_FIELD_STORED)
        return judge_stored(in, t, c, m, err);
    if (t->field->kind == HD_FIELD_KEY)
        judge_keys(in, t, c, m);
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
