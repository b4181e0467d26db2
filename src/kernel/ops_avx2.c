/* ops_avx2.c - the steps of a batch with AVX2 and BMI2; see ops.h. What has no better form here is
 * the plain one, compiled for these instructions.
 */
#include <immintrin.h>

#include "kernel/ops_plain.inc"

/* Bytes marked in a table of 256, 32 at a time: a table of 16 gives, for the low half of a byte,
 * the set of high halves that are marked, 8 of them a bit; a second one holds the other 8. */
static size_t keep(const uint8_t *sums, size_t n, const uint8_t *marks, uint64_t *selection)
{
    _Alignas(32) uint8_t low_sets[32] = {0}, high_sets[32] = {0};
    for (unsigned c = 0; c < 256; c++) {
        uint8_t *sets = c < 128 ? low_sets : high_sets;
        sets[c & 15] |= (uint8_t)(marks[c] << (c >> 4 & 7));
        sets[16 + (c & 15)] = sets[c & 15];
    }
    const __m256i low = _mm256_load_si256((const __m256i *)low_sets);
    const __m256i high = _mm256_load_si256((const __m256i *)high_sets);
    const __m256i bits = _mm256_set1_epi64x((int64_t)0x8040201008040201);
    const __m256i nibble = _mm256_set1_epi8(15);
    size_t kept = 0;
    for (size_t at = 0; at < n; at += 64) {
        uint64_t word = 0;
        for (size_t half = 0; half < 64; half += 32) {
            __m256i c = _mm256_loadu_si256((const __m256i *)(sums + at + half));
            __m256i set =
                _mm256_blendv_epi8(_mm256_shuffle_epi8(low, _mm256_and_si256(c, nibble)),
                                   _mm256_shuffle_epi8(high, _mm256_and_si256(c, nibble)), c);
            __m256i bit = _mm256_shuffle_epi8(
                bits, _mm256_and_si256(_mm256_srli_epi16(c, 4), _mm256_set1_epi8(7)));
            __m256i is = _mm256_cmpeq_epi8(_mm256_and_si256(set, bit), bit);
            word |= (uint64_t)(uint32_t)_mm256_movemask_epi8(is) << half;
        }
        if (n - at < 64)
            word &= (UINT64_C(1) << (n - at)) - 1;
        selection[at / 64] = word;
        kept += (size_t)_mm_popcnt_u64(word);
    }
    return kept;
}

static uint64_t spread8(uint64_t bits) /* 8 bits to 8 bytes of all ones */
{
    return _pdep_u64(bits, UINT64_C(0x0101010101010101)) * 255;
}

static void pack8(const uint64_t *selection, const uint8_t *in, size_t n, size_t ahead, uint8_t *out)
{
    size_t at = 0;
    for (; at + 8 <= n; at += 8) {
        _mm_prefetch((const char *)(in + at + ahead), _MM_HINT_T1);
        uint64_t bits = selection[at / 64] >> at % 64 & 255, bytes;
        memcpy(&bytes, in + at, sizeof bytes);
        bytes = _pext_u64(bytes, spread8(bits));
        memcpy(out, &bytes, sizeof bytes);
        out += _mm_popcnt_u64(bits);
    }
    for (; at < n; at++)
        if (selection[at / 64] >> at % 64 & 1)
            *out++ = in[at];
}

static void pack16(const uint64_t *selection, const uint16_t *in, size_t n, size_t ahead,
                   uint16_t *out)
{
    size_t at = 0;
    for (; at + 4 <= n; at += 4) {
        _mm_prefetch((const char *)(in + at + ahead), _MM_HINT_T1);
        uint64_t bits = selection[at / 64] >> at % 64 & 15, items;
        memcpy(&items, in + at, sizeof items);
        items = _pext_u64(items, _pdep_u64(bits, UINT64_C(0x0001000100010001)) * 65535);
        memcpy(out, &items, sizeof items);
        out += _mm_popcnt_u64(bits);
    }
    for (; at < n; at++)
        if (selection[at / 64] >> at % 64 & 1)
            *out++ = in[at];
}

static void pack32(const uint64_t *selection, const uint32_t *in, size_t n, size_t ahead,
                   uint32_t *out)
{
    size_t at = 0;
    for (; at + 8 <= n; at += 8) {
        _mm_prefetch((const char *)(in + at + ahead), _MM_HINT_T1);
        uint64_t bits = selection[at / 64] >> at % 64 & 255;
        __m128i order =
            _mm_cvtsi64_si128((int64_t)_pext_u64(UINT64_C(0x0706050403020100), spread8(bits)));
        __m256i items = _mm256_loadu_si256((const __m256i *)(in + at));
        items = _mm256_permutevar8x32_epi32(items, _mm256_cvtepu8_epi32(order));
        _mm256_storeu_si256((__m256i *)out, items);
        out += _mm_popcnt_u64(bits);
    }
    for (; at < n; at++)
        if (selection[at / 64] >> at % 64 & 1)
            *out++ = in[at];
}

const hd_k_ops hd_k_ops_avx2 = {
    .name = "avx2",
    .picks_below = 8,
    .add8 = plain_add8,
    .add16 = plain_add16,
    .join = plain_join,
    .keep = keep,
    .pack8 = pack8,
    .pack16 = pack16,
    .pack32 = pack32,
    .positions = plain_positions,
    .key8 = plain_key8,
    .key16 = plain_key16,
    .look8 = plain_look8,
    .look16 = plain_look16,
    .key_slots = plain_key_slots,
    .begins_of = plain_begins_of,
    .groups = plain_groups,
    .shared = plain_shared,
    .runs = plain_runs,
};
