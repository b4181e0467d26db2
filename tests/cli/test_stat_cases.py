"""`hdis stat` against the published test suites of the field.

The cases lie beside the checkout (../shared/cases/statistics, or HDIS_SHARED) and are not shipped: without
them every test here skips. manifest.csv lists them, with tolerances; what differs is printed value by value.
"""

import csv
import functools
import inspect
import io
import math
import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HDIS = os.environ.get("HDIS", os.path.join(ROOT, "build", "hdis"))
SHARED = os.environ.get("HDIS_SHARED", os.path.join(ROOT, "..", "shared"))
CASES = os.path.join(SHARED, "cases", "statistics")
MANIFEST = os.path.join(CASES, "manifest.csv")

HANDLERS = {}


def read(name):
    with open(os.path.join(CASES, name), encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def table(rows, columns=None):
    """Rows (dicts) as CSV text; columns may rename: {"theirs": "ours"}."""
    columns = columns or {c: c for c in rows[0]}
    if not isinstance(columns, dict):
        columns = {c: c for c in columns}
    out = io.StringIO()
    w = csv.writer(out, lineterminator="\n")
    w.writerow(columns.values())
    for r in rows:
        w.writerow([r[c] for c in columns])
    return out.getvalue()


def run(method, text, *args):
    return subprocess.run([HDIS, "stat", method, *map(str, args)], input=text, text=True,
                          capture_output=True, timeout=60)


def stat(method, text, *args):
    p = run(method, text, *args)
    assert p.returncode == 0, p.stderr
    return list(csv.DictReader(io.StringIO(p.stdout)))


class Check:
    """Collects differences, so that one run shows all of them."""

    def __init__(self, row):
        self.rel = float(row["rel_tol"] or 0)
        self.abs = float(row["abs_tol"] or 0)
        self.case = row["method"] + "/" + row["case_id"]
        self.checks = 0
        self.wrong = []

    def number(self, where, want, got, abs_tol=None):
        self.checks += 1
        if want == "" or got == "":
            if want != got:
                self.wrong.append("%s: want %r got %r" % (where, want, got))
            return
        w, g = float(want), float(got)
        if not abs(g - w) <= (self.abs if abs_tol is None else abs_tol) + self.rel * abs(w):
            self.wrong.append("%s: want %.17g got %.17g" % (where, w, g))

    def text(self, where, want, got):
        self.checks += 1
        if str(want) != str(got):
            self.wrong.append("%s: want %r got %r" % (where, want, got))

    def rows(self, want, got, key, columns, texts=()):
        """columns: {theirs: ours} or names; every wanted row must be there once, in any order."""
        columns = columns if isinstance(columns, dict) else {c: c for c in columns}
        index = {tuple(r[k] for k in key): r for r in got}
        for w in want:
            k = tuple(w[x] for x in key)
            if k not in index:
                self.wrong.append("%s: no row %r" % (self.case, k))
                continue
            for theirs, ours in columns.items():
                compare = self.text if theirs in texts else self.number
                compare("%s %s" % ("/".join(k), theirs), w[theirs], index[k][ours])

    def done(self, least=1):
        shown = "\n".join(self.wrong[:20])
        assert not self.wrong, "%s: %d of %d differ\n%s" % (self.case, len(self.wrong), self.checks,
                                                            shown)
        assert self.checks >= least


def case(method, *ids):
    def add(f):
        for i in ids:
            HANDLERS[method, i] = f
        return f
    return add


def split(rows, *keys):
    """Rows by the values of some columns: {(a, b): [rows]} in order of appearance."""
    out = {}
    for r in rows:
        out.setdefault(tuple(r[k] for k in keys), []).append(r)
    return out


BOTH = "0.95,0.998"
LIMITS = ["lower95", "upper95", "lower99_8", "upper99_8"]


# --- Intervals ----------------------------------------------------------------------------------------

@case("wilson", "phe_primitives")
def wilson(row, check):
    for (level,), rows in split(read("wilson/phe_primitives.csv"), "confidence").items():
        got = stat("proportion", table(rows, {"case": "case", "x": "numerator", "n": "denominator"}),
                   "--level", level)
        check.rows(rows, got, ["case"], ["lower", "upper"])


@case("byar", "phe_primitives")
def byar(row, check):
    for (level,), rows in split(read("byar/phe_primitives.csv"), "confidence").items():
        for r in rows:
            r["one"] = 1
            r["lower"] = r["lower"] or 0  # a product may give 0 where the formula goes negative
        got = stat("rate", table(rows, {"case": "case", "x": "numerator", "one": "denominator"}),
                   "--level", level, "--method", "byar", "--multiplier", 1)
        check.rows(rows, got, ["case"], ["lower", "upper"])


@case("proportions", "phe_cases")
def proportion_cases(row, check):
    for (m,), rows in split(read("proportions/phe_cases.csv"), "multiplier").items():
        got = stat("proportion", table(rows, ["row", "numerator", "denominator"]), "--level", BOTH,
                   "--multiplier", m)
        check.rows(rows, got, ["row"], ["value"] + LIMITS)


@case("proportions", "phe_grouped")
def proportion_grouped(row, check):
    got = stat("proportion", table(read("proportions/phe_grouped_input.csv")), "--group", "area")
    check.rows(read("proportions/phe_grouped_expected.csv"), got, ["area"],
               {"numerator": "numerator", "denominator": "denominator", "value": "value",
                "lower95": "lower", "upper95": "upper"})


@case("proportions", "r_binom_package")
def proportion_methods(row, check):
    for (method,), rows in split(read("proportions/r_binom_package.csv"), "method").items():
        got = stat("proportion", table(rows, {"x": "numerator", "n": "denominator"}),
                   "--method", method.replace("_", "-"))
        for w, g in zip(rows, got):
            for side in ("lower", "upper"):
                check.number("%s %s/%s %s" % (method, w["x"], w["n"], side), w[side], g[side])


@case("rates", "phe_cases")
def rate_cases(row, check):
    for (m,), rows in split(read("rates/phe_cases.csv"), "multiplier").items():
        got = stat("rate", table(rows, ["row", "numerator", "denominator"]), "--level", BOTH,
                   "--multiplier", m)
        check.rows(rows, got, ["row"], ["value"] + LIMITS)


@case("rates", "phe_grouped")
def rate_grouped(row, check):
    got = stat("rate", table(read("rates/phe_grouped_input.csv")), "--group", "area")
    check.rows(read("rates/phe_grouped_expected.csv"), got, ["area"],
               {"numerator": "numerator", "denominator": "denominator", "value": "value",
                "lower95": "lower", "upper95": "upper"})


@case("means", "phe_cases")
def means(row, check):
    rows = read("means/phe_input.csv")
    for r in rows:
        r["all"] = "ALL"
    got = stat("mean", table(rows), "--group", "area", "--level", BOTH)
    got += [dict(r, area=r["all"]) for r in
            stat("mean", table(rows), "--group", "all", "--level", BOTH)]
    columns = {"sum": "sum", "n": "n", "sd": "sd", "mean": "value"}
    columns.update({c: c for c in LIMITS})
    check.rows(read("means/phe_expected.csv"), got, ["area"], columns)


@case("quantiles", "national_septiles", "ungrouped_quartiles", "within_region_deciles")
def quantiles(row, check):
    rows = read(row["input_file"])
    got = stat("quantiles", table(rows, ["row", "group", "area", "value", "invert"]), "--number",
               rows[0]["nquantiles"])
    check.rows(rows, got, ["row"], {"expected_quantile": "quantile"})


@case("quantiles", "refused_mixed_polarity")
def quantiles_refused(row, check):
    refused(check, "polarity", "quantiles", table(read(row["input_file"])), "--number", 7)


def refused(check, word, method, text, *args):
    p = run(method, text, *args)
    check.text("exit status", 1, p.returncode)
    check.text("one line", 1, p.stderr.count("\n"))
    check.text("says why", True, word in p.stderr)
    check.text("no output", "", p.stdout)


# --- Standardisation, inequality, life expectancy ---------------------------------------------------------

DSR = {"area": "area", "ageband": "band", "count": "count", "pop": "population", "stdpop": "standard"}
DSR_RESULT = ["total_count", "total_pop", "value"]


@case("dsr", "phe_esp1976")
def dsr_esp1976(row, check):
    rows = read("dsr/phe_esp1976_input.csv")
    want = read("dsr/phe_esp1976_expected.csv")[0]
    columns = {k: v for k, v in DSR.items() if k != "area"}
    # The source writes 55-69 before 60-64 and 65-69. Its weights are a column, to which labels do not
    # matter; the built-in standard refuses bands that overlap and agrees once 55-59 is written.
    refused(check, "row 13, column band: overlaps", "dsr", table(rows, columns), "--standard", "esp1976")
    mended = [dict(r, ageband=r["ageband"].replace("55-69", "55-59")) for r in rows]
    for data, args in ((rows, []), (mended, ["--standard", "esp1976"])):
        got = stat("dsr", table(data, columns), *args)[0]
        for c in DSR_RESULT:
            check.number(c, want[c], got[c])
        check.number("lower", want["lower95"], got["lower"])
        check.number("upper", want["upper95"], got["upper"])


@case("dsr", "phe_multiarea")
def dsr_multiarea(row, check):
    rows = read("dsr/phe_multiarea_input.csv")
    for (m,), want in split(read("dsr/phe_multiarea_expected.csv"), "multiplier").items():
        for args in ([], ["--standard", "esp2013"], ["--sorted"]):
            got = stat("dsr", table(rows, DSR), "--group", "area", "--multiplier", m, "--level", BOTH,
                       *args)
            check.rows(want, got, ["area"], DSR_RESULT + LIMITS)
            check.rows(want, got, ["area"], {"suppressed": "withheld"})
            for g in got:
                check.text("reason", g["value"] == "", g["reason"] != "")


@case("dsr", "phe_nonindependent")
def dsr_nonindependent(row, check):
    got = stat("dsr", table(read("dsr/phe_nonindependent_input.csv"),
                            {"area": "area", "ageband": "band", "eventfreq": "event_frequency",
                             "persons": "count", "pop": "population", "stdpop": "standard"}),
               "--group", "area", "--level", BOTH)
    check.rows(read("dsr/phe_nonindependent_expected.csv"), got, ["area"], DSR_RESULT + LIMITS)


@case("dsr", "phe_refused")
def dsr_refused(row, check):
    rows = split(read("dsr/phe_refused_input.csv"), "case")
    words = {"neg_count": "count", "neg_pop": "population", "neg_std": "standard",
             "zero_pop": "population"}
    for w in read("dsr/phe_refused_expected.csv"):
        refused(check, words[w["case"]], "dsr",
                table(rows[w["case"],], {k: v for k, v in DSR.items() if k != "area"}))


ISR = {"area": "area", "age_index": "band", "count": "count", "pop": "population",
       "refcount": "reference_count", "refpop": "reference_population"}


@case("isr", "phe_multiarea", "phe_zero_population")
def isr(row, check):
    rows = read(row["input_file"])
    want = split(read(row["expected_file"]), "kind", "multiplier")
    for (kind, m), rs in want.items():
        got = stat("isr", table(rows, ISR), "--group", "area", "--kind", kind, "--multiplier", m,
                   "--level", BOTH)
        columns = {"observed": "observed", "expected": "expected", "value": "value",
                   "lower95": "lower95", "upper95": "upper95"}
        if "lower99_8" in rs[0]:
            columns.update(lower99_8="lower99_8", upper99_8="upper99_8")
        columns["ref_rate"] = "reference_rate"
        check.rows(rs, got, ["area"], columns)


@case("isr", "phe_observed_totals")
def isr_totals(row, check):
    rows = read("isr/phe_multiarea_input.csv")
    totals = {r["area"]: r["total_count"] for r in read("isr/phe_observed_totals.csv")}
    for r in rows:
        r["total"] = totals[r["area"]]
    columns = dict(ISR, total="observed")
    del columns["count"]
    for (kind, m), want in split(read("isr/phe_multiarea_expected.csv"), "kind",
                                 "multiplier").items():
        got = stat("isr", table(rows, columns), "--group", "area", "--kind", kind, "--multiplier", m,
                   "--level", BOTH)
        check.rows(want, got, ["area"], ["value", "lower95", "upper95"])


def inequality(check, point):
    inputs = split(read("sii/phe_input.csv"), "case")
    for (c,), want in split(read("sii/phe_expected.csv"), "case").items():
        w = want[0]
        levels = [str(float(x) / 100) for x in w["confidence"].split(";")]
        args = ["--group", "area", "--kind", ("plain", "rate", "proportion")[int(w["value_type"])],
                "--multiplier", w["multiplier"], "--level", ",".join(levels)]
        args += ["--transform"] if w["transform"] == "1" else []
        columns = {x: x for x in ("area", "quantile", "population", "value")}
        has_limits = inputs[c,][0]["lower_cl"] != ""
        columns.update({"lower_cl": "lower", "upper_cl": "upper"} if has_limits else {"se": "se"})
        args += ["--repetitions", "100" if point else "30000"]
        got = stat("inequality", table(inputs[c,], columns), *args)
        if point:
            check.rows(want, got, ["area"], ["sii", "rii"])
            continue
        suffixes = [""] if len(levels) == 1 else ["%g" % (float(x) * 100) for x in levels]
        for theirs, ours in zip(("", "2"), suffixes):
            for x in ("sii_lower", "sii_upper", "rii_lower", "rii_upper"):
                check.rows([r for r in want if r[x + theirs] != ""], got, ["area"],
                           {x + theirs: x + ours})


@case("sii", "phe_point")
def sii_point(row, check):
    inequality(check, True)


@case("sii", "phe_limits")
def sii_limits(row, check):
    inequality(check, False)


@case("life_expectancy", "phe_cases")
def life(row, check):
    got = stat("life-table", table(read("life_expectancy/phe_input.csv")))
    check.rows(read("life_expectancy/phe_expected.csv"), got, ["age"],
               {"value": "value", "lower95": "lower", "upper95": "upper"})


@case("life_expectancy", "phe_wide")
def life_wide(row, check):
    got = stat("life-table", table(read("life_expectancy/phe_wide_input.csv")), "--group", "area")
    want = read("life_expectancy/phe_wide_expected.csv")
    check.rows(want, got, ["area", "age"], ["withheld"])
    check.rows([w for w in want if w["withheld"] == "0"], got, ["area", "age"],
               {"value": "value", "lower95": "lower", "upper95": "upper"})


@case("life_expectancy", "phe_withheld")
def life_withheld(row, check):
    got = split(stat("life-table", table(read("life_expectancy/phe_withheld_input.csv")), "--group",
                     "case"), "case")
    for w in read("life_expectancy/phe_withheld_expected.csv"):
        for g in got[w["case"],]:
            check.text(w["case"], ("", "1", True), (g["value"], g["withheld"], g["reason"] != ""))


# --- Funnels ------------------------------------------------------------------------------------------------

def parameters(row):
    """data_type=SR; sr_method=CQC; trim=0.1 -> dict"""
    return dict(p.strip().split("=") for p in row["params"].split(";"))


@case("funnel_od", "acute_120_cqc", "acute_120_shmi", "acute_120_shmi_unrounded",
      "ae_admission_ratio_2019_03", "ae_breaches_2019_03", "six_units_cqc", "six_units_shmi",
      "ten_units_proportion", "ten_units_ratio_of_counts", "thirty_no_overdispersion")
def funnel_od(row, check):
    p = parameters(row)
    kind = {"SR": "ratio", "PR": "proportion", "RC": "ratio-of-counts"}[p["data_type"]]
    shmi = kind == "ratio" and p["sr_method"] == "SHMI"
    args = ["--kind", kind, "--adjust", "truncate" if shmi else "winsorise", "--trim", p["trim"],
            "--multiplier", p["multiplier"], "--level", BOTH, "--root-limits",
            "--limits", "exact" if kind == "ratio" else "transformed"]
    if p["expected rounded to 2 d.p."] == "TRUE":
        args.append("--round-expected")
    stem = row["input_file"].replace("_input.csv", "")
    got = stat("funnel", table(read(row["input_file"])), *args)
    summary = {r["measure"]: r["value"] for r in read(stem + "_summary.csv")}
    for theirs, ours in (("groups_used", "units_used"), ("phi", "phi"), ("tau2", "tau2")):
        check.number(theirs, summary[theirs], got[0][ours])
    check.number("target", summary["target"], got[0]["target"])
    columns = {"ratio": "value", "z": "z", "z_used": "z_used", "s": "s"}
    # The limits of ratios of counts are advisory: the source draws them with another standard error.
    if kind != "ratio-of-counts":
        for level in ("95", "99_8"):
            columns.update({"od_lower" + level: "adjusted_lower" + level,
                            "od_upper" + level: "adjusted_upper" + level,
                            "lower" + level: "lower" + level, "upper" + level: "upper" + level})
    check.rows(read(stem + "_expected.csv"), got, ["group"], columns)
    if kind == "ratio-of-counts":
        return
    index = {g["group"]: g for g in got}
    for w in read(stem + "_expected.csv"):
        for level in ("95", "99_8"):
            g = index[w["group"]]
            check.text(w["group"], w["outlier_od" + level],
                       g["adjusted_outside" + level].lstrip("-"))
            check.text(w["group"], w["outlier" + level], g["outside" + level].lstrip("-"))


@case("funnel_od", "poisson_limits_unit")
def funnel_poisson(row, check):
    want = read("funnel_od/poisson_limits_unit.csv")
    got = stat("funnel", "observed,expected\n1,1\n", "--kind", "ratio", "--level", BOTH, "--at",
               ",".join(w["expected"] for w in want))
    check.rows([dict(w, denominator=w["expected"]) for w in want], got, ["denominator"], LIMITS)


@case("funnel_od", "dersimonian_laird_bcg")
def pooled(row, check):
    rows = read(row["input_file"])
    for r in rows:
        r["n1"] = int(r["tpos"]) + int(r["tneg"])
        r["n2"] = int(r["cpos"]) + int(r["cneg"])
    got = stat("pool", table(rows, {"tpos": "numerator", "n1": "denominator", "cpos": "numerator2",
                                    "n2": "denominator2"}))[0]
    names = {"tau2": "tau2", "Q": "q", "pooled_log_rr": "value", "se": "se", "lower95": "lower",
             "upper95": "upper", "I2": "i2"}
    for w in read(row["expected_file"]):
        check.number(w["measure"], w["value"], got[names[w["measure"]]])


@case("funnel_phe", "proportion_limits", "proportion_limits_subset")
def funnel_phe_proportion(row, check):
    rows = read("funnel_phe/proportion_input.csv")
    if row["case_id"].endswith("subset"):
        rows = [r for r in rows if float(r["denominator"]) < 31000]
    want = read(row["expected_file"])
    got = stat("funnel", table(rows), "--multiplier", 100, "--level", BOTH, "--at",
               ",".join(w["population"] for w in want))
    check.rows([dict(w, denominator=w["population"]) for w in want], got, ["denominator"],
               {"lower_2s": "lower95", "upper_2s": "upper95", "lower_3s": "lower99_8",
                "upper_3s": "upper99_8", "baseline": "target"})


@case("funnel_phe", "proportion_significance")
def funnel_phe_labels(row, check):
    got = stat("funnel", table(read("funnel_phe/proportion_input.csv")), "--labels", "phe")
    want = read(row["expected_file"])
    check.rows([w for w in want if w["area"]], got, ["area"], {"significance": "label"},
               texts=["significance"])


@case("funnel_phe", "ratio_significance")
def funnel_phe_ratio_labels(row, check):
    got = stat("funnel", table(read("funnel_phe/ratio_input.csv")), "--kind", "ratio", "--labels",
               "phe")
    check.rows(read(row["expected_file"]), got, ["row"], {"significance": "label"},
               texts=["significance"])


@case("funnel_phe", "ratio_limits")
def funnel_phe_ratio(row, check):
    want = read(row["expected_file"])
    got = stat("funnel", table(read("funnel_phe/ratio_input.csv")), "--kind", "ratio", "--level",
               BOTH, "--counts", ",".join(w["observed_events"] for w in want))
    index = {g["count"]: g for g in got}
    for w in want:
        g = index[w["observed_events"]]
        for theirs, level in (("2s", "95"), ("3s", "99_8")):
            for side in ("lower", "upper"):
                name = side + "_" + theirs
                check.number(name, w[name + "_exp_events"], g[side + "_denominator" + level])
                check.number(name, w[name + "_count"], float(g[side + level]) - 1)
                check.number(name, w[name + "_isr"], float(g[side + level]) * 100)


@case("funnel_phe", "rate_crude_limits", "rate_crude_zero_limits", "rate_dsr_limits")
def funnel_phe_rate(row, check):
    want = read(row["expected_file"])
    columns = {"ev": "numerator", "rate": "rate"}
    rows = read(row["input_file"])
    if "pop" in rows[0]:
        columns["pop"] = "denominator"
    got = stat("funnel", table(rows, columns), "--kind", "rate", "--multiplier", 100000, "--years", 3,
               "--level", BOTH, "--counts", ",".join(w["Events"] for w in want))
    index = {g["count"]: g for g in got}
    for w in want:
        g = index[w["Events"]]
        check.number("baseline", w["baseline"], g["target"])
        for theirs, level in (("2s", "95"), ("3s", "99_8")):
            for side in ("lower", "upper"):
                name = side + "_" + theirs
                check.number(name, w[name + "_population_1_year"], g[side + "_denominator" + level])
                check.number(name, w[name + "_limit"], g[side + level])


@case("funnel_phe", "rate_points")
def funnel_phe_points(row, check):
    want = read(row["expected_file"])
    columns = {"row": "row", "ev": "numerator", "rate": "rate", "pop": "denominator"}
    for suffix, years, largest, args in (("", 3, "5", ["--standardised"]), ("_crude", 3, None, []),
                                         ("_crude_with_denom", 5, "0", [])):
        rows = read("funnel_phe/rate_funnel_input.csv")
        if largest is not None:
            max(rows, key=lambda r: float(r["ev"]))["ev"] = largest
        if suffix == "_crude_with_denom":
            for r in rows:
                if r["ev"] == "0":
                    r["zero"] = 1
        got = stat("funnel", table(rows, columns), "--kind", "rate", "--multiplier", 100000,
                   "--years", years, *args)
        theirs = {"rate_chart" + suffix: "value", "denominator_derived" + suffix: "denominator_used"}
        check.rows([w for w in want if not (suffix.endswith("denom") and w["row"] == "23")], got,
                   ["row"], theirs)
        if suffix.endswith("denom"):  # the rate drawn for no events is the one that was given
            check.rows([w for w in want if w["row"] == "23"], got, ["row"],
                       {"denominator_derived" + suffix: "denominator_used"})


@case("funnel_phe", "rate_significance")
def funnel_phe_rate_labels(row, check):
    want = read(row["expected_file"])
    rows = read("funnel_phe/rate_input.csv")
    for column in [c for c in want[0] if c != "row"]:
        kind, _, m, zeros, _ = column.split("_")
        rate = "rate_dsr" if kind == "dsr" else "rate_crude_per_" + m
        used = [r for r in rows if zeros == "with" or r["count"] != "0"]
        text = table(used, {"row": "row", "count": "numerator", rate: "rate", "pop": "denominator"})
        got = stat("funnel", text, "--kind", "rate", "--multiplier", m, "--labels", "phe",
                   *(["--standardised"] if kind == "dsr" else []))
        index = {g["row"]: g for g in got}
        for w in want:
            if w["row"] not in index:
                check.text("dropped", "", w[column])
            elif w[column].startswith("Not applicable"):
                check.text(w["row"], ("", True), (index[w["row"]]["label"],
                                                  "fewer than 10" in index[w["row"]]["reason"]))
            else:
                check.text(column + " " + w["row"], w[column], index[w["row"]]["label"])


# --- Control charts ---------------------------------------------------------------------------------------

PTD = {"mean": "centre", "lpl": "lower", "upl": "upper", "outside_limits": "outside",
       "relative_to_mean": "relative_to_mean", "close_to_limits": "close_to_limits",
       "special_cause_type": "special_cause", "point_type": "point_type"}


@case("spc_xmr", "ptd")
def xmr(row, check, tmp):
    cases = read("spc_xmr/ptd_cases.csv")
    settings = table(cases, {"case": "case", "improvement_direction": "direction",
                             "screen_outliers": "screen", "fix_after_n_points": "fix-after",
                             "target": "target"})
    with open(os.path.join(tmp, "settings.csv"), "w") as f:
        f.write(settings)
    got = stat("spc", table(read("spc_xmr/ptd_input.csv")), "--settings", f.name)
    check.rows(read("spc_xmr/ptd_expected.csv"), got, ["case", "seq"], PTD,
               texts=["special_cause_type", "point_type"])
    last = {g["case"]: g for g in got}
    for c in cases:
        for ours, theirs in (("variation", "variation_icon"), ("assurance", "assurance")):
            check.text(c["case"], c[theirs], last[c["case"]][ours])


@case("spc_xmr", "ptd_assurance_units")
def xmr_assurance(row, check):
    """Two points of the mean 3 with a moving range that puts the limits where the case has them."""
    for r in read("spc_xmr/ptd_assurance_units.csv"):
        low, high = float(r["lpl"]), float(r["upl"])
        middle, half = (low + high) / 2, (high - low) / 2
        points = "value\n%r\n%r\n" % (middle - half / 4, middle + half / 4)
        got = stat("spc", points, "--constant", 2, "--direction", r["improvement_direction"],
                   "--target", r["target"])
        check.number("lower", low, got[0]["lower"], 1e-9)
        check.number("upper", high, got[0]["upper"], 1e-9)
        check.text(r["id"], r["assurance"], got[0]["assurance"])


@case("spc_xmr", "ptd_rule_units")
def xmr_rules(row, check):
    """The steps inside the rules, where a series can show them: the marks of run, trend and 2 in 3."""
    for r in read("spc_xmr/ptd_rule_units.csv"):
        values = [float(x) for x in r["input"].split(";")]
        if r["rule"] not in ("trend7_end", "run7_end_side"):
            continue
        # A far pair at the end keeps the limits away and the mean at 0 for runs.
        if r["rule"] == "run7_end_side":
            far = -40 if values[-1] > 0 else 40
            series = values + [far, -far - sum(values)]
            want = "7 Points"
        else:
            series = values
            want = "Trend"
        ends = [int(x) for x in r["expected"].split(";")]
        got = stat("spc", "value\n" + "".join("%r\n" % v for v in series), "--constant", 100)
        marked = [i for i, e in enumerate(ends) if e]
        span = {j for i in marked for j in range(i - 6, i + 1)}
        for i in range(len(values)):
            cause = got[i]["special_cause"]
            check.text("%s point %d" % (r["id"], i), i in span, want in cause)


@case("spc_charts", "autospc_limits")
def autospc(row, check):
    rows = read("spc_charts/autospc_input.csv")
    names = {"c": "c", "c_prime": "c'", "p": "p", "p_prime_pct": "p'"}
    for (chart,), want in split(read(row["expected_file"]), "chart").items():
        args = ["--multiplier", 100] if chart.endswith("pct") else []
        got = stat("spc", table(rows, {"x": "x", "y": "numerator", "n": "denominator"}), "--chart",
                   names[chart], *args)
        check.rows(want, got, ["x"], {"cl": "centre", "lcl": "lower", "ucl": "upper"})


@case("spc_charts", "autospc_xmr")
def autospc_xmr(row, check):
    inputs = split(read("spc_charts/autospc_xmr_input.csv"), "case")
    for w in read(row["expected_file"]):
        got = stat("spc", table(inputs[w["case"],], {"x": "x", "y": "value"}),
                   *(["--screen"] if w["screen"] == "1" else []))
        for theirs, ours in (("cl", "centre"), ("lcl", "lower"), ("ucl", "upper"),
                             ("mean_range", "mean_range"), ("range_limit", "range_limit")):
            if w[theirs]:
                check.number("%s %s" % (w["case"], theirs), w[theirs], got[0][ours])


RUNS = {"longest_run": "longest_run", "longest_run_max": "longest_run_max",
        "n_crossings": "crossings", "n_crossings_min": "crossings_min", "runs_signal": "runs_signal",
        "n_useful": "useful"}


@case("spc_charts", "hospital_infections")
def hospital_infections(row, check):
    rows = read(row["input_file"])
    facets = {"all": [], "by_infection": ["infection"], "by_hospital": ["hospital"],
              "hospital_by_infection": ["hospital", "infection"]}
    for (name,), want in split(read(row["expected_file"]), "case").items():
        group = facets[name]
        got = stat("spc", table(rows, {"hospital": "hospital", "infection": "infection",
                                       "month": "subgroup", "n": "numerator", "days": "denominator"}),
                   "--chart", "u", *(["--group", ",".join(group)] if group else []))
        series = split(got, *group) if group else {(): got}
        for w in want:
            key = tuple(w["facet%d" % (i + 1)] for i in range(len(group)))
            points = series[key]
            for theirs, ours in RUNS.items():
                check.number("%s %s" % (key, theirs), w[theirs], points[0][ours])
            check.number("cl", w["cl"], points[0]["centre"])
            check.number("sigma", w["sigma_signal"], max(p["outside"] for p in points))


@case("spc_charts", "missing_values_xbar", "montgomery_6.3_s", "montgomery_6.3_xbar",
      "montgomery_6.4_s", "montgomery_6.4_xbar", "montgomery_6.5_i", "montgomery_6.5_mr",
      "montgomery_7.1_p", "montgomery_7.3_c", "montgomery_7.4_u", "montgomery_7.5_u",
      "montgomery_7.6_t", "montgomery_t7.4_p")
def montgomery(row, check):
    rows = read(row["input_file"])
    stem = row["input_file"].replace("_input.csv", "")
    want = read(stem + "_expected.csv")
    name = row["case_id"]
    chart = name.rsplit("_", 1)[1]
    columns = {"sample": "subgroup", "value": "value", "numerator": "numerator",
               "denominator": "denominator", "count": "numerator", "exposure": "denominator",
               "hours": "value", "seq": "seq", "rebase": "rebase", "exclude": "exclude"}
    args = ["--chart", "xmr" if chart == "i" else chart]
    if chart == "i":
        args.append("--screen")
    baseline = sum(w["baseline"] == "1" for w in want)
    if baseline < len(want):
        args += ["--fix-after", baseline]
    if "sample" not in rows[0]:
        for r, w in zip(rows, want):
            r["rebase"] = int(w["part"] != "1" and w["x"] == w["seq"] and
                              want[int(w["seq"]) - 2]["part"] != w["part"])
            if any(v["include"] == "0" for v in want):
                r["exclude"] = int(w["include"] == "0")
    if name == "montgomery_7.5_u":
        args += ["--multiplier", 50]
    got = stat("spc", table(rows, {c: columns[c] for c in rows[0]}), *args)
    check.text("points", len(want), len(got))
    for w, g in zip(want, got):
        for theirs, ours in (("y", "value"), ("cl", "centre"), ("lcl", "lower"), ("ucl", "upper"),
                             ("sigma_signal", "outside"), ("part", "part")):
            if theirs == "y" and chart == "t":
                check.number("y", w["y"], g[ours])
            elif w[theirs] != "" or theirs in ("y", "lcl", "ucl"):
                check.number("%s %s" % (w["seq"], theirs), w[theirs], g[ours])
    for r in read(stem + "_runs.csv"):
        first = next(g for g in got if g["part"] == r["part"])
        for theirs, ours in RUNS.items():
            check.number("part %s %s" % (r["part"], theirs), r[theirs], first[ours])


@case("run_chart", "runcharter_signals")
def run_chart(row, check):
    for (direction,), want in split(read(row["expected_file"]), "direction").items():
        got = stat("run-chart", table(read(row["input_file"])), "--group", "group", "--direction",
                   direction)
        check.rows(want, got, ["group", "start_date"],
                   ["median", "end_date", "extend_to", "run_type"],
                   texts=["end_date", "extend_to", "run_type"])


# --- Comorbidity ------------------------------------------------------------------------------------------

@case("charlson", "patients", "patients_elixhauser")
def comorbidity(row, check):
    text = table(read("charlson/patients_input.csv"))
    want = read(row["expected_file"])
    scores = {"charlson": ["--weights", "charlson"], "quan2011": ["--weights", "quan2011"]}
    args = []
    if row["case_id"] == "patients_elixhauser":
        scores = {"vw": ["--weights", "van-walraven"], "swiss": ["--weights", "swiss"]}
        args = ["--map", "elixhauser"]
    for name, weights in scores.items():
        got = stat("charlson", text, "--group", "id", *args, *weights)
        flags = [c for c in want[0] if c in got[0]]
        check.rows(want, got, ["id"], flags)
        check.rows(want, got, ["id"], {name: "score"})
        got = stat("charlson", text, "--group", "id", "--hierarchy", *args, *weights)
        check.rows(want, got, ["id"], {name + "_hier": "score"})


@case("charlson", "icd10_2011_codes")
def comorbidity_codes(row, check):
    want = read(row["input_file"])
    got = stat("charlson", table(want), "--group", "code")
    check.rows(want, got, ["code"], ["conditions"], texts=["conditions"])


@case("charlson", "map_units")
def comorbidity_map(row, check):
    want = read(row["input_file"])
    got = stat("charlson", table(want, {"code_prefix": "code"}), "--group", "code")
    index = {g["code"]: g for g in got}
    for w in want:
        check.text(w["code_prefix"], w["condition"], index[w["code_prefix"]]["conditions"])
        check.number(w["code_prefix"], w["weight_charlson"], index[w["code_prefix"]]["score"])


# --- Derived fields and waiting lists ---------------------------------------------------------------------

def by_option(check, row, method, keys, columns, want):
    """A case whose options stand in columns: one call per combination."""
    for values, rows in split(read(row["input_file"]), *keys).items():
        args = [x for k, v in zip(keys, values) for x in ("--" + keys[k], v)]
        got = stat(method, table(rows, columns), *args)
        for theirs, ours in want.items():
            check.rows(rows, got, ["row"], {theirs: ours}, texts=() if theirs == "age" or
                       theirs == "rounded" else [theirs])


@case("derived_fields", "age")
def age(row, check):
    by_option(check, row, "age", {"units": "units"}, ["row", "start", "end"], {"age": "age"})


@case("derived_fields", "age_group")
def age_group(row, check):
    by_option(check, row, "age-group", {"from": "from", "to": "to", "by": "by"}, ["row", "age"],
              {"group": "age_group"})


@case("derived_fields", "financial_year")
def financial_year(row, check):
    by_option(check, row, "financial-year", {}, ["row", "date"],
              {"financial_year": "financial_year"})


@case("derived_fields", "quarter")
def quarter(row, check):
    by_option(check, row, "quarter", {"which": "which"}, ["row", "date"], {"quarter": "quarter"})


@case("derived_fields", "postcode_pc7")
def postcode(row, check):
    by_option(check, row, "postcode", {}, {"row": "row", "input": "postcode"}, {"pc7": "pc7"})


@case("derived_fields", "round_half_up_signif")
def round_half_up(row, check):
    by_option(check, row, "round", {"significant_digits": "significant"}, ["row", "value"],
              {"rounded": "rounded"})


FORMULAE = {"queue_load": ["demand", "capacity"],
            "relief_capacity": ["demand", "queue", "target_queue", "weeks"],
            "target_capacity": ["demand", "target_wait", "factor", "cv_demand", "cv_capacity"],
            "target_mean_wait": ["target_wait", "factor"],
            "target_queue_size": ["demand", "target_wait", "factor"],
            "waiting_list_pressure": ["mean_wait", "target_wait"]}


@case("waiting_list", "formulae")
def waiting_formulae(row, check):
    for (name,), rows in split(read(row["input_file"]), "fn").items():
        columns = {"row": "row", **dict(zip("abcde", FORMULAE[name]))}
        check.rows(rows, stat("waiting-list", table(rows, columns)), ["row"], {"value": name})


@case("waiting_list", "queue_size")
def waiting_queue(row, check):
    got = stat("waiting-list", table(read(row["input_file"])), "--group", "case")
    check.rows(read(row["expected_file"]), got, ["case", "date"], ["queue"])


# --- CUSUM, logistic model --------------------------------------------------------------------------------

def compare_chart(check, want, got, negative):
    for w, g in zip(want, got):
        check.number("%s weight" % w["seq"], w["weight"], g["weight"])
        value = -float(g["cusum"]) if negative else g["cusum"]
        check.number("%s cusum" % w["seq"], w["cusum"], value)
        check.text("%s signal" % w["seq"], w["signal"], g["signal"])
    check.text("rows", len(want), len(got))


@case("cusum", "racusum")
def racusum(row, check):
    rows = split(read("cusum/racusum_input.csv"), "case")
    want = split(read("cusum/racusum_expected.csv"), "case")
    for c in read("cusum/racusum_cases.csv"):
        limit = float(c["limit"])
        args = ["--odds-ratio", c["odds_ratio"], "--limit", abs(limit), "--signal-shows", "restart"]
        args += ["--no-reset"] if c["reset"] == "0" else []
        got = stat("cusum", table(rows[c["case"],], ["seq", "risk", "outcome"]), *args)
        compare_chart(check, want[c["case"],], got, limit < 0)


@case("cusum", "given_weights")
def given_weights(row, check):
    rows = read(row["input_file"])
    got = stat("cusum", table(rows, ["seq", "weight"]), "--limit", 2.96)
    check.rows(rows, got, ["seq"], ["cusum"])


@case("cusum", "published_weights")
def published_weights(row, check):
    for (ratio,), rows in split(read(row["input_file"]), "odds_ratio").items():
        for r in rows:
            r["risk"] = 1 / (1 + math.exp(-(float(r["b0"]) + float(r["b1"]) * float(r["parsonnet"]))))
        got = stat("cusum", table(rows, {"row": "row", "risk": "risk", "y": "outcome"}),
                   "--odds-ratio", ratio)
        for w, g in zip(rows, got):
            check.number(w["row"], w["weight"], g["weight"], float(w["abs_tol"]))


@case("cusum", "exact_limit")
def exact_limit(row, check):
    for r in read(row["input_file"]):
        got = stat("cusum-limit", "risk\n%s\n" % r["failure_probability"], "--patients",
                   r["n_patients"], "--odds-ratio", r["odds_ratio"], "--alpha", r["alpha"])
        check.number("limit", r["limit"], got[0]["limit"])


@functools.lru_cache
def cardiac():
    """Risk model fitted on the first two years, applied to all."""
    rows = read("cusum/cardiac_surgery.csv")
    for r in rows:
        r["y"] = int(r["status"] == "1" and int(r["time"]) <= 30)
        r["phase1"] = int(int(r["day"]) < 730)
    text = table(rows, {"seq": "seq", "surgeon": "surgeon", "y": "outcome", "phase1": "use",
                        "parsonnet": "parsonnet"})
    fitted = stat("glm", text, "--numeric", "parsonnet", "--output", "fitted")
    coefficients = stat("glm", text, "--numeric", "parsonnet")
    for f in fitted:
        f["risk"] = f["fitted"]
    charts = [stat("cusum", table(fitted, ["seq", "risk", "outcome"]), "--odds-ratio", ratio,
                   "--limit", limit) for ratio, limit in ((2, 4.5), (0.5, 4))]
    return fitted, coefficients, charts


@case("cusum", "cardiac")
def cusum_cardiac(row, check):
    _, _, (up, down) = cardiac()
    want = read(row["expected_file"])
    columns = {"weight": "weight", "cusum": "cusum", "signal": "signal"}
    check.rows(want, up, ["seq"], {"risk": "risk", "vlad": "vlad"})
    check.rows(want, up, ["seq"], {k + "_up": v for k, v in columns.items()})
    check.rows(want, down, ["seq"], {k + "_down": v for k, v in columns.items()})


@case("cusum", "cardiac_summary")
def cusum_cardiac_summary(row, check):
    fitted, coefficients, (up, down) = cardiac()
    phase1 = [f for f in fitted if f["use"] == "1"]
    signals = [g for g in up if g["signal"] == "1"]
    got = {"phase1_n": coefficients[0]["rows"],
           "phase1_deaths": sum(int(f["outcome"]) for f in phase1),
           "intercept": coefficients[0]["estimate"], "slope": coefficients[1]["estimate"],
           "se_intercept": coefficients[0]["se"], "se_slope": coefficients[1]["se"],
           "total_deaths": sum(int(f["outcome"]) for f in fitted),
           "expected_deaths": sum(float(f["risk"]) for f in fitted),
           "vlad_end": up[-1]["vlad"], "signals_up": len(signals),
           "first_signal_up": signals[0]["seq"] if signals else "",
           "signals_down": sum(g["signal"] == "1" for g in down)}
    for w in read(row["expected_file"]):
        check.number(w["measure"], w["value"], got[w["measure"]])


@case("cusum", "cardiac_by_surgeon")
def cusum_by_surgeon(row, check):
    fitted, _, _ = cardiac()
    rows = []
    for (surgeon,), fs in split(fitted, "surgeon").items():
        rows.append({"surgeon": surgeon, "n": len(fs),
                     "numerator": sum(int(f["outcome"]) for f in fs),
                     "denominator": sum(float(f["risk"]) for f in fs)})
    got = stat("rate", table(rows), "--multiplier", 1)
    check.rows(read(row["expected_file"]), got, ["surgeon"],
               {"n": "n", "observed": "numerator", "expected": "denominator", "ratio": "value",
                "lower95": "lower", "upper95": "upper"})


# --- Forecasting -------------------------------------------------------------------------------------------

def constants(c):
    return [x for name in ("alpha", "beta", "gamma", "phi") if c.get(name)
            for x in ("--" + name, c[name])]


@case("forecasting", "ets_given")
def ets(row, check):
    series = split(read("forecasting/ets_series.csv"), "series")
    fitted = split(read("forecasting/ets_given_fitted_expected.csv"), "case")
    forecast = split(read("forecasting/ets_given_forecast_expected.csv"), "case")
    for c in read("forecasting/ets_given_cases.csv"):
        rows = series[c["series"],]
        model = c["model"] if c["damped"] == "0" else c["model"][:2] + "d" + c["model"][2]
        args = ["--model", model, "--period", rows[0]["frequency"], "--initial", c["initial_states"],
                *constants(c)]
        text = table(rows, ["seq", "value"])
        check.rows(fitted[c["case"],], stat("forecast", text, *args, "--output", "fitted"), ["seq"],
                   ["fitted", "residual"])
        want = forecast[c["case"],]
        check.rows(want, stat("forecast", text, *args, "--horizon", len(want),
                                     "--damping", "r"), ["h"],
                   {"forecast": "value"})


@case("forecasting", "textbook")
def textbook(row, check):
    series = split(read("forecasting/textbook_series.csv"), "series")
    want = split(read("forecasting/textbook_expected.csv"), "case", "quantity")
    for c in read("forecasting/textbook_cases.csv"):
        alpha = float(c["alpha"])
        args = ["--model", {"holt_damped": "damped"}.get(c["method"], c["method"]), "--alpha", alpha,
                "--initial", ";".join(x for x in (c["level0"], c["trend0"]) if x)]
        if c["beta_star_or_beta"]:
            beta = float(c["beta_star_or_beta"])
            args += ["--beta", beta * alpha if c["method"] == "holt" else beta]
        args += ["--phi", c["phi"]] if c["phi"] else []
        text = table(series[c["series"],], ["seq", "value"])
        points = stat("forecast", text, *args, "--output", "fitted")
        ahead = stat("forecast", text, *args, "--horizon", 10)
        values = {"fitted": [p["fitted"] for p in points], "one_step": [p["fitted"] for p in points],
                  "level": [c["level0"]] + [p["level"] for p in points],
                  "trend": [c["trend0"]] + [p["trend"] for p in points],
                  "forecast": [a["value"] for a in ahead]}
        for (case_id, quantity), rows in want.items():
            if case_id != c["case"]:
                continue
            for r in rows:
                i = int(r["index"])
                got = values[quantity]
                # The last one-step forecast of the source lies one past the data.
                if quantity in ("fitted", "one_step", "forecast"):
                    i -= 1
                    got = got + values["forecast"][:1] if quantity != "forecast" else got
                check.number("%s %s %s" % (case_id, quantity, r["index"]), r["value"], got[i],
                             float(r["abs_tol"]))


# --- The manifest --------------------------------------------------------------------------------------

def manifest():
    if not os.path.exists(MANIFEST):
        return []
    with open(MANIFEST, encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


@pytest.mark.skipif(not os.path.exists(MANIFEST), reason="no cases: %s is not there" % MANIFEST)
@pytest.mark.parametrize("row", manifest(), ids=[r["method"] + "-" + r["case_id"] for r in manifest()])
def test_case(row, tmp_path):
    handler = HANDLERS.get((row["method"], row["case_id"]))
    assert handler, "the manifest has a case that this test does not know"
    check = Check(row)
    if "tmp" in inspect.signature(handler).parameters:
        handler(row, check, str(tmp_path))
    else:
        handler(row, check)
    check.done()


def test_manifest_is_there():
    if not os.path.exists(MANIFEST):
        pytest.skip("the statistics cases are not beside the checkout: set HDIS_SHARED")
    assert math.isclose(len(manifest()), 87)
