/* delivery.c - see delivery.h. Rule numbers are those of doc/methods.md. */
#include "derive/delivery.h"

#include <stdlib.h>

#include "derive/codes.h"

const char *const hd_delivery_method_labels[] = {
    "",        "elective_caesarean", "emergency_caesarean", "breech",
    "forceps", "ventouse",           "spontaneous",         "other",
    NULL};

static const struct {
    hd_method_source source;
    const char *codes;
    hd_delivery_method method;
} method_codes[] = {
    {HD_METHOD_OPCS, "R17", HD_METHOD_ELECTIVE},
    {HD_METHOD_OPCS, "R18 R251", HD_METHOD_EMERGENCY},
    {HD_METHOD_OPCS, "R19 R20", HD_METHOD_BREECH},
    {HD_METHOD_OPCS, "R21", HD_METHOD_FORCEPS},
    {HD_METHOD_OPCS, "R22", HD_METHOD_VENTOUSE},
    {HD_METHOD_OPCS, "R23 R24", HD_METHOD_SPONTANEOUS},
    {HD_METHOD_OPCS, "R252 R258 R259", HD_METHOD_OTHER},
    {HD_METHOD_D, "01", HD_METHOD_ELECTIVE},
    {HD_METHOD_D, "02", HD_METHOD_EMERGENCY},
    {HD_METHOD_D, "03 04", HD_METHOD_BREECH},
    {HD_METHOD_D, "05 06", HD_METHOD_FORCEPS},
    {HD_METHOD_D, "07", HD_METHOD_VENTOUSE},
    {HD_METHOD_D, "08 09", HD_METHOD_SPONTANEOUS},
    {HD_METHOD_D, "10", HD_METHOD_OTHER},
    {HD_METHOD_N, "7", HD_METHOD_ELECTIVE},
    {HD_METHOD_N, "8", HD_METHOD_EMERGENCY},
    {HD_METHOD_N, "5 6", HD_METHOD_BREECH},
    {HD_METHOD_N, "2 3", HD_METHOD_FORCEPS},
    {HD_METHOD_N, "4", HD_METHOD_VENTOUSE},
    {HD_METHOD_N, "0 1", HD_METHOD_SPONTANEOUS},
    {HD_METHOD_N, "9", HD_METHOD_OTHER},
};

hd_delivery_method hd_method_of(hd_method_source source, const hd_value *value)
{
    for (size_t i = 0; i < sizeof method_codes / sizeof *method_codes; i++)
        if (method_codes[i].source == source && hd_codes_match(method_codes[i].codes, value))
            return method_codes[i].method;
    return HD_METHOD_NONE;
}

static bool has(const uint8_t *methods, size_t n, hd_delivery_method m)
{
    for (size_t i = 0; i < n; i++)
        if (methods[i] == m)
            return true;
    return false;
}

static hd_delivery_method caesarean(const uint8_t *methods, size_t n)
{
    return has(methods, n, HD_METHOD_EMERGENCY)  ? HD_METHOD_EMERGENCY
           : has(methods, n, HD_METHOD_ELECTIVE) ? HD_METHOD_ELECTIVE
                                                 : HD_METHOD_NONE;
}

hd_delivery_method hd_method_decide(const uint8_t *procedures, size_t n_procedures,
                                    hd_delivery_method derived, const uint8_t *babies,
                                    size_t n_babies)
{
    hd_delivery_method m = caesarean(procedures, n_procedures); /* (a) */
    if (m == HD_METHOD_NONE)
        m = derived; /* (b) */
    for (size_t i = 0; i < n_procedures && m == HD_METHOD_NONE; i++)
        m = procedures[i]; /* (c) */
    if (m == HD_METHOD_NONE)
        m = caesarean(babies, n_babies); /* (d) */
    if (m == HD_METHOD_NONE && n_babies > 0)
        m = babies[0];
    return m;
}

/* ---- which episodes ------------------------------------------------------------------------- */

static int compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_time(const void *a, const void *b)
{
    const hd_birth *x = a, *y = b;
    int c = compare(x->epistart, y->epistart);
    if (c == 0)
        c = compare(x->epiend, y->epiend);
    if (c == 0)
        c = compare(x->epiorder, y->epiorder);
    return c ? c : compare((int64_t)x->row, (int64_t)y->row);
}

/* Rule 3: does x stand for the delivery rather than y? False when they are equal. */
static bool is_fuller(const hd_birth *x, const hd_birth *y)
{
    int c = compare(x->tail, y->tail);
    if (c == 0)
        c = compare(x->antedur, y->antedur);
    if (c == 0)
        c = compare(x->postdur, y->postdur);
    if (c == 0)
        c = compare(x->procedures, y->procedures);
    return c > 0;
}

size_t hd_births_choose(hd_birth *births, size_t n, int32_t one_delivery_days,
                        int32_t next_delivery_days)
{
    if (n > 1)
        qsort(births, n, sizeof *births, by_time);
    size_t chosen = 0;
    int32_t opened = 0; /* EPISTART of the episode that opened the delivery */
    for (size_t i = 0; i < n; i++) {
        int64_t days = (int64_t)births[i].epistart - opened;
        if (chosen == 0 || days >= next_delivery_days) {
            opened = births[i].epistart;
            births[chosen++] = births[i];
        } else if (days <= one_delivery_days && is_fuller(&births[i], &births[chosen - 1]))
            births[chosen - 1] = births[i];
    }
    return chosen;
}
