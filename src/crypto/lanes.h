/* lanes.h - HMAC-SHA-256 of sixteen short messages at a time, SipHash-2-4 of eight, where the
 * processor has AVX-512.
 *
 * The messages of a keyed hash begin in the same two states, those of the padded key, and one that
 * fits into a block needs one step from each. Invariant: what comes out is what Nettle and
 * libsodium give for each message alone (tests/unit/test_crypto.c compares them at every length).
 */
#ifndef HD_CRYPTO_LANES_H
#define HD_CRYPTO_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HD_LANES = 16, HD_LANE_MOST = 55 /* bytes of a message: one block with its padding */ };

bool hd_lanes_work(void);
/* n <= HD_LANES messages of at most HD_LANE_MOST bytes; the first 16 bytes of each code to out. */
void hd_lanes_hmac(const uint32_t inner[8], const uint32_t outer[8], const void *const *messages,
                   const size_t *lens, size_t n, uint8_t (*out)[16]);

/* n messages of 8 to 15 bytes, as hd_key_hashes takes them; n is a multiple of HD_KEY_LANES. */
enum { HD_KEY_LANES = 8 };
void hd_lanes_siphash(const uint8_t key[16], const uint64_t *first, const uint64_t *second,
                      size_t n, uint64_t *out);

#endif
