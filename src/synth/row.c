/* row.c - keys, what rows of all data sets share, and the way into the chunk. Keys are spread by a
 * multiplication that is one to one, so they are unique and tell nothing about people or time. */
#include "synth/life.h"
#include "base/alloc.h"

#include <string.h>

int hd_row_year(const hd_life *l, int32_t date)
{
    const hd_chunk *k = l->chunk;
    return date >= k->first_day && date <= k->last_day ? hd_date_financial_year(date) : -1;
}

/* One to one from below span into span / 9 .. 10 * span / 9: span is 9 times a power of ten, and
 * the factors have no divisor in common with it. */
static uint64_t spread(uint64_t x, size_t which, uint64_t span)
{
    static const uint64_t factors[2 * HD_N_DATASETS] = {
        UINT64_C(556234876151), UINT64_C(742938285019), UINT64_C(318281828461),
        UINT64_C(991414213567), UINT64_C(161803398877), UINT64_C(299792458013),
        UINT64_C(662607015041), UINT64_C(137035999049), UINT64_C(577215664907),
        UINT64_C(915965594179),
    };
    return span / 9 + (uint64_t)((unsigned __int128)x * factors[which] % span);
}

uint64_t hd_row_key(hd_life *l, hd_dataset dataset, int year)
{
    if (l->n_keys[dataset] >= HD_ROWS_PER_LIFE)
        return 0;
    uint64_t x = l->id * HD_ROWS_PER_LIFE + l->n_keys[dataset]++;
    /* 12 digits until 2020-21, then 19, which is more than a signed 64-bit number holds. */
    return spread(x, dataset,
                  year >= 2021 ? UINT64_C(9000000000000000000) : UINT64_C(900000000000));
}

uint64_t hd_row_susrecid(const hd_life *l, hd_dataset dataset, uint32_t n)
{
    return spread(l->id * HD_ROWS_PER_LIFE + n, HD_N_DATASETS + dataset, UINT64_C(90000000000000));
}

/* STARTAGE and its decimal twin; babies in seven steps. */
static void set_age(hd_row_common *c, int32_t birth, int32_t date)
{
    static const struct {
        int32_t until, code, thousandths;
    } babies[] = {{1, 7001, 2},     {7, 7002, 10},    {29, 7003, 48},  {91, 7004, 167},
                  {182, 7005, 375}, {273, 7006, 625}, {366, 7007, 875}};
    int y, m, d, by, bm, bd;
    hd_date_to_ymd(date, &y, &m, &d);
    hd_date_to_ymd(birth, &by, &bm, &bd);
    int years = y - by - (m < bm || (m == bm && d < bd));
    if (years >= 1) {
        c->age = years < 120 ? years : 120;
        c->age_thousandths = c->age * 1000;
        return;
    }
    size_t i = 0;
    while (i + 1 < sizeof babies / sizeof *babies && date - birth >= babies[i].until)
        i++;
    c->age = babies[i].code;
    c->age_thousandths = babies[i].thousandths;
}

static hd_code8 sex_code(const hd_life *l, int year)
{
    uint64_t x = l->token[0] >> 20 & 4095;
    if (x == 0)
        return hd_code8_of("9");
    if (x < 3)
        return hd_code8_of(year >= 2022 ? "X" : "0");
    return hd_code8_of(l->is_female ? "2" : "1");
}

static const char *practice_code(hd_life *l)
{
    double u = hd_rng_unit(&l->dirt);
    if (u < 0.006)
        return u < 0.003 ? "V81997" : u < 0.005 ? "V81999" : u < 0.0055 ? "V81998" : "&";
    return l->practice->code;
}

static void set_place(hd_life *l, hd_row_common *c)
{
    double u = hd_rng_unit(&l->dirt);
    c->lsoa = l->place->code;
    c->imd_rank = l->place->imd_rank;
    c->imd_decile = hd_imd_deciles[l->place->imd_decile - 1];
    c->rural_urban = l->place->rural_urban;
    c->ccg = hd_code8_of(l->chunk->world->ccgs[l->practice->ccg].code);
    c->ccg_origin = hd_code8_of("1");
    if (u < 0.004) { /* no fixed abode */
        c->lsoa = u < 0.003 ? "Z99999999" : "";
        c->imd_rank = c->rural_urban = HD_NONE;
        c->imd_decile = "";
        c->ccg = hd_code8_of(u < 0.001 ? "59999" : l->chunk->world->ccgs[l->place->ccg].code);
        c->ccg_origin = hd_code8_of(u < 0.001 ? "9" : "4");
    }
}

void hd_row_common_of(hd_life *l, hd_row_common *c, int unit, int32_t date, int year)
{
    const hd_world *w = l->chunk->world;
    const hd_unit *treated_by = &w->units[unit];
    memset(c, 0, sizeof *c);
    c->token[0] = l->token[0];
    c->token[1] = l->token[1];
    c->fyear = l->chunk->fyears[year - l->chunk->options->first_year];
    c->partyear = year * 100 + 99;
    c->mydob = hd_rng_below(&l->dirt, 500) ? l->birth : HD_DATE_NONE;
    c->sex = sex_code(l, year);
    c->ethnos = l->ethnos;
    if (hd_rng_below(&l->dirt, 12) == 0)
        c->ethnos = hd_code8_of(hd_rng_below(&l->dirt, 3) ? "Z" : "99");
    c->gpprac = hd_code8_of(practice_code(l));
    set_place(l, c);
    set_age(c, l->birth, date);
    /* Rows carry the code of that day; the sites stay those of the unit that was taken over. */
    const hd_unit *named = &w->units[hd_world_unit_on(w, unit, date)];
    const hd_site *site =
        &w->sites[treated_by->first_site + hd_rng_below(&l->dirt, (uint32_t)treated_by->n_sites)];
    c->procode3 = hd_code8_of(named->code);
    c->procode5 = hd_code8_of(named->procode5);
    /* PROCODE is a mixture of trusts and sites. */
    bool as_site = hd_rng_below(&l->dirt, 10) == 0 && strlen(site->code) <= 5;
    c->procode = as_site ? hd_code8_of(site->code) : c->procode5;
    c->sitetret = hd_code8_of(hd_rng_below(&l->dirt, 150) ? site->code : "89999");
    c->protype = named->type;
    c->purcode = hd_rng_below(&l->dirt, 300) ? c->ccg : hd_code8_of("VPP00");
}

static bool make_room(hd_lines *lines, size_t more)
{
    if (lines->cap - lines->len < more) {
        size_t cap = lines->cap * 2 + more;
        char *p = hd_realloc(lines->bytes, cap);
        if (!p)
            return false;
        lines->bytes = p;
        lines->cap = cap;
    }
    return HD_GROW(lines->starts, lines->n, lines->starts_cap);
}

/* What the truth needs of a row after it was spoilt. */
static void tell_truth(hd_life *l, hd_dataset dataset, int unit, const void *row)
{
    hd_chunk *k = l->chunk;
    if (dataset == HD_OP)
        hd_truth_op(k->truth, unit, row);
    if (dataset == HD_AE)
        hd_truth_ae(k->truth, unit, row);
    if (dataset != HD_APC)
        return;
    const hd_apc_row *apc = row;
    hd_truth_delivery(k->truth, unit, apc);
    bool finished = hd_code8_is(apc->epistat, "3");
    if (finished && hd_code8_is(apc->dismeth, "4"))
        hd_truth_total(k->truth, HD_TOTAL_DEATHS);
    if (finished && (hd_code8_is(apc->epitype, "3") || hd_code8_is(apc->epitype, "6")))
        hd_truth_total(k->truth, HD_TOTAL_BIRTHS);
    if (!HD_GROW(k->episodes, k->n_episodes, k->cap_episodes)) {
        k->is_out_of_memory = true;
        return;
    }
    k->episodes[k->n_episodes++] = hd_truth_episode(unit, apc);
}

void hd_row_write(hd_life *l, hd_dataset dataset, int year, int unit, void *row)
{
    hd_chunk *k = l->chunk;
    int n_years = k->options->last_year - k->options->first_year + 1;
    hd_lines *lines = &k->lines[(int)dataset * n_years + year - k->options->first_year];
    hd_spot spot = {.column = -1};
    int kind = -1;
    if (hd_rng_unit(&l->dirt) < k->options->dirty)
        kind = hd_dirt_apply(k->dirt, dataset, row, &spot, &l->dirt);
    if (!make_room(lines, k->layouts[dataset].max_row)) {
        k->is_out_of_memory = true;
        return;
    }
    lines->starts[lines->n++] = lines->len;
    lines->len += hd_layout_row(&k->layouts[dataset], row, &spot, lines->bytes + lines->len);
    hd_truth_row(k->truth, dataset, year, kind);
    tell_truth(l, dataset, unit, row);
    if (dataset != HD_CC) {
        const hd_row_common *c = row;
        l->rows.seen[dataset] |= (c->token[0] | c->token[1]) != 0;
    }
}
