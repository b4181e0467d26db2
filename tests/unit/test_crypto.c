/* test_crypto.c - published vectors, and that nothing altered opens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/rng.h"
#include "crypto/digest.h"
#include "crypto/keyfile.h"
#include "crypto/seal.h"
#include "crypto/secret.h"

static hd_err err;

static void assert_hex(const void *bytes, size_t len, const char *hex)
{
    char text[129];
    hd_hex(text, bytes, len);
    assert_string_equal(text, hex);
}

/* Test case 14 of the GCM specification: all zero. */
static void sealing_is_aes_256_gcm(void **state)
{
    (void)state;
    const uint8_t key[32] = {0}, nonce[12] = {0}, plain[16] = {0};
    uint8_t out[32];
    hd_sealer *s;
    assert_int_equal(hd_sealer_new(&s, key, &err), HD_OK);
    assert_int_equal(hd_seal(s, nonce, NULL, 0, plain, 16, out, &err), HD_OK);
    assert_hex(out, 32, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    hd_sealer_free(s);
}

static void altered_seals_do_not_open(void **state)
{
    (void)state;
    uint8_t key[32], nonce[12] = {1}, aad[8] = {2}, plain[100], sealed[116], back[100];
    hd_random(key, sizeof key);
    hd_random(plain, sizeof plain);
    hd_sealer *s, *other;
    assert_int_equal(hd_sealer_new(&s, key, &err), HD_OK);
    key[31] ^= 0x80;
    assert_int_equal(hd_sealer_new(&other, key, &err), HD_OK);
    assert_int_equal(hd_seal(s, nonce, aad, 8, plain, 100, sealed, &err), HD_OK);
    assert_true(hd_unseal(s, nonce, aad, 8, sealed, 100, back));
    assert_memory_equal(plain, back, 100);
    assert_false(hd_unseal(other, nonce, aad, 8, sealed, 100, back));
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(hd_unseal(s, nonce, aad, 8, sealed, 100, back));
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < 100; len++)
        assert_false(hd_unseal(s, nonce, aad, 8, sealed, len, back));
    for (size_t i = 0; i < sizeof aad; i++) {
        aad[i] ^= 1;
        assert_false(hd_unseal(s, nonce, aad, 8, sealed, 100, back));
        aad[i] ^= 1;
    }
    for (size_t i = 0; i < sizeof nonce; i++) {
        nonce[i] ^= 1;
        assert_false(hd_unseal(s, nonce, aad, 8, sealed, 100, back));
        nonce[i] ^= 1;
    }
    hd_sealer_free(s);
    hd_sealer_free(other);
}

static void digests_match_published_vectors(void **state)
{
    (void)state;
    uint8_t out[HD_DIGEST];
    hd_digest_of("abc", 3, out);
    assert_hex(out, 32, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    hd_digest_of("", 0, out);
    assert_hex(out, 32, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    /* Piece by piece is the same as at once, however it is cut. */
    uint8_t bytes[1000], want[HD_DIGEST];
    hd_rng r = hd_rng_stream(1, 2);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)hd_rng_next(&r);
    hd_digest_of(bytes, sizeof bytes, want);
    for (int round = 0; round < 50; round++) {
        hd_digest d;
        hd_digest_begin(&d);
        for (size_t at = 0; at < sizeof bytes;) {
            size_t n = hd_rng_below(&r, 300);
            n = n > sizeof bytes - at ? sizeof bytes - at : n;
            hd_digest_add(&d, bytes + at, n);
            at += n;
        }
        hd_digest_end(&d, out);
        assert_memory_equal(out, want, HD_DIGEST);
    }
}

/* RFC 4231 cases 1 and 2; HMAC pads a short key with zeros, so 32 bytes hold it. */
static void file_digests_are_sha256(void **state)
{
    (void)state;
    uint8_t out[HD_DIGEST];
    char hex[2 * HD_DIGEST + 1];
    hd_sha256 d;
    hd_sha256_begin(&d);
    hd_sha256_add(&d, "ab", 2);
    hd_sha256_add(&d, "c", 1);
    hd_sha256_end(&d, out);
    hd_hex(hex, out, sizeof out);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void pseudonyms_are_hmac_sha256(void **state)
{
    (void)state;
    uint8_t key[32] = {0}, out[HD_PSEUDONYM];
    hd_pseudonymiser p;
    memset(key, 0x0b, 20);
    hd_pseudonymiser_begin(&p, key);
    for (int i = 0; i < 2; i++) { /* usable again and again */
        hd_pseudonym(&p, "Hi There", 8, out);
        assert_hex(out, 16, "b0344c61d8db38535ca8afceaf0bf12b");
    }
    memset(key, 0, sizeof key);
    memcpy(key, "Jefe", 4);
    hd_pseudonymiser_begin(&p, key);
    hd_pseudonym(&p, "what do ya want for nothing?", 28, out);
    assert_hex(out, 16, "5bdcc146bf60754e6a042426089575c7");
}

/* Every length that fits into a block and some that do not, beside each other in any number. */
static void many_pseudonyms_are_those_of_one(void **state)
{
    (void)state;
    enum { MOST = 150 };
    static uint8_t text[MOST + 256], many[MOST][HD_PSEUDONYM];
    const void *ids[MOST];
    size_t lens[MOST];
    uint8_t key[32], one[HD_PSEUDONYM];
    hd_pseudonymiser p;
    hd_random(key, sizeof key);
    hd_random(text, sizeof text);
    hd_pseudonymiser_begin(&p, key);
    for (size_t n = 0; n <= MOST; n++) {
        for (size_t i = 0; i < n; i++) {
            ids[i] = text + i;
            lens[i] = n < 60 ? n : (i * 7 + n) % (i % 11 ? 56 : 200);
        }
        memset(many, 0, sizeof many);
        hd_pseudonyms(&p, ids, lens, n, many);
        for (size_t i = 0; i < n; i++) {
            hd_pseudonym(&p, ids[i], lens[i], one);
            assert_memory_equal(many[i], one, sizeof one);
        }
        for (size_t i = n; i < MOST; i++)
            for (size_t k = 0; k < HD_PSEUDONYM; k++)
                assert_int_equal(many[i][k], 0);
    }
}

/* The vector of the SipHash paper. */
static void key_hashes_are_siphash_2_4(void **state)
{
    (void)state;
    uint8_t key[16], in[15];
    for (uint8_t i = 0; i < 16; i++)
        key[i] = i;
    for (uint8_t i = 0; i < 15; i++)
        in[i] = i;
    assert_true(hd_key_hash(key, in, sizeof in) == UINT64_C(0xa129ca6149be45e5));
}

/* At every length from 8 to 15, beside each other in any number. */
static void many_key_hashes_are_those_of_one(void **state)
{
    (void)state;
    enum { MOST = 70 };
    uint64_t first[MOST], second[MOST], many[MOST];
    uint8_t key[HD_HASH_KEY];
    hd_random(key, sizeof key);
    for (size_t n = 0; n <= MOST; n++) {
        hd_random(first, sizeof first);
        hd_random(second, sizeof second);
        for (size_t i = 0; i < n; i++) {
            const size_t rest = (i * 3 + n) % 8;
            second[i] = (second[i] & ((UINT64_C(1) << 8 * rest) - 1)) | (uint64_t)(8 + rest) << 56;
        }
        memset(many, 0, sizeof many);
        hd_key_hashes(key, first, second, n, many);
        for (size_t i = 0; i < n; i++) {
            const uint64_t words[2] = {first[i], second[i]};
            assert_true(many[i] == hd_key_hash(key, words, second[i] >> 56));
        }
        for (size_t i = n; i < MOST; i++)
            assert_true(many[i] == 0);
    }
}

static void wrapped_keys_open_under_their_own_key_only(void **state)
{
    (void)state;
    hd_keys *a, *b;
    uint8_t id[16] = {1}, key[32], wrapped[HD_WRAPPED_KEY], back[32];
    assert_int_equal(hd_keys_make(&a, &err), HD_OK);
    assert_int_equal(hd_keys_make(&b, &err), HD_OK);
    hd_random(key, sizeof key);
    assert_int_equal(hd_key_wrap(a, id, key, wrapped, &err), HD_OK);
    assert_int_equal(hd_key_unwrap(a, id, wrapped, back, &err), HD_OK);
    assert_memory_equal(key, back, 32);
    assert_int_equal(hd_key_unwrap(b, id, wrapped, back, &err), HD_CRYPTO);
    id[0] = 2;
    assert_int_equal(hd_key_unwrap(a, id, wrapped, back, &err), HD_CRYPTO);
    id[0] = 1;
    wrapped[5] ^= 4;
    assert_int_equal(hd_key_unwrap(a, id, wrapped, back, &err), HD_CRYPTO);
    hd_secret_free(a);
    hd_secret_free(b);
}

static void hex_is_strict(void **state)
{
    (void)state;
    uint8_t out[2];
    assert_true(hd_unhex(out, 2, "0aFf", 4));
    assert_int_equal(out[1], 0xff);
    assert_false(hd_unhex(out, 2, "0aF", 3));
    assert_false(hd_unhex(out, 2, "0aFg", 4));
    assert_false(hd_unhex(out, 2, "0aFf0", 5));
    assert_false(hd_unhex(out, 2, " 0aF", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealing_is_aes_256_gcm),
        cmocka_unit_test(altered_seals_do_not_open),
        cmocka_unit_test(digests_match_published_vectors),
        cmocka_unit_test(file_digests_are_sha256),
        cmocka_unit_test(pseudonyms_are_hmac_sha256),
        cmocka_unit_test(many_pseudonyms_are_those_of_one),
        cmocka_unit_test(key_hashes_are_siphash_2_4),
        cmocka_unit_test(many_key_hashes_are_those_of_one),
        cmocka_unit_test(wrapped_keys_open_under_their_own_key_only),
        cmocka_unit_test(hex_is_strict),
    };
    if (hd_crypto_start(&err) != HD_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
