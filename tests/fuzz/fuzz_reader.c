/* fuzz_reader.c - any bytes as a delivered file: they end in rows, defects or an error, and the
 * rows keep the promises of delivery.h. The first byte chooses the buffer, so that chunk borders
 * move. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <stdio.h>
#include <unistd.h>

#include "base/csv.h"
#include "landing/delivery.h"
#include "landing/identifiers.h"
#include "landing/judge.h"
#include "landing/memo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The words of a field are those of its text. */
static void check_words(const hd_batch *b, size_t row, size_t column)
{
    const hd_slice f = hd_batch_field(b, row, column);
    const hd_memo_probe p = hd_memo_probe_of(f.bytes, f.len);
    const hd_laid laid = b->laid[column];
    HD_ALWAYS(laid.first[row] == p.first);
    HD_ALWAYS(laid.second ? laid.second[row] == p.second : f.len <= 8);
}

static void check_batch(const hd_batch *b, size_t width)
{
    uint64_t line = 0;
    for (size_t r = 0; r < b->n_rows; r++) {
        HD_ALWAYS(b->lines[r] > line);
        line = b->lines[r];
        for (size_t c = 0; c < width; c++) {
            const hd_slice f = hd_batch_field(b, r, c);
            HD_ALWAYS(f.len <= HD_DELIVERY_FIELD_BYTES);
            if (b->laid)
                check_words(b, r, c);
            HD_ALWAYS(!memchr(f.bytes, '\0', f.len) && hd_utf8_ok(f.bytes, f.len));
            hd_identifier_shape(f.bytes, f.len, 2014);
            const char *id = f.bytes;
            size_t len = f.len;
            char scratch[10];
            hd_normal_id(&id, &len, scratch);
            hd_landing_date(f.bytes, f.len);
            hd_clock_minutes(f.bytes, f.len);
        }
    }
    for (size_t i = 0; i < b->n_defects; i++)
        HD_ALWAYS(b->defects[i].what > HD_DEFECT_NONE && b->defects[i].what < HD_N_DEFECTS);
}

struct bytes {
    const uint8_t *want;
    size_t n;
};

/* The watcher sees the file as it is. */
static void see(void *ctx, const void *bytes, size_t len)
{
    struct bytes *b = ctx;
    HD_ALWAYS(memcmp(b->want + b->n, bytes, len) == 0);
    b->n += len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Parquet goes to DuckDB's own reader, which is not what is tested here. */
    if (size < 1 || (size >= 5 && memcmp(data + 1, "PAR1", 4) == 0))
        return 0;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    HD_ALWAYS(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1));
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    hd_delivery *d;
    hd_err err;
    struct bytes seen = {data + 1, 0};
    hd_code rc = hd_delivery_open_sized(&d, path, 8 + data[0], see, &seen, &err);
    if (rc == HD_OK && data[0] % 2) {
        static bool wanted[HD_DELIVERY_COLUMNS];
        memset(wanted, true, sizeof wanted);
        rc = hd_delivery_lay_out(d, wanted, &err);
    }
    while (rc == HD_OK) {
        hd_batch b;
        rc = hd_delivery_next(d, &b, &err);
        if (rc == HD_OK && b.n_rows + b.n_defects == 0)
            HD_ALWAYS(seen.n == size - 1);
        if (rc != HD_OK || b.n_rows + b.n_defects == 0)
            break;
        check_batch(&b, hd_delivery_n_columns(d));
    }
    hd_delivery_close(d);
    close(fd);
    return 0;
}
