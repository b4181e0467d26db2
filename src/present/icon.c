/* icon.c - the icons of variation and assurance, drawn here: a disc for what is well, a diamond for
 * what is not, a hexagon where neither side is the better one, a ring for common cause; an arrow
 * says on which side the values lie. Shapes and signs alone tell them apart.
 */
#include "present/chart.h"

#include "present/html.h"

#include <string.h>

typedef struct icon {
    const char *words, *symbol;
    const char *shape;   /* an element of 24 by 24 units, with its class */
    const char *sign;    /* a path over it */
    const char *meaning; /* what a screen reader says after the words */
} icon;

#define DISC    "<circle class=\"well\" cx=\"12\" cy=\"12\" r=\"11\"/>"
#define DIAMOND "<path class=\"ill\" d=\"M12 0l12 12-12 12L0 12z\"/>"
#define HEXAGON "<path class=\"odd\" d=\"M6 1.6h12L24 12l-6 10.4H6L0 12z\"/>"
#define RING    "<circle class=\"calm\" cx=\"12\" cy=\"12\" r=\"10\"/>"
#define UP      "M12 18.5v-12M7.5 11l4.5-4.5 4.5 4.5"
#define DOWN    "M12 5.5v12M7.5 13l4.5 4.5 4.5-4.5"

static const icon icons[] = {
    {"common cause", "i-common", RING, "M4 12c2.5-7 5-7 8 0s5.5 7 8 0",
     "the values vary as they have before"},
    {"improving, high", "i-improving-high", DISC, UP,
     "the values are higher than chance explains, which is the better side"},
    {"improving, low", "i-improving-low", DISC, DOWN,
     "the values are lower than chance explains, which is the better side"},
    {"concerning, high", "i-concerning-high", DIAMOND, UP,
     "the values are higher than chance explains, which is the worse side"},
    {"concerning, low", "i-concerning-low", DIAMOND, DOWN,
     "the values are lower than chance explains, which is the worse side"},
    {"special cause, high", "i-special-high", HEXAGON, UP,
     "the values are higher than chance explains; neither side is the worse one"},
    {"special cause, low", "i-special-low", HEXAGON, DOWN,
     "the values are lower than chance explains; neither side is the worse one"},
    {"passing", "i-passing", DISC, "M6 12.5l4 4 8-9",
     "the process, as it is, will meet its target"},
    {"failing", "i-failing", DIAMOND, "M8 8l8 8M16 8l-8 8",
     "the process, as it is, will not meet its target"},
    {"hit or miss", "i-hit-or-miss", RING, "M3 12h18M8 8.2v.1M16 15.8v.1",
     "the process, as it is, will meet its target in some months and miss it in others"},
};

static const icon *find(const char *words)
{
    for (size_t i = 0; i < sizeof icons / sizeof *icons; i++)
        if (strcmp(icons[i].words, words) == 0)
            return &icons[i];
    return NULL;
}

bool hd_icon_exists(const char *words)
{
    return find(words) != NULL;
}

void hd_icon_put_symbols(hd_buf *out)
{
    HD_HTML(out, "<svg class=\"symbols\" aria-hidden=\"true\" width=\"0\" height=\"0\">");
    for (size_t i = 0; i < sizeof icons / sizeof *icons; i++)
        hd_buf_printf(out, "<symbol id=\"%s\" viewBox=\"-1 -1 26 26\">%s<path d=\"%s\"/></symbol>",
                      icons[i].symbol, icons[i].shape, icons[i].sign);
    HD_HTML(out, "</svg>\n");
}

void hd_icon_put(hd_buf *out, const char *id, const char *words)
{
    const icon *i = find(words);
    if (!i)
        return;
    hd_buf_printf(out,
                  "<svg class=\"icon\" role=\"img\" aria-labelledby=\"%s-title %s-desc\">"
                  "<title id=\"%s-title\">%s</title><desc id=\"%s-desc\">%s</desc>"
                  "<use href=\"#%s\"/></svg>",
                  id, id, id, i->words, id, i->meaning, i->symbol);
}

void hd_icon_put_small(hd_buf *out, const char *words, bool is_alone)
{
    const icon *i = find(words);
    if (!i)
        return;
    if (is_alone)
        hd_buf_printf(out, "<svg class=\"icon\" role=\"img\" aria-label=\"%s\"><title>%s</title>",
                      i->words, i->words);
    else
        HD_HTML(out, "<svg class=\"icon\" aria-hidden=\"true\">");
    hd_buf_printf(out, "<use href=\"#%s\"/></svg>", i->symbol);
}
