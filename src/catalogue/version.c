/* version.c - sixteen hex digits that change whenever any definition changes.
 *
 * Over every .yaml and .csv below the catalogue folder (indicators, policies and reports too) and
 * the overlay, in order of their paths: FNV-1a, 64 bit, of path, length and bytes. It tells versions
 * apart; it is no defence against someone who wants two catalogues to look alike.
 */
#include "catalogue/model.h"

#include "base/alloc.h"
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FILE = 256 << 20, MAX_DEPTH = 4 };

static uint64_t mix(uint64_t h, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001B3);
    return h;
}

static hd_code mix_file(uint64_t *h, const char *path, const char *relative, hd_err *err)
{
    char *text;
    size_t len;
    HD_TRY(hd_io_read_file(path, MAX_FILE, &text, &len, err));
    uint64_t n = len;
    *h = mix(*h, relative, strlen(relative) + 1);
    *h = mix(*h, &n, sizeof n);
    *h = mix(*h, text, len);
    hd_free(text);
    return HD_OK;
}

static int is_visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static bool counts(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".csv") == 0);
}

static hd_code mix_folder(hd_catalogue *c, uint64_t *h, const char *folder, const char *relative,
                          int depth, hd_err *err)
{
    struct dirent **names = NULL;
    hd_code rc = HD_OK;
    int n = scandir(folder, &names, is_visible, alphasort);
    if (n < 0)
        return errno == ENOENT   ? HD_OK
               : errno == ENOMEM ? hd_fail_nomem(err)
                                 : hd_fail_os(err, "cannot read %s", folder);
    for (int i = 0; i < n; i++) {
        struct stat st;
        const char *name = names[i]->d_name;
        const char *path = hd_keep_printf(c, "%s/%s", folder, name);
        const char *below = hd_keep_printf(c, "%s/%s", relative, name);
        if (rc == HD_OK && (!path || !below))
            rc = hd_fail_nomem(err);
        if (rc == HD_OK && stat(path, &st) == 0) {
            if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH)
                rc = mix_folder(c, h, path, below, depth + 1, err);
            else if (S_ISREG(st.st_mode) && counts(name))
                rc = mix_file(h, path, below, err);
        }
        free(names[i]); /* scandir's own */
    }
    free(names);
    return rc;
}

hd_code hd_catalogue_compute_version(hd_catalogue *c, hd_err *err)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    HD_TRY(mix_folder(c, &h, c->folder, "catalogue", 0, err));
    for (size_t i = 0; c->overlay && i < 2; i++) {
        static const char *const parts[] = {"organisations", "lookups"};
        const char *path = hd_keep_printf(c, "%s/%s", c->overlay, parts[i]);
        if (!path)
            return hd_fail_nomem(err);
        HD_TRY(mix_folder(c, &h, path, parts[i], 0, err));
    }
    snprintf(c->version, sizeof c->version, "%016llx", (unsigned long long)h);
    return HD_OK;
}
