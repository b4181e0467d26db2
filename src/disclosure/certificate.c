/* certificate.c - writing certificates, and checking them by adding up; see certificate.h.
 *
 * The two halves share nothing but the format: the checker reads text and trusts none of it.
 */
#include "disclosure/certificate.h"

#include "base/alloc.h"

#include <string.h>

enum { PROMISED_VALUES = 16 };

/* " N"; millions of them, so not by printf. */
static void add_number(hd_buf *out, int64_t x)
{
    char text[24], *at = text + sizeof text;
    uint64_t size = x < 0 ? -(uint64_t)x : (uint64_t)x;
    do
        *--at = (char)('0' + size % 10);
    while (size /= 10);
    if (x < 0)
        *--at = '-';
    *--at = ' ';
    hd_buf_add(out, at, (size_t)(text + sizeof text - at));
}

static void add_bound(hd_buf *out, int64_t bound)
{
    if (bound <= -HD_NO_BOUND || bound >= HD_NO_BOUND)
        hd_buf_str(out, " -");
    else
        add_number(out, bound);
}

hd_code hd_certificate_write(const hd_secondary_result *r, hd_buf *out, uint8_t digest[HD_DIGEST],
                             hd_err *err)
{
    const hd_system *s = &r->system;
    size_t begin = out->len;
    hd_buf_printf(out, "hdis-certificate 1\ncells %zu\n", s->n_cells);
    for (size_t c = 0; c < s->n_cells; c++) {
        const hd_interval *i = &r->intervals[c];
        hd_buf_str(out, "cell");
        add_bound(out, s->low[c]);
        add_bound(out, s->high[c]);
        if (r->is_protected[c] && i->n_values) {
            add_number(out, i->n_values);
            add_number(out, i->seen_low);
            add_number(out, i->seen_high);
        }
        hd_buf_char(out, '\n');
    }
    for (size_t k = 0; k < s->n_rules; k++) {
        hd_buf_str(out, "rule");
        add_number(out, s->parent[k]);
        for (size_t i = s->start[k]; i < s->start[k + 1]; i++)
            add_number(out, s->child[i]);
        hd_buf_char(out, '\n');
    }
    for (size_t t = 0; t < r->witnesses.n_tables; t++) {
        hd_buf_str(out, "witness");
        for (size_t c = 0; c < s->n_cells; c++)
            add_number(out, r->witnesses.values[t * r->witnesses.n_cells + c]);
        hd_buf_char(out, '\n');
    }
    hd_buf_str(out, "end\n");
    HD_TRY(hd_buf_check(out, err));
    if (digest)
        hd_digest_of(out->data + begin, out->len - begin, digest);
    return HD_OK;
}

/* ---- the checker ---- */

typedef struct promise {
    uint32_t cell, values, n_seen;
    int64_t from, to;
    bool has_from, has_to;
    int64_t seen[PROMISED_VALUES];
} promise;

typedef struct reader {
    const char *at, *end;
    size_t line;
    hd_err *err;
    size_t n_cells;
    int64_t *low, *high, *values;
    promise *promises;
    size_t n_promises, promises_cap;
    uint32_t *rules; /* parent, number of children, children, ... */
    size_t n_rule_words, rules_cap, n_rules, n_witnesses;
} reader;

static hd_code bad(reader *r)
{
    return hd_fail(r->err, HD_FORMAT, "line %zu of the certificate is damaged", r->line);
}

/* Does the line begin with this word? Then it is read. */
static bool word(reader *r, const char *w)
{
    size_t n = strlen(w);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, w, n) != 0)
        return false;
    r->at += n;
    return true;
}

static hd_code end_of_line(reader *r)
{
    if (r->at >= r->end || *r->at != '\n')
        return bad(r);
    r->at++;
    r->line++;
    return HD_OK;
}

static bool at_number(const reader *r)
{
    return r->at < r->end && *r->at == ' ';
}

/* " N": a whole number of at most 19 digits. */
static hd_code number(reader *r, int64_t *out)
{
    bool is_negative = false;
    int64_t x = 0;
    if (!at_number(r))
        return bad(r);
    r->at++;
    if (r->at < r->end && *r->at == '-') {
        is_negative = true;
        r->at++;
    }
    const char *first = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        if (__builtin_mul_overflow(x, 10, &x) || __builtin_add_overflow(x, *r->at++ - '0', &x))
            return bad(r);
    if (r->at == first)
        return bad(r);
    *out = is_negative ? -x : x;
    return HD_OK;
}

/* A number, or " -" for the bound that is not there. */
static hd_code bound(reader *r, int64_t missing, int64_t *out)
{
    if (r->end - r->at >= 3 && r->at[0] == ' ' && r->at[1] == '-' &&
        (r->at[2] == ' ' || r->at[2] == '\n')) {
        r->at += 2;
        *out = missing;
        return HD_OK;
    }
    return number(r, out);
}

static hd_code cell_number(reader *r, uint32_t *out)
{
    int64_t x;
    HD_TRY(number(r, &x));
    if (x < 0 || (uint64_t)x >= r->n_cells)
        return bad(r);
    *out = (uint32_t)x;
    return HD_OK;
}

static hd_code read_promise(reader *r, uint32_t cell)
{
    int64_t values;
    if (!HD_GROW(r->promises, r->n_promises, r->promises_cap))
        return hd_fail_nomem(r->err);
    promise *p = &r->promises[r->n_promises++];
    *p = (promise){.cell = cell};
    HD_TRY(number(r, &values));
    if (values < 1 || values > PROMISED_VALUES)
        return bad(r);
    p->values = (uint32_t)values;
    HD_TRY(number(r, &p->from));
    return number(r, &p->to);
}

static hd_code read_cells(reader *r)
{
    int64_t n;
    if (!word(r, "hdis-certificate 1"))
        return bad(r);
    HD_TRY(end_of_line(r));
    if (!word(r, "cells"))
        return bad(r);
    HD_TRY(number(r, &n));
    HD_TRY(end_of_line(r));
    if (n < 0 || n > r->end - r->at) /* every cell has a line */
        return bad(r);
    r->n_cells = (size_t)n;
    r->low = hd_calloc(r->n_cells + 1, sizeof *r->low);
    r->high = hd_calloc(r->n_cells + 1, sizeof *r->high);
    r->values = hd_calloc(r->n_cells + 1, sizeof *r->values);
    if (!r->low || !r->high || !r->values)
        return hd_fail_nomem(r->err);
    for (size_t c = 0; c < r->n_cells; c++) {
        if (!word(r, "cell"))
            return bad(r);
        HD_TRY(bound(r, -HD_NO_BOUND, &r->low[c]));
        HD_TRY(bound(r, HD_NO_BOUND, &r->high[c]));
        if (at_number(r))
            HD_TRY(read_promise(r, (uint32_t)c));
        HD_TRY(end_of_line(r));
    }
    return HD_OK;
}

static hd_code add_word(reader *r, uint32_t x)
{
    if (!HD_GROW(r->rules, r->n_rule_words, r->rules_cap))
        return hd_fail_nomem(r->err);
    r->rules[r->n_rule_words++] = x;
    return HD_OK;
}

static hd_code read_rules(reader *r)
{
    while (word(r, "rule")) {
        uint32_t cell = 0;
        HD_TRY(cell_number(r, &cell));
        HD_TRY(add_word(r, cell));
        size_t count = r->n_rule_words;
        HD_TRY(add_word(r, 0));
        while (at_number(r)) {
            HD_TRY(cell_number(r, &cell));
            HD_TRY(add_word(r, cell));
            r->rules[count]++;
        }
        HD_TRY(end_of_line(r));
        r->n_rules++;
    }
    return HD_OK;
}

static hd_code add_up(reader *r)
{
    for (size_t c = 0; c < r->n_cells; c++)
        if (r->values[c] < r->low[c] || r->values[c] > r->high[c])
            return hd_fail(r->err, HD_INVALID, "witness %zu: cell %zu is out of its bounds",
                           r->n_witnesses, c);
    for (size_t i = 0, k = 0; i < r->n_rule_words; i += 2 + r->rules[i + 1], k++) {
        int64_t sum = 0;
        for (size_t j = 0; j < r->rules[i + 1]; j++)
            if (__builtin_add_overflow(sum, r->values[r->rules[i + 2 + j]], &sum))
                return hd_fail(r->err, HD_INVALID, "witness %zu: sum %zu is too large",
                               r->n_witnesses, k);
        if (sum != r->values[r->rules[i]])
            return hd_fail(r->err, HD_INVALID, "witness %zu: sum %zu does not add up",
                           r->n_witnesses, k);
    }
    return HD_OK;
}

static void keep_promises(reader *r)
{
    for (size_t i = 0; i < r->n_promises; i++) {
        promise *p = &r->promises[i];
        int64_t v = r->values[p->cell];
        bool is_new = p->n_seen < p->values;
        for (uint32_t k = 0; k < p->n_seen; k++)
            is_new &= p->seen[k] != v;
        if (is_new)
            p->seen[p->n_seen++] = v;
        p->has_from |= v <= p->from;
        p->has_to |= v >= p->to;
    }
}

static hd_code read_witnesses(reader *r)
{
    while (word(r, "witness")) {
        r->n_witnesses++;
        for (size_t c = 0; c < r->n_cells; c++)
            HD_TRY(number(r, &r->values[c]));
        HD_TRY(end_of_line(r));
        HD_TRY(add_up(r));
        keep_promises(r);
    }
    if (!word(r, "end"))
        return bad(r);
    HD_TRY(end_of_line(r));
    return r->at == r->end ? HD_OK : bad(r);
}

static void reader_free(reader *r)
{
    hd_wipe_free(r->values, (r->n_cells + 1) * sizeof *r->values);
    hd_free(r->low);
    hd_free(r->high);
    hd_free(r->rules);
    hd_wipe_free(r->promises, r->promises_cap * sizeof *r->promises);
}

hd_code hd_certificate_check(const char *text, size_t len, hd_certificate_summary *out,
                             hd_err *err)
{
    hd_code rc = HD_OK;
    reader r = {.at = text, .end = text + len, .line = 1, .err = err};
    HD_GO(read_cells(&r));
    HD_GO(read_rules(&r));
    HD_GO(read_witnesses(&r));
    for (size_t i = 0; i < r.n_promises; i++) {
        const promise *p = &r.promises[i];
        if (p->n_seen < p->values || !p->has_from || !p->has_to) {
            rc = hd_fail(err, HD_INVALID, "the witnesses do not show what is promised of cell %u",
                         p->cell);
            goto out;
        }
    }
    *out = (hd_certificate_summary){r.n_cells, r.n_rules, r.n_witnesses, r.n_promises};
out:
    reader_free(&r);
    return rc;
}

hd_code hd_certificate_matches(const char *text, size_t len, const int64_t *low,
                               const int64_t *high, size_t n, hd_err *err)
{
    hd_code rc = HD_OK;
    reader r = {.at = text, .end = text + len, .line = 1, .err = err};
    HD_GO(read_cells(&r));
    if (r.n_cells < n) {
        rc = hd_fail(err, HD_INVALID, "the certificate has fewer cells than the table");
        goto out;
    }
    for (size_t c = 0; c < n; c++)
        if (r.low[c] < low[c] || r.high[c] > high[c]) {
            rc = hd_fail(err, HD_INVALID, "cell %zu of the certificate is not the one printed", c);
            goto out;
        }
out:
    reader_free(&r);
    return rc;
}

hd_code hd_certificate_fits(const char *text, size_t len, const hd_system *s, hd_err *err)
{
    hd_code rc = HD_OK;
    reader r = {.at = text, .end = text + len, .line = 1, .err = err};
    HD_GO(read_cells(&r));
    HD_GO(read_rules(&r));
    if (r.n_cells < s->n_cells || r.n_rules < s->n_rules)
        HD_GO(hd_fail(err, HD_INVALID, "the certificate lacks cells or sums of the table"));
    while (word(&r, "witness")) {
        for (size_t c = 0; c < r.n_cells; c++)
            HD_GO(number(&r, &r.values[c]));
        HD_GO(end_of_line(&r));
        HD_GO(hd_system_check(s, r.values, err));
    }
out:
    reader_free(&r);
    return rc;
}
