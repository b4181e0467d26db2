/* landing_option.c - see landing_option.h. */
#include "cli/landing_option.h"
#include "base/io.h"
#include "landing/optout.h"
#include "landing/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "0.1%" or "25". */
static bool read_allowance(const char *text, hd_allowance *out)
{
    char *end;
    size_t len = strlen(text);
    if (len == 0 || strspn(text, "0123456789.%") != len)
        return false;
    if (text[len - 1] == '%') {
        out->share = strtod(text, &end) / 100;
        return end == text + len - 1 && len > 1 && out->share <= 1;
    }
    errno = 0;
    out->rows = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0;
}

static const char *extension(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot : "";
}

int hd_landing_option_read(const hd_command *c, hd_landing_option *o, hd_intake_options *out)
{
    hd_err err;
    *out = (hd_intake_options){.allows_identifiers = o->allow_identifiers};
    if (o->allow_rejected && !read_allowance(o->allow_rejected, &out->allowed))
        return hd_usage_error(c, "--allow-rejected takes a number of rows or a percentage");
    if (o->part_year) {
        out->part_year = hd_part_year_read(o->part_year, strlen(o->part_year));
        if (!out->part_year)
            return hd_usage_error(c, "--part-year takes YYYYNN, NN being 01 to 13 or 99");
    }
    if (o->report) {
        const char *e = extension(o->report);
        if (strcmp(e, ".csv") != 0 && strcmp(e, ".html") != 0 && strcmp(e, ".txt") != 0)
            return hd_usage_error(c, "--report takes a file name ending in .csv, .html or .txt");
    }
    if (o->opt_outs) {
        if (hd_opt_outs_read(&o->opt_out_ids, o->opt_outs, &err) != HD_OK)
            return hd_report(c, &err);
        out->opt_outs = o->opt_out_ids;
    }
    return HD_EXIT_OK;
}

void hd_landing_option_free(hd_landing_option *o)
{
    hd_intern_free(o->opt_out_ids);
    o->opt_out_ids = NULL;
}

hd_code hd_landing_table(const hd_catalogue *c, const char *name, const hd_table_def **out,
                         hd_err *err)
{
    *out = hd_catalogue_table(c, name);
    if (*out && !(*out)->is_built)
        return HD_OK;
    char names[200] = "";
    size_t used = 0;
    for (size_t i = 0; i < hd_catalogue_n_tables(c); i++) {
        const hd_table_def *t = hd_catalogue_table_at(c, i);
        if (!t->is_built && used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                     t->name);
    }
    return hd_fail(err, HD_INVALID, "'%s' is no data set; there are %s", name, names);
}

hd_code hd_landing_report(const hd_landing_option *o, const hd_quality *q, hd_err *err)
{
    hd_buf b;
    if (!o->report || !q)
        return HD_OK;
    hd_buf_init(&b, HD_QUALITY_BYTES);
    const char *e = extension(o->report);
    if (strcmp(e, ".csv") == 0)
        hd_quality_csv(&b, q);
    else if (strcmp(e, ".html") == 0)
        hd_quality_html(&b, q);
    else
        hd_quality_text(&b, q, true);
    hd_code rc = hd_buf_check(&b, err);
    if (rc == HD_OK)
        rc = hd_io_write_file(o->report, b.data, b.len, 0640, err);
    hd_buf_free(&b);
    return rc;
}

hd_code hd_landing_print(const hd_landing_option *o, const hd_quality *q, bool whole,
                         hd_err *err)
{
    hd_buf b;
    hd_buf_init(&b, HD_QUALITY_BYTES);
    if (whole)
        hd_quality_text(&b, q, o->lists_fields);
    else
        hd_quality_summary(&b, q, o->lists_fields);
    hd_code rc = hd_buf_check(&b, err);
    if (rc == HD_OK && (fwrite(b.data, 1, b.len, stdout) != b.len || fflush(stdout) != 0))
        rc = hd_fail_os(err, "cannot write to standard output");
    hd_buf_free(&b);
    return rc;
}
