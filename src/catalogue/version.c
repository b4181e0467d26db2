/* version.c - sixteen hex digits that change whenever any definition changes.
 *
 * Over every .yaml and .csv below the catalogue folder (indicators, policies and reports too) and
 * the overlay, in order of their paths: BLAKE2b of path, length and bytes, cut to 64 bits.
 */
#include "catalogue/model.h"

#include "base/alloc.h"
#include "base/io.h"
#include "crypto/digest.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FILE = 256 << 20, MAX_DEPTH = 4 };

static hd_code mix_file(hd_digest *h, const char *path, const char *relative, hd_err *err)
{
    char *text;
    size_t len;
    HD_TRY(hd_io_read_file(path, MAX_FILE, &text, &len, err));
    uint64_t n = len;
    hd_digest_add(h, relative, strlen(relative) + 1);
    hd_digest_add(h, &n, sizeof n);
    hd_digest_add(h, text, len);
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

static hd_code mix_folder(hd_catalogue *c, hd_digest *h, const char *folder, const char *relative,
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
    hd_digest h;
    uint8_t out[HD_DIGEST];
    hd_digest_begin(&h);
    HD_TRY(mix_folder(c, &h, c->folder, "catalogue", 0, err));
    for (size_t i = 0; c->overlay && i < 2; i++) {
        static const char *const parts[] = {"organisations", "lookups"};
        const char *path = hd_keep_printf(c, "%s/%s", c->overlay, parts[i]);
        if (!path)
            return hd_fail_nomem(err);
        HD_TRY(mix_folder(c, &h, path, parts[i], 0, err));
    }
    hd_digest_end(&h, out);
    for (size_t i = 0; i < 8; i++)
        snprintf(c->version + 2 * i, 3, "%02x", out[i]);
    return HD_OK;
}
