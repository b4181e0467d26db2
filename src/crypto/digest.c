/* digest.c - see digest.h. */
#include "crypto/digest.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(crypto_generichash_blake2b_state) <= sizeof(hd_digest), "state fits");
_Static_assert(sizeof(crypto_auth_hmacsha256_state) <= sizeof(hd_pseudonymiser), "state fits");

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

void hd_pseudonymiser_begin(hd_pseudonymiser *p, const uint8_t key[32])
{
    crypto_auth_hmacsha256_init((void *)p->state_, key, 32);
}

void hd_pseudonym(const hd_pseudonymiser *p, const void *id, size_t len, uint8_t out[HD_PSEUDONYM])
{
    crypto_auth_hmacsha256_state state; /* a copy: half of the work is done in the original */
    memcpy(&state, p->state_, sizeof state);
    uint8_t full[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_update(&state, id, len);
    crypto_auth_hmacsha256_final(&state, full);
    memcpy(out, full, HD_PSEUDONYM);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(full, sizeof full);
}

uint64_t hd_key_hash(const uint8_t key[HD_HASH_KEY], const void *bytes, size_t len)
{
    uint64_t hash;
    _Static_assert(crypto_shorthash_BYTES == sizeof hash, "64 bits");
    crypto_shorthash((unsigned char *)&hash, bytes, len, key);
    return hash ? hash : 1;
}
