/* quantile.c - see quantile.h. */
#include "statistics/quantile.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

uint64_t hd_bins_total(const hd_bin *bins, size_t n_bins)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n_bins; i++)
        total += bins[i].count;
    return total;
}

hd_code hd_bins_at_rank(const hd_bin *bins, size_t n_bins, uint64_t rank, double *out, hd_err *err)
{
    uint64_t seen = 0;
    for (size_t i = 0; rank > 0 && i < n_bins; i++) {
        seen += bins[i].count;
        if (seen >= rank) {
            *out = bins[i].value;
            return HD_OK;
        }
    }
    return hd_fail(err, HD_INVALID, "there is no value of that rank");
}

/* Position (1-based, fractional) of the quantile among n values; below 1 and above n are clipped.
 */
static double position(double n, double q, hd_quantile_type type)
{
    switch (type) {
    case HD_QUANTILE_TYPE1:
        return ceil(n * q - 1e-12 * n);
    case HD_QUANTILE_TYPE2: {
        double at = n * q, whole = nearbyint(at);
        return fabs(at - whole) <= 1e-12 * n ? whole + 0.5 : ceil(at);
    }
    case HD_QUANTILE_TYPE6:
        return q * (n + 1);
    case HD_QUANTILE_TYPE7:
        break;
    }
    return q * (n - 1) + 1;
}

hd_code hd_bins_quantile(const hd_bin *bins, size_t n_bins, double q, hd_quantile_type type,
                         double *out, hd_err *err)
{
    double n = (double)hd_bins_total(bins, n_bins), low, high;
    if (n <= 0)
        return hd_fail(err, HD_INVALID, "a quantile needs at least one value");
    if (!(q >= 0 && q <= 1))
        return hd_fail(err, HD_INVALID, "a quantile must lie between 0 and 1");
    double at = fmin(fmax(position(n, q, type), 1), n);
    HD_TRY(hd_bins_at_rank(bins, n_bins, (uint64_t)floor(at), &low, err));
    HD_TRY(hd_bins_at_rank(bins, n_bins, (uint64_t)ceil(at), &high, err));
    *out = low + (at - floor(at)) * (high - low);
    return HD_OK;
}

double hd_sorted_quantile(const double *sorted, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t low = (size_t)floor(at), high = low + 1 < n ? low + 1 : low;
    return sorted[low] + (at - floor(at)) * (sorted[high] - sorted[low]);
}

typedef struct ranked {
    double value; /* negated when the highest come first, so that the order is always ascending */
    size_t at;
} ranked;

static int by_value(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static unsigned group_of(hd_quantile_grouping grouping, size_t i, size_t first, size_t last,
                         size_t n, unsigned k)
{
    double size = (double)n, parts = k;
    if (grouping == HD_GROUPING_NTILE) {
        size_t big = n % k, width = n / k; /* the first `big` groups hold one more */
        size_t edge = big * (width + 1);
        return (unsigned)(i < edge ? i / (width + 1) : big + (i - edge) / width) + 1;
    }
    if (grouping == HD_GROUPING_RANK)
        return (unsigned)ceil(parts * ((double)(first + last) / 2 + 1) / size - 1e-9);
    double q = floor(parts + 1 - ceil((size - (double)first) / (size / parts)));
    return q < 1 ? 1 : (unsigned)q;
}

hd_code hd_quantile_groups(const double *values, size_t n, unsigned k, bool highest_first,
                           hd_quantile_grouping grouping, unsigned *out, hd_err *err)
{
    if (k == 0)
        return hd_fail(err, HD_INVALID, "the number of groups must be at least 1");
    ranked *r = hd_calloc(n ? n : 1, sizeof *r);
    if (!r)
        return hd_fail_nomem(err);
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        out[i] = 0;
        if (!isnan(values[i]))
            r[m++] = (ranked){highest_first ? -values[i] : values[i], i};
    }
    qsort(r, m, sizeof *r, by_value);
    for (size_t first = 0; m >= k && first < m;) {
        size_t last = first;
        while (last + 1 < m && r[last + 1].value == r[first].value)
            last++;
        for (size_t i = first; i <= last; i++)
            out[r[i].at] = group_of(grouping, i, first, last, m, k);
        first = last + 1;
    }
    hd_free(r);
    return HD_OK;
}
