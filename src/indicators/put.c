/* put.c - figures of an indicator's results: what is not known is NULL, what rests on a withheld
 * figure keeps its mark. */
#include "indicators/work.h"

#include <string.h>

hd_code hd_put_text(hd_release_builder *b, const char *text, hd_err *err)
{
    hd_figure f = {.value = {.type = HD_TEXT, .is_null = true}};
    if (text)
        f.value = (hd_value){.type = HD_TEXT, .text = {text, strlen(text)}};
    return hd_release_builder_put(b, &f, err);
}

hd_code hd_put_number(hd_release_builder *b, hd_number n, hd_err *err)
{
    hd_figure f = {.value = {.type = HD_DECIMAL, .is_null = isnan(n.x)}, .mark = n.mark};
    f.value.decimal = isnan(n.x) ? 0 : n.x;
    return hd_release_builder_put(b, &f, err);
}

hd_code hd_put_count(hd_release_builder *b, hd_number n, hd_err *err)
{
    hd_figure f = {.value = {.type = HD_INTEGER, .is_null = isnan(n.x)}, .mark = n.mark};
    f.value.integer = isnan(n.x) ? 0 : (int64_t)n.x;
    return hd_release_builder_put(b, &f, err);
}

hd_code hd_put_integer(hd_release_builder *b, bool is_known, int64_t x, hd_err *err)
{
    hd_figure f = {.value = {.type = HD_INTEGER, .is_null = !is_known, .integer = x}};
    return hd_release_builder_put(b, &f, err);
}

hd_code hd_put_flag(hd_release_builder *b, hd_flag flag, hd_err *err)
{
    hd_figure f = {.value = {.type = HD_BOOLEAN,
                             .is_null = flag == HD_FLAG_UNKNOWN,
                             .integer = flag == HD_FLAG_YES}};
    return hd_release_builder_put(b, &f, err);
}

/* A text that says nothing is NULL. */
hd_code hd_put_words(hd_release_builder *b, const char *text, hd_err *err)
{
    return hd_put_text(b, text && *text ? text : NULL, err);
}

/* special_cause, variation, assurance, signal_note */
hd_code hd_put_signal(hd_release_builder *b, const hd_signal *s, hd_err *err)
{
    bool known = s->is_known;
    HD_TRY(hd_put_words(b, known ? hd_signal_cause_text(s->cause) : NULL, err));
    HD_TRY(hd_put_words(b, known ? hd_signal_variation_text(s->variation, s->towards) : NULL, err));
    HD_TRY(hd_put_words(b, known ? hd_signal_assurance_text(s->assurance) : NULL, err));
    return hd_put_words(b, s->note, err);
}
