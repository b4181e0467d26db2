/* function.c - a C callback as a SQL function of one text.
 *
 * Unlike a macro over a subquery it may stand inside TRY(...), where everything that reads records
 * is evaluated. Invariant: the callback is pure and is called from several threads at once.
 */
#include "duck/private.h"
#include "base/alloc.h"

#include <string.h>

struct function {
    hd_duck_answer answer;
    void *ctx;
};

static void call(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    const struct function *f = duckdb_scalar_function_get_extra_info(info);
    duckdb_vector in = duckdb_data_chunk_get_vector(input, 0);
    duckdb_string_t *texts = duckdb_vector_get_data(in);
    uint64_t *given = duckdb_vector_get_validity(in);
    idx_t n = duckdb_data_chunk_get_size(input);
    duckdb_vector_ensure_validity_writable(output);
    uint64_t *validity = duckdb_vector_get_validity(output);
    for (idx_t i = 0; i < n; i++) {
        const char *text = NULL;
        if (!given || duckdb_validity_row_is_valid(given, i))
            text = f->answer(f->ctx, duckdb_string_t_data(&texts[i]),
                             duckdb_string_t_length(texts[i]));
        duckdb_validity_set_row_validity(validity, i, text != NULL);
        if (text && text == duckdb_string_t_data(&texts[i]))
            duckdb_vector_assign_string_element_len(output, i, text,
                                                    duckdb_string_t_length(texts[i]));
        else if (text)
            duckdb_vector_assign_string_element(output, i, text);
    }
}

hd_code hd_duck_add_function(hd_duck *d, const char *name, hd_duck_answer answer, void *ctx,
                             hd_err *err)
{
    struct function *f = hd_malloc(sizeof *f);
    if (!f)
        return hd_fail_nomem(err);
    *f = (struct function){answer, ctx};
    duckdb_scalar_function s = duckdb_create_scalar_function();
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_scalar_function_set_name(s, name);
    duckdb_scalar_function_add_parameter(s, text);
    duckdb_scalar_function_set_return_type(s, text);
    duckdb_scalar_function_set_extra_info(s, f, hd_free);
    duckdb_scalar_function_set_function(s, call);
    bool ok = duckdb_register_scalar_function(d->con, s) == DuckDBSuccess;
    duckdb_destroy_logical_type(&text);
    duckdb_destroy_scalar_function(&s);
    return ok ? HD_OK : hd_fail(err, HD_INVALID, "DuckDB does not take the function %s", name);
}
