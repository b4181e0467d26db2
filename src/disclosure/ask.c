/* ask.c - ask, run, disclose: the one way from SQL to figures. True cells live here for the length
 * of one call and are wiped before it returns.
 *
 * Order: the primary pass looks at true counts, figure by figure. Then the answer is compared with
 * what left before and audited (audit.h), on printed figures and on which records they are made of.
 * Then what stands above the aggregates is worked out. The ledger has the release, durably, before
 * the caller has it.
 */
#include "base/alloc.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "disclosure/audit.h"
#include "disclosure/explain.h"
#include "disclosure/outer.h"
#include "disclosure/primary.h"
#include "disclosure/rule.h"

#include <string.h>

/* Everything of one asking. */
typedef struct asking {
    const hd_policy_file *p;
    hd_engine *e;
    hd_vault *vault;
    hd_question *q;
    hd_cells *cells;
    hd_safe safe;
    hd_sets sets;
    hd_account now;
    hd_audit *audit;
    uint8_t digest[32]; /* of the question */
    bool is_repeat, has_near, is_defined;
} asking;

/* Every key and true figure of the answer. Code lists, look-ups and organisations may have changed under
 * the same text and the same data; then the answer has too. */
static hd_code add_cells(const asking *s, hd_digest *d, hd_buf *b, hd_err *err)
{
    enum { LOOK_EVERY = 4096 };
    const hd_cells *cells = s->cells;
    for (size_t c = 0; c < cells->n_cells; c++) {
        if (c % LOOK_EVERY == 0)
            HD_TRY(hd_engine_go_on(s->e, err));
        uint32_t grouping = hd_cells_grouping(cells, c);
        hd_cell all = hd_cells_all(cells, c);
        hd_buf_clear(b);
        hd_buf_add(b, &grouping, sizeof grouping);
        hd_buf_add(b, &all.records, sizeof all.records);
        hd_buf_add(b, &all.persons, sizeof all.persons);
        for (size_t k = 0; k < cells->n_keys; k++)
            hd_value_put_name(b, hd_cells_key(cells, c, k));
        for (size_t a = 0; a < cells->n_aggregates; a++) {
            hd_cell figure = hd_cells_figure(cells, c, a);
            hd_buf_add(b, &figure.records, sizeof figure.records);
            hd_buf_add(b, &figure.persons, sizeof figure.persons);
            hd_value_put_name(b, figure.value);
        }
        hd_digest_add(d, b->data, b->len);
    }
    return hd_buf_check(b, err);
}

/* What the policy says, without where its texts lie. */
static void add_policy(hd_digest *d, const hd_policy_file *p)
{
    hd_policy_file rules;
    memcpy(&rules, p, sizeof rules); /* with what lies between its fields, which was zeroed */
    hd_digest_add(d, p->name, strlen(p->name) + 1);
    hd_digest_add(d, p->version, strlen(p->version) + 1);
    hd_digest_add(d, p->legend, strlen(p->legend) + 1);
    rules.name = rules.title = rules.version = rules.source = rules.note = rules.legend = NULL;
    rules.yaml = NULL;
    hd_digest_add(d, &rules, sizeof rules);
}

/* What makes two askings the same: the text, the data, the policy, and the true answer. Keyed, so that it
 * means nothing to who has the ledger alone. */
static hd_code name_question(asking *s, hd_err *err)
{
    hd_buf b;
    hd_digest d;
    uint8_t plain[HD_DIGEST];
    uint64_t version = hd_vault_data_version(s->vault);
    hd_buf_init(&b, (size_t)1 << 26);
    hd_digest_begin(&d);
    hd_digest_add(&d, s->q->sql, strlen(s->q->sql) + 1);
    hd_digest_add(&d, &version, sizeof version);
    add_policy(&d, s->p);
    hd_code rc = add_cells(s, &d, &b, err);
    hd_digest_end(&d, plain);
    if (rc == HD_OK)
        hd_vault_digest(s->vault, plain, sizeof plain, s->digest);
    hd_wipe(plain, sizeof plain);
    if (b.cap)
        hd_wipe(b.data, b.cap);
    hd_buf_free(&b);
    return rc;
}

/* The same question of the same data: what was shown then is shown again, and nothing else. */
static bool repeat(asking *s, const hd_vault_release *r, hd_account *before)
{
    if (memcmp(r->question, s->digest, sizeof s->digest) != 0 ||
        before->n_cells != s->cells->n_cells || before->n_aggregates != s->cells->n_aggregates)
        return false;
    hd_account_free(&s->now);
    s->now = *before;
    *before = (hd_account){0};
    s->is_repeat = true;
    s->has_near = r->near > 0;
    return true;
}

static hd_code take_repeat(void *ctx, const hd_vault_release *r, hd_err *err)
{
    asking *s = ctx;
    hd_account earlier;
    if (s->is_repeat)
        return HD_OK;
    HD_TRY(hd_account_read(&earlier, r->body, r->body_len, err));
    repeat(s, r, &earlier);
    hd_account_free(&earlier);
    return HD_OK;
}

/* The figures of an answer that was given before, as the ledger has them: which values are behind them
 * and which records need not be found again. Texts are not kept, so figures that are texts are. */
static hd_code find_repeat(asking *s, hd_err *err)
{
    for (size_t a = 0; a < s->q->n_aggregates; a++)
        if (s->q->aggregates[a].type == HD_TEXT)
            return HD_OK;
    HD_TRY(hd_vault_releases(s->vault, s->digest, take_repeat, s, err));
    if (!s->is_repeat)
        return HD_OK;
    s->safe = (hd_safe){.n_cells = s->cells->n_cells, .n_aggregates = s->cells->n_aggregates};
    s->safe.figures = hd_calloc(s->safe.n_cells * s->safe.n_aggregates + 1, sizeof *s->safe.figures);
    s->safe.left_out = hd_calloc(s->safe.n_cells + 1, sizeof *s->safe.left_out);
    if (!s->safe.figures || !s->safe.left_out)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < s->safe.n_cells * s->safe.n_aggregates; i++) {
        size_t a = i % s->safe.n_aggregates;
        hd_value v = hd_vector_at(&s->cells->figures[a], i / s->safe.n_aggregates);
        if (!v.is_null)
            v.integer = s->now.values[i];
        s->safe.figures[i] = (hd_figure){.value = v};
    }
    return HD_OK;
}

static hd_code take_earlier(void *ctx, const hd_vault_release *r, hd_err *err)
{
    asking *s = ctx;
    hd_account earlier;
    if (s->is_repeat || hd_audit_passes_over(s->audit))
        return HD_OK;
    HD_TRY(hd_engine_go_on(s->e, err));
    bool is_other = strcmp(r->table, s->q->table) != 0; /* and then it is changed */
    bool is_same = memcmp(r->question, s->digest, sizeof s->digest) == 0; /* and taken over, perhaps */
    HD_TRY((is_other || is_same ? hd_account_read : hd_account_view)(&earlier, r->body, r->body_len, err));
    earlier.number = r->number;
    earlier.is_of_other_data = r->data_version != hd_vault_data_version(s->vault);
    if (is_other)
        hd_account_of_other_table(&earlier, r->table);
    hd_code rc = HD_OK;
    if (!repeat(s, r, &earlier))
        rc = hd_audit_earlier(s->audit, &earlier, err);
    hd_account_free(&earlier);
    return rc;
}

/* What the audit decided, into the figures. */
static void take_marks(asking *s)
{
    for (size_t c = 0; c < s->safe.n_cells; c++)
        if (s->now.is_left_out[c] && !s->safe.left_out[c]) {
            s->safe.left_out[c] = true;
            s->safe.n_left_out++;
        }
    for (size_t i = 0; i < s->safe.n_cells * s->safe.n_aggregates; i++) {
        hd_figure *f = &s->safe.figures[i];
        const hd_aggregate *a = &s->q->aggregates[i % s->safe.n_aggregates];
        bool is_count = a->kind == HD_AGG_COUNT || a->kind == HD_AGG_COUNT_PERSONS;
        if (s->now.marks[i])
            *f = (hd_figure){.value = {.type = a->type, .is_null = true}, .mark = s->now.marks[i]};
        else if (is_count && !f->mark)
            f->value.integer = s->now.values[i];
    }
}

/* Few people behind a difference, again and again, is somebody at work. The refusal is logged and
 * the log survives it. */
static hd_code refuse_too_near(asking *s, hd_err *err)
{
    int64_t n;
    if (hd_audit_n_near(s->audit) == 0 || s->p->near_releases_at_most == 0)
        return HD_OK;
    HD_TRY(hd_vault_near_releases(s->vault, &n, err));
    if (n < s->p->near_releases_at_most)
        return HD_OK;
    HD_TRY(hd_vault_log_refusal(s->vault, "too many questions that differ by few people", err));
    HD_TRY(hd_vault_releases_commit(s->vault, err));
    return hd_fail(err, HD_DENIED,
                   "this question differs by few people from what was released before, and so did "
                   "%lld of yours: policy %s allows no more; the owner of the data can say why",
                   (long long)n, s->p->name);
}

static hd_code enter(asking *s, hd_err *err)
{
    hd_buf body;
    hd_buf_init(&body, (size_t)1 << 30);
    hd_code rc = hd_account_write(&s->now, &body, err);
    if (rc == HD_OK) {
        hd_vault_release r = {.data_version = hd_vault_data_version(s->vault),
                              .table = s->q->table,
                              .policy = s->p->name,
                              .near = (int64_t)hd_audit_n_near(s->audit),
                              .body = body.data,
                              .body_len = body.len};
        memcpy(r.question, s->digest, sizeof r.question);
        rc = hd_vault_add_release(s->vault, &r, err);
    }
    if (body.cap)
        hd_wipe(body.data, body.cap);
    hd_buf_free(&body);
    return rc;
}

/* Which records stand behind each figure. */
static hd_code prepare(asking *s, hd_err *err)
{
    bool is_controlled = hd_primary_is_controlled(s->p, s->q);
    const char *sql = s->q->sql;
    hd_sets_tuning tuning = hd_sets_tuning_default;
    tuning.most_cells = hd_vault_blurred_limit(s->vault, sql, tuning.most_cells);
    HD_TRY(hd_sets_make(&s->sets, s->e, s->q, s->cells, &tuning, err));
    HD_TRY(hd_engine_go_on(s->e, err));
    if (s->p->rounding == HD_ROUND_BY_SET && is_controlled)
        hd_account_round_by_set(s->p, s->q, s->cells, &s->sets, &s->safe);
    if (s->p->rounded_to > 1 && is_controlled && s->q->counts_events)
        hd_account_round_by_people(s->p, s->q, s->cells, &s->sets, &s->safe);
    size_t n_asked;
    const uint32_t *asked = hd_question_sets(s->q, &n_asked);
    HD_TRY(hd_account_make(&s->now, s->p, s->q, asked, n_asked, s->cells, &s->safe, &s->sets,
                           is_controlled, err));
    s->now.is_defined = s->is_defined;
    HD_TRY(hd_audit_new(&s->audit, s->p, &s->now, err));
    hd_audit_watch(s->audit, hd_engine_stop(s->e));
    hd_audit_set_limit(s->audit, hd_vault_blurred_limit(s->vault, sql,
                                                        (uint64_t)s->p->audited_cells_at_most));
    return HD_OK;
}

/* Twice where releases hang together with the answer by way of others only. */
static hd_code give_earlier(asking *s, hd_err *err)
{
    bool again = false;
    HD_TRY(hd_vault_releases(s->vault, NULL, take_earlier, s, err));
    if (!s->is_repeat)
        HD_TRY(hd_audit_connect(s->audit, &again, err));
    return again ? hd_vault_releases(s->vault, NULL, take_earlier, s, err) : HD_OK;
}

/* Compare and audit: from here on decisions rest on what is printed. */
static hd_code compare(asking *s, hd_err *err)
{
    if (s->p->compares_releases)
        HD_TRY(give_earlier(s, err));
    if (s->is_repeat)
        return HD_OK;
    HD_TRY(hd_engine_go_on(s->e, err));
    HD_TRY(hd_audit_judge(s->audit, err));
    s->has_near = hd_audit_n_near(s->audit) > 0;
    return refuse_too_near(s, err);
}

static hd_code evaluate(asking *s, hd_release **out, hd_err *err)
{
    char certificate[2 * HD_DIGEST + 1] = "";
    uint8_t digest[HD_DIGEST];
    const char *text = s->now.certificate;
    if (text && *text) {
        hd_digest_of(text, strlen(text), digest);
        hd_hex(certificate, digest, sizeof digest);
    }
    const hd_release_origin origin = {
        .policy = s->p->name,
        .policy_version = s->p->version,
        .legend = s->p->legend,
        .question = s->q->sql,
        .certificate = certificate,
        .has_true_counts = s->p->shows_true_counts,
        .data_version = hd_vault_data_version(s->vault),
        .has_left_out = s->safe.n_left_out > 0,
        .has_rounded = hd_account_is_rounded(&s->now),
        .has_several = s->p->rounded_to > 1 && hd_primary_is_controlled(s->p, s->q) &&
                       s->q->counts_events,
        .has_near = s->has_near,
    };
    return hd_outer_evaluate(out, hd_engine_duck(s->e), s->q, s->cells, &s->safe, &origin, err);
}

static hd_code ask(hd_release **out, hd_engine *e, const hd_policy *p, const char *sql,
                   bool is_defined, hd_err *err)
{
    hd_code rc;
    asking s = {.p = p->file, .e = e, .vault = hd_engine_vault(e), .is_defined = is_defined};
    bool is_open = false;
    *out = NULL;
    if (hd_explained(sql))
        return hd_release_explain(out, e, p, hd_explained(sql), err);
    HD_GO(hd_engine_ask(e, sql, &s.q, err));
    HD_GO(hd_primary_admit(p, s.q, err));
    HD_GO(p->file->shows_true_counts ? hd_engine_run_rows(e, s.q, &s.cells, err)
                                     : hd_engine_run(e, s.q, HD_ROUTE_BEST, &s.cells, err));
    if (s.p->compares_releases && !s.p->shows_true_counts) {
        HD_GO(name_question(&s, err));
        HD_GO(find_repeat(&s, err));
    }
    if (!s.is_repeat) {
        if (hd_primary_is_controlled(s.p, s.q))
            HD_GO(hd_engine_values(e, s.q, s.cells, err));
        HD_GO(hd_engine_go_on(e, err));
        HD_GO(hd_primary_apply(p, s.q, s.cells, &s.safe, err));
    }
    if (!s.p->shows_true_counts && !s.is_repeat) {
        HD_GO(prepare(&s, err));
        HD_GO(hd_vault_releases_begin(s.vault, err));
        is_open = true;
        HD_GO(compare(&s, err));
    }
    if (!s.p->shows_true_counts)
        take_marks(&s);
    HD_GO(hd_engine_go_on(e, err));
    HD_GO(evaluate(&s, out, err));
    if (is_open && !s.is_repeat && p->file->compares_releases)
        HD_GO(enter(&s, err));
    if (is_open)
        HD_GO(hd_vault_releases_commit(s.vault, err));
out:
    if (is_open)
        hd_vault_releases_rollback(s.vault);
    if (rc != HD_OK) {
        hd_release_free(*out);
        *out = NULL;
    }
    hd_audit_free(s.audit);
    hd_account_free(&s.now);
    hd_sets_free(&s.sets);
    hd_safe_free(&s.safe);
    hd_cells_free(s.cells);
    hd_question_free(s.q);
    return rc;
}

hd_code hd_release_ask(hd_release **out, struct hd_engine *e, const hd_policy *p, const char *sql,
                       hd_err *err)
{
    return ask(out, e, p, sql, false, err);
}

hd_code hd_release_ask_defined(hd_release **out, struct hd_engine *e, const hd_policy *p,
                               const char *sql, hd_err *err)
{
    return ask(out, e, p, sql, true, err);
}

hd_code hd_release_admit(const hd_policy *p, const struct hd_question *q, hd_err *err)
{
    return hd_primary_admit(p, q, err);
}
