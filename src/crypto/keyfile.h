/* keyfile.h - the keys of one vault and the file that holds them.
 *
 * The key file is text, six lines, each ended by LF:
 *
 *     hdis-key 1
 *     vault 32 hexadecimal digits            which vault it belongs to
 *     wrap 64 hexadecimal digits             opens the asset keys in the ledger
 *     pseudonym 64 hexadecimal digits        HMAC key of person pseudonyms
 *     hash 32 hexadecimal digits             SipHash key of row keys
 *     check 64 hexadecimal digits            BLAKE2b-256 of all bytes before this line
 *
 * It must be a regular file that nobody but its owner may touch, and must not lie in the vault
 * folder: whoever copies the folder must not get the keys with it.
 */
#ifndef HD_CRYPTO_KEYFILE_H
#define HD_CRYPTO_KEYFILE_H

#include "base/err.h"

typedef struct hd_keys {
    uint8_t vault_id[16];
    uint8_t wrap[32];
    uint8_t pseudonym[32];
    uint8_t hash[16];
} hd_keys;

enum { HD_WRAPPED_KEY = 48 };

/* Fresh keys, or those of a file; in secret memory, released with hd_secret_free.
 * Reading: HD_NOTFOUND; HD_DENIED: others may touch it, or no regular file; HD_FORMAT: damaged. */
HD_MUST hd_code hd_keys_make(hd_keys **out, hd_err *err);
HD_MUST hd_code hd_keys_read(hd_keys **out, const char *path, hd_err *err);
/* 0600; HD_CONFLICT when the file exists. */
HD_MUST hd_code hd_keys_write(const hd_keys *k, const char *path, hd_err *err);

/* What the ledger keeps to recognise the wrapping key without holding it. */
void hd_keys_check(const hd_keys *k, uint8_t out[32]);

/* An asset's key, sealed under a key made from the wrapping key and the asset's id. */
HD_MUST hd_code hd_key_wrap(const hd_keys *k, const uint8_t asset_id[16], const uint8_t key[32],
                            uint8_t out[HD_WRAPPED_KEY], hd_err *err);
/* HD_CRYPTO: wrapped under another key, or altered. */
HD_MUST hd_code hd_key_unwrap(const hd_keys *k, const uint8_t asset_id[16],
                              const uint8_t wrapped[HD_WRAPPED_KEY], uint8_t out[32], hd_err *err);

#endif
