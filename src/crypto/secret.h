/* secret.h - memory for keys, random bytes, wiping, comparing.
 *
 * libsodium and GnuTLS are used in this folder only. Keys live in guarded memory (guard pages,
 * locked where the limit allows, left out of core files, wiped when freed); nothing prints them.
 * Call hd_crypto_start once before anything else here; it may be called again.
 */
#ifndef HD_CRYPTO_SECRET_H
#define HD_CRYPTO_SECRET_H

#include "base/err.h"

HD_MUST hd_code hd_crypto_start(hd_err *err);

HD_MUST void *hd_secret_new(size_t len); /* zeroed; NULL when memory is out */
void hd_secret_free(void *p);            /* wipes; NULL is allowed          */

void hd_random(void *out, size_t len); /* from the operating system; never fails */
void hd_wipe(void *p, size_t len);     /* not removed by the optimiser */
/* Equal? Takes the same time whatever the bytes are. */
bool hd_same_bytes(const void *a, const void *b, size_t len);

/* Lower-case hexadecimal. out holds 2 * len + 1 characters. */
void hd_hex(char *out, const void *bytes, size_t len);
/* Exactly 2 * len lower- or upper-case digits; false otherwise. */
bool hd_unhex(void *out, size_t len, const char *hex, size_t hex_len);

#endif
