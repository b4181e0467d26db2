/* glm_rows.c - see glm_rows.h. Sixty-four rows at a time; an indicator touches only the cells of
 * its own column. */
#include "statistics/glm_rows.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "statistics/glm_tile.h"

enum {
    TILE = HD_GLM_TILE,
    LANES = HD_GLM_LANES,
    LEAST_BLOCK = (1 << 14) / TILE,
    MOST_BLOCKS = 64,
    MOST_SUMS = 1 << 24
};

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
    double *mean;                  /* fitted means of the rows, or NULL */
    double *beta_x;                /* coefficients of the numbers; NULL: none yet */
    size_t tiles, block, n_blocks; /* tiles that are looked at, tiles a block */
    size_t stride;                 /* doubles a block */
    double *sums;
} pass;

static size_t x_column(const hd_glm_data *d, size_t j)
{
    return d->x_columns ? d->x_columns[j] : j;
}

/* As many blocks as their sums have room for. */
static hd_code plan(pass *p, const hd_glm_state *s, hd_err *err)
{
    size_t most = MOST_SUMS / p->stride + 1;
    most = most < MOST_BLOCKS ? most : MOST_BLOCKS;
    p->s = s;
    p->tiles = ((s->d->n + TILE - 1) / TILE + s->step - 1) / s->step;
    p->block = (p->tiles + most - 1) / most;
    p->block = p->block < LEAST_BLOCK ? LEAST_BLOCK : p->block;
    p->n_blocks = (p->tiles + p->block - 1) / p->block;
    if (!s->beta)
        return HD_OK;
    p->beta_x = hd_calloc(s->d->n_x + 1, sizeof *p->beta_x);
    if (!p->beta_x)
        return hd_fail_nomem(err);
    for (size_t j = 0; j < s->d->n_x; j++)
        p->beta_x[j] = s->beta[x_column(s->d, j)];
    return HD_OK;
}

static void fill(double *to, const double *from, size_t n, double otherwise)
{
    if (from)
        memcpy(to, from, n * sizeof *to);
    for (size_t k = from ? n : 0; k < TILE; k++)
        to[k] = otherwise;
}

/* Rows without a weight, without trials and behind the last are there with weight 0. */
static void load(const pass *p, size_t which, hd_glm_tile *t)
{
    const hd_glm_data *d = p->s->d;
    size_t from = t->from = which * p->s->step * TILE;
    t->n = d->n - from < TILE ? d->n - from : TILE;
    t->x = d->x + from * d->n_x;
    t->zero_one = p->s->zero_one;
    fill(t->y, d->y ? d->y + from : NULL, t->n, 0);
    fill(t->trials, d->trials ? d->trials + from : NULL, t->n, 1);
    fill(t->prior, d->weights ? d->weights + from : NULL, t->n, 1);
    fill(t->offset, d->offset ? d->offset + from : NULL, t->n, 0);
    for (size_t k = t->n; k < TILE; k++)
        t->prior[k] = 0;
    for (size_t k = 0; k < TILE && (d->trials || d->weights || t->n < TILE); k++) {
        bool in = t->prior[k] > 0 && t->trials[k] > 0;
        t->y[k] = in ? t->y[k] : 0;
        t->prior[k] = in ? t->prior[k] : 0;
        t->trials[k] = in ? t->trials[k] : 1;
    }
    for (size_t k = 0; k < TILE && p->s->family == HD_BINOMIAL && d->trials; k++)
        t->y[k] /= t->trials[k];
}

static void predict(const pass *p, hd_glm_tile *t)
{
    const hd_glm_data *d = p->s->d;
    const double *beta = p->s->beta;
    if (!beta) {
        hd_glm_tile_start(t, p->s->family);
        return;
    }
    memcpy(t->eta, t->offset, sizeof t->eta);
    for (size_t k = 0; k < t->n && d->n_levels; k++) {
        const uint32_t *levels = d->levels + (t->from + k) * d->n_levels;
        for (size_t f = 0; f < d->n_levels; f++)
            if (levels[f] != HD_GLM_REFERENCE)
                t->eta[k] += beta[levels[f]];
    }
    hd_glm_tile_predict(t, p->beta_x, d->n_x);
    hd_glm_tile_mean(t, p->s->family);
}

static hd_code new_tile(const pass *p, hd_glm_tile **out, hd_err *err)
{
    hd_glm_tile *t = hd_calloc(1, sizeof *t);
    if (!t)
        return hd_fail_nomem(err);
    t->wx = hd_calloc((p->s->d->n_x + LANES) * TILE, sizeof *t->wx);
    *out = t;
    return t->wx ? HD_OK : hd_fail_nomem(err);
}

static void free_tile(hd_glm_tile *t)
{
    if (t)
        hd_free(t->wx);
    hd_free(t);
}

/* --- Visiting --------------------------------------------------------------------------------- */

static hd_code visit_block(void *context, size_t block, hd_err *err)
{
    const pass *p = context;
    hd_glm_tile *t = NULL;
    hd_code rc = HD_OK;
    size_t end = (block + 1) * p->block < p->tiles ? (block + 1) * p->block : p->tiles;
    HD_GO(new_tile(p, &t, err));
    for (size_t i = block * p->block; i < end; i++) {
        load(p, i, t);
        if (p->s->beta)
            predict(p, t);
        for (size_t k = 0; k < t->n; k++) {
            const hd_glm_row r = {t->from + k, t->y[k], t->trials[k], t->prior[k], t->mu[k]};
            if (r.prior > 0)
                p->visit(p->context, &r, p->sums + block * p->stride);
        }
    }
out:
    free_tile(t);
    return rc;
}

hd_code hd_glm_visit_rows(const hd_glm_state *s, hd_glm_visit *visit, const void *context,
                          double sums[2], hd_err *err)
{
    pass p = {.visit = visit, .context = context, .stride = 2};
    hd_code rc = HD_OK;
    double blocks[MOST_BLOCKS * 2 + 2] = {0};
    HD_GO(plan(&p, s, err));
    p.sums = blocks;
    sums[0] = sums[1] = 0;
    HD_GO(hd_par_run(p.n_blocks, visit_block, &p, err));
    for (size_t i = 0; i < p.n_blocks; i++) {
        sums[0] += blocks[2 * i];
        sums[1] += blocks[2 * i + 1];
    }
out:
    hd_free(p.beta_x);
    return rc;
}

/* --- Normal equations ------------------------------------------------------------------------- */

/* Where a block keeps its sums: products of numbers with numbers and the response; of indicators
 * with indicators (p * p), numbers (p * n_x) and the response (p); tail. */
typedef struct areas {
    double *numbers, *indicators, *mixed, *response;
    hd_glm_tail *tail;
} areas;

static areas areas_of(const pass *p, size_t block)
{
    const hd_glm_data *d = p->s->d;
    size_t columns = d->n_levels ? d->p : 0;
    double *at = p->sums + block * p->stride;
    areas a = {.numbers = at};
    a.indicators = a.numbers + hd_glm_cells(d->n_x);
    a.mixed = a.indicators + columns * columns;
    a.response = a.mixed + columns * d->n_x;
    a.tail = (hd_glm_tail *)(void *)(a.response + columns);
    return a;
}

static void add_indicators(const pass *p, const hd_glm_tile *t, size_t k, areas *a)
{
    const hd_glm_data *d = p->s->d;
    const uint32_t *levels = d->levels + (t->from + k) * d->n_levels;
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
    hd_glm_tile *t = NULL;
    hd_code rc = HD_OK;
    size_t end = (block + 1) * p->block < p->tiles ? (block + 1) * p->block : p->tiles;
    HD_GO(new_tile(p, &t, err));
    for (size_t i = block * p->block; i < end; i++) {
        load(p, i, t);
        predict(p, t);
        if (p->mean)
            memcpy(p->mean + t->from, t->mu, t->n * sizeof *t->mu);
        hd_glm_tile_weigh(t, p->s->family, p->s->theta, a.tail);
        hd_glm_tile_cross(t, d->n_x, a.numbers);
        for (size_t k = 0; k < t->n && d->n_levels; k++)
            if (t->prior[k] > 0)
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

static void add_tail(const hd_glm_tail *tail, hd_glm_sums *out)
{
    for (size_t i = 0; i < LANES; i++) {
        out->deviance += tail->deviance[i];
        out->separated += tail->separated[i];
        out->chi_square += tail->chi_square[i];
    }
}

static void add_block(const pass *p, size_t block, hd_glm_sums *out)
{
    const hd_glm_data *d = p->s->d;
    areas a = areas_of(p, block);
    for (size_t j = 0; j < d->n_x; j++) {
        for (size_t k = j; k < d->n_x; k++)
            add_cell(out, d->p, x_column(d, j), x_column(d, k),
                     a.numbers[hd_glm_cell(j, k, d->n_x)]);
        out->b[x_column(d, j)] += a.numbers[hd_glm_cell(j, d->n_x, d->n_x)];
    }
    for (size_t i = 0; i < d->p && d->n_levels; i++) {
        for (size_t j = i; j < d->p; j++)
            out->a[i * d->p + j] += a.indicators[i * d->p + j];
        for (size_t j = 0; j < d->n_x; j++)
            add_cell(out, d->p, i, x_column(d, j), a.mixed[i * d->n_x + j]);
        out->b[i] += a.response[i];
    }
    add_tail(a.tail, out);
}

hd_code hd_glm_normal(const hd_glm_state *s, hd_glm_sums *out, double *mean, hd_err *err)
{
    hd_code rc = HD_OK;
    const hd_glm_data *d = s->d;
    pass p = {.mean = mean};
    size_t columns = d->n_levels ? d->p : 0;
    p.stride = hd_glm_cells(d->n_x) + columns * (columns + d->n_x + 1) +
               sizeof(hd_glm_tail) / sizeof(double);
    HD_GO(plan(&p, s, err));
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
    hd_free(p.beta_x);
    return rc;
}

/* --- The score -------------------------------------------------------------------------------- */

/* Where a block keeps its sums: of the numbers, of all columns (the indicators), tail. */
static double *score_of(const pass *p, size_t block, hd_glm_tail **tail)
{
    double *at = p->sums + block * p->stride;
    *tail = (hd_glm_tail *)(void *)(at + p->s->d->n_x + LANES + p->s->d->p);
    return at;
}

static hd_code score_block(void *context, size_t block, hd_err *err)
{
    const pass *p = context;
    const hd_glm_data *d = p->s->d;
    hd_glm_tail *tail;
    double *numbers = score_of(p, block, &tail), *indicators = numbers + d->n_x + LANES;
    hd_glm_tile *t = NULL;
    hd_code rc = HD_OK;
    size_t end = (block + 1) * p->block < p->tiles ? (block + 1) * p->block : p->tiles;
    HD_GO(new_tile(p, &t, err));
    for (size_t i = block * p->block; i < end; i++) {
        load(p, i, t);
        predict(p, t);
        hd_glm_tile_weigh(t, p->s->family, p->s->theta, tail);
        hd_glm_tile_score(t, d->n_x, numbers);
        for (size_t k = 0; k < t->n && d->n_levels; k++) {
            const uint32_t *levels = d->levels + (t->from + k) * d->n_levels;
            for (size_t f = 0; f < d->n_levels; f++)
                if (levels[f] != HD_GLM_REFERENCE)
                    indicators[levels[f]] += t->u[k];
        }
    }
out:
    free_tile(t);
    return rc;
}

hd_code hd_glm_score(const hd_glm_state *s, hd_glm_sums *out, hd_err *err)
{
    hd_code rc = HD_OK;
    const hd_glm_data *d = s->d;
    pass p = {.stride = d->n_x + LANES + d->p + sizeof(hd_glm_tail) / sizeof(double)};
    HD_GO(plan(&p, s, err));
    p.sums = hd_calloc(p.n_blocks * p.stride + 1, sizeof *p.sums);
    if (!p.sums)
        HD_GO(hd_fail_nomem(err));
    memset(out->b, 0, d->p * sizeof *out->b);
    out->deviance = out->separated = out->chi_square = 0;
    HD_GO(hd_par_run(p.n_blocks, score_block, &p, err));
    for (size_t k = 0; k < p.n_blocks; k++) {
        hd_glm_tail *tail;
        const double *numbers = score_of(&p, k, &tail), *indicators = numbers + d->n_x + LANES;
        for (size_t j = 0; j < d->n_x; j++)
            out->b[x_column(d, j)] += numbers[j];
        for (size_t j = 0; j < d->p; j++)
            out->b[j] += indicators[j];
        add_tail(tail, out);
    }
out:
    hd_free(p.sums);
    hd_free(p.beta_x);
    return rc;
}
