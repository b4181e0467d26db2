/* test_present.c - what the writers do to awkward figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/csv.h"
#include "disclosure/build.h"
#include "indicators/indicator.h"
#include "present/chart.h"
#include "present/present.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static hd_figure text(const char *s)
{
    return (hd_figure){.value = {.type = HD_TEXT, .text = {s, strlen(s)}}};
}

static hd_figure decimal(double x)
{
    return (hd_figure){.value = {.type = HD_DECIMAL, .decimal = x}};
}

static hd_figure star(void)
{
    return (hd_figure){.value = {.is_null = true}, .mark = '*'};
}

static hd_figure null(void)
{
    return (hd_figure){.value = {.is_null = true}};
}

/* Rows of (text, decimal). */
static hd_release *make(const char *name, const hd_figure *figures, size_t n_rows)
{
    hd_err err;
    hd_release *r;
    hd_release_origin origin = {"hes2018", "1", "stars are small", "SELECT \"x\"", false, 3, 2};
    hd_release_builder *b = hd_release_builder_start(&origin);
    assert_non_null(b);
    assert_int_equal(hd_release_builder_column(b, name, HD_TEXT, true, &err), HD_OK);
    assert_int_equal(hd_release_builder_column(b, "value", HD_DECIMAL, false, &err), HD_OK);
    for (size_t i = 0; i < 2 * n_rows; i++)
        assert_int_equal(hd_release_builder_put(b, &figures[i], &err), HD_OK);
    assert_int_equal(hd_release_builder_finish(b, &r, &err), HD_OK);
    hd_release_builder_free(b);
    return r;
}

static void check(void (*put)(hd_buf *, const hd_release *), const hd_release *r, const char *want)
{
    hd_buf b;
    hd_buf_init(&b, 1 << 20);
    put(&b, r);
    assert_true(hd_buf_ok(&b));
    assert_string_equal(b.data, want);
    hd_buf_free(&b);
}

static void csv_is_harmless_and_exact(void **state)
{
    (void)state;
    const hd_figure figures[] = {text("=1+1"),   decimal(0.1),  text("-12.5"),   star(),
                                 text("+44 20"), null(),        text("@x\ty"),   decimal(1.0 / 3),
                                 text(""),       decimal(-0.0), text("a,\"b\""), decimal(NAN),
                                 null(),         decimal(1e300)};
    hd_release *r = make("provider", figures, 7);
    check(hd_present_csv, r,
          "provider,value\n'=1+1,0.1\n-12.5,*\n'+44 20,\n'@x\ty,0.3333333333333333\n\"\",-0\n"
          "\"a,\"\"b\"\"\",\n,1e+300\n");
    hd_release_free(r);
    r = make("=cmd()", figures, 0);
    check(hd_present_csv, r, "'=cmd(),value\n");
    hd_release_free(r);
    const hd_figure controls[] = {text("\x1b[31m\x7f"), decimal(1), text("a\nb\xc2\x9b"), decimal(2)};
    r = make("\x1b]0;x\x07", controls, 2);
    check(hd_present_csv, r, "\xEF\xBF\xBD]0;x\xEF\xBF\xBD,value\n\xEF\xBF\xBD[31m\xEF\xBF\xBD,1\n"
                             "\"a\nb\xEF\xBF\xBD\",2\n");
    hd_release_free(r);
    r = make("value", controls, 1);
    check(hd_present_json, r, "[\n {\"value\": \"\\u001b[31m\\u007f\", \"value_2\": 1}\n]\n");
    hd_release_free(r);
}

static void numbers_read_back(void **state)
{
    (void)state;
    uint64_t x = 12345;
    for (int i = 0; i < 20000; i++) {
        double d;
        hd_buf b;
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        memcpy(&d, &x, sizeof d);
        if (!isfinite(d))
            continue;
        hd_buf_init(&b, 64);
        hd_present_value(&b, &(hd_value){.type = HD_DECIMAL, .decimal = d});
        assert_true(strtod(b.data, NULL) == d);
        hd_buf_free(&b);
    }
}

static void json_is_valid(void **state)
{
    (void)state;
    const hd_figure figures[] = {
        text("a\"\\\n\xff\xc3\xa9"), star(), null(), null(), text("b"), decimal(2.5)};
    hd_release *r = make("value", figures, 3);
    check(hd_present_json, r,
          "[\n {\"value\": \"a\\\"\\\\\\u000a\xEF\xBF\xBD\xc3\xa9\", \"value_2\": \"*\"},\n"
          " {\"value\": null, \"value_2\": null},\n {\"value\": \"b\", \"value_2\": 2.5}\n]\n");
    hd_release_free(r);
    r = make("value", figures, 0);
    check(hd_present_json, r, "[]\n");
    hd_release_free(r);
}

static void html_text_is_escaped(void **state)
{
    (void)state;
    hd_buf b;
    hd_buf_init(&b, 1 << 10);
    const char evil[] = "<script>\"'&\x01\x7f\xc0\xaf\xed\xa0\x80\xc3\xa9";
    hd_present_html_text(&b, evil, strlen(evil));
    assert_string_equal(b.data, "&lt;script&gt;&quot;&#39;&amp;\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
                                "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xc3\xa9");
    hd_buf_free(&b);
}

static void tables_align(void **state)
{
    (void)state;
    const hd_figure figures[] = {text("Northgate and Ashby Hospitals"),
                                 decimal(12.5),
                                 text("\x1b[31m"),
                                 star(),
                                 text("\xc3\xa9"),
                                 decimal(3)};
    hd_release *r = make("provider", figures, 3);
    hd_buf b;
    hd_buf_init(&b, 1 << 16);
    hd_present_table(&b, r, &(hd_table_style){0});
    assert_string_equal(b.data, "provider                       value\n"
                                "-----------------------------  -----\n"
                                "Northgate and Ashby Hospitals   12.5\n"
                                "?[31m                              *\n"
                                "\xc3\xa9                                3.0\n");
    hd_buf_clear(&b);
    hd_present_table(&b, r, &(hd_table_style){.width = 22});
    assert_string_equal(b.data, "provider         value\n"
                                "---------------  -----\n"
                                "Northgate an...   12.5\n"
                                "?[31m                *\n"
                                "\xc3\xa9                  3.0\n");
    hd_buf_free(&b);
    hd_release_free(r);
}

/* What all rows share is said above, but only where the table is too wide; empty columns by name. */
static void tables_fit_by_what_is_shared(void **state)
{
    (void)state;
    hd_release *like = make("provider", (const hd_figure[]){text("A"), decimal(1)}, 1), *r;
    hd_err err;
    hd_release_builder *b = hd_release_builder_new(like);
    static const char *const names[] = {"month", "provider", "value", "national", "note"};
    const hd_figure rows[2][5] = {
        {text("May 2016"), text("Northgate and Ashby"), decimal(0.5), star(), null()},
        {text("May 2016"), text("B"), decimal(0.25), star(), null()}};
    assert_non_null(b);
    for (size_t c = 0; c < 5; c++)
        assert_int_equal(hd_release_builder_column(b, names[c], c == 2 || c == 3 ? HD_DECIMAL : HD_TEXT,
                                                   c < 2, &err),
                         HD_OK);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(hd_release_builder_put(b, &rows[i / 5][i % 5], &err), HD_OK);
    assert_int_equal(hd_release_builder_finish(b, &r, &err), HD_OK);
    hd_release_builder_free(b);
    hd_buf out;
    hd_buf_init(&out, 1 << 16);
    hd_present_table(&out, r, &(hd_table_style){.width = 200});
    assert_memory_equal(out.data, "month  ", 7);
    hd_buf_clear(&out);
    hd_present_table(&out, r, &(hd_table_style){.width = 20});
    assert_string_equal(out.data, "month: May 2016\nnational: *\nempty: note\n\n"
                                  "provider       value\n"
                                  "-------------  -----\n"
                                  "Northgate ...   0.50\n"
                                  "B               0.25\n");
    hd_buf_free(&out);
    hd_release_free(r);
    hd_release_free(like);
}

static void footers_say_what_was_withheld(void **state)
{
    (void)state;
    const hd_figure figures[] = {text("a"), star()};
    hd_release *r = make("provider", figures, 1);
    check(hd_present_footer, r,
          "policy hes2018 version 1, data version 3, 1 figure withheld, small rows left "
          "out\nstars are small\n");
    hd_buf b;
    hd_buf_init(&b, 1 << 16);
    hd_present_provenance(&b, r, NULL, NULL);
    assert_non_null(strstr(b.data, "\"question\": \"SELECT \\\"x\\\"\""));
    assert_non_null(strstr(b.data, "\"figures_withheld\": 1"));
    assert_non_null(strstr(b.data, "\"rows_left_out\": true"));
    assert_non_null(strstr(b.data, "\"purpose\": null"));
    hd_buf_free(&b);
    hd_release_free(r);
    const hd_release_origin origin = {.policy = "hes2018", .policy_version = "1", .legend = "stars are small",
                                      .question = "x", .has_rounded = true};
    hd_release_builder *builder = hd_release_builder_start(&origin);
    hd_err err;
    assert_non_null(builder);
    assert_int_equal(hd_release_builder_column(builder, "value", HD_DECIMAL, false, &err), HD_OK);
    assert_int_equal(hd_release_builder_put(builder, &(hd_figure){.value = decimal(10).value}, &err), HD_OK);
    assert_int_equal(hd_release_builder_finish(builder, &r, &err), HD_OK);
    hd_release_builder_free(builder);
    check(hd_present_footer, r,
          "policy hes2018 version 1\nstars are small\n"
          "national figures are rounded, too, where the exact one would give another away: any of them may be\n");
    hd_release_free(r);
}

/* What a signal can be called has an icon, and each icon its own shape or sign. */
static void every_signal_has_an_icon(void **state)
{
    (void)state;
    hd_buf b;
    hd_buf_init(&b, 1 << 16);
    for (int v = HD_VARIATION_COMMON; v <= HD_VARIATION_NEUTRAL; v++)
        for (int towards = -1; towards <= 1; towards += 2)
            assert_true(hd_icon_exists(hd_signal_variation_text((hd_variation)v, towards)));
    for (int a = HD_ASSURANCE_PASS; a <= HD_ASSURANCE_INCONSISTENT; a++)
        assert_true(hd_icon_exists(hd_signal_assurance_text((hd_assurance)a)));
    assert_false(hd_icon_exists(""));
    hd_icon_put(&b, "x", "no such words");
    hd_icon_put_small(&b, "no such words", true);
    assert_int_equal(b.len, 0);
    hd_icon_put(&b, "x", "improving, low");
    assert_non_null(strstr(b.data, "<title id=\"x-title\">improving, low</title><desc id=\"x-desc\">"));
    hd_buf_clear(&b);
    hd_icon_put_symbols(&b);
    /* No two are drawn the same. Colours follow the shapes, so that they cannot tell more. */
    const char *drawn[16];
    size_t len[16], n = 0;
    for (const char *at = b.data; (at = strstr(at, "viewBox=")) != NULL && n < 16; n++) {
        drawn[n] = at;
        len[n] = (size_t)(strstr(at, "</symbol>") - at);
        for (size_t i = 0; i < n; i++)
            assert_false(len[i] == len[n] && memcmp(drawn[i], at, len[n]) == 0);
        at++;
    }
    assert_int_equal(n, 10);
    hd_buf_free(&b);
}

/* A gap is no line: one polyline for each unbroken run; a forecast is set apart. */
static void charts_break_at_gaps(void **state)
{
    (void)state;
    const double values[] = {1, 2, NAN, 3, 4, NAN}, ahead[] = {NAN, NAN, NAN, NAN, 4, 5};
    const char marks[] = {0, 0, '*', 0, 0, 0};
    const hd_variation signals[] = {HD_VARIATION_COMMON, HD_VARIATION_CONCERN, HD_VARIATION_CONCERN,
                                    HD_VARIATION_IMPROVEMENT, HD_VARIATION_NEUTRAL,
                                    HD_VARIATION_COMMON};
    const hd_chart_line lines[] = {
        {.css = "a", .values = values, .marks = marks, .signals = signals, .has_points = true},
        {.css = "ahead", .values = ahead}};
    const hd_chart c = {.id = "t",
                        .title = "T",
                        .description = "D",
                        .first_month = 2015 * 12,
                        .n_months = 6,
                        .unit = HD_UNIT_DAYS,
                        .lines = lines,
                        .n_lines = 2,
                        .target = NAN,
                        .n_ahead = 1};
    hd_buf b;
    hd_buf_init(&b, 1 << 16);
    hd_chart_put(&b, &c);
    size_t n = 0;
    for (const char *at = b.data; (at = strstr(at, "<polyline class=\"a\"")) != NULL; at++)
        n++;
    assert_int_equal(n, 2);
    assert_non_null(strstr(b.data, "class=\"mark\""));
    assert_non_null(strstr(b.data, "class=\"divide\""));
    assert_non_null(strstr(b.data, "signal concerning"));
    assert_null(strstr(strstr(b.data, "signal concerning") + 1, "signal concerning"));
    assert_non_null(strstr(b.data, "signal improving"));
    assert_non_null(strstr(b.data, "signal neither"));
    assert_null(strstr(b.data, "nan"));
    hd_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_is_harmless_and_exact),
        cmocka_unit_test(numbers_read_back),
        cmocka_unit_test(json_is_valid),
        cmocka_unit_test(html_text_is_escaped),
        cmocka_unit_test(tables_align),
        cmocka_unit_test(tables_fit_by_what_is_shared),
        cmocka_unit_test(footers_say_what_was_withheld),
        cmocka_unit_test(every_signal_has_an_icon),
        cmocka_unit_test(charts_break_at_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
