/* rows.c - one batch of rows: judged column by column (so that a column's memo stays in the
 * processor's cache), then decided row by row. */
#include "landing/private.h"

#include <string.h>

static const hd_slice *field_at(const struct hd_intake *in, const hd_batch *b, size_t row,
                                int source)
{
    return &b->fields[in->rows[row] * hd_delivery_n_columns(in->reader) + (size_t)source];
}

static hd_cell cell_from(const hd_known *k, const hd_slice *raw)
{
    return (hd_cell){.number = k->number,
                     .conditions = k->conditions,
                     .text = raw->bytes + k->text_at,
                     .text_len = k->text_len,
                     .meaning = k->meaning,
                     .flags = k->flags};
}

static inline uint32_t broken_by(const hd_known *k)
{
    if (k->flags & HD_KNOWN_MISFIT)
        return 1u << HD_RULE_MISFIT;
    return k->meaning == HD_MEANING_INVALID ? 1u << HD_RULE_INVALID : 0;
}

static hd_code judge_stored(struct hd_intake *in, hd_target *t, const hd_batch *b, hd_err *err)
{
    for (size_t r = 0; r < in->n_rows; r++) {
        const hd_slice *raw = field_at(in, b, r, t->sources[0]);
        const hd_known *k;
        HD_TRY(hd_memo_look(&t->memo, raw->bytes, raw->len, &k, err));
        t->codes[r] = k->code;
        in->broken[r] |= broken_by(k);
        if (t->cells)
            t->cells[r] = cell_from(k, raw);
    }
    return HD_OK;
}

static hd_code judge_list(struct hd_intake *in, hd_target *t, const hd_batch *b, hd_err *err)
{
    size_t n = t->field->n_elements;
    for (size_t r = 0; r < in->n_rows; r++) {
        uint32_t *codes = t->codes + r * n, length = 0;
        if (t->cells)
            t->cells[r] = (hd_cell){.number = INT64_MIN,
                                    .meaning = HD_MEANING_MISSING,
                                    .flags = HD_KNOWN_NULL,
                                    .text = ""};
        for (size_t i = 0; i < n; i++) {
            codes[i] = 0;
            const hd_slice *raw = t->sources[i] < 0 ? NULL : field_at(in, b, r, t->sources[i]);
            if (!raw || raw->len == 0)
                continue;
            const hd_known *k;
            HD_TRY(hd_memo_look(&t->memo, raw->bytes, raw->len, &k, err));
            codes[i] = k->code;
            in->broken[r] |= broken_by(k);
            t->element_shapes[i] |= k->shape;
            if (!(k->flags & HD_KNOWN_NULL))
                length = (uint32_t)i + 1;
            if (i == 0 && t->cells)
                t->cells[r] = cell_from(k, raw);
        }
        t->lengths[r] = length;
        in->quality.counts[t->position][HD_MEANING_MISSING] += length == 0;
    }
    return HD_OK;
}

uint64_t hd_intake_key_hash(const struct hd_intake *in, const void *id, size_t len)
{
    return in->sink ? hd_vault_key_hash(in->sink->vault, id, len)
                    : hd_key_hash(in->hash_key, id, len);
}

/* Row keys are all different: no memo. */
static hd_code judge_keys(struct hd_intake *in, hd_target *t, const hd_batch *b)
{
    bool is_open = t->field->n_codes == 0 && !*t->field->pattern;
    for (size_t r = 0; r < in->n_rows; r++) {
        const hd_slice *raw = field_at(in, b, r, t->sources[0]);
        const char *id = raw->bytes;
        size_t len = raw->len;
        char scratch[10];
        hd_meaning meaning = HD_MEANING_VALID;
        bool is_there = hd_normal_id(&id, &len, scratch);
        if (!is_there) {
            meaning = HD_MEANING_MISSING;
        } else if (!is_open) {
            hd_judged j;
            hd_judge_text(t->judge, raw->bytes, raw->len, &j);
            meaning = j.meaning;
            /* a listed sentinel ("-1": could not be spelled) is no key; an odd-looking one is */
            is_there = meaning == HD_MEANING_VALID || meaning == HD_MEANING_OTHER ||
                       (meaning == HD_MEANING_INVALID && *t->field->pattern);
        }
        t->keys[r] = is_there ? hd_intake_key_hash(in, id, len) : 0;
        in->quality.counts[t->position][meaning]++;
        if (meaning == HD_MEANING_INVALID)
            in->broken[r] |= 1u << HD_RULE_INVALID;
    }
    return HD_OK;
}

/* Number the persons of the batch and leave the opted-out rows out of it. */
static hd_code judge_persons(struct hd_intake *in, const hd_batch *b, hd_err *err)
{
    hd_target *t = in->person < 0 ? NULL : &in->targets[in->person];
    size_t kept = 0;
    for (size_t i = 0; i < b->n_rows; i++) {
        in->rows[kept] = (uint32_t)i;
        in->persons[kept] = 0;
        bool is_out = false;
        if (t && t->n_sources) {
            const hd_slice *raw = field_at(in, b, kept, t->sources[0]);
            const hd_known *k;
            HD_TRY(hd_memo_look(&t->memo, raw->bytes, raw->len, &k, err));
            in->persons[kept] = k->code;
            is_out = (k->flags & HD_KNOWN_OPTED_OUT) != 0;
        }
        for (size_t s = 0; s < in->n_scans && in->options->opt_outs && !is_out; s++) {
            const hd_slice *raw = field_at(in, b, kept, in->scans[s].source);
            const char *id = raw->bytes;
            size_t len = raw->len;
            char scratch[10];
            is_out = in->scans[s].is_nhs_number && hd_normal_id(&id, &len, scratch) &&
                     hd_intern_find(in->options->opt_outs, id, len) != HD_INTERN_NONE;
        }
        kept += !is_out;
    }
    in->n_rows = kept;
    in->file->rows_opted_out += b->n_rows - kept;
    return HD_OK;
}

/* Tables without a person field: the person of the row's key. */
static void link_persons(struct hd_intake *in)
{
    const hd_target *t = in->link < 0 ? NULL : &in->targets[in->link];
    if (in->person >= 0 || !in->sink || !in->sink->person_of_key || !t || !t->n_sources)
        return;
    for (size_t r = 0; r < in->n_rows; r++)
        if (t->keys[r])
            in->persons[r] = in->sink->person_of_key(in->sink->ctx, t->keys[r]);
}

hd_code hd_rows_judge(struct hd_intake *in, const hd_batch *b, hd_err *err)
{
    HD_TRY(judge_persons(in, b, err));
    memset(in->broken, 0, sizeof in->broken);
    for (size_t i = 0; i < in->n_targets; i++) {
        hd_target *t = &in->targets[i];
        if (t->n_sources == 0) {
            in->quality.counts[t->position][HD_MEANING_MISSING] += in->n_rows;
            for (size_t r = 0; r < in->n_rows && t->cells; r++)
                t->cells[r] = (hd_cell){.number = INT64_MIN,
                                        .meaning = HD_MEANING_MISSING,
                                        .flags = HD_KNOWN_NULL,
                                        .text = ""};
        } else if (t->field->kind == HD_FIELD_LIST) {
            HD_TRY(judge_list(in, t, b, err));
        } else if (t->field->kind == HD_FIELD_KEY) {
            HD_TRY(judge_keys(in, t, b));
        } else if (t->field->kind == HD_FIELD_STORED) {
            HD_TRY(judge_stored(in, t, b, err));
        }
    }
    link_persons(in);
    for (size_t s = 0; s < in->n_scans; s++)
        for (size_t r = 0; r < in->n_rows && !in->scans[s].is_nhs_number; r++)
            HD_TRY(hd_scan_value(in, &in->scans[s], field_at(in, b, r, in->scans[s].source), err));
    return HD_OK;
}

/* ---- row by row ----------------------------------------------------------------------------- */

static hd_code compare_keys(struct hd_intake *in, const hd_batch *b, size_t row, hd_err *err)
{
    size_t n = hd_delivery_n_columns(in->reader);
    uint64_t hash = hd_row_hash(&b->fields[in->rows[row] * n], n);
    uint64_t key =
        in->key >= 0 && in->targets[in->key].n_sources ? in->targets[in->key].keys[row] : 0;
    bool has_key = key != 0;
    unsigned found;
    HD_TRY(hd_seen_add(&in->seen, has_key ? key : hash | 1, hash, &found, err));
    in->file->content = (in->file->content ^ hash) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    in->file->rows_seen += found != 0;
    if (found && has_key)
        in->broken[row] |= 1u << HD_RULE_SAME_KEY;
    if (found == 2)
        in->broken[row] |= 1u << HD_RULE_SAME_ROW;
    return HD_OK;
}

static void note_absences(struct hd_intake *in, size_t row)
{
    if (in->person >= 0 && in->persons[row] == 0)
        in->broken[row] |= 1u << HD_RULE_NO_PERSON;
    if (in->key >= 0 && (!in->targets[in->key].n_sources || !in->targets[in->key].keys[row]))
        in->broken[row] |= 1u << HD_RULE_NO_KEY;
    if (in->period >= 0 && in->targets[in->period].n_sources &&
        !(in->targets[in->period].cells[row].flags & HD_KNOWN_PROPER))
        in->broken[row] |= 1u << HD_RULE_NO_PERIOD;
}

/* Count the rules that the row breaks; false when one of them rejects it. */
static bool decide(struct hd_intake *in, size_t row)
{
    bool keep = true;
    for (unsigned id = 0; id < HD_N_RULES; id++)
        if (in->broken[row] & (1u << id)) {
            in->quality.rule_rows[id]++;
            keep &= !in->rules->rules[id].is_structural;
        }
    in->quality.rows_clean += in->broken[row] == 0;
    return keep;
}

hd_code hd_rows_keep(struct hd_intake *in, const hd_batch *b, hd_err *err)
{
    uint8_t keep[HD_BATCH_ROWS] = {0};
    for (size_t r = 0; r < in->n_rows; r++) {
        hd_agreement_row(in, r);
        note_absences(in, r);
        HD_TRY(compare_keys(in, b, r, err));
        keep[r] = decide(in, r);
        in->file->rows_kept += keep[r];
        in->file->rows_rejected += !keep[r];
        in->quality.rows_unlinked += keep[r] && in->persons[r] == 0;
        HD_TRY(hd_cell_row(in, r, err));
    }
    return in->sink ? hd_stage_add(in, keep, err) : HD_OK;
}
