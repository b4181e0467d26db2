/* small_tables.c - every whole-number table against the protection of small random tables.
 *
 * usage: small_tables [TABLES [SEED]]
 * Makes random tables (2 x 2 to 3 x 3 x 2, some with a level between, with and without an exact first
 * total, rounded or exact figures), applies the rule of 1 to 7 and secondary suppression, and then
 * plays a reader who knows the method: a depth-first search over all whole-number tables of the
 * leaves counts the values that are left for each count of 1 to 7 and for each difference of two
 * shown figures that holds 1 to 7. Fewer than five: the release is printed, and the exit status
 * is 1. To save time the search is spared, but for every 64th table, where the library's witnesses
 * show five values and add up here. Of the library it uses the lattice and hd_secondary_lattice; what a cell is the sum of, what
 * is below a star and which differences there are is worked out here, from sets of leaves.
 * Also: the true table satisfies the release; protecting twice, rows in another order, and an empty
 * category change nothing; the certificate adds up.
 */
#include "base/alloc.h"
#include "base/rng.h"
#include "disclosure/certificate.h"
#include "disclosure/secondary.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIMS = 3, CODES = 6, CELLS = 150, LEAVES = 18, NODES = 50000, CAP = 30 };

/* A dimension: codes as sets of leaf codes, code 0 the total. */
typedef struct shape {
    size_t n_codes, n_leaves, n_rules;
    uint32_t set[CODES]; /* bits: leaf codes */
    uint32_t parent[CODES], n_children[CODES], children[CODES][CODES];
} shape;

typedef struct world {
    size_t n_dims, n_cells, n_leaves;
    shape dims[DIMS];
    bool is_rounded, is_exact_above, is_fixed_above;
    hd_lattice *lattice;
    uint32_t leaves[CELLS]; /* by cell: set of leaf numbers */
    int64_t count[CELLS];
    bool star[CELLS], below[CELLS], is_national[CELLS];
    hd_secondary_cell cells[CELLS];
} world;

static const char *const names[] = {"T", "a", "b", "c", "d", "e", "f", "g"};

static void die(const char *what)
{
    fprintf(stderr, "small_tables: %s\n", what);
    exit(2);
}

static shape random_shape(hd_rng *r, bool may_be_deep)
{
    shape s = {0};
    s.n_leaves = 2 + hd_rng_below(r, 2);
    bool deep = may_be_deep && s.n_leaves == 3 && hd_rng_below(r, 2);
    /* Flat: T = leaves. Deep: T = m + leaf 3, m = leaf 1 + leaf 2. */
    s.n_codes = 1 + s.n_leaves + deep;
    s.set[0] = (1u << s.n_leaves) - 1;
    for (uint32_t i = 0; i < s.n_leaves; i++)
        s.set[1 + i] = 1u << i;
    s.n_rules = 1 + deep;
    if (deep) {
        s.set[4] = 3;
        s.parent[0] = 0;
        s.n_children[0] = 2;
        s.children[0][0] = 4;
        s.children[0][1] = 3;
        s.parent[1] = 4;
        s.n_children[1] = 2;
        s.children[1][0] = 1;
        s.children[1][1] = 2;
    } else {
        s.n_children[0] = (uint32_t)s.n_leaves;
        for (uint32_t i = 0; i < s.n_leaves; i++)
            s.children[0][i] = 1 + i;
    }
    return s;
}

/* The lattice of a world; order[d][k]: which code stands at place k. */
static hd_lattice *lattice_of(const world *w, uint32_t order[DIMS][CODES])
{
    static const char *const dim_names[] = {"x", "y", "z"};
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

static int64_t random_count(hd_rng *r)
{
    switch (hd_rng_below(r, 8)) {
    case 0:
    case 1:
        return 0;
    case 2:
    case 3:
    case 4:
        return 1 + hd_rng_below(r, 7);
    case 5:
        return 8 + hd_rng_below(r, 6);
    default:
        return hd_rng_below(r, 40);
    }
}

static void fill_cells(world *w)
{
    for (size_t c = 0; c < w->n_cells; c++) {
        bool is_exact = w->is_exact_above && w->is_national[c];
        w->star[c] = !is_exact && w->count[c] >= 1 && w->count[c] <= 7;
    }
    for (size_t c = 0; c < w->n_cells; c++) {
        w->below[c] = false;
        for (size_t a = 0; a < w->n_cells; a++)
            w->below[c] |= a != c && w->star[a] && (w->leaves[c] & ~w->leaves[a]) == 0 &&
                           w->leaves[c] != w->leaves[a];
    }
    for (size_t c = 0; c < w->n_cells; c++) {
        int64_t n = w->count[c], r = (n + 2) / 5 * 5;
        bool is_exact = w->is_exact_above && w->is_national[c];
        hd_secondary_cell *x = &w->cells[c];
        *x = (hd_secondary_cell){.coarse_low = 1, .hidden_low = 1};
        x->is_public = is_exact;
        x->preference = 40 - (int32_t)hd_lattice_depth(w->lattice, c);
        if (w->below[c] || w->star[c]) {
            x->low = !w->below[c];
            x->high = 7;
            x->is_withheld = x->is_protected = true;
            x->need.values = 5;
        } else if (n) {
            bool is_rounded = w->is_rounded && !is_exact;
            x->low = is_rounded ? (r - 2 < 8 ? 8 : r - 2) : n;
            x->high = is_rounded ? r + 2 : n;
            x->size = is_rounded ? r : n;
            x->hidden_low = n >= 8 ? 8 : 1;
            x->hidden_high = n >= 8 ? HD_NO_BOUND : 7;
            if (is_exact) {
                x->coarse_low = n >= 8 ? (r - 2 < 8 ? 8 : r - 2) : 1;
                x->coarse_high = n >= 8 ? r + 2 : 7;
                x->preference += 100;
            }
            if (is_exact && w->is_fixed_above) {
                x->coarse_low = x->hidden_low = 1;
                x->coarse_high = x->hidden_high = 0;
            }
        }
    }
}

static void make(world *w, hd_rng *r)
{
    uint32_t same[DIMS][CODES];
    memset(w, 0, sizeof *w);
    w->n_dims = 2 + (hd_rng_below(r, 4) == 0);
    for (size_t d = 0; d < w->n_dims; d++)
        do
            w->dims[d] = random_shape(r, d < 2);
        while (d == 2 && w->dims[d].n_leaves > 2);
    for (size_t d = 0; d < DIMS; d++)
        for (uint32_t k = 0; k < CODES; k++)
            same[d][k] = k;
    w->is_rounded = hd_rng_below(r, 3) != 0;
    w->is_exact_above = hd_rng_below(r, 2);
    w->is_fixed_above = hd_rng_below(r, 8) == 0;
    w->lattice = lattice_of(w, same);
    w->n_cells = hd_lattice_n_cells(w->lattice);
    fill_sets(w);
    for (size_t c = 0; c < w->n_cells; c++)
        w->count[c] = hd_lattice_is_leaf(w->lattice, c) ? random_count(r) : 0;
    if (hd_lattice_sum(w->lattice, w->count, NULL) != HD_OK)
        die("sums");
    fill_cells(w);
}

/* ---- the reader ---- */

typedef struct form {
    int64_t low, high, sum;
    int8_t sign[LEAVES]; /* +1, -1 or 0 a leaf */
} form;

typedef struct reader {
    size_t n_leaves, n_forms;
    int64_t low[LEAVES], high[LEAVES], truth[LEAVES]; /* of the leaf itself */
    form forms[CELLS + 1];
    int64_t rest_low[LEAVES + 1][CELLS + 1], rest_high[LEAVES + 1][CELLS + 1];
    uint64_t n_nodes;
} reader;

/* Is there a table? The range of the next leaf follows from what the leaves after it can still add;
 * values near the true one come first. */
static bool exists(reader *x, size_t depth)
{
    if (depth == x->n_leaves) {
        for (size_t f = 0; f < x->n_forms; f++)
            if (x->forms[f].sum < x->forms[f].low || x->forms[f].sum > x->forms[f].high)
                return false;
        return true;
    }
    if (x->n_nodes++ > NODES)
        return false;
    int64_t low = x->low[depth], high = x->high[depth];
    for (size_t f = 0; f < x->n_forms; f++) {
        const form *m = &x->forms[f];
        int64_t least = m->low - m->sum - x->rest_high[depth + 1][f];
        int64_t most = m->high - m->sum - x->rest_low[depth + 1][f];
        if (m->sign[depth] == 0) {
            if (least > 0 || most < 0)
                return false;
            continue;
        }
        int64_t from = m->sign[depth] > 0 ? least : -most;
        int64_t to = m->sign[depth] > 0 ? most : -least;
        low = from > low ? from : low;
        high = to < high ? to : high;
    }
    int64_t middle = x->truth[depth] < low ? low : x->truth[depth] > high ? high : x->truth[depth];
    for (int64_t k = 0; k <= 2 * (high - low) + 1; k++) {
        int64_t v = k % 2 ? middle - (k + 1) / 2 : middle + k / 2;
        if (v < low || v > high)
            continue;
        for (size_t f = 0; f < x->n_forms; f++)
            x->forms[f].sum += x->forms[f].sign[depth] * v;
        bool is_found = exists(x, depth + 1);
        for (size_t f = 0; f < x->n_forms; f++)
            x->forms[f].sum -= x->forms[f].sign[depth] * v;
        if (is_found)
            return true;
    }
    return false;
}

static void prepare(reader *x)
{
    for (size_t f = 0; f < x->n_forms; f++) {
        x->rest_low[x->n_leaves][f] = x->rest_high[x->n_leaves][f] = 0;
        for (size_t i = x->n_leaves; i-- > 0;) {
            int64_t sign = x->forms[f].sign[i];
            x->rest_low[i][f] = x->rest_low[i + 1][f] + (sign < 0 ? -x->high[i] : sign * x->low[i]);
            x->rest_high[i][f] =
                x->rest_high[i + 1][f] + (sign < 0 ? -x->low[i] : sign * x->high[i]);
        }
    }
}

static void release_of(reader *x, const world *w, const hd_secondary_result *r)
{
    memset(x, 0, sizeof *x);
    x->n_leaves = w->n_leaves;
    for (size_t c = 0; c < w->n_cells; c++) {
        form *f = &x->forms[x->n_forms++];
        const hd_secondary_cell *in = &w->cells[c];
        f->low = r->shown[c] == HD_HELPER    ? in->hidden_low
                 : r->shown[c] == HD_COARSER ? in->coarse_low
                                             : in->low;
        f->high = r->shown[c] == HD_HELPER    ? in->hidden_high
                  : r->shown[c] == HD_COARSER ? in->coarse_high
                                              : in->high;
        for (size_t i = 0; i < w->n_leaves; i++)
            f->sign[i] = w->leaves[c] >> i & 1;
        if ((w->leaves[c] & (w->leaves[c] - 1)) == 0) {
            uint32_t leaf = (uint32_t)__builtin_ctz(w->leaves[c]);
            x->low[leaf] = f->low;
            x->truth[leaf] = w->count[c];
            /* More tables exist beyond the cap: leaving them out only makes the test harder. */
            x->high[leaf] = f->high < w->count[c] + CAP ? f->high : w->count[c] + CAP;
        }
    }
}

/* Values of low .. high that a sum of leaves may have, up to five. */
static int n_values(reader *x, const int8_t *sign, int64_t low, int64_t high, bool *is_cut)
{
    int n = 0;
    int64_t truth = 0;
    for (size_t i = 0; i < x->n_leaves; i++)
        truth += sign[i] * x->truth[i];
    form *f = &x->forms[x->n_forms++];
    memset(f, 0, sizeof *f);
    memcpy(f->sign, sign, sizeof f->sign);
    for (int64_t k = 0; k <= 2 * (high - low) + 1 && n < 5; k++) {
        int64_t v = k % 2 ? truth - (k + 1) / 2 : truth + k / 2;
        if (v < low || v > high)
            continue;
        f->low = f->high = v;
        prepare(x);
        x->n_nodes = 0;
        n += exists(x, 0);
        *is_cut |= x->n_nodes > NODES;
    }
    x->n_forms--;
    return n;
}

/* The leaves of a witness, added up here: would it have printed this release? */
static bool is_table(reader *x, const world *w, const int64_t *witness, int64_t *leaf)
{
    for (size_t c = 0; c < w->n_cells; c++)
        if ((w->leaves[c] & (w->leaves[c] - 1)) == 0)
            leaf[__builtin_ctz(w->leaves[c])] = witness[c];
    for (size_t f = 0; f < x->n_forms; f++) {
        int64_t sum = 0;
        for (size_t i = 0; i < x->n_leaves; i++)
            sum += x->forms[f].sign[i] * leaf[i];
        if (sum < x->forms[f].low || sum > x->forms[f].high)
            return false;
    }
    return true;
}

/* Five values among the witnesses are five values among all tables; anything less is searched. */
static int n_witnessed(reader *x, const world *w, const hd_secondary_result *r, const int8_t *sign)
{
    uint64_t seen = 0;
    for (size_t t = 0; t < r->witnesses.n_tables; t++) {
        int64_t leaf[LEAVES] = {0}, v = 0;
        if (!is_table(x, w, r->witnesses.values + t * r->witnesses.n_cells, leaf))
            continue;
        for (size_t i = 0; i < x->n_leaves; i++)
            v += sign[i] * leaf[i];
        if (v >= 0 && v < 64)
            seen |= UINT64_C(1) << v;
    }
    return __builtin_popcountll(seen);
}

static bool keeps_five(reader *x, const world *w, const hd_secondary_result *r, const int8_t *sign,
                       int64_t high, bool is_all, bool *is_cut)
{
    if (!is_all && n_witnessed(x, w, r, sign) >= 5)
        return true;
    bool is_unsure = false;
    int n = n_values(x, sign, 0, high, &is_unsure);
    if (n >= 5)
        return true;
    *is_cut |= is_unsure;
    return is_unsure;
}

static void print_release(const world *w, const hd_secondary_result *r)
{
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
    uint64_t tables, stars, helpers, coarser, refused, protected_cells, differences, cut, failures;
} tally;

static bool is_number(const world *w, const hd_secondary_result *r, size_t c)
{
    return w->count[c] && !w->cells[c].is_withheld && r->shown[c] != HD_HELPER;
}

static void attack(const world *w, const hd_secondary_result *r, bool is_all, tally *t)
{
    reader x;
    bool is_cut = false;
    int8_t sign[LEAVES];
    release_of(&x, w, r);
    for (size_t c = 0; c < w->n_cells; c++) {
        if (!w->cells[c].is_protected || w->count[c] < 1 || w->count[c] > 7)
            continue;
        t->protected_cells++;
        for (size_t i = 0; i < LEAVES; i++)
            sign[i] = w->leaves[c] >> i & 1;
        if (!keeps_five(&x, w, r, sign, 7, is_all, &is_cut)) {
            printf("cell %zu keeps fewer than five values\n", c);
            print_release(w, r);
            t->failures++;
            return;
        }
    }
    for (size_t a = 0; a < w->n_cells; a++)
        for (size_t b = 0; b < w->n_cells; b++) {
            int64_t d = w->count[a] - w->count[b];
            if (a == b || (w->leaves[b] & ~w->leaves[a]) || d < 1 || d > 7 ||
                !is_number(w, r, a) || !is_number(w, r, b) ||
                (w->is_exact_above && w->is_national[a] && w->is_national[b]))
                continue;
            t->differences++;
            for (size_t i = 0; i < LEAVES; i++)
                sign[i] = (int8_t)((w->leaves[a] >> i & 1) - (w->leaves[b] >> i & 1));
            if (!keeps_five(&x, w, r, sign, 14, is_all, &is_cut)) {
                printf("the difference of cells %zu and %zu keeps fewer than five values\n", a, b);
                print_release(w, r);
                t->failures++;
                return;
            }
        }
    t->cut += is_cut;
}

static void fail(const world *w, const hd_secondary_result *r, tally *t, const char *what)
{
    printf("%s\n", what);
    print_release(w, r);
    t->failures++;
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
        }
    }
    hd_secondary_options_init(&o);
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
    hd_secondary_options_init(&o);
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
    hd_rng random = hd_rng_stream(seed, number);
    world w;
    hd_secondary_options o;
    hd_secondary_result r;
    hd_err err;
    make(&w, &random);
    hd_secondary_options_init(&o);
    if (hd_secondary_lattice(w.lattice, w.cells, &o, &r, &err) != HD_OK)
        die(err.text);
    t->tables++;
    for (size_t c = 0; c < w.n_cells; c++) {
        t->stars += w.star[c];
        if (w.count[c] < r.system.low[c] || w.count[c] > r.system.high[c] ||
            w.count[c] < r.intervals[c].low || w.count[c] > r.intervals[c].high) {
            fail(&w, &r, t, "the true table does not satisfy the release");
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
        attack(&w, &r, number % 64 == 0, t);
        if (number % 8 == 0) {
            same_again(&w, &r, t);
            other_order(&w, &r, t, &random);
            check_certificate(&w, &r, t);
        }
    }
    hd_secondary_result_free(&r);
    hd_lattice_free(w.lattice);
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    tally t = {0};
    for (uint64_t i = 0; i < n && t.failures < 5; i++)
        one(seed, i, &t);
    printf("%" PRIu64 " tables, %" PRIu64 " stars, %" PRIu64 " helpers, %" PRIu64 " rounded after "
           "all, %" PRIu64 " counts and %" PRIu64 " differences of 1 to 7 attacked (%" PRIu64
           " tables cut short), %" PRIu64 " tables refused, %" PRIu64 " failures\n",
           t.tables, t.stars, t.helpers, t.coarser, t.protected_cells, t.differences, t.cut,
           t.refused, t.failures);
    return t.failures != 0;
}
