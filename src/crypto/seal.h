/* seal.h - AES-256-GCM sealing of blocks.
 *
 * A sealed block is the ciphertext, as long as the plaintext, followed by a 16-byte tag. The caller
 * guarantees that a nonce is used once under a key: asset keys seal one file, whose nonce is the
 * position of the block in it (format.h), and a published file is never written again.
 * Threads: a sealer is used by one thread at a time; make one for each.
 *
 * Fuzzing: a program that compiles its own seal.c with HD_FUZZ gets copies instead of cipher and no
 * check, so that fuzzed bytes reach the parsers behind. Never part of the hdis program.
 */
#ifndef HD_CRYPTO_SEAL_H
#define HD_CRYPTO_SEAL_H

#include "base/err.h"

typedef struct hd_sealer hd_sealer;

enum { HD_SEAL_KEY = 32, HD_SEAL_NONCE = 12, HD_SEAL_TAG = 16 };

HD_MUST hd_code hd_sealer_new(hd_sealer **out, const uint8_t key[HD_SEAL_KEY], hd_err *err);
void hd_sealer_free(hd_sealer *s); /* wipes; NULL is allowed */

/* out has room for len + HD_SEAL_TAG bytes and does not overlap plain. */
HD_MUST hd_code hd_seal(hd_sealer *s, const uint8_t nonce[HD_SEAL_NONCE], const void *aad,
                        size_t aad_len, const void *plain, size_t len, void *out, hd_err *err);
/* sealed has len + HD_SEAL_TAG bytes, out room for len. False when the seal does not open: another
 * key, or any byte altered; what is in out then means nothing. */
HD_MUST bool hd_unseal(hd_sealer *s, const uint8_t nonce[HD_SEAL_NONCE], const void *aad,
                       size_t aad_len, const void *sealed, size_t len, void *out);

#endif
