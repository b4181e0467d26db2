/* options.c - see command.h. */
#include "cli/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int hd_usage_error(const hd_command *c, const char *fmt, ...)
{
    fprintf(stderr, "hdis %s: ", c->name);
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "; see hdis %s --help\n", c->name);
    return HD_EXIT_USAGE;
}

int hd_report(const hd_command *c, const hd_err *err)
{
    fprintf(stderr, "hdis %s: %s\n", c->name, err->text);
    return HD_EXIT_FAILED;
}

static const hd_option *find(const hd_option *options, const char *name, size_t len)
{
    for (const hd_option *o = options; o->name; o++)
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

/* The option that a wrong one was probably meant to be: one letter too many, too few, another, or two
 * changed over; or the only one that begins so. */
static bool is_near(const char *name, const char *typed, size_t len)
{
    size_t n = strlen(name), same = 0;
    while (same < n && same < len && name[same] == typed[same])
        same++;
    const char *a = name + same, *b = typed + same;
    size_t a_left = n - same, b_left = len - same;
    if (b_left == 0 && len >= 3)
        return true;
    if (a_left == b_left + 1 || b_left == a_left + 1)
        return a_left > b_left ? memcmp(a + 1, b, b_left) == 0 : memcmp(a, b + 1, a_left) == 0;
    if (a_left != b_left || a_left == 0)
        return false;
    if (memcmp(a + 1, b + 1, a_left - 1) == 0)
        return true;
    return a_left > 1 && a[0] == b[1] && a[1] == b[0] && memcmp(a + 2, b + 2, a_left - 2) == 0;
}

static int unknown(const hd_command *c, const hd_option *options, const char *name, size_t len)
{
    const char *meant = NULL;
    size_t n_meant = 0;
    for (const hd_option *o = options; o->name; o++)
        if (is_near(o->name, name, len)) {
            meant = o->name;
            n_meant++;
        }
    if (n_meant == 1)
        return hd_usage_error(c, "unknown option --%.*s (did you mean --%s?)", (int)len, name, meant);
    return hd_usage_error(c, "unknown option --%.*s", (int)len, name);
}

int hd_options(const hd_command *c, int argc, char **argv, const hd_option *options, char ***operands,
               int *n_operands)
{
    int n = 0;
    bool ended = false;
    for (int i = 1; i < argc; i++) {
        char *arg = argv[i];
        if (ended || arg[0] != '-' || arg[1] == '\0') {
            argv[1 + n++] = arg;
            continue;
        }
        if (strcmp(arg, "--") == 0) {
            ended = true;
            continue;
        }
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            fputs(c->help, stdout);
            return -1;
        }
        bool is_short = strcmp(arg, "-o") == 0; /* the one short option besides -h */
        if (arg[1] != '-' && !is_short)
            return hd_usage_error(c, "unknown option %s", arg);
        const char *name = is_short ? "out" : arg + 2;
        const char *equals = strchr(name, '=');
        size_t len = equals ? (size_t)(equals - name) : strlen(name);
        const hd_option *o = find(options, name, len);
        if (!o)
            return unknown(c, options, name, len);
        if (o->flag) {
            if (equals)
                return hd_usage_error(c, "--%s takes no value", o->name);
            *o->flag = true;
            continue;
        }
        if (!equals && i + 1 == argc)
            return hd_usage_error(c, "--%s needs a value", o->name);
        const char *value = equals ? equals + 1 : argv[++i];
        if (!o->list)
            *o->value = value;
        else if (o->list->n < sizeof o->list->items / sizeof *o->list->items)
            o->list->items[o->list->n++] = value;
        else
            return hd_usage_error(c, "--%s is given too often", o->name);
    }
    *operands = argv + 1;
    *n_operands = n;
    return HD_EXIT_OK;
}
