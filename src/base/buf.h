/* buf.h - a growing byte buffer with a ceiling, always NUL-terminated.
 *
 * Failures stick: after the first one nothing more is added and hd_buf_ok() is false, so a long
 * run of hd_buf_printf needs one check at the end.
 */
#ifndef HD_BASE_BUF_H
#define HD_BASE_BUF_H

#include "base/err.h"

typedef struct hd_buf {
    char *data; /* "" until something is added; NUL-terminated */
    size_t len;
    size_t cap;
    size_t max; /* bytes; passing it is a failure */
    bool failed;
} hd_buf;

void hd_buf_init(hd_buf *b, size_t max);
void hd_buf_free(hd_buf *b); /* also after a failure; leaves it empty */
void hd_buf_add(hd_buf *b, const void *bytes, size_t len);
void hd_buf_str(hd_buf *b, const char *s);
void hd_buf_char(hd_buf *b, char c);
void hd_buf_printf(hd_buf *b, const char *fmt, ...) HD_PRINTF(2, 3);
void hd_buf_clear(hd_buf *b);
static inline bool hd_buf_ok(const hd_buf *b)
{
    return !b->failed;
}
/* Take the bytes (caller frees with hd_free); NULL after a failure. The buffer is empty then. */
HD_MUST char *hd_buf_take(hd_buf *b);
/* HD_OK, or HD_NOMEM when anything failed. */
HD_MUST hd_code hd_buf_check(const hd_buf *b, hd_err *err);

#endif
