"""hdis stat: the table around the statistics - columns, options, refusals, extremes. Hand-made cases."""

import csv
import io
import math
import os
import random
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HDIS = os.environ.get("HDIS", os.path.join(ROOT, "build", "hdis"))


def run(method, text, *args):
    data = text if isinstance(text, bytes) else text.encode()
    return subprocess.run([HDIS, "stat", method, *map(str, args)], input=data, capture_output=True,
                          timeout=120)


def stat(method, text, *args):
    p = run(method, text, *args)
    assert p.returncode == 0, p.stderr
    return list(csv.DictReader(io.StringIO(p.stdout.decode())))


REFUSED = [
    ("waiting-list", "demand,capacity\n10,5\n10,0\n", "row 2, column capacity: is 0"),
    ("waiting-list", "target_wait,factor\n10,0\n", "row 1, column factor: is 0"),
    ("cusum", "risk,outcome\n0.5,1\n1,1\n", "row 2, column risk: a risk must lie strictly between"),
    ("cusum-limit", "risk\n0\n", "strictly between"),
    ("proportion", "numerator,denominator\n5e-324,10\n", "row 1, column numerator: is too small"),
    ("proportion", "numerator,denominator\n5e101,10\n", "row 1, column numerator: is beyond"),
    ("proportion", "numerator,denominator\n1,10\n-1,10\n", "row 2, column numerator"),
    ("proportion", "numerator,denominator\n1,0\n", "row 1, column denominator"),
    ("proportion", "numerator,denominator\n11,10\n", "row 1, column numerator"),
    ("proportion", "numerator,denominator\nx,10\n", "is not a number"),
    ("proportion", "numerator,denominator\nnan,10\n", "is not a number"),
    ("proportion", "numerator,denominator\n1\n", "row 1 has 1 fields"),
    ("proportion", "numerator,n\n1,2\n", "no column denominator"),
    ("proportion", "numerator,denominator,numerator\n", "column 3 has the name of column 1"),
    ("proportion", "numerator,denominator\n\"1,2\n", "never closed"),
    ("proportion", "", "is empty"),
    ("proportion", b"numerator,denominator\n1,\x00\n", "zero byte"),
    ("dsr", "band,count,population,standard\n0-4,1,0,5\n", "row 1, column population"),
    ("dsr", "band,count,population\n0-4,1,10\n", "no standard population"),
    ("isr", "count,population,reference_count,reference_population\n1,5,2,0\n",
     "row 1, column reference_population"),
    ("quantiles", "value,invert\n1,1\n2,0\n", "mixed polarity"),
    ("spc", "value\n1\nabc\n", "row 2, column value"),
    ("cusum", "risk,outcome\n0.5,2\n", "row 1, column outcome"),
    ("cusum", "risk,outcome\n1,1\n", "row 1, column risk"),
    ("age", "start,end\n2020-01-02,2020-01-01\n", "is before the start"),
    ("age", "start,end\n2020-13-02,2020-01-01\n", "is not a date"),
    ("glm", "outcome,x\n2,1\n", "row 1, column outcome"),
    ("forecast", "value\n1\n\n3\n", "row 2, column value"),
    ("compare", "numerator,denominator,numerator2,denominator2\n1,2,1,2\n1,2,1,0\n",
     "row 2, column denominator2"),
    ("compare", "numerator,denominator,numerator2,denominator2\n3,2,1,2\n",
     "row 1, column numerator:"),
    ("dsr", "band,count,population,standard,event_frequency\n0-4,9,100,5,1\n0-4,9,200,5,2\n",
     "row 2, column population"),
    ("dsr", "band,count,population,standard,event_frequency\n0-4,9,100,5,1\n0-4,9,100,6,2\n",
     "row 2, column standard"),
    ("inequality", "quantile,population,value,se\n1,9,3,1\n2,9,2,1\n4,9,1,1\n",
     "row 1, column quantile"),
]


@pytest.mark.parametrize("method,text,words", REFUSED)
def test_refusals_are_one_line_and_leave_nothing(method, text, words):
    p = run(method, text, *(["--numeric", "x"] if method == "glm" else []))
    assert p.returncode == 1
    assert p.stdout == b""
    assert p.stderr.count(b"\n") == 1 and words in p.stderr.decode()


def test_bad_usage_is_two():
    assert run("nothing", "").returncode == 2
    assert run("rate", "", "--nothing").returncode == 2
    assert subprocess.run([HDIS, "stat"], capture_output=True).returncode == 2
    assert run("rate", "numerator,denominator\n", "--level", "2").returncode == 1


def test_help_of_every_method_has_columns_options_example():
    text = subprocess.run([HDIS, "stat", "--help"], capture_output=True, text=True).stdout
    methods = [line.split()[0] for line in text.splitlines() if line.startswith("  ") and line[2] != " "]
    assert len(methods) > 25
    for m in methods[::4]:
        p = run(m, "", "--help")
        assert p.returncode == 0
        for word in (b"columns", b"options", b"example", b"results"):
            assert word in p.stdout


def test_columns_pass_through_and_rename():
    got = stat("proportion", 'area,deaths,spells\n"a, ""b""",3,10\n', "--numerator", "deaths",
               "--denominator", "spells", "--level", "0.95,0.998", "--multiplier", 100)
    assert got[0]["area"] == 'a, "b"' and got[0]["value"] == "30"
    assert list(got[0]) == ["area", "deaths", "spells", "value", "lower95", "upper95", "lower99_8",
                            "upper99_8", "method", "reason"]


def test_numbers_read_back_exactly():
    rng = random.Random(1)
    values = [rng.random() * 10 ** rng.randint(-95, 99) for _ in range(200)]
    values += [0.1, 1 / 3, 1e22, 123456789012345678.0, 1e-100, 1e100]
    rows = "".join("%r\n" % v for v in values)
    got = stat("spc", "value\n" + rows, "--chart", "run")
    assert [float(g["value"]) for g in got] == values


def test_numbers_are_as_short_as_they_can_be():
    rng = random.Random(2)
    values = [math.ldexp(rng.random(), rng.randint(-300, 330)) for _ in range(3000)]
    values += [round(rng.random() * 1000, rng.randint(0, 6)) for _ in range(1000)]
    values += [2.0 ** k for k in range(-332, 332, 7)] + [9007199254740993.0, 1e23, -0.0001]
    got = stat("spc", "value\n" + "".join("%r\n" % v for v in values), "--chart", "run")

    def digits(text):
        return text.lower().lstrip("-").split("e")[0].replace(".", "").strip("0")
    for v, g in zip(values, got):
        assert float(g["value"]) == v and digits(g["value"]) == digits(repr(v))


def test_blank_in_blank_out_and_never_nan():
    got = stat("rate", "numerator,denominator\n,10\n5,\n0,10\n", "--level", "0.5,0.95,0.998")
    assert got[0]["value"] == got[1]["value"] == "" and got[2]["value"] == "0"
    text = "group,value\n" + "a,5\n" * 12 + "b,7\n"
    for args in ([], ["--screen"], ["--chart", "mr"], ["--chart", "run"], ["--chart", "t"]):
        p = run("spc", text, "--group", "group", *args)
        assert p.returncode == 0 and b"nan" not in p.stdout.lower() and b"inf" not in p.stdout


@pytest.mark.parametrize("value", ["1e308", "1.7e101", "-1e200", "1e-101", "5e-324"])
@pytest.mark.parametrize("method,header", [
    ("rate", "numerator,denominator"), ("proportion", "denominator,numerator"),
    ("funnel", "numerator,denominator"), ("isr", "count,population,reference_count,reference_population"),
    ("mean", "values"), ("spc", "value"), ("glm", "outcome"), ("forecast", "value")])
def test_sizes_beyond_reason_are_refused(method, header, value):
    rows = ",".join([value] + ["5"] * header.count(","))
    p = run(method, header + "\n" + rows + "\n", *(["--kind", "rate"] if method == "funnel" else []))
    word = b"1e-100" if "e-" in value else b"1e100"
    assert p.returncode == 1 and b"row 1, column" in p.stderr and word in p.stderr or \
        p.returncode == 1 and value[0] == "-" and b"row 1" in p.stderr


def test_a_result_beyond_the_range_of_numbers_is_refused():
    p = run("rate", "numerator,denominator\n1e100,1e-100\n", "--multiplier", "1e12")
    assert p.returncode == 0 and float(p.stdout.split(b"\n")[1].split(b",")[2]) == 1e212
    p = run("mean", "n,mean,sd\n2,1e100,1e100\n")
    assert p.returncode == 0
    p = run("spc", "value\n1e100\n-1e100\n", "--multiplier", "1e12")
    assert p.returncode == 0 and b"inf" not in p.stdout and b"nan" not in p.stdout


def test_what_is_blank_has_a_reason():
    rate = stat("rate", "numerator,denominator\n,10\n5,\n0,10\n")
    assert [g["reason"] for g in rate] == ["a count is missing", "a count is missing", ""]
    assert stat("mean", "values\n3\n")[0]["reason"] == "one value has no limits"
    assert stat("mean", "values\n3\n\"\"\n")[0]["reason"] == "a value is missing"
    assert stat("spc", "value\n3\n")[0]["reason"] == "no limits: too few points"
    got = stat("spc", "value,x\n3,1\n,1\n5,1\n4,1\n")
    assert [g["reason"] for g in got] == ["", "the value is missing", "", ""]
    two = "numerator,denominator,numerator2,denominator2\n"
    none = stat("compare", two + "3,10,0,10\n0,10,0,10\n0,10,4,10\n3,10,4,10\n", "--test", "rate")
    assert [bool(g["reason"]) for g in none] == [True, True, False, False]
    for g in none:
        assert (g["ratio"] == "" or g["ratio_upper"] == "") == bool(g["reason"])
    for g in stat("compare", two + "3,10,0,10\n0,10,0,10\n0,10,4,10\n3,10,4,10\n"):
        assert ("" in [g["ratio"], g["ratio_lower"], g["ratio_upper"]]) == bool(g["reason"])


def test_a_rebase_after_the_last_point_does_not_pass_unsaid():
    text = "series,date,value\n" + "".join("a,2020-%02d-01,%d\n" % (m + 1, m % 4) for m in range(12))
    for at in ("13", "2021-01-01"):
        p = run("spc", text.replace("series", "unit"), "--rebase-at", at)
        assert p.returncode == 1 and b"--rebase-at" in p.stderr
    both = text + "".join("b,2021-%02d-01,%d\n" % (m + 1, m % 4) for m in range(12))
    got = stat("spc", both, "--rebase-at", "2021-06-01")
    assert [i for i, g in enumerate(got) if g["reason"]] == [11]
    assert got[17]["part"] == "2"


@pytest.mark.parametrize("method", ["spc", "run-chart"])
def test_points_stand_in_the_order_of_their_dates(method):
    rows = ["%s,%02d/%02d/2020,%d,n%d\n" % (u, d + 1, m + 1, (7 * m + d) % 11, m * 2 + d)
            for u in "ab" for m in range(12) for d in range(2)]
    header = "unit,date,value,note\n"
    args = ["--group", "unit"] + (["--rebase-at", "2020-06-01"] if method == "spc" else [])
    want = run(method, header + "".join(rows), *args)
    assert want.returncode == 0
    random.Random(3).shuffle(rows)
    first = rows[0][0]
    got = run(method, header + "".join(rows), *args)
    lines = lambda p: [l for u in "ab" for l in p.stdout.decode().splitlines() if l.startswith(u + ",")]
    assert got.returncode == 0 and lines(got) == lines(want) and lines(want)
    assert got.stdout.decode().splitlines()[1][0] == first


def test_a_date_that_is_none_is_refused_where_points_follow_it():
    for cell in ("foo", "Jan-20", ""):
        text = "date,value\n2020-01-01,1\n%s,2\n" % cell
        p = run("spc", text)
        assert p.returncode == 1 and b"row 2, column date" in p.stderr and b"foo" not in p.stderr
        assert stat("run-chart", text + "2019-01-01,3\n", "--baseline", "3")[0]["start_date"] == "2020-01-01"


@pytest.mark.parametrize("shift", [1e6, -3e9, 1e12])
def test_a_number_far_from_zero_keeps_its_digits(shift):
    rng = random.Random(8)
    rows = [(i, i % 7, rng.randint(0, 1 + i // 4)) for i in range(40)]
    def fit(by, *args):
        text = "x,u,y\n" + "".join("%d,%d,%d\n" % (x + by, u, y) for x, u, y in rows)
        return stat("glm", text, "--outcome", "y", "--family", "poisson", "--numeric", "x,u", *args)
    near, far = fit(0), fit(shift)
    for a, b in zip(near[1:], far[1:]):
        assert b["reason"] == ""
        for c in ("estimate", "se", "z", "p", "lower", "upper", "deviance", "aic"):
            assert float(b[c]) == pytest.approx(float(a[c]), rel=1e-8), c
    slope, error = float(near[1]["estimate"]), float(near[1]["se"])
    assert float(far[0]["estimate"]) == pytest.approx(float(near[0]["estimate"]) - shift * slope, rel=1e-8)
    assert float(far[0]["se"]) == pytest.approx(abs(shift) * error, rel=1e-3)
    for a, b in zip(fit(0, "--output", "fitted"), fit(shift, "--output", "fitted")):
        assert float(b["fitted"]) == pytest.approx(float(a["fitted"]), rel=1e-8)


def test_a_number_that_others_determine_is_still_left_out():
    text = "a,b,c,y\n" + "".join("%d,%d,1000000,%d\n" % (1000000 + i, 2000000 + 2 * i, i % 3) for i in range(30))
    got = stat("glm", text, "--outcome", "y", "--family", "poisson", "--numeric", "a,b,c")
    assert [g["estimate"] != "" for g in got] == [True, True, False, False]


@pytest.mark.parametrize("season", [[0, 0, 0, 0], [0, 5, 7, 9], [1, 2, 3, 4]])
@pytest.mark.parametrize("method", ["classical", "classical-multiplicative"])
def test_a_blank_of_a_decomposition_has_its_reason(season, method):
    got = stat("decompose", "value\n" + "".join("%d\n" % v for v in season * 3), "--method", method, "--period", 4)
    for g in got:
        assert ("" in [g["trend"], g["season"], g["remainder"], g["adjusted"]]) == bool(g["reason"])
        if g["trend"] and g["reason"]:
            assert "0 or unknown" in g["reason"]
    assert sum(g["trend"] == "" for g in got) == 4


def test_a_negative_binomial_without_over_dispersion_says_so():
    text = "x,y\n" + "".join("%d,%d\n" % (i, i % 3 + 2) for i in range(10))
    plain = stat("glm", text, "--outcome", "y", "--family", "poisson", "--numeric", "x")
    for g in stat("glm", text, "--outcome", "y", "--family", "negative-binomial", "--numeric", "x"):
        assert float(g["theta"]) == 1e7 and "theta at its bound" in g["warning"]
        assert int(g["iterations"]) > int(plain[0]["iterations"]) >= 3
    spread = "x,y\n" + "".join("%d,%d\n" % (i, 1 + i * i % 17 * (i % 4)) for i in range(60))
    got = stat("glm", spread, "--outcome", "y", "--family", "negative-binomial", "--numeric", "x")
    assert got[0]["warning"] == "" and float(got[0]["theta"]) < 10 and int(got[0]["iterations"]) > 5


def test_a_funnel_of_too_few_units_has_no_adjusted_limits():
    text = "numerator,denominator\n3,10\n5,20\n4,30\n"
    few = stat("funnel", text, "--adjust", "truncate", "--trim", 0.49)
    curve = stat("funnel", text, "--adjust", "truncate", "--trim", 0.49, "--at", "10,20")
    for g in few + curve:
        assert g["adjusted_lower"] == g["adjusted_upper"] == "" and g["lower"] and "fewer than 2" in g["reason"]
    assert few[0]["adjusted_outside"] == few[0]["label"] == "" and few[0]["outside"] == "0"
    for args in (["--adjust", "truncate", "--trim", 0], ["--adjust", "winsorise"], []):
        for g in stat("funnel", text, *args) + stat("funnel", text, *args, "--at", "10"):
            assert g["adjusted_lower"] and g["reason"] == ""


def test_a_group_column_is_named_once_and_never_replaced():
    text = "g,lower,numerator,denominator\na,x,1,2\na,y,1,3\n"
    p = run("funnel", text, "--group", "g,G")
    assert p.returncode == 1 and b"twice" in p.stderr
    for method in ("funnel", "isr"):
        p = run(method, text.replace("numerator", "count,population,reference_count,reference_population,numerator")
                .replace(",1,", ",1,1,1,1,1,"), "--group", "g,lower")
        assert p.returncode == 1 and b"lower" in p.stderr and p.stdout == b""
    assert stat("funnel", text, "--group", "g")[0]["g"] == "a"


def test_columns_that_a_model_uses_unasked_are_named():
    text = "x,y,weights,offset\n" + "".join("%d,%d,%d,0.5\n" % (i, i % 3, 1 + i % 2) for i in range(20))
    args = ["--outcome", "y", "--family", "poisson", "--numeric", "x"]
    assert stat("glm", text, *args)[0]["warning"] == "used because of their names: weights, offset"
    asked = stat("glm", text, *args, "--weights", "weights", "--offset", "offset")
    assert asked[0]["warning"] == "" and asked[1]["estimate"] == stat("glm", text, *args)[1]["estimate"]


def test_a_target_that_is_no_column_is_called_so():
    p = run("spc", "value\n1\n2\n", "--target", "abc")
    assert p.returncode == 1 and b"no column abc" in p.stderr


def test_a_band_stands_once_in_its_group_of_a_built_in_standard():
    text = "band,count,population\n0-4,5,100\n5-9,5,100\n10+,5,100\n"
    assert run("dsr", text, "--standard", "esp2013").returncode == 0
    p = run("dsr", text + "5-9,5,100\n", "--standard", "esp2013")
    assert p.returncode == 1 and b"row 4, column band" in p.stderr


ESP = {"0-4": 5000, "5-9": 5500, "10-14": 5500, "15-19": 5500, "20-24": 6000, "70-74": 5000, "75+": 9000}


def dsr_by_hand(bands):
    weights = [ESP[b] for b in bands]
    return sum(w * (k + 1) / 100 for k, w in enumerate(weights)) / sum(weights) * 1e5


@pytest.mark.parametrize("bands,labels,reason", [
    (["0-4", "5-9"], None, "without ages 10+"),
    (["5-9", "0-4"], None, "without ages 10+"),
    (["0-4", "10-14", "70-74"], None, "without ages 5-9, 15-69, 75+"),
    (["0-4", "5-9", "75+"], ["under 5", "5 to 9 years", "75 and over"], "without ages 10-74"),
    (["0-4", "5-9", "75+"], ["<5", "Aged 05\u201309", "\u226575"], "without ages 10-74"),
    (["0-4", "5-9", "75+"], ["0 to under 5", "5_9", "over 74"], "without ages 10-74"),
])
def test_a_band_weighs_the_ages_of_its_label(bands, labels, reason):
    text = "band,count,population\n" + "".join("%s,%d,10000\n" % (b, 100 * (k + 1))
                                               for k, b in enumerate(labels or bands))
    got, = stat("dsr", text, "--standard", "esp2013")
    assert float(got["value"]) == pytest.approx(dsr_by_hand(bands), rel=1e-12)
    assert got["reason"] == reason and got["withheld"] == "0"


def test_bands_named_by_their_first_ages_go_up_to_the_next():
    first = [0, 1, 5] + list(range(10, 95, 5))
    rows = lambda labels: "band,count,population\n" + "".join("%s,%d,1000\n" % (b, 10 + k)
                                                              for k, b in enumerate(labels))
    closed = ["<1", "1-4"] + ["%d-%d" % (a, a + 4) for a in first[2:-1]] + ["90+"]
    values = {(g["value"], g["reason"]) for labels in (first, first[:-1] + ["90+"], ["<1"] + first[1:], closed,
              ["0"] + closed[1:]) for g in stat("dsr", rows(labels), "--standard", "esp2013")}
    assert len(values) == 1 and values.pop()[1] == ""


@pytest.mark.parametrize("labels,row,why", [
    (["0-4", "3-9"], 2, "begin and end"), (["0-4", "5-11"], 2, "begin and end"), (["0-4", "5"], 2, "begin and end"),
    (["0-9", "5-14"], 2, "overlaps"), (["5-9", "0-14"], 1, "overlaps"), (["75+", "80-84"], 2, "overlaps"),
    (["0-4", "00-04"], 2, "already"), (["0-4", "all ages"], 2, "not an age band"), (["9-5", "0-4"], 1, "not an age band"),
    (["0-4", "5-9 days"], 2, "not an age band"), (["0-4", "-5"], 2, "not an age band"), (["<0", "0-4"], 1, "not an age band"),
])
def test_bands_that_do_not_fit_a_standard_are_refused(labels, row, why):
    p = run("dsr", "band,count,population\n" + "".join("%s,50,1000\n" % b for b in labels), "--standard", "esp2013")
    assert p.returncode == 1 and ("row %d, column band" % row).encode() in p.stderr and why.encode() in p.stderr


def test_life_tables_heed_the_last_age_of_a_label():
    rows = lambda labels: "age,population,deaths\n" + "".join("%s,10000,%d\n" % (b, 200 + 90 * k)
                                                              for k, b in enumerate(labels))
    whole = stat("life-table", rows(["0-4", "5-9", "10+"]), "--bands", "any")
    bare = stat("life-table", rows(["0", "5", "10"]), "--bands", "any")
    assert [g["value"] for g in whole] == [g["value"] for g in bare] and whole[0]["value"]
    for labels in (["0-4", "10-14", "20+"], ["0-4", "5-9", "10-14"]):
        for g in stat("life-table", rows(labels), "--bands", "any"):
            assert g["withheld"] == "1" and g["value"] == "" and "age band" in g["reason"]


def test_extremes_of_proportions():
    rows = ["0,1", "1,1", "0,9000000000", "9000000000,9000000000", "4294967297,8589934594", "0.445,1"]
    for method in ("wilson", "exact", "wilson-continuity", "agresti-coull", "wald"):
        got = stat("proportion", "numerator,denominator\n" + "\n".join(rows) + "\n", "--level", "0.998",
                   "--method", method)
        for g in got:
            assert float(g["lower"]) <= float(g["value"]) <= float(g["upper"])


def test_mortality_model_of_a_file_is_that_of_a_pipe(tmp_path):
    f = tmp_path / "spells.csv"
    f.write_text(mortality_rows())
    for output in ("providers", "risk", "groups", "coefficients"):
        a = subprocess.run([HDIS, "stat", "mortality-model", "--in", f, "--output", output],
                           capture_output=True)
        b = run("mortality-model", f.read_text(), "--output", output)
        assert a.returncode == 0 and a.stdout == b.stdout
    rows = list(csv.DictReader(io.StringIO(a.stdout.decode())))
    ages = [r for r in rows if r["covariate"] == "age" and r["group"] == rows[0]["group"]]
    assert sum(int(r["spells"]) for r in ages) == int(rows[0]["spells"])
    assert [r["se"] for r in ages].count("") >= 1  # the reference


def test_sorted_groups_stream_and_equal_the_rest():
    rows = "".join("g%04d,%d,%d\n" % (i // 3, i % 7, i % 7 + 10) for i in range(3000))
    text = "group,numerator,denominator\n" + rows
    a, b = (run("rate", text, "--group", "group", *x) for x in ([], ["--sorted"]))
    assert a.returncode == b.returncode == 0 and a.stdout == b.stdout
    p = run("rate", text + "g0001,1,1\n", "--group", "group", "--sorted")
    assert p.returncode == 1 and b"row 3001" in p.stderr


def test_settings_give_every_indicator_its_own_options(tmp_path):
    f = tmp_path / "s.csv"
    f.write_text("indicator,multiplier,method\na,1,\nb,100,exact\n")
    got = stat("proportion", "indicator,numerator,denominator\nb,1,10\na,1,10\n", "--settings", f)
    assert [(g["indicator"], g["value"], g["method"]) for g in got] == [
        ("a", "0.1", "wilson"), ("b", "10", "exact")]
    p = run("proportion", "indicator,numerator,denominator\nc,1,10\n", "--settings", f)
    assert p.returncode == 1 and b"no row in the settings" in p.stderr
    f.write_text("indicator,colour\na,red\n")
    assert run("proportion", "indicator,numerator,denominator\n", "--settings", f).returncode == 1


def test_settings_may_mix_charts_and_repeat_a_key(tmp_path):
    f = tmp_path / "s.csv"
    f.write_text("k,chart,direction,multiplier\na,xmr,increase,\nb,p,,100\nb,u,,1000\n")
    text = "k,value,numerator,denominator\na,1,,\nb,,2,10\na,3,,\nb,,4,10\n"
    got = stat("spc", text, "--settings", f)
    assert [g["k"] for g in got] == ["a", "a", "b", "b", "b", "b"]
    assert [g["centre"] for g in got] == ["2", "2", "30", "30", "300", "300"]
    assert got[0]["variation"] == "common_cause" and got[2]["variation"] == ""


def test_trend_without_scores_counts_from_one():
    text = "numerator,denominator,score\n83,86,1\n90,93,2\n129,136,3\n70,82,4\n"
    want = stat("trend", text)[0]
    assert math.isclose(float(want["p"]), 0.004131897, rel_tol=1e-6)  # R: prop.trend.test
    assert stat("trend", "\n".join(x.rsplit(",", 1)[0] for x in text.split()) + "\n")[0] == want


def test_out_is_whole_or_not_there(tmp_path):
    f = tmp_path / "out.csv"
    assert run("rate", "numerator,denominator\n1,10\n-1,5\n", "--out", f).returncode == 1
    assert list(tmp_path.iterdir()) == []
    assert run("rate", "numerator,denominator\n1,10\n", "--out", f).returncode == 0
    assert f.read_text().startswith("numerator,denominator,value")


def test_glm_of_a_two_by_two_table_is_the_log_odds_ratio():
    text = "outcome,trials,arm\n30,100,treated\n10,100,control\n"
    got = stat("glm", text, "--categorical", "arm=control")
    assert math.isclose(float(got[0]["estimate"]), math.log(10 / 90), rel_tol=1e-9)
    assert math.isclose(float(got[1]["estimate"]), math.log(30 / 70 / (10 / 90)), rel_tol=1e-9)
    assert math.isclose(float(got[1]["se"]), math.sqrt(1 / 30 + 1 / 70 + 1 / 10 + 1 / 90),
                        rel_tol=1e-8)
    assert math.isclose(float(got[0]["c_statistic"]), 0.65625, rel_tol=1e-9)


def test_glm_names_what_it_cannot_tell_apart():
    rows = "".join("%d,%d,%d\n" % (i % 3 == 0, i, 2 * i) for i in range(30))
    got = stat("glm", "outcome,a,b\n" + rows, "--numeric", "a,b")
    assert [g["reason"] != "" for g in got] == [False, False, True]
    got = stat("glm", "outcome,a\n0,1\n0,2\n1,3\n1,4\n", "--numeric", "a")
    assert got[0]["warning"] in ("separated", "not converged")


def test_forecast_of_a_straight_line_goes_on():
    text = "value\n" + "".join("%d\n" % (10 + 3 * i) for i in range(24))
    got = stat("forecast", text, "--model", "holt", "--horizon", 3)
    for i, g in enumerate(got):
        assert math.isclose(float(g["value"]), 10 + 3 * (24 + i), rel_tol=1e-3)
    got = stat("forecast", "value\n1\n2\n3\n4\n1\n2\n3\n4\n", "--model", "seasonal-naive", "--period",
               4, "--horizon", 5)
    assert [g["value"] for g in got] == ["1", "2", "3", "4", "1"]


def test_forecast_of_a_constant_is_the_constant():
    constant = "".join("a,5\n" for _ in range(30)) + "".join("b,%d\n" % (i % 7) for i in range(30))
    got = stat("forecast", "unit,value\n" + constant, "--group", "unit", "--horizon", 2)
    assert len(got) == 4
    assert {(g["value"], g["lower"], g["upper"]) for g in got if g["unit"] == "a"} == {("5",) * 3}


def test_a_level_is_given_once_and_only_where_it_counts():
    once = run("proportion", "numerator,denominator\n1,2\n", "--level", "0.95,0.95")
    assert once.returncode == 1 and once.stdout == b"" and b"twice" in once.stderr
    assert run("spc", "value\n1\n2\n", "--level", "0.998").returncode == 2
    for method, takes in (("spc", False), ("cusum", False), ("rate", True), ("pool", True)):
        assert (b"--level" in run(method, "", "--help").stdout) == takes


def test_chart_refusals_name_the_row_of_the_input():
    text = "unit,numerator,denominator\na,1,2\nb,1,2\nb,1,0\n"
    assert b"row 3, column denominator" in run("spc", text, "--chart", "u", "--group", "unit").stderr
    text = "unit,value\na,1\nb,1\nb,-1\n"
    assert b"row 3, column value" in run("spc", text, "--chart", "t", "--group", "unit").stderr


@pytest.mark.parametrize("chart,text", [("c'", "numerator\n0\n0\n0\n"),
                                        ("p'", "numerator,denominator\n0,9\n0,8\n0,9\n"),
                                        ("p'", "numerator,denominator\n9,9\n8,8\n9,9\n")])
def test_charts_of_nothing_and_of_everything_have_the_limits_of_their_plain_form(chart, text):
    prime, plain = stat("spc", text, "--chart", chart), stat("spc", text, "--chart", chart[0])
    for a, b in zip(prime, plain):
        assert a["lower"] == b["lower"] != "" and a["upper"] == b["upper"] != ""


def test_the_difference_of_two_rates_is_never_certain():
    text = "numerator,denominator,numerator2,denominator2\n0,10,0,10\n5,10,0,10\n56,70,48,80\n"
    none, some, many = stat("compare", text, "--test", "rate")
    wide = -math.log(0.025) / 10  # the exact upper limit of no events
    assert float(none["difference_lower"]) == pytest.approx(-wide, rel=1e-9)
    assert float(none["difference_upper"]) == pytest.approx(wide, rel=1e-9)
    assert float(some["p"]) > 0.05 and float(some["difference_lower"]) < 0  # limits agree with p
    half = 1.959964 * math.sqrt(56 / 70 ** 2 + 48 / 80 ** 2)  # the normal form, near enough here
    assert float(many["difference_lower"]) == pytest.approx(0.2 - half, abs=0.02)
    assert float(many["difference_upper"]) == pytest.approx(0.2 + half, abs=0.02)


def test_compare_against_worked_numbers():
    got = stat("compare", "numerator,denominator,numerator2,denominator2\n56,70,48,80\n")[0]
    # Newcombe 1998, example a: 0.2, 0.0524 to 0.3339
    assert math.isclose(float(got["difference_lower"]), 0.0524, abs_tol=5e-5)
    assert math.isclose(float(got["difference_upper"]), 0.3339, abs_tol=5e-5)
    fisher = stat("compare", "numerator,denominator,numerator2,denominator2\n3,4,1,4\n", "--test",
                  "fisher")[0]
    assert math.isclose(float(fisher["p"]), 34 / 70, rel_tol=1e-9)  # the lady tasting tea


def mortality_rows(n=6000):
    rng = random.Random(7)
    lines = ["procode3,diagnosis_group,died,startage,sex,admimeth,admidate,year,charlson"]
    for i in range(n):
        age, sex, group = rng.randint(0, 95), rng.choice("12"), rng.choice(["2", "73", "141"])
        risk = 0 if group == "141" else 1 / (1 + math.exp(-(-5 + age / 20 + (group == "73"))))
        lines.append("R%02d,%s,%d,%d,%s,%s,20%d-%02d-15,%d,%d" % (
            i % 12, group, rng.random() < risk, age, sex, rng.choice(["11", "21", "2A"]),
            12 + i % 3, rng.randint(1, 12), 2012 + i % 3, rng.choice([0, 0, 3, 9])))
    return "\n".join(lines) + "\n"


def test_mortality_model_expects_what_was_observed():
    text = mortality_rows()
    groups = stat("mortality-model", text, "--output", "groups")
    for g in groups:  # a logistic model with an intercept reproduces the deaths it was fitted on
        assert math.isclose(float(g["deaths"]), float(g["expected"]), rel_tol=1e-6, abs_tol=1e-9)
        assert g["warning"] == ""
    providers = stat("mortality-model", text, "--all-years", "--level", "0.95,0.998")
    assert len(providers) == 12
    assert math.isclose(sum(float(p["observed"]) for p in providers),
                        sum(float(p["expected"]) for p in providers), rel_tol=1e-6)
    risks = stat("mortality-model", text, "--output", "risk")
    assert all(0 <= float(r["risk"]) < 1 for r in risks)
    assert all(float(r["risk"]) == 0 for r in risks if r["diagnosis_group"] == "141")


SEASON = [5, -3, 8, -10]


def seasonal_series(n=40):
    return [100 + 0.5 * i + SEASON[i % 4] for i in range(n)]


def test_decompositions_find_the_season_they_were_given():
    y = seasonal_series()
    text = "value\n" + "".join("%r\n" % v for v in y)
    for args in ([], ["--robust"], ["--season-window", 7], ["--method", "classical"]):
        got = stat("decompose", text, "--period", 4, *args)
        for i, g in enumerate(got):
            if g["trend"]:
                assert math.isclose(float(g["trend"]) + float(g["season"]) + float(g["remainder"]), y[i])
            assert abs(float(g["season"]) - SEASON[i % 4]) < 0.6
    assert run("decompose", "value\n1\n2\n3\n", "--period", 4).returncode == 1


def test_airline_with_no_memory_of_errors_repeats_the_season():
    y = [v + (i * 7 % 5) for i, v in enumerate(seasonal_series())]
    text = "value\n" + "".join("%r\n" % v for v in y)
    got = stat("forecast", text, "--model", "airline", "--period", 4, "--theta", 0, "--seasonal-theta",
               0, "--horizon", 3)
    for g in got:
        y.append(y[-1] + y[-4] - y[-5])
        assert math.isclose(float(g["value"]), y[-1], rel_tol=1e-12)
        assert float(g["lower"]) < y[-1] < float(g["upper"])
    fitted = stat("forecast", text, "--model", "airline", "--period", 4, "--output", "model")[0]
    assert -1 < float(fitted["theta"]) < 1 and fitted["model"] == "ARIMA(0,1,1)(0,1,1)4"


def test_any_bytes_end_with_zero_or_one():
    rng = random.Random(5)
    alphabet = b"0123456789.,\n\r\"-eE nax/\xff\xc3"
    for i in range(60):
        method = rng.choice(["proportion", "dsr", "funnel", "spc", "life-table", "cusum", "charlson"])
        header = {"proportion": b"numerator,denominator", "dsr": b"band,count,population,standard",
                  "funnel": b"numerator,denominator", "spc": b"value,date", "cusum": b"risk,outcome",
                  "life-table": b"age,population,deaths", "charlson": b"id,code"}[method]
        body = bytes(rng.choice(alphabet) for _ in range(rng.randint(0, 80)))
        p = run(method, header + b"\n" + body)
        assert p.returncode in (0, 1), (method, body, p.stderr)
        assert b"nan" not in p.stdout.replace(b"nax", b"")


def pieces(n, end="\n", last=True):
    """A table longer than what is read at once, with quotes that hold line ends now and then."""
    rows = ['%d,"a ""b""                                %s,%d",%d' % (i % 90, end if i % 1000 == 7 else "", i, i % 90 + 1)
            for i in range(n)]
    return rows, "numerator,name,denominator" + end + end.join(rows) + (end if last else "")


@pytest.mark.parametrize("end,last", [("\n", True), ("\r\n", False)])
def test_long_tables_are_read_in_pieces(end, last):
    rows, text = pieces(200000, end, last)
    p = run("proportion", text)
    assert p.returncode == 0 and len(text) > 1 << 23
    got = p.stdout.decode()
    names = [r[1] for r in csv.reader(io.StringIO(got, newline="")) if r]
    assert names[1:] == [r[1] for r in csv.reader(io.StringIO("\n".join(rows), newline=""))]
    one = subprocess.run([HDIS, "stat", "proportion"], input=text.encode(), capture_output=True,
                         env=dict(os.environ, HDIS_THREADS="1"))
    assert one.stdout == p.stdout


@pytest.mark.parametrize("wrong,words", [
    ('1,x"y,2', "has a quote inside a field"), ('1,"x"y,2', "has a quote inside a field"),
    ("1,2", "has 2 fields where the header has 3"), ('1,"x,2', "row 190001"),
    ("-1,x,2", "column numerator"), ("1,x\0,2", "zero byte")])
def test_the_wrong_row_is_found_far_down(wrong, words):
    rows, _ = pieces(200000)
    rows[190000] = wrong
    p = run("proportion", "numerator,name,denominator\n" + "\n".join(rows))
    assert p.returncode == 1 and words in p.stderr.decode() and "row 190001" in p.stderr.decode()
    assert p.stderr.count(b"\n") == 1


@pytest.mark.parametrize("seed", range(12))
def test_cells_are_those_of_a_reader_of_single_characters(seed):
    rng = random.Random(seed)
    alphabet = ["a", "bc", "1", " ", ",", '"', "\n", "\r\n", "\u00e9", "x" * 61, ""]
    columns = rng.randint(1, 6)
    rows, text = [], "value" + "".join(",c%d" % i for i in range(columns)) + "\n"
    for i in range(400):
        cells = ["".join(rng.choices(alphabet, k=rng.randint(0, 5))) for _ in range(columns)]
        line = []
        for c in cells:
            needed = any(x in c for x in ',"\n\r')
            line.append('"%s"' % c.replace('"', '""') if needed or rng.random() < 0.2 else c)
        rows.append([str(i)] + cells)
        text += ",".join([str(i)] + line) + rng.choice(["\n", "\r\n", "\n\n", "\r\n\r\n"])
    if seed % 2:
        text = text.rstrip("\r\n") if rows[-1][-1] else text
    p = run("spc", text, "--chart", "run")
    assert p.returncode == 0, p.stderr
    got = list(csv.reader(io.StringIO(p.stdout.decode(), newline="")))
    assert [g[:columns] for g in got[1:]] == [r[1:] for r in rows]


def spells_of(years, rng):
    out = "procode3,diagnosis_group,died,startage,sex,charlson,year\n"
    for i in range(6000):
        age = rng.randint(0, 99)
        out += "R%d,%d,%d,%d,%d,%d,%d\n" % (i % 7, i % 2, rng.random() < 0.02 + age / 300, age,
                                            rng.randint(1, 2), rng.randint(0, 9), rng.choice(years))
    return out


def test_mortality_model_takes_its_own_bands_and_years():
    text = spells_of([2010, 2013, 2014, 2015], random.Random(9))
    p = run("mortality-model", text)
    assert p.returncode == 1 and b"more than two years before" in p.stderr
    head, *rows = text.splitlines(True)
    kept = head + "".join(r for r in rows if r.rstrip().endswith(("2014", "2015")))
    args = ["--years", "2014-2015", "--bands", "0,18,65", "--charlson-bands", "0,4"]
    assert run("mortality-model", text, *args).stdout == run("mortality-model", kept, *args).stdout
    got = stat("mortality-model", text, *args, "--output", "coefficients")
    assert {g["level"] for g in got if g["covariate"] == "age"} == {"0-17", "18-64", "65+"}
    assert {g["level"] for g in got if g["covariate"] == "charlson"} == {"0-3", "4+"}
    risks = stat("mortality-model", text, *args, "--output", "risk")
    for g in risks:
        assert (g["risk"] == "") == bool(g["reason"]) == (g["year"] not in ("2014", "2015"))
    # Deaths are explained: within the levels of the model observed and expected agree.
    for low, high in ((0, 17), (18, 64), (65, 99)):
        of = [g for g in risks if g["risk"] and low <= int(g["startage"]) <= high]
        assert abs(sum(float(g["risk"]) for g in of) - sum(int(g["died"]) for g in of)) < 1e-6
    for wrong in (["--bands", "1,5"], ["--bands", "0,5,5"], ["--charlson-bands", "0,1,2,3"],
                  ["--years", "2010-2014"], ["--years", "2015-2014"], ["--years", "2014.5"]):
        assert run("mortality-model", text, *wrong).returncode == 1


def test_a_sorted_group_may_be_longer_than_a_piece():
    text = "group,numerator,denominator\n" + "a,1,2\n" + "b,1,4\n" * 2000000 + "c,1,2\n"
    got = stat("rate", text, "--group", "group", "--sorted", "--multiplier", 1)
    assert [(g["group"], g["numerator"], g["value"]) for g in got] == [
        ("a", "1", "0.5"), ("b", "2000000", "0.25"), ("c", "1", "0.5")]


def logit_rows(n, fixed):
    """A table whose rows repeat when fixed, and (nearly) never do otherwise."""
    rng = random.Random(5)
    rows = []
    for i in range(n):
        age = rng.randint(0, 9) if fixed else round(rng.random() * 9, 6)
        sex = rng.choice("MF")
        died = rng.random() < 1 / (1 + math.exp(3 - 0.3 * age - (sex == "M")))
        rows.append("%d,%s,%s\n" % (died, age, sex))
    return "outcome,age,sex\n" + "".join(rows)


@pytest.mark.parametrize("fixed", [True, False])
def test_glm_solves_its_equations_however_the_rows_are_kept(fixed):
    """At the estimate residuals are orthogonal to every term; a sample first and threads change nothing."""
    text = logit_rows(230000, fixed)
    args = ["--numeric", "age", "--categorical", "sex=F"]
    got = stat("glm", text, *args)
    b = {g["term"]: float(g["estimate"]) for g in got}
    score = [0.0, 0.0, 0.0]
    for line in text.splitlines()[1:]:
        y, age, sex = line.split(",")
        eta = b["(intercept)"] + b["age"] * float(age) + b["sex"] * (sex == "M")
        r = int(y) - 1 / (1 + math.exp(-eta))
        score = [score[0] + r, score[1] + r * float(age), score[2] + r * (sex == "M")]
    assert max(abs(x) for x in score) < 1e-6
    assert got[0]["rows"] == "230000" and got[0]["warning"] == ""
    one = subprocess.run([HDIS, "stat", "glm", *args], input=text.encode(), capture_output=True,
                         env=dict(os.environ, HDIS_THREADS="1"))
    assert list(csv.DictReader(io.StringIO(one.stdout.decode()))) == got
