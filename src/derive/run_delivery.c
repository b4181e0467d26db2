/* run_delivery.c - the derivation delivery: rows of the source decoded to delivery episodes,
 * delivery.c, rows out. Rule numbers are those of doc/methods.md "Deliveries". */
#include "base/alloc.h"
#include "base/progress.h"
#include "derive/delivery.h"
#include "derive/derivation.h"

enum {
    IS_VALID = 1u << 0,
    IS_FEMALE = 1u << 1,
    IS_REGULAR = 1u << 2, /* CLASSPAT 3, 4 */
    HAS_EPITYPE = 1u << 3,
    HAS_PROCEDURE = 1u << 4
};
static const hd_condition conditions[] = {
    {IS_VALID, "epistat", "3"},
    {IS_FEMALE, "sex", "2"},
    {IS_REGULAR, "classpat", "3 4"},
    {HAS_EPITYPE, "epitype", "2 5"},
    {HAS_PROCEDURE, "procedure", "R17-R25"},
};

/* Rule 3: what makes a maternity tail full. */
static const char *const tail_fields[] = {"numbaby", "numpreg", "anagest", "delonset", "delmeth_d",
                                          "delmeth", "delplac", "birstat", "birweit",  "gestat"};
enum { N_TAIL = sizeof tail_fields / sizeof *tail_fields };

typedef struct reader {
    hd_flags flags;
    hd_numbers epistart, epiend, epiorder, startage, antedur, postdur, numbaby, numtailb;
    hd_numbers tail[N_TAIL]; /* 1 for a known value */
    hd_numbers known_operation;
    hd_numbers operation, delmeth_d, delmeth; /* hd_delivery_method by code */
    hd_birth *births;
    size_t n_births, births_cap;
    int32_t youngest, oldest, one_delivery_days, next_delivery_days;
} reader;

static void reader_free(reader *r)
{
    hd_numbers *const numbers[] = {&r->epistart,        &r->epiend,    &r->epiorder,  &r->startage,
                                   &r->antedur,         &r->postdur,   &r->numbaby,   &r->numtailb,
                                   &r->known_operation, &r->operation, &r->delmeth_d, &r->delmeth};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        hd_numbers_free(numbers[i]);
    for (size_t i = 0; i < N_TAIL; i++)
        hd_numbers_free(&r->tail[i]);
    hd_flags_free(&r->flags);
    hd_free(r->births);
    *r = (reader){0};
}

/* What each code of a field says about the method. */
static hd_code methods_new(hd_numbers *n, hd_source *s, const char *field, hd_method_source source,
                           hd_err *err)
{
    HD_TRY(hd_known_new(n, s, field, err));
    const hd_dictionary *d = n->source.dictionary;
    for (uint32_t code = 0; d && code < d->n_codes; code++) {
        hd_value value = hd_dictionary_value(d, code);
        n->by_code[code] = (int32_t)hd_method_of(source, &value);
    }
    return HD_OK;
}

static hd_code reader_open(reader *r, const hd_table_def *def, hd_source *s, hd_err *err)
{
    HD_TRY(hd_derivation_days(def, "youngest", "12", &r->youngest, err));
    HD_TRY(hd_derivation_days(def, "oldest", "55", &r->oldest, err));
    HD_TRY(hd_derivation_days(def, "one_delivery_days", "150", &r->one_delivery_days, err));
    HD_TRY(hd_derivation_days(def, "next_delivery_days", "168", &r->next_delivery_days, err));
    HD_TRY(hd_flags_new(&r->flags, s, conditions, sizeof conditions / sizeof *conditions, err));
    HD_TRY(hd_dates_new(&r->epistart, s, "epistart", err));
    HD_TRY(hd_dates_new(&r->epiend, s, "epiend", err));
    HD_TRY(hd_numbers_new(&r->epiorder, s, "epiorder", err));
    HD_TRY(hd_numbers_new(&r->startage, s, "startage", err));
    HD_TRY(hd_numbers_new(&r->antedur, s, "antedur", err));
    HD_TRY(hd_numbers_new(&r->postdur, s, "postdur", err));
    HD_TRY(hd_numbers_new(&r->numbaby, s, "numbaby", err));
    HD_TRY(hd_numbers_new(&r->numtailb, s, "numtailb", err));
    for (size_t i = 0; i < N_TAIL; i++)
        if (hd_table_def_field(s->def, tail_fields[i]))
            HD_TRY(hd_known_new(&r->tail[i], s, tail_fields[i], err));
    HD_TRY(hd_known_new(&r->known_operation, s, "procedure", err));
    HD_TRY(methods_new(&r->operation, s, "procedure", HD_METHOD_OPCS, err));
    HD_TRY(methods_new(&r->delmeth_d, s, "delmeth_d", HD_METHOD_D, err));
    return methods_new(&r->delmeth, s, "delmeth", HD_METHOD_N, err);
}

/* Known values of a field in a row: elements of a list, 0 or 1 for others. */
static uint32_t count_known(const hd_numbers *known, uint64_t row)
{
    if (!known->by_code)
        return 0;
    uint32_t n = 0;
    uint64_t at, end;
    hd_source_elements(&known->source, row, &at, &end);
    for (; at < end; at++)
        n += (uint32_t)known->by_code[hd_code_at(known->source.column, at)];
    return n;
}

/* Rule 1: decode the delivery episodes among these rows. */
static hd_code read_births(reader *r, uint64_t begin, uint64_t end, hd_err *err)
{
    r->n_births = 0;
    for (uint64_t row = begin; row < end; row++) {
        uint32_t flags = hd_flags_of(&r->flags, row);
        const uint32_t must = IS_VALID | IS_FEMALE, either = HAS_EPITYPE | HAS_PROCEDURE;
        if ((flags & must) != must || (flags & IS_REGULAR) || !(flags & either))
            continue;
        hd_birth b = {
            .row = row,
            .epistart = hd_number_at(&r->epistart, row),
            .epiend = hd_number_at(&r->epiend, row),
            .epiorder = hd_number_at(&r->epiorder, row),
            .antedur = hd_number_at(&r->antedur, row),
            .postdur = hd_number_at(&r->postdur, row),
            .procedures = count_known(&r->known_operation, row),
        };
        int32_t age = hd_number_at(&r->startage, row);
        if (age < r->youngest || age > r->oldest || b.epistart == HD_DATE_NONE ||
            b.epiend == HD_DATE_NONE)
            continue;
        for (size_t i = 0; i < N_TAIL; i++)
            b.tail += count_known(&r->tail[i], row);
        if (b.epiorder == HD_NUMBER_NONE)
            b.epiorder = INT32_MAX; /* NULL last */
        if (!HD_GROW(r->births, r->n_births, r->births_cap))
            return hd_fail_nomem(err);
        r->births[r->n_births++] = b;
    }
    return HD_OK;
}

/* The methods that the elements of a row name, in order of position; at most max. */
static size_t read_methods(const hd_numbers *n, uint64_t row, uint8_t *out, size_t max)
{
    if (!n->by_code)
        return 0;
    size_t count = 0;
    uint64_t at, end;
    hd_source_elements(&n->source, row, &at, &end);
    for (; at < end && count < max; at++)
        out[count++] = (uint8_t)n->by_code[hd_code_at(n->source.column, at)];
    return count;
}

enum { DELIVERY_DATE, DELIVERY_METHOD, N_BABIES, N_COMPUTED };
static const hd_computed computed[] = {
    [DELIVERY_DATE] = {"delivery_date", HD_DATE, NULL},
    [DELIVERY_METHOD] = {"delivery_method", HD_TEXT, hd_delivery_method_labels},
    [N_BABIES] = {"n_babies", HD_INTEGER, NULL},
};

/* Rules 4 to 6. */
static void compute(const reader *r, const hd_birth *b, int64_t *values)
{
    enum { MOST = 64 };
    uint8_t procedures[MOST], babies[MOST], derived = HD_METHOD_NONE;
    size_t n_procedures = read_methods(&r->operation, b->row, procedures, MOST);
    size_t n_babies = read_methods(&r->delmeth, b->row, babies, MOST);
    read_methods(&r->delmeth_d, b->row, &derived, 1);
    hd_delivery_method m = hd_method_decide(procedures, n_procedures, derived, babies, n_babies);
    values[DELIVERY_DATE] = b->epiend;
    values[DELIVERY_METHOD] = m == HD_METHOD_NONE ? HD_COMPUTED_NONE : (int64_t)m;
    int32_t submitted = hd_number_at(&r->numbaby, b->row);
    int32_t counted = hd_number_at(&r->numtailb, b->row);
    values[N_BABIES] = submitted >= 1 && submitted <= 6 ? submitted
                       : counted >= 1 && counted <= 9   ? counted
                                                        : HD_COMPUTED_NONE;
}

static hd_code run_delivery(const hd_table_def *def, hd_source *s, hd_output *out, hd_err *err)
{
    reader r = {0};
    hd_progress progress;
    hd_progress_begin(&progress, def->name, s->n_rows);
    hd_code rc;
    HD_GO(reader_open(&r, def, s, err));
    for (uint64_t begin = 0, end; begin < s->n_rows; begin = end) {
        end = hd_source_run_end(s, begin);
        HD_GO(read_births(&r, begin, end, err));
        size_t n =
            hd_births_choose(r.births, r.n_births, r.one_delivery_days, r.next_delivery_days);
        for (size_t i = 0; i < n; i++) {
            int64_t values[N_COMPUTED];
            compute(&r, &r.births[i], values);
            HD_GO(hd_output_put(out, s->persons[begin], &r.births[i].row, 1, values, err));
        }
        hd_progress_at(&progress, end);
    }
out:
    hd_progress_end(&progress);
    reader_free(&r);
    return rc;
}

static const char *const parameters[] = {"youngest", "oldest", "one_delivery_days",
                                         "next_delivery_days", NULL};

const hd_derivation hd_delivery = {"delivery", parameters, computed, N_COMPUTED, run_delivery};
