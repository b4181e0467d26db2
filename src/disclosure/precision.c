/* precision.c - see precision.h.
 *
 * The core is the run of values, each at most `step` above the one before, that holds the most
 * records. M records with values of a core a..b can have any sum from M a to M b in steps of at most
 * `step`: move one record one value up at a time. So if d more records take the value w, and leave
 * the core, the printed sum can be kept whenever what the core must then add up to lies between
 * (M - d) a and (M - d) b, and the sums that print alike are at least `step` wide. The same with d
 * records fewer. Records outside of core and range stay as they are.
 *
 * With a spread the squares must add up too. In a core of neighbouring whole numbers records move
 * apart in pairs, one up and one down; that keeps the sum, and takes the sum of squares from its least
 * to its largest value in steps of at most twice the width of the core.
 */
#include "disclosure/precision.h"

#include "base/alloc.h"
#include "disclosure/rule.h"
#include "statistics/interval.h"

#include <math.h>
#include <string.h>

enum { MOST_DECIMALS = 9, SPREAD_DECIMALS = 6, LEVELS = 40 };

typedef struct values {
    const hd_policy_file *p;
    const hd_value_bin *bins;
    size_t n;
    double *records, *sums, *squares; /* n + 1: of the bins before */
    bool is_whole;
} values;

typedef struct range {
    size_t from, to; /* bins, both included */
} range;

/* Sums, and sums of squares, that print as the true ones do: by how much they may differ. */
typedef struct slack {
    double low, high;
    bool has_squares;
    double squares_low, squares_high;
} slack;

static double total(const double *before, range r)
{
    return before[r.to + 1] - before[r.from];
}

static hd_code prepare(values *v, hd_err *err)
{
    v->records = hd_calloc(3 * (v->n + 1), sizeof *v->records);
    if (!v->records)
        return hd_fail_nomem(err);
    v->sums = v->records + v->n + 1;
    v->squares = v->sums + v->n + 1;
    v->is_whole = true;
    for (size_t i = 0; i < v->n; i++) {
        double x = v->bins[i].value, k = (double)v->bins[i].records;
        v->records[i + 1] = v->records[i] + k;
        v->sums[i + 1] = v->sums[i] + k * x;
        v->squares[i + 1] = v->squares[i] + k * x * x;
        v->is_whole = v->is_whole && x == floor(x);
    }
    return HD_OK;
}

/* ---- five numbers of records ------------------------------------------------------------------ */

static range find_core(const values *v, double step)
{
    range best = {0, 0}, run = {0, 0};
    for (size_t i = 1; i <= v->n; i++) {
        if (i < v->n && v->bins[i].value - v->bins[i - 1].value <= step) {
            run.to = i;
            continue;
        }
        if (total(v->records, run) > total(v->records, best))
            best = run;
        run = (range){i, i};
    }
    return best;
}

/* The least and the largest sum of squares of m whole numbers from a to b that add up to t. */
static void squares_between(double m, double a, double b, double t, double *least, double *most)
{
    double mean = floor(t / m), above = t - m * mean;
    *least = m * mean * mean + above * (2 * mean + 1);
    double width = b - a, spare = t - m * a, at_b = width > 0 ? floor(spare / width) : 0;
    double rest = spare - at_b * width;
    *most = (m - at_b - (rest > 0)) * a * a + at_b * b * b + (rest > 0) * (a + rest) * (a + rest);
}

/* Whether `more` records can leave the part of the core for the value w (join it, when below 0). */
static bool can_move(const values *v, range part, double more, double w, const slack *s)
{
    double a = v->bins[part.from].value, b = v->bins[part.to].value;
    double m = total(v->records, part) - more, t = total(v->sums, part) - more * w;
    if (m < 0 || m * a > t + s->high || m * b < t + s->low)
        return false;
    if (!s->has_squares)
        return true;
    double least, most, squares = total(v->squares, part) - more * w * w;
    if (m < 1 || s->squares_high - s->squares_low < 2 * (b - a))
        return false;
    squares_between(m, a, b, t, &least, &most);
    return least <= squares + s->squares_high && most >= squares + s->squares_low;
}

static bool can_hold(const values *v, range core, range w, double more, const slack *s)
{
    const size_t ends[] = {w.from, w.to};
    for (size_t e = 0; e < 2; e++) {
        const hd_value_bin *end = &v->bins[ends[e]];
        if (more < 0 && (double)end->records < -more)
            continue;
        if (w.to < core.from || w.from > core.to) {
            if (can_move(v, core, more, end->value, s))
                return true;
            continue;
        }
        if (w.from > core.from && can_move(v, (range){core.from, w.from - 1}, more, end->value, s))
            return true;
        if (w.to < core.to && can_move(v, (range){w.to + 1, core.to}, more, end->value, s))
            return true;
    }
    return false;
}

/* A reader may know from elsewhere that somebody is in the range, so 0 does not count. */
static bool keeps_candidates(const values *v, range core, range w, const slack *s)
{
    int64_t wanted = v->p->minimum_value_candidates, found = 1;
    double here = total(v->records, w);
    for (int64_t d = 1; d < wanted && found < wanted; d++)
        found += can_hold(v, core, w, (double)d, s);
    for (int64_t d = 1; (double)d < here && found < wanted; d++)
        found += can_hold(v, core, w, (double)-d, s);
    return found >= wanted;
}

/* Every range of values with few records, whose sums print alike within the slack. */
static bool is_safe(const values *v, const slack *s)
{
    double few = (double)v->p->candidates_for_counts_to;
    double step = v->is_whole ? floor(s->high) - ceil(s->low) + 1 : s->high - s->low;
    if (v->p->minimum_value_candidates == 0)
        return true;
    range core = find_core(v, step);
    for (size_t i = 0; i < v->n; i++)
        for (size_t j = i; j < v->n && total(v->records, (range){i, j}) <= few; j++)
            if (!keeps_candidates(v, core, (range){i, j}, s))
                return false;
    return true;
}

/* ---- sums and means --------------------------------------------------------------------------- */

static double rounded(double x, double unit)
{
    return round(x / unit) * unit;
}

static double unit_of(int decimals)
{
    return pow(10, -decimals);
}

/* The counts that a reader of the rounded one takes for possible. Which way it will be rounded by the set is
 * not known yet: those that either print stands for. */
static hd_rule_range counts_alike(const values *v)
{
    const hd_policy_file *p = v->p;
    int64_t n = (int64_t)v->records[v->n], base = p->rounded_to;
    if (p->rounding == HD_ROUND_BY_SET)
        return (hd_rule_range){n / base * base - base + 1, (n + base - 1) / base * base + base - 1};
    return hd_rule_range_shown(p, hd_rule_round(p, n));
}

/* Whether x records can have a mean that prints as the true one does with so many decimals and a sum that
 * does; endless sum_unit: none is printed. A sum of whole numbers is one, too. */
static bool is_possible_count(const values *v, double x, int decimals, double sum_unit)
{
    double n = v->records[v->n], sum = v->sums[v->n], unit = unit_of(decimals);
    double mean = rounded(sum / n, unit), half = unit / 2 * (1 + 1e-9);
    double low = x * (mean - half), high = x * (mean + half);
    if (isfinite(sum_unit)) {
        double by_sum = rounded(sum, sum_unit), half_sum = sum_unit / 2 * (1 - 1e-9);
        low = fmax(low, by_sum - half_sum);
        high = fmin(high, by_sum + half_sum);
    }
    return v->is_whole ? ceil(low) <= floor(high) : low <= high;
}

/* All of them, so that figures of several fields together leave no fewer. */
static bool keeps_counts(const values *v, int decimals, double sum_unit)
{
    hd_rule_range of = counts_alike(v);
    int64_t high = of.high == HD_RULE_ENDLESS ? (int64_t)v->records[v->n] : of.high;
    bool is_kept = true;
    for (int64_t x = of.low > 0 ? of.low : 1; x <= high && is_kept; x++)
        is_kept = is_possible_count(v, (double)x, decimals, sum_unit);
    return is_kept;
}

/* A mean with many decimals tells how many records it is of (3.714286: a multiple of 7). It keeps
 * as many as leave every count behind the rounded one possible. */
static int most_decimals(const values *v)
{
    int decimals = MOST_DECIMALS;
    while (decimals > 0 && !keeps_counts(v, decimals, INFINITY))
        decimals--;
    return decimals;
}

/* A sum divided by a mean is the number of records, and so is one divided by what everybody is known to have
 * on average (age and year of birth). The sum gives way: to the base times 1, 2, 5, 10, 20, ...; where more
 * than a quarter of itself would be needed it is withheld. */
static void keep_counts(const values *v, hd_precision *out)
{
    static const double steps[] = {2, 2, 2.5};
    double unit = (double)v->p->rounded_to, most = fabs(v->sums[v->n]) / 4;
    for (int level = 0; level < LEVELS && unit <= most; level++, unit *= steps[level % 3])
        if (unit >= out->sum_unit && keeps_counts(v, out->mean_decimals, unit)) {
            out->sum_unit = unit;
            return;
        }
    out->sum_is_withheld = true;
}

/* The sums that print alike in a sum and in a mean, less the true one. */
static slack sums_alike(const values *v, double sum_unit, int mean_decimals)
{
    double n = v->records[v->n], sum = v->sums[v->n], unit = unit_of(mean_decimals);
    double by_sum = rounded(sum, sum_unit), by_mean = n * rounded(sum / n, unit);
    /* A hair narrower: what lies exactly between two prints is neither. */
    double half_sum = sum_unit / 2 * (1 - 1e-9), half_mean = n * unit / 2 * (1 - 1e-9);
    return (slack){.low = fmax(by_sum - half_sum, by_mean - half_mean) - sum,
                   .high = fmin(by_sum + half_sum, by_mean + half_mean) - sum};
}

/* The finest units that are safe: the policy's base times 1, 2, 10, 20, 100, ...; a mean has as many
 * decimals as the sum of its records is shown to. A sum that is shown to less than a tenth of itself
 * is not worth showing. */
static void find_safe_units(const values *v, hd_precision *out)
{
    double n = v->records[v->n], sum = fabs(v->sums[v->n]), unit = (double)v->p->rounded_to;
    int finest = most_decimals(v);
    *out = (hd_precision){.sum_unit = unit, .mean_decimals = finest};
    slack s = sums_alike(v, unit, finest);
    if (is_safe(v, &s))
        return;
    for (int level = 0; level < LEVELS && unit <= sum / 10; level++, unit *= level % 2 ? 2 : 5) {
        int decimals = (int)floor(log10(n / unit));
        out->sum_unit = unit;
        out->mean_decimals = decimals < finest ? decimals : finest;
        s = sums_alike(v, unit, out->mean_decimals);
        if (is_safe(v, &s))
            return;
    }
    out->is_withheld = true;
}

static void find_units(const values *v, hd_precision *out)
{
    find_safe_units(v, out);
    out->sum_is_withheld = out->is_withheld;
    if (!out->is_withheld && v->p->minimum_candidates > 0)
        keep_counts(v, out);
}

/* ---- spreads ---------------------------------------------------------------------------------- */

static void find_spread(const values *v, hd_precision *out)
{
    double n = v->records[v->n], mean = v->sums[v->n] / n;
    double squares = v->squares[v->n] - n * mean * mean, variance = squares / (n - 1);
    out->spread_is_withheld = true;
    for (int d = SPREAD_DECIMALS; v->is_whole && n > 1 && d >= 0 && out->spread_is_withheld; d--) {
        double half = unit_of(d) / 2 * (1 - 1e-9), by_variance = rounded(variance, unit_of(d));
        double sd = rounded(sqrt(variance), unit_of(d)), least = fmax(sd - half, 0);
        double low = fmax(least * least, by_variance - half);
        double high = fmin((sd + half) * (sd + half), by_variance + half);
        const slack s = {.has_squares = true,
                         .squares_low = (n - 1) * low - squares,
                         .squares_high = (n - 1) * high - squares};
        out->spread_is_withheld = !is_safe(v, &s);
        out->spread_decimals = d;
    }
}

/* ---- outside ---------------------------------------------------------------------------------- */

hd_code hd_precision_of(const hd_policy_file *p, const hd_value_bin *bins, size_t n,
                        hd_precision *out, hd_err *err)
{
    values v = {.p = p, .bins = bins, .n = n};
    *out = (hd_precision){.is_withheld = true, .sum_is_withheld = true, .spread_is_withheld = true};
    if (n == 0 || n < (size_t)p->minimum_distinct_values)
        return HD_OK;
    HD_TRY(prepare(&v, err));
    find_units(&v, out);
    find_spread(&v, out);
    hd_wipe_free(v.records, 3 * (v.n + 1) * sizeof *v.records);
    return HD_OK;
}

/* ---- quantiles -------------------------------------------------------------------------------- */

/* Each grid holds the ones before, so that quantiles of different grids are no closer than the finest
 * grid that the records allow. */
static const int grids[] = {2, 4, 20, 100, 1000};
enum { N_GRIDS = sizeof grids / sizeof *grids };

/* As many records as a reader knows there to be at least. Which quantiles are shown and which rank a
 * limit has follow from it and not from the number itself: levels can be tried until a limit moves.
 * Rounding by the set is decided later, and either print leaves five numbers beside these. */
static double known_records(const hd_policy_file *p, double records)
{
    int64_t n = (int64_t)records, two = 2 * p->rounded_to;
    if (p->rounding == HD_ROUND_BY_SET)
        return (double)(n / two * two);
    return (double)hd_rule_range_shown(p, hd_rule_round(p, n)).low;
}

static bool grid_fits(const hd_policy_file *p, int grid, double records)
{
    return grid == 2 || records >= (double)grid * (double)p->minimum_thin_side;
}

static double value_at(const hd_value_bin *bins, size_t n, double rank)
{
    double before = 0;
    for (size_t i = 0; i < n; i++) {
        before += (double)bins[i].records;
        if (rank < before)
            return bins[i].value;
    }
    return bins[n - 1].value;
}

/* The nearer of the two records between which the quantile lies, the lower of equally near ones. An
 * interpolated value would tell how many records there are. */
static double on_grid(const hd_value_bin *bins, size_t n, double records, double i, int grid)
{
    return value_at(bins, n, ceil(i * (records - 1) / grid - 0.5));
}

static bool limit(const hd_policy_file *p, const hd_aggregate *a, const hd_value_bin *bins,
                  size_t n, double records, double *out)
{
    uint64_t lower, upper;
    hd_err ignored;
    double known = known_records(p, records);
    int g = N_GRIDS - 1;
    while (g > 0 && !grid_fits(p, grids[g], known))
        g--;
    if (known < 2 || hd_quantile_ranks((uint64_t)known, a->quantile, a->level, &lower, &upper,
                                       &ignored) != HD_OK)
        return false;
    double rank = (double)(a->side < 0 ? lower : upper), at = (rank - 1) * grids[g] / (known - 1);
    double i = a->side < 0 ? floor(at) : ceil(at);
    if (rank < 1 || rank > known || i < 1 || i > grids[g] - 1)
        return false;
    *out = on_grid(bins, n, records, i, grids[g]);
    return true;
}

bool hd_precision_quantile(const hd_policy_file *p, const hd_aggregate *a, const hd_value_bin *bins,
                           size_t n, double *out)
{
    double records = 0;
    int g = 0;
    for (size_t i = 0; i < n; i++)
        records += (double)bins[i].records;
    if (records < 2 || n < (size_t)p->minimum_distinct_values)
        return false;
    if (a->side != 0)
        return limit(p, a, bins, n, records, out);
    while (g < N_GRIDS && fabs(a->quantile * grids[g] - round(a->quantile * grids[g])) > 1e-9)
        g++;
    double i = g < N_GRIDS ? round(a->quantile * grids[g]) : 0;
    if (i < 1 || i > grids[g] - 1 || !grid_fits(p, grids[g], known_records(p, records)))
        return false;
    *out = on_grid(bins, n, records, i, grids[g]);
    return true;
}
