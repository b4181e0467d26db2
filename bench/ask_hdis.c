/* ask_hdis.c - run questions in one process of hdis: SQL to figures, the way `hdis query` goes,
 * with the columns kept between questions. usage: ask_hdis VAULT KEY-FILE QUESTIONS REPEATS */
#include <inttypes.h>

#include "ask.h"
#include "base/date.h"
#include "disclosure/release.h"
#include "engine/question.h"

static void must(hd_code rc, const hd_err *err)
{
    if (rc == HD_OK)
        return;
    fprintf(stderr, "ask_hdis: %s\n", err->text);
    exit(1);
}

static void put_figure(const hd_figure *f)
{
    char text[32];
    if (f->value.is_null)
        printf("null");
    else if (f->value.type == HD_TEXT)
        put_text(f->value.text.bytes, f->value.text.len);
    else if (f->value.type == HD_DECIMAL)
        printf("%.17g", f->value.decimal);
    else if (f->value.type == HD_DATE) {
        hd_date_format((int32_t)f->value.integer, text);
        put_text(text, strlen(text));
    } else
        printf("%" PRId64, f->value.integer);
}

static void put_answer(const question *q, double first, double again, double processor,
                       const hd_release *r)
{
    printf("{\"name\":\"%s\",\"first_ms\":%.3f,\"again_ms\":%.3f,\"again_cpu_ms\":%.3f,\"rows\":[",
           q->name, first, again, processor);
    for (size_t i = 0; i < r->n_rows; i++)
        for (size_t c = 0; c < r->n_columns; c++) {
            printf("%s", c > 0 ? "," : i > 0 ? ",[" : "[");
            const hd_figure f = hd_release_at(r, i, c);
            put_figure(&f);
            if (c + 1 == r->n_columns)
                putchar(']');
        }
    printf("]}\n");
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: ask_hdis VAULT KEY-FILE QUESTIONS REPEATS\n");
        return 2;
    }
    hd_err err;
    hd_vault *vault;
    hd_catalogue *catalogue;
    hd_policy *policy;
    hd_engine *engine;
    question q;
    int repeats = atoi(argv[4]);
    double times[100];
    FILE *f = fopen(argv[3], "r");
    if (!f || repeats < 1 || repeats > 100) {
        fprintf(stderr, "ask_hdis: no questions file, or not 1 to 100 repeats\n");
        return 1;
    }
    must(hd_vault_open(&vault, argv[1], argv[2], false, &err), &err);
    must(hd_catalogue_open(&catalogue, hd_catalogue_default_folder(), argv[1], &err), &err);
    /* True counts: the answers are compared with those of a program that protects nothing. */
    must(hd_policy_open(&policy, hd_catalogue_folder(catalogue), "none", &err), &err);
    must(hd_engine_open(&engine, vault, catalogue, &err), &err);
    while (next_question(f, &q)) {
        hd_release *r;
        double start = now_ms();
        must(hd_release_ask(&r, engine, policy, q.sql, &err), &err);
        double first = now_ms() - start, processor = processor_ms();
        for (int i = 0; i < repeats; i++) {
            hd_release_free(r);
            start = now_ms();
            must(hd_release_ask(&r, engine, policy, q.sql, &err), &err);
            times[i] = now_ms() - start;
        }
        put_answer(&q, first, median_of(times, repeats), (processor_ms() - processor) / repeats, r);
        hd_release_free(r);
    }
    fclose(f);
    hd_engine_close(engine);
    hd_policy_free(policy);
    hd_catalogue_close(catalogue);
    hd_vault_close(vault);
    return 0;
}
