/* lifetable.c - see lifetable.h. */
#include "statistics/lifetable.h"

#include <math.h>

const int hd_life_ages[20] = {0,  1,  5,  10, 15, 20, 25, 30, 35, 40,
                              45, 50, 55, 60, 65, 70, 75, 80, 85, 90};

static hd_life_refusal check(const hd_life_band *b, size_t n, const int *expected,
                             size_t n_expected, double least)
{
    double total = 0;
    if (n < 2 || b[0].age != 0 || (expected && n != n_expected))
        return HD_LIFE_BANDS;
    for (size_t i = 0; i < n; i++)
        if ((i > 0 && b[i].age <= b[i - 1].age) || (expected && b[i].age != expected[i]))
            return HD_LIFE_BANDS;
    for (size_t i = 0; i < n; i++) {
        if (!(b[i].deaths >= 0) || !(b[i].population >= 0))
            return HD_LIFE_NEGATIVE;
        if (b[i].population <= 0)
            return HD_LIFE_POPULATION;
        if (b[i].deaths > b[i].population)
            return HD_LIFE_EXCESS;
        total += b[i].population;
    }
    if (total < least)
        return HD_LIFE_SMALL;
    return b[n - 1].deaths > 0 ? HD_LIFE_OK : HD_LIFE_NO_DEATHS;
}

hd_life_refusal hd_life_table(const hd_life_band *b, size_t n, const int *expected,
                              size_t n_expected, double least, hd_life_row *rows)
{
    hd_life_refusal refusal = check(b, n, expected, n_expected, least);
    if (refusal != HD_LIFE_OK)
        return refusal;
    double alive = 100000;
    for (size_t i = 0; i < n; i++) {
        bool open = i + 1 == n;
        double rate = b[i].deaths / b[i].population;
        double width = open ? 2 / rate : b[i + 1].age - b[i].age;
        /* Those who die live a tenth of the first year of life, half of any other band. */
        double lived = i == 0 ? 0.1 : 0.5;
        double q = open ? 1 : fmin(rate * width / (1 + rate * width * (1 - lived)), 1);
        double next = open ? 0 : alive * (1 - q);
        rows[i].probability_of_dying = q;
        rows[i].survivors = alive;
        rows[i].years_lived = open ? alive / rate : width * (next + lived * (alive - next));
        alive = next;
    }
    double years = 0, spread = 0;
    for (size_t i = n; i-- > 0;) {
        hd_life_row *r = &rows[i];
        bool open = i + 1 == n;
        double q = r->probability_of_dying, rate = b[i].deaths / b[i].population;
        double own = b[i].deaths > 0 ? q * q * (1 - q) / b[i].deaths : 0, reach = 0;
        if (open) {
            own = 4 / (b[i].deaths * rate * rate);
            reach = r->survivors / 2;
        } else {
            reach = r->survivors *
                    ((i == 0 ? 0.9 : 0.5) * (b[i + 1].age - b[i].age) + rows[i + 1].value);
        }
        spread += reach * reach * own;
        years += r->years_lived;
        r->value = years / r->survivors;
        r->variance = spread / (r->survivors * r->survivors);
    }
    return HD_LIFE_OK;
}

hd_code hd_life_limits(const hd_life_row *row, double level, hd_limits *out, hd_err *err)
{
    double z;
    HD_TRY(hd_z(level, &z, err));
    double half = z * sqrt(row->variance);
    *out = (hd_limits){row->value - half, row->value + half};
    return HD_OK;
}

const char *hd_life_reason(hd_life_refusal refusal)
{
    static const char *const reasons[] = {
        [HD_LIFE_OK] = "",
        [HD_LIFE_WIDTH] =
            "an age band does not end where the next one begins, or the last is not open",
        [HD_LIFE_BANDS] = "an age band is missing, repeated or out of order",
        [HD_LIFE_NEGATIVE] = "a population or deaths are negative or missing",
        [HD_LIFE_POPULATION] = "an age band has no population",
        [HD_LIFE_EXCESS] = "an age band has more deaths than people",
        [HD_LIFE_SMALL] = "the population is too small",
        [HD_LIFE_NO_DEATHS] = "the open age band has no deaths"};
    return reasons[refusal];
}
