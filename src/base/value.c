/* value.c - see value.h. */
#include "base/value.h"

#include "base/buf.h"

#include <string.h>

const char *hd_type_name(hd_type type)
{
    static const char *const names[] = {"text", "integer", "decimal", "date", "boolean"};
    return names[type];
}

int hd_value_compare(const hd_value *a, const hd_value *b)
{
    HD_ALWAYS(a->type == b->type);
    if (a->is_null || b->is_null)
        return (int)b->is_null - (int)a->is_null;
    if (a->type == HD_DECIMAL)
        return (a->decimal > b->decimal) - (a->decimal < b->decimal);
    if (a->type != HD_TEXT)
        return (a->integer > b->integer) - (a->integer < b->integer);
    size_t n = a->text.len < b->text.len ? a->text.len : b->text.len;
    int c = n ? memcmp(a->text.bytes, b->text.bytes, n) : 0;
    if (c != 0)
        return c < 0 ? -1 : 1;
    return (a->text.len > b->text.len) - (a->text.len < b->text.len);
}

void hd_value_put_name(hd_buf *out, hd_value v)
{
    hd_buf_char(out, v.is_null ? 'n' : 'v');
    if (v.is_null)
        return;
    if (v.type == HD_TEXT) {
        hd_buf_add(out, &v.text.len, sizeof v.text.len);
        hd_buf_add(out, v.text.bytes, v.text.len);
    } else {
        hd_buf_add(out, &v.integer, sizeof v.integer); /* decimals by their bits */
    }
}

uint64_t hd_value_hash(hd_value v)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325) ^ (v.is_null ? 1 : 2);
    const unsigned char *p = (const unsigned char *)&v.integer;
    size_t n = v.is_null ? 0 : sizeof v.integer;
    if (!v.is_null && v.type == HD_TEXT) {
        p = (const unsigned char *)v.text.bytes;
        n = v.text.len;
    }
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001B3);
    h ^= h >> 29;
    h *= UINT64_C(0xBF58476D1CE4E5B9);
    return h ^ h >> 32;
}
