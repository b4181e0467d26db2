/* test_catalogue.c - the catalogue that ships is whole; what it promises to others holds. */
#include "catalogue/catalogue.h"

#include "base/alloc.h"
#include "base/io.h"

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
    assert_string_equal(f->columns[0], "sex");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_there),
        cmocka_unit_test(fields_carry_and_inherit),
        cmocka_unit_test(headers_find_their_field),
        cmocka_unit_test(lookups_answer),
    };
    return cmocka_run_group_tests(tests, open_catalogue, close_catalogue);
}
