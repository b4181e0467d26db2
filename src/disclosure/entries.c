/* entries.c - the list of releases for the owner, and the proofs that are kept with them. */
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "disclosure/account.h"
#include "disclosure/certificate.h"

#include <string.h>

static void name_certificate(const char *text, char hex[2 * HD_DIGEST + 1])
{
    uint8_t digest[HD_DIGEST];
    hex[0] = '\0';
    if (!*text)
        return;
    hd_digest_of(text, strlen(text), digest);
    hd_hex(hex, digest, sizeof digest);
}

typedef struct listing {
    hd_code (*take)(void *ctx, const hd_release_entry *e, hd_err *err);
    void *ctx;
} listing;

static hd_code list_one(void *ctx, const hd_vault_release *r, hd_err *err)
{
    const listing *l = ctx;
    char hex[2 * HD_DIGEST + 1];
    hd_account a;
    HD_TRY(hd_account_read(&a, r->body, r->body_len, err));
    name_certificate(a.certificate, hex);
    const hd_release_entry e = {.number = r->number,
                                .at = r->at,
                                .asker = r->asker,
                                .agreement = r->agreement,
                                .table = r->table,
                                .policy = r->policy,
                                .question = a.question,
                                .certificate = hex,
                                .data_version = r->data_version,
                                .near = r->near};
    hd_code rc = l->take(l->ctx, &e, err);
    hd_account_free(&a);
    return rc;
}

hd_code hd_release_each(struct hd_vault *v,
                        hd_code (*take)(void *ctx, const hd_release_entry *e, hd_err *err),
                        void *ctx, hd_err *err)
{
    return hd_vault_every_release(v, list_one, &(listing){take, ctx}, err);
}

typedef struct search {
    const char *digest;
    hd_buf *out;
    char found[2 * HD_DIGEST + 1]; /* the digest, so that one proof kept twice is one */
} search;

static hd_code look(void *ctx, const hd_vault_release *r, hd_err *err)
{
    search *s = ctx;
    char hex[2 * HD_DIGEST + 1];
    hd_account a;
    HD_TRY(hd_account_read(&a, r->body, r->body_len, err));
    name_certificate(a.certificate, hex);
    hd_code rc = HD_OK;
    if (*hex && strncmp(hex, s->digest, strlen(s->digest)) == 0 && strcmp(hex, s->found) != 0) {
        if (*s->found)
            rc = hd_fail(err, HD_INVALID, "more than one certificate begins so: give more of it");
        else
            hd_buf_str(s->out, a.certificate);
        memcpy(s->found, hex, sizeof hex);
    }
    hd_account_free(&a);
    return rc;
}

hd_code hd_release_proof(struct hd_vault *v, const char *digest, hd_buf *out, hd_err *err)
{
    search s = {.digest = digest, .out = out};
    size_t from = out->len;
    hd_certificate_summary summary;
    HD_TRY(hd_vault_every_release(v, look, &s, err));
    HD_TRY(hd_buf_check(out, err));
    if (!*s.found)
        return hd_fail(err, HD_NOTFOUND, "no release has that certificate; hdis release list");
    return hd_certificate_check(out->data + from, out->len - from, &summary, err);
}
