/* err.h - how a function says that it failed, and what every file may assume.
 *
 * A function that can fail returns hd_code and takes an hd_err last. The text is set where the
 * failure happens (hd_fail) and passed on untouched; it is one line that a person can act on:
 * what, where (file, row, column, setting), what to do. It never holds a data value.
 * Programmer errors are not runtime errors: HD_ALWAYS aborts, also in release builds.
 */
#ifndef HD_BASE_ERR_H
#define HD_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HD_MUST         __attribute__((warn_unused_result))
#define HD_PRINTF(f, a) __attribute__((format(printf, f, a)))

typedef enum hd_code {
    HD_OK = 0,
    HD_NOMEM,    /* an allocation failed                                   */
    HD_IO,       /* the operating system refused a file operation; err.os  */
    HD_FORMAT,   /* a file is not what it claims to be, or is damaged      */
    HD_CRYPTO,   /* a seal does not open: wrong key or altered bytes       */
    HD_DENIED,   /* policy or missing right                                */
    HD_NOTFOUND, /* named thing does not exist                             */
    HD_CONFLICT, /* exists already, in use, or would overwrite newer data  */
    HD_LIMIT,    /* a stated limit would be passed                         */
    HD_INVALID,  /* what the caller or the user asked for makes no sense   */
    HD_CANCELLED /* the asker stopped it                                   */
} hd_code;

typedef struct hd_err {
    hd_code code;
    int os; /* errno for HD_IO, else 0 */
    char text[480];
} hd_err;

/* Set err (may be NULL) and return code, for `return hd_fail(err, HD_IO, "...")`. */
hd_code hd_fail(hd_err *err, hd_code code, const char *fmt, ...) HD_PRINTF(3, 4);

/* As hd_fail with HD_IO, and ": <strerror(errno)>" appended. */
hd_code hd_fail_os(hd_err *err, const char *fmt, ...) HD_PRINTF(2, 3);

/* HD_NOMEM with the standard text. */
hd_code hd_fail_nomem(hd_err *err);

/* Put "context: " in front of the text that is there; for boundaries only. Returns err->code. */
hd_code hd_context(hd_err *err, const char *fmt, ...) HD_PRINTF(2, 3);

_Noreturn void hd_broken(const char *file, int line, const char *what);
#define HD_ALWAYS(cond) ((cond) ? (void)0 : hd_broken(__FILE__, __LINE__, #cond))

/* Propagate a failure: HD_TRY(hd_thing(..., err)); only where nothing needs releasing. */
#define HD_TRY(call)                                                                               \
    do {                                                                                           \
        hd_code hd_try_code = (call);                                                              \
        if (hd_try_code != HD_OK)                                                                  \
            return hd_try_code;                                                                    \
    } while (0)

/* As HD_TRY where the function ends with `out:` and returns `rc`. */
#define HD_GO(call)                                                                                \
    do {                                                                                           \
        rc = (call);                                                                               \
        if (rc != HD_OK)                                                                           \
            goto out;                                                                              \
    } while (0)

#endif
