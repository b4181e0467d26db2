/* digest.h - digests and keyed hashes.
 *
 * SHA-256 names delivered files, as sha256sum does; BLAKE2b-256 chains the log. HMAC-SHA-256 makes
 * pseudonyms, SipHash-2-4 row keys; both are keyed and mean nothing without the key file. SHA-256
 * is Nettle's, which uses the processor's instructions for it: of all that is done to a delivered
 * row it would be the largest part in plain code. Many pseudonyms or row keys at a time are our
 * own (lanes.h).
 */
#ifndef HD_CRYPTO_DIGEST_H
#define HD_CRYPTO_DIGEST_H

#include "base/err.h"

enum { HD_DIGEST = 32, HD_PSEUDONYM = 16, HD_HASH_KEY = 16 };

/* BLAKE2b-256 of bytes that come piece by piece. */
typedef struct hd_digest {
    _Alignas(64) uint8_t state_[384];
} hd_digest;

void hd_digest_begin(hd_digest *d);
void hd_digest_add(hd_digest *d, const void *bytes, size_t len);
void hd_digest_end(hd_digest *d, uint8_t out[HD_DIGEST]);

void hd_digest_of(const void *bytes, size_t len, uint8_t out[HD_DIGEST]);
/* Keyed BLAKE2b-256 with a 16-byte salt and a 16-byte purpose: one key from another. */
void hd_digest_keyed(const uint8_t key[32], const uint8_t salt[16], const char purpose[16],
                     uint8_t out[HD_DIGEST]);

/* SHA-256 of bytes that come piece by piece. */
typedef struct hd_sha256 {
    _Alignas(16) uint8_t state_[128];
} hd_sha256;

void hd_sha256_begin(hd_sha256 *d);
void hd_sha256_add(hd_sha256 *d, const void *bytes, size_t len);
void hd_sha256_end(hd_sha256 *d, uint8_t out[HD_DIGEST]);

/* HMAC-SHA-256 with the key already absorbed; const while in use, so threads may share it. */
typedef struct hd_pseudonymiser {
    _Alignas(16) uint8_t state_[256];
} hd_pseudonymiser;

void hd_pseudonymiser_begin(hd_pseudonymiser *p, const uint8_t key[32]); /* wipe it after use */
void hd_pseudonym(const hd_pseudonymiser *p, const void *id, size_t len, uint8_t out[HD_PSEUDONYM]);
/* The same for many ids; fast for those of at most 55 bytes. */
void hd_pseudonyms(const hd_pseudonymiser *p, const void *const *ids, const size_t *lens, size_t n,
                   uint8_t (*out)[HD_PSEUDONYM]);

/* SipHash-2-4; 0 is turned into 1, because 0 stands for NULL. */
uint64_t hd_key_hash(const uint8_t key[HD_HASH_KEY], const void *bytes, size_t len);
/* The same of many messages of 8 to 15 bytes: the first eight bytes of each as a word, and the rest
 * with zeros behind it and the length in the highest byte. Eight at a time with AVX-512. */
void hd_key_hashes(const uint8_t key[HD_HASH_KEY], const uint64_t *first, const uint64_t *second,
                   size_t n, uint64_t *out);

#endif
