"""Questions that were made to get at single records; each must fail (doc/disclosure.md)."""

import json


def refused(people, sql, words):
    done = people.run("query", "--format", "csv", sql, ok=False)
    assert done.returncode == 1 and done.stdout == "" and words in done.stderr, (sql, done.stderr)


def test_many_keys_list_no_records(people):
    """Singles are listed at no level, and not behind a coarse grouping set either."""
    for table in ("SELECT admidate, startage, sex, count(*) FROM apc GROUP BY 1, 2, 3",
                  "SELECT procode3, admidate, startage, count(*) FROM apc GROUP BY 1, 2, 3",
                  "SELECT sex || admidate || startage AS k, count(*) FROM apc GROUP BY 1",
                  "SELECT sex, admidate, startage, classpat, count(*) FROM apc "
                  "GROUP BY GROUPING SETS ((sex, admidate, startage), (classpat))"):
        refused(people, table, "list records")


def test_a_refusal_says_no_more_than_a_star(people):
    """A table of one row by three fields: whether it is refused must not tell one person from seven."""
    rows = people.query("SELECT provider, startage, sex, count(*) AS n, count(DISTINCT person) AS p FROM apc "
                        "WHERE provider IS NOT NULL AND startage IS NOT NULL AND sex IS NOT NULL GROUP BY 1, 2, 3")
    said, sizes = set(), set()
    for size in range(1, 8):
        for r in [r for r in rows if int(r["p"]) == size][:2]:
            one = "FROM apc WHERE provider = '%s' AND startage = %s AND sex = '%s'" % (r["provider"], r["startage"], r["sex"])
            done = people.run("query", "--format", "csv", "SELECT provider, startage, sex, count(*) %s GROUP BY 1, 2, 3" % one,
                              ok=False)
            said.add((done.returncode, done.stdout.count("\n"), done.stdout.count("*"), done.stderr))
            sizes.add(size)
    assert len(said) == 1 and len(sizes) > 4, said


def test_a_table_of_mostly_stars_shows_its_other_rows(people):
    """Below national level, by three fields: small rows are left out once most rows are small, and a table of
    nothing else is refused."""
    sql = "SELECT provider, startage, sex, count(*) AS n, count(DISTINCT person) AS p FROM apc GROUP BY 1, 2, 3"
    true = people.query(sql)
    large = {(r["provider"], r["startage"], r["sex"]) for r in true if int(r["n"]) > 7 and int(r["p"]) > 7}
    assert 0 < len(large) < len(true) / 2
    shown = people.query(sql, true_counts=False)
    assert {(r["provider"], r["startage"], r["sex"]) for r in shown} <= large and len(shown) > len(large) / 2
    few_stars = sql.replace("startage, sex", "sex, fyear")
    true, shown = people.query(few_stars), people.query(few_stars, true_counts=False)
    small = sum(int(r["n"]) <= 7 or int(r["p"]) <= 7 for r in true)
    assert 0 < small <= len(true) / 2 and len(shown) == len(true)
    assert sum(r["n"] == "*" for r in shown) == small


def test_small_rows_by_four_fields_do_not_appear(people, tmp_path):
    about = tmp_path / "p.json"
    for keys in ("sex, classpat, admimeth, dismeth", "sex, classpat, procode3, dismeth"):
        sql = "SELECT %s, count(*) AS n, count(DISTINCT person) AS p FROM apc GROUP BY ALL" % keys
        true = people.query(sql)
        large = [r for r in true if int(r["n"]) > 7 and int(r["p"]) > 7]
        assert len(large) < len(true)
        done = people.run("query", "--format", "json", "--provenance", str(about), sql)
        assert len(json.loads(done.stdout)) == len(large) and "*" not in done.stdout
        assert json.loads(about.read_text())["rows_left_out"] is True
        assert "small rows left out" in done.stderr


def test_extremes_of_a_few_are_theirs(people):
    sql = ("SELECT startage AS k, max(length_of_stay) AS m, count(length_of_stay) AS n, "
           "count(DISTINCT person) FILTER (WHERE length_of_stay IS NOT NULL) AS p FROM spells GROUP BY 1")
    few = 0
    for r in people.query(sql, true_counts=False):
        is_few = 0 < int(r["n"]) < 8 or int(r["n"]) and int(r["p"]) < 8
        assert (r["m"] == "*") == bool(is_few), r
        few += bool(is_few)
    assert few


def test_weights_carry_no_count(people):
    weight = "CASE WHEN dismeth = '4' THEN 1000 ELSE 0 END"
    for form in ("sum(%s)", "avg(%s)", "stddev(%s)", "var_samp(%s)", "median(%s)",
                 "quantile_cont(%s, 0.99)", "count(DISTINCT %s)", "1 + sum(%s)"):
        refused(people, "SELECT provider, %s FROM spells GROUP BY 1" % (form % weight), "FILTER")
    refused(people, "SELECT provider FROM spells GROUP BY 1 HAVING sum(%s) > 0" % weight, "FILTER")
    refused(people, "SELECT avg(length_of_stay * 1000) FROM spells WHERE provider = 'RXX'", "FILTER")
    rows = people.query("SELECT provider, avg(length_of_stay) AS m, avg(s.startage) AS a, "
                        "count(CASE WHEN dismeth = '4' THEN 1 END) AS n FROM spells s GROUP BY 1",
                        true_counts=False)
    assert any(r["m"] not in ("", "*") and r["a"] not in ("", "*") for r in rows)
    people.query("SELECT avg(length_of_stay * 2) AS m FROM spells", true_counts=False)


def test_a_field_of_few_values_has_no_mean_below_national_level(people):
    sql = "SELECT %s avg(n_babies) AS m, sum(n_babies) AS s, median(n_babies) AS d FROM deliveries"
    rows = people.query(sql % "provider, " + " GROUP BY 1", true_counts=False)
    assert rows and all(r["m"] == r["s"] == r["d"] == "*" for r in rows)
    national = people.query(sql % "", true_counts=False)
    assert national == people.query(sql % "") and float(national[0]["m"]) >= 1


def test_stays_are_not_counted_among_episodes(people):
    """count(DISTINCT susspellid), less the first episodes without those of a small specialty, is the small specialty;
    and the share of the largest part is a count of its records, which nobody compares."""
    for figure in ("count(DISTINCT susspellid)", "count(DISTINCT epikey)", "largest_share(sex)"):
        sql = "SELECT %s AS k FROM apc" % figure
        for tail in (" WHERE provider = 'ZB3'", " GROUP BY provider"):
            done = people.run("query", sql + tail, ok=False)
            assert done.returncode == 1 and "below national level" in done.stderr and not done.stdout
        assert people.query(sql, true_counts=False) == people.query(sql)


def test_an_agreement_has_a_name(people):
    """It stands in a line of `hdis release list`."""
    for name in ("", "  ", "one\ntwo", "a\tb", "\x1b[31mred"):
        done = people.run("query", "SELECT count(*) FROM apc", "--agreement", name, ok=False)
        assert done.returncode == 2 and not done.stdout and "agreement" in done.stderr, (name, done.stderr)


def test_aggregates_stand_in_no_condition_on_records(people):
    """count(*) > 1 in WHERE was false of each record by itself, and answered 0."""
    for sql in ("SELECT count(*) FROM apc WHERE count(*) > 1", "SELECT count(*) FROM apc WHERE NOT (count(*) > 1)",
                "SELECT count(*) FROM apc WHERE sex = '1' AND sum(startage) > 5",
                "SELECT count(*) FILTER (WHERE count(*) > 1) FROM apc", "SELECT sum(count(*)) FROM apc",
                "SELECT avg(startage + count(*)) FROM apc", "SELECT count(*) FROM apc GROUP BY count(*)"):
        done = people.run("query", sql, ok=False)
        assert done.returncode == 1 and not done.stdout and len(done.stderr.splitlines()) == 1, (sql, done.stderr)


def test_different_values_are_not_counted_below_national_level(people):
    """Of a few people and others whose values are known: where the number is rounded shows whether the few
    have a value that the others have."""
    refused(people, "SELECT gpprac, count(DISTINCT admidate) FROM apc GROUP BY 1", "group by the field")
    refused(people, "SELECT count(DISTINCT startage) FROM apc WHERE provider = 'ZB3'", "group by the field")
    sql = "SELECT sex, count(DISTINCT startage) AS n FROM apc GROUP BY 1"
    assert people.query(sql, true_counts=False) == people.query(sql)


def test_limits_of_quantiles_are_nobodys_value(people):
    sql = ("SELECT gpprac AS g, count(length_of_stay) AS n, quantile_lower(length_of_stay, 0.5, 0.95) AS l, "
           "quantile_upper(length_of_stay, 0.5, 0.95) AS u FROM spells GROUP BY 1")
    true = {r["g"]: int(r["n"]) for r in people.query(sql)}
    for r in people.query(sql, true_counts=False):
        if 0 < true[r["g"]] <= 25:  # the 8th of 25 is the lower rank: 7 below it
            assert r["l"] == r["u"] == "*", r
    rows = people.query(sql.replace("gpprac", "provider"), true_counts=False)
    assert any(r["l"] != "*" for r in rows)


def test_no_expression_fails_for_what_a_record_holds(people):
    """A question that fails only where somebody fits would say that somebody does."""
    rare = "procode3 = 'ZE1' AND startage > 60"  # reads two columns: the whole question in DuckDB
    common, nobody = "procode3 LIKE 'Z%'", "procode3 = 'nowhere' AND startage > 200"
    fails = ["CAST(CASE WHEN %s THEN 'x' ELSE '1' END AS INTEGER) = 1",
             "9223372036854775807 + CASE WHEN %s THEN 1 ELSE 0 END > 0",
             "abs(CASE WHEN %s THEN -9223372036854775808 ELSE 1 END) > 0",
             "make_date(2000, 2, CASE WHEN %s THEN 31 ELSE 1 END) > DATE '1999-01-01'",
             "strptime(CASE WHEN %s THEN 'x' ELSE '2000' END, '%%Y') IS NOT NULL",
             "regexp_matches('a', CASE WHEN %s THEN '(' ELSE 'a' END)",
             "regexp_replace('a', CASE WHEN %s THEN '[' ELSE 'a' END, 'b') = 'b'",
             "DATE '2000-01-01' + to_years(CASE WHEN %s THEN 2000000000 ELSE 1 END) IS NOT NULL",
             "strftime(DATE '2000-01-01' + to_days(CASE WHEN %s THEN 2000000000 ELSE 1 END), '%%Y') > ''",
             "1 << CASE WHEN %s THEN 64 ELSE 1 END > 0", "1 %% CASE WHEN %s THEN 0 ELSE 2 END = 1",
             "sqrt(CASE WHEN %s THEN -1 ELSE 1 END) = 1", "ln(CASE WHEN %s THEN 0 ELSE 1 END) = 0",
             "substr('abc', CASE WHEN %s THEN 9223372036854775807 ELSE 1 END, 1) = 'a'",
             "left('abc', CASE WHEN %s THEN -9223372036854775808 ELSE 1 END) = 'a'",
             "list_value(1)[CASE WHEN %s THEN 9223372036854775807 ELSE 1 END] = 1",
             "date_trunc(CASE WHEN %s THEN 'x' ELSE 'day' END, admidate) IS NOT NULL",
             "region_of(CASE WHEN %s THEN CAST(CAST('x' AS INTEGER) AS VARCHAR) ELSE 'ZA1' END) IS NULL"]
    forms = ["SELECT count(*) FROM apc WHERE %s", "SELECT count(*) FILTER (WHERE %s) FROM apc",
             "SELECT %s AS k, count(*) FROM apc GROUP BY 1", "SELECT count(CASE WHEN %s THEN 1 END) FROM apc",
             "SELECT count(*) FROM apc WHERE NOT (%s)",
             "SELECT count(*) FROM apc WHERE sex = '1' AND (%s OR classpat = '1')"]
    for i, fail in enumerate(fails):
        form = forms[i % len(forms)]
        said = set()
        for condition in (rare, nobody):
            done = people.run("query", "--format", "csv", form % (fail % condition), ok=False)
            said.add((done.returncode, done.stderr if done.returncode else ""))
        assert len(said) == 1, (fail, said)
    # Numbers and times that no figure can hold.
    for value in ("CASE WHEN %s THEN CAST('170141183460469231731687303715884105727' AS HUGEINT) ELSE 1 END",
                  "strptime(CASE WHEN %s THEN '2000-01-01 10' ELSE '2000-01-01 00' END, '%%Y-%%m-%%d %%H')"):
        for condition in (common, nobody):
            people.run("query", "SELECT %s AS k, count(*) FROM apc GROUP BY 1" % (value % condition))
