/* decide.c - the last stage of flow.c: rows and defects in the order of the file. Whatever is wrong
 * with a file, the first thing in it is what is told. Rows that are kept go into the builder. */
#include "landing/private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { AHEAD = 16 };

/* ---- rejected rows -------------------------------------------------------------------------- */

bool hd_too_many_rejected(const struct hd_intake *in, bool at_end)
{
    const hd_allowance *a = &in->options->allowed;
    uint64_t rejected = in->quality.rows_rejected + (in->file ? in->file->rows_rejected : 0);
    uint64_t read = in->quality.rows_read + (in->file ? in->file->rows_read : 0);
    if (a->share > 0)
        return at_end && (double)rejected > a->share * (double)read;
    return rejected > a->rows;
}

hd_code hd_refuse_rows(const struct hd_intake *in, hd_err *err)
{
    return hd_fail(err, HD_FORMAT, "%s (--allow-rejected N or P%% lets rows be left out)",
                   in->first_defect);
}

static void describe_defect(struct hd_intake *in, uint64_t line, unsigned column, hd_rule_id id)
{
    const hd_rule *rule = &in->rules->rules[id];
    char name[80], place[120] = "";
    if (in->first_defect[0])
        return;
    if (column > hd_delivery_n_columns(in->reader)) {
        snprintf(place, sizeof place, ", column %u", column);
    } else if (column) {
        hd_columns_name(in, column, name, sizeof name);
        snprintf(place, sizeof place, ", column %u (%s)", column, name);
    }
    snprintf(in->first_defect, sizeof in->first_defect, "%s, line %" PRIu64 "%s: %s; %s", in->name,
             line, place, rule->says, rule->remedy);
}

static hd_code after_rejection(const struct hd_intake *in, hd_err *err)
{
    return !in->options->is_check && hd_too_many_rejected(in, false) ? hd_refuse_rows(in, err)
                                                                     : HD_OK;
}

/* The chunk's next defects that lie before a line. */
static hd_code note_defects(struct hd_intake *in, hd_chunk *c, uint64_t before, hd_err *err)
{
    for (; c->n_noted < c->batch.n_defects; c->n_noted++) {
        const hd_row_defect *d = &c->batch.defects[c->n_noted];
        hd_rule_id id = (hd_rule_id)(d->what - HD_DEFECT_FEW_FIELDS);
        if (d->line >= before)
            return HD_OK;
        describe_defect(in, d->line, d->column, id);
        in->quality.rule_rows[id]++;
        in->file->rows_read++;
        in->file->rows_rejected++;
        HD_TRY(after_rejection(in, err));
    }
    return HD_OK;
}

hd_code hd_decide_defects(struct hd_intake *in, hd_chunk *c, hd_err *err)
{
    return note_defects(in, c, c->batch.n_rows ? c->batch.lines[0] : UINT64_MAX, err);
}

/* ---- one row -------------------------------------------------------------------------------- */

/* Every row of a file belongs to one extract. `last` is the word of a text of at most eight bytes
 * that was found right, or of none. */
static hd_code check_year(const struct hd_intake *in, const hd_chunk *c, size_t row,
                          uint64_t *last, hd_err *err)
{
    if (in->year_source < 0)
        return HD_OK;
    const uint64_t word = c->batch.laid[in->year_source].first[row];
    if (word == *last)
        return HD_OK;
    if (hd_memo_is_whole(word))
        *last = word;
    hd_slice v = hd_batch_field(&c->batch, row, (size_t)in->year_source);
    int part = hd_read_year(in, v);
    bool same = in->year_is_part ? part == in->file->part_year : part / 100 == in->file->data_year;
    if (part && !same)
        return hd_fail(err, HD_FORMAT,
                       "%s, line %" PRIu64 ", column %d (%s): another %s than the file has so "
                       "far; split the file, one extract a file",
                       in->name, c->batch.lines[row], in->year_source + 1,
                       in->year_is_part ? "PARTYEAR" : "FYEAR",
                       in->year_is_part ? "extract" : "data year");
    return HD_OK;
}

static const uint64_t *keys_of(const struct hd_intake *in, int target, unsigned made)
{
    const hd_target *t = target < 0 ? NULL : &in->targets[target];
    return t && t->n_sources ? t->made[made].keys : NULL;
}

static hd_code compare_key(struct hd_intake *in, hd_chunk *c, const uint64_t *keys, size_t row,
                           hd_err *err)
{
    uint64_t key = keys ? keys[row] : 0, hash = c->hashes[row];
    unsigned found;
    HD_TRY(hd_seen_add(&in->seen, key ? key : hash | 1, hash, &found, err));
    in->file->content = (in->file->content ^ hash) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    in->file->rows_seen += found != 0;
    if (found && key)
        c->broken[row] |= 1u << HD_RULE_SAME_KEY;
    if (found == 2)
        c->broken[row] |= 1u << HD_RULE_SAME_ROW;
    return HD_OK;
}

static void note_absences(const struct hd_intake *in, hd_chunk *c, const uint64_t *keys,
                          unsigned made, size_t row)
{
    if (in->person >= 0 && c->persons[row] == 0)
        c->broken[row] |= 1u << HD_RULE_NO_PERSON;
    if (in->key >= 0 && (!keys || !keys[row]))
        c->broken[row] |= 1u << HD_RULE_NO_KEY;
    if (in->place.b && !(in->place.b->made[made].kinds[row] & HD_KIND_PROPER))
        c->broken[row] |= 1u << HD_RULE_NO_PERIOD;
}

/* Count the rules that the row breaks; false when one of them rejects it. */
static bool apply_rules(struct hd_intake *in, hd_chunk *c, size_t row)
{
    bool keep = true;
    for (uint32_t left = c->broken[row]; left; left &= left - 1) {
        hd_rule_id id = (hd_rule_id)__builtin_ctz(left);
        in->quality.rule_rows[id]++;
        if (in->rules->rules[id].is_structural) {
            describe_defect(in, c->batch.lines[c->rows[row]], 0, id);
            keep = false;
        }
    }
    in->quality.rows_clean += c->broken[row] == 0;
    return keep;
}

static hd_code decide_row(struct hd_intake *in, hd_chunk *c, const uint64_t *keys, unsigned made,
                          size_t row, hd_err *err)
{
    note_absences(in, c, keys, made, row);
    HD_TRY(compare_key(in, c, keys, row, err));
    c->keep[row] = apply_rules(in, c, row);
    in->file->rows_kept += c->keep[row];
    in->file->rows_rejected += !c->keep[row];
    in->quality.rows_unlinked += c->keep[row] && c->persons[row] == 0;
    return c->keep[row] ? HD_OK : after_rejection(in, err);
}

/* ---- a chunk -------------------------------------------------------------------------------- */

static void gather_flaws(struct hd_intake *in, hd_chunk *c, unsigned made)
{
    memset(c->broken, 0, c->n_rows * sizeof *c->broken);
    for (size_t i = 0; i < in->n_targets; i++) {
        const hd_target *t = &in->targets[i];
        const hd_made *m = &t->made[made];
        if (t->n_sources == 0)
            in->quality.counts[t->position][HD_MEANING_MISSING] += c->n_rows;
        else if (m->has_flaws)
            for (size_t r = 0; r < c->n_rows; r++)
                c->broken[r] |= (m->flaws[r] & HD_FLAW_MISFIT ? 1u << HD_RULE_MISFIT : 0) |
                                (m->flaws[r] & HD_FLAW_INVALID ? 1u << HD_RULE_INVALID : 0);
    }
}

/* Tables without a person field: the person of the row's key. */
static void link_persons(struct hd_intake *in, hd_chunk *c, unsigned made)
{
    const uint64_t *keys = keys_of(in, in->link, made);
    if (in->person >= 0 || !in->sink || !in->sink->person_of_key || !keys)
        return;
    for (size_t r = 0; r < c->n_rows; r++)
        if (keys[r])
            c->persons[r] = in->sink->person_of_key(in->sink->ctx, keys[r]);
}

static hd_code decide_rows(struct hd_intake *in, hd_chunk *c, unsigned made, hd_err *err)
{
    const uint64_t *keys = keys_of(in, in->key, made);
    uint64_t last = HD_MEMO_FREE;
    size_t row = 0;
    for (size_t i = 0; i < c->batch.n_rows; i++) {
        if (c->n_noted < c->batch.n_defects)
            HD_TRY(note_defects(in, c, c->batch.lines[i], err));
        in->file->rows_read++;
        HD_TRY(check_year(in, c, i, &last, err));
        if (row == c->n_rows || c->rows[row] != i) {
            in->file->rows_opted_out++;
            continue;
        }
        if (row + AHEAD < c->n_rows) {
            uint64_t key = keys ? keys[row + AHEAD] : 0;
            hd_seen_prefetch(&in->seen, key ? key : c->hashes[row + AHEAD] | 1);
        }
        HD_TRY(decide_row(in, c, keys, made, row, err));
        row++;
    }
    return note_defects(in, c, UINT64_MAX, err);
}

/* ---- into the builder ----------------------------------------------------------------------- */

static void order_rows(const struct hd_intake *in, hd_chunk *c, unsigned made)
{
    memset(c->order, 0, c->n_rows * sizeof *c->order);
    for (size_t i = 0; i < in->n_order; i++) {
        const hd_target *t = &in->targets[in->order[i]];
        const int64_t *numbers = t->n_sources ? t->made[made].numbers : NULL;
        for (size_t r = 0; r < c->n_rows; r++)
            c->order[r] =
                hd_order_pack(c->order[r], numbers ? numbers[r] : INT64_MIN, t->field->type);
    }
}

#define KEEP_ROWS(array)                                                                           \
    do {                                                                                           \
        size_t kept = 0;                                                                           \
        for (size_t r = 0; r < c->n_rows; r++)                                                     \
            if (c->keep[r])                                                                        \
                (array)[kept++] = (array)[r];                                                      \
    } while (0)

static void keep_lists(const hd_chunk *c, hd_made *m)
{
    uint32_t *to = m->codes;
    const uint32_t *from = m->codes;
    for (size_t r = 0; r < c->n_rows; from += m->lengths[r++])
        if (c->keep[r]) {
            memmove(to, from, m->lengths[r] * sizeof *to);
            to += m->lengths[r];
        }
    KEEP_ROWS(m->lengths);
}

static void keep_target(const hd_chunk *c, hd_made *m)
{
    if (m->lengths)
        keep_lists(c, m);
    else if (m->keys)
        KEEP_ROWS(m->keys);
    else
        KEEP_ROWS(m->codes);
}

static hd_code append(struct hd_intake *in, hd_chunk *c, unsigned made, hd_err *err)
{
    size_t n = 0;
    for (size_t r = 0; r < c->n_rows; r++)
        n += c->keep[r];
    order_rows(in, c, made);
    if (n < c->n_rows) {
        KEEP_ROWS(c->persons);
        KEEP_ROWS(c->order);
    }
    memset(in->columns, 0, in->n_columns * sizeof *in->columns); /* what is not there is NULL */
    for (size_t i = 0; i < in->n_targets; i++) {
        hd_target *t = &in->targets[i];
        hd_made *m = &t->made[made];
        if (t->out < 0 || t->n_sources == 0)
            continue;
        if (n < c->n_rows)
            keep_target(c, m);
        in->columns[t->out] =
            (hd_rows_column){.codes = m->codes, .counts = m->lengths, .keys = m->keys};
    }
    in->columns[in->data_year_out].codes = in->year_codes;
    in->columns[in->part_year_out].codes = in->part_codes;
    hd_rows rows = {n, c->persons, c->order, in->columns};
    return hd_builder_append(in->sink->builder, &rows, err);
}

hd_code hd_decide(struct hd_intake *in, hd_chunk *c, unsigned made, hd_err *err)
{
    if (c->rc != HD_OK) {
        *err = c->err;
        return c->rc;
    }
    gather_flaws(in, c, made);
    hd_agreement_rows(in, c, made);
    HD_TRY(hd_cell_rows(in, c, made, err));
    link_persons(in, c, made);
    HD_TRY(decide_rows(in, c, made, err));
    return in->sink ? append(in, c, made, err) : HD_OK;
}
