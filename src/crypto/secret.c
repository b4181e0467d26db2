/* secret.c - see secret.h. */
#include "crypto/secret.h"
#include "base/fault.h"

#include <sodium.h>
#include <string.h>

hd_code hd_crypto_start(hd_err *err)
{
    if (sodium_init() < 0)
        return hd_fail(err, HD_CRYPTO,
                       "the cryptographic library does not start: no random source");
    return HD_OK;
}

void *hd_secret_new(size_t len)
{
    if (hd_fault(HD_FAULT_ALLOC))
        return NULL;
    void *p = sodium_malloc(len ? len : 1);
    if (p)
        memset(p, 0, len ? len : 1);
    return p;
}

void hd_secret_free(void *p)
{
    sodium_free(p);
}

void hd_random(void *out, size_t len)
{
    randombytes_buf(out, len);
}

void hd_wipe(void *p, size_t len)
{
    sodium_memzero(p, len);
}

bool hd_same_bytes(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}

void hd_hex(char *out, const void *bytes, size_t len)
{
    sodium_bin2hex(out, 2 * len + 1, bytes, len);
}

bool hd_unhex(void *out, size_t len, const char *hex, size_t hex_len)
{
    size_t got = 0;
    const char *end = NULL;
    if (hex_len != 2 * len)
        return false;
    return sodium_hex2bin(out, len, hex, hex_len, NULL, &got, &end) == 0 && got == len &&
           end == hex + hex_len;
}
