/* replay.c - stands in for libFuzzer: gives every file named on the command line to the target, then
 * altered copies of each, as many as the first argument says, so that the ordinary run finds what a
 * changed parser breaks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void alter(uint8_t *bytes, size_t size, hd_rng *r)
{
    static const char signs[] = "\"\"\n\r,|\t\0\xFF\xC3";
    for (unsigned k = 1 + hd_rng_below(r, 4); k && size; k--) {
        uint8_t *at = &bytes[hd_rng_below(r, (uint32_t)size)];
        *at = hd_rng_below(r, 2) ? (uint8_t)signs[hd_rng_below(r, sizeof signs - 1)]
                                 : (uint8_t)hd_rng_below(r, 256);
    }
}

static int replay(const char *name, uint64_t number, int altered)
{
    FILE *f = fopen(name, "rb");
    if (!f) {
        perror(name);
        return 1;
    }
    static uint8_t whole[1 << 20], bytes[1 << 20];
    size_t n = fread(whole, 1, sizeof whole, f);
    fclose(f);
    LLVMFuzzerTestOneInput(whole, n);
    hd_rng r = hd_rng_stream(1, number);
    for (int i = 0; i < altered; i++) {
        memcpy(bytes, whole, n);
        alter(bytes, n, &r);
        LLVMFuzzerTestOneInput(bytes, hd_rng_below(&r, 4) ? n : hd_rng_below(&r, (uint32_t)n + 1));
    }
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0, altered = argc > 1 ? atoi(argv[1]) : 0;
    for (int i = 2; i < argc; i++)
        failed |= replay(argv[i], (uint64_t)i - 1, altered);
    printf("%d inputs, %d altered copies of each\n", argc - 2, altered);
    return failed || argc < 3;
}
