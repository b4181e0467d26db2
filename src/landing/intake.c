/* intake.c - see intake.h. One file after another: open, map the header, find the data year, then
 * chunk by chunk through flow.c. */
#include "base/alloc.h"
#include "base/date.h"
#include "crypto/secret.h"
#include "landing/private.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- the data year -------------------------------------------------------------------------- */

int hd_part_year_read(const char *p, size_t len)
{
    if (!hd_trim(&p, &len))
        return 0;
    if (len == 8 && memcmp(p + 6, ".0", 2) == 0)
        len = 6;
    int v = 0;
    for (size_t i = 0; i < len; i++)
        v = isdigit((unsigned char)p[i]) && v < 1000000 ? v * 10 + (p[i] - '0') : 9999999;
    int year = v / 100, part = v % 100;
    return len == 6 && year >= 1980 && year <= 2199 && ((part >= 1 && part <= 13) || part == 99)
               ? v
               : 0;
}

/* 2223 -> 202299; a leading zero may be lost (102 for 2001-02). 0 when it is no such year. */
static int read_fyear(const char *p, size_t len)
{
    if (!hd_trim(&p, &len))
        return 0;
    if (len > 2 && memcmp(p + len - 2, ".0", 2) == 0)
        len -= 2;
    if (len < 3 || len > 4)
        return 0;
    int v = 0;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)p[i]))
            return 0;
        v = v * 10 + (p[i] - '0');
    }
    int first = v / 100, second = v % 100;
    if (second != (first + 1) % 100)
        return 0;
    return (first >= 80 ? 1900 + first : 2000 + first) * 100 + 99;
}

int hd_part_year_of_name(const char *name)
{
    const char *at = strrchr(name, '_');
    if (!at || strlen(at) < 7 || (at[7] != '.' && at[7] != '\0'))
        return 0;
    return hd_part_year_read(at + 1, 6);
}

int hd_read_year(const struct hd_intake *in, hd_slice v)
{
    return in->year_is_part ? hd_part_year_read(v.bytes, v.len) : read_fyear(v.bytes, v.len);
}

/* The judges know in which years a code was in use, so they are made when the year is known. */
static hd_code make_judges(struct hd_intake *in, hd_err *err)
{
    for (size_t i = 0; i < in->n_targets; i++) {
        hd_target *t = &in->targets[i];
        hd_judge_free(t->judge);
        t->judge = NULL;
        if (t->n_sources)
            HD_TRY(hd_judge_new(&t->judge, t->field, in->file->data_year, err));
    }
    return HD_OK;
}

static hd_code year_codes(struct hd_intake *in, hd_err *err)
{
    if (!in->sink)
        return HD_OK;
    hd_value year = {.type = HD_INTEGER, .integer = in->file->data_year};
    hd_value part = {.type = HD_INTEGER, .integer = in->file->part_year};
    hd_builder *b = in->sink->builder;
    uint32_t year_code, part_code;
    HD_TRY(hd_builder_code(b, (size_t)in->data_year_out, &year, &year_code, err));
    HD_TRY(hd_builder_code(b, (size_t)in->part_year_out, &part, &part_code, err));
    for (size_t r = 0; r < hd_delivery_max_rows(in->reader); r++) {
        in->year_codes[r] = year_code;
        in->part_codes[r] = part_code;
    }
    if (in->sink->on_year)
        HD_TRY(in->sink->on_year(in->sink->ctx, in->name, in->file->data_year, in->file->part_year,
                                 err));
    return HD_OK;
}

/* The files of one command may hold several years, but one extract of each. */
static hd_code check_extract(const struct hd_intake *in, hd_err *err)
{
    const hd_quality *q = &in->quality;
    for (size_t i = 0; i < q->n_files; i++)
        if (q->files[i].data_year == in->file->data_year && q->files[i].part_year &&
            q->files[i].part_year != in->file->part_year)
            return hd_fail(err, HD_CONFLICT,
                           "%s is extract %d, %s is extract %d of the same year: give the files of "
                           "one extract only",
                           in->name, in->file->part_year, q->files[i].name, q->files[i].part_year);
    return HD_OK;
}

/* PARTYEAR of the first rows, else the file's name, else FYEAR, else what the caller said. */
hd_code hd_settle_year(struct hd_intake *in, const hd_batch *b, hd_err *err)
{
    int from_column = 0, from_name = hd_part_year_of_name(in->name);
    for (size_t r = 0; r < b->n_rows && in->year_source >= 0 && !from_column; r++)
        from_column = hd_read_year(in, hd_batch_field(b, r, (size_t)in->year_source));
    int said = in->options->part_year;
    int part = in->year_is_part && from_column                  ? from_column
               : from_name                                      ? from_name
               : from_column && said / 100 == from_column / 100 ? said
               : from_column                                    ? from_column
                                                                : said;
    if (part == 0)
        return hd_fail(err, HD_FORMAT,
                       "%s: the data year is not known: there is no PARTYEAR or FYEAR and the name "
                       "does not end in _YYYYNN; give it with --part-year YYYYNN",
                       in->name);
    in->file->part_year = part;
    in->file->data_year = part / 100;
    HD_TRY(check_extract(in, err));
    HD_TRY(year_codes(in, err));
    return make_judges(in, err);
}

/* ---- identifiers ---------------------------------------------------------------------------- */

static hd_code add_finding(struct hd_intake *in, size_t source, const char *holds, hd_err *err)
{
    hd_quality *q = &in->quality;
    char name[80];
    if (!HD_GROW(q->findings, q->n_findings, in->cap_findings))
        return hd_fail_nomem(err);
    hd_finding f = {.holds = holds};
    f.file = hd_strdup(in->name);
    f.column = hd_strdup(hd_columns_name(in, (unsigned)source + 1, name, sizeof name));
    if (!f.file || !f.column) {
        hd_free(f.file);
        hd_free(f.column);
        return hd_fail_nomem(err);
    }
    q->findings[q->n_findings++] = f;
    return HD_OK;
}

static hd_code find_identifiers(struct hd_intake *in, hd_err *err)
{
    for (size_t i = 0; i < in->n_targets; i++) {
        hd_target *t = &in->targets[i];
        unsigned shape = hd_identifier_verdict(&t->shapes, t->field->type == HD_DATE);
        if (!shape || t->n_sources == 0 || t->field->kind == HD_FIELD_PERSON)
            continue;
        in->kept_identifiers |= in->sink != NULL;
        for (size_t k = 0; k < t->n_sources; k++)
            if (t->sources[k] >= 0 && (!t->element_shapes || (t->element_shapes[k] & shape)))
                HD_TRY(add_finding(in, (size_t)t->sources[k], hd_identifier_name(shape), err));
    }
    for (size_t i = 0; i < in->n_scans; i++) {
        const hd_scan *s = &in->scans[i];
        unsigned shape = s->is_nhs_number ? 0 : hd_identifier_verdict(&s->shapes, false);
        if (shape)
            HD_TRY(add_finding(in, (size_t)s->source, hd_identifier_name(shape), err));
    }
    return HD_OK;
}

/* ---- a file --------------------------------------------------------------------------------- */

static void note_bytes(void *ctx, const void *bytes, size_t len)
{
    struct hd_intake *in = ctx;
    hd_sha256_add(&in->digest, bytes, len);
}

/* Parquet is read past the source: its bytes are digested here. */
static hd_code digest_parquet(struct hd_intake *in, hd_err *err)
{
    hd_packed *s = hd_delivery_source(in->reader);
    char bytes[16 * 1024];
    size_t len = 1;
    while (hd_packed_packing(s) == HD_PACKING_PARQUET && len)
        HD_TRY(hd_packed_read(s, bytes, sizeof bytes, &len, err));
    return HD_OK;
}

/* A file given twice would count everybody twice, and carry it into every figure. Under another
 * name or packing its rows are the same; in another notation or order their keys still are. */
enum { REPEATS_MINIMUM = 10, REPEATS_PERCENT = 33 };

static hd_code check_twice(const struct hd_intake *in, hd_err *err)
{
    const hd_quality *q = &in->quality;
    const hd_file_summary *f = in->file;
    uint64_t rows = f->rows_kept + f->rows_rejected;
    for (size_t i = 0; i + 1 < q->n_files && f->rows_kept; i++)
        if (q->files[i].content == f->content && q->files[i].rows_read == f->rows_read)
            return hd_fail(err, HD_CONFLICT,
                           "%s holds the same rows as %s (file %zu of this command): give each "
                           "file once",
                           f->name, q->files[i].name, i + 1);
    if (rows >= REPEATS_MINIMUM && f->rows_seen * 100 > rows * REPEATS_PERCENT)
        return hd_fail(err, HD_CONFLICT,
                       "%s: %" PRIu64 "%% of its row keys occurred before: is a file given twice, "
                       "or does it hold its rows twice?",
                       f->name, f->rows_seen * 100 / rows);
    return HD_OK;
}

static hd_code end_file(struct hd_intake *in, hd_err *err)
{
    hd_quality *q = &in->quality;
    hd_file_summary *f = in->file;
    uint8_t digest[HD_DIGEST];
    HD_TRY(digest_parquet(in, err));
    hd_sha256_end(&in->digest, digest);
    hd_hex(f->digest, digest, sizeof digest);
    if (f->rows_read == 0)
        return hd_fail(err, HD_FORMAT, "%s: a header and no rows; nothing to load", in->name);
    HD_TRY(check_twice(in, err));
    for (size_t i = 0; i < in->n_targets; i++)
        if (in->targets[i].has_memo)
            HD_TRY(hd_memo_empty(&in->targets[i].memo, err));
    HD_TRY(find_identifiers(in, err));
    for (size_t i = 0; i < in->n_targets; i++) {
        hd_target *t = &in->targets[i];
        t->shapes = (hd_identifier_counts){0};
        if (t->element_shapes)
            memset(t->element_shapes, 0, t->field->n_elements);
    }
    q->rows_read += f->rows_read;
    q->rows_kept += f->rows_kept;
    q->rows_rejected += f->rows_rejected;
    q->rows_opted_out += f->rows_opted_out;
    return HD_OK;
}

hd_code hd_intake_file(hd_intake *in, const char *path, hd_err *err)
{
    hd_quality *q = &in->quality;
    hd_code rc;
    in->path = path;
    in->name = hd_packed_name(path);
    in->year_source = -1;
    if (!HD_GROW(q->files, q->n_files, in->cap_files))
        return hd_fail_nomem(err);
    in->file = &q->files[q->n_files++];
    *in->file = (hd_file_summary){.name = hd_strdup(in->name)};
    if (!in->file->name)
        HD_GO(hd_fail_nomem(err));
    hd_sha256_begin(&in->digest);
    HD_GO(hd_delivery_open_sized(&in->reader, path, HD_DELIVERY_BUFFER, note_bytes, in, err));
    HD_GO(hd_columns_bind(in, err));
    HD_GO(hd_flow(in, err));
    HD_GO(end_file(in, err));
out:
    hd_columns_release(in);
    hd_delivery_close(in->reader);
    in->reader = NULL;
    in->file = NULL;
    return rc;
}

void hd_intake_finish(hd_intake *in)
{
    in->quality.keys_all_compared = !in->seen.is_full;
}

hd_code hd_intake_verdict(const hd_intake *in, hd_err *err)
{
    const hd_quality *q = &in->quality;
    if (q->rows_rejected && hd_too_many_rejected(in, true))
        return hd_refuse_rows(in, err);
    if (q->n_findings && (!in->options->allows_identifiers || in->kept_identifiers))
        return hd_fail(err, HD_DENIED,
                       "%s, %s: the column seems to hold %s, which do not belong there; have it "
                       "removed, or leave it out with --allow-identifiers",
                       q->findings[0].file, q->findings[0].column, q->findings[0].holds);
    for (size_t i = 0; i < q->n_files; i++)
        if (q->files[i].rows_kept == 0)
            return hd_fail(
                err, HD_FORMAT,
                "%s: every row is rejected or opted out; an extract without rows does not "
                "replace its year",
                q->files[i].name);
    return HD_OK;
}

const hd_quality *hd_intake_quality(const hd_intake *in)
{
    return &in->quality;
}
