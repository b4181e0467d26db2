/* sets_scan.c - the sets behind all figures of an answer, in one scan of the table; see sets.h.
 *
 * A sketch takes several lines of the cache and an answer may have thousands of sketches. So records
 * wait until there are many, and are then added in order of their cells, one range of cells after the
 * other, and in a range one cell after the other, all records of a cell at once (sets_rows.c). What has come of a person is a lane's own, because
 * a person's records lie in one lane, one after another. The sketches are a lane's own and joined at the
 * end; where they would be large all lanes add to the same ones, a range of cells under its lock.
 */
#include "disclosure/sets.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/intern.h"
#include "base/par.h"
#include "disclosure/definition.h"

#include <pthread.h>
#include <string.h>

enum {
    LOOK_EVERY = 4096, /* cells between two looks at whether somebody stopped the question */
    RANGES = 256,     /* of cells, at most */
    RANGE_CELLS = 64, /* at least */
    MOST_DEFINED = 20000, /* figures of which the definitions are kept */
    SETS = 64
};

const hd_sets_tuning hd_sets_tuning_default = {.most_cells = 1000000,
                                               .most_waiting = (size_t)1 << 17,
                                               .most_places = UINT64_C(1) << 24,
                                               .most_own_bytes = (size_t)1 << 26};

typedef struct column {
    unsigned class;
    hd_set_kind kind;
} column;

typedef struct waiting {
    uint64_t record, classes;
    uint32_t person, cell;
} waiting;

/* Rows of one cell, a person's one after another. */
typedef struct run {
    size_t n;
    uint32_t *persons;
    uint64_t *records, *classes;
} run;

typedef struct job {
    const hd_sets_tuning *tuning;
    const hd_chosen *chosen;
    const hd_engine *engine;
    const hd_question *q;
    size_t n_cells, n_columns, n_sets;
    column columns[SETS];
    const uint32_t *sets;
    hd_set *items; /* of the answer */
    uint64_t *strides; /* n_sets x n_keys; 0: the key is summed over */
    uint64_t *offsets; /* n_sets */
    uint32_t *slots; /* n_cells x n_keys; NULL: they need not be kept */
    uint32_t *cell_of; /* by offset and slots; NULL when there are too many: */
    hd_intern *names;  /* (set, slots) to cells */
    bool is_shared;    /* all lanes add to the answer's sketches */
    size_t n_waiting;  /* room */
    unsigned shift;    /* of a cell to its range */
    size_t n_ranges, n_locks;
    pthread_mutex_t locks[RANGES];
    struct lane *lanes;
} job;

typedef struct lane {
    job *job;
    hd_set *items;   /* the answer's, or its own */
    hd_set_growing *people; /* n_cells x n_columns */
    waiting *rows, *ordered;
    run rows_of;       /* one cell's */
    run chosen;        /* and of them those of a column */
    size_t *starts;    /* of the cells of a range, and one more */
    uint32_t *order;   /* rows of a range, by cell */
    size_t n;
    uint32_t *key;
} lane;

/* ---- records into sets ---------------------------------------------------------------------- */

/* Those that contribute to a class; no branch on what cannot be foreseen. */
static const run *choose(lane *l, unsigned class)
{
    const run *all = &l->rows_of;
    run *out = &l->chosen;
    uint64_t common = UINT64_MAX;
    for (size_t i = 0; i < all->n; i++)
        common &= all->classes[i];
    if (common >> class & 1)
        return all;
    out->n = 0;
    for (size_t i = 0; i < all->n; i++) {
        out->persons[out->n] = all->persons[i];
        out->records[out->n] = all->records[i];
        out->n += all->classes[i] >> class & 1;
    }
    return out;
}

static void take_cell(lane *l, size_t cell, const waiting *rows, const uint32_t *order, size_t n)
{
    const job *j = l->job;
    run *r = &l->rows_of;
    r->n = n;
    for (size_t i = 0; i < n; i++) {
        const waiting *w = &rows[order[i]];
        r->persons[i] = w->person;
        r->records[i] = w->record;
        r->classes[i] = w->classes;
    }
    for (size_t c = 0; c < j->n_columns; c++) {
        size_t item = cell * j->n_columns + c;
        const run *of = choose(l, j->columns[c].class);
        hd_set_take(&l->items[item], &l->people[item], j->columns[c].kind, of->persons, of->records,
                    of->n);
    }
}

/* Rows of one range, cell by cell; in a cell their order stays. */
static void take_range(lane *l, size_t range, const waiting *rows, size_t n)
{
    size_t first = range << l->job->shift, n_cells = (size_t)1 << l->job->shift;
    size_t *starts = l->starts;
    memset(starts, 0, (n_cells + 1) * sizeof *starts);
    for (size_t i = 0; i < n; i++)
        starts[rows[i].cell - first + 1]++;
    for (size_t c = 0; c < n_cells; c++)
        starts[c + 1] += starts[c];
    for (size_t i = 0; i < n; i++)
        l->order[starts[rows[i].cell - first]++] = (uint32_t)i;
    for (size_t c = 0, at = 0; c < n_cells; at = starts[c++]) /* starts are ends by now */
        if (starts[c] > at)
            take_cell(l, first + c, rows, l->order + at, starts[c] - at);
}

static void enter(lane *l, size_t range)
{
    if (l->job->is_shared)
        pthread_mutex_lock(&l->job->locks[range]);
}

static void leave(lane *l, size_t range)
{
    if (l->job->is_shared)
        pthread_mutex_unlock(&l->job->locks[range]);
}

/* What waits, by ranges; the order of rows within a range stays. */
static void take_waiting(lane *l)
{
    const job *j = l->job;
    size_t starts[RANGES + 1] = {0}, at[RANGES];
    for (size_t i = 0; i < l->n; i++)
        starts[(l->rows[i].cell >> j->shift) + 1]++;
    for (size_t r = 0; r < j->n_ranges; r++) {
        at[r] = starts[r];
        starts[r + 1] += starts[r];
    }
    for (size_t i = 0; i < l->n; i++)
        l->ordered[at[l->rows[i].cell >> j->shift]++] = l->rows[i];
    for (size_t r = 0; r < j->n_ranges; r++) {
        if (starts[r] == starts[r + 1])
            continue;
        enter(l, r);
        take_range(l, r, &l->ordered[starts[r]], starts[r + 1] - starts[r]);
        leave(l, r);
    }
    l->n = 0;
}

/* ---- the cell of a row ---------------------------------------------------------------------- */

static uint32_t find_cell(const lane *l, const hd_chosen_block *b, size_t i, size_t set)
{
    const job *j = l->job;
    size_t n_keys = j->q->n_keys, n = 1;
    if (j->cell_of) {
        uint64_t place = j->offsets[set];
        for (size_t k = 0; k < n_keys; k++)
            place += j->strides[set * n_keys + k] * b->slots[k * b->stride + i];
        return j->cell_of[place];
    }
    l->key[0] = (uint32_t)set;
    for (size_t k = 0; k < n_keys; k++)
        if (j->sets[set] >> k & 1)
            l->key[n++] = b->slots[k * b->stride + i];
    return hd_intern_find(j->names, l->key, n * sizeof *l->key);
}

static hd_code take_block(void *ctx, const hd_chosen_block *b, hd_err *err)
{
    lane *l = ctx;
    for (size_t i = 0; i < b->n; i++)
        for (size_t s = 0; s < l->job->n_sets; s++) {
            uint32_t cell = find_cell(l, b, i, s);
            if (cell == HD_INTERN_NONE)
                return hd_fail(err, HD_INVALID, "the scan found a cell that the answer does not have");
            if (l->n == l->job->n_waiting)
                take_waiting(l);
            l->rows[l->n++] = (waiting){b->records[i], b->classes[i], b->persons[i], cell};
        }
    return HD_OK;
}

/* ---- lanes ---------------------------------------------------------------------------------- */

static bool open_run(run *r, size_t n)
{
    r->persons = hd_calloc(n, sizeof *r->persons);
    r->records = hd_calloc(n, sizeof *r->records);
    r->classes = hd_calloc(n, sizeof *r->classes);
    return r->persons && r->records && r->classes;
}

static void free_run(run *r, size_t n)
{
    hd_wipe_free(r->persons, n * sizeof *r->persons);
    hd_wipe_free(r->records, n * sizeof *r->records);
    hd_free(r->classes);
}

static hd_code open_lane(lane *l, job *j, hd_err *err)
{
    size_t n_items = j->n_cells * j->n_columns;
    *l = (lane){.job = j, .items = j->items};
    l->people = hd_calloc(n_items + 1, sizeof *l->people);
    l->rows = hd_calloc(j->n_waiting, sizeof *l->rows);
    l->ordered = hd_calloc(j->n_waiting, sizeof *l->ordered);
    l->key = hd_calloc(j->q->n_keys + 1, sizeof *l->key);
    if (!j->is_shared)
        l->items = hd_calloc(n_items + 1, sizeof *l->items);
    l->starts = hd_calloc(((size_t)1 << j->shift) + 1, sizeof *l->starts);
    l->order = hd_calloc(j->n_waiting, sizeof *l->order);
    bool has_runs = open_run(&l->rows_of, j->n_waiting) && open_run(&l->chosen, j->n_waiting);
    if (!l->people || !l->rows || !l->ordered || !l->key || !l->items || !l->starts || !l->order ||
        !has_runs)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n_items && !j->is_shared; i++)
        hd_set_init(&l->items[i]);
    return HD_OK;
}

static hd_code run_lane(void *ctx, size_t number, hd_err *err)
{
    job *j = ctx;
    lane *l = &j->lanes[number];
    HD_TRY(open_lane(l, j, err));
    HD_TRY(hd_chosen_scan(j->chosen, number, take_block, l, err));
    take_waiting(l);
    for (size_t cell = 0; cell < j->n_cells; cell++) {
        size_t range = cell >> j->shift;
        if (cell % LOOK_EVERY == 0)
            HD_TRY(hd_engine_go_on(j->engine, err));
        enter(l, range);
        for (size_t c = 0; c < j->n_columns; c++)
            hd_set_end(&l->items[cell * j->n_columns + c], &l->people[cell * j->n_columns + c],
                       j->columns[c].kind);
        leave(l, range);
    }
    return HD_OK;
}

static void join_lane(const job *j, const lane *l)
{
    for (size_t i = 0; i < j->n_cells * j->n_columns && !j->is_shared; i++)
        hd_set_join(&j->items[i], &l->items[i]);
}

static void free_lane(lane *l)
{
    if (!l->job)
        return;
    size_t n = l->job->n_cells * l->job->n_columns + 1;
    if (!l->job->is_shared)
        hd_wipe_free(l->items, n * sizeof *l->items);
    hd_wipe_free(l->people, n * sizeof *l->people);
    hd_wipe_free(l->rows, l->job->n_waiting * sizeof *l->rows);
    hd_wipe_free(l->ordered, l->job->n_waiting * sizeof *l->ordered);
    free_run(&l->rows_of, l->job->n_waiting);
    free_run(&l->chosen, l->job->n_waiting);
    hd_free(l->starts);
    hd_free(l->order);
    hd_free(l->key);
}

/* ---- cells of the answer -------------------------------------------------------------------- */

/* Slots of each key by the name of their value. */
static hd_code name_slots(const job *j, hd_intern **slots, hd_buf *b, hd_err *err)
{
    for (size_t k = 0; k < j->q->n_keys; k++) {
        if (!(slots[k] = hd_intern_new()))
            return hd_fail_nomem(err);
        for (uint32_t slot = 0, id; slot < hd_chosen_n_slots(j->chosen, k); slot++) {
            hd_buf_clear(b);
            hd_value_put_name(b, hd_chosen_slot_value(j->chosen, k, slot));
            HD_TRY(hd_buf_check(b, err));
            HD_TRY(hd_intern_add(slots[k], b->data, b->len, &id, err));
            if (id != slot)
                return hd_fail(err, HD_INVALID, "two slots of a key have the same value");
        }
    }
    return HD_OK;
}

/* Strides and offsets; false when there would be too many places. */
static bool measure_places(job *j, uint64_t *n_places)
{
    size_t n_keys = j->q->n_keys;
    *n_places = 0;
    for (size_t s = 0; s < j->n_sets; s++) {
        uint64_t product = 1;
        for (size_t k = 0; k < n_keys; k++) {
            if (!(j->sets[s] >> k & 1))
                continue;
            j->strides[s * n_keys + k] = product;
            uint32_t n = hd_chosen_n_slots(j->chosen, k);
            product *= n ? n : 1;
            if (product > j->tuning->most_places)
                return false;
        }
        j->offsets[s] = *n_places;
        *n_places += product;
    }
    return *n_places <= j->tuning->most_places;
}

/* The set, then the slots of the keys that are told apart: n numbers. */
static hd_code find_slots(const job *j, const hd_cells *cells, size_t cell, hd_intern *const *slots,
                          hd_buf *b, uint32_t *key, size_t *n, hd_err *err)
{
    uint32_t told = (uint32_t)((UINT64_C(1) << cells->n_keys) - 1) & ~hd_cells_grouping(cells, cell);
    size_t set = 0;
    while (set < j->n_sets && j->sets[set] != told)
        set++;
    HD_ALWAYS(set < j->n_sets);
    key[0] = (uint32_t)set;
    *n = 1;
    for (size_t k = 0; k < cells->n_keys; k++) {
        if (!(told >> k & 1))
            continue;
        hd_buf_clear(b);
        hd_value_put_name(b, hd_cells_key(cells, cell, k));
        HD_TRY(hd_buf_check(b, err));
        key[*n] = hd_intern_find(slots[k], b->data, b->len);
        if (key[(*n)++] == HD_INTERN_NONE)
            return hd_fail(err, HD_INVALID, "the answer has a cell that the scan cannot find");
    }
    return HD_OK;
}

static uint64_t place_of(const job *j, const uint32_t *key)
{
    size_t n = 1, n_keys = j->q->n_keys, set = key[0];
    uint64_t place = j->offsets[set];
    for (size_t k = 0; k < n_keys; k++)
        if (j->sets[set] >> k & 1)
            place += j->strides[set * n_keys + k] * key[n++];
    return place;
}

static hd_code name_cells(job *j, const hd_cells *cells, hd_intern *const *slots, hd_buf *b,
                          uint32_t *key, hd_err *err)
{
    uint64_t n_places;
    if (measure_places(j, &n_places)) {
        j->cell_of = hd_malloc(n_places * sizeof *j->cell_of);
        if (!j->cell_of)
            return hd_fail_nomem(err);
        memset(j->cell_of, 0xFF, n_places * sizeof *j->cell_of); /* HD_INTERN_NONE */
    } else if (!(j->names = hd_intern_new())) {
        return hd_fail_nomem(err);
    }
    for (size_t cell = 0; cell < cells->n_cells; cell++) {
        size_t n;
        uint32_t id = HD_INTERN_NONE;
        if (cell % LOOK_EVERY == 0)
            HD_TRY(hd_engine_go_on(j->engine, err));
        HD_TRY(find_slots(j, cells, cell, slots, b, key, &n, err));
        if (j->names)
            HD_TRY(hd_intern_add(j->names, key, n * sizeof *key, &id, err));
        for (size_t k = 0, at = 1; k < j->q->n_keys && j->slots; k++)
            j->slots[cell * j->q->n_keys + k] =
                hd_cells_grouping(cells, cell) >> k & 1 ? UINT32_MAX : key[at++];
        bool is_new = j->names ? id == cell : j->cell_of[place_of(j, key)] == HD_INTERN_NONE;
        if (!is_new)
            return hd_fail(err, HD_INVALID, "two cells of the answer have the same keys");
        if (j->cell_of)
            j->cell_of[place_of(j, key)] = (uint32_t)cell;
    }
    return HD_OK;
}

static hd_code find_cells(job *j, const hd_cells *cells, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n_keys = j->q->n_keys;
    hd_intern **slots = hd_calloc(n_keys + 1, sizeof *slots);
    uint32_t *key = hd_calloc(n_keys + 1, sizeof *key);
    hd_buf b;
    hd_buf_init(&b, (size_t)1 << 24);
    j->strides = hd_calloc(j->n_sets * n_keys + 1, sizeof *j->strides);
    j->offsets = hd_calloc(j->n_sets + 1, sizeof *j->offsets);
    if (!slots || !key || !j->strides || !j->offsets) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(name_slots(j, slots, &b, err));
    HD_GO(name_cells(j, cells, slots, &b, key, err));
out:
    for (size_t k = 0; slots && k < n_keys; k++)
        hd_intern_free(slots[k]);
    hd_free(slots);
    hd_free(key);
    hd_buf_free(&b);
    return rc;
}

/* ---- the sets of an answer ------------------------------------------------------------------ */

static void find_columns(job *j, hd_sets *out)
{
    for (size_t a = 0; a < j->q->n_aggregates; a++) {
        const column want = {hd_chosen_class_of(j->chosen, a),
                             j->q->aggregates[a].kind == HD_AGG_COUNT_PERSONS ? HD_SET_PEOPLE
                                                                               : HD_SET_RECORDS};
        size_t at = 0;
        while (at < j->n_columns &&
               (j->columns[at].class != want.class || j->columns[at].kind != want.kind))
            at++;
        if (at == j->n_columns)
            j->columns[j->n_columns++] = want;
        out->column_of[a] = (unsigned)at;
        out->kinds[at] = want.kind;
    }
    const size_t n_asked = j->n_columns;
    for (size_t c = 0; c < n_asked && j->n_columns < SETS && j->q->counts_events; c++) {
        if (j->columns[c].kind != HD_SET_PEOPLE)
            continue;
        out->kinds[j->n_columns] = HD_SET_RECORDS;
        out->people_of[j->n_columns] = (uint8_t)(c + 1);
        j->columns[j->n_columns++] = (column){j->columns[c].class, HD_SET_RECORDS};
    }
}

static hd_code open_job(job *j, const hd_cells *cells, hd_err *err)
{
    size_t n_items = j->n_cells * j->n_columns;
    j->is_shared = n_items * sizeof(hd_set) > j->tuning->most_own_bytes;
    while ((j->n_cells >> j->shift) >= RANGES || (UINT64_C(1) << j->shift) < RANGE_CELLS)
        j->shift++;
    j->n_ranges = (j->n_cells >> j->shift) + 1;
    for (; j->n_locks < j->n_ranges; j->n_locks++)
        if (pthread_mutex_init(&j->locks[j->n_locks], NULL) != 0)
            return hd_fail_nomem(err);
    for (size_t i = 0; i < n_items; i++)
        hd_set_init(&j->items[i]);
    size_t most = j->tuning->most_waiting;
    for (size_t c = 0; c < j->n_cells && j->n_waiting < most; c++)
        j->n_waiting += cells->all.records[c];
    if (n_items <= MOST_DEFINED) {
        j->slots = hd_calloc(j->n_cells * j->q->n_keys + 1, sizeof *j->slots);
        if (!j->slots)
            return hd_fail_nomem(err);
    }
    j->n_waiting = j->n_waiting < 1 ? 1 : j->n_waiting > most ? most : j->n_waiting;
    return find_cells(j, cells, err);
}

static void close_job(job *j, size_t n_lanes)
{
    for (size_t i = 0; j->lanes && i < n_lanes; i++)
        free_lane(&j->lanes[i]);
    for (size_t i = 0; i < j->n_locks; i++)
        pthread_mutex_destroy(&j->locks[i]);
    hd_free(j->lanes);
    hd_free(j->slots);
    hd_free(j->strides);
    hd_free(j->offsets);
    hd_free(j->cell_of);
    hd_intern_free(j->names);
}

hd_code hd_sets_make(hd_sets *out, hd_engine *e, const hd_question *q, const hd_cells *cells,
                     const hd_sets_tuning *t, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_chosen *chosen = NULL;
    size_t n_lanes = 0;
    unsigned classes[SETS];
    job j = {.tuning = t, .engine = e, .q = q, .n_cells = cells->n_cells};
    *out = (hd_sets){.n_cells = cells->n_cells};
    if (cells->n_cells > t->most_cells)
        return hd_fail(err, HD_LIMIT, "about a million cells, or more: ask for fewer or coarser groups");
    HD_GO(hd_chosen_open(&chosen, e, q, err));
    j.chosen = chosen;
    j.sets = hd_question_sets(q, &j.n_sets);
    find_columns(&j, out);
    out->n_columns = j.n_columns;
    out->items = j.items = hd_calloc(cells->n_cells * j.n_columns + 1, sizeof *out->items);
    n_lanes = hd_chosen_n_lanes(chosen);
    j.lanes = hd_calloc(n_lanes, sizeof *j.lanes);
    if (!out->items || !j.lanes) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    if (j.n_columns == 0)
        goto out; /* keys only: no figure, no set */
    HD_GO(open_job(&j, cells, err));
    HD_GO(hd_par_run(n_lanes, run_lane, &j, err));
    for (size_t i = 0; i < n_lanes; i++)
        join_lane(&j, &j.lanes[i]);
    for (size_t c = 0; c < j.n_columns; c++)
        classes[c] = j.columns[c].class;
    if (j.slots)
        HD_GO(hd_definitions_make(&out->definitions, chosen, q, out, classes, j.slots, err));
out:
    close_job(&j, n_lanes);
    hd_chosen_free(chosen);
    if (rc != HD_OK)
        hd_sets_free(out);
    return rc;
}
