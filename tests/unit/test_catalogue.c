/* test_catalogue.c - the catalogue that ships is whole; what it promises to others holds. */
#include "catalogue/catalogue.h"

#include "base/alloc.h"
#include "base/io.h"
#include "duck/duck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const hd_catalogue *cat;

static const char *source_root(void)
{
    const char *s = getenv("HDIS_SOURCE");
    return s ? s : ".";
}

static int open_catalogue(void **state)
{
    static char folder[1000];
    hd_catalogue *c;
    hd_err err;
    snprintf(folder, sizeof folder, "%s/catalogue", source_root());
    if (hd_catalogue_open(&c, folder, NULL, &err) != HD_OK) {
        print_message("%s\n", err.text);
        return -1;
    }
    *state = c;
    cat = c;
    return 0;
}

static int close_catalogue(void **state)
{
    hd_catalogue_close(*state);
    return 0;
}

static void tables_are_there(void **state)
{
    (void)state;
    static const char *const names[] = {"apc", "op", "ae", "cc", "ecds", "spells",
                                        "continuous_spells", "deliveries"};
    assert_int_equal(hd_catalogue_n_tables(cat), 8);
    for (size_t i = 0; i < 8; i++) {
        const hd_table_def *t = hd_catalogue_table(cat, names[i]);
        assert_non_null(t);
        assert_int_equal(t->is_built, i >= 5);
        assert_non_null(hd_table_def_field(t, t->period));
    }
    assert_null(hd_catalogue_table(cat, "nothing"));
    assert_string_equal(hd_catalogue_table(cat, "cc")->derivation, "person_by_key");
    assert_string_equal(
        hd_table_def_parameter(hd_catalogue_table(cat, "cc"), "key", ""), "susrecid");
    assert_string_equal(
        hd_table_def_parameter(hd_catalogue_table(cat, "spells"), "variant", "none"), "none");
    assert_int_equal(strlen(hd_catalogue_version(cat)), 16);
}

static void fields_carry_and_inherit(void **state)
{
    (void)state;
    const hd_table_def *apc = hd_catalogue_table(cat, "apc"), *op = hd_catalogue_table(cat, "op"),
                       *spells = hd_catalogue_table(cat, "spells");
    const hd_field *f = hd_table_def_field(spells, "procode3");
    assert_string_equal(f->from, "procode3");
    assert_string_equal(f->take, "last");
    assert_true(f->is_subnational);
    assert_int_equal(f->n_columns, 0);
    f = hd_table_def_field(spells, "all_diagnoses");
    assert_int_equal(f->kind, HD_FIELD_LIST);
    assert_int_equal(f->n_elements, 0);
    assert_string_equal(f->take, "any");
    f = hd_table_def_field(op, "sex");
    assert_int_equal(f->n_codes, hd_table_def_field(apc, "sex")->n_codes);
    assert_string_equal(f->columns[0], "SEX");
    assert_true(f->is_closed);
    assert_false(hd_table_def_field(apc, "gpprac")->is_closed);
    assert_false(hd_table_def_field(apc, "startage")->is_closed);
    assert_false(hd_table_def_field(apc, "lsoa11")->is_closed);
    f = hd_table_def_field(op, "diagnosis");
    assert_int_equal(f->n_elements, 12);
    f = hd_table_def_field(apc, "region");
    assert_int_equal(f->kind, HD_FIELD_EXPRESSION);
    assert_true(f->is_subnational);
    assert_false(hd_table_def_field(apc, "age_band")->is_subnational);
    assert_false(hd_table_def_field(apc, "place_deprivation_decile")->is_subnational);
    f = hd_table_def_field(apc, "diag_3_02");
    assert_string_equal(f->of, "diag_02");
    assert_string_equal(f->expression, "left(diag_02, 3)");
    assert_int_equal(hd_table_def_field(apc, "postcode")->kind, HD_FIELD_IDENTIFYING);
    assert_null(hd_table_def_field(spells, "postcode"));
}

static void headers_find_their_field(void **state)
{
    (void)state;
    const hd_table_def *apc = hd_catalogue_table(cat, "apc");
    hd_header h = hd_table_def_header(apc, "PSEUDO_HESID", 12);
    assert_int_equal(h.use, HD_HEADER_FIELD);
    assert_string_equal(h.field->name, "person");
    assert_int_equal(h.preference, 1);
    h = hd_table_def_header(apc, "diag_4_07", 9);
    assert_int_equal(h.use, HD_HEADER_ELEMENT);
    assert_string_equal(h.field->name, "diagnosis");
    assert_int_equal(h.position, 7);
    assert_int_equal(h.preference, 1);
    assert_int_equal(hd_table_def_header(apc, "DIAG_21", 7).use, HD_HEADER_UNKNOWN);
    assert_int_equal(hd_table_def_header(apc, "DIAG_1", 6).use, HD_HEADER_UNKNOWN);
    assert_int_equal(hd_table_def_header(apc, "DELMETH_3", 9).position, 3);
    assert_int_equal(hd_table_def_header(apc, "DELMETH_03", 10).use, HD_HEADER_UNKNOWN);
    assert_int_equal(hd_table_def_header(apc, "DELMETH_D", 9).use, HD_HEADER_FIELD);
    assert_int_equal(hd_table_def_header(apc, "DIAG_4_CONCAT", 13).use, HD_HEADER_IGNORED);
    assert_int_equal(hd_table_def_header(apc, "NEWNHSNO", 8).field->kind, HD_FIELD_IDENTIFYING);
    assert_int_equal(hd_table_def_header(apc, "WHATEVER", 8).use, HD_HEADER_UNKNOWN);
    unsigned position;
    const hd_field *f = hd_table_def_element(apc, "diag_20", &position);
    assert_string_equal(f->name, "diagnosis");
    assert_int_equal(position, 20);
    assert_null(hd_table_def_element(apc, "diag_21", &position));
    assert_null(hd_table_def_element(apc, "diag_", &position));
}

/* Every column of a file of NHS Digital's artificial data has a place. The third file of the family
 * is not shared; its column names are facts and stand here. */
static void check_header(const char *table, const char *header)
{
    const hd_table_def *t = hd_catalogue_table(cat, table);
    size_t n = 0;
    for (const char *s = header; *s; n++) {
        size_t len = strcspn(s, ",\r\n ");
        if (hd_table_def_header(t, s, len).use == HD_HEADER_UNKNOWN)
            fail_msg("%s: column %.*s has no place", table, (int)len, s);
        s += len;
        if (*s == '\r' || *s == '\n')
            break;
        s += *s != '\0';
    }
    assert_true(n > 90);
}

static void artificial_files_have_a_place(void **state)
{
    static const char *const files[][2] = {{"apc", "artificial_hes_apc_0102.csv"},
                                           {"ae", "artificial_hes_ae_0708.csv"}};
    static const char op[] =
        "FYEAR PARTYEAR PSEUDO_HESID ATTENDKEY ATTENDKEY_FLAG ADMINCAT APPTAGE APPTAGE_CALC APPTDATE "
        "ATENTYPE ATTENDANCE ATTENDED ATTENDID AT_GP_PRACTICE AT_RESIDENCE AT_TREATMENT CANNET CANREG "
        "CCG_GP_PRACTICE CCG_RESIDENCE CCG_RESPONSIBILITY CCG_RESPONSIBILITY_ORIGIN CCG_TREATMENT "
        "CCG_TREATMENT_ORIGIN CR_GP_PRACTICE CR_RESIDENCE CR_TREATMENT DIAG_3_01 DIAG_3_12 "
        "DIAG_3_CONCAT DIAG_4_01 DIAG_4_12 DIAG_4_CONCAT DIAG_COUNT DNADATE ETHNOS FIRSTATT GORTREAT "
        "GPPRAC LOCCLASS LOCTYPE MAINSPEF OPERTN_3_01 OPERTN_3_24 OPERTN_3_CONCAT OPERTN_4_01 "
        "OPERTN_4_24 OPERTN_4_CONCAT OPERTN_COUNT OUTCOME PCON PCON_ONS PCTCODE_HIS PCTORIG_HIS "
        "PCTTREAT PREFERER PRIORITY PROCODE3 PROCODE5 PROCODET PURCODE REFERORG REFSOURC REQDATE "
        "RESCTY RESCTY_ONS RESGOR RESGOR_ONS RESLADST RESLADST_ONS RESPCT_HIS RESSTHA_HIS SERVTYPE "
        "SEX SITETRET LSOA01 MSOA01 STAFFTYP STHATRET SUSHRG TRETSPEF WAIT_IND WAITDAYS WAITING "
        "LSOA11 MSOA11 SITEDIST SITEDIST_FLAG PROVDIST PROVDIST_FLAG NER_GP_PRACTICE NER_RESIDENCE "
        "NER_TREATMENT APPOINTMENT_TIME CONSULTATION_MEDIUM_USED RTTPERSTAT SUSRECID TOKEN_PERSON_ID "
        "DIAG_01 OPERTN_01";
    const char *shared = getenv("HDIS_SHARED");
    (void)state;
    check_header("op", op);
    for (size_t i = 0; i < 2; i++) {
        char path[2000], *text;
        size_t len;
        hd_err err;
        if (shared)
            snprintf(path, sizeof path, "%s/data/hes_artificial/%s", shared, files[i][1]);
        else
            snprintf(path, sizeof path, "%s/../shared/data/hes_artificial/%s", source_root(),
                     files[i][1]);
        if (access(path, R_OK) != 0) {
            print_message("skipped: no %s\n", path);
            skip();
        }
        assert_int_equal(hd_io_read_file(path, 16 << 20, &text, &len, &err), HD_OK);
        check_header(files[i][0], text);
        hd_free(text);
    }
}

static void lookups_answer(void **state)
{
    (void)state;
    const hd_lookup *l = hd_catalogue_lookup(cat, "successor_of");
    assert_true(l->keeps_unknown);
    assert_string_equal(hd_lookup_find(l, "no such code"), "no such code");
    l = hd_catalogue_lookup(cat, "region_of");
    assert_null(hd_lookup_find(l, "no such code"));
    assert_true(l->n_rows > 0);
    for (size_t i = 0; i < l->n_rows; i++)
        assert_string_equal(hd_lookup_find(l, l->keys[i]), l->values[i]);
    assert_null(hd_catalogue_lookup(cat, "nothing"));
    assert_null(hd_catalogue_codelist(cat, "nothing"));
    assert_true(hd_catalogue_codelist(cat, "diabetes")->n_codes >= 5);
    const char *name;
    assert_non_null(strstr(hd_catalogue_macro_at(cat, 0, &name), "CREATE OR REPLACE MACRO "));
}

/* ---- DuckDB takes every function and every expression ---------------------------------------- */

static const char *sql_type(hd_type type)
{
    static const char *const names[] = {
        [HD_TEXT] = "VARCHAR", [HD_INTEGER] = "BIGINT", [HD_DECIMAL] = "DOUBLE",
        [HD_DATE] = "DATE",    [HD_BOOLEAN] = "BOOLEAN"};
    return names[type];
}

static hd_duck *open_duck_with_functions(void)
{
    hd_duck *d;
    hd_err err;
    char sql[400];
    assert_int_equal(hd_duck_open(&d, &err), HD_OK);
    for (size_t i = 0; i < hd_catalogue_n_lookups(cat); i++) {
        const hd_lookup *l = hd_catalogue_lookup_at(cat, i);
        snprintf(sql, sizeof sql, "CREATE MACRO %s(x) AS CAST(x AS VARCHAR)", l->name);
        assert_int_equal(hd_duck_run(d, sql, &err), HD_OK);
    }
    for (size_t i = 0; i < hd_catalogue_n_macros(cat); i++)
        if (hd_duck_run(d, hd_catalogue_macro_at(cat, i, NULL), &err) != HD_OK)
            fail_msg("%s", err.text);
    return d;
}

/* Value of an SQL expression as text, "NULL" when it is NULL. */
static void value_of(hd_duck *d, const char *expression, char out[80])
{
    hd_duck_result *r;
    hd_err err;
    char sql[600];
    snprintf(sql, sizeof sql, "SELECT CAST((%s) AS VARCHAR)", expression);
    if (hd_duck_query(d, sql, &r, &err) != HD_OK)
        fail_msg("%s: %s", expression, err.text);
    hd_value v = hd_duck_value(r, 0, 0);
    snprintf(out, 80, "%.*s", v.is_null ? 4 : (int)v.text.len, v.is_null ? "NULL" : v.text.bytes);
    hd_duck_result_free(r);
}

static void functions_mean_what_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *expression, *value;
    } cases[] = {
        {"age_in_years(7001)", "0"},
        {"age_in_years(7007)", "0"},
        {"age_in_years(0)", "0"},
        {"age_in_years(120)", "120"},
        {"age_in_years(121)", "NULL"},
        {"age_in_years(-1)", "NULL"},
        {"age_band(7003)", "0-4"},
        {"age_band(4)", "0-4"},
        {"age_band(5)", "5-9"},
        {"age_band(89)", "85-89"},
        {"age_band(90)", "90+"},
        {"age_band(NULL)", "NULL"},
        {"real_date(DATE '1800-01-01')", "NULL"},
        {"real_date(DATE '1899-12-31')", "NULL"},
        {"real_date(DATE '1900-01-01')", "1900-01-01"},
        {"month_of(DATE '2016-02-29')", "2016-02-01"},
        {"month_of(DATE '1801-01-01')", "NULL"},
        {"quarter_of(DATE '2016-05-29')", "2016-04-01"},
        {"financial_year(DATE '2015-03-31')", "2014-15"},
        {"financial_year(DATE '2015-04-01')", "2015-16"},
        {"financial_year(DATE '1999-12-01')", "1999-00"},
        {"financial_year(DATE '1800-01-01')", "NULL"},
        {"weekday_of(DATE '2016-02-29')", "Monday"},
        {"admission_type_of('2A')", "emergency"},
        {"admission_type_of('13')", "elective"},
        {"admission_type_of('31')", "maternity"},
        {"admission_type_of('82')", "other"},
        {"admission_type_of('98')", "NULL"},
        {"admission_type_of('99')", "NULL"},
        {"imd_decile_number('Most deprived 10%')", "1"},
        {"imd_decile_number('More deprived 40-50%')", "5"},
        {"imd_decile_number('Less deprived 40-50%')", "6"},
        {"imd_decile_number('Least deprived 10%')", "10"},
        {"sex_label('X')", "NULL"},
        {"ethnic_group('G')", "mixed"},
        {"ethnic_group('Z')", "NULL"},
        {"clock_hour('2359')", "23"},
        {"clock_hour('07:15:00')", "7"},
        {"clock_hour('4000')", "NULL"},
        {"clock_hour('3000')", "NULL"},
        {"clock_hour('2400')", "NULL"},
    };
    hd_duck *d = open_duck_with_functions();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char value[80];
        value_of(d, cases[i].expression, value);
        if (strcmp(value, cases[i].value) != 0)
            fail_msg("%s is %s, not %s", cases[i].expression, value, cases[i].value);
    }
    hd_duck_close(d);
}

/* Every expression over a typed NULL gives a value of the declared type. */
static void expressions_have_their_type(void **state)
{
    (void)state;
    hd_duck *d = open_duck_with_functions();
    size_t seen = 0;
    for (size_t i = 0; i < hd_catalogue_n_tables(cat); i++) {
        const hd_table_def *t = hd_catalogue_table_at(cat, i);
        for (size_t k = 0; k < t->n_fields; k++) {
            const hd_field *f = &t->fields[k];
            unsigned position;
            char sql[1200];
            hd_duck_result *r;
            hd_err err;
            if (f->kind != HD_FIELD_EXPRESSION)
                continue;
            const hd_field *of = hd_table_def_field(t, f->of);
            of = of ? of : hd_table_def_element(t, f->of, &position);
            assert_non_null(of);
            snprintf(sql, sizeof sql, "SELECT %s FROM (SELECT CAST(NULL AS %s) AS \"%s\")",
                     f->expression, sql_type(of->type), f->of);
            if (hd_duck_query(d, sql, &r, &err) != HD_OK)
                fail_msg("%s.%s: %s", t->name, f->name, err.text);
            if (hd_duck_column_type(r, 0) != f->type)
                fail_msg("%s.%s is %s, declared %s", t->name, f->name,
                         hd_type_name(hd_duck_column_type(r, 0)), hd_type_name(f->type));
            hd_duck_result_free(r);
            seen++;
        }
    }
    assert_true(seen > 200);
    hd_duck_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_there),
        cmocka_unit_test(fields_carry_and_inherit),
        cmocka_unit_test(headers_find_their_field),
        cmocka_unit_test(artificial_files_have_a_place),
        cmocka_unit_test(lookups_answer),
        cmocka_unit_test(functions_mean_what_they_say),
        cmocka_unit_test(expressions_have_their_type),
    };
    return cmocka_run_group_tests(tests, open_catalogue, close_catalogue);
}
