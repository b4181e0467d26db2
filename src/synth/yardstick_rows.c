/* yardstick_rows.c - the rows; see yardstick.h. Needs nothing of hdis, so that programs without it make
 * the same ones. */
#include "synth/yardstick.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_DAYS = 3652 /* ten years */ };

typedef struct shape {
    const char *name;
    uint32_t providers, months, diagnoses, procedures, practices, commissioners, areas;
    double rows_per_person;
    uint32_t percent_local; /* of admissions at the local provider */
    bool is_even;
} shape;

static const shape shapes[] = {
    {"english", 141, 120, 10000, 2000, 7000, 106, 32844, 4.17, 82, false},
    {"many", 1200, 522, 90000, 70000, 60000, 900, 200000, 1.3, 30, false},
    {"few", 6, 12, 40, 10, 30, 3, 90, 25, 99, false},
    {"even", 141, 120, 10000, 2000, 7000, 106, 32844, 4.17, 0, true},
};
static const shape *chosen = &shapes[0];

const char *const hd_yard_names[HD_YARD_TABLES] = {"admissions", "attendances"};

enum { /* columns of admissions */
       PROVIDER,
       MONTH,
       AGE,
       SEX,
       ADMISSION_METHOD,
       PATIENT_CLASS,
       DIAGNOSIS,
       PROCEDURE,
       STAY,
       PRACTICE,
       COMMISSIONER,
       AREA,
       ADMITTED,
       DISCHARGED
};
enum { /* columns of attendances after provider and month */
       DEPARTMENT = 2,
       ENDED,
       MINUTES,
       ARRIVED
};

hd_yard_column hd_yard_columns[HD_YARD_TABLES][HD_YARD_COLUMNS] = {
    {{"provider", 141, 0},
     {"month", 120, 0},
     {"age", 101, 0},
     {"sex", 3, 0},
     {"admission_method", 100, 0},
     {"patient_class", 6, 0},
     {"diagnosis", 10000, 0},
     {"procedure", 2000, 0},
     {"stay", 400, 0},
     {"practice", 7000, 0},
     {"commissioner", 106, 0},
     {"area", 32844, 0},
     {"admitted", N_DAYS, 1},
     {"discharged", N_DAYS + 400, 1},
     {0}},
    {{"provider", 141, 0},
     {"month", 120, 0},
     {"department", 5, 0},
     {"ended", 15, 0},
     {"minutes", 1440, 0},
     {"arrived", N_DAYS, 1},
     {0}},
};

bool hd_yard_choose(const char *name)
{
    const shape *found = NULL;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, name) == 0)
            found = &shapes[i];
    if (!found)
        return false;
    chosen = found;
    for (size_t t = 0; t < HD_YARD_TABLES; t++) {
        hd_yard_columns[t][PROVIDER].limit = found->providers;
        hd_yard_columns[t][MONTH].limit = found->months;
    }
    hd_yard_column *c = hd_yard_columns[HD_YARD_ADMISSIONS];
    c[DIAGNOSIS].limit = found->diagnoses;
    c[PROCEDURE].limit = found->procedures;
    c[PRACTICE].limit = found->practices;
    c[COMMISSIONER].limit = found->commissioners;
    c[AREA].limit = found->areas;
    return true;
}

/* Value 0 .. n - 1 whose frequency falls as 1 / (rank + 1), unless all is even. */
static uint32_t zipf(hd_rng *r, uint32_t n)
{
    if (chosen->is_even)
        return hd_rng_below(r, n);
    uint32_t x = (uint32_t)exp(hd_rng_unit(r) * log((double)n + 1)) - 1;
    return x < n ? x : n - 1;
}

/* How many rows a person has, before the mean is set: most few, six in ten thousand many. */
static uint32_t how_many(hd_rng *r, double mean)
{
    if (hd_rng_below(r, 10000) < 6)
        return 60 + hd_rng_below(r, 400);
    double x = -log(1 - hd_rng_unit(r));
    x *= hd_rng_below(r, 4) ? 0.6 : 2.2;
    uint32_t n = (uint32_t)(x * mean + hd_rng_unit(r)), most = mean < 8 ? 60 : 300;
    return n < most ? n : most;
}

static int by_day(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

typedef struct home {
    uint32_t sex, born, practice, commissioner, area, provider;
} home;

static uint32_t provider_of(hd_rng *r, const home *h)
{
    return hd_rng_below(r, 100) < chosen->percent_local ? h->provider : zipf(r, chosen->providers);
}

static void make_admission(hd_rng *r, const home *h, uint32_t day, uint32_t *v)
{
    static const uint8_t methods[] = {11, 11, 11, 12, 12, 12, 13, 13, 13, 21, 21, 21,
                                      21, 21, 22, 24, 28, 31, 31, 82, 82, 83, 81, 12};
    uint32_t method = methods[hd_rng_below(r, sizeof methods)];
    uint32_t emergency = method >= 21 && method <= 28;
    double stay = -log(1 - hd_rng_unit(r)) * (emergency ? 4.5 : 1.2);
    if (hd_rng_below(r, 50) == 0)
        stay *= 8;
    v[PROVIDER] = provider_of(r, h);
    v[MONTH] = day * chosen->months / N_DAYS;
    v[AGE] = (h->born + day / 366) % 101;
    v[SEX] = h->sex;
    v[ADMISSION_METHOD] = method;
    v[PATIENT_CLASS] = emergency ? 1 : 1 + hd_rng_below(r, 5);
    v[DIAGNOSIS] = zipf(r, chosen->diagnoses);
    v[PROCEDURE] = hd_rng_below(r, 3) ? zipf(r, chosen->procedures) : 0;
    v[STAY] = stay < 399 ? (uint32_t)stay : 399;
    v[PRACTICE] = h->practice;
    v[COMMISSIONER] = h->commissioner;
    v[AREA] = h->area;
    v[ADMITTED] = day;
    v[DISCHARGED] = day + v[STAY];
}

static void make_attendance(hd_rng *r, const home *h, uint32_t day, uint32_t *v)
{
    double minutes = 20 - log(1 - hd_rng_unit(r)) * 140;
    v[PROVIDER] = provider_of(r, h);
    v[MONTH] = day * chosen->months / N_DAYS;
    v[DEPARTMENT] = 1 + (hd_rng_below(r, 3) ? 0 : hd_rng_below(r, 4));
    v[ENDED] = zipf(r, 15);
    v[MINUTES] = minutes < 1439 ? (uint32_t)minutes : 1439;
    v[ARRIVED] = day;
}

static home home_of(uint64_t seed, uint32_t person)
{
    hd_rng r = hd_rng_stream(seed, (uint64_t)person * 2);
    home h = {.sex = 1 + hd_rng_below(&r, 2), .born = hd_rng_below(&r, 101)};
    h.practice = hd_rng_below(&r, chosen->practices);
    h.commissioner = h.practice * chosen->commissioners / chosen->practices;
    h.area = (h.practice * (chosen->areas / chosen->practices) + zipf(&r, 40)) % chosen->areas;
    h.provider = h.commissioner * chosen->providers / chosen->commissioners;
    return h;
}

/* Attendances share days with a person's admissions: both take their days from the same stream, and
 * four in ten of the attendances lie on one of the first days of it. */
static void make_person(hd_yard_source *s)
{
    home h = home_of(s->seed, s->person);
    hd_rng days = hd_rng_stream(s->seed, (uint64_t)s->person * 2 + 1);
    hd_rng own = hd_rng_stream(s->seed ^ (s->table + 1), s->person);
    uint32_t at[HD_YARD_OF_PERSON];
    s->n = how_many(&own, s->rows_per_person);
    s->at = 0;
    for (size_t i = 0; i < s->n; i++) {
        uint32_t shared = hd_rng_below(&days, N_DAYS);
        at[i] = hd_rng_below(&own, 10) < 6 ? hd_rng_below(&own, N_DAYS) : shared;
    }
    qsort(at, s->n, sizeof *at, by_day);
    for (size_t i = 0; i < s->n; i++) {
        uint32_t *v = s->held[i];
        if (s->table == HD_YARD_ADMISSIONS)
            make_admission(&own, &h, at[i], v);
        else
            make_attendance(&own, &h, at[i], v);
    }
}

void hd_yard_open(hd_yard_source *s, hd_yard_table table, uint64_t n_rows, uint64_t seed)
{
    *s = (hd_yard_source){.table = table, .seed = seed, .n_rows = n_rows, .rows_per_person = chosen->rows_per_person};
}

size_t hd_yard_next(hd_yard_source *s, hd_yard_chunk *out)
{
    for (out->n = 0; out->n < HD_YARD_CHUNK && s->made < s->n_rows; out->n++, s->made++) {
        while (s->at == s->n) {
            s->person++;
            make_person(s);
        }
        out->persons[out->n] = s->person;
        const uint32_t *v = s->held[s->at++];
        for (size_t c = 0; hd_yard_columns[s->table][c].name; c++)
            out->values[c][out->n] = v[c];
    }
    return out->n;
}
