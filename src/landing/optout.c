/* optout.c - see optout.h. The file is read like any delivered one, so the same notations, packings
 * and limits hold; its first line is an id too unless it has no digit, which only a header has not.
 */
#include "landing/optout.h"
#include "landing/delivery.h"
#include "landing/judge.h"

#include <inttypes.h>
#include <string.h>

static hd_code add(hd_intern *ids, const char *bytes, size_t len, hd_err *err)
{
    char scratch[10];
    uint32_t id;
    if (!hd_normal_id(&bytes, &len, scratch))
        return HD_OK;
    return hd_intern_add(ids, bytes, len, &id, err);
}

static bool has_digit(const char *s)
{
    return strpbrk(s, "0123456789") != NULL;
}

hd_code hd_opt_outs_read(hd_intern **out, const char *path, hd_err *err)
{
    hd_code rc;
    hd_delivery *d = NULL;
    hd_batch b;
    *out = NULL;
    hd_intern *ids = hd_intern_new();
    if (!ids)
        return hd_fail_nomem(err);
    HD_GO(hd_delivery_open(&d, path, err));
    const char *first = hd_delivery_column(d, 0);
    if (has_digit(first))
        HD_GO(add(ids, first, strlen(first), err));
    do {
        HD_GO(hd_delivery_next(d, &b, err));
        if (b.n_defects)
            HD_GO(hd_fail(err, HD_FORMAT,
                          "%s, line %" PRIu64
                          ": this line cannot be read like the first one; one id "
                          "a line is expected",
                          hd_packed_name(path), b.defects[0].line));
        for (size_t r = 0; r < b.n_rows; r++) {
            const hd_slice f = hd_batch_field(&b, r, 0);
            HD_GO(add(ids, f.bytes, f.len, err));
        }
    } while (b.n_rows);
    if (hd_intern_count(ids) == 0)
        HD_GO(hd_fail(err, HD_FORMAT, "%s: no id in it", hd_packed_name(path)));
    *out = ids;
    ids = NULL;
out:
    hd_delivery_close(d);
    hd_intern_free(ids);
    return rc;
}
