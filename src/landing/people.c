/* people.c - from the text of the person column to person numbers, in two stages of flow.c.
 *
 * First what needs no memory of other rows: who opted out, and the keyed pseudonym of the rest.
 * Then the numbers, in the order of the file. No memo stands in front: in most deliveries the ids
 * of neighbouring rows are either the same, which is looked at, or hardly ever repeat.
 */
#include "landing/private.h"

#include <string.h>

enum { AHEAD = 8, MANY = 64 };

/* Does an NHS number column of the row name somebody who opted out? */
static bool is_opted_out(const struct hd_intake *in, const hd_chunk *c, size_t row)
{
    for (size_t s = 0; s < in->n_scans; s++) {
        hd_slice raw = hd_batch_field(&c->batch, row, (size_t)in->scans[s].source);
        const char *id = raw.bytes;
        size_t len = raw.len;
        char scratch[10];
        if (in->scans[s].is_nhs_number && hd_normal_id(&id, &len, scratch) &&
            hd_intern_find(in->options->opt_outs, id, len) != HD_INTERN_NONE)
            return true;
    }
    return false;
}

struct person { /* what one text of the person column stands for */
    hd_slice raw;
    hd_meaning meaning;
    bool is_person, is_out;
};

/* Ids on their way to their pseudonyms, many at a time: the steps of one keyed hash wait for each
 * other. Rows beside each other that name the same person share one. */
struct waiting {
    size_t n;
    const void *ids[MANY];
    size_t lens[MANY];
    struct range {
        size_t first, end; /* rows of the chunk */
    } rows[MANY];
    char scratch[MANY][10]; /* of hd_normal_id */
};

static void give_pseudonyms(const struct hd_intake *in, hd_chunk *c, struct waiting *w)
{
    uint8_t made[MANY][HD_PSEUDONYM];
    if (!in->sink) {
        w->n = 0; /* a check names nobody */
        return;
    }
    hd_vault_pseudonyms(in->sink->vault, w->ids, w->lens, w->n, made);
    for (size_t i = 0; i < w->n; i++)
        for (size_t r = w->rows[i].first; r < w->rows[i].end; r++)
            memcpy(c->pseudonyms + r * HD_PSEUDONYM, made[i], HD_PSEUDONYM);
    w->n = 0;
    explicit_bzero(made, sizeof made);
}

/* A text that the row before does not have; a person's id then waits last. */
static void look_at(const struct hd_intake *in, const hd_target *t, hd_slice raw, struct person *p,
                    struct waiting *w)
{
    const char *id = raw.bytes;
    size_t len = raw.len;
    bool is_id = hd_normal_id(&id, &len, w->scratch[w->n]);
    *p = (struct person){.raw = raw, .meaning = is_id ? HD_MEANING_VALID : HD_MEANING_MISSING};
    if (is_id && !hd_field_is_open(t->field)) {
        hd_judged j;
        hd_judge_text(t->judge, raw.bytes, raw.len, &j);
        p->meaning = j.meaning;
        is_id = j.meaning == HD_MEANING_VALID || j.meaning == HD_MEANING_OTHER ||
                (j.meaning == HD_MEANING_INVALID && !j.is_misfit);
    }
    if (!is_id)
        return;
    p->is_out = in->options->opt_outs &&
                hd_intern_find(in->options->opt_outs, id, len) != HD_INTERN_NONE;
    p->is_person = !p->is_out;
    if (p->is_person) {
        w->ids[w->n] = id;
        w->lens[w->n] = len;
        w->rows[w->n++] = (struct range){0};
    }
}

static bool is_same(hd_slice a, hd_slice b)
{
    return a.bytes && a.len == b.len && memcmp(a.bytes, b.bytes, a.len) == 0;
}

/* Row `row` of the chunk is about the person whose id waits last, as those before it may be. */
static void note_row(struct waiting *w, size_t row)
{
    struct range *at = &w->rows[w->n - 1];
    if (at->end == 0)
        at->first = row;
    at->end = row + 1;
}

/* Opted-out rows leave the chunk. */
void hd_rows_persons(struct hd_intake *in, hd_chunk *c)
{
    const hd_target *t =
        in->person < 0 || !in->targets[in->person].n_sources ? NULL : &in->targets[in->person];
    struct person p = {0};
    struct waiting w;
    size_t kept = 0;
    w.n = 0;
    for (size_t i = 0; i < c->batch.n_rows; i++) {
        hd_slice raw = t ? hd_batch_field(&c->batch, i, (size_t)t->sources[0]) : (hd_slice){0};
        if (t && i + AHEAD < c->batch.n_rows)
            __builtin_prefetch(
                hd_batch_field(&c->batch, i + AHEAD, (size_t)t->sources[0]).bytes);
        if (t && !is_same(p.raw, raw)) {
            if (w.n == MANY)
                give_pseudonyms(in, c, &w);
            look_at(in, t, raw, &p, &w);
        }
        c->rows[kept] = (uint32_t)i;
        c->persons[kept] = p.is_person;
        if (t)
            in->quality.counts[t->position][p.meaning] += !p.is_out;
        if (p.is_out || (in->options->opt_outs && is_opted_out(in, c, i)))
            continue;
        if (p.is_person)
            note_row(&w, kept);
        kept++;
    }
    give_pseudonyms(in, c, &w);
    c->n_rows = kept;
    explicit_bzero(&w, sizeof w);
}

/* Numbers where there are persons. */
hd_code hd_rows_number(struct hd_intake *in, hd_chunk *c, hd_err *err)
{
    if (!in->sink || in->person < 0 || !in->targets[in->person].n_sources)
        return HD_OK;
    return hd_persons_numbers(in->sink->persons, c->pseudonyms, c->n_rows, c->persons, err);
}
