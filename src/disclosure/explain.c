/* explain.c - EXPLAIN SELECT ...: the plan of a question as a release without figures.
 *
 * The question is checked and must be admitted by the policy as if it were to be run, so a plan
 * tells nothing about what may not be asked.
 */
#include "disclosure/build.h"
#include "disclosure/explain.h"
#include "disclosure/primary.h"

#include "base/alloc.h"

#include <string.h>
#include <strings.h>

const char *hd_explained(const char *sql)
{
    static const char word[] = "explain";
    sql += strspn(sql, " \t\r\n");
    if (strncasecmp(sql, word, sizeof word - 1) != 0)
        return NULL;
    sql += sizeof word - 1;
    return strspn(sql, " \t\r\n") ? sql + strspn(sql, " \t\r\n") : NULL;
}

static hd_code put_text(hd_release_builder *b, const char *text, hd_err *err)
{
    const hd_figure f = {.value = {.type = HD_TEXT, .text = {text, strlen(text)}}};
    return hd_release_builder_put(b, &f, err);
}

static hd_code put_lines(hd_release_builder *b, const hd_plan_line *lines, size_t n, hd_err *err)
{
    HD_TRY(hd_release_builder_column(b, "part", HD_TEXT, true, err));
    HD_TRY(hd_release_builder_column(b, "what", HD_TEXT, true, err));
    HD_TRY(hd_release_builder_column(b, "about", HD_TEXT, true, err));
    for (size_t i = 0; i < n; i++) {
        HD_TRY(put_text(b, lines[i].part, err));
        HD_TRY(put_text(b, lines[i].what, err));
        HD_TRY(put_text(b, lines[i].about, err));
    }
    return HD_OK;
}

hd_code hd_release_explain(hd_release **out, hd_engine *e, const hd_policy *p, const char *sql,
                           hd_err *err)
{
    hd_code rc;
    hd_question *q = NULL;
    hd_plan_line *lines = NULL;
    hd_release_builder *b = NULL;
    size_t n;
    *out = NULL;
    HD_GO(hd_engine_ask(e, sql, &q, err));
    HD_GO(hd_primary_admit(p, q, err));
    HD_GO(hd_engine_explain(e, q, &lines, &n, err));
    const hd_release_origin origin = {
        .policy = p->file->name,
        .policy_version = p->file->version,
        .legend = "a plan, no figures; sizes are rounded up, or not told below national level",
        .question = q->sql,
        .data_version = hd_vault_data_version(hd_engine_vault(e)),
    };
    b = hd_release_builder_start(&origin);
    HD_GO(b ? put_lines(b, lines, n, err) : hd_fail_nomem(err));
    HD_GO(hd_release_builder_finish(b, out, err));
out:
    hd_release_builder_free(b);
    hd_free(lines);
    hd_question_free(q);
    return rc;
}
