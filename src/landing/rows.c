/* rows.c - the judging stage of flow.c. A task takes a few columns, one after another: what a memo
 * asks for lies beside each other (lay.h), and the memo stays in a near cache while its column is
 * judged. A target's state is touched by one task at a time. */
#include "landing/private.h"

#include <string.h>

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

static inline void note_known(const hd_made *m, size_t row, const hd_known *k, const char *raw)
{
    if (m->numbers)
        m->numbers[row] = k->number;
    if (m->conditions)
        m->conditions[row] = k->conditions;
    if (m->texts)
        m->texts[row] = (hd_slice){raw + k->text_at, k->text_len};
}

static inline uint8_t kind_of(uint64_t word)
{
    return (uint8_t)(HD_ANSWER_MEANING(word) | HD_ANSWER_FLAGS(word) << 4);
}

/* More than the answers say is wanted of the texts. */
static inline bool wants_known(const hd_made *m)
{
    return m->numbers || m->conditions || m->texts;
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
                         const hd_memo_texts *x, const hd_memo_answers *a)
{
    uint32_t *codes = m->codes + at.first;
    uint8_t *kinds = m->kinds + at.first;
    for (size_t i = 0; i < at.n; i++)
        codes[i] = HD_ANSWER_CODE(a->words[i]);
    for (size_t i = 0; i < at.n && HD_ANSWER_FLAW(a->any); i++)
        if (HD_ANSWER_FLAW(a->words[i]))
            note_flaw(m, c, at.first + i, HD_ANSWER_FLAW(a->words[i]));
    for (size_t i = 0; i < at.n && m->kinds; i++)
        kinds[i] = kind_of(a->words[i]);
    const hd_known *known = t->memo.known;
    for (size_t i = 0; i < at.n && m->numbers; i++)
        m->numbers[at.first + i] = known[a->ids[i]].number;
    for (size_t i = 0; i < at.n && m->conditions; i++)
        m->conditions[at.first + i] = known[a->ids[i]].conditions;
    for (size_t i = 0; i < at.n && m->texts; i++) {
        const hd_known *k = &known[a->ids[i]];
        m->texts[at.first + i] =
            (hd_slice){x->text + *hd_memo_place(x, i) + k->text_at, k->text_len};
    }
    for (size_t k = 0; k < 5; k++)
        t->counts[k] += a->meanings >> 8 * k & 255;
}

struct words { /* of some texts that do not lie beside each other */
    uint64_t first[HD_MEMO_MANY], second[HD_MEMO_MANY];
};

/* The texts of some rows: as they were laid out, or collected into `some` when the chunk has lost
 * rows. */
static hd_memo_texts texts_of(const hd_chunk *c, int source, struct range at, struct words *some)
{
    const hd_batch *b = &c->batch;
    const hd_laid laid = b->laid[source];
    hd_memo_texts x = {.first = laid.first + at.first,
                       .second = laid.second ? laid.second + at.first : NULL,
                       .text = b->text,
                       .places = hd_batch_row(b, at.first) + source,
                       .pitch = b->n_columns + 1};
    if (c->n_rows == b->n_rows)
        return x;
    x.places = b->places + source;
    x.rows = c->rows + at.first;
    for (size_t i = 0; i < at.n; i++) {
        some->first[i] = laid.first[x.rows[i]];
        some->second[i] = laid.second ? laid.second[x.rows[i]] : 0;
    }
    x.first = some->first;
    x.second = laid.second ? some->second : NULL;
    return x;
}

/* Long texts are compared as a whole, and lie in no cache near by: they are asked for at once. */
static void fetch_long(const hd_memo_texts *x, size_t n)
{
    for (size_t i = 0; x->second && i < n; i++)
        if ((x->first[i] & HD_MEMO_EIGHTH) == HD_MEMO_LONG)
            __builtin_prefetch(x->text + *hd_memo_place(x, i));
}

static hd_code judge_stored(hd_target *t, const hd_chunk *c, hd_made *m, hd_err *err)
{
    struct range at = {0};
    struct words some;
    hd_memo_answers a;
    HD_TRY(hd_memo_begin(&t->memo, err));
    hd_memo_note(&t->memo, c->n_rows);
    for (; at.first < c->n_rows; at.first += a.n) {
        at.n = c->n_rows - at.first < HD_MEMO_MANY ? c->n_rows - at.first : HD_MEMO_MANY;
        const hd_memo_texts x = texts_of(c, t->sources[0], at, &some);
        fetch_long(&x, at.n);
        HD_TRY(hd_memo_look_many(&t->memo, &x, at.n, wants_known(m), &a, err));
        take_answers(t, c, (struct range){at.first, a.n}, m, &x, &a);
    }
    return HD_OK;
}

/* ---- lists ---------------------------------------------------------------------------------- */

/* Of one column, those of some rows that are not empty. */
struct elements {
    size_t n;
    uint32_t at[HD_MEMO_MANY];   /* which of those rows */
    uint32_t rows[HD_MEMO_MANY]; /* of the batch */
    struct words words;
    hd_memo_answers answers;
};

/* A text has no zero bytes, so an empty one is known by its first word. */
static void find_elements(const hd_chunk *c, int source, struct range at, struct elements *e)
{
    const hd_laid laid = c->batch.laid[source];
    const uint32_t *rows = c->rows + at.first;
    size_t n = 0;
    for (size_t i = 0; i < at.n; i++) {
        const uint64_t first = laid.first[rows[i]];
        e->at[n] = (uint32_t)i;
        e->rows[n] = rows[i];
        e->words.first[n] = first;
        n += first != 0;
    }
    for (size_t i = 0; i < n && laid.second; i++)
        e->words.second[i] = laid.second[e->rows[i]];
    e->n = n;
}

/* The answer to element `position` of a row. */
static inline void take_element(hd_target *t, const hd_chunk *c, hd_made *m, size_t row,
                                size_t position, uint64_t word)
{
    const bool is_null = HD_ANSWER_FLAGS(word) & HD_KNOWN_NULL;
    if (is_null && HD_ANSWER_MEANING(word) == HD_MEANING_MISSING)
        t->counts[HD_MEANING_MISSING]--; /* blanks are no answer */
    if (!is_null)
        m->lengths[row] = (uint32_t)position + 1;
    if (HD_ANSWER_FLAW(word))
        note_flaw(m, c, row, HD_ANSWER_FLAW(word));
    if (position == 0 && m->kinds)
        m->kinds[row] = kind_of(word);
}

/* One column of the list; the codes of a row stand n_there behind those of the row before. */
static hd_code judge_elements(hd_target *t, const hd_chunk *c, hd_made *m, size_t position,
                              struct range at, uint32_t *codes, struct elements *e, hd_err *err)
{
    const int source = t->sources[position];
    const hd_memo_answers *a = &e->answers;
    find_elements(c, source, at, e);
    hd_memo_note(&t->memo, e->n);
    for (size_t done = 0; done < e->n; done += a->n) {
        const hd_batch *b = &c->batch;
        const hd_memo_texts x = {
            .first = e->words.first + done,
            .second = b->laid[source].second ? e->words.second + done : NULL,
            .text = b->text,
            .places = b->places + source,
            .pitch = b->n_columns + 1,
            .rows = e->rows + done};
        HD_TRY(hd_memo_look_many(&t->memo, &x, e->n - done, position == 0 && wants_known(m),
                                 &e->answers, err));
        for (size_t i = 0; i < a->n; i++) {
            const uint32_t row = e->at[done + i];
            codes[row * t->n_there + position] = HD_ANSWER_CODE(a->words[i]);
            take_element(t, c, m, at.first + row, position, a->words[i]);
            if (position == 0 && wants_known(m))
                note_known(m, at.first + row, &t->memo.known[a->ids[i]],
                           b->text + *hd_memo_place(&x, i));
        }
        t->element_shapes[position] |= HD_ANSWER_SHAPE(a->any);
        for (size_t k = 0; k < 5; k++)
            t->counts[k] += a->meanings >> 8 * k & 255;
    }
    return HD_OK;
}

/* The rows' lists one after another. They may lie where the codes do: none moves back. */
static void keep_elements(const hd_target *t, hd_made *m, struct range at, const uint32_t *codes)
{
    for (size_t i = 0; i < at.n; i++, codes += t->n_there) {
        uint32_t *to = m->codes + m->n_elements;
        const uint32_t n = m->lengths[at.first + i];
        for (uint32_t k = 0; k < n; k++)
            to[k] = codes[k];
        m->n_elements += n;
    }
}

/* Empty elements are no answers, and no memo is looked at for them. */
static hd_code judge_list(hd_target *t, const hd_chunk *c, hd_made *m, hd_err *err)
{
    static const hd_known nothing = {.number = INT64_MIN};
    struct elements e;
    struct range at = {0};
    HD_TRY(hd_memo_begin(&t->memo, err));
    m->n_elements = 0;
    for (size_t r = 0; r < c->n_rows; r++) {
        m->lengths[r] = 0;
        if (m->kinds)
            m->kinds[r] = HD_MEANING_MISSING | HD_KIND_NULL;
        if (wants_known(m))
            note_known(m, r, &nothing, "");
    }
    for (; at.first < c->n_rows; at.first += at.n) {
        uint32_t *codes = m->codes + m->n_elements;
        at.n = c->n_rows - at.first < HD_MEMO_MANY ? c->n_rows - at.first : HD_MEMO_MANY;
        memset(codes, 0, at.n * t->n_there * sizeof *codes);
        for (size_t k = 0; k < t->n_there; k++)
            if (t->sources[k] >= 0)
                HD_TRY(judge_elements(t, c, m, k, at, codes, &e, err));
        keep_elements(t, m, at, codes);
    }
    for (size_t r = 0; r < c->n_rows; r++)
        t->counts[HD_MEANING_MISSING] += m->lengths[r] == 0;
    return HD_OK;
}

/* ---- keys ----------------------------------------------------------------------------------- */

uint64_t hd_intake_key_hash(const struct hd_intake *in, const void *id, size_t len)
{
    return in->sink ? hd_vault_key_hash(in->sink->vault, id, len)
                    : hd_key_hash(in->hash_key, id, len);
}

/* A byte that is no digit. */
static inline uint64_t odd_digits(uint64_t word)
{
    const uint64_t zeros = UINT64_C(0x3030303030303030);
    return ((word ^ zeros) | ((word ^ zeros) + UINT64_C(0x0606060606060606))) &
           UINT64_C(0xF0F0F0F0F0F0F0F0);
}

/* Nine to fifteen digits, the first of which is no zero: what hd_normal_id leaves as it is. Most
 * keys are so. The words of such a text (hd_laid) become those of hd_key_hashes. */
static inline bool is_plain_number(uint64_t *first, uint64_t *second)
{
    if ((*first & HD_MEMO_EIGHTH) != HD_MEMO_WIDE)
        return false;
    const uint64_t front = (*first & ~HD_MEMO_EIGHTH) | (*second & HD_MEMO_EIGHTH);
    const uint64_t rest = *second & ~HD_MEMO_EIGHTH;
    const unsigned len = (71 - (unsigned)__builtin_clzll(rest)) / 8; /* 1 to 7 */
    const uint64_t filled = rest | UINT64_C(0x3030303030303030) << 8 * len;
    *first = front;
    *second = rest | (uint64_t)(8 + len) << 56;
    return (odd_digits(front) | odd_digits(filled)) == 0 && (front & 255) != '0';
}

static void judge_key(const struct hd_intake *in, hd_target *t, const hd_chunk *c, hd_made *m,
                      size_t r)
{
    const uint32_t *place = place_of(c, r, t->sources[0]);
    const char *raw = c->batch.text + place[0], *id = raw;
    size_t len = len_at(place);
    char scratch[10];
    hd_meaning meaning = HD_MEANING_VALID;
    bool is_there = hd_normal_id(&id, &len, scratch);
    if (!is_there) {
        meaning = HD_MEANING_MISSING;
    } else if (!hd_field_is_open(t->field)) {
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

struct plain_keys { /* on their way to their hashes */
    size_t n;
    uint64_t first[HD_MEMO_MANY], second[HD_MEMO_MANY], hashes[HD_MEMO_MANY];
    uint32_t rows[HD_MEMO_MANY];
};

static void hash_keys(const struct hd_intake *in, struct plain_keys *p, hd_made *m)
{
    if (in->sink)
        hd_vault_key_hashes(in->sink->vault, p->first, p->second, p->n, p->hashes);
    else
        hd_key_hashes(in->hash_key, p->first, p->second, p->n, p->hashes);
    for (size_t i = 0; i < p->n; i++)
        m->keys[p->rows[i]] = p->hashes[i];
    p->n = 0;
}

/* Row keys are all different: no memo. */
static void judge_keys(const struct hd_intake *in, hd_target *t, const hd_chunk *c, hd_made *m)
{
    const hd_laid laid = c->batch.laid[t->sources[0]];
    const bool may_be_plain = laid.second && hd_field_is_open(t->field);
    struct plain_keys p;
    p.n = 0;
    for (size_t r = 0; r < c->n_rows; r++) {
        const uint32_t row = c->rows[r];
        p.first[p.n] = laid.first[row];
        p.second[p.n] = may_be_plain ? laid.second[row] : 0;
        if (!may_be_plain || !is_plain_number(&p.first[p.n], &p.second[p.n])) {
            judge_key(in, t, c, m, r);
            continue;
        }
        t->counts[HD_MEANING_VALID]++;
        p.rows[p.n++] = (uint32_t)r;
        if (p.n == HD_MEMO_MANY)
            hash_keys(in, &p, m);
    }
    hash_keys(in, &p, m);
    explicit_bzero(&p, sizeof p);
}

static hd_code judge_rows(const struct hd_intake *in, hd_target *t, const hd_chunk *c, hd_made *m,
                          hd_err *err)
{
    if (t->field->kind == HD_FIELD_LIST)
        return judge_list(t, c, m, err);
    if (t->field->kind == HD_FIELD_STORED)
        return judge_stored(t, c, m, err);
    if (t->field->kind == HD_FIELD_KEY)
        judge_keys(in, t, c, m);
    return HD_OK;
}

hd_code hd_rows_targets(struct hd_intake *in, hd_target *const *targets, size_t n,
                        const hd_chunk *c, unsigned made, hd_err *err)
{
    for (size_t i = 0; i < n; i++) {
        hd_target *t = targets[i];
        t->made[made].has_flaws = false;
        HD_TRY(judge_rows(in, t, c, &t->made[made], err));
        for (size_t k = 0; k < 5; k++) {
            in->quality.counts[t->position][k] += t->counts[k];
            t->counts[k] = 0;
        }
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
