/* definition.c - see definition.h.
 *
 * libcyaml reports a mistake as several log lines: what is wrong, then a backtrace from the innermost
 * place outwards. They are put together again as "file:line: key.key: what".
 */
#include "catalogue/definition.h"

#include "base/alloc.h"
#include "base/io.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const cyaml_strval_t hd_definition_words[2] = {{"false", 0}, {"true", 1}};

typedef struct log_text {
    char what[256];
    char key[200]; /* outermost first, joined by dots */
    int line;
} log_text;

static void put_key_in_front(log_text *t, const char *key, int len)
{
    char joined[sizeof t->key];
    int n = snprintf(joined, sizeof joined, "%.*s%s%s", len, key, t->key[0] ? "." : "", t->key);
    if (n > 0 && (size_t)n < sizeof joined)
        memcpy(t->key, joined, (size_t)n + 1);
}

static void take_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    log_text *t = ctx;
    char line[256];
    if (level < CYAML_LOG_ERROR)
        return;
    vsnprintf(line, sizeof line, fmt, args);
    line[strcspn(line, "\n")] = '\0';
    const char *place = strstr(line, "(line: ");
    if (place) {
        if (t->line == 0)
            t->line = atoi(place + strlen("(line: "));
        const char *key = strstr(line, "field '");
        if (key) {
            key += strlen("field '");
            put_key_in_front(t, key, (int)strcspn(key, "'"));
        }
    } else if (t->what[0] == '\0') {
        const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
        snprintf(t->what, sizeof t->what, "%s", text);
    }
}

static void *memory(void *ctx, void *p, size_t size)
{
    (void)ctx;
    if (size == 0) {
        hd_free(p);
        return NULL;
    }
    return hd_realloc(p, size);
}

static cyaml_config_t config(log_text *t)
{
    return (cyaml_config_t){
        .log_fn = t ? take_log : NULL,
        .log_ctx = t,
        .log_level = CYAML_LOG_ERROR,
        .mem_fn = memory,
        .flags = CYAML_CFG_NO_ALIAS,
    };
}

hd_code hd_definition_load(const char *path, const cyaml_schema_value_t *schema, void **out,
                           hd_err *err)
{
    enum { MAX_BYTES = 1 << 20 };
    char *text = NULL;
    size_t len = 0;
    *out = NULL;
    HD_TRY(hd_io_read_file(path, MAX_BYTES, &text, &len, err));
    log_text t = {.line = 0};
    cyaml_config_t c = config(&t);
    void *data = NULL;
    cyaml_err_t rc = cyaml_load_data((const uint8_t *)text, len, &c, schema, &data, NULL);
    hd_free(text);
    if (rc == CYAML_ERR_OOM)
        return hd_fail_nomem(err);
    if (rc != CYAML_OK)
        return hd_fail(err, HD_FORMAT, "%s:%d: %s%s%s", path, t.line, t.key, t.key[0] ? ": " : "",
                       t.what[0] ? t.what : cyaml_strerror(rc));
    if (!data)
        return hd_fail(err, HD_FORMAT, "%s: the file is empty", path);
    *out = data;
    return HD_OK;
}

void hd_definition_free(const cyaml_schema_value_t *schema, void *data)
{
    if (!data)
        return;
    cyaml_config_t c = config(NULL);
    (void)cyaml_free(&c, schema, data, 0);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

hd_code hd_definition_names(const char *folder, char ***out, size_t *n, hd_err *err)
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
        hd_definition_names_free(names, count);
        return rc;
    }
    *out = names;
    *n = count;
    return HD_OK;
}

void hd_definition_names_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hd_free(names[i]);
    hd_free(names);
}
