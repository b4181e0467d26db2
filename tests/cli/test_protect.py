"""hdis protect: any table in, what may be shown of it out."""

import collections
import itertools
import json
import os
import random
import re

import pytest

from tables import (CASES, PLAIN, PRINTS, ROOT, Table, attack, census, computable, hdis, known_of,
                    own_policy, printed, read, rows_of, write, write_tree)

needs_cases = pytest.mark.skipif(not os.path.isdir(CASES), reason="no shared cases in " + CASES)


def protect(file, dims, *args, catalogue=None):
    done = hdis("protect", file, "--dims", dims, *args, catalogue=catalogue)
    assert done.returncode == 0, done.stderr
    assert "policy" in done.stderr and "certificate" in done.stderr
    return rows_of(done.stdout)


def shown(rows, dims):
    return {tuple(r[d] for d in dims.split(",")): r["shown"] for r in rows}


def case(*parts):
    return os.path.join(CASES, *parts)


# ---- rules ------------------------------------------------------------------------------------------

@needs_cases
@pytest.mark.parametrize("file,policy,column", [
    ("01_nhs_rules/codonpython_sweep_0_2000.csv", "hes2018", "display"),
    ("01_nhs_rules/mhsds_sweep_0_200.csv", "mhsds", "display"),
    ("01_nhs_rules/mhsds_sweep_0_200.csv", "iapt", "display"),
    ("02_opensafely_docs/midpoint6.csv", "opensafely-midpoint6", "midpoint6")])
def test_published_sweeps_come_out_cell_by_cell(file, policy, column, tmp_path):
    sweep = read(case(file))
    path = write(tmp_path / "t.csv", [dict(cell="c" + r["count"], n=r["count"]) for r in sweep])
    got = shown(protect(path, "cell", "--count", "n", "--policy", policy), "cell")
    for r in sweep:
        assert got["c" + r["count"],] == r[column], r["count"]


@needs_cases
def test_published_single_cases(tmp_path):
    got = {}
    for r in read(case("01_nhs_rules", "codonpython_published_cases.csv")):
        path = write(tmp_path / "t.csv", [dict(a="x", n=r["input"])])
        done = hdis("protect", path, "--dims", "a", "--count", "n")
        if r["expected_with_star"] == "reject":
            assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
            assert "line 2, column n: not a whole number from 0 to 5000000000" in done.stderr
        else:
            assert done.returncode == 0, done.stderr
            got[r["input"]] = shown(rows_of(done.stdout), "a")["x",]
            assert got[r["input"]] == r["expected_with_star"]
    assert len(got) > 5


@needs_cases
def test_redacted_rounded_and_summed(tmp_path):
    rows = read(case("02_opensafely_docs", "redact_then_round.csv"))
    for of in ("heart_disease", "population"):
        file = write(tmp_path / "t.csv", [dict(age=r["age_band"], n=r["true_" + of]) for r in rows])
        got = shown(protect(file, "age", "--count", "n", "--policy", "opensafely"), "age")
        for r in rows:
            want = r["shown_" + of].replace("[REDACTED]", "*")
            assert got[r["age_band"],] == want


@needs_cases
def test_records_are_counted_under_10_5():
    got = shown(protect(case("03_ons_cellkey_10_5", "micro.csv"), "var1,var5,var8", "--policy",
                        "ons10-5"), "var1,var5,var8")
    want = read(case("03_ons_cellkey_10_5", "expected_var1_var5_var8.csv"))
    assert len(want) == 200
    for r in want:
        value = got[r["var1"], r["var5"], r["var8"]]
        assert value == (r["count"] or "*") or (value == ":" and r["count"])


every_policy = pytest.mark.parametrize("policy", sorted(PRINTS))


@every_policy
def test_every_policy_passes_its_own_audit(policy, tmp_path):
    r = random.Random(5)
    rows = [dict(a=a, b=b, n=r.choice([0, 0, 1, 2, 3, 5, 8, 9, 14, 30, 61, 200]))
            for a in "pqrstuv" for b in "wxyz"]
    file, out, proof = write(tmp_path / "t.csv", rows), tmp_path / "out.csv", tmp_path / "proof"
    for exact in ([], ["--exact", "a=Total"]):
        done = hdis("protect", file, "--dims", "a,b", "--count", "n", "--policy", policy, *exact,
                    "-o", out, "--certificate", proof)
        assert done.returncode == 0, done.stderr
        done = hdis("audit", out, "--policy", policy, "--certificate", proof)
        assert done.returncode == 0, done.stderr
        assert "adds up and is of this table" in done.stderr


def test_one_person_with_many_records_is_small(tmp_path):
    rows = [dict(a=a, n=40, p=p) for a, p in zip("klmno", (40, 7, 1, 8, 30))]
    got = shown(protect(write(tmp_path / "t.csv", rows), "a", "--count", "n", "--people", "p"), "a")
    assert [got[a,] for a in "klmno"] == ["40", "*", "*", "40", "40"]
    records = [dict(a=a, who="%s%d" % (a, i % p)) for a, p in zip("klm", (1, 8, 30)) for i in range(60)]
    records += [dict(a="z", who="") for _ in range(60)]  # linked to nobody
    got = shown(protect(write(tmp_path / "r.csv", records), "a", "--people", "who"), "a")
    assert [got[a,] for a in "klmz"] == ["*", "60", "60", "*"]


def test_group_disclosure_is_withheld_where_the_policy_says_so(tmp_path):
    rows = [dict(area=a, died=d, n=n) for a, d, n in
            [("A", "yes", 40), ("A", "no", 0), ("B", "yes", 20), ("B", "no", 30), ("C", "yes", 50),
             ("C", "no", 60)]]
    file = write(tmp_path / "t.csv", rows)
    got = shown(protect(file, "area,died", "--count", "n"), "area,died")
    assert got["A", "yes"] == "40" and got["A", "no"] == "0"
    own_policy(tmp_path, "own", group_disclosure_is_withheld="true")
    got = shown(protect(file, "area,died", "--count", "n", "--policy", "own", catalogue=tmp_path),
                "area,died")
    assert got["A", "yes"] == got["A", "no"] == "*" and got["B", "yes"] != "*"


def test_percentages_come_from_what_is_shown(tmp_path):
    rows = [dict(a=a, b=b, n=n) for a, b, n in [("A", "x", 3), ("A", "y", 1201), ("B", "x", 3000),
                                                ("B", "y", 2011), ("C", "x", 333), ("C", "y", 667)]]
    file = write(tmp_path / "t.csv", rows)
    got = {(r["a"], r["b"]): r["percent"] for r in
           protect(file, "a,b", "--count", "n", "--percent", "b")}
    assert got["A", "x"] == "*" and got["C", "x"] == "34" and got["B", "x"] == "59.9"  # 335 of 1000
    assert got["B", "Total"] == "100"
    own_policy(tmp_path, "own", minimum_rate_population=2000)
    got = {(r["a"], r["b"]): r["percent"] for r in
           protect(file, "a,b", "--count", "n", "--percent", "b", "--policy", "own",
                   catalogue=tmp_path)}
    assert got["C", "x"] == got["C", "y"] == "*" and got["B", "y"] == "40.1"


# ---- damaged and hostile files ----------------------------------------------------------------------

GOOD = b"a,b,n\nx,p,3\nx,q,40\ny,p,50\ny,q,60\n"


def outcome(tmp_path, data, *args):
    (tmp_path / "in.csv").write_bytes(data)
    return hdis("protect", tmp_path / "in.csv", "--dims", "a,b", "--count", "n", *args)


@pytest.mark.parametrize("count", ["-1", "3.5", "1e5", "NaN", "inf", "0x10", "", " 5", "+4", "5000000001",
                                   "99999999999999999999"])
def test_refuses_what_is_no_count(tmp_path, count):
    done = outcome(tmp_path, GOOD.replace(b"x,p,3", b"x,p," + count.encode()))
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "line 2" in done.stderr
    assert len(count.strip()) < 3 or count not in done.stderr.split("column", 1)[1]


@pytest.mark.parametrize("data,says", [
    (b"", "empty"), (GOOD + b"x,p,3\n", "line 2 again"), (GOOD.replace(b"a,b", b"a,A"), "same name"),
    (GOOD.replace(b"x,p", b"x\0,p"), "byte 0"), (GOOD + b'"x,p,3\n', "never closed"),
    (GOOD + b"x,p\n", "fields")])
def test_refuses_damaged_tables(tmp_path, data, says):
    done = outcome(tmp_path, data)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and says in done.stderr


def test_line_ends_marks_and_quotes_change_nothing(tmp_path):
    want = outcome(tmp_path, GOOD).stdout
    assert outcome(tmp_path, b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n")).stdout == want
    quoted = outcome(tmp_path, GOOD.replace(b"x,", b'"x\n""x",')).stdout
    assert quoted.replace('"x\n""x"', "x") == want


def test_says_when_no_figure_can_be_exact(tmp_path):
    """A reader who asked for exact figures learns it; the audit tells what needs protection from what does not."""
    counts = [("a0", "b0", 2), ("a0", "b1", 8), ("a1", "b0", 1), ("a1", "b1", 1), ("a1", "b2", 7)]
    data = "a,b,n\n" + "".join("%s,%s,%d\n" % c for c in counts)
    out = tmp_path / "out.csv"
    done = outcome(tmp_path, data.encode(), "--exact", "a=Total", "-o", out)
    assert done.returncode == 0 and ", 0 exact\nno figure of --exact is exact" in done.stderr
    withheld = [r for r in rows_of(out.read_text()) if r["shown"] in "*:"]
    national = [r for r in withheld if r["exact"] == "true"]
    done = hdis("audit", out)
    assert done.returncode == 0 and national
    assert "%d withheld figures, each with at least 5" % (len(withheld) - len(national)) in done.stderr
    assert "%d more withheld figure without need" % len(national) in done.stderr
    done = outcome(tmp_path, data.encode())
    assert done.returncode == 0 and "exact" not in done.stderr


@pytest.mark.parametrize("order", ["abc", "cab"])
@pytest.mark.parametrize("seed,n,choices", [(2, (2, 8, 2), [0, 0, 1, 2, 3]), (10, (2, 8, 2), [0, 0, 1, 2, 3]),
                                            (16, (5, 4, 2), [0] * 11 + [40, 1])])
def test_keeps_as_many_exact_figures_as_can_stay(seed, n, choices, order, tmp_path):
    """Where all together give others away, some stay; which, does not hang on the order of rows."""
    r = random.Random(seed)
    rows = [dict(a="a%d" % a, b="b%d" % b, c="c%d" % c, n=r.choice(choices))
            for a in range(n[0]) for b in range(n[1]) for c in range(n[2])]
    out, proof = tmp_path / "out.csv", tmp_path / "proof.txt"
    args = ["--dims", ",".join(order), "--count", "n", "--policy", "hes2014", "--exact", "a=Total"]
    done = hdis("protect", write(tmp_path / "t.csv", rows), *args, "-o", out, "--certificate", proof)
    assert done.returncode == 0, done.stderr
    said = re.search("^exact: (.*); the others would give figures away$", done.stderr, re.M)
    released = read(out)
    is_had = lambda x: x["exact"] == "true" and x["shown"] not in "*:"
    national = [x for x in released if x["a"] == "Total"]
    assert sum(is_had(x) and x["shown"] != "0" for x in national) > 3 and said, done.stderr
    for place, by in (("the total", ""), ("by b", "b"), ("by c", "c"), ("by b, c", "bc")):
        cells = [x for x in national if "".join(d for d in "bc" if x[d] != "Total") == by]
        place = "by c, b" if by == "bc" and order == "cab" else place
        assert "%d of %d %s" % (sum(map(is_had, cells)), len(cells), place) in said.group(1).split("; ")
    assert hdis("audit", out, "--policy", "hes2014", "--certificate", proof).returncode == 0
    again = hdis("protect", write(tmp_path / "t2.csv", r.sample(rows, len(rows))), *args)
    key = lambda rows: {(x["a"], x["b"], x["c"]): (x["shown"], x["exact"]) for x in rows}
    assert key(rows_of(again.stdout)) == key(released)


def test_a_million_columns_are_no_matter(tmp_path):
    names = ["a", "b", "n"] + ["c%d" % i for i in range(10 ** 6)]
    wide = ",".join(names) + "\n" + ",".join(["1"] * len(names)) + "\n"
    assert outcome(tmp_path, wide.encode()).returncode == 0
    done = hdis("audit", tmp_path / "in.csv", "--shown", "n")
    assert done.returncode == 1 and "at most 8" in done.stderr and "--dims" in done.stderr


@pytest.mark.parametrize("args", [[], ["--count", "n"], ["--value", "n"]])
def test_a_file_without_rows_is_refused(args, tmp_path):
    (tmp_path / "t.csv").write_text("r,n\n")
    done = hdis("protect", tmp_path / "t.csv", "--dims", "r", *args, "--out", tmp_path / "out.csv")
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "no rows" in done.stderr
    assert not (tmp_path / "out.csv").exists()


def test_what_is_withheld_is_no_dimension(tmp_path):
    """Else the true count would stand in the output as a code, beside its star."""
    (tmp_path / "t.csv").write_text("r,n\nx,3\ny,20\n")
    done = hdis("protect", tmp_path / "t.csv", "--dims", "r,n", "--count", "n", "--out", tmp_path / "out.csv")
    assert done.returncode == 1 and "--count" in done.stderr and "a dimension" in done.stderr
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("option", ["--out", "--certificate"])
def test_puts_no_file_in_the_place_of_a_device(tmp_path, option):
    os.mkfifo(tmp_path / "pipe")
    done = outcome(tmp_path, GOOD, option, tmp_path / "pipe")
    assert done.returncode == 1 and "a device, a pipe or a link" in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["in.csv", "pipe"]


# ---- secondary suppression against references -------------------------------------------------------

SSB = [  # data, reference, threshold, dimensions, trees
    ("d1.csv", "d1_max7.csv", 7, "region,main_income", []),
    ("d2.csv", "d2_county_max7.csv", 7, "region,main_income", [("region", "county")]),
    ("d2.csv", "d2_county_max2_nosingleton.csv", 2, "region,main_income", [("region", "county")]),
    ("d2.csv", "d2_linked_max7.csv", 7, "region,main_income",
     [("region", "county"), ("region", "k_group")]),
    ("d3.csv", "d3_county_max2.csv", 2, "region,main_income,months", [("region", "county")]),
    ("d3.csv", "d3_county_max7.csv", 7, "region,main_income,months",
     [("region", "county"), ("months", "months2")]),
    ("d3.csv", "d3_linked_max7.csv", 7, "region,main_income,months",
     [("region", "county"), ("region", "k_group"), ("months", "months2")]),
    ("d4.csv.gz", "d4_county_max2.csv.gz", 2, "region,main_income,months", [("region", "county")]),
    ("d4.csv.gz", "d4_county_max7.csv.gz", 7, "region,main_income,months", [("region", "county")]),
    ("d4.csv.gz", "d4_linked_max2.csv.gz", 2, "region,main_income,months",
     [("region", "county"), ("region", "k_group")]),
    ("example1.csv", "example1_max3.csv", 3, "age,geo,year", [("geo", "eu")]),
    ("mun_accidents.csv", "munacc_max7.csv", 7, "mun,inj", []),
]


def ssb(folder, data, trees):
    """The data as a plain file, and the arguments and files of the trees."""
    rows, args, files = read(case("06_ssb", data)), [], {}
    for code, parent in trees:
        tree = write_tree(folder / (parent + ".csv"), [(r[code], r[parent]) for r in rows])
        args += ["--hierarchy", "%s=%s" % (code, tree)]
        files.setdefault(code, []).append(tree)
    return write(folder / "in.csv", rows), args, files


@needs_cases
@pytest.mark.parametrize("data,reference,threshold,dims,trees", SSB, ids=[x[1] for x in SSB])
def test_withholds_no_more_than_the_reference_and_a_tenth(data, reference, threshold, dims, trees,
                                                          tmp_path):
    """Cells and primary flags as in the reference; nothing computable, by an elimination of the test's."""
    own_policy(tmp_path, "own", **dict(PLAIN, withheld_to=threshold))
    want = read(case("06_ssb", "ref_gauss_" + reference))
    file, args, files = ssb(tmp_path, data, trees)
    rows = protect(file, dims, "--count", "freq", "--policy", "own", *args, catalogue=tmp_path)
    got = shown(rows, dims)
    key = lambda r: tuple(r[d] for d in dims.split(","))
    assert set(got) == {key(r) for r in want}
    for r in want:
        assert (got[key(r)] == "*") == (r["primary"] == "TRUE"), key(r)
        assert got[key(r)] in ("*", ":", r["freq"])
    withheld = {c for c, v in got.items() if v in "*:"}
    assert len(withheld) <= sum(r["suppressed"] == "TRUE" for r in want) * 1.1
    found = computable(Table(rows, dims.split(","), files), withheld)
    assert not {c for c in found if got[c] == "*"}


@needs_cases
def test_the_hes_rule_on_the_largest_reference(tmp_path):
    """9,140 cells, three dimensions: five values each, and little more withheld than the reference."""
    want = read(case("06_ssb", "ref_gauss_d4_county_max7.csv.gz"))
    file, args, _ = ssb(tmp_path, "d4.csv.gz", [("region", "county")])
    got = shown(protect(file, "region,main_income,months", "--count", "freq", *args),
                "region,main_income,months")
    assert len(got) == len(want) == 9140
    assert sum(v in "*:" for v in got.values()) <= sum(r["suppressed"] == "TRUE" for r in want) * 1.1


@needs_cases
def test_linked_trees_protect_each_other(tmp_path):
    """Each tree alone is safe in the published pair; both together give K away."""
    rows = read(case("05_sdctable", "linked_micro.csv"))
    trees = [case("05_sdctable", "hier_%s.csv" % t) for t in ("county", "group")]
    own_policy(tmp_path, "own", **dict(PLAIN, withheld_to=3))
    file = write(tmp_path / "t.csv", [dict(region=r["region"], n=r["n"]) for r in rows])
    out = tmp_path / "out.csv"
    both = [a for t in trees for a in ("--hierarchy", "region=" + t)]
    done = hdis("protect", file, "--dims", "region", "--count", "n", "--policy", "own", *both, "-o",
                out, catalogue=tmp_path)
    assert done.returncode == 0, done.stderr
    got = {r["region"]: r["shown"] for r in read(out)}
    assert all(got[r["region"]] == "*" for r in rows if int(r["n"]) <= 3)
    done = hdis("audit", out, "--numbers", "exact", "--mark", "*=0..", "--mark", ":=0..", "--values",
                "2", *both)
    assert done.returncode == 0, done.stderr


@needs_cases
def test_records_of_two_dimensions_need_three_more(tmp_path):
    own_policy(tmp_path, "own", **dict(PLAIN, withheld_to=2))
    records = read(case("05_sdctable", "microdata1.csv"))
    counts = collections.Counter((r["region"], r["gender"]) for r in records)
    got = shown(protect(case("05_sdctable", "microdata1.csv"), "region,gender", "--policy", "own",
                        catalogue=tmp_path), "region,gender")
    small = [c for c, n in counts.items() if n <= 2]
    assert small and all(got[c] == "*" for c in small)
    assert sum(v == ":" for v in got.values()) == 3


# ---- sums -------------------------------------------------------------------------------------------

@needs_cases
def test_turnover_by_activity_and_size(tmp_path):
    file = case("09_rtauargus_fr", "turnover_act_size.csv")
    rows = read(file)
    codes = {r["ACTIVITY"] for r in rows}
    edges = []
    for r in read(case("09_rtauargus_fr", "activity_corr_table.csv")):
        way = [r[c] for c in ("A88", "A21", "A10") if r[c] in codes] + ["Total"]
        edges += list(zip(way, way[1:]))
    tree = write_tree(tmp_path / "activity.csv", edges)
    own_policy(tmp_path, "own", **dict(PLAIN, withheld_to=2, dominance_n=1, dominance_percent=85))
    args = ["--contributors", "N_OBS", "--value", "TOT", "--largest", "MAX", "--policy", "own",
            "--hierarchy", "ACTIVITY=%s" % tree]
    got = shown(protect(file, "ACTIVITY,SIZE", *args, catalogue=tmp_path), "ACTIVITY,SIZE")
    few = {(r["ACTIVITY"], r["SIZE"]) for r in rows if 0 < int(r["N_OBS"]) < 3}
    dominated = {(r["ACTIVITY"], r["SIZE"]) for r in rows
                 if float(r["MAX"]) > 0.85 * float(r["TOT"])} - few
    assert len(rows) == 414 and len(few) == 52 and len(dominated) == 25
    assert {c for c, v in got.items() if v == "*"} == few | dominated
    added = sum(v == ":" for v in got.values())
    print("turnover_act_size: %d further cells, the optimum adds 64" % added)
    assert 0 < added <= 3 * 64
    for r in rows:
        value = got[r["ACTIVITY"], r["SIZE"]]
        assert value in "*:" or abs(float(value) - float(r["TOT"])) < 0.02


@needs_cases
def test_dominance_of_records(tmp_path):
    """The rules flag cells below 10, one by n-k (2, 90%), two by p% (10%)."""
    file = case("10_acro", "charities.csv")
    cells = lambda name, *args: {c for c, v in shown(protect(
        file, "year,grant_type", *args, "--policy", name, catalogue=tmp_path),
        "year,grant_type").items() if v == "*" and "Total" not in c}
    nobody = dict(PLAIN, withheld_to=0)
    own_policy(tmp_path, "count", **dict(PLAIN, withheld_to=9))
    own_policy(tmp_path, "nk", **dict(nobody, dominance_n=2, dominance_percent=90))
    own_policy(tmp_path, "pq", **dict(nobody, p_percent=10))
    assert len(cells("count")) == 6
    assert len(cells("nk", "--value", "inc_grants")) == 1
    assert len(cells("pq", "--value", "inc_grants")) == 2


@pytest.mark.parametrize("rule,value", [("p", 10), ("p", 60), ("nk", (1, 50)), ("nk", (2, 70))])
def test_a_withheld_sum_stays_as_uncertain_as_its_rule_asks(rule, value, tmp_path):
    """The highest sum that a reader thinks possible would pass the rule with the same largest contributors."""
    def room(parts):
        parts = sorted(parts, reverse=True) + [0, 0]
        if rule == "p":
            return max(0, parts[0] * value / 100 - sum(parts[2:]))
        held = sum(parts[:value[0]])
        return max(0, held * 100 / value[1] - sum(parts))

    changes = dict(p_percent=value) if rule == "p" else dict(dominance_n=value[0], dominance_percent=value[1])
    own_policy(tmp_path, "own", **dict(PLAIN, withheld_to=0, **changes))
    n_rules = n_beyond = 0
    for seed in range(4):
        r = random.Random(seed)
        rows = [dict(a="a%d" % r.randrange(6), b="b%d" % r.randrange(5), v=int(10 * 1.9 ** r.uniform(1, 9)))
                for _ in range(150)]
        file, out, ends = tmp_path / "t.csv", tmp_path / "out.csv", tmp_path / "ends.csv"
        done = hdis("protect", write(file, rows), "--dims", "a,b", "--value", "v", "--policy", "own", "-o", out,
                    catalogue=tmp_path)
        assert done.returncode == 0, done.stderr
        done = hdis("audit", out, "--numbers", "exact", "--mark", "*=0..", "--mark", ":=0..", "--values", "2",
                    "--format", "csv", "-o", ends)
        assert done.returncode == 0, done.stderr
        ends = {(x["a"], x["b"]): x for x in read(ends)}
        for c in {(x["a"], x["b"]) for x in read(out) if x["shown"] == "*"}:
            parts = [x["v"] for x in rows if all(k in ("Total", x[d]) for d, k in zip("ab", c))]
            assert room(parts) > 0 and c in ends
            n_rules += 1
            n_beyond += room(parts) > sum(parts) / 10
            highest = ends[c]["highest"]
            assert not highest or int(highest) >= sum(parts) + room(parts), (c, highest, sum(parts), room(parts))
    assert n_rules > 8 and (n_beyond > 4 or value == 10)


def cells_of_record(x, dims, trees):
    """A record's own cell and all totals of it."""
    above = {d: {} for d in dims}
    for d, tree in trees.items():
        above[d] = dict(tree)
    codes = []
    for d in dims:
        at = [x[d]]
        while at[-1] in above[d]:
            at.append(above[d][at[-1]])
        codes.append(at if at[-1] == "Total" else at + ["Total"])
    return list(itertools.product(*codes))


@pytest.mark.parametrize("shape", ["flat", "tree", "three", "large"])
def test_who_is_alone_in_a_sum_works_out_no_other(shape, tmp_path):
    """Each contributor who is alone in a withheld cell puts his own sum into the released table."""
    dims = "abc" if shape == "three" else "ab"
    n_codes = dict(a=40, b=30) if shape == "large" else dict(a=4, b=5, c=2)
    trees, files, args = {}, {}, ["--dims", ",".join(dims)]
    if shape == "tree":
        trees["a"] = [("a0", "x"), ("a1", "x"), ("a2", "y"), ("a3", "y"), ("x", "Total"), ("y", "Total")]
        files["a"] = [write_tree(tmp_path / "a.csv", trees["a"])]
        args += ["--hierarchy", "a=%s" % files["a"][0]]
    own_policy(tmp_path, "own", **dict(PLAIN, p_percent=10, withheld_to=0))
    n_alone = n_others = n_audited = 0
    for seed in range(1 if shape == "large" else 8):
        r = random.Random(seed)
        rows = [dict({d: d + str(r.randrange(n_codes[d])) for d in dims}, v=r.randrange(100, 1000))
                for _ in range(3000 if shape == "large" else 40)]
        # a line of two who are alone in their cells, and one of many
        line = {d: d + "1" for d in dims}
        rows = [x for x in rows if x["a"] != "a1"] + [dict(line, b=b, v=r.randrange(100, 1000)) for b in ("b1", "b3")]
        rows += [dict(line, b="b4", v=v) for v in (300, 310, 290, 305, 330)]
        out, ends = tmp_path / "out.csv", tmp_path / "ends.csv"
        done = hdis("protect", write(tmp_path / "t.csv", rows), *args, "--value", "v", "--policy", "own", "-o", out,
                    catalogue=tmp_path)
        assert done.returncode == 0, done.stderr
        released = read(out)
        table = Table(released, list(dims), files)
        withheld = {c for c, x in table.cells.items() if x["shown"] in "*:"}
        stars = {c for c in withheld if table.cells[c]["shown"] == "*"}
        inside = {}
        for i, x in enumerate(rows):
            for c in cells_of_record(x, dims, trees):
                inside.setdefault(c, []).append(i)
        for i, x in enumerate(rows):
            own = {c for c in cells_of_record(x, dims, trees) if inside[c] == [i]} & withheld
            if not own:
                continue
            n_alone += 1
            n_others += len(stars - own)
            assert not computable(table, withheld - own) & (stars - own), (seed, i)
            if shape == "large" or i % 4:
                continue
            known = [dict({d: y[d] for d in dims}, shown=x["v"] if tuple(y[d] for d in dims) in own else y["shown"])
                     for y in released]
            done = hdis("audit", write(tmp_path / "known.csv", known), *args, "--numbers", "exact", "--mark", "*=0..",
                        "--mark", ":=0..", "--values", "2", "--format", "csv", "-o", ends)
            assert done.returncode < 2, done.stderr  # 1: sums withheld for others may be worked out
            for y in read(ends):
                c = tuple(y[d] for d in dims)
                if c in stars and y["highest"]:
                    n_audited += 1
                    assert int(y["highest"]) - int(y["lowest"]) >= sum(rows[k]["v"] for k in inside[c]) / 10
    assert n_alone > 20 and n_others > 100 and (n_audited > 50 or shape == "large")


def test_where_readers_leave_no_other_way_every_sum_is_withheld(tmp_path):
    """Seven of ten cells have one or two contributors, and the lines around them hold nothing else."""
    own_policy(tmp_path, "own", p_percent=10)
    many = [105, 282, 746, 347, 154, 72, 349, 796, 12, 363, 108, 99, 2470, 77, 222, 142, 24, 200, 80, 412]
    more = [5, 83, 203, 64, 108, 27, 60, 409, 136, 124, 746, 825, 106, 511, 82, 260, 741, 45, 820, 102]
    cells = dict(a0b2=[158], a1b0=[857], a1b1=[651, 23], a2b0=many, a2b1=more, a2b3=[36], a3b0=[136], a3b1=[150],
                 a3b2=[204], a3b3=[30, 50, 2013, 1657, 333, 33, 63, 45, 42])
    rows = [dict(a=c[:2], b=c[2:], v=v) for c, values in cells.items() for v in values]
    for i, x in enumerate(rows):
        x["p"] = i
    out, proof = tmp_path / "out.csv", tmp_path / "proof.txt"
    done = hdis("protect", write(tmp_path / "t.csv", rows), "--dims", "a,b", "--value", "v", "--people", "p", "--policy",
                "own", "-o", out, "--certificate", proof, catalogue=tmp_path)
    assert done.returncode == 0, done.stderr
    done = hdis("audit", out, "--dims", "a,b", "--policy", "own", "--numbers", "sums", "--certificate", proof,
                catalogue=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_weights_stand_for_several(tmp_path):
    """One record of weight 5 is no single dominating contributor."""
    own_policy(tmp_path, "own", **dict(PLAIN, withheld_to=0, dominance_n=1, dominance_percent=80))
    rows = [dict(a=a, v=v, w=w) for a, v, w in [("A", 100, 1), ("A", 1, 1), ("B", 100, 5), ("B", 1, 1),
                                                ("C", 60, 1), ("C", 50, 1), ("D", 60, 1), ("D", 50, 1)]]
    file = write(tmp_path / "t.csv", rows)
    got = shown(protect(file, "a", "--value", "v", "--weight", "w", "--policy", "own",
                        catalogue=tmp_path), "a")
    assert got["A",] == "*" and got["B",] != "*" and got["Total",] in (":", str(101 + 501 + 220))


@needs_cases
def test_sensitive_cells_stay_uncertain_by_their_width(tmp_path):
    own_policy(tmp_path, "own", **dict(PLAIN, withheld_to=0))
    asked = [dict(r, width=r["value"]) for r in
             read(case("11_cta_cox2005", "sensitive_protection.csv"))]
    sensitive = write(tmp_path / "s.csv", asked, ["plane", "row", "col", "width", "value"])
    out, result = tmp_path / "out.csv", tmp_path / "audit.csv"
    done = hdis("protect", case("11_cta_cox2005", "table.csv"), "--dims", "plane,row,col", "--count",
                "value", "--total", "total", "--policy", "own", "--sensitive", sensitive, "-o", out,
                catalogue=tmp_path)
    assert done.returncode == 0, done.stderr
    done = hdis("audit", out, "--total", "total", "--numbers", "exact", "--mark", ":=0..", "--values",
                "2", "--format", "csv", "-o", result)
    assert done.returncode in (0, 1), done.stderr  # what was withheld for others may be narrow
    ends = {(r["plane"], r["row"], r["col"]): r for r in read(result)}
    assert len(asked) == 24
    for r in asked:
        e = ends[r["plane"], r["row"], r["col"]]
        assert not e["highest"] or int(e["highest"]) - int(e["lowest"]) >= int(r["width"])


# ---- an attacker over a census ----------------------------------------------------------------------

@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """132,277 fictitious people by region, age in bands and single years, and sex: 5,856 cells."""
    folder = tmp_path_factory.mktemp("census")
    people, bands = census(132277)
    tree = write_tree(folder / "bands.csv", bands)
    write(folder / "people.csv", people)
    for name, exact in (("rounded", []), ("exact", ["--exact", "region=Total"])):
        done = hdis("protect", folder / "people.csv", "--dims", "region,age,sex", "--hierarchy",
                    "age=%s" % tree, *exact, "-o", folder / (name + ".csv"), "--certificate",
                    folder / (name + ".txt"))
        assert done.returncode == 0, done.stderr
    up = dict(bands)
    true = collections.Counter()
    for p in people:
        for region in (p["region"], "Total"):
            for age in (p["age"], up[p["age"]], "Total"):
                for sex in (p["sex"], "Total"):
                    true[region, age, sex] += 1
    return folder, tree, true


@pytest.mark.parametrize("name", ["rounded", "exact"])
def test_an_attacker_finds_nothing_narrow_and_no_contradiction(released, name):
    folder, tree, true = released
    table = Table(read(folder / (name + ".csv")), ["region", "age", "sex"], {"age": [tree]})
    assert len(table.cells) == 5856
    known = known_of(table, "hes2018")
    for c, (low, high) in known.items():
        assert low <= true[c] <= high, c
    found = attack(table, known)
    assert found is not None, "no table fits"
    stars = [c for c, r in table.cells.items() if r["shown"] == "*"]
    assert len(stars) > 300
    for c in stars:
        low, high = found[c]
        assert low <= true[c] <= high and high - low >= 4, (c, low, high)
    # A part taken from its whole, both shown, leaves the rest: not 1 to 7 people exactly.
    for whole, parts in table.sums:
        for part in parts:
            a, b = found[whole], found[part]
            if 1 <= true[whole] - true[part] <= 7 and known[whole][1] < 10 ** 15 > known[part][1]:
                assert a[1] - b[0] - max(0, a[0] - b[1]) >= 4, (whole, part)


def test_the_proof_is_of_its_own_table_only(released, tmp_path):
    folder, tree, _ = released
    args = ["--hierarchy", "age=%s" % tree, "--format", "csv", "-o", tmp_path / "a.csv"]
    text = (folder / "exact.txt").read_text()
    assert hdis("audit", folder / "exact.csv", *args, "--certificate",
                folder / "exact.txt").returncode == 0
    rows = read(folder / "exact.csv")
    changed = next(r for r in rows if r["shown"].isdigit() and int(r["shown"]) > 100
                   and r["exact"] == "false")
    changed["shown"] = str(int(changed["shown"]) + 5)
    done = hdis("audit", write(tmp_path / "t.csv", rows), *args, "--certificate", folder / "exact.txt")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    at = text.index("witness ") + 8
    (tmp_path / "p.txt").write_text(text[:at] + "1" + text[at:])
    done = hdis("audit", folder / "exact.csv", *args, "--certificate", tmp_path / "p.txt")
    assert done.returncode == 1 and done.stderr.count("\n") == 1


# ---- properties -------------------------------------------------------------------------------------

def random_rows(r, n_a=6, n_b=5):
    return [dict(a="a%d" % a, b="b%d" % b, n=r.choice([0, 1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 17, 40, 99]))
            for a in range(n_a) for b in range(n_b)]


def random_order(r, rows):
    """The same rows and columns in another order, and the dimensions in that of the columns."""
    columns = r.sample(list(rows[0]), len(rows[0]))
    return ([{c: row[c] for c in columns} for row in r.sample(rows, len(rows))],
            ",".join(c for c in columns if c != "n"))


def test_every_policy_file_is_tried():
    """All that `hdis protect` takes: not true counts, nor rounding by sets of records."""
    names = {n[:-5] for n in os.listdir(os.path.join(ROOT, "catalogue", "policies"))}
    assert set(PRINTS) == names - {"none", "hes2018-cellkey"}


@every_policy
@pytest.mark.parametrize("exact", [[], ["--exact", "a=Total"]])
def test_pattern_follows_the_labels_and_not_the_order(policy, exact, tmp_path):
    args = ["--count", "n", "--policy", policy, *exact]
    for seed in range(3):
        r = random.Random(seed)
        rows = random_rows(r)
        want = shown(protect(write(tmp_path / "t.csv", rows), "a,b", *args), "a,b")
        for _ in range(2):
            other, dims = random_order(r, rows)
            assert shown(protect(write(tmp_path / "u.csv", other), dims, *args), "a,b") == want


@every_policy
@pytest.mark.parametrize("exact", [[], ["--exact", "a=Total"]])
def test_an_empty_category_changes_nothing(policy, exact, tmp_path):
    """Where zeros are shown. Where they are withheld, its stars are stars like others, see below."""
    args = ["--count", "n", "--policy", policy, *exact]
    for seed in range(3):
        rows = random_rows(random.Random(100 + seed))
        more = rows + [dict(a="empty", b="b%d" % b, n=0) for b in range(5)] \
            + [dict(a="a%d" % a, b="none", n=0) for a in range(6)]
        was = protect(write(tmp_path / "t.csv", rows), "a,b", *args)
        now = protect(write(tmp_path / "u.csv", more), "a,b", *args)
        new = {c: v for c, v in shown(now, "a,b").items() if c[0] == "empty" or c[1] == "none"}
        if PRINTS[policy][0] == 1:
            old = {c: v for c, v in shown(now, "a,b").items() if c not in new}
            assert old == shown(was, "a,b") and set(new.values()) == {"0"}
        else:
            assert set(new.values()) <= ({"*", "0"} if exact else {"*"})
        table = Table(now, ["a", "b"])
        found = attack(table, known_of(table, policy))
        stars = [c for c, row in table.cells.items() if row["shown"] == "*"]
        assert found is not None and (stars or PRINTS[policy][2] == "mid")
        for low, high in (found[c] for c in stars):
            assert high - low >= 4 or high == 0 and exact


@pytest.mark.parametrize("policy", [p for p in sorted(PRINTS) if PRINTS[p][0] == 0])
def test_nobody_and_few_people_look_alike(policy, tmp_path):
    """Where zeros are withheld: tables that print alike have one pattern, so none says where nobody is."""
    def print_of(rows):
        sums = collections.Counter()
        for r in rows:
            for a in (r["a"], "Total"):
                for b in (r["b"], "Total"):
                    sums[a, b] += r["n"]
        return {c: printed(n, policy) for c, n in sums.items()}

    n_tried = 0
    for seed in range(400):
        r = random.Random(seed)
        rows = [dict(a="a%d" % a, b="b%d" % b, n=0 if b == 0 else r.choice([0, 0, 1, 3, 5, 7, 12, 26]))
                for a in range(3) for b in range(4)]
        other = [dict(row, n=1) if row["b"] == "b0" and r.random() < 0.4 else row for row in rows]
        if rows == other or print_of(rows) != print_of(other):
            continue
        n_tried += 1
        one, two = (protect(write(tmp_path / "t.csv", t), "a,b", "--count", "n", "--policy", policy)
                    for t in (rows, other))
        assert one == two
        if n_tried == 8:
            return
    assert False, "too few tables that print alike"


@every_policy
def test_protecting_twice_changes_nothing(policy, tmp_path):
    """What was withheld is asked to be withheld; nothing more is needed."""
    args = ["--count", "n", "--policy", policy]
    for seed in range(3):
        rows = random_rows(random.Random(200 + seed))
        file = write(tmp_path / "t.csv", rows)
        first = protect(file, "a,b", *args)
        helpers = [dict(a=r["a"], b=r["b"]) for r in first if r["shown"] == ":"]
        sensitive = write(tmp_path / "s.csv", helpers, ["a", "b"])
        assert shown(protect(file, "a,b", *args, "--sensitive", sensitive), "a,b") == shown(first, "a,b")
        assert protect(file, "a,b", *args) == first


def test_wanted_figures_are_kept(tmp_path):
    rows = [dict(a=a, b=b, n=n) for a, b, n in
            [("A", "x", 3), ("A", "y", 20), ("A", "z", 21), ("B", "x", 30), ("B", "y", 31), ("B", "z", 32),
             ("C", "x", 40), ("C", "y", 41), ("C", "z", 42)]]
    file = write(tmp_path / "t.csv", rows)
    args = ["--count", "n", "--policy", "hes2014"]
    plain = shown(protect(file, "a,b", *args), "a,b")
    used = [c for c, v in plain.items() if v == ":" and "Total" not in c]
    assert used
    kept = shown(protect(file, "a,b", *args, "--wanted", "b=%s" % used[0][1]), "a,b")
    assert all(v != ":" for c, v in kept.items() if c[1] == used[0][1])


def test_margins_given_or_left_out_are_the_same(tmp_path):
    rows = random_rows(random.Random(3), 3, 3)
    want = shown(protect(write(tmp_path / "t.csv", rows), "a,b", "--count", "n"), "a,b")
    with_margins = rows + [dict(a="a%d" % a, b="Total", n=sum(r["n"] for r in rows if r["a"] == "a%d" % a))
                           for a in range(3)]
    got = shown(protect(write(tmp_path / "u.csv", with_margins), "a,b", "--count", "n"), "a,b")
    assert got == want
    records = [dict(a=r["a"], b=r["b"]) for r in rows for _ in range(r["n"])]
    got = shown(protect(write(tmp_path / "r.csv", records), "a,b"), "a,b")
    assert {c: v for c, v in got.items()} == {c: v for c, v in want.items() if c in got}


def test_unusual_but_proper_files(tmp_path):
    text = "\ufeffa,\"the count\"\r\n\"x, or y\",12\r\n\"say \"\"z\"\"\",30.0\r\n"
    (tmp_path / "t.csv").write_bytes(text.encode())
    got = shown(protect(tmp_path / "t.csv", "a", "--count", "THE COUNT"), "a")
    assert got == {("x, or y",): "10", ('say "z"',): "30", ("Total",): "40"}


# ---- refusals ---------------------------------------------------------------------------------------

REFUSED = [
    ("a,n\nx,1\ny\n", [], "line 3"),
    ("a,n\nx,1\n\"y,2\n", [], "never closed"),
    ("", [], "is empty"),
    ("a,n\nx,1\nx,2\n", [], "line 3: the cell of line 2 again: do --dims name every dimension"),
    ("a;n\nx;1\n", [], "is it separated by semicolons"),
    ("a\tn\nx\t1\n", [], "is it separated by semicolons, tabs or bars"),
    (b"a,n\nx,1\n\xff\xfe,2\n", [], "line 3: not UTF-8"),
    (b"a,n\nx,1\ny\0z,2\n", [], "line 3: a byte 0"),
    ("a,n\nx,1\n", ["--exact", "a=total"], "compared letter by letter"),
    ("a,n\nx,1\n", ["--polciy", "mhsds"], "unknown option --polciy (did you mean --policy?)"),
    ("a,n\nx,1\n", ["--hier", "a=x"], "(did you mean --hierarchy?)"),
    ("a,n\nx,1\n", ["--strange", "1"], "unknown option --strange; see"),
    ("a,n\nx,1\n,2\n", [], "line 3: the code in column a is empty"),
    ("a,n\nx,1\nTotal,2\n", [], "line 3, column n: the margin is not the sum of its parts"),
    ("a,n\nx,-1\n", [], "line 2, column n: not a whole number"),
    ("a,n\nx,4.2\n", [], "line 2, column n: not a whole number"),
    ("a,n\nx,1e3\n", [], "line 2, column n: not a whole number"),
    ("a,n\nx,\n", [], "line 2, column n: not a whole number"),
    ("a,n\nx,5000000001\n", [], "line 2, column n: not a whole number"),
    ("a,n\nx,99999999999999999999999999\n", [], "line 2, column n: not a whole number"),
    ("a,m\nx,1\n", [], "has no column \"n\", which --count names"),
    ("b,n\nx,1\n", [], "has no column \"a\", which --dims names"),
    ("a,n,n\nx,1,2\n", [], "have the same name"),
    ("a,n,p\nx,5,6\n", ["--people", "p"], "line 2: more people than records"),
    ("a,n\nx,1\n", ["--exact", "b=Total"], "--exact names a dimension that is not in --dims"),
    ("a,n\nx,1\n", ["--exact", "a=nowhere"], "--exact: dimension a has no such code"),
    ("a,n\nx,1\n", ["--wanted", "a"], "--wanted is written DIMENSION=..."),
    ("a,n\nx,1\n", ["--percent", "b"], "--percent names a dimension"),
    ("a,n\nx,1\n", ["--policy", "none"], "--with-small-numbers"),
    ("a,n\nx,1\n", ["--policy", "nowhere"], "there is no policy nowhere"),
    ("a,n\nx,1\n", ["--weight", "n"], "--weight goes with records"),
    ("a,n,v\nx,9,x\n", ["--value", "v"], "line 2, column v: not a plain decimal number"),
    ("a,n,v\nx,9,-3\n", ["--value", "v"], "line 2, column v: not a plain decimal number"),
    ("a,n,v\nx,9,123456789012345678\n", ["--value", "v"], "line 2, column v: too many digits"),
    ("a,n,v,m\nx,9,3,4\n", ["--value", "v", "--largest", "m"], "line 2, column m: larger than the sum"),
]


@pytest.mark.parametrize("text,args,words", REFUSED)
def test_refusals_are_one_line_and_leave_nothing(text, args, words, tmp_path):
    (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    out, proof = tmp_path / "out.csv", tmp_path / "proof"
    done = hdis("protect", tmp_path / "t.csv", "--dims", "a", "--count", "n", *args, "-o", out,
                "--certificate", proof)
    assert done.returncode in (1, 2) and done.stdout == ""
    assert done.stderr.count("\n") == 1 and words in done.stderr
    assert not out.exists() and not proof.exists()


TREES = [
    ("code,parent\nz,Total\nx,g\ng,h\nh,g\n", "line 4: the parents go round in a circle"),
    ("code,parent\nx,x\n", "line 2: a code cannot be its own parent"),
    ("code,parent\nx,g\n", "line 2: the way up does not end at the total"),
    ("code,parent\nx,g\ng,x\n", "line 2: the parents go round in a circle"),
    ("code,parent\na,b\nb,x\nx,g\ng,x\nz,Total\n", "line 4: the parents go round in a circle"),
    ("code,parent\nz,Total\nx,g\nx1,x\n", "line 3: the way up does not end at the total"),
    ("code,parent\nx,g\ny,Total\n", "line 2: the way up does not end at the total"),
    ("code,parent\nx,g\nx,h\ng,Total\nh,Total\n", "line 3: the code has a parent already on line 2"),
    ("code,parent\nTotal,g\nx,Total\n", "line 2: nothing can be above the total"),
    ("code,parent\ny,Total\n", "line 2: the code in column a is not in its hierarchy"),
    ("code,above\nx,Total\n", "the columns code and parent are needed"),
    ("code,parent\n", "has no rows"),
    ("code,parent\n,Total\nx,Total\n", "line 2: the code is empty"),
    ("code,parent\nx,\n", "line 2: the parent is empty"),
    ("code,parent\nx,Total\nq\n", "line 3"),
    ("", "is empty"),
]


@pytest.mark.parametrize("tree,words", TREES)
def test_wrong_hierarchies_are_refused(tree, words, tmp_path):
    (tmp_path / "t.csv").write_text("a,n\nx,12\n")
    (tmp_path / "tree.csv").write_text(tree)
    done = hdis("protect", tmp_path / "t.csv", "--dims", "a", "--count", "n", "--hierarchy",
                "a=%s" % (tmp_path / "tree.csv"))
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and words in done.stderr


def test_a_parent_without_a_line_in_one_of_two_trees(tmp_path):
    """It stands in the first tree, so it is known before any line of the second."""
    (tmp_path / "t.csv").write_text("a,n\nx,12\ny,30\n")
    (tmp_path / "one.csv").write_text("code,parent\nx,Total\ny,Total\n")
    (tmp_path / "two.csv").write_text("code,parent\nTotal,\ny,x\n")
    done = hdis("protect", tmp_path / "t.csv", "--dims", "a", "--count", "n", "--hierarchy",
                "a=%s" % (tmp_path / "one.csv"), "--hierarchy", "a=%s" % (tmp_path / "two.csv"))
    assert done.returncode == 1 and "two.csv, line 3: the way up does not end at the total" in done.stderr


def test_csv_carries_its_policy_and_certificate(tmp_path):
    """Beside a file, or below the figures where it is asked for; readers that know # skip it."""
    (tmp_path / "t.csv").write_text("a,n\nx,3\ny,40\nz,30\n")
    out = tmp_path / "o.csv"
    args = ("protect", tmp_path / "t.csv", "--dims", "a", "--count", "n")
    plain = hdis(*args)
    digest = re.search(r"^certificate ([0-9a-f]{64})$", plain.stderr, re.M)[1]
    assert hdis(*args, "--out", out).returncode == 0 and out.read_text() == plain.stdout
    about = json.loads((tmp_path / "o.csv.provenance.json").read_text())
    assert about["policy"] == "hes2018" and about["policy_version"] and about["certificate"] == digest
    lines = hdis(*args, "--footer").stdout.splitlines()
    figures = [x for x in lines if not x.startswith("# ")]
    assert figures == plain.stdout.splitlines() == lines[:len(figures)]
    assert any("policy hes2018 version " + about["policy_version"] in x for x in lines[len(figures):])
    assert "# certificate " + digest in lines
    own = tmp_path / "p.json"
    assert hdis(*args, "--out", tmp_path / "q.csv", "--provenance", own).returncode == 0
    assert own.exists() and not (tmp_path / "q.csv.provenance.json").exists()
    assert hdis(*args, "--footer", "--format", "json").returncode == 2


def test_linked_trees_must_cover_the_same(tmp_path):
    (tmp_path / "t.csv").write_text("a,n\nx,12\ny,30\n")
    (tmp_path / "one.csv").write_text("code,parent\nx,g\ny,g\ng,Total\n")
    (tmp_path / "two.csv").write_text("code,parent\nx,h\nh,Total\n")
    done = hdis("protect", tmp_path / "t.csv", "--dims", "a", "--count", "n",
                *[x for t in ("one", "two") for x in ("--hierarchy", "a=%s/%s.csv" % (tmp_path, t))])
    assert done.returncode == 1 and "one.csv, line 3: the code must be in" in done.stderr


def test_bad_usage_is_two(tmp_path):
    (tmp_path / "t.csv").write_text("a,n\nx,12\n")
    assert hdis("protect").returncode == 2
    assert hdis("protect", tmp_path / "t.csv").returncode == 2
    assert hdis("protect", tmp_path / "t.csv", "--dims", "a", "--nothing").returncode == 2
    assert hdis("protect", tmp_path / "absent.csv", "--dims", "a").returncode == 1


def test_all_small_is_not_refused(tmp_path):
    """A table of nothing but small figures is all stars."""
    got = shown(protect(write(tmp_path / "t.csv", [dict(a="x", n=3), dict(a="y", n=2)]), "a", "--count",
                        "n"), "a")
    assert set(got.values()) == {"*"}


def test_a_sum_without_contributors_is_refused(tmp_path):
    file = write(str(tmp_path / "sums.csv"), [{"a": "x", "v": 45, "c": 0}, {"a": "y", "v": 100, "c": 20}])
    done = hdis("protect", file, "--dims", "a", "--value", "v", "--contributors", "c")
    assert done.returncode == 1 and "line 2" in done.stderr and "45" not in done.stderr and not done.stdout


@pytest.mark.parametrize("option", ["--out", "--certificate", "--provenance"])
def test_the_table_itself_is_not_overwritten(tmp_path, option):
    file = write(str(tmp_path / "table.csv"), [{"a": "x", "n": 45}, {"a": "y", "n": 100}])
    before = open(file).read()
    os.symlink(file, tmp_path / "link.csv")
    for name in (file, str(tmp_path / "link.csv")):
        assert hdis("protect", file, "--dims", "a", "--count", "n", option, name).returncode == 2
        assert open(file).read() == before


def test_two_small_parts_do_not_tell_that_neither_is_zero(tmp_path):
    """Under mhsds 3 and 2 are marks for 0 to 4; a total of 5, printed or known not to be small, would leave 1 to 4."""
    rows = [dict(a=a, b=b, n=n) for a, b, n in (("x", "m", 3), ("x", "f", 2), ("y", "m", 39), ("y", "f", 50))]
    file = str(tmp_path / "t.csv")
    got = shown(protect(write(file, rows), "a,b", "--count", "n", "--policy", "mhsds"), "a,b")
    assert {got[c] for c in (("x", "m"), ("x", "f"), ("x", "Total"))} == {"*"}
    rows[0]["n"] = 2
    assert shown(protect(write(file, rows), "a,b", "--count", "n", "--policy", "mhsds"), "a,b") == got


def test_a_refusal_names_dimensions_and_no_code(tmp_path):
    """A star cannot stand for numbers that differ by 50."""
    rows = [dict(place=p, sex=s, n=n) for p, s, n in (("Secretville", "M", 3), ("Secretville", "F", 4),
                                                      ("Elsewhere", "M", 31), ("Elsewhere", "F", 47))]
    asked = write(str(tmp_path / "s.csv"), [dict(place="Secretville", sex="M", width=50)])
    done = hdis("protect", write(str(tmp_path / "t.csv"), rows), "--dims", "place,sex", "--count", "n",
                "--sensitive", asked)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and not done.stdout
    assert "one by place, sex" in done.stderr and "Secretville" not in done.stderr


FORGED = {
    "an interval": (r"(?m)^cell 1 7 ", "cell 0 9 "),
    "a wider figure": (r"(?m)^cell (\d+) (\d+)$", r"cell 0 -"),
    "a promise": (r"(?m)^cell 1 7 5 ", "cell 1 7 8 "),
    "a value of a witness": (r"(?m)^witness (\d+)", lambda m: "witness %d" % (int(m[1]) + 1)),
    "fewer witnesses": (r"(?m)^witness .*\n", ""),
    "a missing sum": (r"(?m)^rule .*\n(?=(rule|witness))", ""),
    "another sum": (r"(?m)^rule (\d+) (\d+) ", r"rule \2 \1 "),
    "a missing end": (r"(?m)^end\n", ""),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_proof_is_refused(what, tmp_path):
    file = write(str(tmp_path / "t.csv"), random_rows(random.Random(5)))
    assert hdis("protect", file, "--dims", "a,b", "--count", "n", "-o", tmp_path / "s.csv", "--certificate",
                tmp_path / "p.txt").returncode == 0
    audit = ["audit", tmp_path / "s.csv", "--format", "csv", "-o", tmp_path / "a.csv", "--certificate"]
    assert hdis(*audit, tmp_path / "p.txt").returncode == 0
    text = (tmp_path / "p.txt").read_text()
    once = 0 if what == "fewer witnesses" else 1
    forged = re.sub(*FORGED[what], text, count=once)
    assert forged != text
    (tmp_path / "f.txt").write_text(forged)
    done = hdis(*audit, tmp_path / "f.txt")
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
