/* output.c - see output.h. */
#include "cli/output.h"

#include "base/buf.h"
#include "base/io.h"
#include "catalogue/catalogue.h"
#include "present/present.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MAX_OUTPUT ((size_t)1 << 34) /* bytes */

static size_t terminal_width(void)
{
    struct winsize size;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return 0;
    return size.ws_col;
}

static hd_code put_table(hd_buf *b, const hd_release *r, bool to_terminal, hd_err *err)
{
    hd_table_style style = {0};
    if (to_terminal) {
        style.width = terminal_width();
        style.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    }
    hd_present_table(b, r, &style);
    if (!to_terminal) {
        hd_buf_char(b, '\n');
        hd_present_footer(b, r);
    }
    return hd_buf_check(b, err);
}

static hd_code put_csv(hd_buf *b, const hd_release *r, bool to_terminal, hd_err *err)
{
    (void)to_terminal;
    hd_present_csv(b, r);
    return hd_buf_check(b, err);
}

static hd_code put_json(hd_buf *b, const hd_release *r, bool to_terminal, hd_err *err)
{
    (void)to_terminal;
    hd_present_json(b, r);
    return hd_buf_check(b, err);
}

static hd_code put_xlsx(hd_buf *b, const hd_release *r, bool to_terminal, hd_err *err)
{
    (void)to_terminal;
    return hd_present_xlsx(b, r, err);
}

static hd_code put_ods(hd_buf *b, const hd_release *r, bool to_terminal, hd_err *err)
{
    (void)to_terminal;
    return hd_present_ods(b, r, err);
}

typedef struct format {
    const char *name;
    hd_code (*put)(hd_buf *b, const hd_release *r, bool to_terminal, hd_err *err);
    bool is_binary; /* never to a terminal */
    bool is_bare;   /* holds nothing but the figures */
} format;

static const format formats[] = {
    {"table", put_table, false, false}, {"csv", put_csv, false, true},
    {"json", put_json, false, true},    {"xlsx", put_xlsx, true, false},
    {"ods", put_ods, true, false},
};

static const format *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

int hd_output_check(const hd_command *c, const hd_output_options *o)
{
    if (o->format && !find_format(o->format))
        return hd_usage_error(c, "--format is table, csv, json, xlsx or ods");
    if (o->format && find_format(o->format)->is_binary && !o->out && isatty(STDOUT_FILENO))
        return hd_usage_error(c, "a spreadsheet needs --out FILE");
    if (o->with_small_numbers && (!o->purpose || strspn(o->purpose, " \t") == strlen(o->purpose)))
        return hd_usage_error(c, "--with-small-numbers needs --purpose TEXT: say what for");
    if (o->purpose && !o->with_small_numbers)
        return hd_usage_error(c, "--purpose goes with --with-small-numbers");
    if (o->policy && o->with_small_numbers)
        return hd_usage_error(c, "--with-small-numbers has a policy of its own: leave out --policy");
    if (o->policy && strcmp(o->policy, "none") == 0)
        return hd_usage_error(c, "true counts are asked for by --with-small-numbers --purpose TEXT");
    if (o->footer && (!o->format || strcmp(o->format, "csv") != 0))
        return hd_usage_error(c, "--footer goes with --format csv");
    if (o->out && o->provenance && strcmp(o->out, o->provenance) == 0)
        return hd_usage_error(c, "--out and --provenance name the same file");
    return HD_EXIT_OK;
}

const char *hd_output_policy(const hd_output_options *o)
{
    return o->policy ? o->policy : o->with_small_numbers ? "none" : "hes2018";
}

hd_code hd_output_record(const hd_output_options *o, hd_vault *v, const hd_release *r, char tag[32],
                         hd_err *err)
{
    tag[0] = '\0';
    if (!r->has_true_counts)
        return HD_OK;
    if (!o->purpose)
        return hd_fail(err, HD_DENIED, "true counts are shown for a stated purpose only");
    return hd_vault_record_output(v, o->purpose, r->question, r->policy, tag, err);
}

static hd_code write_stdout(const char *bytes, size_t len, hd_err *err)
{
    if (fwrite(bytes, 1, len, stdout) != len || fflush(stdout) != 0)
        return hd_fail_os(err, "cannot write to standard output");
    return HD_OK;
}

static hd_code write_provenance(const hd_output_options *o, const hd_release *r, const char *tag,
                                hd_err *err)
{
    if (!o->provenance)
        return HD_OK;
    hd_buf b;
    hd_buf_init(&b, (size_t)1 << 24);
    hd_present_provenance(&b, r, o->purpose, tag && tag[0] ? tag : NULL);
    hd_code rc = hd_buf_check(&b, err);
    if (rc == HD_OK)
        rc = hd_io_write_file(o->provenance, b.data, b.len, 0644, err);
    hd_buf_free(&b);
    return rc;
}

/* Rules from another folder can say anything: whoever reads the figures must know. */
static void show_foreign_catalogue(void)
{
    const char *folder = hd_catalogue_default_folder();
    if (strcmp(folder, HD_CATALOGUE_DIR) != 0)
        fprintf(stderr, "definitions and disclosure rules come from %s (HDIS_CATALOGUE), not from the "
                        "program's own catalogue\n", folder);
}

static void show_footer(const hd_release *r, const char *tag)
{
    hd_buf b;
    hd_buf_init(&b, (size_t)1 << 16);
    hd_present_footer(&b, r);
    if (hd_buf_ok(&b))
        fputs(b.data, stderr);
    show_foreign_catalogue();
    if (tag && tag[0])
        fprintf(stderr, "entered in the list of assets as %s\n", tag);
    hd_buf_free(&b);
}

hd_code hd_output_text(const hd_output_options *o, const hd_release *r, const char *tag,
                       const char *bytes, size_t len, hd_err *err)
{
    HD_TRY(write_provenance(o, r, tag, err));
    if (o->out)
        HD_TRY(hd_io_write_file(o->out, bytes, len, r->has_true_counts ? 0600 : 0644, err));
    else
        HD_TRY(write_stdout(bytes, len, err));
    show_footer(r, tag);
    return HD_OK;
}

hd_code hd_output_release(const hd_output_options *o, hd_vault *v, const hd_release *r, hd_err *err)
{
    const format *f = find_format(o->format ? o->format : "table");
    hd_output_options own = *o;
    char tag[32];
    hd_buf b, beside;
    hd_buf_init(&b, MAX_OUTPUT);
    hd_buf_init(&beside, (size_t)1 << 16);
    hd_code rc;
    if (f->is_bare && o->out && !o->provenance) {
        hd_buf_printf(&beside, "%s.provenance.json", o->out);
        HD_GO(hd_buf_check(&beside, err));
        own.provenance = beside.data;
    }
    bool has_beside = own.provenance != o->provenance;
    HD_GO(f->put(&b, r, !o->out, err));
    if (o->footer) {
        hd_present_csv_footer(&b, r);
        HD_GO(hd_buf_check(&b, err));
    }
    HD_GO(hd_output_record(o, v, r, tag, err));
    HD_GO(hd_output_text(o, r, tag, b.data, b.len, err));
    if (has_beside) /* now that there is a file to stand beside */
        HD_GO(write_provenance(&own, r, tag, err));
out:
    hd_buf_free(&beside);
    hd_buf_free(&b);
    return rc;
}
