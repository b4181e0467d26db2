/* dataset.c - is a file of the data set that it was given as?
 *
 * A data year is replaced whole, so a file of another data set must not get as far as its rows: many
 * columns (PARTYEAR, PROCODE3, SEX) have the same name everywhere. Two witnesses, either of which is
 * enough: the tag in the file's name, and the columns. Columns speak against a data set when another
 * one knows clearly more of them, or when neither the row key nor the date of a row is among them.
 */
#include "landing/private.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Another data set must know at least this many columns more, and a tenth of the columns more:
 * a few columns of a newer layout are no other data set. */
enum { MORE_COLUMNS = 3, MORE_SHARE = 10 };

/* The tag as a word of its own: between the start, the end, and anything but letters and digits. */
static bool has_tag(const char *name, const char *tag)
{
    size_t len = tag ? strlen(tag) : 0;
    for (const char *p = name; len && strlen(p) >= len; p++)
        if (strncasecmp(p, tag, len) == 0 && (p == name || !isalnum((unsigned char)p[-1])) &&
            !isalnum((unsigned char)p[len]))
            return true;
    return false;
}

static size_t known_columns(const struct hd_intake *in, const hd_table_def *t)
{
    size_t known = 0;
    for (size_t i = 0; i < hd_delivery_n_columns(in->reader); i++) {
        const char *name = hd_delivery_column(in->reader, i);
        hd_header h = hd_table_def_header(t, name, strlen(name));
        known += h.use != HD_HEADER_UNKNOWN &&
                 !(h.field && h.field->kind == HD_FIELD_IDENTIFYING);
    }
    return known;
}

static bool has_field(const struct hd_intake *in, const hd_table_def *t, const char *field)
{
    const hd_field *f = field && *field ? hd_table_def_field(t, field) : NULL;
    for (size_t i = 0; f && i < hd_delivery_n_columns(in->reader); i++) {
        const char *name = hd_delivery_column(in->reader, i);
        if (hd_table_def_header(t, name, strlen(name)).field == f)
            return true;
    }
    return false;
}

/* The key of a row, what it is linked by, or the date that months refer to. */
static bool has_anchor(const struct hd_intake *in, const hd_table_def *t)
{
    return has_field(in, t, t->key) || has_field(in, t, hd_table_def_parameter(t, "key", NULL)) ||
           has_field(in, t, t->period);
}

static hd_code refuse(const struct hd_intake *in, const hd_table_def *other, hd_err *err)
{
    return hd_fail(err, HD_FORMAT, "%s looks like %s (%s), not %s; nothing was changed", in->name,
                   other->file_tag, other->name, in->table->name);
}

hd_code hd_dataset_check(const struct hd_intake *in, hd_err *err)
{
    const hd_table_def *tagged = NULL, *best = NULL;
    size_t own = known_columns(in, in->table), most = 0;
    for (size_t i = 0; i < hd_catalogue_n_tables(in->catalogue); i++) {
        const hd_table_def *t = hd_catalogue_table_at(in->catalogue, i);
        if (t->is_built || t == in->table)
            continue;
        if (!tagged && has_tag(in->name, t->file_tag))
            tagged = t;
        size_t known = known_columns(in, t);
        if (known > most && has_anchor(in, t)) {
            best = t;
            most = known;
        }
    }
    if (tagged && !has_tag(in->name, in->table->file_tag))
        return refuse(in, tagged, err);
    if (best && most >= own + MORE_COLUMNS && (most - own) * MORE_SHARE >= own)
        return refuse(in, best, err);
    if (own == 0 || has_anchor(in, in->table)) /* none at all: note_missing says it better */
        return HD_OK;
    if (best)
        return refuse(in, best, err);
    return hd_fail(err, HD_FORMAT,
                   "%s, line 1: no column gives the row key or the date of %s; is this the right "
                   "data set? nothing was changed",
                   in->name, in->table->name);
}
