/* value.c - single values as text, and text made harmless. */
#include "present/present.h"

#include "base/date.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

static void put_decimal(hd_buf *out, double x)
{
    char text[40];
    if (!isfinite(x))
        return;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    hd_buf_str(out, text);
}

void hd_present_value(hd_buf *out, const hd_value *v)
{
    char day[11];
    if (v->is_null)
        return;
    switch (v->type) {
    case HD_TEXT:
        hd_buf_add(out, v->text.bytes, v->text.len);
        break;
    case HD_INTEGER:
        hd_buf_printf(out, "%" PRId64, v->integer);
        break;
    case HD_DECIMAL:
        put_decimal(out, v->decimal);
        break;
    case HD_DATE:
        hd_date_format((int32_t)v->integer, day);
        hd_buf_str(out, day);
        break;
    case HD_BOOLEAN:
        hd_buf_str(out, v->integer ? "true" : "false");
        break;
    }
}

size_t hd_present_utf8(const char *p, size_t len)
{
    const unsigned char *s = (const unsigned char *)p;
    if (len == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] >= 0xF0 && s[0] <= 0xF4 ? 4 : s[0] >= 0xE0 ? 3 : s[0] >= 0xC2 ? 2 : 0;
    if (s[0] > 0xF4 || n == 0 || n > len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    bool is_bad = (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
                  (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F);
    return is_bad ? 0 : n;
}

bool hd_present_is_control(const char *p)
{
    const unsigned char *s = (const unsigned char *)p;
    return s[0] < 0x20 || s[0] == 0x7F || (s[0] == 0xC2 && s[1] < 0xA0);
}

void hd_present_json_text(hd_buf *out, const char *bytes, size_t len)
{
    hd_buf_char(out, '"');
    for (size_t i = 0; i < len;) {
        size_t n = hd_present_utf8(bytes + i, len - i);
        unsigned char c = (unsigned char)bytes[i];
        if (n == 0)
            hd_buf_str(out, REPLACEMENT);
        else if (c == '"' || c == '\\')
            hd_buf_printf(out, "\\%c", c);
        else if (hd_present_is_control(bytes + i))
            hd_buf_printf(out, "\\u%04x", n == 1 ? c : (unsigned char)bytes[i + 1]);
        else
            hd_buf_add(out, bytes + i, n);
        i += n ? n : 1;
    }
    hd_buf_char(out, '"');
}

static const char *html_escape(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return c < 0x20 && c != '\n' && c != '\t' ? REPLACEMENT : c == 0x7F ? REPLACEMENT : NULL;
    }
}

void hd_present_html_text(hd_buf *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = hd_present_utf8(bytes + i, len - i);
        unsigned char c = (unsigned char)bytes[i];
        bool is_c1 = n == 2 && hd_present_is_control(bytes + i);
        const char *escape = n && !is_c1 ? html_escape(c) : REPLACEMENT;
        if (escape)
            hd_buf_str(out, escape);
        else
            hd_buf_add(out, bytes + i, n);
        i += n ? n : 1;
    }
}

void hd_present_plain_text(hd_buf *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = hd_present_utf8(bytes + i, len - i);
        char c = bytes[i];
        if (n > 0 && (!hd_present_is_control(bytes + i) || c == '\t' || c == '\n'))
            hd_buf_add(out, bytes + i, n);
        else
            hd_buf_str(out, REPLACEMENT);
        i += n ? n : 1;
    }
}
