/* codes.c - see codes.h. */
#include "derive/codes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One item of a list; a single code has high == low. */
typedef struct item {
    const char *low, *high;
    size_t low_len, high_len;
} item;

/* Take the next item; false at the end of the list. */
static bool next_item(const char **list, item *out)
{
    const char *s = *list + strspn(*list, " ");
    size_t len = strcspn(s, " ");
    if (len == 0)
        return false;
    *list = s + len;
    const char *dash = memchr(s, '-', len);
    out->low = s;
    out->low_len = dash ? (size_t)(dash - s) : len;
    out->high = dash ? dash + 1 : s;
    out->high_len = dash ? len - out->low_len - 1 : len;
    return true;
}

bool hd_codes_are_good(const char *list)
{
    item it;
    while (next_item(&list, &it))
        if (it.low_len == 0 || it.low_len != it.high_len ||
            memcmp(it.low, it.high, it.low_len) > 0 || memchr(it.high, '-', it.high_len) != NULL)
            return false;
    return true;
}

const char *hd_code_text(const hd_value *value, char out[HD_CODE_TEXT_MAX], size_t *len)
{
    int n = 0;
    if (value->is_null)
        out[0] = '\0';
    else if (value->type == HD_TEXT) {
        *len = value->text.len;
        return value->text.bytes;
    } else if (value->type == HD_DECIMAL)
        n = snprintf(out, HD_CODE_TEXT_MAX, "%.15g", value->decimal);
    else
        n = snprintf(out, HD_CODE_TEXT_MAX, "%" PRId64, value->integer);
    HD_ALWAYS(n >= 0 && n < HD_CODE_TEXT_MAX);
    *len = (size_t)n;
    return out;
}

bool hd_codes_match(const char *list, const hd_value *value)
{
    char digits[HD_CODE_TEXT_MAX];
    size_t len;
    const char *text = hd_code_text(value, digits, &len);
    item it;
    while (next_item(&list, &it))
        if (len >= it.low_len && len > 0 && memcmp(text, it.low, it.low_len) >= 0 &&
            memcmp(text, it.high, it.high_len) <= 0)
            return true;
    return false;
}
