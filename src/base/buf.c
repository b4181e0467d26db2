/* buf.c - see buf.h. */
#include "base/buf.h"
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char empty[1];

void hd_buf_init(hd_buf *b, size_t max)
{
    *b = (hd_buf){.data = empty, .max = max};
}

void hd_buf_free(hd_buf *b)
{
    if (b->data != empty)
        hd_free(b->data);
    hd_buf_init(b, b->max);
}

void hd_buf_clear(hd_buf *b)
{
    b->len = 0;
    if (b->data != empty)
        b->data[0] = '\0';
}

static bool reserve(hd_buf *b, size_t more)
{
    if (b->failed)
        return false;
    if (more > b->max - b->len) {
        b->failed = true;
        return false;
    }
    if (b->len + more + 1 <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 256;
    while (cap < b->len + more + 1)
        cap *= 2;
    char *p = hd_realloc(b->data == empty ? NULL : b->data, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->data = p;
    b->cap = cap;
    return true;
}

void hd_buf_add(hd_buf *b, const void *bytes, size_t len)
{
    if (!reserve(b, len))
        return;
    if (len)
        memcpy(b->data + b->len, bytes, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void hd_buf_str(hd_buf *b, const char *s)
{
    hd_buf_add(b, s, strlen(s));
}

void hd_buf_char(hd_buf *b, char c)
{
    hd_buf_add(b, &c, 1);
}

void hd_buf_printf(hd_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        b->failed = true;
    else if (reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

char *hd_buf_take(hd_buf *b)
{
    char *p = NULL;
    if (!b->failed)
        p = b->data == empty ? hd_strdup("") : b->data;
    if (b->failed && b->data != empty)
        hd_free(b->data);
    hd_buf_init(b, b->max);
    return p;
}

hd_code hd_buf_check(const hd_buf *b, hd_err *err)
{
    return b->failed ? hd_fail_nomem(err) : HD_OK;
}
