/* places.c - see places.h. A place is the set of dimensions that do not stand on their total, a bit
 * each. */
#include "disclosure/places.h"

enum { PLACES = 1 << HD_LATTICE_DIMENSIONS };

static unsigned place_of(const hd_sheet *t, size_t cell)
{
    unsigned place = 0;
    uint32_t codes[HD_LATTICE_DIMENSIONS];
    hd_lattice_codes(t->lattice, cell, codes);
    for (size_t d = 0; d < t->n_dims; d++)
        if (codes[t->lattice_dim[d]] != t->axes[d].place[t->axes[d].total])
            place |= 1U << d;
    return place;
}

static void put_dimensions(const hd_sheet *t, unsigned place, const char *by, hd_buf *b)
{
    if (!place)
        hd_buf_str(b, "the total");
    for (size_t d = 0; d < t->n_dims; d++)
        if (place >> d & 1) {
            hd_buf_printf(b, "%s%s", by, t->axes[d].name);
            by = ", ";
        }
}

void hd_places_put(const hd_sheet *t, size_t cell, hd_buf *b)
{
    put_dimensions(t, place_of(t, cell), "one by ", b);
}

void hd_places_put_share(const hd_sheet *t, const bool *is_asked, const bool *is_had, hd_buf *b)
{
    size_t n_asked[PLACES] = {0}, n_had[PLACES] = {0};
    const char *comma = "";
    for (size_t c = 0; c < t->n_cells; c++)
        if (is_asked[c]) {
            unsigned place = place_of(t, c);
            n_asked[place]++;
            n_had[place] += is_had[c];
        }
    for (int n_dims = 0; n_dims <= HD_LATTICE_DIMENSIONS; n_dims++)
        for (unsigned place = 0; place < PLACES; place++) {
            if (!n_asked[place] || __builtin_popcount(place) != n_dims)
                continue;
            hd_buf_printf(b, "%s%zu of %zu ", comma, n_had[place], n_asked[place]);
            put_dimensions(t, place, "by ", b);
            comma = "; ";
        }
}
