"""`hdis synth`: the layouts, the same bytes on any number of threads, bounded memory, and the truth."""

import collections
import csv
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import synth_oracle  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HDIS = os.path.join(ROOT, "build", "hdis")
TAGS = ["HES_APC", "HES_OP", "HES_AE", "HES_CC", "ECDS"]
YEARS = [2014, 2015, 2016]
DIRTY = 0.05


def synth(out, people, *args, threads=None, ok=True, **env):
    env = dict(os.environ, **env)
    if threads:
        env["HDIS_THREADS"] = str(threads)
    done = subprocess.run([HDIS, "synth", "--people", str(people), "--out", str(out), *args], env=env,
                          capture_output=True, text=True)
    if ok:
        assert done.returncode == 0, done.stderr
    return done


def digests(folder):
    found = {}
    for base, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(base, name), "rb") as f:
                found[os.path.relpath(os.path.join(base, name), folder)] = hashlib.sha256(
                    f.read()).hexdigest()
    return found


def truth(folder):
    with open(os.path.join(folder, "truth", "indicators.csv"), encoding="utf-8", newline="") as f:
        return {(r["indicator"], r["provider"], r["month"]):
                (int(r["numerator"]) if r["numerator"] else None, int(r["denominator"]),
                 float(r["value"]) if r["value"] else None) for r in csv.DictReader(f)}


def totals(folder):
    with open(os.path.join(folder, "truth", "totals.csv"), encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def total(folder, what, dataset=""):
    return sum(int(r["count"]) for r in totals(folder)
               if r["what"] == what and r["dataset"] == dataset)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    out = tmp_path_factory.mktemp("synth") / "files"
    synth(out, 2500, "--seed", "3", "--dirty", "5%")
    return str(out)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    out = tmp_path_factory.mktemp("synth") / "files"
    synth(out, 2500, "--seed", "4", "--dirty", "0")
    return str(out)


# ---- the files --------------------------------------------------------------------------------

@pytest.mark.parametrize("tag", TAGS)
def test_layout(small, tag):
    counted = {int(r["year"]): int(r["count"]) for r in totals(small)
               if r["what"] == "rows" and r["dataset"] == tag.split("_")[-1].lower()}
    assert sorted(counted) == YEARS
    for year in YEARS:
        with open(os.path.join(small, "NIC000000_%s_%d99.txt" % (tag, year)), "rb") as f:
            data = f.read()
        assert b"\0" not in data and b"\r" not in data and b'"' not in data and data.endswith(b"\n")
        lines = data.decode("utf-8").splitlines()
        header = lines[0].split("|")
        assert header == sorted(header) and len(set(header)) == len(header)
        assert all(re.match("^[A-Z][A-Z0-9_]*$", name) for name in header)
        assert {line.count("|") for line in lines} == {len(header) - 1}
        assert len(lines) - 1 == counted[year]
        if "FYEAR" in header:
            at, partyear = header.index("FYEAR"), header.index("PARTYEAR")
            values = {(line.split("|")[at], line.split("|")[partyear]) for line in lines[1:]}
            assert values == {("%02d%02d" % (year % 100, (year + 1) % 100), "%d99" % year)}


def test_columns_that_indicators_need():
    names = {"HES_APC": ["TOKEN_PERSON_ID", "EPIKEY", "PROCODE3", "DIAG_20", "OPERTN_24", "OPDATE_24",
                         "DELMETH_D", "DELMETH_9", "BIRSTAT_1", "SUSRECID", "SUSHRG", "LSOA11",
                         "CCG_RESPONSIBILITY", "IMD04_DECILE", "IMD04RK", "MYDOB", "ETHNOS"],
             "HES_CC": ["SUSRECID", "BESTMATCH", "CCSTARTDATE"]}
    with open(os.path.join(ROOT, "src", "synth", "layout.c"), encoding="utf-8") as f:
        text = f.read()
    for name in sum(names.values(), []):
        assert re.search('"%s("|_%%)' % re.sub(r"_\d+$", "", name), text), name
    assert '"TOKEN_PERSON_ID"' not in text[text.index("spec cc[]"):text.index("spec ecds[]")]


def test_keys(small):
    for tag, key in (("HES_APC", "EPIKEY"), ("HES_OP", "ATTENDKEY"), ("HES_AE", "AEKEY")):
        keys = [r[key] for r in synth_oracle.read(small, tag)]
        assert len(set(keys)) == len(keys) and all(re.match("^[0-9]{12}$", k) for k in keys)
    tokens = {r["TOKEN_PERSON_ID"] for r in synth_oracle.read(small, "HES_OP")} - {""}
    assert all(re.match("^[0-9A-F]{32}$", t) for t in tokens)


def test_keys_grow_in_2021(tmp_path):
    synth(tmp_path / "o", 300, "--years", "2020-2021")
    rows = synth_oracle.read(str(tmp_path / "o"), "HES_APC")
    assert {len(r["EPIKEY"]) for r in rows if r["FYEAR"] == "2021"} == {12}
    assert {len(r["EPIKEY"]) for r in rows if r["FYEAR"] == "2122"} == {19}


def test_links(clean):
    apc = synth_oracle.read(clean, "HES_APC")
    episodes, records = {r["EPIKEY"]: r for r in apc}, [r["SUSRECID"] for r in apc]
    assert len(set(records)) == len(records)
    for r in synth_oracle.read(clean, "HES_CC"):
        assert r["SUSRECID"] in records
    ae = synth_oracle.read(clean, "HES_AE")
    linked = [r for r in ae if r["EPIKEY"]]
    assert linked and all(episodes[r["EPIKEY"]]["TOKEN_PERSON_ID"] == r["TOKEN_PERSON_ID"] and
                          episodes[r["EPIKEY"]]["AEKEY"] == r["AEKEY"] for r in linked)
    assert len(synth_oracle.read(clean, "ECDS")) == len(ae)


def test_data_years_and_unfinished_episodes(clean):
    """A finished episode lies in the year of its end; an unfinished one ends in none."""
    unfinished = 0
    for r in synth_oracle.read(clean, "HES_APC"):
        year = 2000 + int(r["FYEAR"][:2])
        end = synth_oracle.date(r["EPIEND"])
        if r["EPISTAT"] == "3":
            assert "%d-04-01" % year <= end.isoformat() <= "%d-03-31" % (year + 1)
        else:
            unfinished += 1
            assert r["EPISTAT"] == "1" and end is None and r["DISMETH"] == "8"
            assert r["DISDEST"] == "98" and r["EPISTART"] <= "%d-03-31" % (year + 1)
    assert unfinished


def test_dirty_share(small, clean):
    rows = sum(total(small, "rows", t.split("_")[-1].lower()) for t in TAGS)
    dirty = sum(total(small, "dirty_rows", t.split("_")[-1].lower()) for t in TAGS)
    assert abs(dirty / rows - DIRTY) < 5 * (DIRTY / rows) ** 0.5
    assert not any(r["what"] == "dirty_rows" for r in totals(clean))


def test_only_planted_errors_are_errors(clean, small):
    """The catalogue's own code lists and cross checks find nothing wrong in clean files."""
    def summary(folder, dataset, tag):
        done = subprocess.run([HDIS, "check", dataset,
                               os.path.join(folder, "NIC000000_%s_201599.txt" % tag)],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        rules = re.findall(r"^(invalid|no_person|no_period|contradiction) +\w+ +(\d+)", done.stdout,
                           re.M)
        return {name: int(n) for name, n in rules}
    for dataset, tag in (("apc", "HES_APC"), ("op", "HES_OP"), ("ae", "HES_AE"), ("cc", "HES_CC"),
                         ("ecds", "ECDS")):
        found = summary(clean, dataset, tag)
        found.pop("no_period", None)  # unfinished episodes have no end
        assert not found, (dataset, found)
    assert set(summary(small, "apc", "HES_APC")) >= {"invalid", "no_person"}


def test_organisations_are_fictional():
    folder = os.path.join(ROOT, "catalogue", "organisations")
    for path in glob.glob(os.path.join(folder, "*.csv")):
        with open(path, encoding="utf-8", newline="") as f:
            rows = list(csv.DictReader(f))
        codes = [r["code"] for r in rows]
        assert len(set(codes)) == len(codes) and all("fictional" in r["name"] for r in rows)
        pattern = "^E019[0-9]{5}$" if path.endswith("places.csv") else "^Z"
        assert all(re.match(pattern, c) for c in codes), path


def test_merger(clean):
    """The old code until the last day, the new one after; both are one provider in the truth."""
    days = collections.defaultdict(list)
    for r in synth_oracle.read(clean, "HES_OP"):
        days[r["PROCODE3"]].append(r["APPTDATE"])
    assert max(days["ZB4"]) <= "2015-09-30" < max(days["ZB3"])
    assert not any(provider == "ZB4" for _, provider, _ in truth(clean))


# ---- repeatable, bounded ----------------------------------------------------------------------

def test_same_bytes_on_any_number_of_threads(tmp_path):
    found = []
    for threads in (1, 2, 3):
        synth(tmp_path / str(threads), 5000, "--years", "2015", "--seed", "11", threads=threads)
        found.append(digests(tmp_path / str(threads)))
    assert len(found[0]) == len(TAGS) + 3
    assert found[0] == found[1] == found[2]
    synth(tmp_path / "other", 5000, "--years", "2015", "--seed", "12")
    other = digests(tmp_path / "other")
    assert not [name for name in other if other[name] == found[0][name]]


def test_dirt_changes_no_life(tmp_path):
    """Rows as they look change with --dirty; who was where, and when, does not."""
    synth(tmp_path / "a", 1000, "--years", "2015", "--dirty", "0")
    synth(tmp_path / "b", 1000, "--years", "2015", "--dirty", "50%")
    for tag, key in (("HES_APC", "EPIKEY"), ("HES_OP", "ATTENDKEY")):
        a, b = ([r[key] for r in synth_oracle.read(str(tmp_path / x), tag)] for x in "ab")
        assert a == b


def test_memory_does_not_grow_with_people(tmp_path):
    def peak(people):
        code = ("import resource, subprocess, sys; subprocess.check_call(sys.argv[1:], "
                "stdout=subprocess.DEVNULL); "
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
        done = subprocess.run([sys.executable, "-c", code, HDIS, "synth", "--people", str(people),
                               "--years", "2015", "--out", str(tmp_path / str(people))],
                              capture_output=True, text=True, check=True,
                              env=dict(os.environ, HDIS_THREADS="2"))
        return int(done.stdout)
    few, many = peak(5000), peak(100000)
    shutil.rmtree(tmp_path)
    assert many < 1.25 * few, (few, many)


# ---- the truth --------------------------------------------------------------------------------

def compare(folder, first_year, last_year):
    found, counted = synth_oracle.compute(folder, first_year, last_year)
    written = truth(folder)
    different = sorted(k for k in set(found) | set(written) if found.get(k) != written.get(k))
    assert not different, [(k, found.get(k), written.get(k)) for k in different[:5]]
    for what, n in counted.items():
        assert n == total(folder, what), what
    return written


def test_truth_equals_an_independent_count(small):
    written = compare(small, 2014, 2016)
    assert len({k[0] for k in written}) == 19


def test_truth_of_very_dirty_files(tmp_path):
    synth(tmp_path / "o", 1500, "--seed", "5", "--dirty", "40%", "--years", "2016-2017")
    compare(str(tmp_path / "o"), 2016, 2017)


def test_people(small):
    seen = {tag: {r["TOKEN_PERSON_ID"] for r in synth_oracle.read(small, tag)} - {""}
            for tag in TAGS if tag != "HES_CC"}
    for tag, people in seen.items():
        assert len(people) == total(small, "distinct_people", tag.split("_")[-1].lower())
    assert len(set.union(*seen.values())) < total(small, "persons")
    owner = {r["SUSRECID"]: r["TOKEN_PERSON_ID"] for r in synth_oracle.read(small, "HES_APC")}
    linked = {owner[r["SUSRECID"]] for r in synth_oracle.read(small, "HES_CC")} - {""}
    assert total(small, "distinct_people", "cc") == len(linked)


def test_outliers_stand_out(tmp_path):
    """The two planted ones lie far on the bad side of the others together."""
    out = str(tmp_path / "o")
    synth(out, 30000, "--years", "2014-2016")
    with open(os.path.join(out, "truth", "planted.csv"), encoding="utf-8", newline="") as f:
        planted = {r["effect"]: r["provider_now"] for r in csv.DictReader(f) if r["outlier"] == "1"}
    assert sorted(planted) == ["emergency_readmission", "over_four_hours"]
    for effect, indicator, sign in (("emergency_readmission", "emergency_readmission_30d", 1),
                                    ("over_four_hours", "ae_within_4_hours", -1)):
        mine, others = [0, 0], [0, 0]
        for (name, provider, _), (numerator, denominator, _) in truth(out).items():
            if name == indicator:
                sums = mine if provider == planted[effect] else others
                sums[0] += numerator
                sums[1] += denominator
        p, q = others[0] / others[1], mine[0] / mine[1]
        assert sign * (q - p) > 2 * (p * (1 - p) / mine[1]) ** 0.5, (effect, p, q)


# ---- refusals ---------------------------------------------------------------------------------

@pytest.mark.parametrize("args", [["--people", "many"], ["--years", "2016-20145"], ["--years", "16"],
                                  ["--dirty", "a little"], ["--seed", "-1"], ["--threads", "2"],
                                  ["left over"]])
def test_bad_usage(tmp_path, args):
    done = synth(tmp_path / "o", 10, *args, ok=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert not os.path.exists(tmp_path / "o")


@pytest.mark.parametrize("args", [["--years", "2016-2014"], ["--years", "1990"], ["--dirty", "101%"]])
def test_refused(tmp_path, args):
    done = synth(tmp_path / "o", 10, *args, ok=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1


@pytest.mark.parametrize("name, old, new, says", [
    ("providers.csv", ",acute,", ",excellent,", "providers.csv, line 2"),
    ("providers.csv", ",ZB3,2015-10-01", ",ZX9,2015-10-01", "line 14"),
    ("providers.csv", ",ZB3,2015-10-01", ",ZB4,2015-10-01", "circle"),
    ("providers.csv", "succeeded_on", "on", "no column succeeded_on"),
    ("sites.csv", "ZC101", "ZC101ABCD", "line"),
    ("practices.csv", ",Z01", ",Z99", "no practice"),
    ("places.csv", ",Z01,", ",Z77,", "places.csv, line 2"),
])
def test_wrong_organisations(tmp_path, name, old, new, says):
    shutil.copytree(os.path.join(ROOT, "catalogue"), tmp_path / "catalogue")
    path = tmp_path / "catalogue" / "organisations" / name
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    done = synth(tmp_path / "o", 10, ok=False, HDIS_CATALOGUE=str(tmp_path / "catalogue"))
    assert done.returncode == 1 and says in done.stderr and done.stderr.count("\n") == 1
    assert not glob.glob(str(tmp_path / "o" / "NIC*"))


def test_nothing_appears_when_a_file_cannot_be_written(tmp_path):
    out = tmp_path / "o"
    (out / "truth" / "indicators.csv").mkdir(parents=True)  # in the way of a file
    done = synth(out, 200, ok=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert not glob.glob(str(out / "NIC*"))


def test_two_runs_do_not_mix(tmp_path):
    def synth(*args):
        return subprocess.run([HDIS, "synth", "--people", "50", "--out", str(tmp_path / "f"), *args],
                              capture_output=True, text=True)
    assert synth("--years", "2014").returncode == 0
    before = sorted(os.listdir(tmp_path / "f"))
    second = synth("--years", "2015")
    assert second.returncode == 1 and "files of another run" in second.stderr
    assert sorted(os.listdir(tmp_path / "f")) == before
    assert synth("--years", "2015", "--replace").returncode == 0
    assert not [n for n in os.listdir(tmp_path / "f") if "201499" in n]
