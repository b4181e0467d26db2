/* component.c - see component.h. Names are sorted once; releases with the same name are one part. */
#include "disclosure/component.h"

#include "base/alloc.h"
#include "base/sort.h"

struct hd_component {
    uint64_t *sums, *releases; /* n: by sum when closed */
    size_t n, sums_cap, releases_cap;
    uint32_t *up; /* n_releases: a release of the same part; its own number at the top */
    size_t n_releases, up_cap;
    uint64_t *shared; /* n_shared, ascending */
    size_t n_shared, shared_cap;
};

hd_component *hd_component_new(void)
{
    return hd_calloc(1, sizeof(hd_component));
}

void hd_component_free(hd_component *c)
{
    if (!c)
        return;
    hd_free(c->sums);
    hd_free(c->releases);
    hd_free(c->up);
    hd_free(c->shared);
    hd_free(c);
}

static hd_code add_release(hd_component *c, uint32_t release, hd_err *err)
{
    while (c->n_releases <= release) {
        if (!HD_GROW(c->up, c->n_releases, c->up_cap))
            return hd_fail_nomem(err);
        c->up[c->n_releases] = (uint32_t)c->n_releases;
        c->n_releases++;
    }
    return HD_OK;
}

hd_code hd_component_name(hd_component *c, uint32_t release, uint64_t sum, hd_err *err)
{
    HD_TRY(add_release(c, release, err));
    if (!HD_GROW(c->sums, c->n, c->sums_cap) || !HD_GROW(c->releases, c->n, c->releases_cap))
        return hd_fail_nomem(err);
    c->sums[c->n] = sum;
    c->releases[c->n++] = release;
    return HD_OK;
}

static uint32_t top_of(const hd_component *c, uint32_t release)
{
    while (c->up[release] != release)
        release = c->up[release] = c->up[c->up[release]];
    return release;
}

hd_code hd_component_join(hd_component *c, uint32_t release, hd_err *err)
{
    HD_TRY(add_release(c, release, err));
    c->up[top_of(c, release)] = top_of(c, 0);
    return HD_OK;
}

hd_code hd_component_close(hd_component *c, hd_err *err)
{
    hd_code rc = HD_OK;
    uint64_t *spare = hd_malloc((c->n + 1) * sizeof *spare);
    uint64_t *spare_releases = hd_malloc((c->n + 1) * sizeof *spare_releases);
    if (!spare || !spare_releases) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    hd_sort_pairs(c->sums, c->releases, spare, spare_releases, c->n);
    for (size_t i = 1; i < c->n; i++) {
        if (c->sums[i] != c->sums[i - 1] || c->releases[i] == c->releases[i - 1])
            continue;
        c->up[top_of(c, (uint32_t)c->releases[i])] = top_of(c, (uint32_t)c->releases[i - 1]);
        if (c->n_shared && c->shared[c->n_shared - 1] == c->sums[i])
            continue;
        if (!HD_GROW(c->shared, c->n_shared, c->shared_cap))
            HD_GO(hd_fail_nomem(err));
        c->shared[c->n_shared++] = c->sums[i];
    }
out:
    hd_free(spare);
    hd_free(spare_releases);
    return rc;
}

bool hd_component_has(const hd_component *c, uint32_t release)
{
    return release < c->n_releases && top_of(c, release) == top_of(c, 0);
}

bool hd_component_is_shared(const hd_component *c, uint64_t sum)
{
    size_t low = 0, high = c->n_shared;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->shared[middle] < sum)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->n_shared && c->shared[low] == sum;
}
