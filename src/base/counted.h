/* counted.h - numbers with what they count: "1 figure", "12 figures".
 */
#ifndef HD_BASE_COUNTED_H
#define HD_BASE_COUNTED_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

typedef struct hd_counted_text {
    char text[64];
} hd_counted_text;

/* one: the word for one of them; more than one has an s behind it. For use inside one call:
 * printf("%s", hd_counted(n, "figure").text). */
static inline hd_counted_text hd_counted(uint64_t n, const char *one)
{
    hd_counted_text t;
    snprintf(t.text, sizeof t.text, "%" PRIu64 " %s%s", n, one, n == 1 ? "" : "s");
    return t;
}

#endif
