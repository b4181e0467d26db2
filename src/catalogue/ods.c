/* ods.c - see ods.h. doc/catalogue.md lists the columns that are read.
 *
 * Everything is held in memory (the largest file has 20,000 rows). Successions are checked for
 * circles here, so that what was imported always loads.
 */
#include "catalogue/ods.h"

#include "base/alloc.h"
#include "base/csv.h"
#include "base/date.h"
#include "base/intern.h"
#include "base/io.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILE = 256 << 20, MAX_COLUMNS = 60 };

/* Columns of the published layout, from 0. */
enum {
    CODE = 0,
    NAME = 1,
    REGION = 2, /* national grouping */
    ICB = 3,    /* high level health geography */
    OPENED = 10,
    CLOSED = 11,
    PARENT = 14, /* of a site its trust, of a practice its commissioner */
    LAYOUT_COLUMNS = 15,
    SUCCESSOR = 1,
    SUCCEEDED_ON = 3,
    SUCCESSION_COLUMNS = 4
};

typedef struct ods {
    const hd_ods_files *in;
    const char *out;
    hd_csv names, trusts, care_trusts, independents, sites, commissioners, practices, successions;
    hd_csv peers;
    hd_intern *providers; /* codes, in the order of the rows of the three provider files */
    const char **successor, **succeeded_on; /* by number in providers; NULL: none */
    hd_ods_counts counts;
} ods;

/* ---- reading --------------------------------------------------------------------------------- */

static size_t count_columns(const char *text)
{
    size_t n = 1;
    bool quoted = false;
    for (; *text && (quoted || (*text != '\n' && *text != '\r')); text++) {
        quoted ^= *text == '"';
        n += !quoted && *text == ',';
    }
    return n;
}

/* The files have no header; one is put in front, so lines in errors are counted from 2. */
static hd_code read_file(const ods *o, const char *name, size_t columns, bool needed, hd_csv *out,
                         hd_err *err)
{
    char path[4096], shown[4200], *text = NULL;
    size_t len;
    hd_buf b;
    snprintf(path, sizeof path, "%s/%s", o->in->folder, name);
    if (access(path, R_OK) != 0) {
        if (!needed)
            return HD_OK;
        return hd_fail(err, HD_NOTFOUND, "there is no %s: the files of the Organisation Data "
                       "Service that are needed are etr.csv, ets.csv, eccg.csv, epraccur.csv", path);
    }
    HD_TRY(hd_io_read_file(path, MAX_FILE, &text, &len, err));
    size_t n = count_columns(text);
    hd_buf_init(&b, MAX_FILE + 1024);
    for (size_t i = 0; i < n && i < MAX_COLUMNS; i++)
        hd_buf_printf(&b, "%s%zu", i ? "," : "", i + 1);
    hd_buf_printf(&b, "\n");
    hd_buf_add(&b, text, len);
    hd_free(text);
    snprintf(shown, sizeof shown, "%s (a header counted as line 1)", path);
    hd_code rc = hd_buf_check(&b, err);
    if (rc == HD_OK && (n < columns || n > MAX_COLUMNS))
        rc = hd_fail(err, HD_FORMAT, "%s has %zu columns, %zu or more are needed", path, n, columns);
    if (rc == HD_OK)
        rc = hd_csv_parse(out, b.data, b.len, shown, err);
    hd_buf_free(&b);
    return rc;
}

static const char *cell(const hd_csv *t, size_t row, int column)
{
    return hd_csv_cell(t, row, column);
}

/* A code is capital letters and digits; anything else is a heading somebody added. */
static bool is_code(const char *s)
{
    size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    return n > 0 && n <= 12 && s[n] == '\0';
}

static hd_code read_all(ods *o, hd_err *err)
{
    const struct {
        const char *name;
        size_t columns;
        bool needed;
        hd_csv *into;
    } files[] = {
        {"etr.csv", LAYOUT_COLUMNS, true, &o->trusts},
        {"ect.csv", LAYOUT_COLUMNS, false, &o->care_trusts},
        {"ephp.csv", LAYOUT_COLUMNS, false, &o->independents},
        {"ets.csv", LAYOUT_COLUMNS, true, &o->sites},
        {"eccg.csv", LAYOUT_COLUMNS, true, &o->commissioners},
        {"epraccur.csv", LAYOUT_COLUMNS, true, &o->practices},
        {"eauth.csv", 2, false, &o->names},
        {"succ.csv", SUCCESSION_COLUMNS, false, &o->successions},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        HD_TRY(read_file(o, files[i].name, files[i].columns, files[i].needed, files[i].into, err));
    if (!o->in->peers)
        return HD_OK;
    HD_TRY(hd_csv_read_file(&o->peers, o->in->peers, MAX_FILE, err));
    if (hd_csv_column(&o->peers, "code") < 0 || hd_csv_column(&o->peers, "peer_group") < 0)
        return hd_fail(err, HD_FORMAT, "%s:1: the columns are code,peer_group", o->in->peers);
    return HD_OK;
}

/* Name of a region or board in eauth.csv, or the code itself. */
static const char *name_of(const ods *o, const char *code)
{
    for (size_t r = 0; r < o->names.n_rows; r++)
        if (strcmp(cell(&o->names, r, CODE), code) == 0)
            return cell(&o->names, r, NAME);
    return code;
}

static const char *peer_group_of(const ods *o, const char *code)
{
    int k = hd_csv_column(&o->peers, "code"), v = hd_csv_column(&o->peers, "peer_group");
    for (size_t r = 0; r < o->peers.n_rows; r++)
        if (strcmp(hd_csv_cell(&o->peers, r, k), code) == 0)
            return hd_csv_cell(&o->peers, r, v);
    return "";
}

/* ---- successions ----------------------------------------------------------------------------- */

static hd_code number_providers(ods *o, hd_err *err)
{
    const hd_csv *files[] = {&o->trusts, &o->care_trusts, &o->independents};
    uint32_t id;
    for (size_t f = 0; f < 3; f++)
        for (size_t r = 0; r < files[f]->n_rows; r++) {
            const char *code = cell(files[f], r, CODE);
            if (is_code(code))
                HD_TRY(hd_intern_add(o->providers, code, strlen(code), &id, err));
        }
    size_t n = hd_intern_count(o->providers) + 1;
    o->successor = hd_calloc(n, sizeof *o->successor);
    o->succeeded_on = hd_calloc(n, sizeof *o->succeeded_on);
    return o->successor && o->succeeded_on ? HD_OK : hd_fail_nomem(err);
}

static uint32_t provider(const ods *o, const char *code)
{
    return hd_intern_find(o->providers, code, strlen(code));
}

static hd_code follow_successions(ods *o, hd_err *err)
{
    for (size_t r = 0; r < o->successions.n_rows; r++) {
        const char *from = cell(&o->successions, r, CODE), *to = cell(&o->successions, r, SUCCESSOR);
        const char *on = cell(&o->successions, r, SUCCEEDED_ON);
        uint32_t a = provider(o, from);
        if (a == HD_INTERN_NONE || provider(o, to) == HD_INTERN_NONE || strcmp(from, to) == 0)
            continue;
        if (o->successor[a] && strcmp(o->successor[a], to) != 0)
            o->counts.split++;
        if (!o->successor[a])
            o->counts.successions++;
        if (!o->successor[a] || strcmp(on, o->succeeded_on[a]) > 0) {
            o->successor[a] = to;
            o->succeeded_on[a] = on;
        }
    }
    for (uint32_t a = 0; a < hd_intern_count(o->providers); a++) {
        uint32_t at = a;
        size_t len;
        for (size_t steps = 0; at != HD_INTERN_NONE && o->successor[at]; steps++) {
            if (steps > hd_intern_count(o->providers))
                return hd_fail(err, HD_FORMAT, "%s/succ.csv: the successions of %s go round in a "
                               "circle: remove one of them", o->in->folder,
                               hd_intern_get(o->providers, a, &len));
            at = provider(o, o->successor[at]);
        }
    }
    return HD_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_row(hd_buf *b, const char *const *cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hd_csv_put(b, cells[i], strlen(cells[i]));
        hd_buf_char(b, i + 1 < n ? ',' : '\n');
    }
}
#define PUT_ROW(b, ...)                                                                            \
    put_row((b), (const char *const[]){__VA_ARGS__},                                               \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void iso_date(const char *text, char out[11])
{
    int32_t d = hd_date_parse(text, strlen(text));
    out[0] = '\0';
    if (d != HD_DATE_NONE)
        hd_date_format(d, out);
}

static hd_code write_out(const ods *o, const char *name, hd_buf *b, hd_err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", o->out, name);
    hd_code rc = hd_buf_check(b, err);
    if (rc == HD_OK)
        rc = hd_io_write_file(path, b->data, b->len, 0644, err);
    hd_buf_free(b);
    return rc;
}

static void put_providers(ods *o, hd_buf *b, const hd_csv *t, const char *type, uint8_t *written)
{
    for (size_t r = 0; r < t->n_rows; r++) {
        char opened[11], closed[11], on[11] = "";
        const char *code = cell(t, r, CODE), *name = cell(t, r, NAME);
        uint32_t id = is_code(code) ? provider(o, code) : HD_INTERN_NONE;
        if (id == HD_INTERN_NONE || written[id])
            continue;
        written[id] = 1;
        iso_date(cell(t, r, OPENED), opened);
        iso_date(cell(t, r, CLOSED), closed);
        if (o->successor[id])
            iso_date(o->succeeded_on[id], on);
        PUT_ROW(b, code, name, type ? type : strstr(name, "FOUNDATION") ? "FOUNDATION" : "TRUST",
                name_of(o, cell(t, r, REGION)), name_of(o, cell(t, r, ICB)), peer_group_of(o, code),
                opened, closed, o->successor[id] ? o->successor[id] : "", on);
        o->counts.providers++;
    }
}

static hd_code write_providers(ods *o, hd_err *err)
{
    hd_buf b;
    uint8_t *written = hd_calloc(hd_intern_count(o->providers) + 1, 1);
    if (!written)
        return hd_fail_nomem(err);
    hd_buf_init(&b, MAX_FILE);
    PUT_ROW(&b, "code", "name", "type", "region", "icb", "peer_group", "opened", "closed",
            "successor", "succeeded_on");
    put_providers(o, &b, &o->trusts, NULL, written);
    put_providers(o, &b, &o->care_trusts, "CARETRUST", written);
    put_providers(o, &b, &o->independents, "IND", written);
    hd_free(written);
    return write_out(o, "providers.csv", &b, err);
}

/* Files of one row a code, each code once. cells makes the row. */
static hd_code write_codes(const ods *o, const hd_csv *t, const char *name, const char *header,
                           void (*put)(const ods *o, hd_buf *b, const hd_csv *t, size_t row),
                           size_t *count, hd_err *err)
{
    hd_buf b;
    hd_intern *seen = hd_intern_new();
    hd_code rc = seen ? HD_OK : hd_fail_nomem(err);
    hd_buf_init(&b, MAX_FILE);
    hd_buf_printf(&b, "%s\n", header);
    for (size_t r = 0; r < t->n_rows && rc == HD_OK; r++) {
        const char *code = cell(t, r, CODE);
        uint32_t id, before = hd_intern_count(seen);
        if (!is_code(code))
            continue;
        rc = hd_intern_add(seen, code, strlen(code), &id, err);
        if (rc == HD_OK && id == before) {
            put(o, &b, t, r);
            ++*count;
        }
    }
    hd_intern_free(seen);
    if (rc != HD_OK) {
        hd_buf_free(&b);
        return rc;
    }
    return write_out(o, name, &b, err);
}

static void put_site(const ods *o, hd_buf *b, const hd_csv *t, size_t r)
{
    char trust[4];
    const char *code = cell(t, r, CODE), *parent = cell(t, r, PARENT);
    snprintf(trust, sizeof trust, "%.3s", code); /* codes issued before October 2020 */
    if (!parent[0] && provider(o, trust) != HD_INTERN_NONE)
        parent = trust;
    PUT_ROW(b, code, cell(t, r, NAME), parent);
}

static void put_commissioner(const ods *o, hd_buf *b, const hd_csv *t, size_t r)
{
    PUT_ROW(b, cell(t, r, CODE), cell(t, r, NAME), name_of(o, cell(t, r, ICB)),
            name_of(o, cell(t, r, REGION)));
}

static void put_practice(const ods *o, hd_buf *b, const hd_csv *t, size_t r)
{
    (void)o;
    PUT_ROW(b, cell(t, r, CODE), cell(t, r, NAME), cell(t, r, PARENT));
}

static hd_code write_places(ods *o, hd_err *err)
{
    static const char *const columns[] = {"code", "name", "ccg", "imd_rank", "imd_decile",
                                          "rural_urban"};
    hd_csv t;
    hd_buf b;
    hd_code rc = HD_OK;
    if (!o->in->places)
        return HD_OK;
    HD_TRY(hd_csv_read_file(&t, o->in->places, MAX_FILE, err));
    hd_buf_init(&b, MAX_FILE);
    put_row(&b, columns, 6);
    for (size_t i = 0; i < 6 && rc == HD_OK; i++)
        if (hd_csv_column(&t, columns[i]) < 0)
            rc = hd_fail(err, HD_FORMAT, "%s:1: no column '%s'", o->in->places, columns[i]);
    for (size_t r = 0; r < t.n_rows && rc == HD_OK; r++) {
        const char *cells[6];
        for (size_t i = 0; i < 6; i++)
            cells[i] = hd_csv_cell(&t, r, hd_csv_column(&t, columns[i]));
        put_row(&b, cells, 6);
        o->counts.places++;
    }
    if (rc == HD_OK)
        rc = write_out(o, "places.csv", &b, err);
    else
        hd_buf_free(&b);
    hd_csv_free(&t);
    return rc;
}

static hd_code import(ods *o, hd_err *err)
{
    HD_TRY(read_all(o, err));
    HD_TRY(number_providers(o, err));
    HD_TRY(follow_successions(o, err));
    HD_TRY(hd_io_make_dir(o->out, err));
    HD_TRY(write_providers(o, err));
    HD_TRY(write_codes(o, &o->sites, "sites.csv", "code,name,provider", put_site, &o->counts.sites,
                       err));
    HD_TRY(write_codes(o, &o->commissioners, "commissioners.csv", "code,name,icb,region",
                       put_commissioner, &o->counts.commissioners, err));
    HD_TRY(write_codes(o, &o->practices, "practices.csv", "code,name,ccg", put_practice,
                       &o->counts.practices, err));
    return write_places(o, err);
}

hd_code hd_ods_import(const hd_ods_files *in, const char *out, hd_ods_counts *counts, hd_err *err)
{
    ods o = {.in = in, .out = out};
    o.providers = hd_intern_new();
    hd_code rc = o.providers ? import(&o, err) : hd_fail_nomem(err);
    hd_csv *files[] = {&o.names, &o.trusts, &o.care_trusts, &o.independents, &o.sites,
                       &o.commissioners, &o.practices, &o.successions, &o.peers};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        hd_csv_free(files[i]);
    hd_free(o.successor);
    hd_free(o.succeeded_on);
    hd_intern_free(o.providers);
    *counts = o.counts;
    return rc;
}
