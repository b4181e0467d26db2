/* digest.c - see digest.h. */
#include "crypto/digest.h"
#include "crypto/lanes.h"

#include <endian.h>
#include <nettle/sha2.h>
#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(crypto_generichash_blake2b_state) <= sizeof(hd_digest), "state fits");
_Static_assert(sizeof(struct sha256_ctx) <= sizeof(hd_sha256), "state fits");

/* HMAC: a hash of the key's inner pad and the message, then one of its outer pad and that. */
struct hmac {
    struct sha256_ctx inner, outer; /* the pads are absorbed */
};
_Static_assert(sizeof(struct hmac) <= sizeof(hd_pseudonymiser), "state fits");

void hd_digest_begin(hd_digest *d)
{
    crypto_generichash_blake2b_init((void *)d->state_, NULL, 0, HD_DIGEST);
}

void hd_digest_add(hd_digest *d, const void *bytes, size_t len)
{
    crypto_generichash_blake2b_update((void *)d->state_, bytes, len);
}

void hd_digest_end(hd_digest *d, uint8_t out[HD_DIGEST])
{
    crypto_generichash_blake2b_final((void *)d->state_, out, HD_DIGEST);
}

void hd_digest_of(const void *bytes, size_t len, uint8_t out[HD_DIGEST])
{
    crypto_generichash_blake2b(out, HD_DIGEST, bytes, len, NULL, 0);
}

void hd_digest_keyed(const uint8_t key[32], const uint8_t salt[16], const char purpose[16],
                     uint8_t out[HD_DIGEST])
{
    crypto_generichash_blake2b_salt_personal(out, HD_DIGEST, NULL, 0, key, 32, salt,
                                             (const unsigned char *)purpose);
}

void hd_sha256_begin(hd_sha256 *d)
{
    sha256_init((void *)d->state_);
}

void hd_sha256_add(hd_sha256 *d, const void *bytes, size_t len)
{
    sha256_update((void *)d->state_, len, bytes);
}

void hd_sha256_end(hd_sha256 *d, uint8_t out[HD_DIGEST])
{
    sha256_digest((void *)d->state_, HD_DIGEST, out);
}

static void absorb_pad(struct sha256_ctx *c, const uint8_t key[32], uint8_t with)
{
    uint8_t pad[SHA256_BLOCK_SIZE];
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] = with ^ (i < 32 ? key[i] : 0);
    sha256_init(c);
    sha256_update(c, sizeof pad, pad);
    sodium_memzero(pad, sizeof pad);
}

void hd_pseudonymiser_begin(hd_pseudonymiser *p, const uint8_t key[32])
{
    struct hmac *h = (void *)p->state_;
    absorb_pad(&h->inner, key, 0x36);
    absorb_pad(&h->outer, key, 0x5c);
}

void hd_pseudonym(const hd_pseudonymiser *p, const void *id, size_t len, uint8_t out[HD_PSEUDONYM])
{
    struct hmac h; /* a copy: half of the work is done in the original */
    memcpy(&h, p->state_, sizeof h);
    uint8_t inner[SHA256_DIGEST_SIZE];
    sha256_update(&h.inner, len, id);
    sha256_digest(&h.inner, sizeof inner, inner);
    sha256_update(&h.outer, sizeof inner, inner);
    sha256_digest(&h.outer, HD_PSEUDONYM, out);
    sodium_memzero(&h, sizeof h);
    sodium_memzero(inner, sizeof inner);
}

void hd_pseudonyms(const hd_pseudonymiser *p, const void *const *ids, const size_t *lens, size_t n,
                   uint8_t (*out)[HD_PSEUDONYM])
{
    const struct hmac *h = (const void *)p->state_;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && end < i + HD_LANES && lens[end] <= HD_LANE_MOST;)
            end++;
        if (end - i > 2 && hd_lanes_work()) {
            hd_lanes_hmac(h->inner.state, h->outer.state, ids + i, lens + i, end - i, out + i);
            continue;
        }
        hd_pseudonym(p, ids[i], lens[i], out[i]);
        end = i + 1;
    }
}

void hd_key_hashes(const uint8_t key[HD_HASH_KEY], const uint64_t *first, const uint64_t *second,
                   size_t n, uint64_t *out)
{
    size_t done = hd_lanes_work() ? n / HD_KEY_LANES * HD_KEY_LANES : 0;
    hd_lanes_siphash(key, first, second, done, out);
    for (size_t i = done; i < n; i++) {
        const uint64_t words[2] = {htole64(first[i]), htole64(second[i])};
        out[i] = hd_key_hash(key, words, second[i] >> 56);
    }
}

uint64_t hd_key_hash(const uint8_t key[HD_HASH_KEY], const void *bytes, size_t len)
{
    uint64_t hash;
    _Static_assert(crypto_shorthash_BYTES == sizeof hash, "64 bits");
    crypto_shorthash((unsigned char *)&hash, bytes, len, key);
    return hash ? hash : 1;
}
