/* err.c - see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line only: a newline in a text would break the promise that an error is one line. */
static void flatten(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20)
            *s = ' ';
}

hd_code hd_fail(hd_err *err, hd_code code, const char *fmt, ...)
{
    if (!err)
        return code;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    flatten(err->text);
    err->code = code;
    err->os = 0;
    return code;
}

hd_code hd_fail_os(hd_err *err, const char *fmt, ...)
{
    int os = errno;
    if (!err)
        return HD_IO;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof err->text)
        snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", strerror(os));
    flatten(err->text);
    err->code = HD_IO;
    err->os = os;
    return HD_IO;
}

hd_code hd_fail_nomem(hd_err *err)
{
    return hd_fail(err, HD_NOMEM, "out of memory; close other programs or use a larger machine");
}

hd_code hd_context(hd_err *err, const char *fmt, ...)
{
    if (!err)
        return HD_INVALID;
    char old[sizeof err->text];
    memcpy(old, err->text, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof err->text)
        snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", old);
    flatten(err->text);
    return err->code;
}

_Noreturn void hd_broken(const char *file, int line, const char *what)
{
    fprintf(stderr, "hdis: internal error at %s:%d: %s does not hold\n", file, line, what);
    abort();
}
