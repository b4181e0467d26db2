"""Every form in which figures leave holds the same figures and nothing more; and figures that are put together
above the aggregates, by lists, or over two versions of the data, tell of nobody."""

import csv
import io
import json
import os
import re
import xml.etree.ElementTree as ET
import zipfile

import pytest
import truth

SQL = ("SELECT provider || strftime(discharge_month, '%Y%m') AS k, count(*) AS n, count(DISTINCT person) AS people, avg(length_of_stay) AS mean, "
       "1.0 * count(*) FILTER (WHERE sex = '1') / count(*) AS share FROM spells GROUP BY 1 ORDER BY 1")
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def plain(x):
    """A figure as text, whatever form it came in."""
    if x is None or x == "":
        return ""
    try:
        return "%.14g" % float(x)
    except ValueError:
        return str(x)


def as_csv(people, path):
    return [[plain(x) for x in row] for row in csv.reader(io.StringIO(
        people.run("query", "--format", "csv", SQL).stdout))][1:]


def as_json(people, path):
    return [[plain(x) for x in row.values()] for row in json.loads(
        people.run("query", "--format", "json", SQL).stdout)]


def as_xlsx(people, path):
    people.run("query", "--format", "xlsx", "--out", str(path), SQL)
    with zipfile.ZipFile(path) as z:
        strings = ["".join(t.text or "" for t in si.iter(SHEET + "t"))
                   for si in ET.fromstring(z.read("xl/sharedStrings.xml"))]
        sheet = ET.fromstring(z.read("xl/worksheets/sheet1.xml"))
    rows = []
    for row in sheet.iter(SHEET + "row"):
        line = [""] * 5
        for c in row:
            v = c.find(SHEET + "v")
            if v is not None:
                line["ABCDE".index(c.get("r")[0])] = plain(strings[int(v.text)] if c.get("t") == "s" else v.text)
        rows.append(line)
    return rows[1:]


def test_every_format_holds_the_same_figures_and_marks(people, tmp_path):
    forms = [form(people, tmp_path / "t.xlsx") for form in (as_csv, as_json, as_xlsx)]
    assert forms[0] == forms[1] == forms[2]
    marks = [x for row in forms[0] for x in row if x in ("*", ":")]
    assert len(forms[0]) > 50 and len(marks) > 20


def test_a_spreadsheet_hides_nothing(people, tmp_path):
    """One sheet that is seen, no names, comments, formulas or hidden rows; no number but what the table shows, in
    any part of the file, the properties and number formats too."""
    path = tmp_path / "t.xlsx"
    shown = {x for row in as_xlsx(people, path) for x in row}
    with zipfile.ZipFile(path) as z:
        parts = {name: z.read(name).decode("utf-8") for name in z.namelist()}
    book = ET.fromstring(parts["xl/workbook.xml"])
    sheets = [s for s in book.iter(SHEET + "sheet") if s.get("state") is None]
    assert sheets and len(sheets) == len(list(book.iter(SHEET + "sheet")))
    names = {n.get("name") for n in book.iter(SHEET + "definedName")}
    assert all(n.startswith("_xlnm.") for n in names), names
    assert not [n for n in parts if re.search("comment|vba|custom|drawing|chart|media|externalLink", n)]
    for name, text in parts.items():
        if "worksheets/" in name:
            assert "hidden" not in text and "<f" not in text.replace("<filter", ""), name
            for v in ET.fromstring(text).iter(SHEET + "c"):
                if v.get("t") != "s" and v.find(SHEET + "v") is not None and name.endswith("sheet1.xml"):
                    assert plain(v.find(SHEET + "v").text) in shown
    true = people.query(SQL)
    unshown = {r["mean"] for r in true if len(r["mean"]) > 6 and plain(r["mean"]) not in shown}
    assert unshown and not [n for n in unshown if any(n in text for text in parts.values())]
    assert not [f for f in re.findall(r'formatCode="([^"]*)"', parts["xl/styles.xml"]) if re.search(r"[1-9]", f)]


TRICKS = [
    "nullif(count(*), 3)", "coalesce(nullif(count(*), 3), 7)", "count(*) BETWEEN 1 AND 3", "count(*) IN (1, 2)",
    "least(count(*), 2)", "CASE count(*) WHEN 1 THEN 'one' ELSE 'more' END", "CASE WHEN count(*) IS NULL THEN 1 ELSE 2 END",
    "count(*) = count(DISTINCT person)", "concat(count(*), '')", "1 / (count(*) - 3)", "sqrt(count(*) - 4)",
    "count(*) IS DISTINCT FROM 2", "(count(*) > 2) OR true", "count(*) * 0", "count(*) / count(*)",
    "round(avg(startage)) + 0 * count(*)", "count(*) FILTER (WHERE sex = '1') / count(*) / (count(*) / 100)",
    "median(startage) + count(*)", "sum(startage) / count(*)",
    "(count(*) FILTER (WHERE sex = '1') / count(*)) / (count(*) FILTER (WHERE sex = '2') / count(*))"]
FEW = "SELECT provider, discharge_month, count(*) AS n%s FROM spells GROUP BY 1, 2%s"


def few_of(rows):
    return {(r["provider"], r["discharge_month"]) for r in rows if int(r["n"]) <= 7}


def test_no_expression_over_figures_tells_one_star_from_another(people):
    """In rows of few records an output that reads a figure is marked, whatever it makes of it."""
    few = few_of(people.query(FEW % ("", "")))
    rows = people.query(FEW % ("".join(", %s AS x%d" % (t, i) for i, t in enumerate(TRICKS)), ""), true_counts=False)
    assert len(few) > 100 and len(rows) > len(few) + 100
    for r in rows:
        if (r["provider"], r["discharge_month"]) in few:
            assert {r["x%d" % i] for i in range(len(TRICKS))} == {"*"}, r


UNKNOWN = "not a complete list: rows for which HAVING reads a withheld figure are left out"


def test_rows_that_having_cannot_judge_are_told_and_not_counted(people, tmp_path):
    """In every form; and not where HAVING reads no withheld figure."""
    sql = FEW % ("", " HAVING count(*) > 20")
    about = tmp_path / "p.json"
    done = people.run("query", "--provenance", str(about), sql)
    assert UNKNOWN in done.stderr and json.loads(about.read_text())["rows_with_unknown_having"] is True
    assert "\n# " + UNKNOWN + "\n" in people.run("query", "--format", "csv", "--footer", sql).stdout
    for form in ("table", "csv", "json", "xlsx", "ods"):
        out = tmp_path / ("t." + form)
        people.run("query", "--format", form, "--out", str(out), sql)
        if form in ("xlsx", "ods"):
            with zipfile.ZipFile(out) as z:
                text = "".join(z.read(n).decode("utf-8") for n in z.namelist())
            assert UNKNOWN in text and "policy hes2018 version" in text
        elif form == "table":
            assert UNKNOWN in out.read_text() and "policy hes2018 version" in out.read_text()
        else:
            beside = json.loads((tmp_path / ("t.%s.provenance.json" % form)).read_text())
            assert beside["rows_with_unknown_having"] is True and beside["policy"] == "hes2018"
    for complete in (FEW % ("", ""), "SELECT sex, count(*) AS n FROM spells GROUP BY 1 HAVING count(*) > 20"):
        done = people.run("query", "--provenance", str(about), complete)
        assert UNKNOWN not in done.stderr and json.loads(about.read_text())["rows_with_unknown_having"] is False


def test_rows_are_chosen_and_ordered_by_shown_figures(people):
    """HAVING, ORDER BY, LIMIT and OFFSET see no more than the reader."""
    few = few_of(people.query(FEW % ("", "")))
    key = lambda r: (r["provider"], r["discharge_month"])
    for having in ("count(*) >= 1 OR count(*) IS NULL", "coalesce(count(*), 1) = 1", "NOT (count(*) > 7)",
                   "CASE WHEN count(*) > 3 THEN true ELSE true END", "true OR count(*) = 3"):
        assert not few & {key(r) for r in people.query(FEW % ("", " HAVING " + having), true_counts=False)}, having
    by_key = [key(r) for r in people.query(FEW % ("", ""), true_counts=False) if r["n"] == "*"]
    for order in ("count(*)", "count(*) DESC", "coalesce(count(*), 4)", "CASE WHEN count(*) > 3 THEN 0 ELSE 1 END",
                  "count(*) NULLS FIRST", "1.0 / count(*)"):
        rows = [key(r) for r in people.query(FEW % ("", " ORDER BY " + order), true_counts=False)]
        assert rows[len(rows) - len(by_key):] == by_key, order  # last, by their keys alone
        limited = " ORDER BY %s LIMIT 5 OFFSET %d" % (order, len(rows) - 5)
        assert [key(r) for r in people.query(FEW % ("", limited), true_counts=False)] == rows[-5:]


def test_grouping_sets_do_not_stand_twice(people):
    """Two prints of one set, or one set under two names, could be told apart."""
    for sets in ("GROUPING SETS ((region), (region))", "GROUPING SETS ((region, sex), (sex, region))",
                 "ROLLUP (region, sex), CUBE (region)"):
        done = people.run("query", "--format", "csv", "SELECT region, sex, count(*) FROM spells GROUP BY " + sets, ok=False)
        if done.returncode:
            assert len(done.stderr.strip().splitlines()) == 1
            continue
        keys = [tuple(r[:2]) for r in csv.reader(io.StringIO(done.stdout))]
        assert len(keys) == len(set(keys)), sets


# ---- against a ledger that remembers ----------------------------------------------------------------------------

def shown(vault, sql):
    done = vault.run("query", "--format", "json", sql)
    return json.loads(done.stdout)[0]["n"], done.stderr


def test_positions_of_a_list_beside_the_whole_list(people, tmp_path):
    """Everybody with a code, and those who have it first: the rest are few."""
    codes = people.query("SELECT diag_03 AS c, count(*) AS n FROM apc WHERE diag_03 IS NOT NULL GROUP BY 1")
    for code in sorted((r["c"] for r in codes), key=lambda c: [int(r["n"]) for r in codes if r["c"] == c]):
        some = "SELECT count(*) AS n, count(DISTINCT person) AS p FROM apc WHERE any_diagnosis = '%s'" % code
        first = "SELECT count(*) AS n FROM apc WHERE diag_01 = '%s'" % code
        rest = people.query(some + " AND (diag_01 <> '%s' OR diag_01 IS NULL)" % code)[0]
        if 1 <= int(rest["p"]) <= 7 and int(people.query(first)[0]["n"]) > 7:
            break
    else:
        pytest.fail("no code that is seldom further down")
    whole = "SELECT count(*) AS n FROM apc WHERE any_diagnosis = '%s'" % code
    assert shown(people, whole)[0] - shown(people, first)[0] == int(rest["n"])  # people forgets
    vault = people.copy(tmp_path)
    assert isinstance(shown(vault, whole)[0], int)
    figure, footer = shown(vault, first)
    assert figure == ":" and "earlier release" in footer


def test_people_who_leave_between_two_versions(tmp_path):
    """One person opts out, another's hospital is corrected: nobody can be read off what is asked before and after."""
    vault = truth.Vault.__new__(truth.Vault)
    vault.folder, vault.files, vault.before, vault.remembers = str(tmp_path), str(tmp_path / "files"), None, True
    vault.env = dict(os.environ, HDIS_VAULT=str(tmp_path / "vault"), HDIS_KEY_FILE=str(tmp_path / "key"))
    vault.run("synth", "--people", "1500", "--years", "2014", "--seed", "3", "--out", vault.files)
    vault.run("init")
    name = os.path.join(vault.files, "NIC000000_HES_APC_201499.txt")
    with open(name, encoding="utf-8") as f:
        lines = [line.rstrip("\n").split("|") for line in f]
    who, hospital = lines[0].index("TOKEN_PERSON_ID"), lines[0].index("PROCODE3")
    vault.run("load", "apc", name)
    national, by_hospital = "SELECT count(*) AS n FROM apc", "SELECT procode3 AS k, count(*) AS n FROM apc GROUP BY 1"
    before = shown(vault, national)[0]
    rows = {r["k"]: r["n"] for r in vault.query(by_hospital, true_counts=False)}
    leaves = lines[1][who]
    gone = tmp_path / "gone.txt"
    gone.write_text(leaves + "\n")
    moved = next(line for line in lines[1:] if line[who] not in ("", leaves))
    places = sorted(k for k, n in rows.items() if n not in ("*", ":") and k != moved[hospital])
    for line in lines[1:]:
        if line[who] == moved[who]:
            line[hospital] = places[0]
    with open(name, "w", encoding="utf-8") as f:
        f.writelines("|".join(line) + "\n" for line in lines)
    vault.run("load", "apc", "--opt-outs", str(gone), name)
    true = int(vault.query(national)[0]["n"])
    assert 1 <= before - true <= 7  # what an exact figure would tell
    assert shown(vault, national)[0] == ":"
    after = {r["k"]: r["n"] for r in vault.query(by_hospital, true_counts=False)}
    assert after[places[0]] == ":" and all(after.get(k, ":") in (n, ":", "*") for k, n in rows.items())
