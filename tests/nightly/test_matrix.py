"""A made-up census of 132,277 people by region (in areas), age (in one tree or two) and sex, under every
policy of hdis protect, with and without exact national figures: what comes out is audited, its proof is
checked, and an attacker of its own (tests/cli/tables.py) looks for what is narrow, exact or contradictory.

The processor times go to the file that HDIS_NIGHTLY_MATRIX names.
"""

import collections
import os
import re
import resource
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from tables import (ENDLESS, PRINTS, ROOT, Table, attack, census, hdis, known_of, read, write,  # noqa: E402
                    write_tree)

MATRIX = os.environ.get("HDIS_NIGHTLY_MATRIX")
PEOPLE = 132277
pytestmark = pytest.mark.skipif(not MATRIX, reason="nightly: set HDIS_NIGHTLY_MATRIX, as ./run nightly does")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The cells of the census, its trees, and every true count."""
    folder = tmp_path_factory.mktemp("census")
    people, bands = census(PEOPLE)
    broad = [(str(a), "broad0-17" if a < 18 else "broad18-64" if a < 65 else "broad65+") for a in range(110)]
    areas = [("R%02d" % g, "A%d" % (g // 4)) for g in range(15)]
    trees = dict(region=write_tree(folder / "areas.csv", areas), bands=write_tree(folder / "bands.csv", bands),
                 broad=write_tree(folder / "broad.csv", broad))
    up = [dict(areas), dict(bands), dict(broad)]
    leaves = collections.Counter((p["region"], p["age"], p["sex"]) for p in people)
    write(folder / "cells.csv", [dict(region=g, age=a, sex=s, n=n) for (g, a, s), n in sorted(leaves.items())])
    true = collections.Counter()
    for (region, age, sex), n in leaves.items():
        for g in (region, up[0][region], "Total"):
            for a in (age, up[1][age], up[2][age], "Total"):
                for s in (sex, "Total"):
                    true[g, a, s] += n
    return folder, trees, true


def timed(*args):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = hdis(*args)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def say(line):
    with open(MATRIX, "a", encoding="utf-8") as f:
        f.write(line + "\n")


def key_of(policy, key):
    with open(os.path.join(ROOT, "catalogue", "policies", policy + ".yaml"), encoding="utf-8") as f:
        return int(re.search("^%s: (.*)$" % key, f.read(), re.M).group(1))


def check_attacked(table, policy, true):
    """Nothing that the policy protects is narrower than it asks, however the printed sums are combined."""
    known = known_of(table, policy)
    for c, (low, high) in known.items():
        assert low <= true[c] <= high, c
    found = attack(table, known)
    assert found is not None, "no table fits"
    least, most = key_of(policy, "minimum_candidates"), key_of(policy, "candidates_for_counts_to")
    n = 0
    for c, row in table.cells.items():
        low, high = found[c]
        assert low <= true[c] <= high, c
        if row.get("exact") != "true" and 1 <= true[c] <= most:
            n += 1
            assert high - low + 1 >= least, (c, low, high)
    assert n > 300
    for whole, parts in table.sums:
        for part in parts:
            if not 1 <= true[whole] - true[part] <= most:
                continue
            a, b = found[whole], found[part]
            is_national = all(table.cells[c].get("exact") == "true" for c in (whole, part))
            if known[whole][1] < ENDLESS > known[part][1] and not is_national:
                assert a[1] - b[0] - max(0, a[0] - b[1]) + 1 >= least, (whole, part)


@pytest.mark.parametrize("age", ["one tree", "two trees"])
@pytest.mark.parametrize("exact", [[], ["--exact", "region=Total"]], ids=["rounded", "exact"])
@pytest.mark.parametrize("policy", sorted(PRINTS))
def test_census(made, policy, exact, age):
    folder, trees, true = made
    over = [trees["bands"]] + ([trees["broad"]] if age == "two trees" else [])
    trees_of = ["--hierarchy", "region=%s" % trees["region"]]
    for tree in over:
        trees_of += ["--hierarchy", "age=%s" % tree]
    out, proof, rest = folder / "shown.csv", folder / "proof.txt", folder / "audit.csv"
    done, protecting = timed("protect", folder / "cells.csv", "--dims", "region,age,sex", "--count", "n", "--policy",
                             policy, *trees_of, *exact, "-o", out, "--certificate", proof)
    assert done.returncode == 0, done.stderr
    numbers = [int(x) for x in re.search(
        r"(\d+) withheld for themselves, (\d+) more to protect them(?:, (\d+) exact)?", done.stderr).groups("0")]
    again = [out, *trees_of, "--policy", policy, "--format", "csv", "-o", rest]
    done, auditing = timed("audit", *again)
    assert done.returncode == 0, done.stderr
    done, adding = timed("audit", *again, "--certificate", proof)
    assert done.returncode == 0 and "the certificate adds up" in done.stderr, done.stderr
    rows = read(out)
    say("%-20s %-9s %-7s %5d cells %5d primary %5d more %4d exact   protect %6.2f s   audit %6.2f s   with proof %6.2f s"
        % (policy, age, "exact" if exact else "rounded", len(rows), *numbers, protecting, auditing, adding))
    check_attacked(Table(rows, ["region", "age", "sex"], dict(region=[trees["region"]], age=over)), policy, true)
