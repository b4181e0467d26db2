/* stat_read.c - see stat_io.h: the table of `hdis stat`, read in pieces that end where a row ends
 * and are cut into cells in place by several threads. RFC 4180, LF or CRLF, a byte order mark and
 * blank lines skipped.
 *
 * A row ends at a line feed with an even number of quotes before it. Up to the first wrong quote
 * this is where a reader of single characters ends it too, so the row that is refused does not
 * depend on how the text was shared out. */
#include <errno.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/par.h"
#include "cli/stat_io.h"

enum { PIECE = 1 << 23, SLICE = 1 << 18, SLICES = 64 };

typedef enum fault {
    FAULT_NONE,
    FAULT_ZERO,
    FAULT_QUOTE,
    FAULT_OPEN,
    FAULT_FIELDS,
    FAULT_LONG,
    FAULT_MEMORY
} fault;

/* A run of whole rows, and what cutting them gave. */
typedef struct slice {
    char *text;
    size_t from, to, n_columns;
    size_t *starts, n_rows, starts_cap;
    uint32_t *offsets;
    size_t n_offsets, offsets_cap;
    fault fault; /* of the row after n_rows */
    size_t fields;
} slice;

void hd_stat_batch_free(hd_stat_batch *b)
{
    hd_free(b->text);
    hd_free(b->starts);
    hd_free(b->offsets);
    *b = (hd_stat_batch){0};
}

/* --- Where rows end --------------------------------------------------------------------------- */

static size_t count_quotes(const char *text, size_t len)
{
    size_t n = 0;
    for (const char *end = text + len; (text = memchr(text, '"', (size_t)(end - text))); text++)
        n++;
    return n;
}

/* The end of the last whole row of text that starts with a row; 0 when there is none. */
static size_t last_row_end(const char *text, size_t len)
{
    size_t quotes = count_quotes(text, len);
    for (size_t i = len; i-- > 0;) {
        quotes -= text[i] == '"';
        if (text[i] == '\n' && quotes % 2 == 0)
            return i + 1;
    }
    return 0;
}

/* The end of the row that `at` lies in, when a row starts at `from`; 0 when it does not end before
 * `to`. */
static size_t row_end_after(const char *text, size_t from, size_t at, size_t to)
{
    size_t quotes = count_quotes(text + from, at - from);
    for (; at < to; at++) {
        quotes += text[at] == '"';
        if (text[at] == '\n' && quotes % 2 == 0)
            return at + 1;
    }
    return 0;
}

/* --- Cutting a slice into cells --------------------------------------------------------------- */

#ifndef __SSE2__
static const bool is_special[256] = {
    [0] = true, [','] = true, ['\n'] = true, ['\r'] = true, ['"'] = true};
#endif

/* Cut the quoted cell that starts at p, without its quotes, which moves its bytes down by one.
 * *stop: the separator after it. The slice ends with a line feed, so there is one. */
static fault cut_quoted(char *p, const char *end, char **stop)
{
    char *w = p, *q = p + 1;
    for (;;) {
        char *quote = memchr(q, '"', (size_t)(end - q));
        if (!quote)
            return FAULT_OPEN;
        size_t len = (size_t)(quote - q);
        if (memchr(q, '\0', len))
            return FAULT_ZERO;
        memmove(w, q, len);
        w += len;
        q = quote + 1;
        if (*q != '"')
            break;
        *w++ = '"';
        q++;
    }
    *w = '\0';
    if (q[0] == '\r' && q[1] == '\n')
        q++;
    *stop = q;
    return *q == ',' || *q == '\n' ? FAULT_NONE : *q == '\0' ? FAULT_ZERO : FAULT_QUOTE;
}

/* The special bytes of the 64 bytes from base on that were not looked at yet. */
typedef struct marks {
    char *base;
    uint64_t bits;
} marks;

#ifdef __SSE2__
static uint64_t special_bits(const char *p)
{
    const __m128i of[] = {_mm_set1_epi8(','), _mm_set1_epi8('\n'), _mm_set1_epi8('"'),
                          _mm_set1_epi8('\r'), _mm_setzero_si128()};
    uint64_t bits = 0;
    for (int i = 0; i < 4; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(p + 16 * i)), hit = _mm_setzero_si128();
        for (size_t k = 0; k < sizeof of / sizeof *of; k++)
            hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, of[k]));
        bits |= (uint64_t)(unsigned)_mm_movemask_epi8(hit) << (16 * i);
    }
    return bits;
}
#else
static uint64_t special_bits(const char *p)
{
    uint64_t bits = 0;
    for (int i = 0; i < 64; i++)
        bits |= (uint64_t)is_special[(unsigned char)p[i]] << i;
    return bits;
}
#endif

/* From p on, which is not before what was looked at last. */
static void look_from(marks *m, char *p, const char *end)
{
    size_t past = (size_t)(p - m->base);
    if (m->base && past < 64) {
        m->bits &= UINT64_MAX << past;
        return;
    }
    m->base = p;
    if (end - p >= 64) {
        m->bits = special_bits(p);
        return;
    }
    char last[64]; /* what follows is the next slice's */
    memset(last, 'x', sizeof last);
    memcpy(last, p, (size_t)(end - p));
    m->bits = special_bits(last);
}

/* The next special byte; there is one, because the slice ends with a line feed. */
static inline char *next_special(marks *m, const char *end)
{
    while (!m->bits)
        look_from(m, m->base + 64, end);
    char *p = m->base + __builtin_ctzll(m->bits);
    m->bits &= m->bits - 1;
    return p;
}

static inline fault cut_plain(marks *m, const char *end, char **stop)
{
    char *p = next_special(m, end);
    while (*p != ',' && *p != '\n') {
        if (*p == '"' || *p == '\0')
            return *p ? FAULT_QUOTE : FAULT_ZERO;
        if (p[1] == '\n') /* a carriage return that ends the row */
            *p = '\0';
        p = next_special(m, end);
    }
    *stop = p;
    return FAULT_NONE;
}

/* Room for a row more; the header's columns are not known before. */
static bool reserve_row(slice *t)
{
    while (t->offsets_cap - t->n_offsets < t->n_columns)
        if (!hd_grow_((void **)(void *)&t->offsets, &t->offsets_cap, sizeof *t->offsets))
            return false;
    return HD_GROW(t->starts, t->n_rows, t->starts_cap);
}

static fault cut_row(slice *t, marks *m, char **at, const char *end)
{
    char *row = *at, *p = row, *stop;
    if (!reserve_row(t))
        return FAULT_MEMORY;
    for (t->fields = 1;; t->fields++) {
        fault f;
        if (*p == '"') {
            f = cut_quoted(p, end, &stop);
            if (f == FAULT_NONE)
                look_from(m, stop + 1, end);
        } else {
            f = cut_plain(m, end, &stop);
        }
        if (f != FAULT_NONE)
            return f;
        char separator = *stop;
        *stop = '\0';
        p = stop + 1;
        if (separator == '\n')
            break;
        if ((size_t)(p - row) > UINT32_MAX)
            return FAULT_LONG;
        if (t->n_columns ? t->fields >= t->n_columns
                         : !HD_GROW(t->offsets, t->n_offsets, t->offsets_cap)) {
            if (!t->n_columns)
                return FAULT_MEMORY;
            continue; /* too many: counted for the message */
        }
        t->offsets[t->n_offsets++] = (uint32_t)(p - row);
    }
    *at = p;
    if (t->n_columns && t->fields != t->n_columns)
        return FAULT_FIELDS;
    t->starts[t->n_rows++] = (size_t)(row - t->text);
    return FAULT_NONE;
}

static hd_code cut_slice(void *context, size_t which, hd_err *err)
{
    slice *t = (slice *)context + which;
    char *p = t->text + t->from;
    const char *end = t->text + t->to;
    marks m = {0};
    if (p < end)
        look_from(&m, p, end);
    while (p < end && t->fault == FAULT_NONE) {
        size_t blank = *p == '\n' ? 1 : p[0] == '\r' && p[1] == '\n' ? 2 : 0;
        if (blank && t->n_columns != 1)
            look_from(&m, p += blank, end);
        else
            t->fault = cut_row(t, &m, &p, end);
    }
    return t->fault == FAULT_NONE ? HD_OK : hd_fail(err, HD_FORMAT, "a row is wrong");
}

static hd_code refuse(const hd_stat_reader *r, const slice *t, uint64_t row, hd_err *err)
{
    unsigned long n = (unsigned long)row;
    switch (t->fault) {
    case FAULT_ZERO:
        return hd_fail(err, HD_FORMAT, "%s: row %lu holds a zero byte", r->name, n);
    case FAULT_QUOTE:
        return hd_fail(err, HD_FORMAT, "%s: row %lu has a quote inside a field", r->name, n);
    case FAULT_OPEN:
        return hd_fail(err, HD_FORMAT, "%s: row %lu opens a quote that is never closed", r->name,
                       n);
    case FAULT_FIELDS:
        return hd_fail(err, HD_FORMAT, "%s: row %lu has %zu fields where the header has %zu",
                       r->name, n, t->fields, t->n_columns);
    case FAULT_LONG:
        return hd_fail(err, HD_LIMIT, "%s: row %lu is longer than 4 GB", r->name, n);
    case FAULT_NONE:
    case FAULT_MEMORY:
        break;
    }
    return hd_fail_nomem(err);
}

/* --- Batches ---------------------------------------------------------------------------------- */

static hd_code reserve_text(hd_stat_batch *b, size_t cap, hd_err *err)
{
    if (cap <= b->text_cap)
        return HD_OK;
    cap = cap < b->text_cap * 2 ? b->text_cap * 2 : cap;
    char *text = hd_realloc(b->text, cap);
    if (!text)
        return hd_fail_nomem(err);
    b->text = text;
    b->text_cap = cap;
    return HD_OK;
}

/* Read about `more` bytes behind what is there. At the end of the input the last row gets the line
 * feed that it may lack. */
static hd_code fill(hd_stat_reader *r, hd_stat_batch *b, size_t more, hd_err *err)
{
    HD_TRY(reserve_text(b, b->raw_len + more + 1 + HD_STAT_SLACK, err));
    for (size_t to = b->raw_len + more; b->raw_len < to && !r->ended;) {
        ssize_t n = read(r->fd, b->text + b->raw_len, to - b->raw_len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hd_fail_os(err, "cannot read %s", r->name);
        r->ended = n == 0;
        b->raw_len += (size_t)n;
    }
    if (r->ended && b->raw_len > b->text_len && b->text[b->raw_len - 1] != '\n')
        b->text[b->raw_len++] = '\n';
    return HD_OK;
}

static size_t share_out(const hd_stat_batch *b, size_t end, size_t n_columns, slice *slices)
{
    size_t n = (end - b->text_len) / SLICE + 1, from = b->text_len, used = 0;
    n = n > SLICES ? SLICES : n;
    for (size_t i = 0; i < n && from < end; i++) {
        size_t target = b->text_len + (end - b->text_len) / n * (i + 1), to = end;
        if (i + 1 < n && target < from)
            continue;
        if (i + 1 < n && !(to = row_end_after(b->text, from, target, end)))
            to = end;
        slices[used++] = (slice){.text = b->text, .from = from, .to = to, .n_columns = n_columns};
        from = to;
    }
    return used;
}

static hd_code join(hd_stat_batch *b, slice *slices, size_t n, hd_err *err)
{
    size_t rows = b->n_rows, offsets = b->n_offsets;
    for (size_t i = 0; i < n; i++) {
        rows += slices[i].n_rows;
        offsets += slices[i].n_offsets;
    }
    while (b->starts_cap < rows)
        if (!hd_grow_((void **)(void *)&b->starts, &b->starts_cap, sizeof *b->starts))
            return hd_fail_nomem(err);
    while (b->offsets_cap < offsets)
        if (!hd_grow_((void **)(void *)&b->offsets, &b->offsets_cap, sizeof *b->offsets))
            return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const slice *t = &slices[i];
        if (t->n_rows)
            memcpy(b->starts + b->n_rows, t->starts, t->n_rows * sizeof *t->starts);
        if (t->n_offsets)
            memcpy(b->offsets + b->n_offsets, t->offsets, t->n_offsets * sizeof *t->offsets);
        b->n_rows += t->n_rows;
        b->n_offsets += t->n_offsets;
    }
    return HD_OK;
}

/* Cut the text up to end, where a row ends, into rows of the batch. */
static hd_code cut(const hd_stat_reader *r, hd_stat_batch *b, size_t end, hd_err *err)
{
    hd_code rc = HD_OK;
    slice slices[SLICES];
    size_t n = share_out(b, end, r->n_columns, slices);
    if (hd_par_run(n, cut_slice, slices, err) != HD_OK) {
        uint64_t row = b->first_row + b->n_rows;
        size_t i = 0;
        for (; i + 1 < n && slices[i].fault == FAULT_NONE; i++)
            row += slices[i].n_rows;
        HD_GO(refuse(r, &slices[i], row + slices[i].n_rows, err));
    }
    HD_GO(join(b, slices, n, err));
    b->text_len = end;
out:
    for (size_t i = 0; i < n; i++) {
        hd_free(slices[i].starts);
        hd_free(slices[i].offsets);
    }
    return rc;
}

/* Forget the rows before `keep`. */
static void drop_rows(hd_stat_batch *b, size_t keep, size_t n_columns)
{
    size_t from = keep < b->n_rows ? b->starts[keep] : b->text_len, left = b->n_rows - keep;
    if (keep == 0)
        return;
    memmove(b->text, b->text + from, b->raw_len - from);
    b->text_len -= from;
    b->raw_len -= from;
    for (size_t i = 0; i < left; i++)
        b->starts[i] = b->starts[keep + i] - from;
    b->n_offsets = left * (n_columns - 1);
    if (b->n_offsets)
        memmove(b->offsets, b->offsets + keep * (n_columns - 1), b->n_offsets * sizeof *b->offsets);
    b->n_rows = left;
    b->first_row += keep;
}

hd_code hd_stat_read_more(hd_stat *s, size_t keep, bool *more, hd_err *err)
{
    hd_stat_reader *r = &s->reader;
    hd_stat_batch *b = &s->batch;
    drop_rows(b, keep, r->n_columns);
    size_t before = b->n_rows;
    for (;;) {
        size_t raw = b->raw_len - b->text_len; /* doubled, so that a long row is searched seldom */
        HD_TRY(fill(r, b, raw > PIECE ? raw : PIECE, err));
        raw = b->raw_len - b->text_len;
        size_t end = r->ended ? raw : last_row_end(b->text + b->text_len, raw);
        if (end)
            HD_TRY(cut(r, b, b->text_len + end, err));
        if (b->n_rows > before || r->ended)
            break;
    }
    *more = b->n_rows > before;
    return HD_OK;
}

/* --- The header ------------------------------------------------------------------------------- */

static const char *header_name(const hd_stat *s, size_t column)
{
    return s->header.text + (column ? s->header.offsets[column - 1] : 0);
}

static hd_code check_names(hd_stat *s, hd_err *err)
{
    hd_stat_reader *r = &s->reader;
    if (r->n_columns > HD_STAT_COLUMNS_MAX)
        return hd_fail(err, HD_LIMIT, "%s has more than %d columns", r->name, HD_STAT_COLUMNS_MAX);
    for (size_t i = 0; i < r->n_columns; i++) {
        if (header_name(s, i)[0] == '\0')
            return hd_fail(err, HD_FORMAT, "%s: column %zu has no name", r->name, i + 1);
        for (size_t j = 0; j < i; j++)
            if (strcasecmp(header_name(s, i), header_name(s, j)) == 0)
                return hd_fail(err, HD_FORMAT, "%s: column %zu has the name of column %zu", r->name,
                               i + 1, j + 1);
    }
    return HD_OK;
}

hd_code hd_stat_read_header(hd_stat *s, hd_err *err)
{
    hd_stat_reader *r = &s->reader;
    hd_stat_batch *h = &s->header, *b = &s->batch;
    size_t from = 0, end = 0;
    r->first = lseek(r->fd, 0, SEEK_CUR);
    HD_TRY(fill(r, b, PIECE, err));
    if (b->raw_len >= 3 && memcmp(b->text, "\xEF\xBB\xBF", 3) == 0)
        from = 3;
    for (;;) {
        while (from < b->raw_len && (b->text[from] == '\n' || b->text[from] == '\r'))
            from++;
        end = row_end_after(b->text, from, from, b->raw_len);
        if (end || r->ended)
            break;
        HD_TRY(fill(r, b, b->raw_len, err));
    }
    end = end ? end : b->raw_len; /* a quote that is never closed: cutting says so */
    if (end == from)
        return hd_fail(err, HD_FORMAT, "%s is empty: a header row is needed", r->name);
    HD_TRY(reserve_text(h, end - from + HD_STAT_SLACK, err));
    memcpy(h->text, b->text + from, end - from);
    h->raw_len = end - from;
    HD_TRY(cut(r, h, h->raw_len, err));
    r->n_columns = h->n_offsets + 1;
    r->first += (off_t)end;
    memmove(b->text, b->text + end, b->raw_len - end);
    b->raw_len -= end;
    b->first_row = 1;
    return check_names(s, err);
}
