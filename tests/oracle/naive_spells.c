/* naive_spells.c - see naive_spells.h. */
#include "naive_spells.h"

#include <stdlib.h>
#include <string.h>

static bool is(const char *value, const char *one)
{
    return strcmp(value, one) == 0;
}

/* Is the value one of these, each between blanks? */
static bool in(const char *value, const char *list)
{
    char item[16];
    if (value[0] == '\0')
        return false;
    while (*list) {
        int len = 0;
        while (list[len] && list[len] != ' ')
            len++;
        memcpy(item, list, (size_t)len);
        item[len] = '\0';
        if (is(value, item))
            return true;
        list += len;
        if (*list)
            list++;
    }
    return false;
}

static bool comes_in(const naive_row *r)
{
    return in(r->admisorc, "51 52 53") || in(r->admimeth, "2B 81");
}

static bool goes_out(const naive_row *r)
{
    return in(r->disdest, "51 52 53");
}

static int state(const naive_row *first, const naive_row *last)
{
    if (comes_in(first) && goes_out(last))
        return 2;
    if (comes_in(first))
        return 3;
    return goes_out(last) ? 1 : 0;
}

static int order_number(const naive_row *r)
{
    return r->epiorder == NAIVE_NONE ? 1000000 : r->epiorder;
}

/* Must row b stand before row a? */
static bool wrong_way(const naive_row *rows, int a, int b, bool with_state)
{
    const naive_row *x = &rows[a], *y = &rows[b];
    if (x->epistart != y->epistart)
        return x->epistart > y->epistart;
    if (x->epiend != y->epiend)
        return x->epiend > y->epiend;
    if (order_number(x) != order_number(y))
        return order_number(x) > order_number(y);
    if (with_state && state(x, x) != state(y, y))
        return state(x, x) > state(y, y);
    return a > b;
}

static void sort_rows(const naive_row *rows, int *list, int n, bool with_state)
{
    for (int round = 0; round < n; round++)
        for (int i = 0; i + 1 < n; i++)
            if (wrong_way(rows, list[i], list[i + 1], with_state)) {
                int t = list[i];
                list[i] = list[i + 1];
                list[i + 1] = t;
            }
}

static void finish(const naive_row *rows, naive_spell *s)
{
    const naive_row *last = &rows[s->rows[s->n_rows - 1]];
    s->is_finished = in(last->dismeth, "1 2 3 4 5 6 7");
    s->end = last->epiend;
    if (s->is_finished && last->disdate != NAIVE_NONE)
        s->end = last->disdate;
    s->length_of_stay = NAIVE_NONE;
    if (s->is_finished && s->end >= s->admidate)
        s->length_of_stay = s->end - s->admidate;
}

static bool spell_wrong_way(const naive_row *rows, const naive_spell *a, const naive_spell *b)
{
    const naive_row *a1 = &rows[a->rows[0]], *a2 = &rows[a->rows[a->n_rows - 1]];
    const naive_row *b1 = &rows[b->rows[0]], *b2 = &rows[b->rows[b->n_rows - 1]];
    if (a->admidate != b->admidate)
        return a->admidate > b->admidate;
    if (a->end != b->end)
        return a->end > b->end;
    if (state(a1, a2) != state(b1, b2))
        return state(a1, a2) > state(b1, b2);
    if (a1->epistart != b1->epistart)
        return a1->epistart > b1->epistart;
    return a->rows[0] > b->rows[0];
}

static void sort_spells(const naive_row *rows, naive_spell *s, int n)
{
    for (int round = 0; round < n; round++)
        for (int i = 0; i + 1 < n; i++)
            if (spell_wrong_way(rows, &s[i], &s[i + 1])) {
                naive_spell t = s[i];
                s[i] = s[i + 1];
                s[i + 1] = t;
            }
}

/* The spells of one provider, appended to out. */
static int spells_of(const naive_row *rows, int n, const char *provider, naive_spell *out,
                     int n_out)
{
    int list[NAIVE_MAX], n_list = 0, admidates[NAIVE_MAX];
    for (int i = 0; i < n; i++)
        if (is(rows[i].procode3, provider) && is(rows[i].epistat, "3") &&
            rows[i].epistart != NAIVE_NONE && rows[i].epiend != NAIVE_NONE)
            list[n_list++] = i;
    sort_rows(rows, list, n_list, true);
    int before = -1; /* row before that was not left out */
    for (int k = 0; k < n_list; k++) {
        int i = list[k];
        const naive_row *r = &rows[i];
        admidates[i] = r->admidate;
        if (admidates[i] == NAIVE_NONE && r->epiorder == 1)
            admidates[i] = r->epistart;
        bool joins = false;
        if (before >= 0) {
            if (admidates[i] != NAIVE_NONE && admidates[i] == admidates[before])
                joins = true;
            if (r->epistart == rows[before].epistart)
                joins = true;
            if (in(rows[before].dismeth, "8 9") && r->epistart == rows[before].epiend)
                joins = true;
        }
        if (admidates[i] == NAIVE_NONE && !joins)
            continue;
        if (admidates[i] == NAIVE_NONE)
            admidates[i] = admidates[before];
        if (!joins) {
            memset(&out[n_out], 0, sizeof *out);
            out[n_out].admidate = admidates[i];
            out[n_out].n_provider_spells = 1;
            n_out++;
        }
        naive_spell *s = &out[n_out - 1];
        s->rows[s->n_rows++] = i;
        before = i;
    }
    return n_out;
}

int naive_spells(const naive_row *rows, int n, naive_spell *out)
{
    int n_out = 0;
    for (int i = 0; i < n; i++) {
        bool seen = rows[i].procode3[0] == '\0';
        for (int k = 0; k < i; k++)
            if (is(rows[k].procode3, rows[i].procode3))
                seen = true;
        if (!seen)
            n_out = spells_of(rows, n, rows[i].procode3, out, n_out);
    }
    for (int i = 0; i < n_out; i++)
        finish(rows, &out[i]);
    sort_spells(rows, out, n_out);
    return n_out;
}

/* ---- continuous spells ---------------------------------------------------------------------- */

static bool transferred(const naive_row *rows, const naive_spell *a, const naive_spell *b, char v)
{
    const naive_row *out = &rows[a->rows[a->n_rows - 1]], *next = &rows[b->rows[0]];
    int gap = b->admidate - a->end;
    if (v == 'A')
        return gap <= 3 && (in(out->disdest, "51 52 53") || in(next->admisorc, "51 52 53") ||
                            in(next->admimeth, "2B 67 81"));
    if (is(out->disdest, "19") && is(next->admisorc, "51") && is(next->admimeth, "21"))
        return false;
    return gap <= 2 && (in(out->disdest, "49 50 51 52 53 84") ||
                        in(next->admisorc, "49 50 51 52 53 87") || in(next->admimeth, "2B 81"));
}

static bool is_cancer(const char *d)
{
    if (strlen(d) < 3)
        return false;
    int number = atoi(d + 1);
    if (strlen(d) > 3) {
        char three[4] = {d[0], d[1], d[2], 0};
        number = atoi(three + 1);
    }
    return (d[0] == 'C' && number <= 97) || (d[0] == 'D' && number >= 37 && number <= 48) ||
           strncmp(d, "Z511", 4) == 0;
}

static void look_at_episodes(const naive_row *rows, naive_spell *s)
{
    for (int i = 0; i < s->n_rows; i++) {
        const naive_row *r = &rows[s->rows[i]];
        for (int d = 0; d < NAIVE_LIST; d++)
            if (is_cancer(r->diagnosis[d]))
                s->has_cancer = true;
        if (!is(r->epitype, "1") || in(r->mainspef, "501 560 610"))
            s->is_maternity = true;
        if (strlen(r->mainspef) == 3 && atoi(r->mainspef) >= 700 && atoi(r->mainspef) <= 715)
            s->is_mental_health = true;
    }
}

static int next_emergency(const naive_row *rows, const naive_spell *stays, int n, int i)
{
    if (!stays[i].is_finished)
        return NAIVE_NONE;
    for (int k = i + 1; k < n; k++) {
        const naive_row *first = &rows[stays[k].rows[0]];
        if (stays[k].admidate < stays[i].end || !is(first->classpat, "1"))
            continue;
        return first->admimeth[0] == '2' ? stays[k].admidate - stays[i].end : NAIVE_NONE;
    }
    return NAIVE_NONE;
}

int naive_stays(const naive_row *rows, int n, char variant, naive_spell *out)
{
    static naive_spell spells[NAIVE_MAX];
    int n_spells = naive_spells(rows, n, spells), n_out = 0, before = -1;
    for (int i = 0; i < n_spells; i++) {
        if (variant == 'B' && in(rows[spells[i].rows[0]].classpat, "3 4"))
            continue;
        if (before < 0 || !transferred(rows, &spells[before], &spells[i], variant)) {
            out[n_out++] = spells[i];
        } else {
            naive_spell *s = &out[n_out - 1];
            for (int k = 0; k < spells[i].n_rows; k++)
                s->rows[s->n_rows++] = spells[i].rows[k];
            s->n_provider_spells++;
        }
        before = i;
    }
    for (int i = 0; i < n_out; i++)
        finish(rows, &out[i]);
    for (int i = 0; i < n_out; i++) {
        look_at_episodes(rows, &out[i]);
        out[i].next = next_emergency(rows, out, n_out, i);
    }
    return n_out;
}

/* ---- deliveries ----------------------------------------------------------------------------- */

static bool is_r17_to_r25(const char *op)
{
    return op[0] == 'R' && strlen(op) >= 3 &&
           in((char[]){op[1], op[2], 0}, "17 18 19 20 21 22 23 24 25");
}

static bool is_delivery(const naive_row *r)
{
    bool has_procedure = false;
    for (int i = 0; i < NAIVE_LIST; i++)
        if (is_r17_to_r25(r->operation[i]))
            has_procedure = true;
    return is(r->epistat, "3") && is(r->sex, "2") && r->epistart != NAIVE_NONE &&
           r->epiend != NAIVE_NONE && r->startage >= 12 && r->startage <= 55 &&
           !in(r->classpat, "3 4") && (in(r->epitype, "2 5") || has_procedure);
}

/* Values of the maternity tail that are known, of the fields that naive_row has. */
static int tail(const naive_row *r)
{
    int n = r->numbaby[0] && !in(r->numbaby, "9 X");
    n += r->delmeth_d[0] && !is(r->delmeth_d, "X");
    for (int i = 0; i < NAIVE_LIST; i++)
        n += r->delmeth[i][0] && !is(r->delmeth[i], "X");
    return n;
}

static int n_procedures(const naive_row *r)
{
    int n = 0;
    for (int i = 0; i < NAIVE_LIST; i++)
        n += r->operation[i][0] && !in(r->operation[i], "- &");
    return n;
}

static bool fuller(const naive_row *a, const naive_row *b)
{
    if (tail(a) != tail(b))
        return tail(a) > tail(b);
    if (a->antedur != b->antedur)
        return a->antedur > b->antedur;
    if (a->postdur != b->postdur)
        return a->postdur > b->postdur;
    return n_procedures(a) > n_procedures(b);
}

static const char *method(const naive_row *r)
{
    static const char *const by_d[] = {
        "",        "elective_caesarean", "emergency_caesarean", "breech",      "breech", "forceps",
        "forceps", "ventouse",           "spontaneous",         "spontaneous", "other"};
    static const char *const by_n[] = {"spontaneous", "spontaneous",        "forceps",
                                       "forceps",     "ventouse",           "breech",
                                       "breech",      "elective_caesarean", "emergency_caesarean",
                                       "other"};
    for (int i = 0; i < NAIVE_LIST; i++)
        if (strncmp(r->operation[i], "R18", 3) == 0 || strncmp(r->operation[i], "R251", 4) == 0)
            return "emergency_caesarean";
    for (int i = 0; i < NAIVE_LIST; i++)
        if (strncmp(r->operation[i], "R17", 3) == 0)
            return "elective_caesarean";
    if (r->delmeth_d[0] && !is(r->delmeth_d, "X"))
        return by_d[atoi(r->delmeth_d)];
    for (int i = 0; i < NAIVE_LIST; i++) {
        const char *op = r->operation[i];
        if (strncmp(op, "R19", 3) == 0 || strncmp(op, "R20", 3) == 0)
            return "breech";
        if (strncmp(op, "R21", 3) == 0)
            return "forceps";
        if (strncmp(op, "R22", 3) == 0)
            return "ventouse";
        if (strncmp(op, "R23", 3) == 0 || strncmp(op, "R24", 3) == 0)
            return "spontaneous";
        if (in(op, "R252 R258 R259"))
            return "other";
    }
    for (int i = 0; i < NAIVE_LIST; i++)
        if (is(r->delmeth[i], "8"))
            return "emergency_caesarean";
    for (int i = 0; i < NAIVE_LIST; i++)
        if (is(r->delmeth[i], "7"))
            return "elective_caesarean";
    if (r->delmeth[0][0] >= '0' && r->delmeth[0][0] <= '9')
        return by_n[r->delmeth[0][0] - '0'];
    return "";
}

int naive_deliveries(const naive_row *rows, int n, naive_delivery *out)
{
    int list[NAIVE_MAX], n_list = 0, n_out = 0, opened = 0;
    for (int i = 0; i < n; i++)
        if (is_delivery(&rows[i]))
            list[n_list++] = i;
    sort_rows(rows, list, n_list, false);
    for (int k = 0; k < n_list; k++) {
        const naive_row *r = &rows[list[k]];
        int days = r->epistart - opened;
        if (n_out == 0 || days >= 168) {
            opened = r->epistart;
            out[n_out++].row = list[k];
        } else if (days <= 150 && fuller(r, &rows[out[n_out - 1].row]))
            out[n_out - 1].row = list[k];
    }
    for (int i = 0; i < n_out; i++) {
        const naive_row *r = &rows[out[i].row];
        out[i].method = method(r);
        out[i].n_babies = NAIVE_NONE;
        if (in(r->numbaby, "1 2 3 4 5 6"))
            out[i].n_babies = atoi(r->numbaby);
        else if (in(r->numtailb, "1 2 3 4 5 6 7 8 9"))
            out[i].n_babies = atoi(r->numtailb);
    }
    return n_out;
}
