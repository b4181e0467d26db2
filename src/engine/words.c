/* words.c - expressions to SQL text and back, and other things told from an expression alone, each
 * asked of DuckDB once and then remembered (recall.h).
 *
 * A key is a letter for what is remembered, the table where it matters, and the expression's tree.
 */
#include "engine/private.h"
#include "base/alloc.h"

#include <string.h>

static int add_bytes(const char *bytes, size_t len, void *key)
{
    hd_buf_add(key, bytes, len);
    return 0;
}

hd_code hd_recall_key(hd_buf *key, char kind, const char *table, const char *column,
                      const json_t *tree, hd_err *err)
{
    hd_buf_init(key, (size_t)1 << 26);
    hd_buf_char(key, kind);
    hd_buf_add(key, table, strlen(table) + 1);
    hd_buf_add(key, column, strlen(column) + 1);
    if (tree && json_dump_callback(tree, add_bytes, key, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        return hd_fail_nomem(err);
    return hd_buf_check(key, err);
}

static void release_text(void *text)
{
    hd_free(text);
}

static void release_tree(void *tree)
{
    json_decref(tree);
}

/* A thing that was just made: remembered when memory allows, and given back to the caller either
 * way by copying it beforehand. */
static hd_code remember(hd_engine *e, const hd_buf *key, void *thing, size_t bytes,
                        void (*release)(void *), hd_err *err)
{
    hd_recalled *kept;
    HD_TRY(hd_recall_keep(e->recall, key->data, key->len, thing, bytes, release, &kept, err));
    hd_recalled_drop(kept);
    return HD_OK;
}

hd_code hd_text_of(hd_engine *e, json_t *tree, char **sql, hd_err *err)
{
    hd_buf key;
    char *copy = NULL;
    hd_code rc;
    *sql = NULL;
    HD_GO(hd_recall_key(&key, 'u', "", "", tree, err));
    hd_recalled *known = hd_recall_find(e->recall, key.data, key.len);
    if (known) {
        *sql = hd_strdup(known->thing);
        hd_recalled_drop(known);
        rc = *sql ? HD_OK : hd_fail_nomem(err);
        goto out;
    }
    HD_GO(hd_tree_unparse(e->duck, tree, sql, err));
    copy = hd_strdup(*sql);
    rc = copy ? remember(e, &key, copy, strlen(copy), release_text, err) : hd_fail_nomem(err);
out:
    if (rc != HD_OK) {
        hd_free(*sql);
        *sql = NULL;
    }
    hd_buf_free(&key);
    return rc;
}

hd_code hd_tree_of(hd_engine *e, const char *text, json_t **out, hd_err *err)
{
    hd_buf key;
    json_t *tree = NULL;
    hd_code rc;
    *out = NULL;
    HD_GO(hd_recall_key(&key, 'p', text, "", NULL, err));
    hd_recalled *known = hd_recall_find(e->recall, key.data, key.len);
    if (known) {
        *out = json_deep_copy(known->thing);
        hd_recalled_drop(known);
    } else {
        HD_GO(hd_tree_parse(e->duck, text, &tree, err));
        *out = json_deep_copy(tree);
        /* A tree as JSON in memory takes some 20 times the text. */
        HD_GO(remember(e, &key, tree, 20 * strlen(text), release_tree, err));
    }
    rc = *out ? HD_OK : hd_fail_nomem(err);
out:
    if (rc != HD_OK) {
        json_decref(*out);
        *out = NULL;
    }
    hd_buf_free(&key);
    return rc;
}

/* ---- types ----------------------------------------------------------------------------------- */

static void release_type(void *type)
{
    hd_free(type);
}

hd_code hd_type_known(hd_engine *e, const asked *a, const json_t *tree, bool *is_known,
                      hd_type *out, hd_err *err)
{
    hd_buf key;
    *is_known = false;
    hd_code rc = hd_recall_key(&key, 't', a->table->name, "", tree, err);
    hd_recalled *known = rc == HD_OK ? hd_recall_find(e->recall, key.data, key.len) : NULL;
    if (known) {
        *out = *(const hd_type *)known->thing;
        *is_known = true;
        hd_recalled_drop(known);
    }
    hd_buf_free(&key);
    return rc;
}

hd_code hd_type_remember(hd_engine *e, const asked *a, const json_t *tree, hd_type type,
                         hd_err *err)
{
    hd_buf key;
    hd_code rc = hd_recall_key(&key, 't', a->table->name, "", tree, err);
    hd_recalled *known = rc == HD_OK ? hd_recall_find(e->recall, key.data, key.len) : NULL;
    if (rc == HD_OK && !known) {
        hd_type *copy = hd_malloc(sizeof *copy);
        if (copy) {
            *copy = type;
            rc = remember(e, &key, copy, sizeof *copy, release_type, err);
        } else {
            rc = hd_fail_nomem(err);
        }
    }
    hd_recalled_drop(known);
    hd_buf_free(&key);
    return rc;
}
