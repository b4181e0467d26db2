/* small_tables.c - every whole-number table against the protection of small random tables.
 *
 * usage: small_tables [TABLES [SEED [FIRST]]]; what failed is told with its number, to begin with
 * Makes random tables of one to four dimensions: trees, two trees over the same codes, an exact first
 * total that may or may not give way, empty cells, counts under five sets of rules (small_rules) and
 * amounts that must stay uncertain. Applies secondary suppression and then plays a reader who knows
 * the method (reader.h): of every whole-number table that would print the same, how many values does
 * each protected count have, and each difference of two shown figures that holds as few people?
 * Fewer than five (or what the rules ask): the release is printed, and the exit status is 1. Tables
 * that the library gives as witnesses are added up here first; what they lack is searched. Of tables
 * with up to 6 leaves all is searched, of every 16th with up to 9, of every 256th of any size.
 * Of the library it uses the lattice and hd_secondary_lattice; what a cell is the sum of, what is
 * below a star and which differences there are is worked out here, from sets of leaves.
 * Also: the true table satisfies the release; protecting twice, rows in another order, and an empty
 * category change nothing; the certificate adds up.
 */
#include "base/alloc.h"
#include "base/rng.h"
#include "disclosure/certificate.h"
#include "disclosure/secondary.h"
#include "reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIMS = 4, CODES = 10, CELLS = 160, LEAVES = READER_LEAVES };

/* What is withheld and what is asked of it. */
typedef struct rule_set {
    const char *name;
    int64_t from, to, base; /* counts withheld; what others are rounded to */
    uint32_t values;        /* 0: that no combination gives it */
    bool is_sum;            /* amounts: a tenth of it must stay open */
    uint32_t share;         /* of 16 tables */
} rule_set;

static const rule_set small_rules[] = {
    {"hes2018", 1, 7, 5, 5, false, 8},      {"hes2018 without five values", 1, 7, 5, 0, false, 1},
    {"hes2014", 1, 5, 1, 5, false, 2},      {"hes2014 without five values", 1, 5, 1, 0, false, 1},
    {"mhsds", 0, 4, 5, 5, false, 2},        {"amounts", 0, 0, 1, 0, true, 2},
};

/* A dimension: codes as sets of leaf codes, code 0 the total. */
typedef struct shape {
    size_t n_codes, n_leaves, n_rules;
    uint32_t set[CODES]; /* bits: leaf codes */
    uint32_t parent[4], n_children[4], children[4][CODES];
} shape;

typedef struct world {
    size_t n_dims, n_cells, n_leaves;
    shape dims[DIMS];
    const rule_set *rules;
    bool is_exact_above, is_fixed_above;
    hd_lattice *lattice;
    uint32_t leaves[CELLS]; /* by cell: set of leaf numbers */
    int64_t count[CELLS];
    bool star[CELLS], below[CELLS], is_national[CELLS];
    hd_secondary_cell cells[CELLS];
} world;

static const char *const names[] = {"T", "a", "b", "c", "d", "e", "f", "g", "h", "i"};

static void die(const char *what)
{
    fprintf(stderr, "small_tables: %s\n", what);
    exit(2);
}

/* T = the leaves; or T = m + the others, m = a + b; or that and T = a + n + the others, n = b + c. */
static shape random_shape(hd_rng *r, uint32_t n_leaves)
{
    shape s = {.n_leaves = n_leaves};
    uint32_t n_trees = n_leaves > 2 ? hd_rng_below(r, 3) : 0;
    s.n_codes = 1 + n_leaves + n_trees;
    s.set[0] = (1u << n_leaves) - 1;
    for (uint32_t i = 0; i < n_leaves; i++)
        s.set[1 + i] = 1u << i;
    if (n_trees == 0) {
        s.n_rules = 1;
        s.n_children[0] = n_leaves;
        for (uint32_t i = 0; i < n_leaves; i++)
            s.children[0][i] = 1 + i;
    }
    for (uint32_t t = 0; t < n_trees; t++) {
        uint32_t group = 1 + n_leaves + t, *top = s.children[s.n_rules];
        s.set[group] = 3u << t;
        top[0] = group;
        s.n_children[s.n_rules] = 1;
        for (uint32_t i = 0; i < n_leaves; i++)
            if (!(s.set[group] >> i & 1))
                top[s.n_children[s.n_rules]++] = 1 + i;
        s.n_rules++;
        s.parent[s.n_rules] = group;
        s.n_children[s.n_rules] = 2;
        s.children[s.n_rules][0] = 1 + t;
        s.children[s.n_rules][1] = 2 + t;
        s.n_rules++;
    }
    return s;
}

/* The lattice of a world; order[d][k]: which code stands at place k. */
static hd_lattice *lattice_of(const world *w, uint32_t order[DIMS][CODES])
{
    static const char *const dim_names[] = {"w", "x", "y", "z"};
    const char *codes[DIMS][CODES];
    hd_code_rule rules[DIMS][CODES];
    uint32_t children[DIMS][CODES][CODES], place[CODES];
    hd_dimension dims[DIMS];
    hd_lattice *l;
    for (size_t d = 0; d < w->n_dims; d++) {
        const shape *s = &w->dims[d];
        for (uint32_t k = 0; k < s->n_codes; k++) {
            codes[d][k] = names[order[d][k]];
            place[order[d][k]] = k;
        }
        for (size_t i = 0; i < s->n_rules; i++) {
            for (size_t k = 0; k < s->n_children[i]; k++)
                children[d][i][k] = place[s->children[i][k]];
            rules[d][i] = (hd_code_rule){place[s->parent[i]], s->n_children[i], children[d][i]};
        }
        dims[d] = (hd_dimension){dim_names[d], s->n_codes, codes[d], s->n_rules, rules[d]};
    }
    if (hd_lattice_new(&l, dims, w->n_dims, NULL) != HD_OK)
        die("lattice");
    return l;
}

static void fill_sets(world *w)
{
    w->n_leaves = 1;
    for (size_t d = 0; d < w->n_dims; d++)
        w->n_leaves *= w->dims[d].n_leaves;
    for (size_t c = 0; c < w->n_cells; c++) {
        uint32_t code[DIMS] = {0};
        hd_lattice_codes(w->lattice, c, code);
        w->leaves[c] = 0;
        w->is_national[c] = w->dims[0].set[code[0]] == w->dims[0].set[0];
        for (uint32_t leaf = 0; leaf < w->n_leaves; leaf++) {
            uint32_t rest = leaf;
            bool is_in = true;
            for (size_t d = 0; d < w->n_dims; d++) {
                is_in &= w->dims[d].set[code[d]] >> (rest % w->dims[d].n_leaves) & 1;
                rest /= (uint32_t)w->dims[d].n_leaves;
            }
            if (is_in)
                w->leaves[c] |= 1u << leaf;
        }
    }
}

static int64_t random_count(hd_rng *r, const rule_set *rules)
{
    uint32_t kind = hd_rng_below(r, 8);
    if (kind < 2)
        return 0;
    if (rules->is_sum || kind > 5)
        return hd_rng_below(r, 40);
    return kind < 5 ? 1 + hd_rng_below(r, (uint32_t)rules->to)
                    : rules->to + 1 + hd_rng_below(r, 6);
}

/* The marks of the rules, and what is below one of them. Of amounts some are secret. */
static void mark_cells(world *w, hd_rng *r)
{
    for (size_t c = 0; c < w->n_cells; c++) {
        bool is_exact = w->is_exact_above && w->is_national[c];
        w->star[c] = !is_exact && w->count[c] >= w->rules->from && w->count[c] <= w->rules->to;
        if (w->rules->is_sum)
            w->star[c] = !is_exact && w->count[c] > 0 && hd_rng_below(r, 5) == 0;
    }
    for (size_t c = 0; c < w->n_cells; c++) {
        w->below[c] = false;
        for (size_t a = 0; a < w->n_cells && !w->rules->is_sum; a++)
            w->below[c] |= a != c && w->star[a] && (w->leaves[c] & ~w->leaves[a]) == 0 &&
                           w->leaves[c] != w->leaves[a];
    }
}

/* Where zeros are withheld, the mark of a total says no more than that it is withheld. */
static bool is_open_total(const world *w, size_t c)
{
    bool is_leaf = (w->leaves[c] & (w->leaves[c] - 1)) == 0;
    return w->rules->from == 0 && !w->rules->is_sum && !is_leaf;
}

/* ... and a total of small counts only takes it too. */
static bool is_sparse(const world *w, size_t c)
{
    bool is_all_small = is_open_total(w, c);
    for (size_t k = 0; k < w->n_cells && is_all_small; k++)
        if ((w->leaves[k] & (w->leaves[k] - 1)) == 0 && (w->leaves[k] & w->leaves[c]))
            is_all_small = w->count[k] <= w->rules->to;
    return is_all_small;
}

static void fill_number(const world *w, size_t c, bool is_exact, hd_secondary_cell *x)
{
    const rule_set *u = w->rules;
    int64_t n = w->count[c], r = (n + 2) / 5 * 5, least = u->is_sum ? 0 : u->to + 1;
    bool is_rounded = u->base > 1 && !is_exact, is_small = n < least;
    if (n == 0 && (u->from > 0 || u->is_sum))
        return; /* a zero that is shown */
    int64_t rounded_low = r - 2 < least ? least : r - 2;
    x->low = is_rounded ? rounded_low : n;
    x->high = is_rounded ? r + 2 : n;
    x->size = is_rounded ? r : n;
    x->hidden_low = is_small ? u->from : least;
    x->hidden_high = is_small ? u->to : HD_NO_BOUND;
    if (is_exact && (is_small || u->base > 1)) {
        x->coarse_low = is_small ? u->from : rounded_low;
        x->coarse_high = is_small ? u->to : r + 2;
    }
    if (is_sparse(w, c)) {
        x->hidden_low = 0;
        x->hidden_high = HD_NO_BOUND;
        x->coarse_high = is_exact && is_small ? HD_NO_BOUND : x->coarse_high;
        x->is_protected_hidden = !is_exact;
        x->need.values = is_exact ? 0 : u->values;
    }
    if (is_exact)
        x->preference += 100;
    if (is_exact && w->is_fixed_above) {
        x->coarse_low = x->hidden_low = 1;
        x->coarse_high = x->hidden_high = 0;
    }
}

static void fill_cells(world *w, hd_rng *random)
{
    const rule_set *u = w->rules;
    mark_cells(w, random);
    for (size_t c = 0; c < w->n_cells; c++) {
        bool is_exact = w->is_exact_above && w->is_national[c];
        hd_secondary_cell *x = &w->cells[c];
        *x = (hd_secondary_cell){.coarse_low = 1, .hidden_low = 1};
        x->is_public = is_exact;
        x->preference = 40 - (int32_t)hd_lattice_depth(w->lattice, c);
        if (!w->below[c] && !w->star[c]) {
            fill_number(w, c, is_exact, x);
            continue;
        }
        x->low = w->below[c] || u->is_sum ? 0 : u->from;
        x->high = u->is_sum || is_open_total(w, c) ? HD_NO_BOUND : u->to;
        x->is_withheld = x->is_protected = true;
        x->need.values = u->values;
        if (u->is_sum)
            x->need.width = w->count[c] < 20 ? 1 : w->count[c] / 10;
        else
            x->need.not_computable = u->values == 0;
    }
}

/* One to four dimensions; most tables are small, so that there can be many. */
static void random_dims(world *w, hd_rng *r)
{
    uint32_t kind = hd_rng_below(r, 1000);
    w->n_dims = kind < 420 ? 1 : kind < 938 ? 2 : kind < 998 ? 3 : 4;
    for (size_t d = 0; d < w->n_dims; d++) {
        uint32_t n = 2;
        if (w->n_dims == 1)
            n += hd_rng_below(r, 5);
        else if (w->n_dims == 2 || (w->n_dims == 3 && d == 0))
            n += hd_rng_below(r, 4) == 0;
        w->dims[d] = random_shape(r, n);
    }
}

static const rule_set *random_rules(hd_rng *r)
{
    uint32_t at = hd_rng_below(r, 16);
    const rule_set *u = small_rules;
    while (at >= u->share)
        at -= u++->share;
    return u;
}

static void make(world *w, hd_rng *r)
{
    static uint32_t same[DIMS][CODES];
    w->rules = random_rules(r);
    random_dims(w, r);
    for (size_t d = 0; d < DIMS; d++)
        for (uint32_t k = 0; k < CODES; k++)
            same[d][k] = k;
    w->is_exact_above = hd_rng_below(r, 2);
    w->is_fixed_above = hd_rng_below(r, 8) == 0;
    w->lattice = lattice_of(w, same);
    w->n_cells = hd_lattice_n_cells(w->lattice);
    if (w->n_cells > CELLS)
        die("too many cells");
    fill_sets(w);
    for (size_t c = 0; c < w->n_cells; c++)
        w->count[c] = hd_lattice_is_leaf(w->lattice, c) ? random_count(r, w->rules) : 0;
    if (hd_lattice_sum(w->lattice, w->count, NULL) != HD_OK)
        die("sums");
    fill_cells(w, r);
}

/* ---- the reader ---- */

static reader *release_of(const world *w, const hd_secondary_result *r)
{
    int64_t truth[LEAVES] = {0};
    for (size_t c = 0; c < w->n_cells; c++)
        if ((w->leaves[c] & (w->leaves[c] - 1)) == 0)
            truth[__builtin_ctz(w->leaves[c])] = w->count[c];
    reader *x = reader_new(w->n_leaves, truth);
    for (size_t c = 0; c < w->n_cells; c++) {
        const hd_secondary_cell *in = &w->cells[c];
        bool is_helper = r->shown[c] == HD_HELPER, is_coarser = r->shown[c] == HD_COARSER;
        reader_form f = {.low = is_helper ? in->hidden_low : is_coarser ? in->coarse_low : in->low,
                         .high = is_helper    ? in->hidden_high
                                 : is_coarser ? in->coarse_high
                                              : in->high,
                         .plus = w->leaves[c]};
        if (!reader_knows(x, f))
            return NULL;
    }
    return x;
}

static void print_release(const world *w, const hd_secondary_result *r)
{
    printf("  rules %s\n", w->rules->name);
    for (size_t c = 0; c < w->n_cells; c++) {
        uint32_t code[DIMS] = {0};
        hd_lattice_codes(w->lattice, c, code);
        printf("  ");
        for (size_t d = 0; d < w->n_dims; d++)
            printf("%s ", names[code[d]]);
        printf("%" PRId64 " primary %" PRId64 "..%" PRId64 " %s\n", w->count[c], w->cells[c].low,
               w->cells[c].high,
               r->shown[c] == HD_HELPER    ? "helper"
               : r->shown[c] == HD_COARSER ? "coarser"
                                           : "");
    }
}

typedef struct tally {
    uint64_t number; /* of the table in hand */
    uint64_t tables, stars, helpers, coarser, refused, targets, differences, computable, searched,
        nodes, cut, failures;
} tally;

static void fail(const world *w, const hd_secondary_result *r, tally *t, const char *what)
{
    printf("table %" PRIu64 ": %s\n", t->number, what);
    print_release(w, r);
    t->failures++;
}

static bool is_number(const world *w, const hd_secondary_result *r, size_t c)
{
    return w->count[c] && !w->cells[c].is_withheld && r->shown[c] != HD_HELPER;
}

/* What must keep its values: withheld counts, and differences of numbers that hold as few. */
static size_t list_targets(const world *w, const hd_secondary_result *r, reader_target *targets,
                           tally *t)
{
    const rule_set *u = w->rules;
    size_t n = 0;
    for (size_t c = 0; c < w->n_cells; c++) {
        const hd_secondary_cell *x = &w->cells[c];
        bool is_asked = u->is_sum ? w->count[c] > 0
                                  : w->count[c] >= u->from && w->count[c] <= u->to;
        if (!x->is_protected || !is_asked)
            continue;
        t->targets++;
        bool is_open = u->is_sum || is_open_total(w, c);
        targets[n++] = (reader_target){{0, is_open ? HD_NO_BOUND : u->to, w->leaves[c], 0},
                                       (int)u->values, x->need.width, 0, 0, 0, false};
    }
    for (size_t a = 0; a < w->n_cells && u->values; a++)
        for (size_t b = 0; b < w->n_cells; b++) {
            int64_t d = w->count[a] - w->count[b];
            if (a == b || (w->leaves[b] & ~w->leaves[a]) || d < 1 || d > u->to ||
                !is_number(w, r, a) || !is_number(w, r, b) ||
                (w->is_exact_above && w->is_national[a] && w->is_national[b]))
                continue;
            t->differences++; /* any five values do, also more than a star stands for */
            targets[n++] = (reader_target){{0, HD_NO_BOUND, w->leaves[a] & ~w->leaves[b], 0},
                                           (int)u->values, 0, 0, 0, 0, false};
            if (n == READER_TARGETS)
                die("too many targets");
        }
    return n;
}

/* ---- can the exactly known figures be combined to a cell? ---- */

enum { PRIME = 1000003 };

static int64_t inverse(int64_t x)
{
    int64_t y = 1;
    for (int e = PRIME - 2; e; e /= 2, x = x * x % PRIME)
        if (e & 1)
            y = y * x % PRIME;
    return y;
}

/* Takes the rows before it out of a row; its first place that is left, or LEAVES. */
static size_t reduce(int64_t rows[LEAVES][LEAVES], int64_t *row)
{
    for (size_t i = 0; i < LEAVES; i++) {
        if (row[i] == 0)
            continue;
        if (rows[i][i] == 0)
            return i;
        int64_t factor = row[i];
        for (size_t k = i; k < LEAVES; k++)
            row[k] = (row[k] + (PRIME - factor) * rows[i][k]) % PRIME;
    }
    return LEAVES;
}

static bool is_computable(int64_t rows[LEAVES][LEAVES], uint32_t leaves)
{
    int64_t row[LEAVES] = {0};
    for (size_t i = 0; i < LEAVES; i++)
        row[i] = leaves >> i & 1;
    return reduce(rows, row) == LEAVES;
}

static void check_computable(const world *w, const hd_secondary_result *r, tally *t)
{
    int64_t rows[LEAVES][LEAVES] = {{0}};
    for (size_t c = 0; c < w->n_cells; c++) {
        const hd_secondary_cell *in = &w->cells[c];
        int64_t row[LEAVES] = {0};
        if (r->shown[c] != HD_AS_IS || in->low != in->high)
            continue;
        for (size_t i = 0; i < LEAVES; i++)
            row[i] = w->leaves[c] >> i & 1;
        size_t i = reduce(rows, row);
        if (i == LEAVES)
            continue;
        int64_t scale = inverse(row[i]);
        for (size_t k = i; k < LEAVES; k++)
            rows[i][k] = row[k] * scale % PRIME;
    }
    for (size_t c = 0; c < w->n_cells; c++)
        if (w->cells[c].is_protected && w->count[c] > 0) {
            t->computable++;
            if (is_computable(rows, w->leaves[c])) {
                fail(w, r, t, "a withheld figure can be worked out");
                return;
            }
        }
}

/* A zero that is withheld: known to be nobody, as below an exact total of 0, or like any other mark. */
static bool is_known_zero(reader *x, const reader_target *t)
{
    reader_target more = {{1, t->form.high, t->form.plus, t->form.minus}, 1, 0, 0, 0, 0, false};
    bool is_zero = t->form.high > 0 && !reader_has(x, &more, &more, 1);
    return is_zero && !more.is_cut;
}

static void attack(const world *w, const hd_secondary_result *r, bool is_all, tally *t)
{
    static reader_target targets[READER_TARGETS];
    reader *x = release_of(w, r);
    if (!x) {
        fail(w, r, t, "the true table does not satisfy the release");
        return;
    }
    if (w->rules->values == 0 && !w->rules->is_sum) {
        check_computable(w, r, t);
        return;
    }
    size_t n = list_targets(w, r, targets, t);
    t->searched += is_all || w->n_leaves <= 6;
    for (size_t k = 0; k < r->witnesses.n_tables && !is_all && w->n_leaves > 6; k++) {
        int64_t leaf[LEAVES] = {0};
        for (size_t c = 0; c < w->n_cells; c++)
            if ((w->leaves[c] & (w->leaves[c] - 1)) == 0)
                leaf[__builtin_ctz(w->leaves[c])] =
                    r->witnesses.values[k * r->witnesses.n_cells + c];
        reader_note(x, leaf, targets, n);
    }
    for (size_t i = 0; i < n; i++) {
        bool has = reader_has(x, &targets[i], targets, n);
        t->cut += !has && targets[i].is_cut;
        if (!has && !targets[i].is_cut && !is_known_zero(x, &targets[i])) {
            fail(w, r, t, "a count or difference keeps too few values");
            printf("  leaves %x\n", targets[i].form.plus);
            return;
        }
    }
    t->nodes += reader_nodes(x);
    reader_free(x);
}

static void set_options(const world *w, hd_secondary_options *o)
{
    hd_secondary_options_init(o);
    o->sensitive_high = w->rules->values ? w->rules->to : 0;
    o->difference_need.values = w->rules->values;
    o->start = w->rules->is_sum ? w->count : NULL;
}

static void same_again(const world *w, const hd_secondary_result *r, tally *t)
{
    hd_secondary_cell cells[CELLS];
    hd_secondary_options o;
    hd_secondary_result again;
    hd_err err;
    memcpy(cells, w->cells, sizeof cells);
    for (size_t c = 0; c < w->n_cells; c++) {
        hd_secondary_cell *x = &cells[c];
        if (r->shown[c] == HD_AS_IS)
            continue;
        bool is_helper = r->shown[c] == HD_HELPER;
        x->low = is_helper ? x->hidden_low : x->coarse_low;
        x->high = is_helper ? x->hidden_high : x->coarse_high;
        x->coarse_low = 1;
        x->coarse_high = 0;
        if (is_helper) {
            x->hidden_low = 1;
            x->hidden_high = 0;
            x->is_withheld = true;
            x->is_protected |= x->is_protected_hidden;
        }
    }
    set_options(w, &o);
    if (hd_secondary_lattice(w->lattice, cells, &o, &again, &err) != HD_OK)
        die(err.text);
    if (again.n_helpers || again.n_coarser || again.n_unprotected)
        fail(w, r, t, "protecting what was protected withholds more");
    hd_secondary_result_free(&again);
}

/* Codes in another order, and a category without records at the end of the first dimension. */
static void other_order(const world *w, const hd_secondary_result *r, tally *t, hd_rng *random)
{
    world v = *w;
    uint32_t order[DIMS][CODES];
    hd_secondary_options o;
    hd_secondary_result other;
    hd_err err;
    static hd_secondary_cell cells[CELLS * 2];
    bool has_empty = v.dims[0].n_codes < CODES && hd_rng_below(random, 2);
    if (has_empty) {
        shape *s = &v.dims[0];
        s->children[0][s->n_children[0]++] = (uint32_t)s->n_codes++;
    }
    for (size_t d = 0; d < v.n_dims; d++) {
        for (uint32_t k = 0; k < v.dims[d].n_codes; k++)
            order[d][k] = k;
        for (size_t k = v.dims[d].n_codes; k-- > 1;) {
            uint32_t j = hd_rng_below(random, (uint32_t)k + 1), x = order[d][k];
            order[d][k] = order[d][j];
            order[d][j] = x;
        }
    }
    v.lattice = lattice_of(&v, order);
    size_t n = hd_lattice_n_cells(v.lattice);
    size_t from[CELLS * 2];
    if (n > CELLS * 2)
        die("too many cells");
    for (size_t c = 0; c < n; c++) {
        uint32_t code[DIMS] = {0};
        hd_lattice_codes(v.lattice, c, code);
        for (size_t d = 0; d < v.n_dims; d++)
            code[d] = order[d][code[d]];
        bool is_empty = code[0] >= w->dims[0].n_codes;
        from[c] = is_empty ? SIZE_MAX : hd_lattice_cell(w->lattice, code);
        cells[c] = is_empty ? (hd_secondary_cell){.coarse_low = 1, .hidden_low = 1}
                            : w->cells[from[c]];
    }
    set_options(w, &o);
    o.start = NULL;
    if (hd_secondary_lattice(v.lattice, cells, &o, &other, &err) != HD_OK)
        die(err.text);
    for (size_t c = 0; c < n; c++)
        if (from[c] != SIZE_MAX && other.shown[c] != r->shown[from[c]]) {
            fail(w, r, t, has_empty ? "an empty category changes the pattern"
                                    : "another order of codes changes the pattern");
            break;
        }
    hd_secondary_result_free(&other);
    hd_lattice_free(v.lattice);
}

static void check_certificate(const world *w, const hd_secondary_result *r, tally *t)
{
    hd_buf text;
    hd_certificate_summary summary;
    hd_err err;
    hd_buf_init(&text, (size_t)1 << 24);
    if (hd_certificate_write(r, &text, NULL, &err) != HD_OK ||
        hd_certificate_check(text.data, text.len, &summary, &err) != HD_OK)
        fail(w, r, t, err.text);
    hd_buf_free(&text);
}

static void one(uint64_t seed, uint64_t number, tally *t)
{
    static world w;
    hd_rng random = hd_rng_stream(seed, number);
    t->number = number;
    hd_secondary_options o;
    hd_secondary_result r;
    hd_err err;
    make(&w, &random);
    set_options(&w, &o);
    if (hd_secondary_lattice(w.lattice, w.cells, &o, &r, &err) != HD_OK)
        die(err.text);
    t->tables++;
    for (size_t c = 0; c < w.n_cells; c++) {
        t->stars += w.star[c];
        if (w.count[c] < r.system.low[c] || w.count[c] > r.system.high[c] ||
            w.count[c] < r.intervals[c].low || w.count[c] > r.intervals[c].high) {
            fail(&w, &r, t, "the true table does not satisfy what the library knows");
            break;
        }
    }
    t->helpers += r.n_helpers;
    t->coarser += r.n_coarser;
    if (r.n_unprotected) {
        t->refused++;
        if (!(w.is_exact_above && w.is_fixed_above) && getenv("SMALL_TABLES_REFUSED")) {
            printf("refused: cell %u\n", r.unprotected[0]);
            print_release(&w, &r);
        }
    } else {
        attack(&w, &r, number % 256 == 0 || (number % 16 == 0 && w.n_leaves <= 9), t);
        if (number % 16 == 1) {
            same_again(&w, &r, t);
            if (!w.rules->is_sum) /* the start table is in the order of the codes */
                other_order(&w, &r, t, &random);
            check_certificate(&w, &r, t);
        }
    }
    hd_secondary_result_free(&r);
    hd_lattice_free(w.lattice);
}

static void report(FILE *to, const tally *t)
{
    fprintf(to,
            "%" PRIu64 " tables, %" PRIu64 " withheld, %" PRIu64 " helpers, %" PRIu64
            " rounded after all, %" PRIu64 " figures and %" PRIu64 " differences attacked (%" PRIu64
            " tables searched whole, %" PRIu64 " steps, %" PRIu64 " searches cut short), %" PRIu64
            " figures against combinations, %" PRIu64 " tables refused, %" PRIu64 " failures\n",
            t->tables, t->stars, t->helpers, t->coarser, t->targets, t->differences, t->searched,
            t->nodes, t->cut, t->computable, t->refused, t->failures);
    fflush(to);
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    uint64_t first = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    tally t = {0};
    for (uint64_t i = 0; i < n && t.failures < 5; i++) {
        one(seed, first + i, &t);
        if ((i + 1) % 250000 == 0 && i + 1 < n)
            report(stderr, &t);
    }
    report(stdout, &t);
    return t.failures != 0;
}
