"""Large answers under a policy that protects: a table of some 100,000 cells after its margins left. Whoever holds them
all is left with five values of every star: the certificate is added up here, without hdis, and `hdis audit`
attacks the same four as an outside reader."""

import csv
import os
import shutil
import subprocess

import pytest

from tables import HDIS, ROOT

ROWS, PRACTICES = 1000000, 850
WHERE = "WHERE practice <= %d" % PRACTICES


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """The four answers as lists of rows, and what prints a certificate."""
    folder = tmp_path_factory.mktemp("large")
    catalogue = folder / "catalogue"
    shutil.copytree(os.path.join(ROOT, "catalogue", "yardstick"), catalogue)
    shutil.copytree(os.path.join(ROOT, "catalogue", "policies"), catalogue / "policies")
    subprocess.run([os.path.join(os.path.dirname(HDIS), "bench", "with_hdis"), "make", folder / "vault", folder / "key",
                    str(ROWS), "3", "english"], check=True, timeout=120)
    environment = dict(os.environ, HDIS_CATALOGUE=str(catalogue), HDIS_VAULT=str(folder / "vault"),
                       HDIS_KEY_FILE=str(folder / "key"))

    def run(*args):
        return subprocess.run([HDIS, *args], capture_output=True, text=True, env=environment, timeout=200)

    answers = []
    for keys in ("()", "practice", "month", "practice, month"):
        out = folder / ("%d.csv" % len(answers))
        named = keys.replace("()", "")
        sql = "SELECT %scount(*) AS n FROM admissions %s GROUP BY %s" % (named and named + ", ", WHERE, keys)
        done = run("query", "--format", "csv", "--out", str(out), sql)
        assert done.returncode == 0, done.stderr
        with open(out, encoding="utf-8", newline="") as f:
            answers.append(list(csv.reader(f))[1:])
    footer = [line for line in done.stderr.splitlines() if line.startswith("certificate ")]
    return answers, run("release", "certificate", footer[0].split()[1]).stdout


def printed(text):
    """What a reader knows of a figure of the table."""
    if text == "*":
        return 1, 7
    if text == ":":
        return 8, None
    n = int(text)
    return (n, n) if n == 0 else (max(n - 2, 8), n + 2)


def test_every_star_keeps_five_values(asked):
    (_, practices, months, cells), certificate = asked
    stars = sum(row[-1] == "*" for row in cells)
    assert len(cells) > 60000 and stars > 50000  # of 102,000 places; the others are empty
    low, high, promised, sums, witnesses = [], [], {}, [], []
    for line in certificate.splitlines():
        kind, *numbers = line.split()
        if kind == "cell":
            low.append(float("-inf") if numbers[0] == "-" else int(numbers[0]))
            high.append(float("inf") if numbers[1] == "-" else int(numbers[1]))
            if len(numbers) > 2:
                promised[len(low) - 1] = int(numbers[2])
        elif kind == "rule":
            sums.append([int(n) for n in numbers])
        elif kind == "witness":
            witnesses.append([int(n) for n in numbers])
    for table in witnesses:
        assert all(a <= x <= b for a, x, b in zip(low, table, high))
        assert all(table[s[0]] == sum(table[c] for c in s[1:]) for s in sums)
    values = {c: len({table[c] for table in witnesses}) for c in promised}
    assert all(values[c] >= 5 <= promised[c] for c in promised)
    assert len(promised) >= stars
    # The system is the table that was printed: its cells are in the sums of both margins.
    assert sum(len(s) - 1 for s in sums) >= 1.99 * len(cells)


def test_an_outside_reader_finds_nothing(asked, tmp_path):
    (total, practices, months, cells), _ = asked
    table = tmp_path / "table.csv"
    there = {(practice, month): shown for practice, month, shown in cells}
    with open(table, "w", encoding="utf-8", newline="") as f:
        out = csv.writer(f)
        out.writerow(["practice", "month", "shown"])
        for practice, shown in practices:
            out.writerow([practice, "Total", shown])
            for month, _ in months:
                out.writerow([practice, month, there.get((practice, month), "0")])
        for month, shown in months:
            out.writerow(["Total", month, shown])
        out.writerow(["Total", "Total", total[0][0]])
    done = subprocess.run([HDIS, "audit", str(table), "--dims", "practice,month"], capture_output=True, text=True,
                          timeout=250)
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-2000:])
    # The same attack sees one star that is given away.
    row = next(p for p, n in practices if n.isdigit() and sum(there.get((p, m[0])) == "*" for m in months) > 3)
    with open(table, encoding="utf-8") as f:
        lines = f.read().splitlines()
    given = [i for i, line in enumerate(lines) if line.startswith(row + ",") and line.endswith(",*")]
    for i in given[1:]:
        lines[i] = lines[i][:-1] + "0"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert subprocess.run([HDIS, "audit", str(table), "--dims", "practice,month"], capture_output=True,
                          timeout=250).returncode == 1
