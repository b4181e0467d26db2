/* folder.c - see folder.h. */
#include "catalogue/folder.h"

#include "base/alloc.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

hd_code hd_folder_names(const char *folder, char ***out, size_t *n, hd_err *err)
{
    hd_code rc = HD_OK;
    char **names = NULL;
    size_t count = 0, cap = 0;
    DIR *dir = opendir(folder);
    if (!dir)
        return hd_fail_os(err, "cannot read the folder %s", folder);
    for (struct dirent *e; (e = readdir(dir));) {
        size_t len = strlen(e->d_name);
        if (e->d_name[0] == '.' || len < 6 || strcmp(e->d_name + len - 5, ".yaml") != 0)
            continue;
        if (!HD_GROW(names, count, cap) || !(names[count] = hd_strndup(e->d_name, len - 5))) {
            rc = hd_fail_nomem(err);
            goto out;
        }
        count++;
    }
    if (count > 1)
        qsort(names, count, sizeof *names, compare_names);
out:
    closedir(dir);
    if (rc != HD_OK) {
        hd_folder_names_free(names, count);
        return rc;
    }
    *out = names;
    *n = count;
    return HD_OK;
}

void hd_folder_names_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hd_free(names[i]);
    hd_free(names);
}
