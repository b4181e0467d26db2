/* Layouts, spoilt rows and what the truth makes of them; the whole is tested in tests/cli. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/io.h"
#include "synth/dirt.h"
#include "synth/draw.h"
#include "synth/truth.h"

static hd_layout layouts[HD_N_DATASETS];

static int open_layouts(void **state)
{
    (void)state;
    for (int d = 0; d < HD_N_DATASETS; d++)
        hd_layout_open(&layouts[d], (hd_dataset)d);
    return 0;
}

static const char *value(hd_dataset dataset, const void *row, const char *column)
{
    static char text[64];
    int at = hd_layout_column(&layouts[dataset], column);
    assert_true(at >= 0);
    hd_layout_get(&layouts[dataset], at, row, text);
    return text;
}

static void headers_are_sorted_and_rows_fit(void **state)
{
    (void)state;
    for (int d = 0; d < HD_N_DATASETS; d++) {
        const hd_layout *l = &layouts[d];
        for (size_t i = 1; i < l->n_columns; i++)
            assert_true(strcmp(l->columns[i - 1].name, l->columns[i].name) < 0);
        hd_buf b;
        hd_buf_init(&b, 65536);
        hd_layout_header(l, &b);
        assert_true(hd_buf_ok(&b));
        assert_int_equal(b.data[b.len - 1], '\n');
        hd_buf_free(&b);
    }
    assert_string_equal(layouts[HD_APC].tag, "HES_APC");
    assert_true(hd_layout_column(&layouts[HD_CC], "TOKEN_PERSON_ID") < 0);
}

static void values_are_printed_as_delivered(void **state)
{
    (void)state;
    hd_ae_row row;
    memset(&row, 0, sizeof row);
    row.c.token[0] = 0xAB;
    row.arrivaldate = hd_date_from_ymd(2016, 2, 29);
    row.arrivaltime = 9 * 60 + 5;
    row.deptime = HD_CLOCK_MISSING;
    row.concltime = HD_CLOCK_INVALID;
    row.depdur = HD_NONE;
    row.initdur = 0;
    row.c.age_thousandths = 375;
    row.c.mydob = hd_date_from_ymd(1941, 7, 3);
    row.aekey = UINT64_C(9999999999999999999);
    row.depttype = hd_code8_of("01");
    assert_string_equal(value(HD_AE, &row, "TOKEN_PERSON_ID"), "00000000000000AB0000000000000000");
    assert_string_equal(value(HD_AE, &row, "ARRIVALDATE"), "2016-02-29");
    assert_string_equal(value(HD_AE, &row, "ARRIVALTIME"), "0905");
    assert_string_equal(value(HD_AE, &row, "DEPTIME"), "4000");
    assert_string_equal(value(HD_AE, &row, "CONCLTIME"), "3000");
    assert_string_equal(value(HD_AE, &row, "DEPDUR"), "");
    assert_string_equal(value(HD_AE, &row, "INITDUR"), "0");
    assert_string_equal(value(HD_AE, &row, "ARRIVALAGE_CALC"), "0.375");
    assert_string_equal(value(HD_AE, &row, "MYDOB"), "071941");
    assert_string_equal(value(HD_AE, &row, "AEKEY"), "9999999999999999999");
    row.c.age_thousandths = 54000;
    assert_string_equal(value(HD_AE, &row, "ARRIVALAGE_CALC"), "54");
    row.c.token[0] = 0;
    assert_string_equal(value(HD_AE, &row, "TOKEN_PERSON_ID"), "");
    hd_cc_row cc;
    memset(&cc, 0, sizeof cc);
    cc.startdate = hd_date_from_ymd(1800, 1, 1);
    cc.starttime = 61;
    assert_string_equal(value(HD_CC, &cc, "CCSTARTDATE"), "18000101");
    assert_string_equal(value(HD_CC, &cc, "CCSTARTTIME"), "01:01:00");
}

static void every_row_can_be_spoilt(void **state)
{
    (void)state;
    union {
        hd_apc_row apc;
        hd_op_row op;
        hd_ae_row ae;
        hd_cc_row cc;
        hd_ecds_row ecds;
    } row;
    hd_dirt *dirt = hd_dirt_new(layouts);
    assert_non_null(dirt);
    hd_rng r = hd_rng_stream(1, 2);
    for (int d = 0; d < HD_N_DATASETS; d++) {
        const hd_layout *l = &layouts[d];
        char *clean = hd_malloc(l->max_row), *spoilt = hd_malloc(l->max_row);
        assert_true(clean && spoilt);
        for (int i = 0; i < 3000; i++) {
            hd_spot none = {.column = -1}, spot = {.column = -1};
            memset(&row, 0, sizeof row);
            for (size_t c = 0; c < l->n_columns; c++)
                if (l->columns[c].kind == HD_COLUMN_CODE)
                    hd_layout_set(l, (int)c, &row, "2");
                else if (l->columns[c].kind == HD_COLUMN_DATE ||
                         l->columns[c].kind == HD_COLUMN_DATE8)
                    hd_layout_set(l, (int)c, &row, "2015-04-01");
            if (d != HD_CC)
                row.apc.c.token[0] = 1;
            size_t n = hd_layout_row(l, &row, &none, clean);
            int kind = hd_dirt_apply(dirt, (hd_dataset)d, &row, &spot, &r);
            size_t m = hd_layout_row(l, &row, &spot, spoilt);
            assert_in_range(kind, 0, HD_N_DIRT_KINDS - 1);
            assert_true(n <= l->max_row && m <= l->max_row);
            assert_true(n != m || memcmp(clean, spoilt, n) != 0);
            assert_null(memchr(spoilt, '\n', m - 1));
            size_t pipes = 0;
            for (size_t k = 0; k < m; k++)
                pipes += spoilt[k] == '|';
            assert_int_equal(pipes, l->n_columns - 1);
        }
        hd_free(clean);
        hd_free(spoilt);
    }
    hd_dirt_free(dirt);
}

/* ---- spells ------------------------------------------------------------------------------- */

static hd_world world;
static hd_unit units[2];

/* A finished ordinary general emergency episode that is a whole stay. */
static hd_episode episode(int unit, int from, int until)
{
    return (hd_episode){
        .unit = unit,
        .epistart = 16000 + from,
        .epiend = 16000 + until,
        .admidate = 16000 + from,
        .disdate = 16000 + until,
        .epiorder = 1,
        .epistat = hd_code8_of("3"),
        .epitype = hd_code8_of("1"),
        .classpat = hd_code8_of("1"),
        .admimeth = hd_code8_of("21"),
        .admisorc = hd_code8_of("19"),
        .disdest = hd_code8_of("19"),
        .dismeth = hd_code8_of("1"),
        .mainspef = hd_code8_of("300"),
        .has_person = true,
    };
}

/* The sum over all months of one indicator as "numerator/denominator". */
static const char *count(hd_episode *episodes, size_t n, const char *indicator)
{
    static char out[64];
    char folder[] = "/tmp/hdis-test-synth-XXXXXX", path[80];
    hd_err err;
    for (int i = 0; i < 2; i++)
        units[i] = (hd_unit){.successor = -1, .final = i};
    strcpy(units[0].code, "ZA1");
    strcpy(units[1].code, "ZA2");
    world = (hd_world){.units = units, .n_units = 2};
    hd_truth *t = hd_truth_new(&world, 2013, 2014);
    assert_non_null(t);
    assert_int_equal(hd_truth_spells(t, episodes, n, &err), HD_OK);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(hd_truth_write(t, folder, &err), HD_OK);
    hd_truth_free(t);
    snprintf(path, sizeof path, "%s/indicators.csv", folder);
    char *text;
    size_t len;
    assert_int_equal(hd_io_read_file(path, 1 << 20, &text, &len, &err), HD_OK);
    long numerator = 0, denominator = 0;
    for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        long a, b;
        size_t name = strlen(indicator);
        if (strncmp(line, indicator, name) == 0 && line[name] == ',' &&
            sscanf(line + name, ",%*[^,],%*[^,],%ld,%ld,", &a, &b) == 2)
            numerator += a, denominator += b;
    }
    hd_free(text);
    snprintf(out, sizeof out, "%ld/%ld", numerator, denominator);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    return out;
}

static void readmissions_to_the_day(void **state)
{
    (void)state;
    static const struct {
        int after;
        const char *in_30, *in_28;
    } cases[] = {{0, "1/2", "1/2"},
                 {27, "1/2", "1/2"},
                 {28, "1/2", "0/2"},
                 {29, "1/2", "0/2"},
                 {30, "0/2", "0/2"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hd_episode e[2] = {episode(0, 0, 5), episode(1, 5 + cases[i].after, 99)};
        assert_string_equal(count(e, 2, "emergency_readmission_30d"), cases[i].in_30);
        assert_string_equal(count(e, 2, "emergency_readmission_28d"), cases[i].in_28);
    }
    hd_episode e[3] = {episode(0, 0, 5), episode(0, 8, 9), episode(1, 12, 20)};
    e[1].admimeth = hd_code8_of("11"); /* an elective stay between takes it over */
    assert_string_equal(count(e, 3, "emergency_readmission_30d"), "1/3");
    e[0] = episode(0, 0, 5), e[1] = episode(0, 8, 8), e[2] = episode(1, 12, 20);
    e[1].classpat = hd_code8_of("2"); /* a day case does not */
    assert_string_equal(count(e, 3, "emergency_readmission_30d"), "1/2");
    e[0] = episode(0, 0, 5);
    e[0].dismeth = hd_code8_of("4"); /* who died cannot come back */
    assert_string_equal(count(e, 1, "emergency_readmission_30d"), "0/0");
    e[0] = episode(0, 0, 5);
    e[0].has_cancer = true;
    assert_string_equal(count(e, 1, "emergency_readmission_30d"), "0/0");
}

static void transfers_join_stays(void **state)
{
    (void)state;
    hd_episode e[2] = {episode(0, 0, 5), episode(1, 6, 9)};
    e[0].disdest = hd_code8_of("51");
    assert_string_equal(count(e, 2, "emergency_readmission_30d"), "0/1");
    e[0] = episode(0, 0, 5), e[1] = episode(1, 8, 9);
    e[1].admimeth = hd_code8_of("2B"); /* three days later */
    assert_string_equal(count(e, 2, "emergency_readmission_30d"), "1/2");
    e[0] = episode(0, 0, 5), e[1] = episode(1, 5, 9);
    e[1].admisorc = hd_code8_of("51"); /* home, and back through A&E */
    assert_string_equal(count(e, 2, "emergency_readmission_30d"), "1/2");
    e[0] = episode(0, 0, 5), e[1] = episode(1, 6, 9);
    e[0].disdest = hd_code8_of("51");
    e[1].has_person = false;
    assert_string_equal(count(e, 2, "emergency_readmission_30d"), "0/2");
}

static void episodes_make_spells(void **state)
{
    (void)state;
    hd_episode e[3] = {episode(0, 0, 2), episode(0, 2, 2), episode(0, 2, 7)};
    for (int i = 1; i < 3; i++) {
        e[i].admidate = 16000;
        e[i].epiorder = i + 1;
    }
    e[0].dismeth = e[1].dismeth = hd_code8_of("8");
    assert_string_equal(count(e, 3, "mean_stay_emergency"), "7/1");
    /* A middle one without an admission date goes on from the one before. */
    e[1].admidate = HD_DATE_NONE;
    assert_string_equal(count(e, 3, "mean_stay_emergency"), "7/1");
    /* A first one without: its own start. */
    hd_episode f = episode(0, 3, 7);
    f.admidate = hd_date_from_ymd(1800, 1, 1);
    assert_string_equal(count(&f, 1, "mean_stay_emergency"), "4/1");
    f.admidate = HD_DATE_NONE;
    f.epiorder = 2;
    assert_string_equal(count(&f, 1, "mean_stay_emergency"), "0/0");
    /* Without a real DISDATE the end of the last episode. */
    f = episode(0, 3, 7);
    f.disdate = hd_date_from_ymd(1582, 10, 15);
    assert_string_equal(count(&f, 1, "mean_stay_emergency"), "4/1");
    f.dismeth = hd_code8_of("9");
    assert_string_equal(count(&f, 1, "mean_stay_emergency"), "0/0");
    f = episode(0, 3, 7);
    f.epistat = hd_code8_of("1");
    assert_string_equal(count(&f, 1, "mean_stay_emergency"), "0/0");
    /* Two stays that begin on one day at one provider are one. */
    hd_episode g[2] = {episode(0, 0, 0), episode(0, 0, 4)};
    g[1].epiorder = 1;
    assert_string_equal(count(g, 2, "zero_day_emergencies"), "0/1");
}

static void an_unknown_destination_is_neither(void **state)
{
    (void)state;
    hd_episode e = episode(0, 0, 5);
    assert_string_equal(count(&e, 1, "usual_residence"), "1/1");
    e.disdest = hd_code8_of("99");
    assert_string_equal(count(&e, 1, "usual_residence"), "0/1");
    e.disdest = hd_code8_of("");
    assert_string_equal(count(&e, 1, "usual_residence"), "0/0");
    e.disdest = hd_code8_of("87");
    assert_string_equal(count(&e, 1, "usual_residence"), "0/0");
}

static void draws_follow_their_weights(void **state)
{
    (void)state;
    hd_rng r = hd_rng_stream(3, 4);
    const double sums[] = {0, 1, 1, 4};
    int n[4] = {0};
    for (int i = 0; i < 40000; i++)
        n[draw_running(&r, sums, 4)]++;
    assert_int_equal(n[0], 0);
    assert_int_equal(n[2], 0);
    assert_in_range(n[1], 9500, 10500);
    const double weights[] = {3, 0, 1};
    int m[3] = {0};
    for (int i = 0; i < 40000; i++)
        m[draw_weighted(&r, weights, 3)]++;
    assert_int_equal(m[1], 0);
    assert_in_range(m[2], 9500, 10500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_sorted_and_rows_fit),
        cmocka_unit_test(values_are_printed_as_delivered),
        cmocka_unit_test(every_row_can_be_spoilt),
        cmocka_unit_test(readmissions_to_the_day),
        cmocka_unit_test(transfers_join_stays),
        cmocka_unit_test(episodes_make_spells),
        cmocka_unit_test(an_unknown_destination_is_neither),
        cmocka_unit_test(draws_follow_their_weights),
    };
    return cmocka_run_group_tests(tests, open_layouts, NULL);
}
