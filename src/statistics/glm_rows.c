/* glm_rows.c - see glm_rows.h. Sixty-four rows at a time are turned into columns, so that products
 * of columns are sums over neighbours; an indicator touches only the cells of its own column. */
#include "statistics/glm_rows.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"

enum {
    TILE = HD_GLM_TILE,
    LEAST_BLOCK = (1 << 14) / TILE,
    MOST_BLOCKS = 64,
    MOST_SUMS = 1 << 24,
    LANES = 4
};

/* Four sums side by side on every processor, so that the order of additions is always the same. */
typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(8), may_alias));

double hd_glm_inverse_link(hd_family family, double eta)
{
    if (family != HD_BINOMIAL)
        return exp(fmin(eta, 700));
    /* R's bounds: a probability never leaves the open interval. */
    double e = exp(-fabs(eta));
    double p = eta >= 0 ? 1 / (1 + e) : e / (1 + e);
    return fmin(fmax(p, 0x1p-52), 1 - 0x1p-52);
}

static double y_log_y(double y, double mu)
{
    return y > 0 ? y * log(y / mu) : 0;
}

double hd_glm_unit_deviance(hd_family family, double y, double mu, double trials, double theta)
{
    if (family == HD_BINOMIAL)
        return 2 * trials * (y_log_y(y, mu) + y_log_y(1 - y, 1 - mu));
    if (family == HD_POISSON)
        return 2 * (y_log_y(y, mu) - (y - mu));
    return 2 * (y_log_y(y, mu) - (y + theta) * log((y + theta) / (mu + theta)));
}

/* --- Blocks and tiles ------------------------------------------------------------------------- */

typedef struct pass {
    const hd_glm_state *s;
    hd_glm_visit *visit;
    const void *context;
    size_t tiles, block, n_blocks; /* tiles that are looked at, tiles a block */
    size_t width;                  /* of a row of the dense products */
    size_t stride;                 /* doubles a block */
    double *sums;
} pass;

typedef struct tile {
    size_t from, n; /* rows */
    double *x, *wx; /* n_x + 4 columns of TILE */
    hd_glm_row row[TILE];
    double z[TILE], w[TILE];
} tile;

/* As many blocks as their sums have room for. */
static void plan(pass *p, const hd_glm_state *s)
{
    size_t most = MOST_SUMS / p->stride + 1;
    most = most < MOST_BLOCKS ? most : MOST_BLOCKS;
    p->s = s;
    p->tiles = ((s->d->n + TILE - 1) / TILE + s->step - 1) / s->step;
    p->block = (p->tiles + most - 1) / most;
    p->block = p->block < LEAST_BLOCK ? LEAST_BLOCK : p->block;
    p->n_blocks = (p->tiles + p->block - 1) / p->block;
}

static bool takes_part(const hd_glm_data *d, size_t i)
{
    return (!d->weights || d->weights[i] > 0) && (!d->trials || d->trials[i] > 0);
}

static void load(const pass *p, size_t which, tile *t)
{
    const hd_glm_data *d = p->s->d;
    t->from = which * p->s->step * TILE;
    t->n = d->n - t->from < TILE ? d->n - t->from : TILE;
    memcpy(t->x, d->x + t->from * d->n_x, d->n_x * TILE * sizeof *t->x);
}

static size_t x_column(const hd_glm_data *d, size_t j)
{
    return d->x_columns ? d->x_columns[j] : j;
}

static void predict(const pass *p, tile *t)
{
    const hd_glm_data *d = p->s->d;
    const double *beta = p->s->beta;
    double eta[TILE] = {0};
    for (size_t j = 0; beta && j < d->n_x; j++) {
        double b = beta[x_column(d, j)];
        for (size_t k = 0; k < TILE; k += LANES)
            *(lanes *)(eta + k) += b * *(const lanes *)(t->x + j * TILE + k);
    }
    for (size_t k = 0; k < t->n; k++) {
        hd_glm_row *r = &t->row[k];
        r->at = t->from + k;
        r->prior = d->weights ? d->weights[r->at] : 1;
        r->trials = d->trials ? d->trials[r->at] : 1;
        if (!takes_part(d, r->at)) {
            r->prior = 0;
            continue;
        }
        r->y = d->y ? d->y[r->at] : 0;
        if (p->s->family == HD_BINOMIAL)
            r->y /= r->trials;
        const uint32_t *levels = d->levels + r->at * d->n_levels;
        r->eta = eta[k] + (d->offset ? d->offset[r->at] : 0);
        for (size_t f = 0; beta && f < d->n_levels; f++)
            if (levels[f] != HD_GLM_REFERENCE)
                r->eta += beta[levels[f]];
        if (beta)
            r->mu = hd_glm_inverse_link(p->s->family, r->eta);
    }
}

static hd_code new_tile(const pass *p, tile **out, hd_err *err)
{
    size_t rows = p->s->d->n_x + LANES;
    tile *t = hd_calloc(1, sizeof *t);
    if (!t)
        return hd_fail_nomem(err);
    t->x = hd_calloc(rows * TILE, sizeof *t->x);
    t->wx = hd_calloc(rows * TILE, sizeof *t->wx);
    *out = t;
    return t->x && t->wx ? HD_OK : hd_fail_nomem(err);
}

static void free_tile(tile *t)
{
    if (t) {
        hd_free(t->x);
        hd_free(t->wx);
    }
    hd_free(t);
}

/* --- Visiting --------------------------------------------------------------------------------- */

static hd_code visit_block(void *context, size_t block, hd_err *err)
{
    const pass *p = context;
    tile *t = NULL;
    hd_code rc = HD_OK;
    size_t end = (block + 1) * p->block < p->tiles ? (block + 1) * p->block : p->tiles;
    HD_GO(new_tile(p, &t, err));
    for (size_t i = block * p->block; i < end; i++) {
        load(p, i, t);
        predict(p, t);
        for (size_t k = 0; k < t->n; k++)
            if (t->row[k].prior > 0)
                p->visit(p->context, &t->row[k], p->sums + block * p->stride);
    }
out:
    free_tile(t);
    return rc;
}

hd_code hd_glm_visit_rows(const hd_glm_state *s, hd_glm_visit *visit, const void *context,
                          double sums[2], hd_err *err)
{
    pass p = {.visit = visit, .context = context, .stride = 2};
    double blocks[MOST_BLOCKS * 2 + 2] = {0};
    plan(&p, s);
    p.sums = blocks;
    sums[0] = sums[1] = 0;
    HD_TRY(hd_par_run(p.n_blocks, visit_block, &p, err));
    for (size_t i = 0; i < p.n_blocks; i++) {
        sums[0] += blocks[2 * i];
        sums[1] += blocks[2 * i + 1];
    }
    return HD_OK;
}

/* --- Normal equations ------------------------------------------------------------------------- */

/* Working weight and response of a row, and its part of the tail sums. */
static void weigh(const hd_glm_state *s, hd_glm_row *r, double *w, double *z, double offset,
                  double tail[3])
{
    bool binomial = s->family == HD_BINOMIAL;
    double n = r->trials, y = r->y;
    if (!s->beta) {
        r->mu = binomial                  ? (n * y + 0.5) / (n + 1)
                : s->family == HD_POISSON ? y + 0.1
                                          : y + (y <= 0) / 6.0;
        r->eta = binomial ? log(r->mu / (1 - r->mu)) : log(r->mu);
    }
    double mu = r->mu, slope = binomial ? mu * (1 - mu) : mu; /* d mu / d eta */
    double variance = s->family == HD_NEGATIVE_BINOMIAL ? mu + mu * mu / s->theta : slope;
    double cases = r->prior * (binomial ? n : 1);
    *w = cases * slope * slope / variance;
    *z = r->eta - offset + (y - mu) / slope;
    tail[0] += r->prior * hd_glm_unit_deviance(s->family, y, mu, n, s->theta);
    tail[1] += binomial && (mu < 1e-10 || mu > 1 - 1e-10);
    tail[2] += cases * (y - mu) * (y - mu) / variance;
}

/* out[j][k] += sum of wx[j] x[k] over the tile, for k >= j; x has the response as its last column.
 * Both have zero columns behind, so that blocks of 4 by 2 need no ends. */
static inline __attribute__((always_inline)) void cross_body(const double *x, const double *wx,
                                                             size_t n, double *out, size_t width)
{
    for (size_t j = 0; j < n; j += 4)
        for (size_t k = j; k <= n; k += 2) {
            lanes s[4][2] = {0};
            for (size_t t = 0; t < TILE; t += LANES) {
                const lanes *x0 = (const lanes *)(x + k * TILE + t);
                const lanes *x1 = (const lanes *)(x + (k + 1) * TILE + t);
                for (size_t i = 0; i < 4; i++) {
                    const lanes *w = (const lanes *)(wx + (j + i) * TILE + t);
                    s[i][0] += *w * *x0;
                    s[i][1] += *w * *x1;
                }
            }
            for (size_t i = 0; i < 4; i++)
                for (size_t c = 0; c < 2; c++)
                    out[(j + i) * width + k + c] +=
                        (s[i][c][0] + s[i][c][1]) + (s[i][c][2] + s[i][c][3]);
        }
}

static void cross_plain(const double *x, const double *wx, size_t n, double *out, size_t width)
{
    cross_body(x, wx, n, out, width);
}

#ifdef __x86_64__
/* No fused multiplication: it would round otherwise than the plain one. */
__attribute__((target("avx2"))) static void cross_avx2(const double *x, const double *wx, size_t n,
                                                       double *out, size_t width)
{
    cross_body(x, wx, n, out, width);
}
#endif

static void cross(const double *x, const double *wx, size_t n, double *out, size_t width)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        cross_avx2(x, wx, n, out, width);
        return;
    }
#endif
    cross_plain(x, wx, n, out, width);
}

/* Where a block keeps its sums: products of numbers with numbers and the response; of indicators
 * with indicators (p * p), numbers (p * n_x) and the response (p); tail. */
typedef struct areas {
    double *numbers, *indicators, *mixed, *response, *tail;
} areas;

static areas areas_of(const pass *p, size_t block)
{
    const hd_glm_data *d = p->s->d;
    size_t columns = d->n_levels ? d->p : 0;
    double *at = p->sums + block * p->stride;
    areas a = {.numbers = at};
    a.indicators = a.numbers + (d->n_x + LANES) * p->width;
    a.mixed = a.indicators + columns * columns;
    a.response = a.mixed + columns * d->n_x;
    a.tail = a.response + columns;
    return a;
}

static void add_indicators(const pass *p, const tile *t, size_t k, areas *a)
{
    const hd_glm_data *d = p->s->d;
    const uint32_t *levels = d->levels + t->row[k].at * d->n_levels;
    for (size_t f = 0; f < d->n_levels; f++) {
        size_t c = levels[f];
        if (c == HD_GLM_REFERENCE)
            continue;
        for (size_t g = f; g < d->n_levels; g++)
            if (levels[g] != HD_GLM_REFERENCE)
                a->indicators[c * d->p + levels[g]] += t->w[k];
        for (size_t j = 0; j < d->n_x; j++)
            a->mixed[c * d->n_x + j] += t->wx[j * TILE + k];
        a->response[c] += t->w[k] * t->z[k];
    }
}

static hd_code normal_block(void *context, size_t block, hd_err *err)
{
    const pass *p = context;
    const hd_glm_data *d = p->s->d;
    areas a = areas_of(p, block);
    tile *t = NULL;
    hd_code rc = HD_OK;
    size_t end = (block + 1) * p->block < p->tiles ? (block + 1) * p->block : p->tiles;
    HD_GO(new_tile(p, &t, err));
    for (size_t i = block * p->block; i < end; i++) {
        load(p, i, t);
        predict(p, t);
        memset(t->w, 0, sizeof t->w);
        memset(t->z, 0, sizeof t->z);
        for (size_t k = 0; k < t->n; k++)
            if (t->row[k].prior > 0)
                weigh(p->s, &t->row[k], &t->w[k], &t->z[k], d->offset ? d->offset[t->row[k].at] : 0,
                      a.tail);
        for (size_t j = 0; j < d->n_x; j++)
            for (size_t k = 0; k < TILE; k++)
                t->wx[j * TILE + k] = t->w[k] * t->x[j * TILE + k];
        memcpy(t->x + d->n_x * TILE, t->z, sizeof t->z);
        cross(t->x, t->wx, d->n_x, a.numbers, p->width);
        for (size_t k = 0; k < t->n && d->n_levels; k++)
            if (t->row[k].prior > 0)
                add_indicators(p, t, k, &a);
    }
out:
    free_tile(t);
    return rc;
}

/* Add to cell (i, j) of the upper triangle. */
static void add_cell(hd_glm_sums *out, size_t p, size_t i, size_t j, double v)
{
    out->a[i < j ? i * p + j : j * p + i] += v;
}

static void add_block(const pass *p, size_t block, hd_glm_sums *out)
{
    const hd_glm_data *d = p->s->d;
    areas a = areas_of(p, block);
    for (size_t j = 0; j < d->n_x; j++) {
        for (size_t k = j; k < d->n_x; k++)
            add_cell(out, d->p, x_column(d, j), x_column(d, k), a.numbers[j * p->width + k]);
        out->b[x_column(d, j)] += a.numbers[j * p->width + d->n_x];
    }
    for (size_t i = 0; i < d->p && d->n_levels; i++) {
        for (size_t j = i; j < d->p; j++)
            out->a[i * d->p + j] += a.indicators[i * d->p + j];
        for (size_t j = 0; j < d->n_x; j++)
            add_cell(out, d->p, i, x_column(d, j), a.mixed[i * d->n_x + j]);
        out->b[i] += a.response[i];
    }
    out->deviance += a.tail[0];
    out->separated += a.tail[1];
    out->chi_square += a.tail[2];
}

hd_code hd_glm_normal(const hd_glm_state *s, hd_glm_sums *out, hd_err *err)
{
    hd_code rc = HD_OK;
    const hd_glm_data *d = s->d;
    pass p = {.width = d->n_x + LANES + 2};
    size_t columns = d->n_levels ? d->p : 0;
    p.stride = (d->n_x + LANES) * p.width + columns * (columns + d->n_x + 1) + 3;
    plan(&p, s);
    p.sums = hd_calloc(p.n_blocks * p.stride + 1, sizeof *p.sums);
    if (!p.sums)
        HD_GO(hd_fail_nomem(err));
    memset(out->a, 0, d->p * d->p * sizeof *out->a);
    memset(out->b, 0, d->p * sizeof *out->b);
    out->deviance = out->separated = out->chi_square = 0;
    HD_GO(hd_par_run(p.n_blocks, normal_block, &p, err));
    for (size_t k = 0; k < p.n_blocks; k++)
        add_block(&p, k, out);
out:
    hd_free(p.sums);
    return rc;
}
