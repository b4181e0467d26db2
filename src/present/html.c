/* html.c - see html.h. */
#include "present/html.h"

#include <math.h>
#include <string.h>

void hd_html_text(hd_buf *out, const char *text)
{
    hd_present_html_text(out, text, strlen(text));
}

void hd_html_value(hd_buf *out, const hd_value *v)
{
    if (v->is_null)
        return;
    if (v->type == HD_TEXT)
        hd_present_html_text(out, v->text.bytes, v->text.len);
    else
        hd_present_value(out, v);
}

void hd_html_coordinate(hd_buf *out, double x)
{
    hd_present_value(out, &(hd_value){.type = HD_DECIMAL, .decimal = round(x * 100) / 100});
}
