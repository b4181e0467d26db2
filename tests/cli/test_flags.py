"""A mean of zeros and ones is a share: it comes from rounded counts, however it is written."""

DIED = "dismeth = '4'"
FORMS = [
    "CASE WHEN dismeth = '4' THEN 1 WHEN dismeth IS NOT NULL THEN 0 END",
    "CAST(dismeth = '4' AS INTEGER)",
    "CASE WHEN dismeth = '4' AND sex IS NOT NULL THEN 1.0 WHEN dismeth = '4' THEN 1 ELSE 0 END",
]


def test_shares_come_from_rounded_counts(people):
    for form in FORMS:
        sql = ("SELECT provider, count(%s) AS n, count(*) FILTER (WHERE %s) AS k, avg(%s) AS m, "
               "sum(%s) AS s, stddev(%s) AS d FROM spells GROUP BY 1" % (form, DIED, form, form, form))
        withheld = 0
        for row in people.query(sql, true_counts=False):
            if row["k"] in "*:" or row["n"] in "*:":
                assert all(row[c] in ("*", ":") for c in "msd")
                withheld += 1
            elif float(row["n"]):
                assert float(row["m"]) == float(row["k"]) / float(row["n"])
                assert row["s"] == row["k"]
        assert withheld


def test_true_shares_stay_what_they_are(people):
    for form in FORMS:
        sql = ("SELECT provider, count(%s) AS n, count(*) FILTER (WHERE %s) AS k, avg(%s) AS m, "
               "avg(%s + 0.5) AS other, sum(%s) AS s FROM spells GROUP BY 1"
               % (form, DIED, form, form, form))
        for row in people.query(sql):
            if float(row["n"]):
                assert float(row["m"]) == float(row["k"]) / float(row["n"])
                assert abs(float(row["other"]) - 0.5 - float(row["m"])) < 1e-12
                assert float(row["s"]) == float(row["k"])


def test_other_means_are_means(people):
    row = people.query("SELECT avg(length_of_stay) AS m, sum(length_of_stay) AS s, "
                       "count(length_of_stay) AS n FROM spells")[0]
    assert abs(float(row["m"]) - float(row["s"]) / float(row["n"])) < 1e-12
    rows = people.query("SELECT provider, avg(is_finished) AS m, count(*) AS n FROM spells "
                        "GROUP BY 1 HAVING avg(is_finished) > 0 ORDER BY avg(is_finished) DESC")
    assert rows and [float(r["m"]) for r in rows] == sorted((float(r["m"]) for r in rows), reverse=True)
