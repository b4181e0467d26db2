"""Questions in SQL, as a person asks them: answers against SQLite over the same delivered files, what
is refused and in which words, and what disclosure leaves.

SQLite reads the synthetic text files by itself, so nothing of landing, vault or engine is shared.
"""

import collections
import csv
import fcntl
import glob
import json
import os
import re
import signal
import sqlite3
import subprocess
import time

import pytest

import truth


@pytest.fixture(scope="module")
def db(people):
    """Every delivered APC and A&E row as text, in SQLite."""
    con = sqlite3.connect(":memory:")
    for table, tag in (("apc", "HES_APC"), ("ae", "HES_AE"), ("op", "HES_OP")):
        made = False
        for path in sorted(glob.glob(os.path.join(people.files, "NIC000000_%s_*.txt" % tag))):
            with open(path, newline="", encoding="utf-8") as f:
                reader = csv.reader(f, delimiter="|", quoting=csv.QUOTE_NONE)
                header = [h.lower() for h in next(reader)]
                if not made:
                    con.execute("CREATE TABLE %s (%s)" % (table, ", ".join('"%s"' % h for h in header)))
                    made = True
                con.executemany(
                    "INSERT INTO %s VALUES (%s)" % (table, ",".join("?" * len(header))),
                    ([None if v.strip().lower() in ("", "null") else v.strip() for v in row]
                     for row in reader))
    return con


def shown(v):
    if v is None:
        return ""
    return repr(v) if isinstance(v, float) else str(v)


def same(a, b):
    if a == b:
        return True
    try:
        return abs(float(a) - float(b)) <= 1e-9 * max(1, abs(float(b)))
    except ValueError:
        return False


# (hdis, sqlite or None when the text serves both)
QUESTIONS = [
    ("SELECT count(*) AS n FROM apc", None),
    ("SELECT admimeth, count(*) AS n FROM apc GROUP BY 1 ORDER BY 1 NULLS FIRST", None),
    ("SELECT procode3, sex, count(*) AS n FROM apc GROUP BY procode3, sex", None),
    ("SELECT count(*) FILTER (WHERE classpat = '2') AS n, count(sex) AS s FROM apc", None),
    ("SELECT sex, count(*) AS n FROM apc WHERE admimeth IN ('21', '22') OR classpat = '2' GROUP BY ALL",
     "SELECT sex, count(*) AS n FROM apc WHERE admimeth IN ('21', '22') OR classpat = '2' GROUP BY sex"),
    ("SELECT count(*) AS n FROM apc WHERE NOT (sex = '1')", None),
    ("SELECT count(*) AS n FROM apc WHERE sex NOT IN ('1', '2') OR disdest LIKE '5%'", None),
    ("SELECT count(*) AS n FROM ae WHERE depdur BETWEEN 100 AND 240 AND aedepttype <> '01'",
     "SELECT count(*) AS n FROM ae WHERE CAST(depdur AS INT) BETWEEN 100 AND 240 AND aedepttype <> '01'"),
    ("SELECT procode3, avg(depdur) AS m, sum(depdur) AS s, min(depdur) AS a, max(depdur) AS z FROM ae "
     "GROUP BY 1",
     "SELECT procode3, avg(CAST(depdur AS INT)) AS m, sum(CAST(depdur AS INT)) AS s, "
     "min(CAST(depdur AS INT)) AS a, max(CAST(depdur AS INT)) AS z FROM ae GROUP BY 1"),
    ("SELECT CASE WHEN aeattenddisp = '01' THEN 'in' ELSE 'out' END AS w, count(*) AS n FROM ae GROUP BY 1",
     None),
    ("SELECT count(DISTINCT lsoa11) AS n FROM apc", None),
    ("SELECT count(*) AS n FROM apc WHERE coalesce(sex, '?') = '2' AND classpat || 'x' = '1x'", None),
    ("SELECT sex, classpat, count(*) AS n FROM apc GROUP BY 1, 2 HAVING count(*) > 50 ORDER BY n DESC, 1, 2 "
     "LIMIT 5", None),
    ("SELECT count(*) AS n FROM apc WHERE any_diagnosis = 'I10X'",
     "SELECT count(*) AS n FROM apc WHERE 'I10X' IN (%s)" % ", ".join(
         "diag_%02d" % i for i in range(1, 21))),
    ("SELECT count(*) AS n FROM apc WHERE any_diagnosis NOT IN ('I10X', 'E119')",
     "SELECT count(*) AS n FROM apc WHERE NOT ('I10X' IN (%s)) IS TRUE AND NOT ('E119' IN (%s)) IS TRUE" % (
         (", ".join("coalesce(diag_%02d, '')" % i for i in range(1, 21)),) * 2)),
    ("SELECT count(*) AS n FROM apc WHERE any_diagnosis IN codelist('diabetes')",
     "SELECT count(*) AS n FROM apc WHERE " + " OR ".join(
         "substr(diag_%02d, 1, 3) IN ('E10', 'E11', 'E12', 'E13', 'E14')" % i for i in range(1, 21))),
    ("SELECT diag_02, count(*) AS n FROM apc GROUP BY 1", None),
    ("SELECT primary_diagnosis AS d, count(*) AS n FROM apc GROUP BY 1",
     "SELECT diag_01 AS d, count(*) AS n FROM apc GROUP BY 1"),
    # several columns in one expression
    ("SELECT count(*) AS n FROM apc WHERE mainspef = tretspef", None),
    ("SELECT sex || classpat AS k, count(*) AS n FROM apc GROUP BY 1", None),
    ("SELECT count(*) AS n FROM ae WHERE depdur - initdur > 60",
     "SELECT count(*) AS n FROM ae WHERE CAST(depdur AS INT) - CAST(initdur AS INT) > 60"),
    ("SELECT count(DISTINCT epikey) AS n FROM apc", None),
    # columns that are shown twice, and rows from a place on
    ("SELECT diag_02 AS d, count(*) AS n, sex, count(*) AS again, diag_02 AS e, sum(1) AS s FROM apc "
     "WHERE diag_02 > 'K' GROUP BY diag_02, sex", None),
    ("SELECT sex, classpat, count(*) AS n, count(*) AS again FROM apc WHERE sex <> '9' AND classpat > '' "
     "GROUP BY 1, 2 LIMIT 3 OFFSET 2",
     "SELECT sex, classpat, count(*) AS n, count(*) AS again FROM apc WHERE sex <> '9' AND classpat > '' "
     "GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 3 OFFSET 2"),
]


@pytest.mark.parametrize("i", range(len(QUESTIONS)))
def test_answers_equal_those_of_sqlite(people, db, i):
    ours, theirs = QUESTIONS[i]
    cursor = db.execute(theirs or ours)
    names = [c[0] for c in cursor.description]
    want = [[shown(v) for v in row] for row in cursor]
    got = [[row[n] for n in names] for row in people.query(ours)]
    if "ORDER BY" not in ours:
        want.sort()
        got.sort()
    assert len(got) == len(want) and all(same(a, b) for g, w in zip(got, want) for a, b in zip(g, w)), \
        (got[:5], want[:5])


def test_people_and_medians(people, db):
    persons = {r[0] for r in db.execute("SELECT token_person_id FROM ae WHERE token_person_id IS NOT NULL")}
    waits = sorted(float(r[0]) for r in db.execute("SELECT depdur FROM ae WHERE depdur IS NOT NULL"))
    at = 0.9 * (len(waits) - 1)
    ninety = waits[int(at)] + (at - int(at)) * (waits[int(at) + 1] - waits[int(at)])
    half = (len(waits) - 1) / 2
    median = (waits[int(half)] + waits[-int(-half // 1) if half % 1 else int(half)]) / 2
    row = people.query("SELECT count(DISTINCT person) AS p, quantile_cont(depdur, 0.9) AS q, "
                       "median(depdur) AS m FROM ae")[0]
    assert int(row["p"]) == len(persons)
    assert same(row["q"], ninety) and same(row["m"], median)


def test_grouping_sets_add_up(people):
    rows = people.query("SELECT sex, classpat, count(*) AS n FROM apc WHERE sex IS NOT NULL AND classpat IS "
                        "NOT NULL GROUP BY CUBE (sex, classpat)")
    total = [int(r["n"]) for r in rows if not r["sex"] and not r["classpat"]]
    assert len(total) == 1
    for a, b in (("sex", "classpat"), ("classpat", "sex")):
        assert sum(int(r["n"]) for r in rows if r[a] and not r[b]) == total[0]
    assert sum(int(r["n"]) for r in rows if r["sex"] and r["classpat"]) == total[0]


REFUSED = [
    ("SELECT * FROM apc", "would return records"),
    ("SELECT sex FROM apc", "GROUP BY sex"),
    ("SELECT sex, count(*) FROM apc", "GROUP BY sex"),
    ("SELECT person, count(*) FROM apc GROUP BY 1", "count(DISTINCT person)"),
    ("SELECT epikey, count(*) FROM apc GROUP BY 1", "identifies a record"),
    ("SELECT count(*) FROM apc WHERE epikey = 5", "identifies a record"),
    ("SELECT max(person) FROM apc", "person"),
    ("SELECT count(*) FROM apc, ae", "one table"),
    ("SELECT count(*) FROM (SELECT 1)", "one table"),
    ("SELECT count(*) FROM apc WHERE sex IN (SELECT '1')", "question inside a question"),
    ("SELECT sum(count(*)) OVER () FROM apc", "OVER"),
    ("WITH x AS (SELECT 1) SELECT count(*) FROM apc", "WITH"),
    ("SELECT count(*) FROM apc UNION SELECT 1", "one SELECT"),
    ("SELECT count(*) FROM apc; SELECT 1", "one SELECT"),
    ("DROP TABLE apc", "SELECT"),
    ("COPY apc TO 'x'", "begins with SELECT"),
    ("PIVOT apc ON sex", "begins with SELECT"),
    ("SELECT sex, count(*) FROM apc GROUP BY 1 LIMIT 50%", "LIMIT must be a whole number"),
    ("SELECT count(*) FROM apc WHERE sex", "sex is text and no condition"),
    ("SELECT count(*) FROM apc WHERE 'x'", "is text and no condition"),
    ("SELECT count(*) FILTER (WHERE admimeth) FROM apc", "admimeth is text and no condition"),
    ("SELECT count(*) FROM apc WHERE startage = 'abc'", "startage is a number and is compared with a text"),
    ("SELECT count(*) FROM apc WHERE startage IN (1, '4x')", "startage is a number and is compared with a text"),
    ("SELECT count(*) FROM apc WHERE epistart > 'yesterday'", "epistart is a date and is compared with a text"),
    ("SELECT count(*) FROM apc WHERE epistart BETWEEN '2015-01-01' AND '2015-13-01'", "epistart is a date"),
    ("SELECT avg(startage + count(*)) FROM apc", "cannot stand in avg"),
    ("SELECT count(*) FROM apc WHERE sex = '\udcff'", "UTF-8"),
    ("SELECT count(*) FROM apc WHERE " + "NOT " * 20000 + "sex = '1'", "nested too deeply"),
    ("SELECT count(*) FROM read_csv('/etc/passwd')", "one table"),
    ("SELECT count(*) FROM '/etc/passwd'", "no table"),
    ("SELECT getenv('HOME'), count(*) FROM apc", "not available"),
    ("SELECT count(*) FROM apc WHERE nothing = 1", "hdis fields apc"),
    ("SELECT count(*) FROM nothing", "hdis datasets"),
    ("SELECT sum(sex) FROM apc", "needs a number"),
    ("SELECT count(*) FROM apc WHERE any_diagnosis > 'A'", "any_diagnosis can be tested"),
    ("SELECT count(*) FROM apc WHERE any_diagnosis IN codelist('none')", "no code list"),
    ("SELECT count(*) FROM apc WHERE diagnosis = 'I10'", "is a list"),
    ("SELECT min(startage), procode3 FROM apc GROUP BY 2", None),
    ("SELECT region, count(*) FROM spells GROUP BY ROLLUP (region, region_of(provider))", "stand twice"),
    ("SELECT count(*) FROM spells WHERE discharge_year = 2016", "is text and is compared with a number"),
    ("SELECT count(*) FROM apc WHERE sex IN ('1', 2)", "is text and is compared with a number"),
    ("SELECT count(*) FROM apc WHERE any_diagnosis = 10", "is text and is compared with a number"),
    ("SELECT count(*) FILTER (WHERE CASE sex WHEN 1 THEN true END) FROM apc", "is text and is compared"),
    ("SELEC 1", "SQL"),
    ("", ""),
]


@pytest.mark.parametrize("sql,words", REFUSED)
def test_what_is_refused_says_why_in_one_line(people, sql, words):
    done = people.run("query", sql, ok=False)
    assert done.returncode == (0 if words is None and done.returncode == 0 else 1)
    if words is not None:
        assert done.stdout == "" and done.stderr.count("\n") == 1 and words in done.stderr


@pytest.mark.parametrize("sql", [
    "SELECT procode3 AS k, sum(epidur) AS s FROM apc WHERE epidur IN (0, 6) GROUP BY 1",
    "SELECT procode3 AS k, sum(epidur) FILTER (WHERE epidur IN (0, 6)) AS s FROM apc GROUP BY 1",
    "SELECT procode3 AS k, avg(startage) AS s FROM apc WHERE age IN (74, 75) GROUP BY 1",
    "SELECT procode3 AS k, epidur, sum(epidur) AS s FROM apc WHERE epidur > 0 GROUP BY 1, 2",
    "SELECT procode3 AS k, sum(bedyear) AS s FROM apc WHERE epidur IN (0, 6) GROUP BY 1",
    "SELECT procode3 AS k, stddev(bedyear) AS s FROM apc WHERE epidur IN (0, 6) GROUP BY 1",
    "SELECT procode3 AS k, quantile_cont(bedyear, 0.75) AS s FROM apc WHERE epidur IN (0, 6) GROUP BY 1",
    "SELECT procode3 AS k, avg(epidur) AS s FROM apc WHERE epidur IN (0, 10, 20, 30, 40, 50, 60, 7) "
    "GROUP BY 1",
])
def test_sums_and_means_of_chosen_values_count_nobody(people, sql):
    """Conditions that leave few values, of the field itself or of one that goes with it."""
    assert {r["s"] for r in people.query(sql, true_counts=False)} <= {"*", "", "0"}


def test_means_of_many_values_are_shown(people):
    """Also where a condition reads the same field."""
    for narrow in ("", "WHERE length_of_stay >= 0 AND length_of_stay < 20"):
        sql = "SELECT provider AS k, count(*) AS n, avg(length_of_stay) AS m, sum(length_of_stay) AS s, " \
              "median(length_of_stay) AS d FROM spells %s GROUP BY 1" % narrow
        true = {r["k"]: r for r in people.query(sql)}
        large = [r for r in people.query(sql, true_counts=False) if int(true[r["k"]]["n"]) > 400]
        assert len(large) >= 8
        for r in large:
            t = true[r["k"]]
            assert abs(float(r["m"]) - float(t["m"])) <= 0.05 and float(r["d"]) == float(t["d"])
            assert abs(int(r["s"]) - int(t["s"])) <= int(t["s"]) / 40  # as its count of 400 or more


def test_a_cast_that_fails_is_null(people):
    """Neither an error nor a value of the data in one: a failure would be an answer."""
    rows = people.query("SELECT count(*) AS n, count(CAST(gpprac AS INTEGER)) AS k, "
                        "count(try_cast(gpprac AS INTEGER)) AS t FROM apc")
    assert int(rows[0]["n"]) > int(rows[0]["k"]) and rows[0]["k"] == rows[0]["t"]


def test_what_stands_above_aggregates_cannot_look_behind_a_star(people):
    tricks = ["coalesce(count(*), 5)", "CASE WHEN count(*) > 3 THEN 'many' ELSE 'few' END",
              "count(*) + 1000", "count(*)::VARCHAR || 'x'", "count(*) IS NULL", "greatest(count(*), 0)"]
    for trick in tricks:
        plain = people.query("SELECT gpprac AS k, count(*) AS n FROM apc GROUP BY 1", true_counts=False)
        stars = {r["k"] for r in plain if r["n"] == "*"}
        assert stars
        for r in people.query("SELECT gpprac AS k, %s AS n FROM apc GROUP BY 1" % trick,
                              true_counts=False):
            assert (r["n"] == "*") == (r["k"] in stars), (trick, r)
    having = people.query("SELECT gpprac AS k, count(*) AS n FROM apc GROUP BY 1 HAVING count(*) >= 1 AND "
                          "count(*) < 8", true_counts=False)
    assert having == []


def test_rules_of_hes2018(people):
    """Below national level: 0 is 0, 1 to 7 (records or people) is *, the rest is rounded to 5."""
    sql = ("SELECT procode3 AS p, discharge_month AS m, count(*) AS n, count(DISTINCT person) AS people, "
           "count(*) FILTER (WHERE sex = '9') AS z FROM spells GROUP BY 1, 2")
    true = {(r["p"], r["m"]): r for r in people.query(sql)}
    for r in people.query(sql, true_counts=False):
        t = true[r["p"], r["m"]]
        n, persons = int(t["n"]), int(t["people"])
        if n < 8 or persons < 8:
            assert r["n"] == r["people"] == r["z"] == "*"
        else:
            assert int(r["n"]) == 5 * round(n / 5) and int(r["people"]) == 5 * round(persons / 5)
            assert r["z"] == ("0" if t["z"] == "0" else "*" if int(t["z"]) < 8 else r["z"])
    national = "SELECT sex AS s, count(*) AS n FROM apc GROUP BY 1"
    assert people.query(national) == people.query(national, true_counts=False)


def test_a_plan_says_route_and_reason_and_no_counts(people):
    def plan(sql):
        return list(csv.reader(people.run("query", "--format", "csv", "EXPLAIN " + sql)
                               .stdout.splitlines()))[1:]
    rows = plan("SELECT provider, sex, count(*), avg(length_of_stay) FROM spells WHERE any_diagnosis "
                "IN codelist('diabetes') GROUP BY 1, 2")
    parts = [r[0] for r in rows]
    assert parts == ["table", "route", "blocks", "lookup table", "key", "key", "cells", "measure",
                     "measure", "scan"]
    assert rows[1][1] == "kernel" and rows[2][2] == "1 of 1"
    assert [r[1] for r in rows if r[0] in ("lookup table", "key")] == ["diagnosis", "procode3", "sex"]
    # A provider is below national level: neither its codes nor the cells are told.
    assert rows[4][2].startswith("codes not told, groups not told")
    assert rows[6][2].startswith("not told")
    local = plan("SELECT count(*) FROM spells WHERE provider = 'ZA4'")
    assert local[2][2] == "of 1: how many are left out is not told"
    for r in rows:
        for n in re.findall(r"at most ([0-9]+) ", r[2]):
            assert int(n) >= 256 and int(n) & (int(n) - 1) == 0
    rows = plan("SELECT sex, count(*) FROM spells WHERE length_of_stay > startage GROUP BY 1")
    assert rows[1][1] == "kernel"
    assert [r[2] for r in rows if r[2].startswith("of several columns: (length_of_stay > startage)")]
    # A test on a list has no codes of its own that an expression could be worked out for.
    rows = plan("SELECT sex, count(*) FROM spells WHERE (any_diagnosis = 'I10X') = (startage > 50) GROUP BY 1")
    assert rows[1] == ["route", "DuckDB",
                       "because a condition reads several columns in one expression"]
    assert sorted(r[1] for r in rows if r[0] == "column") == ["diagnosis", "sex", "startage"]
    # What may not be asked has no plan.
    r = people.run("query", "EXPLAIN SELECT person, count(*) FROM spells GROUP BY 1", ok=False)
    assert r.returncode == 1 and "person" in r.stderr


LONG = ("SELECT %s, count(*), median(epidur) FROM apc GROUP BY CUBE (1, 2, 3, 4, 5, 6, 7, 8)"
        % ", ".join(["gpprac", "epistart", "epiend", "admidate", "diag_01", "sex", "procode3", "admimeth"]))


def catches_interrupts(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        caught = next(line for line in f if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) >> (signal.SIGINT - 1) & 1


def test_a_question_is_stopped(people, tmp_path):
    out = tmp_path / "out.csv"
    done = people.run("query", "--time-limit", "0.2", "--format", "csv", "--out", str(out), LONG, ok=False)
    assert done.returncode == 1 and done.stderr == "hdis query: the question was stopped\n"
    assert not out.exists() and os.listdir(tmp_path) == []
    p = subprocess.Popen([truth.HDIS, "query", "--out", str(out), LONG], env=people.env,
                         stderr=subprocess.PIPE, text=True)
    while not catches_interrupts(p.pid):
        time.sleep(0.01)
    p.send_signal(signal.SIGINT)
    assert p.communicate(timeout=20)[1] == "hdis query: the question was stopped\n"
    assert p.returncode == 1 and os.listdir(tmp_path) == []


def test_limits_are_refusals_in_one_line(people):
    for args, words in ((["--memory-limit", "64MB", LONG], "of memory"),
                        (["SELECT rpad(sex, 200000000, 'x'), count(*) FROM apc GROUP BY 1"], "100000 is the most"),
                        (["SELECT count(*) FROM apc WHERE " + "NOT " * 2000 + "sex = '1'"], "nested"),
                        (["SELECT count(*) FROM apc WHERE %sprocode3%s = 'x'" % ("successor_of(" * 9, ")" * 9)],
                         "6 deep")):
        done = people.run("query", *args, ok=False)
        assert done.returncode == 1 and words in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert people.run("query", "--memory-limit", "much", "SELECT count(*) FROM apc", ok=False).returncode == 2
    assert people.run("query", "--time-limit", "soon", "SELECT count(*) FROM apc", ok=False).returncode == 2


def test_csv_and_json_hold_nothing_but_the_table(people, tmp_path):
    provenance = tmp_path / "p.json"
    done = people.run("query", "--format", "json", "--provenance", str(provenance),
                      "SELECT region, count(*) AS n FROM spells GROUP BY 1")
    rows = json.loads(done.stdout)
    assert {tuple(r) for r in rows} == {("region", "n")}
    about = json.loads(provenance.read_text())
    assert "hes2018" in json.dumps(about) and "hes2018" in done.stderr
    done = people.run("query", "--format", "csv", "SELECT region, count(*) AS n FROM spells GROUP BY 1")
    assert done.stdout.split("\n")[0] == "region,n" and "hes2018" not in done.stdout


def test_true_counts_need_a_purpose_and_are_recorded(people):
    sql = "SELECT gpprac, count(*) FROM apc GROUP BY 1"
    assert people.run("query", "--with-small-numbers", sql, ok=False).returncode == 2
    done = people.run("query", "--with-small-numbers", "--purpose", "why not", sql)
    assert re.search("(?i)small numbers", done.stderr)


def test_true_counts_do_not_wait_for_each_other_or_for_a_load(people):
    sql = "SELECT gpprac, count(*) FROM apc GROUP BY 1"
    with open(os.path.join(people.folder, "vault", "lock")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as a load holds it
        commands = [subprocess.Popen(
            [truth.HDIS, "query", "--with-small-numbers", "--purpose", "test", sql], env=people.env,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(4)]
        assert [c.wait() for c in commands] == [0, 0, 0, 0]


def test_same_answer_on_any_number_of_threads(people):
    sql = ("SELECT provider, discharge_month, count(*) AS n, avg(length_of_stay) AS m, "
           "count(DISTINCT person) AS p, median(length_of_stay) AS d FROM spells GROUP BY 1, 2")
    answers = collections.Counter()
    for threads in "1", "2", "5":
        people.env["HDIS_THREADS"] = threads
        answers[json.dumps(people.query(sql))] += 1
    del people.env["HDIS_THREADS"]
    assert len(answers) == 1


@pytest.mark.parametrize("order", ["2 DESC", "2, 1 DESC", "3 DESC NULLS FIRST", "3 NULLS LAST, 2 DESC", "4 DESC", "1 DESC NULLS LAST",
                                   "5, 1", "-count(*), 1"])
@pytest.mark.parametrize("policy", [(), ("--with-small-numbers", "--purpose", "test")])
def test_a_limit_cuts_the_ordered_rows(people, order, policy):
    """Few rows of many are found without ordering all of them."""
    sql = ("SELECT startage // 2 AS a, count(*) AS n, avg(length_of_stay) FILTER (WHERE sex = '1') AS m, "
           "count(*) FILTER (WHERE sex = '2') AS f, CASE WHEN startage > 50 THEN 'old' ELSE 'young' END AS t "
           "FROM spells WHERE region IS NOT NULL GROUP BY 1, 5 ORDER BY %s" % order)
    run = lambda tail: json.loads(people.run("query", "--format", "json", *policy, sql + tail).stdout)
    rows = run("")
    assert len(rows) > 40
    assert run(" LIMIT 4 OFFSET 3") == rows[3:7]
