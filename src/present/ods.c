/* ods.c - a release as an OpenDocument spreadsheet, made in memory; libzip is used in this file only.
 *
 * Invariant: what a person's text holds becomes escaped XML text; values are typed, so a text that
 * looks like a formula stays a text. The first entry is `mimetype`, stored, as the format demands.
 */
#include "present/present.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>
#include <zip.h>

static const char mimetype[] = "application/vnd.oasis.opendocument.spreadsheet";

static const char manifest[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
    "<manifest:manifest xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\" "
    "manifest:version=\"1.2\"><manifest:file-entry manifest:full-path=\"/\" "
    "manifest:media-type=\"application/vnd.oasis.opendocument.spreadsheet\"/>"
    "<manifest:file-entry manifest:full-path=\"content.xml\" manifest:media-type=\"text/xml\"/>"
    "</manifest:manifest>";

static const char content_head[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
    "<office:document-content xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" "
    "xmlns:table=\"urn:oasis:names:tc:opendocument:xmlns:table:1.0\" "
    "xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\" office:version=\"1.2\">"
    "<office:body><office:spreadsheet><table:table table:name=\"";

static const char content_tail[] =
    "</table:table></office:spreadsheet></office:body></office:document-content>";

static void put_text(hd_buf *b, const char *bytes, size_t len)
{
    hd_buf_str(b, "<table:table-cell office:value-type=\"string\"><text:p>");
    hd_present_html_text(b, bytes, len);
    hd_buf_str(b, "</text:p></table:table-cell>");
}

static void put_typed(hd_buf *b, const char *type, const char *attribute, const hd_value *v)
{
    hd_buf_printf(b, "<table:table-cell office:value-type=\"%s\" office:%s=\"", type, attribute);
    hd_present_value(b, v);
    hd_buf_str(b, "\"><text:p>");
    hd_present_value(b, v);
    hd_buf_str(b, "</text:p></table:table-cell>");
}

static void put_figure(hd_buf *b, const hd_figure *f)
{
    const hd_value *v = &f->value;
    if (f->mark)
        put_text(b, &f->mark, 1);
    else if (v->is_null || (v->type == HD_DECIMAL && !isfinite(v->decimal)))
        hd_buf_str(b, "<table:table-cell/>");
    else if (v->type == HD_TEXT)
        put_text(b, v->text.bytes, v->text.len);
    else if (v->type == HD_DATE)
        put_typed(b, "date", "date-value", v);
    else if (v->type == HD_BOOLEAN)
        put_typed(b, "boolean", "boolean-value", v);
    else
        put_typed(b, "float", "value", v);
}

/* What goes with the figures, a line a row. */
static void put_about(hd_buf *b, const hd_release *r)
{
    hd_buf lines;
    hd_buf_init(&lines, (size_t)1 << 16);
    hd_present_footer(&lines, r);
    if (!hd_buf_ok(&lines))
        b->failed = true;
    hd_buf_str(b, "</table:table><table:table table:name=\"about\">");
    for (const char *line = hd_buf_ok(&lines) ? lines.data : ""; *line;) {
        size_t len = strcspn(line, "\n");
        hd_buf_str(b, "<table:table-row>");
        put_text(b, line, len);
        hd_buf_str(b, "</table:table-row>");
        line += len + (line[len] == '\n');
    }
    hd_buf_free(&lines);
}

static void put_content(hd_buf *b, const hd_release *r)
{
    hd_buf_str(b, content_head);
    hd_buf_str(b, r->has_true_counts ? HD_SMALL_NUMBERS_MARK : "figures");
    hd_buf_str(b, "\">");
    hd_buf_str(b, "<table:table-header-rows><table:table-row>");
    for (size_t c = 0; c < r->n_columns; c++)
        put_text(b, r->columns[c].name, strlen(r->columns[c].name));
    hd_buf_str(b, "</table:table-row></table:table-header-rows>");
    for (size_t row = 0; row < r->n_rows; row++) {
        hd_buf_str(b, "<table:table-row>");
        for (size_t c = 0; c < r->n_columns; c++) {
            const hd_figure f = hd_release_at(r, row, c);
            put_figure(b, &f);
        }
        hd_buf_str(b, "</table:table-row>");
    }
    put_about(b, r);
    hd_buf_str(b, content_tail);
}

static bool add(zip_t *z, const char *name, const void *bytes, size_t len, bool stored)
{
    zip_source_t *s = zip_source_buffer(z, bytes, len, 0);
    zip_int64_t i = s ? zip_file_add(z, name, s, ZIP_FL_ENC_UTF_8) : -1;
    if (i < 0) {
        zip_source_free(s);
        return false;
    }
    /* The same bytes for the same figures: no clock in the archive. */
    return zip_set_file_compression(z, (zip_uint64_t)i, stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE, 0) ==
               0 &&
           zip_file_set_mtime(z, (zip_uint64_t)i, 946684800, 0) == 0;
}

static bool read_back(zip_source_t *s, hd_buf *out)
{
    char bytes[65536];
    zip_int64_t n = -1;
    if (zip_source_open(s) != 0)
        return false;
    while ((n = zip_source_read(s, bytes, sizeof bytes)) > 0)
        hd_buf_add(out, bytes, (size_t)n);
    zip_source_close(s);
    return n == 0;
}

hd_code hd_present_ods(hd_buf *out, const hd_release *r, hd_err *err)
{
    hd_buf content;
    hd_buf_init(&content, (size_t)1 << 32);
    put_content(&content, r);
    zip_error_t zerr;
    zip_error_init(&zerr);
    zip_source_t *archive = hd_buf_ok(&content) ? zip_source_buffer_create(NULL, 0, 0, &zerr) : NULL;
    bool ok = false;
    if (archive) {
        zip_source_keep(archive); /* closing the archive gives one reference back */
        zip_t *z = zip_open_from_source(archive, ZIP_TRUNCATE, &zerr);
        if (!z) {
            zip_source_free(archive);
        } else {
            ok = add(z, "mimetype", mimetype, sizeof mimetype - 1, true) &&
                 add(z, "META-INF/manifest.xml", manifest, sizeof manifest - 1, false) &&
                 add(z, "content.xml", content.data, content.len, false);
            if (!ok)
                zip_discard(z);
            else if (zip_close(z) != 0) {
                zip_discard(z);
                ok = false;
            }
        }
        ok = ok && read_back(archive, out);
        zip_source_free(archive);
    }
    zip_error_fini(&zerr);
    hd_buf_free(&content);
    return ok ? hd_buf_check(out, err) : hd_fail_nomem(err);
}
