/* ops_avx512.c - the steps of a batch with AVX-512 (F, BW, VL, DQ, VBMI, VBMI2, VPOPCNTDQ); see ops.h.
 *
 * A byte is looked up in a table of 256 by permuting registers that hold the whole table. The last
 * items of a column are read under a mask: what is masked out is not touched.
 */
#include <immintrin.h>

#include "kernel/ops_plain.inc"

static uint64_t first(size_t n) /* as many low bits, at most 64 */
{
    return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

typedef struct table256 {
    __m512i part[4];
} table256;

static inline table256 load_table(const uint8_t *bytes)
{
    table256 t;
    for (int i = 0; i < 4; i++)
        t.part[i] = _mm512_loadu_si512(bytes + i * 64);
    return t;
}

static inline __m512i look_up(const table256 *t, __m512i code)
{
    __m512i low = _mm512_permutex2var_epi8(t->part[0], code, t->part[1]);
    __m512i high = _mm512_permutex2var_epi8(t->part[2], code, t->part[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(code), low, high);
}

/* The bytes of 64 places in a table of n, HD_K_FAR at a time; `low` and `high` are the places of the first
 * and the last 32. */
static inline __m512i look_far(const uint8_t *table, uint32_t n, __m512i low, __m512i high)
{
    const __m512i even = _mm512_set_epi8(
        126, 124, 122, 120, 118, 116, 114, 112, 110, 108, 106, 104, 102, 100, 98, 96, 94, 92, 90, 88, 86,
        84, 82, 80, 78, 76, 74, 72, 70, 68, 66, 64, 62, 60, 58, 56, 54, 52, 50, 48, 46, 44, 42, 40, 38, 36,
        34, 32, 30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i place = _mm512_permutex2var_epi8(low, even, high);
    const __m512i part = _mm512_permutex2var_epi8(_mm512_srli_epi16(low, 7), even,
                                                  _mm512_srli_epi16(high, 7));
    __m512i found = _mm512_setzero_si512();
    for (uint32_t at = 0; at < n; at += HD_K_FAR) {
        __m512i here = _mm512_permutex2var_epi8(_mm512_loadu_si512(table + at), place,
                                                _mm512_loadu_si512(table + at + 64));
        __mmask64 is = _mm512_cmpge_epu8_mask(part, _mm512_set1_epi8((char)(at / HD_K_FAR)));
        found = _mm512_mask_mov_epi8(found, is, here);
    }
    return found;
}

static inline void ask_for(const void *p)
{
    _mm_prefetch((const char *)p, _MM_HINT_T1);
}

static void add8(const uint8_t *codes, size_t n, size_t ahead, const hd_k_adds *a, uint8_t *sums)
{
    const table256 t = load_table(a->by_code);
    for (size_t i = 0; i < n; i += 64) {
        ask_for(codes + i + ahead);
        __m512i code = _mm512_maskz_loadu_epi8(first(n - i), codes + i);
        __m512i sum = _mm512_loadu_si512(sums + i);
        _mm512_storeu_si512(sums + i, _mm512_add_epi8(sum, look_up(&t, code)));
    }
}

static void add16_steps(const uint16_t *codes, size_t n, size_t ahead, const hd_k_adds *a,
                        uint8_t *sums)
{
    __m512i from[HD_K_STEPS];
    __m256i by[HD_K_STEPS];
    for (unsigned k = 0; k < a->n_steps; k++) {
        from[k] = _mm512_set1_epi16((short)a->from[k]);
        by[k] = _mm256_set1_epi8((char)a->by[k]);
    }
    for (size_t i = 0; i < n; i += 32) {
        ask_for(codes + i + ahead);
        __m512i code = _mm512_maskz_loadu_epi16((__mmask32)first(n - i), codes + i);
        __m256i sum = _mm256_loadu_si256((const __m256i *)(sums + i));
        for (unsigned k = 0; k < a->n_steps; k++)
            sum = _mm256_mask_add_epi8(sum, _mm512_cmpge_epu16_mask(code, from[k]), sum, by[k]);
        _mm256_storeu_si256((__m256i *)(sums + i), sum);
    }
}

static void add16_bits(const uint16_t *codes, size_t n, size_t ahead, const hd_k_adds *a,
                       uint8_t *sums)
{
    const __m512i by = _mm512_set1_epi8((char)a->bit_adds), seven = _mm512_set1_epi16(7);
    const __m512i powers = _mm512_set1_epi64((int64_t)0x8040201008040201);
    for (size_t i = 0; i < n; i += 64) {
        ask_for(codes + i + ahead);
        ask_for(codes + i + 32 + ahead);
        const uint64_t here = first(n - i);
        __m512i low = _mm512_maskz_loadu_epi16((__mmask32)here, codes + i);
        __m512i high = _mm512_maskz_loadu_epi16((__mmask32)(here >> 32), codes + i + 32);
        __m512i bits = look_far(a->bits, a->n_codes / 8 + 1, _mm512_srli_epi16(low, 3),
                                _mm512_srli_epi16(high, 3));
        __m512i at = _mm512_inserti64x4(
            _mm512_castsi256_si512(_mm512_cvtepi16_epi8(_mm512_and_si512(low, seven))),
            _mm512_cvtepi16_epi8(_mm512_and_si512(high, seven)), 1);
        __mmask64 is = _mm512_test_epi8_mask(bits, _mm512_shuffle_epi8(powers, at));
        __m512i sum = _mm512_loadu_si512(sums + i);
        _mm512_storeu_si512(sums + i, _mm512_mask_add_epi8(sum, is, sum, by));
    }
}

/* Four bytes are fetched for each code and three thrown away: by_code has three more at its end. */
static void add16(const uint16_t *codes, size_t n, size_t ahead, const hd_k_adds *a, uint8_t *sums)
{
    enum { FEW = 16384 }; /* codes whose bits are looked up faster than bytes are gathered */
    if (a->n_steps <= HD_K_STEPS) {
        add16_steps(codes, n, ahead, a, sums);
        return;
    }
    if (a->bits && a->n_codes <= FEW) {
        add16_bits(codes, n, ahead, a, sums);
        return;
    }
    for (size_t i = 0; i < n; i += 16) {
        ask_for(codes + i + ahead);
        __m256i code = _mm256_maskz_loadu_epi16((__mmask16)first(n - i), codes + i);
        __m512i by = _mm512_i32gather_epi32(_mm512_cvtepu16_epi32(code), a->by_code, 1);
        __m128i sum = _mm_loadu_si128((const __m128i *)(sums + i));
        sum = _mm_add_epi8(sum, _mm512_cvtepi32_epi8(by));
        _mm_storeu_si128((__m128i *)(sums + i), sum);
    }
}

static inline __m512i places_of(const uint8_t *one, const uint8_t *two, __mmask32 here, __m512i by)
{
    __m512i first = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(here, one));
    __m512i second = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(here, two));
    return _mm512_add_epi16(first, _mm512_mullo_epi16(second, by));
}

static void join_few(uint8_t *one, const uint8_t *two, size_t n, const hd_k_joined *joined)
{
    const __m512i by = _mm512_set1_epi16((short)joined->size);
    for (size_t i = 0; i < n; i += 64) {
        const uint64_t here = first(n - i);
        __m512i low = places_of(one + i, two + i, (__mmask32)here, by);
        __m512i high = places_of(one + i + 32, two + i + 32, (__mmask32)(here >> 32), by);
        _mm512_mask_storeu_epi8(one + i, here, look_far(joined->of, joined->n, low, high));
    }
}

/* Four bytes are fetched for each row and three thrown away. */
static void join(uint8_t *one, const uint8_t *two, size_t n, const hd_k_joined *joined)
{
    enum { FEW = 2048 }; /* pairs that are looked up faster than gathered */
    if (joined->n <= FEW) {
        join_few(one, two, n, joined);
        return;
    }
    const __m512i by = _mm512_set1_epi32((int)joined->size);
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 here = (__mmask16)first(n - i);
        __m512i at = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(here, one + i));
        __m512i row = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(here, two + i));
        at = _mm512_add_epi32(at, _mm512_mullo_epi32(row, by));
        __m512i got = _mm512_mask_i32gather_epi32(at, here, at, joined->of, 1);
        _mm_mask_storeu_epi8(one + i, here, _mm512_cvtepi32_epi8(got));
    }
}

static size_t keep(const uint8_t *sums, size_t n, const uint8_t *marks, uint64_t *selection)
{
    const table256 t = load_table(marks);
    size_t kept = 0;
    for (size_t i = 0; i < n; i += 64) {
        __m512i is = look_up(&t, _mm512_loadu_si512(sums + i));
        uint64_t word = _mm512_test_epi8_mask(is, is) & first(n - i);
        selection[i / 64] = word;
        kept += (size_t)_mm_popcnt_u64(word);
    }
    return kept;
}

static void pack8(const uint64_t *selection, const uint8_t *in, size_t n, size_t ahead, uint8_t *out)
{
    for (size_t i = 0; i < n; i += 64) {
        ask_for(in + i + ahead);
        uint64_t word = selection[i / 64];
        __m512i items = _mm512_maskz_loadu_epi8(word, in + i);
        _mm512_storeu_si512(out, _mm512_maskz_compress_epi8(word, items));
        out += _mm_popcnt_u64(word);
    }
}

static void pack16(const uint64_t *selection, const uint16_t *in, size_t n, size_t ahead,
                   uint16_t *out)
{
    for (size_t i = 0; i < n; i += 32) {
        ask_for(in + i + ahead);
        __mmask32 bits = (__mmask32)(selection[i / 64] >> i % 64);
        __m512i items = _mm512_maskz_loadu_epi16(bits, in + i);
        _mm512_storeu_si512(out, _mm512_maskz_compress_epi16(bits, items));
        out += _mm_popcnt_u32(bits);
    }
}

static void pack32(const uint64_t *selection, const uint32_t *in, size_t n, size_t ahead,
                   uint32_t *out)
{
    for (size_t i = 0; i < n; i += 16) {
        ask_for(in + i + ahead);
        __mmask16 bits = (__mmask16)(selection[i / 64] >> i % 64);
        __m512i items = _mm512_maskz_loadu_epi32(bits, in + i);
        _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(bits, items));
        out += _mm_popcnt_u32(bits);
    }
}

static __m512i counting16(void) /* 0, 1, 2, ... 31 */
{
    const __m256i bytes = _mm256_set_epi64x(0x1F1E1D1C1B1A1918, 0x1716151413121110,
                                            0x0F0E0D0C0B0A0908, 0x0706050403020100);
    return _mm512_cvtepu8_epi16(bytes);
}

/* Asked for where few rows are selected: two of a word are put down whether they are there or not, and what is
 * not there is written over. */
static void positions(const uint64_t *selection, size_t n, uint16_t from, uint16_t *out)
{
    for (size_t i = 0; i < n; i += 64) {
        uint64_t word = selection[i / 64], rest = _blsr_u64(word), more = _blsr_u64(rest);
        uint16_t *next = out + _mm_popcnt_u64(word);
        out[0] = (uint16_t)(from + i + _tzcnt_u64(word));
        out[1] = (uint16_t)(from + i + _tzcnt_u64(rest));
        for (out += 2; more; more = _blsr_u64(more))
            *out++ = (uint16_t)(from + i + _tzcnt_u64(more));
        out = next;
    }
}

static inline void put_keys(uint32_t *keys, const uint32_t *before, size_t at, __m512i numbers,
                            __m512i stride)
{
    __m512i product = _mm512_mullo_epi32(numbers, stride);
    if (before)
        product = _mm512_add_epi32(product, _mm512_loadu_si512(before + at));
    _mm512_storeu_si512(keys + at, product);
}

static inline void put_keys64(uint32_t *keys, const uint32_t *before, size_t at, __m512i codes,
                              __m512i stride)
{
    put_keys(keys, before, at, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(codes)), stride);
    put_keys(keys, before, at + 16, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(codes, 1)), stride);
    put_keys(keys, before, at + 32, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(codes, 2)), stride);
    put_keys(keys, before, at + 48, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(codes, 3)), stride);
}

static void key8(const uint8_t *codes, size_t n, size_t ahead, uint32_t lowest, uint32_t stride,
                 const uint32_t *before, uint32_t *keys)
{
    const __m512i by = _mm512_set1_epi32((int)stride), less = _mm512_set1_epi8((char)lowest);
    for (size_t i = 0; i < n; i += 64) {
        ask_for(codes + i + ahead);
        __m512i code = _mm512_maskz_loadu_epi8(first(n - i), codes + i);
        put_keys64(keys, before, i, _mm512_subs_epu8(code, less), by);
    }
}

static void key16(const uint16_t *codes, size_t n, size_t ahead, uint32_t lowest, uint32_t stride,
                  const uint32_t *before, uint32_t *keys)
{
    const __m512i by = _mm512_set1_epi32((int)stride);
    const __m256i less = _mm256_set1_epi16((short)lowest);
    for (size_t i = 0; i < n; i += 16) {
        ask_for(codes + i + ahead);
        __m256i code = _mm256_maskz_loadu_epi16((__mmask16)first(n - i), codes + i);
        put_keys(keys, before, i, _mm512_cvtepu16_epi32(_mm256_subs_epu16(code, less)), by);
    }
}

static inline __m512i look_up_numbers(__m512i code, __mmask16 here, const uint32_t *by_code)
{
    return _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), here, code, by_code, 4);
}

static void look8(const uint8_t *codes, size_t n, size_t ahead, const uint32_t *by_code,
                  uint32_t stride, const uint32_t *before, uint32_t *keys)
{
    const __m512i by = _mm512_set1_epi32((int)stride);
    for (size_t i = 0; i < n; i += 16) {
        ask_for(codes + i + ahead);
        __mmask16 here = (__mmask16)first(n - i);
        __m512i code = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(here, codes + i));
        put_keys(keys, before, i, look_up_numbers(code, here, by_code), by);
    }
}

static void look16(const uint16_t *codes, size_t n, size_t ahead, const uint32_t *by_code,
                   uint32_t stride, const uint32_t *before, uint32_t *keys)
{
    const __m512i by = _mm512_set1_epi32((int)stride);
    for (size_t i = 0; i < n; i += 16) {
        ask_for(codes + i + ahead);
        __mmask16 here = (__mmask16)first(n - i);
        __m512i code = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(here, codes + i));
        put_keys(keys, before, i, look_up_numbers(code, here, by_code), by);
    }
}

static void key_slots(const uint8_t *codes, size_t n, size_t ahead, const uint8_t *slots,
                      uint32_t stride, const uint32_t *before, uint32_t *keys)
{
    const table256 t = load_table(slots);
    const __m512i by = _mm512_set1_epi32((int)stride);
    for (size_t i = 0; i < n; i += 64) {
        ask_for(codes + i + ahead);
        __m512i code = _mm512_maskz_loadu_epi8(first(n - i), codes + i);
        put_keys64(keys, before, i, look_up(&t, code), by);
    }
}

/* What lies before each of 16 items: the last of those before comes first. */
static inline __m512i shifted(__m512i items, __m512i before)
{
    return _mm512_alignr_epi32(items, before, 15);
}

static bool groups(const uint32_t *keys, const uint64_t *begins, size_t n, uint64_t *out)
{
    __m512i last = _mm512_set1_epi32((int)keys[0]);
    uint64_t descends = 0;
    for (size_t at = 0; at < n; at += 64) {
        uint64_t differs = 0, less = 0;
        for (size_t i = 0; i < 64; i += 16) {
            __m512i key = _mm512_loadu_si512(keys + at + i), before = shifted(key, last);
            differs |= (uint64_t)_mm512_cmpneq_epu32_mask(key, before) << i;
            less |= (uint64_t)_mm512_cmplt_epu32_mask(key, before) << i;
            last = key;
        }
        out[at / 64] = begins[at / 64] | (differs & first(n - at));
        descends |= less & first(n - at) & ~begins[at / 64];
    }
    return descends == 0;
}

/* `number`, and for each of 16 bits how many up to it are set. */
static inline __m512i count_on(uint32_t number, uint32_t bits)
{
    const __m512i up_to = _mm512_set_epi32(0xFFFF, 0x7FFF, 0x3FFF, 0x1FFF, 0xFFF, 0x7FF, 0x3FF, 0x1FF,
                                           0xFF, 0x7F, 0x3F, 0x1F, 0xF, 7, 3, 1);
    __m512i counts = _mm512_popcnt_epi32(_mm512_and_si512(_mm512_set1_epi32((int)bits), up_to));
    return _mm512_add_epi32(counts, _mm512_set1_epi32((int)number));
}

static size_t shared(const uint64_t *groups, size_t n, uint32_t *group, uint16_t *rows,
                     uint32_t *numbers)
{
    size_t k = 0;
    uint32_t number = *group;
    __m256i row = _mm512_castsi512_si256(counting16());
    for (size_t at = 0; at < n; at += 64) {
        uint64_t word = plain_shared_word(groups, at, n);
        for (size_t i = 0; i < 64; i += 16) {
            __mmask16 here = (__mmask16)(word >> i);
            uint32_t bits = (uint32_t)(groups[at / 64] >> i & 0xFFFF);
            __m512i numbered = count_on(number, bits);
            _mm512_storeu_si512(numbers + k, _mm512_maskz_compress_epi32(here, numbered));
            _mm256_storeu_si256((__m256i *)(rows + k), _mm256_maskz_compress_epi16(here, row));
            k += (size_t)_mm_popcnt_u32(here);
            number += (uint32_t)_mm_popcnt_u32(bits);
            row = _mm256_add_epi16(row, _mm256_set1_epi16(16));
        }
    }
    *group = number;
    return k;
}

/* A row begins a run when it differs from the row before; the first row always does. */
static inline size_t find_runs(const uint32_t *cells, const uint64_t *groups, size_t n, bool alone,
                               uint32_t *group, uint32_t *run_cells, uint32_t *run_groups,
                               uint16_t *at)
{
    __m512i before = _mm512_set1_epi32((int)~cells[0]);
    __m256i row = _mm512_castsi512_si256(counting16());
    uint32_t number = alone ? 0 : *group;
    size_t k = 0;
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 here = (__mmask16)first(n - i);
        __m512i cell = _mm512_maskz_loadu_epi32(here, cells + i);
        __mmask16 begins = _mm512_mask_cmpneq_epi32_mask(here, cell, shifted(cell, before));
        if (!alone) {
            uint32_t bits = (uint32_t)(groups[i / 64] >> i % 64 & 0xFFFF);
            __m512i numbered = count_on(number, bits);
            begins |= (__mmask16)bits;
            _mm512_storeu_si512(run_groups + k, _mm512_maskz_compress_epi32(begins, numbered));
            number += (uint32_t)_mm_popcnt_u32(bits);
        }
        _mm512_storeu_si512(run_cells + k, _mm512_maskz_compress_epi32(begins, cell));
        _mm256_storeu_si256((__m256i *)(at + k), _mm256_maskz_compress_epi16(begins, row));
        k += (size_t)_mm_popcnt_u32(begins);
        before = cell;
        row = _mm256_add_epi16(row, _mm256_set1_epi16(16));
    }
    at[k] = (uint16_t)n;
    if (!alone)
        *group = number;
    return k;
}

static size_t runs(const uint32_t *cells, const uint64_t *groups, size_t n, uint32_t *group,
                   uint32_t *run_cells, uint32_t *run_groups, uint16_t *at)
{
    return groups ? find_runs(cells, groups, n, false, group, run_cells, run_groups, at)
                  : find_runs(cells, NULL, n, true, NULL, run_cells, NULL, at);
}

const hd_k_ops hd_k_ops_avx512 = {
    .name = "avx512",
    .picks_below = 16,
    .add8 = add8,
    .add16 = add16,
    .join = join,
    .keep = keep,
    .pack8 = pack8,
    .pack16 = pack16,
    .pack32 = pack32,
    .positions = positions,
    .key8 = key8,
    .key16 = key16,
    .look8 = look8,
    .look16 = look16,
    .key_slots = key_slots,
    .begins_of = plain_begins_of,
    .groups = groups,
    .shared = shared,
    .runs = runs,
};
