/* cut_figures.c - see cuts.h: the figures that are looked at, and few people among them by name. */
#define _GNU_SOURCE /* qsort_r */
#include "disclosure/cuts.h"

#include "base/alloc.h"
#include "disclosure/overlaps.h"

#include <stdlib.h>

enum { FEW_FIGURES = 48 };

/* What is printed of them. */
static const hd_printed nothing = {.high = HD_NO_BOUND, .is_count = true, .is_small = true};

uint64_t hd_cut_place(const hd_account *a, size_t cell)
{
    uint64_t name = 0;
    for (size_t k = 0; k < a->n_keys; k++)
        if (a->told[cell] >> k & 1)
            name += (a->keys[cell * a->n_keys + k] | 1) * UINT64_C(0x9E3779B97F4A7C15);
    return name;
}

bool hd_cut_is_loose(const hd_account *a)
{
    size_t n_columns = a->n_columns;
    for (size_t c = 0; c < a->n_columns; c++)
        n_columns -= hd_account_is_implied(a, c);
    return a->n_cells * n_columns <= FEW_FIGURES;
}

static int compare_figures(const void *x, const void *y)
{
    const hd_cut_figure *a = x, *b = y;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    if (a->age != b->age)
        return a->age < b->age ? -1 : 1;
    return (a->item > b->item) - (a->item < b->item);
}

int hd_cut_compare_names(const void *x, const void *y)
{
    return memcmp(x, y, sizeof(uint64_t[2]));
}

static int compare_profiles(const void *x, const void *y, void *all)
{
    const hd_cut_asked *a = (const hd_cut_asked *)all + *(const uint32_t *)x;
    const hd_cut_asked *b = (const hd_cut_asked *)all + *(const uint32_t *)y;
    int differs = hd_cut_compare_names(a->by_profile, b->by_profile);
    return differs ? differs : (a > b) - (a < b);
}

void hd_cut_name(uint64_t out[2], const uint64_t sum[2], bool by_profile)
{
    hd_overlap_name(out, sum);
    out[0] |= UINT64_C(1) << (by_profile ? 62 : 63);
    out[1] |= UINT64_C(1) << (by_profile ? 63 : 62);
}

static hd_code add_figure(hd_cut_figures *s, const hd_cut_figure *f, hd_err *err)
{
    if (!HD_GROW(s->items, s->n, s->cap))
        return hd_fail_nomem(err);
    s->items[s->n++] = *f;
    return HD_OK;
}

static bool is_asked(const hd_cut_figures *s, const hd_few *few)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->items[i].printed->is_small &&
            memcmp(s->items[i].set->sum, few->set.sum, sizeof few->set.sum) == 0)
            return true;
    return false;
}

/* The latest of few people of whom earlier answers tell. */
static hd_code add_few(hd_cut_figures *s, const hd_audit *a, hd_err *err)
{
    for (size_t n = 0; n < HD_CUT_FEW && n < a->n_few; n++) {
        const hd_few *few = &a->few[a->n_few - 1 - n];
        const hd_cut_figure f = {0, 1, &few->set, &nothing, SIZE_MAX, (hd_set_kind)few->kind,
                                 true, false, true, true};
        if (!is_asked(s, few))
            HD_TRY(add_figure(s, &f, err));
    }
    return HD_OK;
}

static hd_code list_figures(hd_cut_figures *s, const hd_audit *a, hd_err *err)
{
    const hd_account *now = a->now;
    for (size_t i = 0; i < now->n_cells * now->n_columns; i++) {
        const hd_cut_figure f = {hd_cut_place(now, i / now->n_columns), 0, &now->items[i],
                          &now->printed[i], i, now->kinds[i % now->n_columns],
                          now->is_controlled, now->is_defined, hd_cut_is_loose(now)};
        if (f.printed->is_count && !hd_set_is_empty(f.set->sum))
            HD_TRY(add_figure(s, &f, err));
    }
    for (size_t i = 0; i < a->n_overlap; i++) {
        const hd_audit_figure *e = &a->overlap[i];
        const hd_cut_figure f = {e->place, a->n_overlap - i, &e->set, &e->printed, SIZE_MAX, e->kind,
                          e->is_controlled, e->is_defined, e->is_loose};
        HD_TRY(add_figure(s, &f, err));
    }
    HD_TRY(add_few(s, a, err));
    if (s->n)
        qsort(s->items, s->n, sizeof *s->items, compare_figures);
    return HD_OK;
}

static hd_code list_asked(hd_cut_figures *s, hd_err *err)
{
    for (size_t i = 0; i < s->n; i++) {
        const hd_cut_figure *f = &s->items[i];
        if (!f->printed->is_small)
            continue;
        if (!HD_GROW(s->asked, s->n_asked, s->asked_cap))
            return hd_fail_nomem(err);
        hd_cut_asked *x = &s->asked[s->n_asked++];
        x->figure = f;
        hd_cut_name(x->by_sum, f->set->sum, false);
        hd_cut_name(x->by_profile, f->set->profile.sum, true);
    }
    s->by_profile = hd_calloc(s->n_asked + 1, sizeof *s->by_profile);
    if (!s->by_profile)
        return hd_fail_nomem(err);
    if (s->n_asked)
        qsort(s->asked, s->n_asked, sizeof *s->asked, hd_cut_compare_names); /* by_sum is first */
    for (uint32_t i = 0; i < s->n_asked; i++)
        s->by_profile[i] = i;
    if (s->n_asked)
        qsort_r(s->by_profile, s->n_asked, sizeof *s->by_profile, compare_profiles, s->asked);
    return HD_OK;
}

static const hd_cut_asked *nth_asked(const hd_cut_figures *s, bool by_profile, size_t k)
{
    return &s->asked[by_profile ? s->by_profile[k] : k];
}

size_t hd_cut_find_asked(const hd_cut_figures *s, bool by_profile, const uint64_t name[2])
{
    size_t low = 0, high = s->n_asked;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const hd_cut_asked *x = nth_asked(s, by_profile, middle);
        if (hd_cut_compare_names(by_profile ? x->by_profile : x->by_sum, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const hd_cut_asked *hd_cut_asked_at(const hd_cut_figures *s, bool by_profile, size_t k,
                                    const uint64_t name[2])
{
    if (k >= s->n_asked)
        return NULL;
    const hd_cut_asked *x = nth_asked(s, by_profile, k);
    bool is_it = hd_cut_compare_names(by_profile ? x->by_profile : x->by_sum, name) == 0;
    return is_it ? x : NULL;
}

hd_code hd_cut_figures_list(hd_cut_figures *out, const hd_audit *a, hd_err *err)
{
    *out = (hd_cut_figures){.n = 0};
    HD_TRY(list_figures(out, a, err));
    return list_asked(out, err);
}

void hd_cut_figures_free(hd_cut_figures *s)
{
    hd_free(s->asked);
    hd_free(s->by_profile);
    hd_free(s->items);
}
