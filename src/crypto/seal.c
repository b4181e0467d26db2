/* seal.c - see seal.h. GnuTLS because it is the fastest AES-GCM of the libraries at hand. */
#include "crypto/seal.h"
#include "base/alloc.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

struct hd_sealer {
    gnutls_aead_cipher_hd_t handle;
};

hd_code hd_sealer_new(hd_sealer **out, const uint8_t key[HD_SEAL_KEY], hd_err *err)
{
    *out = NULL;
    hd_sealer *s = hd_calloc(1, sizeof *s);
    if (!s)
        return hd_fail_nomem(err);
    uint8_t copy[HD_SEAL_KEY]; /* gnutls_datum_t is not const */
    memcpy(copy, key, sizeof copy);
    gnutls_datum_t datum = {copy, sizeof copy};
    int rc = gnutls_aead_cipher_init(&s->handle, GNUTLS_CIPHER_AES_256_GCM, &datum);
    explicit_bzero(copy, sizeof copy);
    if (rc != GNUTLS_E_SUCCESS) {
        hd_free(s);
        if (rc == GNUTLS_E_MEMORY_ERROR)
            return hd_fail_nomem(err);
        return hd_fail(err, HD_CRYPTO, "AES-256-GCM is not available: %s", gnutls_strerror(rc));
    }
    *out = s;
    return HD_OK;
}

void hd_sealer_free(hd_sealer *s)
{
    if (!s)
        return;
    gnutls_aead_cipher_deinit(s->handle); /* wipes the key schedule */
    hd_free(s);
}

#ifndef HD_FUZZ
hd_code hd_seal(hd_sealer *s, const uint8_t nonce[HD_SEAL_NONCE], const void *aad, size_t aad_len,
                const void *plain, size_t len, void *out, hd_err *err)
{
    size_t out_len = len + HD_SEAL_TAG;
    int rc = gnutls_aead_cipher_encrypt(s->handle, nonce, HD_SEAL_NONCE, aad, aad_len, HD_SEAL_TAG,
                                        plain, len, out, &out_len);
    if (rc != GNUTLS_E_SUCCESS)
        return hd_fail(err, HD_CRYPTO, "sealing failed: %s", gnutls_strerror(rc));
    HD_ALWAYS(out_len == len + HD_SEAL_TAG);
    return HD_OK;
}

bool hd_unseal(hd_sealer *s, const uint8_t nonce[HD_SEAL_NONCE], const void *aad, size_t aad_len,
               const void *sealed, size_t len, void *out)
{
    size_t out_len = len;
    int rc = gnutls_aead_cipher_decrypt(s->handle, nonce, HD_SEAL_NONCE, aad, aad_len, HD_SEAL_TAG,
                                        sealed, len + HD_SEAL_TAG, out, &out_len);
    return rc == GNUTLS_E_SUCCESS && out_len == len;
}
#else
hd_code hd_seal(hd_sealer *s, const uint8_t nonce[HD_SEAL_NONCE], const void *aad, size_t aad_len,
                const void *plain, size_t len, void *out, hd_err *err)
{
    (void)s, (void)nonce, (void)aad, (void)aad_len, (void)err;
    memcpy(out, plain, len);
    memset((char *)out + len, 0, HD_SEAL_TAG);
    return HD_OK;
}

bool hd_unseal(hd_sealer *s, const uint8_t nonce[HD_SEAL_NONCE], const void *aad, size_t aad_len,
               const void *sealed, size_t len, void *out)
{
    (void)s, (void)nonce, (void)aad, (void)aad_len;
    memcpy(out, sealed, len);
    return true;
}
#endif
