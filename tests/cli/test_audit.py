"""hdis audit: what can be worked out from a released table, ours or another tool's."""

import os
import random
import shutil

import pytest

from tables import CASES, Table, attack, hdis, known_of, read, rows_of, write

needs_cases = pytest.mark.skipif(not os.path.isdir(CASES), reason="no shared cases in " + CASES)


def case(*parts):
    return os.path.join(CASES, *parts)


def audit(file, *args, status=0):
    done = hdis("audit", file, "--format", "csv", *args)
    assert done.returncode == status, done.stderr
    return rows_of(done.stdout), done.stderr


def ends(rows, *dims):
    number = lambda text: int(text) if text else None
    return {tuple(r[d] for d in dims): (number(r["lowest"]), number(r["highest"])) for r in rows}


# ---- published answers ------------------------------------------------------------------------------

@needs_cases
def test_example_of_the_tau_argus_manual():
    rows, said = audit(case("04_tauargus_manual", "audit_2x2.csv"), "--numbers", "exact", "--mark",
                       "*=0..", status=1)
    found = ends(rows, "row", "col")
    assert found["1", "1"] == (3, 6)
    for r in read(case("04_tauargus_manual", "audit_2x2_expected.csv")):
        assert found[r["row"], r["col"]] == (int(r["lower"]), int(r["upper"]))
    assert all(r["verdict"] == "narrow" for r in rows) and "keep fewer than 5 values: 4" in said


@needs_cases
def test_what_rows_and_columns_alone_do_not_show():
    """Every row and column has two withheld cells, and yet w,b is fixed."""
    args = ["--dims", "v1,v2", "--total", "tot", "--numbers", "exact", "--mark", "*=0.."]
    rows, _ = audit(case("05_sdctable", "attack4x4.csv"), *args, status=1)
    found = ends(rows, "v1", "v2")
    want = read(case("05_sdctable", "attack4x4_expected.csv"))
    assert len(rows) == len(want)
    for r in want:
        assert found[r["v1"], r["v2"]] == (int(r["lower"]), int(r["upper"]))
    exact = [r for r in rows if r["verdict"] == "exact"]
    assert [(r["v1"], r["v2"]) for r in exact] == [("w", "b")]
    # The combination that it names gives the figure.
    figures = {(r["v1"], r["v2"]): int(r["shown"]) for r in
               read(case("05_sdctable", "attack4x4.csv")) if r["shown"] != "*"}
    total, sign = 0, 1
    for part in exact[0]["because"].replace("[", " [").split():
        if part in "+-":
            sign = 1 if part == "+" else -1
        elif part.startswith("[v1="):
            row = part[4:]
        else:
            total += sign * figures[row, part[3:-1]]
            sign = 1
    assert total == 47


@needs_cases
@pytest.mark.parametrize("trees,status,k", [(["county"], 0, (0, 9)), (["group"], 0, (0, 7)),
                                            (["county", "group"], 1, (3, 3))])
def test_two_trees_that_are_safe_alone_give_k_away_together(trees, status, k, tmp_path):
    rows = read(case("05_sdctable", "linked_released.csv"))
    codes = {"Total"}
    args = []
    for t in trees:
        edges = read(case("05_sdctable", "hier_%s.csv" % t))
        codes |= {e["code"] for e in edges}
        args += ["--hierarchy", "region=" + case("05_sdctable", "hier_%s.csv" % t)]
    file = write(tmp_path / "t.csv", [r for r in rows if r["region"] in codes])
    found, _ = audit(file, "--dims", "region", "--numbers", "exact", "--mark", "*=0..", *args,
                     status=status)
    assert ends(found, "region")["K",] == k
    if status:
        assert "[region=small]" in [r for r in found if r["region"] == "K"][0]["because"]


@needs_cases
def test_a_second_opinion_agrees(tmp_path):
    if not shutil.which("glpsol"):
        pytest.skip("glpsol is not installed")
    lp = tmp_path / "problem.lp"
    for file, args in ((case("05_sdctable", "attack4x4.csv"), ["--dims", "v1,v2", "--total", "tot"]),
                       (case("04_tauargus_manual", "audit_2x2.csv"), [])):
        rows, said = audit(file, *args, "--numbers", "exact", "--mark", "*=0..", "--lp", lp, status=1)
        assert "glpsol was asked about %d withheld figures: agrees on %d" % (len(rows), len(rows)) in said
        text = lp.read_text()
        assert all(word in text for word in ("Minimize", "Subject To", "Bounds", "General", "End"))


def test_the_problem_is_written_without_a_solver_too(tmp_path):
    file = write(tmp_path / "t.csv", [dict(a="x", shown="*"), dict(a="y", shown="*"),
                                      dict(a="Total", shown="10")])
    done = hdis("audit", file, "--lp", tmp_path / "p.lp")
    assert done.returncode == 0, done.stderr
    assert "x0" in (tmp_path / "p.lp").read_text()


# ---- what marks and numbers mean --------------------------------------------------------------------

def simple(tmp_path, *shown):
    codes = ["x", "y", "z"][:len(shown) - 1] + ["Total"]
    return write(tmp_path / "t.csv", [dict(a=c, shown=s) for c, s in zip(codes, shown)])


@pytest.fixture(autouse=True)
def in_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("args,shown,want,status", [
    ([], ["*", "100", "110"], (6, 7), 1),           # seven beside a rounded figure
    ([], ["*", "100", "105"], (1, 7), 0),
    (["--numbers", "exact"], ["*", "98", "99"], (1, 1), 1),
    (["--exact", "a=Total"], ["*", "100", "99"], (1, 1), 1),
    (["--policy", "mhsds"], ["*", "100", "100"], (0, 4), 0),
    (["--policy", "opensafely-midpoint6"], [":", "9", "21"], (7, 17), 0),
    (["--policy", "ons10-5"], ["*", "10", "15"], (1, 7), 0),
    (["--policy", "opensafely"], ["*", "10", "10"], (1, 7), 0), # the total is the sum of what is shown
    (["--people"], ["*", "100", "110"], (6, 14), 0),
    (["--mark", "c=2..", "--numbers", "exact"], ["c", "10", "16"], (6, 6), 1),
    (["--mark", "=0..9", "--numbers", "exact", "--values", "3"], ["", "", "10"], (1, 9), 0),
])
def test_marks_and_numbers(args, shown, want, status, tmp_path):
    rows, _ = audit(simple(tmp_path, *shown), *args, status=status)
    assert ends(rows, "a")["x",] == want


def test_cells_that_are_not_there_are_not_known(tmp_path):
    file = write(tmp_path / "t.csv", [dict(a="x", b="u", shown="*"), dict(a="x", b="v", shown="20"),
                                      dict(a="y", b="v", shown="30"),
                                      dict(a="Total", b="Total", shown="100")])
    rows, _ = audit(file)
    assert ends(rows, "a", "b")["x", "u"] == (1, 7)


def test_a_mark_that_can_only_be_zero_hides_nobody(tmp_path):
    """Under mhsds zeros are withheld; an exact 0 tells that its parts are 0, which is said."""
    file = write(tmp_path / "t.csv", [dict(a=a, b=b, shown=s, exact=e) for a, b, s, e in [
        ("A", "x", "20", "false"), ("A", "y", "*", "false"), ("B", "x", "20", "false"),
        ("B", "y", "*", "false"), ("Total", "x", "42", "true"), ("Total", "y", "0", "true")]])
    rows, says = audit(file, "--policy", "mhsds")
    assert [(r["verdict"], r["lowest"], r["highest"]) for r in rows] == [("zero", "0", "0")] * 2
    assert "2 marks for 0" in says and "with at least" not in says
    # A mark that does not count people may stand for an amount, and 0 is one.
    rows, _ = audit(file, "--policy", "mhsds", "--mark", "*=0..", status=1)
    assert [r["verdict"] for r in rows] == ["exact"] * 2
    # One that may stand for somebody is not let off: nobody or up to two.
    file = write(tmp_path / "u.csv", [dict(a=a, shown=s, exact=e) for a, s, e in [
        ("A", "20", "false"), ("B", "*", "false"), ("Total", "20", "true")]])
    rows, _ = audit(file, "--policy", "mhsds", status=1)
    assert [(r["verdict"], r["lowest"], r["highest"]) for r in rows] == [("narrow", "0", "2")]


def test_decimals(tmp_path):
    rows, _ = audit(simple(tmp_path, "*", "*", "12.5"), "--numbers", "exact", "--mark", "*=0..")
    assert {(r["lowest"], r["highest"]) for r in rows} == {("0", "12.5")}


# ---- unsound tables ---------------------------------------------------------------------------------

@pytest.mark.parametrize("shown,args", [
    (["*", "100", "150"], []),
    (["10", "20", "31"], ["--numbers", "exact"]),
    (["*", "*", "*", "0"], []),
])
def test_a_table_that_contradicts_itself_is_said_to(shown, args, tmp_path):
    done = hdis("audit", simple(tmp_path, *shown), *args)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "contradicts itself" in done.stderr


@pytest.mark.parametrize("policy", ["hes2014", "hes2018", "mhsds", "ons10-5", "opensafely", "opensafely-midpoint6"])
@pytest.mark.parametrize("decimals", [0, 2])
def test_a_table_of_sums_is_attacked_with_its_rounding_known(policy, decimals, tmp_path):
    """What hdis protect made of sums passes, with its proof; every interval holds the truth."""
    r = random.Random(decimals)
    rows = [dict(a="a%d" % r.randrange(5), b="b%d" % r.randrange(6), v="%.*f" % (decimals, 10 * 1.9 ** r.uniform(0, 8)))
            for _ in range(200)]
    out, proof = tmp_path / "out.csv", tmp_path / "proof.txt"
    done = hdis("protect", write(tmp_path / "t.csv", rows), "--dims", "a,b", "--value", "v", "--policy", policy,
                "-o", out, "--certificate", proof)
    assert done.returncode == 0, done.stderr
    found, said = audit(out, "--numbers", "sums", "--decimals", decimals, "--policy", policy, "--certificate", proof)
    assert "each uncertain by a tenth" in said and "adds up" in said
    assert sum(x["verdict"] == "safe" for x in found) > 2
    for x in found:
        true = sum(round(float(y["v"]) * 100) for y in rows if all(x[d] in ("Total", y[d]) for d in "ab"))
        assert round(float(x["lowest"]) * 100) <= true, x
        assert not x["highest"] or true <= round(float(x["highest"]) * 100), x


@pytest.mark.parametrize("cells,total,verdict,ends", [
    ("*", "1000", "narrow", (196, 204)),  # 800 is 798 to 802, 1000 is 998 to 1002
    ("*", "805", "safe", (1, 9)),
    (":", "1000", "helper", (196, 204))])
def test_a_withheld_sum_is_held_against_a_tenth_of_itself(cells, total, verdict, ends, tmp_path):
    file = write(tmp_path / "t.csv", [dict(a="x", shown=cells), dict(a="y", shown="800"), dict(a="Total", shown=total)])
    found, said = audit(file, "--numbers", "sums", status=int(verdict == "narrow"))
    assert (found[0]["verdict"], int(found[0]["lowest"]), int(found[0]["highest"])) == (verdict, *ends)
    assert ("keep less than a tenth: 1" in said) == (verdict == "narrow")


def test_contradictions_between_several_sums(tmp_path):
    rows = [dict(a=a, b=b, shown=s) for a, b, s in
            [("A", "x", "c"), ("A", "y", "c"), ("A", "Total", "10"), ("B", "x", "c"), ("B", "y", "c"),
             ("B", "Total", "10"), ("Total", "x", "30"), ("Total", "y", "c"), ("Total", "Total", "c")]]
    done = hdis("audit", write(tmp_path / "t.csv", rows), "--numbers", "exact", "--mark", "c=0..")
    assert done.returncode == 1 and "contradicts itself" in done.stderr


# ---- against brute force and against the attacker of the tests --------------------------------------

@pytest.mark.parametrize("seed", range(25))
def test_intervals_against_all_tables(seed, tmp_path):
    """2 x 3 tables of 0..9 with some cells hidden: the ends are those of all whole-number tables."""
    r = random.Random(seed)
    n = [[r.randrange(10) for _ in range(3)] for _ in range(2)]
    hidden = {(i, j) for i in range(2) for j in range(3) if r.random() < 0.6}
    rows = [dict(a="a%d" % i, b="b%d" % j, shown="h" if (i, j) in hidden else n[i][j])
            for i in range(2) for j in range(3)]
    rows += [dict(a="a%d" % i, b="Total", shown=sum(n[i])) for i in range(2)]
    rows += [dict(a="Total", b="b%d" % j, shown=n[0][j] + n[1][j]) for j in range(3)]
    rows += [dict(a="Total", b="Total", shown=sum(map(sum, n)))]
    possible = {}
    for x in range(30):
        for y in range(30):
            t = [[x, y, sum(n[0]) - x - y]]
            t.append([n[0][j] + n[1][j] - t[0][j] for j in range(3)])
            if min(map(min, t)) >= 0 and all(t[i][j] == n[i][j] for i in range(2) for j in range(3)
                                             if (i, j) not in hidden):
                for i, j in hidden:
                    possible.setdefault((i, j), set()).add(t[i][j])
    done = hdis("audit", write(tmp_path / "t.csv", rows), "--numbers", "exact", "--mark", "h=0..",
                "--format", "csv")
    found = ends(rows_of(done.stdout), "a", "b")
    for (i, j), values in possible.items():
        assert found["a%d" % i, "b%d" % j] == (min(values), max(values))
    assert done.returncode == any(len(v) < 5 for v in possible.values())


@pytest.mark.parametrize("seed", range(5))
def test_the_plain_rule_is_seen_through(seed, tmp_path):
    """Threshold and rounding alone leak; audit finds at least what propagation finds."""
    r = random.Random(seed)
    n = {(i, j): r.choice([0, 1, 2, 5, 7, 8, 12, 40]) for i in range(6) for j in range(5)}
    count = lambda a, b: sum(v for (i, j), v in n.items() if a in ("Total", "a%d" % i)
                             and b in ("Total", "b%d" % j))
    printed = lambda x: "*" if 1 <= x <= 7 else str((x + 2) // 5 * 5)
    rows = [dict(a=a, b=b, shown=printed(count(a, b))) for a in ["a%d" % i for i in range(6)] + ["Total"]
            for b in ["b%d" % j for j in range(5)] + ["Total"]]
    table = Table(rows, ["a", "b"])
    bounds = attack(table, known_of(table, "hes2018"))
    done = hdis("audit", write(tmp_path / "t.csv", rows), "--format", "csv")
    found = ends(rows_of(done.stdout), "a", "b")
    for cell, (low, high) in bounds.items():
        if table.cells[cell]["shown"] == "*":
            assert found[cell][0] >= low and found[cell][1] <= high
            assert found[cell][0] <= count(*cell) <= found[cell][1]
            if high - low < 4:
                assert done.returncode == 1


# ---- large tables -----------------------------------------------------------------------------------

def large(tmp_path, n):
    """n codes a dimension, few of whose cells are in the file; one line has a star of 1 to 4."""
    rows = [dict(a="a0", b="b0", c="c0", shown="*"), dict(a="a0", b="b0", c="c1", shown="10"),
            dict(a="a0", b="b0", c="Total", shown="10")]
    rows += [dict(a="a0", b="b0", c="c%d" % i, shown="0") for i in range(2, n)]
    rows += [dict(a="a%d" % i, b="b%d" % i, c="c0", shown="*") for i in range(1, n)]
    rows += [dict(a="a1", b="Total", c="Total", shown="5000000000")] # above what fits 32 bits
    return write(tmp_path / "t.csv", rows)


def audit_large(tmp_path, n):
    """The verdict on the leak comes off; the others are given back."""
    done = hdis("audit", large(tmp_path, n), "--format", "csv")
    assert done.returncode == 1
    rows = {(r["a"], r["b"], r["c"]): r for r in rows_of(done.stdout)}
    leak = rows.pop(("a0", "b0", "c0"))
    assert (leak["lowest"], leak["highest"], leak["verdict"]) == ("1", "4", "narrow")
    assert len(rows) == n - 1
    assert {(r["lowest"], r["highest"]) for r in rows.values()} == {("1", "7")}
    return done.stderr, {r["verdict"] for r in rows.values()}


def test_cells_that_are_not_in_the_file_are_no_figures(tmp_path):
    """Of 9 thousand cells hardly any is there; what lacks is subtracted from nothing."""
    text, verdicts = audit_large(tmp_path, 20)
    assert verdicts == {"safe"} and "too large" not in text


def test_what_is_too_large_is_looked_at_by_its_sums(tmp_path):
    """A million cells are more than is searched."""
    text, verdicts = audit_large(tmp_path, 100)
    assert verdicts == {"not proven"} and "too large to prove" in text
    done = hdis("audit", tmp_path / "t.csv", "--lp", tmp_path / "lp")
    assert done.returncode == 1 and "--lp writes at most 1000000" in done.stderr
    assert not (tmp_path / "lp").exists()


def test_a_large_table_is_proven_figure_by_figure(tmp_path):
    """36 thousand cells: the ends are those that the sums leave, the values come from tables."""
    r = random.Random(4)
    rows = [dict(a="a%d" % a, b="b%d" % b, c="c%d" % c, n=r.choice([0, 0, 2, 5, 9, 14, 33, 120]))
            for a in range(32) for b in range(32) for c in range(32)]
    out = tmp_path / "out.csv"
    assert hdis("protect", write(tmp_path / "t.csv", rows), "--dims", "a,b,c", "--count", "n", "-o",
                out).returncode == 0
    found, says = audit(out)
    assert "each with at least 5" in says and len(found) > 5000 and {f["verdict"] for f in found} <= {"safe", "helper"}
    true = {(x["a"], x["b"], x["c"]): x["n"] for x in rows}
    for f in found:
        n = true.get((f["a"], f["b"], f["c"]))
        assert n is None or int(f["lowest"]) <= n <= (int(f["highest"]) if f["highest"] else n)


def test_a_large_table_that_contradicts_itself_is_said_to(tmp_path):
    rows = read(large(tmp_path, 100))
    rows[2]["shown"] = "30"
    done = hdis("audit", write(tmp_path / "u.csv", rows))
    assert done.returncode == 1 and "contradicts itself" in done.stderr


# ---- refusals ---------------------------------------------------------------------------------------

REFUSED = [
    ("a,shown\nx,7\n", [], "line 2: policy hes2018 does not print this number"),
    ("a,shown\nx,c\n", [], "line 2: neither a number of 0 or more nor a known mark"),
    ("a,shown\nx,-3\n", [], "line 2: neither a number"),
    ("a,shown\nx,10.5\n", [], "has decimals"),
    ("a,shown\nx,10\nx,10\n", [], "line 3: the cell of line 2 again: name its dimensions with --dims"),
    ("a,b,shown\nx,p,10\nx,q,10\n", ["--dims", "a"], "again: do --dims name every dimension"),
    ("a;shown\nx;10\n", [], "is it separated by semicolons"),
    ("a,shown\n", [], "has no rows"),
    (b"a,shown\nx,10\n\xe9,20\n", [], "line 3: not UTF-8"),
    ("a,shown\nx,10\ny\n", [], "line 3"),
    ("a,n\nx,10\n", [], "has no column \"shown\""),
    ("shown\n10\n", [], "no columns beside the figures"),
    ("a,shown\nx,10\n", ["--mark", "c"], "--mark is written"),
    ("a,shown\nx,10\n", ["--mark", "c=5..2"], "--mark is written"),
    ("a,shown\nx,10\n", ["--policy", "nowhere"], "there is no policy"),
    ("a,shown\nx,10\n", ["--certificate", "absent.txt"], "absent.txt"),
    ("a,shown\nx,10\n", ["--hierarchy", "a=absent.csv"], "absent.csv"),
    ("", [], "is empty"),
    ("a,shown\nx,10\n", ["--exact", "a=X"], "compared letter by letter"),
    ("a,shown,exact\nx,10,false\nTotal,10,false\n", ["--exact", "a=Total"], "line 3: --exact names a figure"),
]


@pytest.mark.parametrize("text,args,words", REFUSED)
def test_refusals_are_one_line_and_leave_nothing(text, args, words, tmp_path):
    (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    done = hdis("audit", tmp_path / "t.csv", *args, "-o", tmp_path / "out.csv")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and words in done.stderr
    assert not (tmp_path / "out.csv").exists()


def test_bad_usage_is_two(tmp_path):
    file = simple(tmp_path, "10", "10")
    assert hdis("audit").returncode == 2
    assert hdis("audit", file, "--numbers", "some").returncode == 2
    assert hdis("audit", file, "--values", "1").returncode == 2
    assert hdis("audit", file, "--nothing").returncode == 2


def test_what_sums_show_to_be_large_needs_no_protection(tmp_path):
    """Under midpoint6 a mark says nothing of a figure's size: here 28 less 13 to 18 is 10 to 15, and 12 to 15 with the row."""
    rows = [dict(zip(("a", "b", "n"), x)) for x in (
        ("a0", "b0", 13), ("a0", "b1", 0), ("a0", "b2", 16), ("a1", "b0", 15), ("a1", "b1", 2), ("a1", "b2", 2))]
    out, proof = tmp_path / "out.csv", tmp_path / "proof.txt"
    done = hdis("protect", write(tmp_path / "t.csv", rows), "--dims", "a,b", "--count", "n", "--policy",
                "opensafely-midpoint6", "--exact", "a=Total", "-o", out, "--certificate", proof)
    assert done.returncode == 0, done.stderr
    assert {(x["a"], x["b"]) for x in read(out) if x["shown"] == ":"} == {("a1", "b0")}
    done = hdis("audit", out, "--dims", "a,b", "--policy", "opensafely-midpoint6", "--certificate", proof)
    assert done.returncode == 0 and "not small, or national" in done.stderr, done.stderr
