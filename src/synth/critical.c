/* critical.c - critical care periods. They carry no person: SUSRECID leads to the episode. */
#include "synth/draw.h"
#include "synth/life.h"

#include <string.h>

static void begin_row(const hd_life *l, const hd_critical *c, hd_cc_row *row)
{
    memset(row, 0, sizeof *row);
    row->susrecid = c->susrecid;
    row->fyear = l->chunk->fyears[c->year - l->chunk->options->first_year];
    row->partyear = c->year * 100 + 99;
    row->activdate = HD_DATE_NONE;
    row->rdydate = HD_DATE_NONE;
    row->rdytime = HD_NONE;
    row->bestmatch = 1;
    row->admisorc = hd_code8_of("01");
    row->admitype = hd_code8_of("01");
    row->capcrel = hd_code8_of("1");
    row->sorcloc = hd_code8_of("03");
    row->disstat = hd_code8_of("01");
    row->disloc = hd_code8_of("01");
    row->disdest = hd_code8_of("01");
    row->bedconfig = hd_code8_of("05");
}

void hd_critical_adult(hd_life *l, const hd_critical *c)
{
    hd_cc_row row;
    int32_t days = c->until - c->from;
    begin_row(l, c, &row);
    int32_t stay = 1 + (int32_t)draw_exponential(&l->r, 3.5);
    stay = stay < days ? stay : days;
    row.startdate = c->died ? c->until - stay : c->from;
    row.disdate = row.startdate + stay;
    row.starttime = draw_between(&l->r, 0, 1439);
    row.distime = draw_between(&l->r, row.startdate == row.disdate ? row.starttime : 0, 1439);
    row.rdydate = c->died ? HD_DATE_NONE : row.disdate;
    row.rdytime = c->died ? HD_NONE : row.distime;
    row.pertype = hd_code8_of("01");
    row.unitfun = hd_code8_of(draw_chance(&l->r, 0.7) ? "01" : "05");
    /* A calendar day counts on which care was given, so one more than nights. */
    int32_t level3 = draw_chance(&l->r, 0.45) ? draw_between(&l->r, 1, stay + 1) : 0;
    row.lev3 = level3;
    row.lev2 = stay + 1 - level3;
    row.ares = level3;
    row.bres = row.lev2;
    row.acard = draw_chance(&l->r, 0.3) ? draw_between(&l->r, 1, stay + 1) : 0;
    row.bcard = stay + 1;
    row.ren = draw_chance(&l->r, 0.15) ? draw_between(&l->r, 1, stay + 1) : 0;
    row.gi = draw_chance(&l->r, 0.3) ? draw_between(&l->r, 1, stay + 1) : 0;
    row.orgsupmax = 1 + (row.ares > 0) + (row.acard > 0) + (row.ren > 0);
    if (c->died && row.disdate == c->until)
        row.disdest = row.disloc = hd_code8_of("06");
    /* The period matches the episode before as well, less well. */
    if (c->other && hd_rng_below(&l->dirt, 10) == 0) {
        hd_cc_row again = row;
        again.susrecid = c->other;
        again.bestmatch = 0;
        hd_row_write(l, HD_CC, c->year, c->unit, &again);
    }
    hd_row_write(l, HD_CC, c->year, c->unit, &row);
    l->rows.seen[HD_CC] |= c->has_person;
}

void hd_critical_newborn(hd_life *l, const hd_critical *c, int days)
{
    int32_t starttime = draw_between(&l->r, 0, 1439);
    int32_t distime = draw_between(&l->r, 0, 1439);
    for (int i = 0; i < days && c->from + i <= c->until; i++) {
        hd_cc_row row;
        begin_row(l, c, &row);
        row.startdate = c->from;
        row.starttime = starttime;
        row.disdate = c->from + days < c->until ? c->from + days : c->until;
        row.distime = distime;
        row.activdate = c->from + i;
        row.pertype = hd_code8_of("03");
        row.unitfun = hd_code8_of(i < 2 ? "13" : "14");
        row.acard = row.bcard = row.ares = row.bres = row.gi = row.liver = HD_NONE;
        row.neuro = row.ren = row.derm = row.orgsupmax = row.lev2 = row.lev3 = HD_NONE;
        hd_row_write(l, HD_CC, c->year, c->unit, &row);
    }
    l->rows.seen[HD_CC] |= c->has_person;
}
