"""The real artificial files of NHS Digital, when they lie beside the checkout: they load, and counts by
every field equal those of an independent reader of the CSV.

The files contradict themselves between columns, so nothing here looks across columns.
"""

import collections
import csv
import glob
import io
import os
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HDIS = os.path.join(ROOT, "build", "hdis")
SHARED = os.environ.get("HDIS_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))
FOLDER = os.path.join(SHARED, "data", "hes_artificial")
FILES = sorted(glob.glob(os.path.join(FOLDER, "artificial_hes_*.csv")))
DATASETS = {os.path.basename(f).split("_")[2]: f for f in FILES}
pytestmark = pytest.mark.skipif(not FILES, reason="no artificial HES files in " + FOLDER)


def hdis(vault, *args, ok=True):
    env = dict(os.environ, HDIS_VAULT=str(vault / "v"), HDIS_KEY_FILE=str(vault / "k"))
    done = subprocess.run([HDIS, *args], env=env, capture_output=True, text=True)
    if ok:
        assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def vault(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artificial")
    hdis(folder, "init")
    for dataset, path in DATASETS.items():
        hdis(folder, "load", dataset, path)
    return folder


def fields(vault, dataset):
    text = hdis(vault, "fields", dataset, "--format", "csv").stdout
    return {row["field"]: row for row in csv.DictReader(io.StringIO(text))}


def read(path):
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def normal(text, kind):
    """The notation of a value: blanks cut, 5.0 is 5, NULL is nothing, a clock time after a date goes."""
    text = text.strip()
    if text.lower() in ("", "null"):
        return ""
    if kind in ("integer", "decimal"):
        number = float(text)
        return str(int(number)) if number == int(number) else repr(number)
    if kind == "date":
        return re.split("[ T]", text)[0]
    return re.sub(r"^(\d+)\.0$", r"\1", text)


def as_integer(text):
    return re.sub(r"^(-?\d+)\.0$", r"\1", text)


def true_counts(vault, sql):
    out = hdis(vault, "query", "--format", "csv", "--with-small-numbers", "--purpose", "test", sql)
    return list(csv.reader(io.StringIO(out.stdout)))[1:]


def counts(vault, dataset, columns, total):
    """(column, counts by value) of each column, twelve columns a question."""
    for i in range(0, len(columns), 12):
        names = [c.lower() for c in columns[i:i + 12]]
        rows = true_counts(vault, "SELECT %s, count(*) FROM %s GROUP BY GROUPING SETS (%s)" % (
            ", ".join(names), dataset, ", ".join("(%s)" % n for n in names)))
        for k, column in enumerate(columns[i:i + 12]):
            found = collections.Counter({
                r[k][1:] if re.match("'[=+@-].", r[k]) else r[k]: int(r[-1]) for r in rows if r[k]})
            missing = total - sum(found.values())
            if missing:
                found[""] = missing
            yield column, found


@pytest.mark.parametrize("dataset", sorted(DATASETS))
def test_counts_by_every_field_equal_the_csv(vault, dataset):
    rows = read(DATASETS[dataset])
    known = fields(vault, dataset)
    wanted = [c for c in rows[0] if c.lower() in known and
              known[c.lower()]["kind"] == "stored"]
    assert len(wanted) > 40
    wrong = []
    for column, got in counts(vault, dataset, wanted, len(rows)):
        name, kind = column.lower(), known[column.lower()]["type"]
        if name == "mydob":
            expected = collections.Counter(r[column].strip().zfill(6) if r[column].strip() else ""
                                           for r in rows)
        else:
            expected = collections.Counter(normal(r[column], kind) for r in rows)
        if kind in ("integer", "decimal"):
            got = collections.Counter({as_integer(v): n for v, n in got.items()})
        if got != expected:
            wrong.append((column, dict(got - expected), dict(expected - got)))
    assert not wrong, "\n".join("%s: only hdis %s, only csv %s" % (
        c, sorted(a.items())[:5], sorted(b.items())[:5]) for c, a, b in wrong)


@pytest.mark.parametrize("dataset,column,name", [
    ("apc", "DIAG_4_%02d", "any_diagnosis"), ("apc", "OPERTN_4_%02d", "any_procedure")])
def test_lists_hold_every_code(vault, dataset, column, name):
    if dataset not in DATASETS:
        pytest.skip("no artificial file of " + dataset)
    rows = read(DATASETS[dataset])
    columns = [column % i for i in range(1, 25) if column % i in rows[0]]
    counts = collections.Counter()
    for r in rows:
        counts.update({r[c].strip() for c in columns} - {""})
    chosen = counts.most_common(12) + counts.most_common()[-12:]
    tests = ["%s = '%s'" % (name, code) for code, _ in chosen]
    row = true_counts(vault, "SELECT %s FROM %s" % (", ".join(
        "count(*) FILTER (WHERE %s), count(*) FILTER (WHERE NOT (%s))" % (t, t) for t in tests), dataset))
    for i, (code, n) in enumerate(chosen):
        assert int(row[0][2 * i]) == n, code
        assert int(row[0][2 * i + 1]) == len(rows) - n, code


@pytest.mark.parametrize("dataset", sorted(DATASETS))
def test_people_are_counted(vault, dataset):
    rows = read(DATASETS[dataset])
    people = len({r["PSEUDO_HESID"] for r in rows})
    got = true_counts(vault, "SELECT count(DISTINCT person), count(*) FROM %s" % dataset)
    assert got == [[str(people), str(len(rows))]]
