"""Questions under each policy of the catalogue: every figure is what the policy's text says, nothing is
shown that hes2018's additions would withhold, and the output names the policy and its version."""

import json
import os
import re

import pytest

import truth

FOLDER = os.path.join(truth.ROOT, "catalogue", "policies")
NAMES = sorted(f[:-5] for f in os.listdir(FOLDER) if f.endswith(".yaml"))
SQL = ("SELECT procode3 AS p, discharge_month AS m, count(*) AS n, count(DISTINCT person) AS people, "
       "avg(length_of_stay) AS days FROM spells GROUP BY 1, 2")


def load(name):
    with open(os.path.join(FOLDER, name + ".yaml"), encoding="utf-8") as f:
        found = re.findall(r"^(\w+): (.*)$", f.read(), re.M)
    plain = {key: value.strip('"') for key, value in found}
    return {key: int(v) if v.isdigit() and key != "version" else v for key, v in plain.items()}


def ask(people, name, sql):
    done = people.run("query", "--format", "json", "--policy", name, sql)
    return json.loads(done.stdout), done.stderr


def printed(rule, n):
    if n == 0:
        return 0
    base = rule["rounded_to"]
    if rule["rounding"] == "midpoint":
        return -(-n // base) * base - base // 2
    return (2 * n + base) // (2 * base) * base


@pytest.mark.parametrize("name", [n for n in NAMES if n != "none"])
def test_every_figure_follows_the_policy(people, name):
    rule = load(name)
    true = {(r["p"], r["m"]): r for r in people.query(SQL)}
    rows, footer = ask(people, name, SQL)
    assert "policy %s version %s" % (name, rule["version"]) in footer
    assert rows
    seen = set()
    for r in rows:
        t = true[r["p"] or "", r["m"] or ""]
        n, persons = int(t["n"]), int(t["people"])
        if rule["withheld_from"] <= n <= rule["withheld_to"] or persons < rule["minimum_persons"]:
            assert r["n"] == r["people"] == r["days"] == rule["mark"]
            seen.add("withheld")
            continue
        for key, count in (("n", n), ("people", persons)):
            if r[key] != rule["secondary_mark"]:
                if rule["rounding"] == "by_set":
                    assert r[key] % rule["rounded_to"] == 0 and abs(r[key] - count) < rule["rounded_to"]
                else:
                    assert r[key] == printed(rule, count)
                seen.add("shown")
        assert r["days"] in (rule["mark"], None) or n >= rule["minimum_mean_records"]
    assert "shown" in seen and ("withheld" in seen or rule["withheld_to"] < rule["withheld_from"])


def test_totals_are_sums_where_the_policy_says_so(people):
    sql = "SELECT region AS r, sex AS s, count(*) AS n FROM spells GROUP BY ROLLUP (1, 2) ORDER BY 1, 2"
    rows, _ = ask(people, "opensafely", sql)
    parts = [r for r in rows if r["s"] is not None]
    totals = [r for r in rows if r["s"] is None and r["r"] is not None]
    assert parts and totals
    number = lambda r: r["n"] if isinstance(r["n"], int) else 0
    for t in totals:
        if isinstance(t["n"], int):
            assert t["n"] == sum(number(r) for r in parts if r["r"] == t["r"])
    grand = [r for r in rows if r["s"] is None and r["r"] is None]
    assert sum(number(r) for r in parts) in [r["n"] for r in grand]


def test_a_policy_that_is_not_there_lists_those_that_are(people):
    done = people.run("query", "--policy", "hes2019", "SELECT count(*) FROM spells", ok=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert all(name in done.stderr for name in NAMES)
    for args in (["--policy", "none"],
                 ["--policy", "mhsds", "--with-small-numbers", "--purpose", "x"]):
        done = people.run("query", *args, "SELECT count(*) FROM spells", ok=False)
        assert done.returncode == 2 and done.stdout == ""


def test_indicators_and_reports_take_a_policy(people, tmp_path):
    done = people.run("indicator", "--policy", "opensafely-midpoint6", "--format", "json",
                      "ae_within_4_hours")
    rows = json.loads(done.stdout)
    assert "policy opensafely-midpoint6" in done.stderr
    assert all(r["denominator"] == 0 or r["denominator"] % 6 == 3 for r in rows
               if isinstance(r["denominator"], int))
    page = tmp_path / "page.html"
    people.run("report", "oversight", "--period", "2016-10", "--policy", "mhsds", "--out", str(page))
    assert "mhsds" in page.read_text()
