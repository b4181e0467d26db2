/* io.h - file operations that must survive kill -9 and a full disk.
 *
 * Everything durable that hdis writes goes through these, so that the fault tests reach every step.
 * Publishing a file: write to a temporary name, hd_io_sync, hd_io_rename (which syncs the folder).
 */
#ifndef HD_BASE_IO_H
#define HD_BASE_IO_H

#include "base/err.h"

HD_MUST hd_code hd_io_write(int fd, const void *bytes, size_t len, const char *name, hd_err *err);
HD_MUST hd_code hd_io_write_at(int fd, const void *bytes, size_t len, uint64_t offset,
                               const char *name, hd_err *err);
/* HD_FORMAT when the file ends before len bytes. */
HD_MUST hd_code hd_io_read_at(int fd, void *bytes, size_t len, uint64_t offset, const char *name,
                              hd_err *err);
/* The disk may begin with these bytes; hd_io_sync then waits for less. Promises nothing. */
void hd_io_start_sync(int fd, uint64_t offset, uint64_t len);
HD_MUST hd_code hd_io_sync(int fd, const char *name, hd_err *err);
/* rename(2) inside one folder, then fsync of the folder. HD_INVALID where a device, a pipe or a link
 * is; whom a file already there is closed to, the new one is closed to as well. */
HD_MUST hd_code hd_io_rename(const char *from, const char *to, hd_err *err);
/* A missing file is not a failure. */
HD_MUST hd_code hd_io_unlink(const char *path, hd_err *err);
HD_MUST hd_code hd_io_make_dir(const char *path, hd_err *err); /* 0700; existing is fine */

/* Whole file, NUL-terminated; caller frees. HD_LIMIT above max bytes, HD_NOTFOUND when missing. */
HD_MUST hd_code hd_io_read_file(const char *path, size_t max, char **out, size_t *len, hd_err *err);
/* Whether both are there and are one file. */
bool hd_io_same_file(const char *a, const char *b);
/* Fails where hd_io_write_file would because of the place, and leaves nothing there: before work that cannot
 * be undone. */
HD_MUST hd_code hd_io_try_file(const char *path, hd_err *err);
/* Write a whole file by temporary name and rename, with the given mode. */
HD_MUST hd_code hd_io_write_file(const char *path, const void *bytes, size_t len, unsigned mode,
                                 hd_err *err);

#endif
