/* packed.c - see packed.h. One input buffer in front of the unpacker; `have` bytes from `at` on are
 * waiting in it. Invariant: a packed stream is `inside` a member from its first byte to its checked
 * end, so the end of the file is clean only when not inside. */
#include "landing/packed.h"
#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { IN_BYTES = 256 * 1024 };

struct hd_packed {
    int fd;
    const char *name;
    hd_packing packing;
    uint64_t size, delivered;
    bool at_end; /* nothing more on disk */
    bool inside; /* of a gzip member or zstd frame */
    bool seen;   /* at least one member was opened */
    size_t at, have;
    z_stream z;
    bool z_ready;
    ZSTD_DStream *zstd;
    hd_packed_watcher *watcher;
    void *watcher_ctx;
    bool shows_later;
    const char *unseen; /* n_unseen bytes that the watcher waits for */
    size_t n_unseen;
    uint64_t shown;
    unsigned char in[IN_BYTES];
};

const char *hd_packed_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

hd_packing hd_packed_packing(const hd_packed *s)
{
    return s->packing;
}

uint64_t hd_packed_size(const hd_packed *s)
{
    return s->size;
}

uint64_t hd_packed_delivered(const hd_packed *s)
{
    return s->delivered;
}

void hd_packed_show_later(hd_packed *s)
{
    s->shows_later = true;
}

/* Up to a whole number of blocks of a digest, as long as there are more. */
void hd_packed_show(hd_packed *s, size_t most)
{
    enum { BLOCK = 64 };
    size_t n = s->n_unseen;
    if (most < n)
        n = most + (BLOCK - (s->shown + most) % BLOCK) % BLOCK;
    n = n < s->n_unseen ? n : s->n_unseen;
    if (n == 0)
        return;
    s->watcher(s->watcher_ctx, s->unseen, n);
    s->unseen += n;
    s->n_unseen -= n;
    s->shown += n;
}

/* The watcher sees these next. */
static void note(hd_packed *s, const void *bytes, size_t len, bool stay)
{
    if (!s->watcher || len == 0)
        return;
    if (s->n_unseen && s->unseen + s->n_unseen != (const char *)bytes)
        hd_packed_show(s, SIZE_MAX);
    if (s->n_unseen == 0)
        s->unseen = bytes;
    s->n_unseen += len;
    if (!stay)
        hd_packed_show(s, SIZE_MAX);
}

/* The next bytes of the disk. */
static hd_code deliver(hd_packed *s, void *bytes, size_t cap, size_t *len, hd_err *err)
{
    ssize_t n;
    do
        n = read(s->fd, bytes, cap);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return hd_fail_os(err, "%s: cannot read", s->name);
    *len = (size_t)n;
    s->at_end = n == 0;
    s->delivered += (uint64_t)n;
    note(s, bytes, (size_t)n, s->shows_later && bytes != s->in);
    return HD_OK;
}

static hd_code fill(hd_packed *s, hd_err *err)
{
    if (s->have || s->at_end)
        return HD_OK;
    s->at = 0;
    return deliver(s, s->in, IN_BYTES, &s->have, err);
}

static const struct {
    const char *bytes;
    size_t len;
    hd_packing packing;
    const char *refusal;
} magics[] = {
    {"\x1f\x8b", 2, HD_PACKING_GZIP, NULL},
    {"\x28\xb5\x2f\xfd", 4, HD_PACKING_ZSTD, NULL},
    {"PAR1", 4, HD_PACKING_PARQUET, NULL},
    {"PK\x03\x04", 4, HD_PACKING_NONE,
     "is a ZIP archive or a spreadsheet: unpack it, or save it as CSV"},
    {"BZh", 3, HD_PACKING_NONE, "is packed with bzip2: unpack it first"},
    {"\xfd"
     "7zXZ",
     5, HD_PACKING_NONE, "is packed with xz: unpack it first"},
    {"7z\xbc\xaf", 4, HD_PACKING_NONE, "is a 7-Zip archive: unpack it first"},
    {"\xff\xfe", 2, HD_PACKING_NONE, "is UTF-16 text: convert it to UTF-8"},
    {"\xfe\xff", 2, HD_PACKING_NONE, "is UTF-16 text: convert it to UTF-8"},
};

static hd_code recognise(hd_packed *s, hd_err *err)
{
    HD_TRY(fill(s, err));
    if (s->have == 0)
        return hd_fail(err, HD_FORMAT, "%s is empty: a header row is needed", s->name);
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        if (s->have < magics[i].len || memcmp(s->in, magics[i].bytes, magics[i].len) != 0)
            continue;
        if (magics[i].refusal)
            return hd_fail(err, HD_FORMAT, "%s %s", s->name, magics[i].refusal);
        s->packing = magics[i].packing;
        break;
    }
    if (s->packing == HD_PACKING_GZIP) {
        if (inflateInit2(&s->z, 15 + 16) != Z_OK)
            return hd_fail_nomem(err);
        s->z_ready = true;
    } else if (s->packing == HD_PACKING_ZSTD) {
        s->zstd = ZSTD_createDStream();
        if (!s->zstd)
            return hd_fail_nomem(err);
    }
    return HD_OK;
}

hd_code hd_packed_open(hd_packed **out, const char *path, hd_packed_watcher *watcher, void *ctx,
                       hd_err *err)
{
    hd_code rc = HD_OK;
    *out = NULL;
    hd_packed *s = hd_calloc(1, sizeof *s);
    if (!s)
        return hd_fail_nomem(err);
    s->name = hd_packed_name(path);
    s->watcher = watcher;
    s->watcher_ctx = ctx;
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (s->fd < 0 && errno == ENOENT)
        rc = hd_fail(err, HD_NOTFOUND, "%s: no such file", s->name);
    else if (s->fd < 0 || fstat(s->fd, &st) != 0)
        rc = hd_fail_os(err, "%s: cannot open", s->name);
    else if (S_ISDIR(st.st_mode))
        rc = hd_fail(err, HD_FORMAT, "%s is a folder: name the files in it", s->name);
    if (rc == HD_OK) {
        s->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
        rc = recognise(s, err);
    }
    if (rc != HD_OK)
        hd_packed_close(s);
    else
        *out = s;
    return rc;
}

void hd_packed_close(hd_packed *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    if (s->z_ready)
        inflateEnd(&s->z);
    ZSTD_freeDStream(s->zstd);
    hd_wipe_free(s, sizeof *s);
}

static hd_code cut_short(const hd_packed *s, hd_err *err)
{
    return hd_fail(err, HD_FORMAT,
                   "%s: the packed data ends early, the file was cut off; fetch it again", s->name);
}

static hd_code damaged(const hd_packed *s, hd_err *err)
{
    return hd_fail(err, HD_FORMAT, "%s: the packed data is damaged; fetch the file again", s->name);
}

/* One step of the gzip unpacker; *len is what it gave. */
static hd_code step_gzip(hd_packed *s, void *bytes, size_t cap, size_t *len, hd_err *err)
{
    if (!s->inside) {
        if (s->seen && s->have && s->in[s->at] != 0x1f)
            return hd_fail(err, HD_FORMAT, "%s: something follows the end of the packed data",
                           s->name);
        if (inflateReset(&s->z) != Z_OK)
            return damaged(s, err);
        s->inside = s->seen = true;
    }
    s->z.next_in = s->in + s->at;
    s->z.avail_in = (uInt)s->have;
    s->z.next_out = bytes;
    s->z.avail_out = cap > 1u << 30 ? 1u << 30 : (uInt)cap;
    uInt room = s->z.avail_out;
    int rc = inflate(&s->z, Z_NO_FLUSH);
    s->at += s->have - s->z.avail_in;
    s->have = s->z.avail_in;
    *len = room - s->z.avail_out;
    if (rc == Z_MEM_ERROR)
        return hd_fail_nomem(err);
    if (rc == Z_STREAM_END)
        s->inside = false;
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        return damaged(s, err);
    return HD_OK;
}

static hd_code step_zstd(hd_packed *s, void *bytes, size_t cap, size_t *len, hd_err *err)
{
    ZSTD_inBuffer in = {s->in + s->at, s->have, 0};
    ZSTD_outBuffer to = {bytes, cap, 0};
    size_t rc = ZSTD_decompressStream(s->zstd, &to, &in);
    s->at += in.pos;
    s->have -= in.pos;
    *len = to.pos;
    if (ZSTD_isError(rc))
        return damaged(s, err);
    s->inside = rc != 0;
    return HD_OK;
}

static hd_code step_plain(hd_packed *s, void *bytes, size_t cap, size_t *len)
{
    *len = s->have < cap ? s->have : cap;
    memcpy(bytes, s->in + s->at, *len);
    s->at += *len;
    s->have -= *len;
    return HD_OK;
}

hd_code hd_packed_read(hd_packed *s, void *bytes, size_t cap, size_t *len, hd_err *err)
{
    *len = 0;
    if (s->packing == HD_PACKING_NONE && s->have == 0) /* nothing to unpack: no way round */
        return s->at_end ? HD_OK : deliver(s, bytes, cap < IN_BYTES ? cap : IN_BYTES, len, err);
    while (*len == 0) {
        HD_TRY(fill(s, err));
        if (s->have == 0 && !s->inside)
            return HD_OK;
        size_t before = s->have;
        if (s->packing == HD_PACKING_GZIP)
            HD_TRY(step_gzip(s, bytes, cap, len, err));
        else if (s->packing == HD_PACKING_ZSTD)
            HD_TRY(step_zstd(s, bytes, cap, len, err));
        else
            HD_TRY(step_plain(s, bytes, cap, len));
        if (*len == 0 && s->have == before && s->at_end && s->inside)
            return cut_short(s, err);
    }
    return HD_OK;
}
