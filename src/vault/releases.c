/* releases.c - the list of releases as the vault keeps it: each body sealed under a key of its own,
 * made from the wrapping key and a random salt, so that no key ever seals twice.
 *
 * A body that shrinks by an eighth or more is sealed as a zstd frame: sets of few people are mostly
 * zeros, those of many are hashes and do not shrink. No body begins as a frame does. */
#include "base/alloc.h"
#include "crypto/secret.h"
#include "vault/internal.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char purpose[16] = "hdis release";
static const uint8_t nonce[HD_SEAL_NONCE];
#define SETTING "releases are compared within"

void hd_vault_set_asker(hd_vault *v, const char *asker, const char *agreement)
{
    struct passwd *p = asker ? NULL : getpwuid(getuid());
    if (asker || p)
        snprintf(v->asker, sizeof v->asker, "%s", asker ? asker : p->pw_name);
    else
        snprintf(v->asker, sizeof v->asker, "uid %u", (unsigned)getuid());
    snprintf(v->agreement, sizeof v->agreement, "%s", agreement ? agreement : "");
}

static const char *asker_of(hd_vault *v)
{
    if (!v->asker[0])
        hd_vault_set_asker(v, NULL, v->agreement);
    return v->asker;
}

hd_code hd_vault_releases_are_apart(hd_vault *v, bool *by_agreement, hd_err *err)
{
    char value[16];
    HD_TRY(hd_ledger_setting(v->ledger, SETTING, value, sizeof value, err));
    *by_agreement = strcmp(value, "agreement") == 0;
    return HD_OK;
}

hd_code hd_vault_keep_releases_apart(hd_vault *v, bool by_agreement, hd_err *err)
{
    const char *value = by_agreement ? "agreement" : "dataset";
    hd_code rc;
    HD_TRY(hd_ledger_begin(v->ledger, true, err));
    HD_GO(hd_ledger_set_setting(v->ledger, SETTING, value, err));
    HD_GO(hd_ledger_log(v->ledger, "releases are compared within one", value, err));
    HD_GO(hd_ledger_commit(v->ledger, err));
out:
    hd_ledger_rollback(v->ledger);
    return rc;
}

hd_code hd_vault_releases_begin(hd_vault *v, hd_err *err)
{
    return hd_ledger_begin(v->ledger, true, err);
}

hd_code hd_vault_releases_commit(hd_vault *v, hd_err *err)
{
    return hd_ledger_commit(v->ledger, err);
}

void hd_vault_releases_rollback(hd_vault *v)
{
    hd_ledger_rollback(v->ledger);
}

static const uint8_t frame_begins[4] = {0x28, 0xB5, 0x2F, 0xFD};
enum { BODY_MOST = 1 << 30 };

/* The body as it is sealed: `packed`, to be wiped and freed, or `body` itself, and then packed is NULL. */
static hd_code pack_body(const void *body, size_t len, uint8_t **packed, size_t *cap, size_t *packed_len,
                         hd_err *err)
{
    *cap = len - len / 8;
    *packed_len = len;
    *packed = hd_malloc(*cap + 1);
    if (!*packed)
        return hd_fail_nomem(err);
    size_t got = ZSTD_compress(*packed, *cap, body, len, 1);
    if (ZSTD_isError(got)) { /* it does not fit; or memory is out, and then it need not be smaller */
        hd_wipe_free(*packed, *cap);
        *packed = NULL;
        return HD_OK;
    }
    *packed_len = got;
    return HD_OK;
}

static hd_code open_sealer(const hd_vault *v, const uint8_t salt[16], hd_sealer **out, hd_err *err)
{
    uint8_t *key = hd_secret_new(HD_SEAL_KEY);
    if (!key)
        return hd_fail_nomem(err);
    hd_digest_keyed(v->keys->wrap, salt, purpose, key);
    hd_code rc = hd_sealer_new(out, key, err);
    hd_secret_free(key);
    return rc;
}

typedef struct reading {
    hd_vault *vault;
    hd_code (*take)(void *ctx, const hd_vault_release *r, hd_err *err);
    void *ctx;
    uint8_t *plain, *unpacked;
    size_t cap, unpacked_cap;
} reading;

/* What was sealed, as the body that was given. */
static hd_code unpack_body(reading *w, size_t len, hd_vault_release *out, hd_err *err)
{
    out->body = w->plain;
    out->body_len = len;
    if (len < sizeof frame_begins || memcmp(w->plain, frame_begins, sizeof frame_begins) != 0)
        return HD_OK;
    unsigned long long n = ZSTD_getFrameContentSize(w->plain, len);
    if (n > BODY_MOST) /* the errors are larger, too */
        return hd_fail(err, HD_FORMAT, "release %lld in the ledger is damaged", (long long)out->number);
    HD_TRY(hd_scratch(&w->unpacked, &w->unpacked_cap, (size_t)n + 1, err));
    if (ZSTD_decompress(w->unpacked, (size_t)n, w->plain, len) != n)
        return hd_fail(err, HD_FORMAT, "release %lld in the ledger is damaged, or memory is out",
                       (long long)out->number);
    out->body = w->unpacked;
    out->body_len = (size_t)n;
    return HD_OK;
}

static hd_code open_release(void *ctx, const hd_ledger_release *r, hd_err *err)
{
    reading *w = ctx;
    hd_sealer *sealer = NULL;
    hd_code rc;
    if (r->body_len < HD_SEAL_TAG)
        return hd_fail(err, HD_FORMAT, "release %lld in the ledger is damaged",
                       (long long)r->number);
    size_t len = r->body_len - HD_SEAL_TAG;
    HD_GO(hd_scratch(&w->plain, &w->cap, len + 1, err));
    HD_GO(open_sealer(w->vault, r->salt, &sealer, err));
    if (!hd_unseal(sealer, nonce, r->question, sizeof r->question, r->body, len, w->plain)) {
        rc = hd_fail(err, HD_CRYPTO, "release %lld in the ledger was altered",
                     (long long)r->number);
        goto out;
    }
    hd_vault_release out = {.number = r->number,
                            .data_version = r->data_version,
                            .table = r->table,
                            .policy = r->policy,
                            .at = r->at,
                            .asker = r->asker,
                            .agreement = r->agreement,
                            .near = r->near};
    memcpy(out.question, r->question, sizeof out.question);
    HD_GO(unpack_body(w, len, &out, err));
    HD_GO(w->take(w->ctx, &out, err));
out:
    hd_sealer_free(sealer);
    return rc;
}

static hd_code open_releases(hd_vault *v, const char *agreement, const uint8_t *question,
                             hd_code (*take)(void *ctx, const hd_vault_release *r, hd_err *err),
                             void *ctx, hd_err *err)
{
    reading w = {.vault = v, .take = take, .ctx = ctx};
    hd_code rc = hd_ledger_releases(v->ledger, agreement, question, open_release, &w, err);
    hd_wipe_free(w.plain, w.cap);
    hd_wipe_free(w.unpacked, w.unpacked_cap);
    return rc;
}

hd_code hd_vault_releases(hd_vault *v, const uint8_t *question,
                          hd_code (*take)(void *ctx, const hd_vault_release *r, hd_err *err),
                          void *ctx, hd_err *err)
{
    bool apart;
    HD_TRY(hd_vault_releases_are_apart(v, &apart, err));
    return open_releases(v, apart ? v->agreement : NULL, question, take, ctx, err);
}

hd_code hd_vault_every_release(hd_vault *v,
                               hd_code (*take)(void *ctx, const hd_vault_release *r, hd_err *err),
                               void *ctx, hd_err *err)
{
    return open_releases(v, NULL, NULL, take, ctx, err);
}

hd_code hd_vault_near_releases(hd_vault *v, int64_t *out, hd_err *err)
{
    return hd_ledger_count_near(v->ledger, asker_of(v), v->agreement, out, err);
}

hd_code hd_vault_log_refusal(hd_vault *v, const char *why, hd_err *err)
{
    char detail[256];
    snprintf(detail, sizeof detail, "%s, asker %s, agreement %s", why, asker_of(v),
             v->agreement[0] ? v->agreement : "none");
    return hd_ledger_log(v->ledger, "refused", detail, err);
}

void hd_vault_digest(const hd_vault *v, const void *bytes, size_t len, uint8_t out[32])
{
    static const char of[16] = "hdis question";
    uint8_t salt[16] = {0}, plain[HD_DIGEST];
    hd_digest_of(bytes, len, plain);
    uint8_t key[32];
    hd_digest_keyed(v->keys->wrap, salt, of, key);
    hd_digest d;
    hd_digest_begin(&d);
    hd_digest_add(&d, key, sizeof key);
    hd_digest_add(&d, plain, sizeof plain);
    hd_digest_end(&d, out);
    hd_wipe(key, sizeof key);
}

hd_code hd_vault_add_release(hd_vault *v, hd_vault_release *r, hd_err *err)
{
    hd_sealer *sealer = NULL;
    hd_code rc;
    uint8_t hash[HD_DIGEST];
    char detail[96], hex[2 * sizeof hash + 1];
    hd_ledger_release row = {.table = r->table,
                             .agreement = v->agreement,
                             .asker = asker_of(v),
                             .policy = r->policy,
                             .data_version = r->data_version,
                             .near = r->near};
    uint8_t *packed = NULL, *sealed = NULL;
    size_t cap = 0, len;
    HD_GO(pack_body(r->body, r->body_len, &packed, &cap, &len, err));
    sealed = hd_malloc(len + HD_SEAL_TAG);
    if (!sealed) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    memcpy(row.question, r->question, sizeof row.question);
    hd_random(row.salt, sizeof row.salt);
    HD_GO(open_sealer(v, row.salt, &sealer, err));
    HD_GO(hd_seal(sealer, nonce, row.question, sizeof row.question, packed ? packed : r->body, len,
                  sealed, err));
    row.body = sealed;
    row.body_len = len + HD_SEAL_TAG;
    HD_GO(hd_ledger_add_release(v->ledger, &row, &r->number, hash, err));
    hd_hex(hex, hash, sizeof hash);
    snprintf(detail, sizeof detail, "%lld %s", (long long)r->number, hex);
    HD_GO(hd_ledger_log(v->ledger, "release", detail, err));
out:
    hd_sealer_free(sealer);
    hd_free(sealed);
    hd_wipe_free(packed, cap);
    return rc;
}
