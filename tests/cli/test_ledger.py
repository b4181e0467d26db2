"""The ledger of releases through the program: what one person was shown changes what another is shown."""

import csv
import io
import json
import os
import re
import shutil
import sqlite3

import pytest

import truth


@pytest.fixture
def vault(people, tmp_path):
    """The same data with a ledger that remembers."""
    return people.copy(tmp_path)


def ask(vault, sql, *args):
    done = vault.run("query", "--format", "json", *args, sql)
    return json.loads(done.stdout), done.stderr


ALL = "SELECT region AS r, count(*) AS n, count(DISTINCT person) AS p, avg(length_of_stay) AS m FROM spells "


def few(people):
    """Conditions that leave out 1 to 7 people of a region, found with true counts."""
    rows = people.query("SELECT region AS r, startage AS a, count(DISTINCT person) AS p FROM spells "
                        "WHERE startage BETWEEN 20 AND 100 GROUP BY 1, 2")
    return [(r["r"], r["a"]) for r in rows if r["r"] and 1 <= int(r["p"]) <= 7]


def test_a_condition_that_leaves_out_few_people_is_withheld(vault, people):
    region, age = few(people)[0]
    without = ALL + "WHERE startage <> %s OR startage IS NULL GROUP BY 1 ORDER BY 1" % age
    alone, _ = ask(people, without)  # people forgets
    assert [r for r in alone if r["r"] == region][0]["n"] != ":"
    before, _ = ask(vault, ALL + "GROUP BY 1 ORDER BY 1")
    after, footer = ask(vault, without)
    row = [r for r in after if r["r"] == region][0]
    assert row["n"] == row["p"] == row["m"] == ":" and "earlier release" in footer
    assert any(r["n"] != ":" for r in after) or len(after) < 3
    assert [r["r"] for r in after] == [r["r"] for r in before]


def test_the_same_question_has_the_same_answer(vault, people):
    region, age = few(people)[0]
    first = ask(vault, ALL + "GROUP BY 1 ORDER BY 1")
    without = ALL + "WHERE startage <> %s OR startage IS NULL GROUP BY 1 ORDER BY 1" % age
    second = ask(vault, without)
    entries = vault.run("release", "list").stdout.count("\n")
    assert ask(vault, ALL + "GROUP BY 1 ORDER BY 1") == first
    assert ask(vault, without) == second
    assert vault.run("release", "list").stdout.count("\n") == entries


@pytest.mark.parametrize("sql", [
    "SELECT region, sex, count(*), count(DISTINCT person), sum(length_of_stay), avg(length_of_stay), "
    "stddev(length_of_stay), median(length_of_stay), quantile_cont(length_of_stay, 0.9), "
    "count(*) FILTER (WHERE startage > 60) / count(*) FROM spells GROUP BY ROLLUP (1, 2) ORDER BY 1, 2",
    "SELECT startage // 10, count(*), avg(length_of_stay), sum(length_of_stay), median(startage), max(sex), "
    "min(startage) FROM spells GROUP BY 1 ORDER BY 1",
    "SELECT provider, sum(length_of_stay) FILTER (WHERE startage > 200), avg(length_of_stay) FILTER (WHERE startage > 200), "
    "median(length_of_stay) FILTER (WHERE startage > 200) FROM spells GROUP BY 1 ORDER BY 1"])
@pytest.mark.parametrize("policy", ["hes2018", "hes2018-cellkey"])
def test_figures_of_every_kind_are_shown_again_as_they_were(vault, sql, policy):
    """They come from the ledger, without looking at the records."""
    first = ask(vault, sql, "--policy", policy)
    assert len(first[0]) > 2 and ask(vault, sql, "--policy", policy) == first


@pytest.mark.parametrize("policy", ["hes2018", "hes2018-cellkey"])
@pytest.mark.parametrize("fields", [("provider", "startage // 10"), ("provider", "admission_type"), ("region", "startage // 5")])
def test_a_table_with_its_totals_stands_an_attack(vault, fields, policy, tmp_path):
    """What a question showed, as a table of `hdis audit` under the same policy."""
    where = " AND ".join("%s IS NOT NULL" % f for f in fields)
    done = vault.run("query", "--format", "csv", "--policy", policy,
                     "SELECT %s AS a, %s AS b, count(*) AS shown FROM spells WHERE %s GROUP BY CUBE (1, 2)"
                     % (*fields, where))
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    for r in rows:
        r.update(a=r["a"] or "Total", b=r["b"] or "Total")
    shown = {(r["a"], r["b"]) for r in rows}
    for a in {r["a"] for r in rows}:  # a row that does not appear holds nobody, or lies below a mark
        for b in {r["b"] for r in rows} - {b for x, b in shown if x == a}:
            rows.append(dict(a=a, b=b, shown="?"))
    path = tmp_path / "t.csv"
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.DictWriter(f, ["a", "b", "shown"])
        out.writeheader()
        out.writerows(rows)
    assert sum(r["shown"] == "*" for r in rows) > 3
    done = vault.run("audit", path, "--policy", policy, "--people", "--mark", "?=0..7", ok=False)
    assert done.returncode == 0, done.stderr


def test_a_total_asked_for_alone_is_the_row_of_the_table(vault, people):
    """A row of a breakdown and the same records by a condition are one set."""
    rows, _ = ask(vault, ALL + "GROUP BY 1 ORDER BY 1")
    for r in rows[:3]:
        alone, _ = ask(vault, "SELECT count(*) AS n FROM spells WHERE region = '%s'" % r["r"])
        assert alone[0]["n"] == r["n"]


def test_agreements_can_be_kept_apart(vault, people):
    region, age = few(people)[0]
    without = ALL + "WHERE startage <> %s OR startage IS NULL GROUP BY 1 ORDER BY 1" % age
    vault.run("release", "compare", "agreement")
    ask(vault, ALL + "GROUP BY 1 ORDER BY 1", "--agreement", "one")
    row = [r for r in ask(vault, without, "--agreement", "two")[0] if r["r"] == region][0]
    assert row["n"] != ":"
    vault.run("release", "compare", "dataset")
    again = without.replace("ORDER BY 1", "ORDER BY 1 ")
    row = [r for r in ask(vault, again, "--agreement", "two")[0] if r["r"] == region][0]
    assert row["n"] != ":"  # shown before: nothing takes it back


def test_the_list_of_releases_says_who_asked_what_and_when(vault):
    sql = 'SELECT sex AS "the, sex", count(*) AS n FROM spells GROUP BY 1'
    ask(vault, sql, "--agreement", "DARS-7")
    as_json = json.loads(vault.run("release", "list", "--format", "json").stdout)
    as_csv = list(csv.DictReader(io.StringIO(vault.run("release", "list", "--format", "csv").stdout)))
    assert [{k: str(v) for k, v in e.items()} for e in as_json] == as_csv
    last = as_json[-1]
    assert list(last) == ["number", "at", "asker", "agreement", "table", "data_version", "policy", "near",
                          "certificate", "question"]
    assert last["agreement"] == "DARS-7" and last["asker"] and last["question"] == sql
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", last["at"])
    assert last["number"] == len(as_json) and last["table"] == "spells" and last["policy"] == "hes2018"
    text = vault.run("release", "list").stdout
    assert "by %s under agreement DARS-7" % last["asker"] in text and sql in text and last["at"] in text
    # Kept apart or not, the owner sees all of them.
    vault.run("release", "compare", "agreement")
    assert json.loads(vault.run("release", "list", "--format", "json").stdout) == as_json
    vault.run("release", "compare", "dataset")
    assert "table, csv or json" in vault.run("release", "list", "--format", "xlsx", ok=False).stderr
    assert vault.run("release", "compare", "dataset", "--format", "csv", ok=False).returncode == 2


def test_certificates_are_kept_and_add_up(vault, tmp_path):
    about = tmp_path / "about.json"
    ask(vault, "SELECT region AS r, sex AS s, count(*) AS n FROM spells GROUP BY ROLLUP (1, 2)",
        "--provenance", str(about))
    digest = json.loads(about.read_text())["certificate"]
    assert len(digest) == 64 and digest[:16] in vault.run("release", "list").stdout
    proof = tmp_path / "proof.txt"
    vault.run("release", "certificate", digest, "--out", str(proof))
    assert proof.read_text().startswith("hdis-certificate 1\n")
    assert os.stat(proof).st_mode & 0o077 == 0
    assert vault.run("release", "certificate", "0" * 64, ok=False).returncode == 1


def test_the_ledger_shows_no_figures_and_notices_changes(vault):
    ask(vault, ALL + "GROUP BY 1")
    ask(vault, ALL + "WHERE sex = '1' GROUP BY 1")
    ask(vault, "SELECT provider_name, count(*) AS quite_particular FROM spells GROUP BY 1")
    path = os.path.join(vault.env["HDIS_VAULT"], "ledger.db")
    with open(path, "rb") as f:
        raw = f.read()
    assert b"quite_particular" not in raw and b"Coastlands" not in raw
    vault.run("vault", "verify")
    db = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("DELETE FROM release")
    db.execute("DROP TRIGGER release_is_not_changed")
    db.execute("UPDATE release SET near = 5 WHERE number = 1")
    db.commit()
    db.close()
    done = vault.run("vault", "verify", ok=False)
    assert done.returncode == 1 and "list of releases" in done.stderr


def test_too_many_near_questions_are_refused_and_logged(vault, people, tmp_path):
    catalogue = tmp_path / "catalogue"
    import shutil
    import truth
    shutil.copytree(os.path.join(truth.ROOT, "catalogue"), catalogue)
    policy = catalogue / "policies" / "hes2018.yaml"
    policy.write_text(policy.read_text().replace("near_releases_at_most: 200", "near_releases_at_most: 2"))
    vault.env["HDIS_CATALOGUE"] = str(catalogue)
    ask(vault, ALL + "GROUP BY 1")
    done = None
    for _, age in few(people)[:20]:
        done = vault.run("query", ALL + "WHERE startage <> %s GROUP BY 1" % age, ok=False)
        if done.returncode:
            break
    assert done.returncode == 1 and "few people" in done.stderr
    db = sqlite3.connect(os.path.join(vault.env["HDIS_VAULT"], "ledger.db"))
    assert db.execute("SELECT count(*) FROM log WHERE event = 'refused'").fetchone()[0] == 1


def test_people_are_compared_across_tables(vault, people):
    """The people of all spells, less the people of all episodes but a few."""
    every = "SELECT count(DISTINCT person) AS p FROM spells"
    others = ("SELECT count(DISTINCT person) AS p FROM apc WHERE events(spells.startage IS NOT NULL OR "
              "spells.startage IS NULL) > 0 AND (startage < %d OR startage > 7000 OR startage IS NULL)")
    total = int(people.query(every)[0]["p"])
    age = next(a for a in range(115, 60, -1) if 1 <= total - int(people.query(others % a)[0]["p"]) <= 7)
    few = total - int(people.query(others % age)[0]["p"])
    shown, _ = ask(people, others % age)  # people forgets
    assert ask(people, every)[0][0]["p"] - shown[0]["p"] == few  # national figures are exact
    ask(vault, every)
    after, footer = ask(vault, others % age)
    assert after[0]["p"] == ":" and "earlier release" in footer
    # Episodes are no spells: their numbers stand beside each other.
    records, _ = ask(vault, "SELECT count(*) AS n FROM apc")
    assert isinstance(records[0]["n"], int)


def ages_that_go_together(people):
    """Ages of which each spell has its first episode and no other; the first of them is that of few people."""
    cells = "SELECT startage, provider, admidate, sex, count(*) AS n FROM %s WHERE startage < 7000 %s GROUP BY ALL"
    spells = people.query(cells % ("spells", ""))
    first = people.query(cells % ("apc", "AND epiorder = 1"))
    apart = {tuple(r.values()) for r in spells} ^ {tuple(r.values()) for r in first}
    ages = {r["startage"] for r in spells} - {r[0] for r in apart}
    people_of = {r["a"]: int(r["p"]) for r in people.query(
        "SELECT startage AS a, count(DISTINCT person) AS p FROM spells GROUP BY 1")}
    return sorted(ages, key=people_of.get)


def test_spells_and_their_first_episodes_are_compared(vault, people):
    """The numbers of two tables that go together give the few that one of them leaves out."""
    ages = ages_that_go_together(people)
    spells = "SELECT count(*) AS n FROM spells WHERE startage IN (%s)" % ", ".join(ages)
    first = "SELECT count(*) AS n FROM apc WHERE epiorder = 1 AND startage IN (%s)"
    assert people.query(spells) == people.query(first % ", ".join(ages))
    alone = ask(people, first % ", ".join(ages[1:]))[0][0]["n"]  # people forgets: exact, and so is the difference
    assert 1 <= ask(people, spells)[0][0]["n"] - alone <= 7
    ask(vault, spells)
    after, footer = ask(vault, first % ", ".join(ages[1:]))
    assert after[0]["n"] == ":" and "earlier release" in footer


def test_ordinary_tables_of_two_tables_stand_beside_each_other(vault, people):
    """Admissions and episodes by provider and month, and nationally by diagnosis."""
    for sql in ("SELECT provider, discharge_month, count(*) AS n FROM %s GROUP BY 1, 2",
                "SELECT primary_diagnosis, count(*) AS n FROM %s GROUP BY 1"):
        ask(vault, sql % "spells")
        alone, _ = ask(people, sql % "apc")
        beside, _ = ask(vault, sql % "apc")
        shown = [sum(isinstance(r["n"], int) for r in rows) for rows in (alone, beside)]
        assert shown[1] >= 0.95 * shown[0] > 0, (sql, shown)


def test_a_repeated_text_is_not_a_repeated_question(vault, tmp_path):
    """A code list, an organisation's region or a policy may have changed since."""
    catalogue = tmp_path / "catalogue"
    shutil.copytree(os.path.join(truth.ROOT, "catalogue"), catalogue)
    vault.env = dict(vault.env, HDIS_CATALOGUE=str(catalogue))
    sql = "SELECT sex AS s, count(*) AS n FROM spells WHERE any_diagnosis IN codelist('asthma') GROUP BY 1 ORDER BY 1"
    asthma, _ = ask(vault, sql)
    shutil.copy(catalogue / "codelists" / "cancer.csv", catalogue / "codelists" / "asthma.csv")
    cancer, _ = ask(vault, sql.replace("asthma", "cancer"))
    assert cancer != asthma and ask(vault, sql)[0] == cancer
    own = (catalogue / "policies" / "hes2018.yaml").read_text().replace("name: hes2018", "name: mine")
    (catalogue / "policies" / "mine.yaml").write_text(own)
    by_provider = "SELECT provider AS p, count(*) AS n FROM spells WHERE sex = '2' GROUP BY 1 ORDER BY 1"
    ask(vault, by_provider, "--policy", "mine")
    (catalogue / "policies" / "mine.yaml").write_text(own.replace("rounded_to: 5", "rounded_to: 10"))
    rows, _ = ask(vault, by_provider, "--policy", "mine")
    assert all(r["n"] in ("*", ":") or int(r["n"]) % 10 == 0 for r in rows)


@pytest.mark.parametrize("out", ["nowhere/x.csv", "."])
@pytest.mark.parametrize("option", ["--out", "--provenance"])
def test_what_cannot_be_written_is_not_released(vault, tmp_path, out, option):
    done = vault.run("query", option, str(tmp_path / out), ALL + "GROUP BY 1", ok=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and not done.stdout
    assert vault.run("release", "list").stdout.count("\n") <= 1
    assert not [f for f in os.listdir(tmp_path) if ".tmp." in f]


def small_wholes(people, part):
    """Cells of 4 to 7 records in four parts or more, and these parts."""
    rows = people.query("SELECT procode3 AS k, startage AS a, %s AS part, count(*) AS n FROM apc "
                        "WHERE procode3 IS NOT NULL AND startage IS NOT NULL GROUP BY 1, 2, 3" % part)
    cells = {}
    for r in rows:
        cells.setdefault((r["k"], r["a"]), {})[r["part"]] = int(r["n"])
    return [(key, parts) for key, parts in cells.items() if 4 <= sum(parts.values()) <= 7 and len(parts) >= 5]


def stars(vault, sql):
    rows, footer = ask(vault, sql)
    return [r["n"] for r in rows], "earlier release" in footer


@pytest.mark.parametrize("whole, part", [
    ("WHERE procode3 = '{k}' AND startage = {a}", "month(admidate) = {p}"),
    ("WHERE startage = {a} GROUP BY procode3 HAVING procode3 = '{k}'", "month(admidate) = {p}"),
    ("WHERE procode3 = '{k}' AND startage BETWEEN {a} AND {a}", "month(admidate) IN ({p}, {p} + 20)"),
    ("WHERE procode3 = '{k}' AND startage = {a} AND month(admidate) <> 0", "month(admidate) = {p} AND admidate IS NOT NULL")])
@pytest.mark.parametrize("whole_first", [True, False])
def test_parts_asked_for_one_by_one_do_not_tell_their_whole(vault, people, whole, part, whole_first):
    """Four stars leave a star 4 to 7, whichever comes first; the rest is never asked for."""
    (k, a), parts = small_wholes(people, "month(admidate)")[0]
    whole = "SELECT count(*) AS n FROM apc " + whole.format(k=k, a=a)
    if whole_first:
        assert stars(vault, whole)[0] == ["*"]
    seen = [stars(vault, "SELECT count(*) AS n FROM apc WHERE procode3 = '%s' AND startage = %s AND %s" %
                  (k, a, part.format(p=p))) for p in list(parts)[:4]]
    if whole_first:
        assert [n for n, _ in seen[:3]] == [["*"]] * 3, seen
        assert seen[3][0] in ([":"], []) and seen[3][1]
    else:
        assert [n for n, _ in seen] == [["*"]] * 4, seen
        n, has_footer = stars(vault, whole)
        assert n in ([":"], []) and has_footer


def numbers_of_people(row, each):
    """So many leave the printed number of records, and the mean of whole numbers."""
    half = 0.5 * 10 ** -len(str(row["m"]).partition(".")[2])
    counts = [x for x in range(each, int(row["n"]) + 5 * each, each) if (x + 2.5 * each) // (5 * each) * (5 * each) == int(row["n"])]
    return sum(-(-x * (row["m"] - half) // 1) <= x * (row["m"] + half) // 1 for x in counts)


@pytest.mark.parametrize("sql", [
    "SELECT sex, startage // 20 AS a, count(*) AS n, count(DISTINCT person) AS p, avg(startage) AS m FROM apc "
    "WHERE region <> '0' AND events(TRUE) = 2 "
    "GROUP BY ROLLUP (1, 2)",
    "SELECT sex, events(TRUE) AS a, count(*) AS n, count(DISTINCT person) AS p FROM apc WHERE region <> '0' GROUP BY 1, 2",
    "SELECT sex, 1 AS a, count(*) AS n, count(DISTINCT person) AS p FROM apc WHERE region <> '0' AND events(TRUE) + 0 * startage = 3 "
    "GROUP BY 1"])
def test_records_of_people_who_have_several_say_no_more_than_people(vault, people, sql):
    """Rounded to 5 they would be the exact number of people."""
    true = {(r["sex"], r["a"]): r for r in people.query(sql)}
    rows, footer = ask(vault, sql)
    several = 0
    for r in rows:
        t = true[tuple("" if r[k] is None else str(r[k]) for k in ("sex", "a"))]
        each = int(t["n"]) // max(1, int(t["p"]))
        if r["n"] not in ("*", ":") and each > 1 and each * int(t["p"]) == int(t["n"]):
            assert int(r["n"]) % (5 * each) == 0, (r, t)
            several += r["p"] not in ("*", ":")
            if r.get("m") not in (None, "*", ":"):
                assert numbers_of_people(r, each) >= 5, (r, t)
    assert several and "rounded further" in footer
    rows, footer = ask(vault, "SELECT sex, count(*) AS n FROM apc WHERE region <> '0' GROUP BY 1")
    assert "rounded further" not in footer


APPOINTMENTS = ("ATTENDKEY", "TOKEN_PERSON_ID", "APPTDATE", "PROCODE3", "SEX", "PARTYEAR")


def load_appointments(vault, folder, people):
    """One more delivery: so many people with so many appointments each, at a place of their own."""
    file = folder / "NIC000000_HES_OP_201299.txt"
    lines = ["|".join(APPOINTMENTS)]
    for person, n in enumerate(n for n, m in people for _ in range(m)):
        lines += ["%d|%032X|2012-%02d-%02d|ZX1|1|201299" % (10 ** 11 + len(lines) + i, 2 ** 100 + person, 4 + i, 1 + person % 28)
                  for i in range(n)]
    file.write_text("\n".join(lines) + "\n")
    vault.run("load", "op", str(file))


@pytest.mark.parametrize("people_first", [True, False])
@pytest.mark.parametrize("condition", ["events(op) = 3", "events(op) >= 3", "events(op) * 2 = 6"])
def test_people_who_have_several_records_say_how_many_these_are(vault, tmp_path, people_first, condition):
    """Eight people with three records each leave one of 25 records for all others."""
    load_appointments(vault, tmp_path, [(3, 8), (1, 1)])
    several = "SELECT count(DISTINCT person) AS n FROM op WHERE procode3 = 'ZX1' AND " + condition
    asked = [several, "SELECT count(*) AS n FROM op WHERE procode3 = 'ZX1'"]
    shown = ["10", "25"]
    if not people_first:
        asked, shown = asked[::-1], shown[::-1]
    assert stars(vault, asked[0]) == ([int(shown[0])], False)
    assert stars(vault, asked[1]) == ([":"], True)
