/* load_stages.c - what a load of one file costs, stage by stage, and what its first use costs.
 *
 *   load_stages DATASET FILE VAULT KEYFILE
 *
 * Makes the vault, then does what `hdis load` does with the same functions, but keeps the time of
 * each stage: read (tokenise, check, pseudonymise, stage), seal (sort by person, renumber, pack,
 * seal), persons, derive (the built tables), commit. Then the table is opened again with its pages
 * dropped from the system's cache, and its columns are loaded; beside that stands the time that
 * reading as many sealed bytes and opening their seals takes, both by all processors. One line of
 * JSON.
 */
#define _GNU_SOURCE
#include "ask.h"
#include "base/alloc.h"
#include "base/par.h"
#include "catalogue/catalogue.h"
#include "crypto/seal.h"
#include "crypto/secret.h"
#include "derive/derive.h"
#include "landing/intake.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STAGES = 5, PART = 128 * 1024 };
static const char *const stage_names[STAGES] = {"read", "seal", "persons", "derive", "commit"};
static double wall[STAGES], processor[STAGES];
static hd_err err;

static void must(hd_code rc)
{
    if (rc == HD_OK)
        return;
    fprintf(stderr, "load_stages: %s\n", err.text);
    exit(1);
}

static void timed(int stage, hd_code rc, double *w, double *p)
{
    must(rc);
    wall[stage] += now_ms() - *w;
    processor[stage] += processor_ms() - *p;
    *w = now_ms();
    *p = processor_ms();
}

static uint64_t load(hd_vault *v, const hd_catalogue *c, const hd_table_def *t, const char *file)
{
    hd_column_spec *specs;
    size_t n;
    hd_builder *b;
    hd_persons *persons;
    hd_intake *in;
    hd_publish *p;
    hd_intake_options options = {0};
    must(hd_intake_columns(t, &specs, &n, &err));
    must(hd_builder_new(&b, v, t->name, specs, n, &err));
    must(hd_persons_open(&persons, v, &err));
    hd_sink sink = {.vault = v, .builder = b, .persons = persons};
    double w = now_ms(), cpu = processor_ms();
    must(hd_intake_new(&in, c, t, &options, &sink, &err));
    must(hd_intake_file(in, file, &err));
    hd_intake_finish(in);
    timed(0, hd_intake_verdict(in, &err), &w, &cpu);
    uint64_t rows = hd_intake_quality(in)->rows_kept;
    hd_intake_free(in);
    must(hd_publish_begin(&p, v, &err));
    w = now_ms(), cpu = processor_ms();
    timed(1, hd_publish_table(p, b, &err), &w, &cpu);
    hd_builder_free(b);
    timed(2, hd_publish_persons(p, persons, &err), &w, &cpu);
    hd_persons_free(persons);
    timed(3, hd_derive_tables(p, v, c, t->name, &err), &w, &cpu);
    timed(4, hd_publish_commit(p, "bench", &err), &w, &cpu);
    hd_publish_free(p);
    hd_free(specs);
    return rows;
}

/* ---- first use ------------------------------------------------------------------------------ */

/* Push the files of the vault out of the system's cache. */
static void drop_pages(const char *vault)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/tables", vault);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/tables/%s", vault, e->d_name);
        int fd = open(path, O_RDONLY);
        if (fd >= 0) {
            if (fdatasync(fd) == 0)
                posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
            close(fd);
        }
    }
    if (d)
        closedir(d);
}

struct limit {
    int fd;
    uint64_t n_parts;
};

/* Read and open one part of PART bytes after another. What opens is of no use: it is another key.
 * */
static hd_code open_parts(void *ctx, size_t run, hd_err *e)
{
    const struct limit *l = ctx;
    static const uint8_t key[HD_SEAL_KEY], nonce[HD_SEAL_NONCE];
    size_t runs = hd_par_threads();
    hd_sealer *s;
    HD_TRY(hd_sealer_new(&s, key, e));
    uint8_t *sealed = hd_malloc(PART), *plain = hd_malloc(PART);
    hd_code rc = sealed && plain ? HD_OK : hd_fail_nomem(e);
    for (uint64_t i = l->n_parts * run / runs; rc == HD_OK && i < l->n_parts * (run + 1) / runs;
         i++)
        if (pread(l->fd, sealed, PART, (off_t)(i * PART)) != PART ||
            hd_unseal(s, nonce, NULL, 0, sealed, PART - HD_SEAL_TAG, plain))
            rc = hd_fail(e, HD_IO, "the file to measure with is not as it was written");
    hd_free(sealed);
    hd_free(plain);
    hd_sealer_free(s);
    return rc;
}

/* Time to read and open so many sealed bytes from cold files. */
static double limit_ms(const char *vault, uint64_t bytes)
{
    char path[4096], part[PART];
    snprintf(path, sizeof path, "%s/tables/limit", vault);
    struct limit l = {open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), bytes / PART + 1};
    hd_random(part, sizeof part);
    for (uint64_t i = 0; l.fd >= 0 && i < l.n_parts; i++)
        if (write(l.fd, part, PART) != PART)
            exit(1);
    if (l.fd < 0 || fdatasync(l.fd) != 0)
        exit(1);
    posix_fadvise(l.fd, 0, 0, POSIX_FADV_DONTNEED);
    double start = now_ms();
    must(hd_par_run(hd_par_threads(), open_parts, &l, &err));
    double ms = now_ms() - start;
    close(l.fd);
    unlink(path);
    return ms;
}

/* Load the columns that questions ask for, pages dropped. */
static void first_use(const char *vault, const char *key_file, const char *table, uint64_t *sealed,
                      uint64_t *memory, double *ms, double *cpu)
{
    hd_vault *v;
    hd_table *t;
    const hd_column *c;
    const uint32_t *persons;
    drop_pages(vault);
    double start = now_ms(), cpu_start = processor_ms();
    must(hd_vault_open(&v, vault, key_file, false, &err));
    must(hd_vault_table(v, table, &t, &err));
    must(hd_table_persons(t, &persons, &err));
    *sealed = 0;
    for (size_t i = 0; i < hd_table_n_columns(t); i++) {
        const hd_dictionary *d = hd_table_dictionary(t, i);
        if (!d || d->n_codes == 1) /* row keys; what the file does not have */
            continue;
        must(hd_table_load(t, i, &c, &err));
        for (uint32_t b = 0; b < hd_table_n_blocks(t); b++)
            *sealed += hd_table_block(t, i, b).sealed;
    }
    *ms = now_ms() - start;
    *cpu = processor_ms() - cpu_start;
    for (uint32_t b = 0; b < hd_table_n_blocks(t); b++)
        *sealed += hd_table_persons_block(t, b).sealed;
    *memory = hd_vault_memory_used(v);
    hd_vault_close(v);
}

int main(int argc, char **argv)
{
    hd_vault *v;
    hd_catalogue *c;
    struct rusage usage;
    if (argc != 5) {
        fprintf(stderr, "usage: load_stages DATASET FILE VAULT KEYFILE\n");
        return 2;
    }
    must(hd_catalogue_open(&c, hd_catalogue_default_folder(), NULL, &err));
    const hd_table_def *t = hd_catalogue_table(c, argv[1]);
    if (!t) {
        fprintf(stderr, "load_stages: there is no data set %s\n", argv[1]);
        return 1;
    }
    must(hd_vault_create(argv[3], argv[4], &err));
    must(hd_vault_open(&v, argv[3], argv[4], true, &err));
    uint64_t rows = load(v, c, t, argv[2]), bytes = 0, sealed, memory;
    hd_table_info *tables;
    size_t n;
    must(hd_vault_tables(v, &tables, &n, &err));
    for (size_t i = 0; i < n; i++)
        if (strcmp(tables[i].table, t->name) == 0)
            bytes = tables[i].bytes;
    hd_free(tables);
    hd_vault_close(v);
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"rows\":%llu,\"sealed\":%llu,\"peak_kb\":%ld", (unsigned long long)rows,
           (unsigned long long)bytes, usage.ru_maxrss);
    for (int i = 0; i < STAGES; i++)
        printf(",\"%s_ms\":%.1f,\"%s_cpu_ms\":%.1f", stage_names[i], wall[i], stage_names[i],
               processor[i]);
    double ms, cpu;
    first_use(argv[3], argv[4], t->name, &sealed, &memory, &ms, &cpu);
    printf(",\"first_ms\":%.1f,\"first_cpu_ms\":%.1f,\"first_sealed\":%llu,\"first_memory\":%llu,"
           "\"limit_ms\":%.1f}\n",
           ms, cpu, (unsigned long long)sealed, (unsigned long long)memory,
           limit_ms(argv[3], sealed));
    hd_catalogue_close(c);
    return 0;
}
