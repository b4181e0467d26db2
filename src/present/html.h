/* html.h - writing HTML so that the safe form is the short form: markup is a string literal, text
 * is escaped. */
#ifndef HD_PRESENT_HTML_H
#define HD_PRESENT_HTML_H

#include "present/present.h"

/* Markup; only a string literal compiles. */
#define HD_HTML(out, markup) hd_buf_add((out), "" markup "", sizeof(markup) - 1)
/* Text in an element or a quoted attribute. */
void hd_html_text(hd_buf *out, const char *text);
void hd_html_value(hd_buf *out, const hd_value *v); /* a text value, escaped */
/* A number for a coordinate: at most two decimals. */
void hd_html_coordinate(hd_buf *out, double x);

#endif
