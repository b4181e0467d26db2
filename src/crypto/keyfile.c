/* keyfile.c - see keyfile.h. */
#include "crypto/keyfile.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "crypto/digest.h"
#include "crypto/seal.h"
#include "crypto/secret.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_KEY_FILE = 4096 };

static const char first_line[] = "hdis-key 1\n";

/* The lines between the first and the last, in order. */
static const struct key_line {
    const char *word;
    size_t at, len;
} key_lines[] = {
    {"vault ", offsetof(hd_keys, vault_id), sizeof((hd_keys *)0)->vault_id},
    {"wrap ", offsetof(hd_keys, wrap), sizeof((hd_keys *)0)->wrap},
    {"pseudonym ", offsetof(hd_keys, pseudonym), sizeof((hd_keys *)0)->pseudonym},
    {"hash ", offsetof(hd_keys, hash), sizeof((hd_keys *)0)->hash},
};
enum { N_KEY_LINES = sizeof key_lines / sizeof *key_lines };

hd_code hd_keys_make(hd_keys **out, hd_err *err)
{
    *out = NULL;
    HD_TRY(hd_crypto_start(err));
    hd_keys *k = hd_secret_new(sizeof *k);
    if (!k)
        return hd_fail_nomem(err);
    hd_random(k, sizeof *k);
    *out = k;
    return HD_OK;
}

/* One "word hex LF" line; NULL unless it is exactly that. */
static const char *read_line(const char *p, const char *end, const char *word, void *out,
                             size_t len)
{
    size_t word_len = strlen(word);
    if ((size_t)(end - p) < word_len + 2 * len + 1 || memcmp(p, word, word_len) != 0)
        return NULL;
    p += word_len;
    if (!hd_unhex(out, len, p, 2 * len) || p[2 * len] != '\n')
        return NULL;
    return p + 2 * len + 1;
}

static bool parse(hd_keys *k, const char *text, size_t len)
{
    const char *p = text, *end = text + len;
    size_t first = sizeof first_line - 1;
    if (len < first || memcmp(p, first_line, first) != 0)
        return false;
    p += first;
    for (size_t i = 0; i < N_KEY_LINES && p; i++)
        p = read_line(p, end, key_lines[i].word, (uint8_t *)k + key_lines[i].at, key_lines[i].len);
    if (!p)
        return false;
    uint8_t want[HD_DIGEST], have[HD_DIGEST];
    hd_digest_of(text, (size_t)(p - text), want);
    p = read_line(p, end, "check ", have, sizeof have);
    return p == end && hd_same_bytes(want, have, sizeof have);
}

hd_code hd_keys_read(hd_keys **out, const char *path, hd_err *err)
{
    *out = NULL;
    HD_TRY(hd_crypto_start(err));
    struct stat st;
    if (stat(path, &st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return hd_fail(err, HD_NOTFOUND,
                           "the key file %s does not exist; name it with "
                           "--key-file or HDIS_KEY_FILE",
                           path);
        return hd_fail_os(err, "cannot look at the key file %s", path);
    }
    if (!S_ISREG(st.st_mode))
        return hd_fail(err, HD_DENIED, "the key file %s is not a regular file", path);
    if (st.st_mode & 077)
        return hd_fail(err, HD_DENIED,
                       "others may read or change the key file %s: chmod 600 it, and make new keys "
                       "if someone may have read it",
                       path);
    char *text = NULL;
    size_t len = 0;
    hd_code rc = HD_OK;
    hd_keys *k = hd_secret_new(sizeof *k);
    if (!k)
        return hd_fail_nomem(err);
    HD_GO(hd_io_read_file(path, MAX_KEY_FILE, &text, &len, err));
    if (!parse(k, text, len)) {
        rc = hd_fail(err, HD_FORMAT,
                     "%s is not a key file of hdis, or is damaged: restore it from "
                     "its copy",
                     path);
        goto out;
    }
    *out = k;
    k = NULL;
out:
    hd_wipe_free(text, len);
    hd_secret_free(k);
    return rc;
}

hd_code hd_keys_write(const hd_keys *k, const char *path, hd_err *err)
{
    struct stat st;
    if (lstat(path, &st) == 0)
        return hd_fail(err, HD_CONFLICT, "the key file %s exists already; it is never overwritten",
                       path);
    char text[MAX_KEY_FILE / 4], hex[2 * 32 + 1];
    size_t len = sizeof first_line - 1;
    memcpy(text, first_line, len);
    uint8_t check[HD_DIGEST];
    for (size_t i = 0; i <= N_KEY_LINES; i++) {
        const bool last = i == N_KEY_LINES;
        const char *word = last ? "check " : key_lines[i].word;
        size_t n = last ? sizeof check : key_lines[i].len;
        if (last)
            hd_digest_of(text, len, check);
        hd_hex(hex, last ? check : (const uint8_t *)k + key_lines[i].at, n);
        memcpy(text + len, word, strlen(word));
        len += strlen(word);
        memcpy(text + len, hex, 2 * n);
        len += 2 * n;
        text[len++] = '\n';
    }
    hd_code rc = hd_io_write_file(path, text, len, 0600, err);
    hd_wipe(text, sizeof text);
    hd_wipe(hex, sizeof hex);
    return rc;
}

void hd_keys_check(const hd_keys *k, uint8_t out[32])
{
    hd_digest_keyed(k->wrap, k->vault_id, "hdis key check 1", out);
}

/* Every asset id is random and wrapped once, so each derived key seals one message and a fixed
 * nonce is safe. */
static hd_code wrapping_sealer(const hd_keys *k, const uint8_t asset_id[16], hd_sealer **out,
                               hd_err *err)
{
    uint8_t key[32];
    hd_digest_keyed(k->wrap, asset_id, "hdis asset key 1", key);
    hd_code rc = hd_sealer_new(out, key, err);
    hd_wipe(key, sizeof key);
    return rc;
}

static const uint8_t wrap_nonce[HD_SEAL_NONCE];

hd_code hd_key_wrap(const hd_keys *k, const uint8_t asset_id[16], const uint8_t key[32],
                    uint8_t out[HD_WRAPPED_KEY], hd_err *err)
{
    hd_sealer *s = NULL;
    HD_TRY(wrapping_sealer(k, asset_id, &s, err));
    hd_code rc = hd_seal(s, wrap_nonce, k->vault_id, sizeof k->vault_id, key, 32, out, err);
    hd_sealer_free(s);
    return rc;
}

hd_code hd_key_unwrap(const hd_keys *k, const uint8_t asset_id[16],
                      const uint8_t wrapped[HD_WRAPPED_KEY], uint8_t out[32], hd_err *err)
{
    hd_sealer *s = NULL;
    HD_TRY(wrapping_sealer(k, asset_id, &s, err));
    bool opens = hd_unseal(s, wrap_nonce, k->vault_id, sizeof k->vault_id, wrapped, 32, out);
    hd_sealer_free(s);
    if (!opens)
        return hd_fail(err, HD_CRYPTO,
                       "the key of a table does not open: the key file belongs to "
                       "another vault, or the ledger was altered");
    return HD_OK;
}
