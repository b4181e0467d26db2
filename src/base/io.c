/* io.c - see io.h. */
#define _GNU_SOURCE
#include "base/io.h"
#include "base/alloc.h"
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool step_fails(void)
{
    return hd_fault(HD_FAULT_STEP);
}

hd_code hd_io_write(int fd, const void *bytes, size_t len, const char *name, hd_err *err)
{
    const char *p = bytes;
    if (step_fails() || hd_fault(HD_FAULT_WRITE))
        return hd_fail_os(err, "cannot write %s", name);
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hd_fail_os(err, "cannot write %s", name);
        p += n;
        len -= (size_t)n;
    }
    return HD_OK;
}

hd_code hd_io_write_at(int fd, const void *bytes, size_t len, uint64_t offset, const char *name,
                       hd_err *err)
{
    const char *p = bytes;
    if (step_fails() || hd_fault(HD_FAULT_WRITE))
        return hd_fail_os(err, "cannot write %s", name);
    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hd_fail_os(err, "cannot write %s", name);
        p += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return HD_OK;
}

hd_code hd_io_read_at(int fd, void *bytes, size_t len, uint64_t offset, const char *name,
                      hd_err *err)
{
    char *p = bytes;
    while (len > 0) {
        ssize_t n = pread(fd, p, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hd_fail_os(err, "cannot read %s", name);
        if (n == 0)
            return hd_fail(err, HD_FORMAT, "%s is cut short: restore it from a copy", name);
        p += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return HD_OK;
}

void hd_io_start_sync(int fd, uint64_t offset, uint64_t len)
{
#ifdef SYNC_FILE_RANGE_WRITE
    /* without the flags that wait it takes no error away from fsync */
    (void)sync_file_range(fd, (off64_t)offset, (off64_t)len, SYNC_FILE_RANGE_WRITE);
#else
    (void)fd, (void)offset, (void)len;
#endif
}

hd_code hd_io_sync(int fd, const char *name, hd_err *err)
{
    if (step_fails() || fsync(fd) != 0)
        return hd_fail_os(err, "cannot make %s durable", name);
    return HD_OK;
}

static hd_code sync_folder_of(const char *path, hd_err *err)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return hd_fail_os(err, "cannot open the folder of %s", path);
    hd_code rc = hd_io_sync(fd, path, err);
    close(fd);
    return rc;
}

/* What stands at the place where a file is to appear: rename(2) would put the file in the place of
 * /dev/full, of a pipe or of a link, and would open to everybody what its owner had closed. */
static hd_code respect_place(const char *from, const char *to, hd_err *err)
{
    struct stat there, ours;
    if (lstat(to, &there) != 0)
        return HD_OK;
    if (!S_ISREG(there.st_mode) && !S_ISDIR(there.st_mode))
        return hd_fail(err, HD_INVALID,
                       "%s is a device, a pipe or a link: name a file, or write to standard output",
                       to);
    if (!S_ISREG(there.st_mode) || stat(from, &ours) != 0)
        return HD_OK;
    mode_t closed = ours.st_mode & 0777 & ~there.st_mode;
    if (closed && chmod(from, ours.st_mode & 0777 & ~closed) != 0)
        return hd_fail_os(err, "cannot keep the permissions of %s", to);
    return HD_OK;
}

hd_code hd_io_rename(const char *from, const char *to, hd_err *err)
{
    HD_TRY(respect_place(from, to, err));
    if (step_fails() || rename(from, to) != 0)
        return hd_fail_os(err, "cannot rename %s", from);
    return sync_folder_of(to, err);
}

hd_code hd_io_unlink(const char *path, hd_err *err)
{
    if (step_fails() || (unlink(path) != 0 && errno != ENOENT))
        return hd_fail_os(err, "cannot remove %s", path);
    return HD_OK;
}

hd_code hd_io_make_dir(const char *path, hd_err *err)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return hd_fail_os(err, "cannot make the folder %s", path);
    return HD_OK;
}

hd_code hd_io_read_file(const char *path, size_t max, char **out, size_t *len, hd_err *err)
{
    *out = NULL;
    *len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return hd_fail(err, HD_NOTFOUND, "%s does not exist", path);
    if (fd < 0)
        return hd_fail_os(err, "cannot open %s", path);
    char *data = NULL;
    size_t n = 0, cap = 0;
    hd_code rc = HD_OK;
    for (;;) {
        if (n + 1 >= cap) {
            cap = cap ? cap * 2 : 65536;
            char *p = hd_realloc(data, cap);
            if (!p) {
                rc = hd_fail_nomem(err);
                goto out;
            }
            data = p;
        }
        ssize_t got = read(fd, data + n, cap - n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            rc = hd_fail_os(err, "cannot read %s", path);
            goto out;
        }
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > max) {
            rc = hd_fail(err, HD_LIMIT, "%s is larger than %zu bytes, the most allowed here", path,
                         max);
            goto out;
        }
    }
    data[n] = '\0';
    *out = data;
    *len = n;
    data = NULL;
out:
    hd_free(data);
    close(fd);
    return rc;
}

bool hd_io_same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

static hd_code open_beside(const char *path, char temporary[PATH_MAX], unsigned mode, int *fd,
                           hd_err *err)
{
    struct stat there;
    if ((size_t)snprintf(temporary, PATH_MAX, "%s.tmp.%ld", path, (long)getpid()) >= PATH_MAX)
        return hd_fail(err, HD_LIMIT, "the path %s is too long", path);
    if (lstat(path, &there) == 0 && S_ISDIR(there.st_mode))
        return hd_fail(err, HD_INVALID, "%s is a folder: name a file in it", path);
    *fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    return *fd < 0 ? hd_fail_os(err, "cannot create %s", path) : HD_OK;
}

hd_code hd_io_try_file(const char *path, hd_err *err)
{
    char temporary[PATH_MAX];
    int fd;
    HD_TRY(open_beside(path, temporary, 0600, &fd, err));
    close(fd);
    hd_code rc = respect_place(temporary, path, err);
    (void)unlink(temporary);
    return rc;
}

hd_code hd_io_write_file(const char *path, const void *bytes, size_t len, unsigned mode,
                         hd_err *err)
{
    char temporary[PATH_MAX];
    int fd;
    HD_TRY(open_beside(path, temporary, mode, &fd, err));
    hd_code rc = hd_io_write(fd, bytes, len, path, err);
    if (rc == HD_OK)
        rc = hd_io_sync(fd, path, err);
    close(fd);
    if (rc == HD_OK)
        rc = hd_io_rename(temporary, path, err);
    if (rc != HD_OK)
        (void)unlink(temporary);
    return rc;
}
