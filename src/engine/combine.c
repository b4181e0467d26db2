/* combine.c - see combine.h. */
#include "engine/combine.h"
#include "base/alloc.h"
#include "engine/order.h"

#include <string.h>

/* ---- operands -------------------------------------------------------------------------------- */

bool hd_operand_is_made(hd_operand s)
{
    const order_data *d = s.order ? s.order->data->thing : NULL;
    return s.element || (d && !d->data);
}

size_t hd_operand_stored(hd_operand s, size_t *out)
{
    size_t n = 0;
    if (!s.order) {
        out[n++] = s.column;
        return n;
    }
    for (size_t i = 0; hd_operand_is_made(s) && i < s.order->n_parts; i++)
        if (!s.order->parts[i].order)
            out[n++] = s.order->parts[i].column;
    return n;
}

/* ---- codes ----------------------------------------------------------------------------------- */

#define READ(type)                                                                                 \
    {                                                                                              \
        const type *codes = s->column.data;                                                        \
        const uint32_t *starts = s->column.starts ? s->column.starts + base : NULL;                \
        uint32_t element = s->element - 1;                                                         \
        if (!starts)                                                                               \
            for (size_t i = 0; i < n; i++)                                                         \
                out[i] = codes[base + i];                                                          \
        else                                                                                       \
            for (size_t i = 0; i < n; i++)                                                         \
                out[i] = starts[i + 1] - starts[i] > element ? codes[starts[i] + element] : 0;     \
    }

void hd_read_codes(const hd_code_source *s, uint64_t base, size_t n, uint32_t *out)
{
    if (s->column.width == 1)
        READ(uint8_t)
    else if (s->column.width == 2)
        READ(uint16_t)
    else
        READ(uint32_t)
}

void hd_put_codes(const uint32_t *codes, size_t n, unsigned width, void *out, uint64_t base)
{
    if (width == 1)
        for (size_t i = 0; i < n; i++)
            ((uint8_t *)out)[base + i] = (uint8_t)codes[i];
    else if (width == 2)
        for (size_t i = 0; i < n; i++)
            ((uint16_t *)out)[base + i] = (uint16_t)codes[i];
    else
        memcpy((uint32_t *)out + base, codes, n * sizeof *codes);
}

/* ---- combinations ---------------------------------------------------------------------------- */

void hd_number_rows(const hd_combined *c, const hd_code_source *parts, uint64_t base, size_t n,
                    uint32_t *scratch, uint32_t *number)
{
    hd_read_codes(&parts[0], base, n, number);
    for (size_t p = 1; p < c->n_parts; p++) {
        uint32_t times = c->times[p];
        hd_read_codes(&parts[p], base, n, scratch);
        for (size_t i = 0; i < n; i++)
            number[i] = number[i] * times + scratch[i];
    }
}

static inline __attribute__((always_inline)) void look_up(const hd_combined *c, size_t n,
                                                          uint32_t *number)
{
    for (size_t i = 0; i < n; i++) {
        const hd_place *p = &c->places[number[i] / 64];
        uint64_t below = (UINT64_C(1) << number[i] % 64) - 1;
        number[i] = c->code[p->before + (uint32_t)__builtin_popcountll(p->there & below)];
    }
}

#if defined(__x86_64__)
__attribute__((target("popcnt"))) static void look_up_popcnt(const hd_combined *c, size_t n,
                                                             uint32_t *number)
{
    look_up(c, n, number);
}
#endif

void hd_numbers_to_codes(const hd_combined *c, size_t n, uint32_t *number)
{
    if (!c->places) {
        for (size_t i = 0; i < n; i++)
            number[i] = c->code[number[i]];
        return;
    }
#if defined(__x86_64__)
    if (__builtin_cpu_supports("popcnt")) {
        look_up_popcnt(c, n, number);
        return;
    }
#endif
    look_up(c, n, number);
}

size_t hd_combined_bytes(const hd_combined *c)
{
    return (c->places ? (size_t)(c->n / 64 + 1) * sizeof *c->places : 0) +
           (size_t)c->n_values * sizeof *c->code;
}

void hd_combined_free(hd_combined *c)
{
    if (!c)
        return;
    hd_secret_unmap(c->places, (size_t)(c->n / 64 + 1) * sizeof *c->places);
    hd_free(c->code);
    hd_free(c);
}

/* ---- stored columns -------------------------------------------------------------------------- */

hd_code hd_parts_open(hd_parts *out, const hd_engine *e, hd_table *t, const hd_operand *operands,
                      size_t n, hd_err *err)
{
    size_t columns[HD_MAX_PARTS], at[HD_MAX_PARTS], n_columns = 0;
    *out = (hd_parts){.n = n};
    for (size_t p = 0; p < n; p++) {
        at[p] = 0;
        while (at[p] < n_columns && columns[at[p]] != operands[p].column)
            at[p]++;
        if (!operands[p].order && at[p] == n_columns)
            columns[n_columns++] = operands[p].column;
    }
    const hd_feed_wish wish = {.columns = columns,
                               .n_columns = n_columns,
                               .may_stream = true,
                               .must_stream = e->limits.always_streams,
                               .spare = e->limits.memory_bytes / 4};
    HD_TRY(hd_feed_open(&out->feed, t, &wish, err));
    for (size_t p = 0; p < n; p++) {
        const order_data *d = operands[p].order ? operands[p].order->data->thing : NULL;
        HD_ALWAYS(!d || d->data);
        out->sources[p] = (hd_code_source){
            .column = d ? (hd_column){.width = d->width, .data = d->data}
                        : *hd_feed_column(out->feed, at[p]),
            .element = operands[p].element};
    }
    return HD_OK;
}

void hd_parts_close(hd_parts *p)
{
    hd_feed_close(p->feed);
    p->feed = NULL;
}
