/* delivery.c - see delivery.h. The room in use holds unread text from `at` to `end`; slices of the
 * batch in hand point into it, so it moves or grows only when the batch is still empty. Every batch
 * has a room of its own, to which the text that is left over moves. */
#include "landing/delivery.h"
#include "base/alloc.h"
#include "base/csv.h"
#include "duck/duck.h"
#include "landing/lay.h"
#include "landing/split.h"

#include <string.h>
#include <strings.h>

/* Rows of sixty columns or more fill the first buffer before there are so many; room for more, by
 * column, would be memory with large gaps, most of it cleared for nothing. */
enum { BATCH_ROWS = 4096, BATCH_FIELDS = 512 * 1024 };
/* Bytes that may be read twice because of broken quotes before the file is given up: without a
 * ceiling a file of lone quotes would cost the field limit for every line. */
static const uint64_t RESCAN_LIMIT = UINT64_C(1) << 30;

struct room { /* one batch and the text it points into */
    char *buf; /* cap, and HD_SPLIT_SLACK bytes that are never text */
    size_t cap;
    uint32_t *places; /* n_places */
    uint64_t *lines;  /* max_rows */
    hd_row_defect *defects;
    uint64_t *words; /* of the columns that are laid out: first words, then second, each n_words */
    hd_laid *laid;   /* n_columns */
};

struct lying { /* a column that is laid out */
    size_t column;
    bool is_wide; /* a text of more than eight bytes was seen */
};

struct hd_delivery {
    const char *name;
    hd_packed *source;
    hd_parquet *parquet;
    struct room rooms[HD_DELIVERY_KEPT], *room;
    char *buf; /* of the room */
    size_t at, end;
    bool eof;
    bool is_used_up; /* the text ended in the middle of a row */
    bool odd;  /* the buffer holds bytes outside 1..127 */
    bool skip; /* drop everything up to the next line end */
    char delimiter;
    uint64_t line; /* of buf[at] */
    uint64_t rescanned;
    size_t n_columns;
    char **columns;
    size_t max_rows, n_places, n_rows;
    struct lying *lying; /* n_lying, or NULL */
    size_t n_lying, n_words;
    size_t n_laid; /* rows of the batch */
    hd_slice *row;    /* HD_DELIVERY_COLUMNS: a row that was looked at byte by byte */
    uint8_t *doubled; /* by field of that row: holds doubled quotes */
    size_t n_defects;
    size_t parquet_row, parquet_rows;
};

/* What a look at one row found. */
enum found { ROW, BLANK, MORE, END, BROKEN };

size_t hd_delivery_n_columns(const hd_delivery *r)
{
    return r->n_columns;
}

size_t hd_delivery_max_rows(const hd_delivery *r)
{
    return r->max_rows;
}

const char *hd_delivery_column(const hd_delivery *r, size_t i)
{
    return r->columns[i];
}

char hd_delivery_delimiter(const hd_delivery *r)
{
    return r->delimiter;
}

hd_packed *hd_delivery_source(hd_delivery *r)
{
    return r->source;
}

/* ---- the buffer ----------------------------------------------------------------------------- */

static hd_code widen(struct room *m, size_t need, size_t used, hd_err *err)
{
    size_t cap = m->cap < 8 ? 8 : m->cap;
    while (cap < need)
        cap *= 2;
    if (m->buf && cap == m->cap)
        return HD_OK;
    char *p = hd_malloc(cap + HD_SPLIT_SLACK);
    if (!p)
        return hd_fail_nomem(err);
    memset(p + cap, 0, HD_SPLIT_SLACK);
    if (used)
        memcpy(p, m->buf, used);
    hd_wipe_free(m->buf, m->cap);
    m->buf = p;
    m->cap = cap;
    return HD_OK;
}

static hd_code fill(hd_delivery *r, hd_err *err)
{
    r->is_used_up = false;
    while (!r->eof && r->end < r->room->cap) {
        size_t got;
        HD_TRY(hd_packed_read(r->source, r->buf + r->end, r->room->cap - r->end, &got, err));
        r->eof = got == 0;
        r->end += got;
    }
    r->odd = hd_has_odd_bytes(r->buf, r->end);
    return HD_OK;
}

/* More text behind what is unread; only while no slice is out. */
static hd_code more(hd_delivery *r, hd_err *err)
{
    hd_packed_show(r->source, SIZE_MAX);
    if (r->at) {
        memmove(r->buf, r->buf + r->at, r->end - r->at);
        r->end -= r->at;
        r->at = 0;
    } else if (r->end == r->room->cap) {
        HD_TRY(widen(r->room, r->room->cap + 1, r->end, err));
        r->buf = r->room->buf;
    }
    return fill(r, err);
}

/* The room of the next batch. */
static hd_code next_room(hd_delivery *r, struct room **out, hd_err *err)
{
    struct room *m = r->room + 1 == r->rooms + HD_DELIVERY_KEPT ? r->rooms : r->room + 1;
    *out = m;
    if (!m->places)
        m->places = hd_calloc(r->n_places, sizeof *m->places);
    if (!m->lines)
        m->lines = hd_calloc(r->max_rows, sizeof *m->lines);
    if (!m->defects)
        m->defects = hd_calloc(r->max_rows, sizeof *m->defects);
    if (r->n_lying && !m->words)
        m->words = hd_calloc(2 * r->n_lying * r->n_words, sizeof *m->words);
    if (r->n_lying && !m->laid)
        m->laid = hd_calloc(r->n_columns, sizeof *m->laid);
    bool has_words = !r->n_lying || (m->words && m->laid);
    return m->places && m->lines && m->defects && has_words ? HD_OK : hd_fail_nomem(err);
}

/* On to the next room, with the text that is left over. */
static hd_code turn(hd_delivery *r, hd_err *err)
{
    struct room *next;
    size_t left = r->end - r->at;
    hd_packed_show(r->source, SIZE_MAX);
    HD_TRY(next_room(r, &next, err));
    HD_TRY(widen(next, r->eof ? left : r->room->cap, 0, err));
    if (left)
        memcpy(next->buf, r->buf + r->at, left);
    r->room = next;
    r->buf = next->buf;
    r->at = 0;
    r->end = left;
    return r->is_used_up ? fill(r, err) : HD_OK;
}

/* Leave out the rest of a line that cannot be used. False when its end is not in the buffer. */
static bool skip_line(hd_delivery *r)
{
    char *nl = memchr(r->buf + r->at, '\n', r->end - r->at);
    r->at = nl ? (size_t)(nl + 1 - r->buf) : r->end;
    r->line += nl != NULL;
    r->skip = !nl && !r->eof;
    return !r->skip;
}

/* ---- one row -------------------------------------------------------------------------------- */

struct row {
    hd_slice *fields; /* room for `room` */
    size_t room, n;   /* n counts on past room */
    size_t next;      /* position after the row; how far one looked when broken */
    uint64_t lines;   /* line ends passed */
    bool any_doubled;
    hd_defect defect;
    unsigned column;
};

static inline void put(struct row *w, const char *bytes, size_t len)
{
    if (w->n < w->room)
        w->fields[w->n] = (hd_slice){bytes, len};
    w->n++;
}

static void split_plain(struct row *w, const char *p, const char *end, char delimiter)
{
    const char *start = p;
    for (; p < end; p++)
        if (*p == delimiter) {
            put(w, start, (size_t)(p - start));
            start = p + 1;
        }
    put(w, start, (size_t)(end - start));
}

static enum found broken(struct row *w, hd_defect what, size_t column)
{
    w->defect = what;
    w->column = (unsigned)column;
    return BROKEN;
}

/* A quoted field from the quote at *at on; *at becomes the position after the closing quote. */
static enum found take_quoted(hd_delivery *r, struct row *w, size_t *at)
{
    size_t start = *at + 1, p = start;
    bool doubled = false;
    for (;;) {
        char *q = p < r->end ? memchr(r->buf + p, '"', r->end - p) : NULL;
        size_t reach = q ? (size_t)(q - r->buf) : r->end;
        if (reach - start > HD_DELIVERY_FIELD_BYTES || (!q && r->eof)) {
            w->next = reach;
            return broken(w, HD_DEFECT_QUOTE, w->n + 1);
        }
        if (!q || (reach + 1 == r->end && !r->eof))
            return MORE;
        p = reach + 1;
        if (p >= r->end || r->buf[p] != '"')
            break;
        doubled = w->any_doubled = true;
        p++;
    }
    for (size_t i = start; i + 1 < p; i++)
        w->lines += r->buf[i] == '\n';
    if (w->n < w->room)
        r->doubled[w->n] = doubled;
    put(w, r->buf + start, p - 1 - start);
    *at = p;
    return ROW;
}

/* A row of a comma or tab file in which a quote was seen. */
static enum found take_row_quoted(hd_delivery *r, struct row *w)
{
    size_t p = r->at;
    for (;;) {
        if (p < r->end && r->buf[p] == '"') {
            enum found f = take_quoted(r, w, &p);
            if (f != ROW)
                return f;
            if (p < r->end && r->buf[p] == '\r') {
                if (p + 1 == r->end && !r->eof)
                    return MORE;
                if (p + 1 == r->end || r->buf[p + 1] == '\n')
                    p++;
            }
            if (p < r->end && r->buf[p] != r->delimiter && r->buf[p] != '\n') {
                w->next = p;
                return broken(w, HD_DEFECT_QUOTE, w->n);
            }
        } else {
            size_t start = p;
            while (p < r->end && r->buf[p] != r->delimiter && r->buf[p] != '\n')
                p++;
            if (p == r->end && !r->eof)
                return MORE;
            bool last = p == r->end || r->buf[p] == '\n';
            size_t cut = last && p > start && r->buf[p - 1] == '\r';
            if (w->n < w->room)
                r->doubled[w->n] = 0;
            put(w, r->buf + start, p - cut - start);
        }
        if (p < r->end && r->buf[p] == r->delimiter) {
            p++;
            continue;
        }
        w->lines += p < r->end;
        w->next = p + (p < r->end);
        return ROW;
    }
}

static enum found take_row(hd_delivery *r, struct row *w)
{
    w->n = 0;
    w->lines = 0;
    w->any_doubled = false;
    const char *start = r->buf + r->at;
    size_t len = r->end - r->at;
    if (len == 0)
        return r->eof ? END : MORE;
    const char *nl = memchr(start, '\n', len);
    if (!nl && !r->eof)
        return MORE;
    const char *end = nl ? nl : start + len;
    if (r->delimiter != '|' && memchr(start, '"', (size_t)(end - start)))
        return take_row_quoted(r, w);
    w->next = r->at + (size_t)(end - start) + (nl != NULL);
    w->lines = nl != NULL;
    if (end > start && end[-1] == '\r')
        end--;
    if (end == start)
        return BLANK;
    split_plain(w, start, end, r->delimiter);
    return ROW;
}

/* Read doubled quotes as one, in place. */
static void undouble(hd_slice *f)
{
    char *write = (char *)f->bytes;
    const char *read = f->bytes, *end = f->bytes + f->len;
    while (read < end) {
        *write++ = *read;
        read += *read == '"' ? 2 : 1;
    }
    f->len = (size_t)(write - f->bytes);
}

/* Defects that lie in the text of the fields themselves. */
static hd_defect check_fields(const hd_slice *fields, size_t n, bool odd, unsigned *column)
{
    for (size_t i = 0; i < n; i++) {
        hd_defect d = HD_DEFECT_NONE;
        if (fields[i].len > HD_DELIVERY_FIELD_BYTES)
            d = HD_DEFECT_LONG_FIELD;
        else if (odd && memchr(fields[i].bytes, '\0', fields[i].len))
            d = HD_DEFECT_NUL;
        else if (odd && !hd_utf8_ok(fields[i].bytes, fields[i].len))
            d = HD_DEFECT_UTF8;
        if (d != HD_DEFECT_NONE) {
            *column = (unsigned)i + 1;
            return d;
        }
    }
    return HD_DEFECT_NONE;
}

/* The row that take_row found, checked against the width of the header (0: this is the header). */
static void check_row(hd_delivery *r, struct row *w, size_t width)
{
    w->defect = HD_DEFECT_NONE;
    size_t n = w->n < w->room ? w->n : w->room;
    bool odd = r->odd && hd_has_odd_bytes(r->buf + r->at, w->next - r->at);
    for (size_t i = 0; i < n && w->any_doubled; i++)
        if (r->doubled[i])
            undouble(&w->fields[i]);
    if (w->next - r->at > HD_DELIVERY_ROW_BYTES) {
        w->defect = HD_DEFECT_LONG_ROW;
        w->column = 0;
    } else if (width && w->n != width) {
        w->defect = w->n < width ? HD_DEFECT_FEW_FIELDS : HD_DEFECT_MANY_FIELDS;
        w->column = (unsigned)(w->n < width ? w->n : width + 1);
    } else if (odd || w->next - r->at > HD_DELIVERY_FIELD_BYTES) {
        w->defect = check_fields(w->fields, n, odd, &w->column);
    }
}

/* ---- batches -------------------------------------------------------------------------------- */

static void note_defect(hd_delivery *r, hd_defect what, unsigned column)
{
    r->room->defects[r->n_defects++] = (hd_row_defect){r->line, column, what};
}

/* The fields move together, one byte between them, so that each ends where the next begins: quotes
 * leave wider gaps. */
static void keep_row(hd_delivery *r, const hd_slice *fields)
{
    uint32_t *places = r->room->places + r->n_rows * (r->n_columns + 1);
    char *to = r->room->buf + (fields[0].bytes - r->room->buf);
    for (size_t c = 0; c < r->n_columns; c++) {
        if (fields[c].len && to != fields[c].bytes)
            memmove(to, fields[c].bytes, fields[c].len);
        places[c] = (uint32_t)(to - r->room->buf);
        to += fields[c].len + 1;
    }
    places[r->n_columns] = (uint32_t)(to - r->room->buf);
    r->room->lines[r->n_rows++] = r->line;
}

/* A batch's columns begin a line of the cache further each time: written side by side, they must
 * not drive each other out. So many rows at once stay in a near cache with their text. */
enum { WORDS_APART = 8, LAID_AT_ONCE = 64 };

hd_code hd_delivery_lay_out(hd_delivery *r, const bool *wanted, hd_err *err)
{
    HD_ALWAYS(!r->lying && !r->room->words);
    r->lying = hd_calloc(r->n_columns, sizeof *r->lying);
    if (!r->lying)
        return hd_fail_nomem(err);
    for (size_t c = 0; c < r->n_columns; c++)
        if (wanted[c])
            r->lying[r->n_lying++].column = c;
    r->n_words = r->max_rows + WORDS_APART;
    hd_packed_show_later(r->source);
    return HD_OK;
}

static uint64_t *words_of(const hd_delivery *r, size_t lying, bool second)
{
    return r->room->words + ((second ? r->n_lying : 0) + lying) * r->n_words;
}

/* The rows that came since the last time, and with each column a share of their text for the
 * watcher: a digest waits for its own steps, this for memory. Rows before a column's first text of
 * more than eight bytes have no second words: they are 0. */
static void lay_out_rows(hd_delivery *r)
{
    const size_t pitch = r->n_columns + 1, from = r->n_laid, n = r->n_rows - from;
    const uint32_t *whole = r->room->places + from * pitch;
    const size_t share = n ? (whole[n * pitch - 1] - whole[0]) / (r->n_lying + 1) : 0;
    for (size_t i = 0; i < r->n_lying && n; i++) {
        struct lying *k = &r->lying[i];
        const uint32_t *places = r->room->places + from * pitch + k->column;
        uint64_t *first = words_of(r, i, false), *second = words_of(r, i, true);
        hd_packed_show(r->source, share);
        bool any_wide = hd_lay_out(r->room->buf, places, pitch, n, first + from,
                                   k->is_wide ? second + from : NULL);
        if (!any_wide || k->is_wide)
            continue;
        k->is_wide = true;
        memset(second, 0, from * sizeof *second);
        hd_lay_out(r->room->buf, places, pitch, n, first + from, second + from);
    }
    r->n_laid = r->n_rows;
}

static void note_laid(hd_delivery *r)
{
    for (size_t i = 0; i < r->n_lying; i++)
        r->room->laid[r->lying[i].column] = (hd_laid){
            words_of(r, i, false), r->lying[i].is_wide ? words_of(r, i, true) : NULL};
}

/* As many rows as have nothing special; when they are to be laid out, no more than a near cache
 * holds with their text. */
static void take_plain_rows(hd_delivery *r)
{
    const size_t most = r->max_rows - r->n_defects, some = r->n_laid + LAID_AT_ONCE;
    hd_split s = {.text = r->buf,
                  .at = r->at,
                  .end = r->end,
                  .delimiter = r->delimiter,
                  .has_quotes = r->delimiter != '|',
                  .is_odd = r->odd,
                  .width = r->n_columns,
                  .places = r->room->places,
                  .lines = r->room->lines,
                  .line = r->line,
                  .n_rows = r->n_rows,
                  .max_rows = r->n_lying && some < most ? some : most};
    hd_split_plain(&s);
    r->at = s.at;
    r->line = s.line;
    r->n_rows = s.n_rows;
}

/* A row with a broken quote: give up its first line only. */
static hd_code pass_broken(hd_delivery *r, const struct row *w, hd_err *err)
{
    note_defect(r, w->defect, w->column);
    r->rescanned += w->next > r->at ? w->next - r->at : 0;
    skip_line(r);
    if (r->rescanned > RESCAN_LIMIT)
        return hd_fail(err, HD_FORMAT, "%s: too many quotes are never closed; is this a CSV file?",
                       r->name);
    return HD_OK;
}

static hd_code next_row(hd_delivery *r, struct row *w, bool *stop, hd_err *err)
{
    bool is_empty = r->n_rows + r->n_defects == 0;
    *stop = false;
    hd_packed_show(r->source, SIZE_MAX); /* quotes are undone in place */
    if (r->skip && !skip_line(r)) {
        *stop = r->is_used_up = !is_empty;
        return is_empty ? more(r, err) : HD_OK;
    }
    enum found f = take_row(r, w);
    if (f == MORE && r->end - r->at > HD_DELIVERY_ROW_BYTES) {
        note_defect(r, HD_DEFECT_LONG_ROW, 0);
        r->skip = true;
        return HD_OK;
    }
    if (f == MORE) {
        *stop = r->is_used_up = !is_empty;
        return is_empty ? more(r, err) : HD_OK;
    }
    if (f == BROKEN)
        return pass_broken(r, w, err);
    if (f == END) {
        *stop = true;
        return HD_OK;
    }
    if (f == BLANK && r->n_columns == 1) {
        w->fields[0] = (hd_slice){r->buf + r->at, 0};
        w->n = 1;
        f = ROW;
    }
    if (f == ROW) {
        check_row(r, w, r->n_columns);
        if (w->defect == HD_DEFECT_NONE)
            keep_row(r, w->fields);
        else
            note_defect(r, w->defect, w->column);
    }
    r->line += w->lines;
    r->at = w->next;
    return HD_OK;
}

/* The fields of the rows at hand one after another in the room: the next rows replace those that
 * DuckDB has. */
static hd_code copy_parquet(hd_delivery *r, size_t rows, hd_err *err)
{
    size_t total = 0, len;
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < r->n_columns; c++) {
            hd_parquet_field(r->parquet, r->parquet_row + i, c, &len);
            total += len + 1;
        }
    if (total > UINT32_MAX)
        return hd_fail(err, HD_LIMIT, "%s: %zu rows hold more than 4 GiB of text", r->name, rows);
    HD_TRY(widen(r->room, total, 0, err));
    char *to = r->room->buf;
    for (size_t i = 0; i < rows; i++) {
        for (size_t c = 0; c < r->n_columns; c++) {
            const char *from = hd_parquet_field(r->parquet, r->parquet_row + i, c, &len);
            if (len)
                memcpy(to, from, len);
            r->row[c] = (hd_slice){to, len};
            to += len + 1;
        }
        unsigned column;
        hd_defect d = check_fields(r->row, r->n_columns, true, &column);
        if (d == HD_DEFECT_NONE)
            keep_row(r, r->row);
        else
            note_defect(r, d, column);
        r->line++;
    }
    return HD_OK;
}

static hd_code next_parquet(hd_delivery *r, hd_err *err)
{
    HD_TRY(next_room(r, &r->room, err));
    if (r->parquet_row >= r->parquet_rows) {
        r->parquet_row = 0;
        if (hd_parquet_next(r->parquet, &r->parquet_rows, err) != HD_OK)
            return hd_context(err, "%s", r->name);
    }
    size_t rows = r->parquet_rows - r->parquet_row;
    rows = rows < r->max_rows ? rows : r->max_rows;
    HD_TRY(copy_parquet(r, rows, err));
    r->parquet_row += rows;
    return HD_OK;
}

static hd_code next_text(hd_delivery *r, hd_err *err)
{
    bool stop = false;
    HD_TRY(turn(r, err));
    while (!stop && r->n_rows + r->n_defects < r->max_rows) {
        const size_t before = r->n_rows;
        if (!r->skip)
            take_plain_rows(r);
        if (r->n_rows - r->n_laid >= LAID_AT_ONCE)
            lay_out_rows(r);
        if (r->n_rows > before)
            continue;
        struct row w = {.fields = r->row, .room = r->n_columns};
        HD_TRY(next_row(r, &w, &stop, err));
    }
    return HD_OK;
}

hd_code hd_delivery_next(hd_delivery *r, hd_batch *out, hd_err *err)
{
    r->n_rows = r->n_defects = r->n_laid = 0;
    *out = (hd_batch){0};
    HD_TRY(r->parquet ? next_parquet(r, err) : next_text(r, err));
    lay_out_rows(r);
    note_laid(r);
    *out = (hd_batch){.n_rows = r->n_rows,
                      .n_columns = r->n_columns,
                      .text = r->room->buf,
                      .places = r->room->places,
                      .laid = r->room->laid,
                      .lines = r->room->lines,
                      .n_defects = r->n_defects,
                      .defects = r->room->defects};
    return HD_OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* The delimiter seen most often in the header line outside quotes; ties go to the rarer sign. */
static char find_delimiter(const char *p, size_t len)
{
    static const char signs[] = {'|', '\t', ','};
    size_t count[3] = {0};
    bool quoted = false;
    for (size_t i = 0; i < len && p[i] != '\n'; i++) {
        quoted ^= p[i] == '"';
        for (size_t k = 0; k < 3; k++)
            count[k] += !quoted && p[i] == signs[k];
    }
    size_t best = 0;
    for (size_t k = 1; k < 3; k++)
        if (count[k] > count[best])
            best = k;
    return count[best] ? signs[best] : ',';
}

static char *trimmed_copy(const hd_slice *f)
{
    const char *p = f->bytes, *end = p + f->len;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return hd_strndup(p, (size_t)(end - p));
}

static hd_code keep_header(hd_delivery *r, const hd_slice *fields, size_t n, hd_err *err)
{
    r->columns = hd_calloc(n, sizeof *r->columns);
    if (!r->columns)
        return hd_fail_nomem(err);
    r->n_columns = n;
    for (size_t i = 0; i < n; i++) {
        r->columns[i] = trimmed_copy(&fields[i]);
        if (!r->columns[i])
            return hd_fail_nomem(err);
        for (size_t j = 0; j < i && r->columns[i][0]; j++)
            if (strcasecmp(r->columns[i], r->columns[j]) == 0)
                return hd_fail(err, HD_FORMAT,
                               "%s, line 1, column %zu: the same name as column %zu; rename or "
                               "remove one of them, or put a header row in front",
                               r->name, i + 1, j + 1);
    }
    return HD_OK;
}

static hd_code bad_header(const hd_delivery *r, const struct row *w, hd_err *err)
{
    static const char *const what[HD_N_DEFECTS] = {
        [HD_DEFECT_QUOTE] = "a quote is not closed",
        [HD_DEFECT_NUL] = "a zero byte; this is not a text file",
        [HD_DEFECT_UTF8] = "not UTF-8 text; convert the file first",
        [HD_DEFECT_LONG_ROW] = "a header of more than 16 MiB",
        [HD_DEFECT_LONG_FIELD] = "a name of more than 64 KiB; is there a header row?",
    };
    return hd_fail(err, HD_FORMAT, "%s, line 1, column %u: %s", r->name, w->column,
                   what[w->defect]);
}

static hd_code take_header(hd_delivery *r, hd_err *err)
{
    struct row w = {.fields = r->row, .room = HD_DELIVERY_COLUMNS};
    enum found f = MORE;
    bool started = false;
    while (f == MORE) {
        if (r->end - r->at > HD_DELIVERY_ROW_BYTES)
            return hd_fail(err, HD_FORMAT,
                           "%s, line 1: no line end in the first 16 MiB; is this a "
                           "text file with a header row?",
                           r->name);
        if (!r->eof)
            HD_TRY(more(r, err));
        if (!started && !r->eof && r->end < 3)
            continue;
        if (!started && r->end >= 3 && memcmp(r->buf, "\xEF\xBB\xBF", 3) == 0)
            r->at = 3;
        started = true;
        r->delimiter = find_delimiter(r->buf + r->at, r->end - r->at);
        f = take_row(r, &w);
        if (f == MORE && r->at) { /* keep the mark from moving what was looked at */
            memmove(r->buf, r->buf + r->at, r->end - r->at);
            r->end -= r->at;
            r->at = 0;
        }
    }
    if (f == END || f == BLANK)
        return hd_fail(err, HD_FORMAT, "%s: the first line is empty: a header row is needed",
                       r->name);
    if (f == BROKEN)
        return bad_header(r, &w, err);
    if (w.n > HD_DELIVERY_COLUMNS)
        return hd_fail(err, HD_LIMIT, "%s, line 1: more than 4096 columns", r->name);
    check_row(r, &w, 0);
    if (w.defect != HD_DEFECT_NONE)
        return bad_header(r, &w, err);
    HD_TRY(keep_header(r, r->row, w.n, err));
    r->at = w.next;
    r->line += w.lines;
    return HD_OK;
}

static hd_code open_text(hd_delivery *r, size_t buffer, hd_err *err)
{
    HD_TRY(widen(r->room, buffer, 0, err));
    r->buf = r->room->buf;
    r->doubled = hd_calloc(HD_DELIVERY_COLUMNS, 1);
    return r->doubled ? take_header(r, err) : hd_fail_nomem(err);
}

static hd_code open_parquet(hd_delivery *r, const char *path, hd_err *err)
{
    if (hd_parquet_open(&r->parquet, path, err) != HD_OK)
        return hd_context(err, "%s", r->name);
    size_t n = hd_parquet_n_columns(r->parquet);
    if (n == 0 || n > HD_DELIVERY_COLUMNS)
        return hd_fail(err, HD_LIMIT, "%s: between 1 and 4096 columns are needed", r->name);
    hd_slice *names = hd_calloc(n, sizeof *names);
    if (!names)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const char *name = hd_parquet_column(r->parquet, i);
        names[i] = (hd_slice){name, strlen(name)};
    }
    hd_code rc = keep_header(r, names, n, err);
    hd_free(names);
    return rc;
}

static void size_batches(hd_delivery *r)
{
    r->max_rows = BATCH_FIELDS / r->n_columns;
    if (r->max_rows > BATCH_ROWS)
        r->max_rows = BATCH_ROWS;
    r->n_places = r->max_rows * (r->n_columns + 1) + HD_PLACES_SLACK;
}

hd_code hd_delivery_open_sized(hd_delivery **out, const char *path, size_t buffer,
                               hd_packed_watcher *watcher, void *ctx, hd_err *err)
{
    hd_code rc;
    *out = NULL;
    hd_delivery *r = hd_calloc(1, sizeof *r);
    if (!r)
        return hd_fail_nomem(err);
    r->name = hd_packed_name(path);
    r->line = 1;
    r->room = r->rooms;
    r->is_used_up = true;
    r->row = hd_calloc(HD_DELIVERY_COLUMNS, sizeof *r->row);
    if (!r->row)
        HD_GO(hd_fail_nomem(err));
    HD_GO(hd_packed_open(&r->source, path, watcher, ctx, err));
    if (hd_packed_packing(r->source) == HD_PACKING_PARQUET)
        HD_GO(open_parquet(r, path, err));
    else
        HD_GO(open_text(r, buffer < 8 ? 8 : buffer, err));
    size_batches(r);
    *out = r;
    r = NULL;
out:
    hd_delivery_close(r);
    return rc;
}

hd_code hd_delivery_open(hd_delivery **out, const char *path, hd_err *err)
{
    return hd_delivery_open_sized(out, path, HD_DELIVERY_BUFFER, NULL, NULL, err);
}

void hd_delivery_close(hd_delivery *r)
{
    if (!r)
        return;
    hd_packed_close(r->source);
    hd_parquet_close(r->parquet);
    for (size_t i = 0; i < HD_DELIVERY_KEPT; i++) {
        struct room *m = &r->rooms[i];
        hd_wipe_free(m->buf, m->cap);
        hd_free(m->places);
        hd_free(m->lines);
        hd_free(m->defects);
        hd_wipe_free(m->words, 2 * r->n_lying * r->n_words * sizeof *m->words);
        hd_free(m->laid);
    }
    hd_free(r->lying);
    for (size_t i = 0; i < r->n_columns && r->columns; i++)
        hd_free(r->columns[i]);
    hd_free(r->columns);
    hd_free(r->row);
    hd_free(r->doubled);
    hd_free(r);
}
