/* stat_terms.c - see stat_terms.h. A task reads some thousand rows with level numbers of its own;
 * the numbers that hold for the whole table are given afterwards, task by task, in the order of
 * rows. */
#include "cli/stat_terms.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"

enum { TASK_ROWS = 1 << 12, MAX_LEVELS = 2000, SAMPLE = 1 << 16, CENTRE_ROWS = 4096, FAR = 8 };

void hd_terms_free(hd_terms *m)
{
    for (size_t i = 0; i < m->n_terms; i++) {
        hd_intern_free(m->terms[i].levels);
        hd_free(m->terms[i].counts);
        hd_free(m->terms[i].column_of);
    }
    hd_intern_free(m->patterns);
    hd_free(m->names);
    hd_free(m->x);
    hd_free(m->y);
    hd_free(m->n_trials);
    hd_free(m->prior);
    hd_free(m->shift);
    hd_free(m->levels);
}

/* A list "age,sex=M" into terms. */
static hd_code add_terms(hd_stat *s, hd_terms *m, const char *text, bool categorical, hd_err *err)
{
    while (text && *text) {
        if (m->n_terms == HD_TERMS)
            return hd_fail(err, HD_LIMIT, "a model takes at most %d terms", HD_TERMS);
        hd_term *t = &m->terms[m->n_terms];
        size_t len = strcspn(text, ","), name = strcspn(text, ",=");
        if (name == 0 || name >= sizeof t->name || len - name >= sizeof t->reference)
            return hd_fail(err, HD_INVALID,
                           "a list of terms must be column names joined by commas");
        *t = (hd_term){.categorical = categorical};
        memcpy(t->name, text, name);
        if (name < len && !categorical)
            return hd_fail(err, HD_INVALID, "only a categorical term has a reference level");
        if (name < len)
            memcpy(t->reference, text + name + 1, len - name - 1);
        t->column = hd_stat_find(s, t->name);
        if (t->column < 0)
            return hd_fail(err, HD_INVALID, "there is no column %.60s for the model", t->name);
        m->n_terms++;
        t->at = categorical ? m->n_levels++ : m->n_x++;
        t->levels = categorical ? hd_intern_new() : NULL;
        t->counts = categorical ? hd_calloc(MAX_LEVELS + 1, sizeof *t->counts) : NULL;
        if (categorical && (!t->levels || !t->counts))
            return hd_fail_nomem(err);
        text += len + (text[len] == ',');
    }
    return HD_OK;
}

hd_code hd_terms_find(hd_stat *s, hd_terms *m, hd_err *err)
{
    m->outcome = hd_stat_column_of(s, "outcome");
    m->trials = hd_stat_column_of(s, "trials");
    m->weights = hd_stat_column_of(s, "weights");
    m->offset = hd_stat_column_of(s, "offset");
    m->use = hd_stat_column_of(s, "use");
    m->n_x = 1;
    m->patterns = hd_intern_new();
    if (!m->patterns)
        return hd_fail_nomem(err);
    HD_TRY(add_terms(s, m, hd_stat_text(s, "categorical"), true, err));
    return add_terms(s, m, hd_stat_text(s, "numeric"), false, err);
}

/* --- Reading ---------------------------------------------------------------------------------- */

static hd_code widen(void *array, size_t n, size_t item, hd_err *err)
{
    void **at = array;
    void *bigger = hd_realloc_n(*at, n, item);
    if (!bigger)
        return hd_fail_nomem(err);
    *at = bigger;
    return HD_OK;
}

/* Room for n more rows. */
static hd_code reserve(hd_terms *m, size_t n, hd_err *err)
{
    if (m->cap - m->n >= n)
        return HD_OK;
    size_t cap = m->cap + m->cap / 2;
    cap = cap < m->n + n ? m->n + n : cap;
    HD_TRY(widen(&m->x, hd_glm_room(cap, m->n_x), sizeof *m->x, err));
    HD_TRY(widen(&m->y, cap, sizeof *m->y, err));
    HD_TRY(widen(&m->n_trials, cap, sizeof *m->n_trials, err));
    HD_TRY(widen(&m->prior, cap, sizeof *m->prior, err));
    HD_TRY(widen(&m->shift, cap, sizeof *m->shift, err));
    HD_TRY(widen(&m->levels, cap * (m->n_levels + 1), sizeof *m->levels, err));
    m->cap = cap;
    return HD_OK;
}

typedef struct task {
    hd_stat *s;
    hd_terms *m;
    size_t from, to;    /* rows shown */
    size_t at, used;    /* rows of the design: first, how many */
    hd_intern **locals; /* of the categorical terms */
} task;

/* Outcome, trials, weight, offset of a row; *fits: none is blank that is needed, and it is used. */
static hd_code read_outcome(hd_stat *s, const hd_terms *m, size_t row, double v[4], bool *fits,
                            hd_err *err)
{
    double use;
    v[1] = v[2] = 1;
    v[3] = 0;
    HD_TRY(hd_stat_number(s, row, m->outcome, &v[0], err));
    if (m->trials >= 0 && m->family == HD_BINOMIAL)
        HD_TRY(hd_stat_count(s, row, m->trials, &v[1], err));
    if (m->weights >= 0)
        HD_TRY(hd_stat_count(s, row, m->weights, &v[2], err));
    if (m->offset >= 0)
        HD_TRY(hd_stat_number(s, row, m->offset, &v[3], err));
    HD_TRY(hd_stat_number(s, row, m->use, &use, err));
    *fits = !isnan(v[0]) && !isnan(v[1]) && !isnan(v[2]) && !isnan(v[3]) && use != 0;
    return HD_OK;
}

static hd_code read_numeric(hd_stat *s, const hd_terms *m, size_t row, double *x, size_t at,
                            bool *known, hd_err *err)
{
    x[hd_glm_at(at, 0, m->n_x)] = 1;
    for (size_t i = 0; i < m->n_terms; i++) {
        const hd_term *t = &m->terms[i];
        if (t->categorical) {
            *known = *known && !hd_stat_blank(s, row, t->column);
            continue;
        }
        double *v = &x[hd_glm_at(at, t->at, m->n_x)];
        HD_TRY(hd_stat_number(s, row, t->column, v, err));
        *known = *known && !isnan(*v);
    }
    for (size_t j = 0; j < m->n_x && !*known; j++)
        x[hd_glm_at(at, j, m->n_x)] = 0;
    return HD_OK;
}

static hd_code read_row(task *k, size_t row, hd_err *err)
{
    const hd_terms *m = k->m;
    size_t at = k->at + k->used;
    double v[4];
    bool fits;
    HD_TRY(read_outcome(k->s, m, row, v, &fits, err));
    HD_TRY(read_numeric(k->s, m, row, m->x, at, &fits, err));
    if (!fits)
        return HD_OK;
    if (v[0] < 0 || (m->family == HD_BINOMIAL && v[0] > v[1]))
        return hd_stat_refuse(k->s, row, m->outcome, err,
                              "the outcome is out of range for the family");
    for (size_t i = 0; i < m->n_terms; i++) {
        const hd_term *t = &m->terms[i];
        if (!t->categorical)
            continue;
        const char *text = hd_stat_cell(k->s, row, t->column);
        HD_TRY(hd_intern_add(k->locals[t->at], text, strlen(text),
                             &m->levels[at * m->n_levels + t->at], err));
    }
    m->y[at] = v[0];
    m->n_trials[at] = v[1];
    m->prior[at] = v[2];
    m->shift[at] = v[3];
    k->used++;
    return HD_OK;
}

static hd_code run_task(void *context, size_t which, hd_err *err)
{
    task *k = (task *)context + which;
    for (size_t i = k->from; i < k->to; i++)
        HD_TRY(read_row(k, i, err));
    return HD_OK;
}

/* Give the levels of a task the numbers of the table. */
static hd_code renumber(hd_terms *m, const task *k, hd_err *err)
{
    for (size_t i = 0; i < m->n_terms; i++) {
        hd_term *t = &m->terms[i];
        uint32_t map[TASK_ROWS];
        if (!t->categorical)
            continue;
        for (uint32_t l = 0; l < hd_intern_count(k->locals[t->at]); l++) {
            size_t len;
            const char *text = hd_intern_get(k->locals[t->at], l, &len);
            HD_TRY(hd_intern_add(t->levels, text, len, &map[l], err));
            if (map[l] >= MAX_LEVELS)
                return hd_fail(err, HD_LIMIT, "term %.60s has more than %d levels: is it numeric?",
                               t->name, MAX_LEVELS);
        }
        for (size_t r = k->at; r < k->at + k->used; r++) {
            uint32_t *level = &m->levels[r * m->n_levels + t->at];
            *level = map[*level];
            t->counts[*level]++;
        }
    }
    return HD_OK;
}

static void move_row(hd_terms *m, size_t from, size_t to)
{
    if (from == to)
        return;
    for (size_t j = 0; j < m->n_x; j++)
        m->x[hd_glm_at(to, j, m->n_x)] = m->x[hd_glm_at(from, j, m->n_x)];
    memcpy(m->levels + to * m->n_levels, m->levels + from * m->n_levels,
           m->n_levels * sizeof *m->levels);
    m->y[to] = m->y[from];
    m->n_trials[to] = m->n_trials[from];
    m->prior[to] = m->prior[from];
    m->shift[to] = m->shift[from];
}

/* Put row `from` behind the others, or add its weight to the row that equals it. */
static hd_code keep_row(hd_terms *m, size_t from, hd_buf *key, hd_err *err)
{
    uint32_t id;
    const double rest[] = {m->y[from], m->n_trials[from], m->shift[from]};
    if (m->prior[from] <= 0 || m->n_trials[from] <= 0)
        return HD_OK;
    m->rows++;
    if (m->patterns) {
        hd_buf_clear(key);
        for (size_t j = 1; j < m->n_x; j++)
            hd_buf_add(key, &m->x[hd_glm_at(from, j, m->n_x)], sizeof *m->x);
        hd_buf_add(key, m->levels + from * m->n_levels, m->n_levels * sizeof *m->levels);
        hd_buf_add(key, rest, sizeof rest);
        HD_TRY(hd_buf_check(key, err));
        HD_TRY(hd_intern_add(m->patterns, key->data, key->len, &id, err));
        if (id < m->n) {
            m->prior[id] += m->prior[from];
            return HD_OK;
        }
    }
    move_row(m, from, m->n++);
    return HD_OK;
}

hd_code hd_terms_read(hd_stat *s, hd_terms *m, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t rows = hd_stat_n_rows(s), n = (rows + TASK_ROWS - 1) / TASK_ROWS;
    hd_buf key;
    hd_buf_init(&key, SIZE_MAX / 2);
    task *tasks = hd_calloc(n + 1, sizeof *tasks);
    hd_intern **locals = hd_calloc(n * m->n_levels + 1, sizeof(hd_intern *));
    if (!tasks || !locals)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < n * m->n_levels; i++)
        if (!(locals[i] = hd_intern_new()))
            HD_GO(hd_fail_nomem(err));
    HD_GO(reserve(m, rows, err));
    for (size_t i = 0; i < n; i++)
        tasks[i] = (task){.s = s,
                          .m = m,
                          .from = i * TASK_ROWS,
                          .to = i + 1 < n ? (i + 1) * TASK_ROWS : rows,
                          .at = m->n + i * TASK_ROWS,
                          .locals = locals + i * m->n_levels};
    HD_GO(hd_par_run(n, run_task, tasks, err));
    for (size_t i = 0; i < n; i++) {
        const task *k = &tasks[i];
        HD_GO(renumber(m, k, err));
        for (size_t r = k->at; r < k->at + k->used; r++)
            HD_GO(keep_row(m, r, &key, err));
        if (m->patterns && m->rows > SAMPLE && (double)m->n > m->rows / 2) {
            hd_intern_free(m->patterns);
            m->patterns = NULL;
        }
    }
out:
    for (size_t i = 0; locals && i < n * m->n_levels; i++)
        hd_intern_free(locals[i]);
    hd_free(locals);
    hd_free(tasks);
    hd_buf_free(&key);
    return rc;
}

/* --- Columns ---------------------------------------------------------------------------------- */

static bool level_before(const hd_intern *levels, uint32_t a, uint32_t b)
{
    size_t la, lb;
    const char *x = hd_intern_get(levels, a, &la), *y = hd_intern_get(levels, b, &lb);
    int c = memcmp(x, y, la < lb ? la : lb);
    return c ? c < 0 : la < lb;
}

/* Levels in the order of their names; the reference is the one named, else the most frequent. */
static hd_code choose_levels(hd_term *t, hd_err *err)
{
    uint32_t n = hd_intern_count(t->levels), reference = 0, order[MAX_LEVELS];
    t->column_of = hd_calloc((size_t)n + 1, sizeof *t->column_of);
    if (!t->column_of)
        return hd_fail_nomem(err);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = i;
        for (; at > 0 && level_before(t->levels, i, order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    if (t->reference[0]) {
        reference = hd_intern_find(t->levels, t->reference, strlen(t->reference));
        if (reference == HD_INTERN_NONE)
            return hd_fail(err, HD_INVALID, "the reference level of %.60s does not occur", t->name);
    } else {
        for (uint32_t i = 0; i < n; i++)
            if (i == 0 || t->counts[order[i]] > t->counts[reference])
                reference = order[i];
    }
    uint32_t column = (uint32_t)t->first;
    for (uint32_t i = 0; i < n; i++)
        t->column_of[order[i]] = order[i] == reference ? HD_GLM_REFERENCE : column++;
    return HD_OK;
}

static hd_code name_columns(hd_terms *m, hd_err *err)
{
    m->names = hd_calloc(m->p, sizeof *m->names);
    if (!m->names)
        return hd_fail_nomem(err);
    snprintf(m->names[0], sizeof m->names[0], "(intercept)");
    for (size_t i = 0; i < m->n_terms; i++) {
        const hd_term *t = &m->terms[i];
        if (!t->categorical)
            snprintf(m->names[t->first], sizeof m->names[0], "%s", t->name);
        for (uint32_t k = 0; t->categorical && k < hd_intern_count(t->levels); k++) {
            size_t len;
            const char *level = hd_intern_get(t->levels, k, &len);
            if (t->column_of[k] != HD_GLM_REFERENCE)
                snprintf(m->names[t->column_of[k]], sizeof m->names[0], "%s\n%.*s", t->name,
                         (int)len, level);
        }
    }
    return HD_OK;
}

/* Numbers that lie far from 0 for their spread (years, days since an epoch) lose their digits in
 * products with the intercept: their mean is taken off. A sample of rows tells, and all others stay
 * as they are. */
static void centre_numbers(hd_terms *m)
{
    size_t step = m->n / CENTRE_ROWS + 1;
    for (size_t j = 1; j < m->n_x; j++) {
        double n = 0, sum = 0, squares = 0;
        for (size_t r = 0; r < m->n; r += step, n++)
            sum += m->x[hd_glm_at(r, j, m->n_x)];
        double mean = n > 0 ? sum / n : 0;
        for (size_t r = 0; r < m->n; r += step) {
            double d = m->x[hd_glm_at(r, j, m->n_x)] - mean;
            squares += d * d;
        }
        m->centre[j] = n > 0 && fabs(mean) > FAR * sqrt(squares / n) ? mean : 0;
        for (size_t r = 0; r < m->n && m->centre[j] != 0; r++)
            m->x[hd_glm_at(r, j, m->n_x)] -= m->centre[j];
    }
}

void hd_terms_uncentre(const hd_terms *m, hd_glm_fit *f)
{
    size_t p = f->p;
    double *first = f->covariance;
    for (size_t j = 1; j < m->n_x; j++) {
        size_t at = m->x_columns[j];
        if (m->centre[j] == 0 || isnan(f->se[at]))
            continue;
        f->beta[0] -= m->centre[j] * f->beta[at];
        for (size_t k = 0; k < p; k++)
            first[k] -= m->centre[j] * f->covariance[at * p + k];
    }
    /* The first row is now t' S, the other rows are still S: what is left is t' S t. */
    double variance = first[0];
    for (size_t j = 1; j < m->n_x; j++)
        if (m->centre[j] != 0 && !isnan(f->se[m->x_columns[j]]))
            variance -= m->centre[j] * first[m->x_columns[j]];
    first[0] = variance;
    for (size_t k = 1; k < p; k++)
        f->covariance[k * p] = first[k];
    f->se[0] = sqrt(variance);
}

hd_code hd_terms_finish(hd_terms *m, hd_err *err)
{
    m->p = 1;
    centre_numbers(m);
    HD_TRY(reserve(m, 1, err));
    for (size_t i = m->n; i % HD_GLM_TILE; i++)
        for (size_t j = 0; j < m->n_x; j++)
            m->x[hd_glm_at(i, j, m->n_x)] = 0;
    for (size_t i = 0; i < m->n_terms; i++) {
        hd_term *t = &m->terms[i];
        uint32_t levels = t->categorical ? hd_intern_count(t->levels) : 2;
        t->first = m->p;
        m->p += levels ? levels - 1 : 0;
        if (t->categorical)
            HD_TRY(choose_levels(t, err));
        else
            m->x_columns[t->at] = (unsigned)t->first;
    }
    if (m->p > 4096)
        return hd_fail(err, HD_LIMIT, "the model has more than 4096 coefficients");
    for (size_t i = 0; i < m->n_terms; i++) {
        const hd_term *t = &m->terms[i];
        for (size_t r = 0; r < m->n && t->categorical; r++) {
            uint32_t *level = &m->levels[r * m->n_levels + t->at];
            *level = t->column_of[*level];
        }
    }
    return name_columns(m, err);
}

hd_glm_data hd_terms_data(const hd_terms *m)
{
    return (hd_glm_data){.n = m->n,
                         .p = m->p,
                         .n_x = m->n_x,
                         .n_levels = m->n_levels,
                         .x = m->x,
                         .x_columns = m->x_columns,
                         .levels = m->levels,
                         .y = m->y,
                         .trials = m->family == HD_BINOMIAL && m->trials >= 0 ? m->n_trials : NULL,
                         .weights = m->prior,
                         .offset = m->offset >= 0 ? m->shift : NULL,
                         .rows = m->rows};
}

/* --- Fitted values ---------------------------------------------------------------------------- */

typedef struct fitted {
    hd_stat *s;
    const hd_terms *m;
    size_t from, n;
    double *x, *offset, *weight, *trials;
    uint32_t *levels;
} fitted;

static hd_code read_fitted(void *context, size_t which, hd_err *err)
{
    fitted *f = context;
    const hd_terms *m = f->m;
    size_t to = (which + 1) * TASK_ROWS < f->n ? (which + 1) * TASK_ROWS : f->n;
    for (size_t i = which * TASK_ROWS; i < to; i++) {
        bool known = true;
        f->offset[i] = 0;
        f->trials[i] = 1;
        if (m->offset >= 0)
            HD_TRY(hd_stat_number(f->s, f->from + i, m->offset, &f->offset[i], err));
        if (m->trials >= 0)
            HD_TRY(hd_stat_number(f->s, f->from + i, m->trials, &f->trials[i], err));
        HD_TRY(read_numeric(f->s, m, f->from + i, f->x, i, &known, err));
        for (size_t j = 1; j < m->n_x && known; j++)
            f->x[hd_glm_at(i, j, m->n_x)] -= m->centre[j];
        for (size_t k = 0; k < m->n_terms; k++) {
            const hd_term *t = &m->terms[k];
            if (!t->categorical)
                continue;
            const char *text = hd_stat_cell(f->s, f->from + i, t->column);
            uint32_t level = hd_intern_find(t->levels, text, strlen(text));
            known = known && level != HD_INTERN_NONE;
            f->levels[i * m->n_levels + t->at] =
                level == HD_INTERN_NONE ? HD_GLM_REFERENCE : t->column_of[level];
        }
        f->weight[i] = known && !isnan(f->offset[i]);
    }
    return HD_OK;
}

hd_code hd_terms_fitted(hd_stat *s, const hd_terms *m, const hd_glm_fit *fit, size_t from, size_t n,
                        double *mean, hd_err *err)
{
    hd_code rc = HD_OK;
    fitted f = {.s = s, .m = m, .from = from, .n = n};
    f.x = hd_calloc(hd_glm_room(n, m->n_x) + 1, sizeof *f.x);
    f.offset = hd_calloc(n + 1, sizeof *f.offset);
    f.weight = hd_calloc(n + 1, sizeof *f.weight);
    f.trials = hd_calloc(n + 1, sizeof *f.trials);
    f.levels = hd_calloc((n + 1), (m->n_levels + 1) * sizeof *f.levels);
    if (!f.x || !f.offset || !f.weight || !f.trials || !f.levels)
        HD_GO(hd_fail_nomem(err));
    HD_GO(hd_par_run((n + TASK_ROWS - 1) / TASK_ROWS, read_fitted, &f, err));
    hd_glm_data data = hd_terms_data(m);
    data.n = n;
    data.x = f.x;
    data.levels = f.levels;
    data.y = data.trials = NULL;
    data.weights = f.weight;
    data.offset = f.offset;
    HD_GO(hd_glm_fitted(&data, m->family, fit, mean, err));
    for (size_t i = 0; i < n && m->family == HD_BINOMIAL && m->trials >= 0; i++)
        mean[i] *= f.trials[i];
out:
    hd_free(f.x);
    hd_free(f.offset);
    hd_free(f.weight);
    hd_free(f.trials);
    hd_free(f.levels);
    return rc;
}
