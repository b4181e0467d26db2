"""hdis check and hdis load from outside: the traps of delivered files one by one, damaged files,
all or nothing, replacing by PARTYEAR, opt-outs, identifiers, reports, memory.

Every file here is made up. Figures are compared with what the test itself wrote.
"""

import collections
import csv
import gzip
import io
import os
import random
import signal
import subprocess
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HDIS = os.path.join(ROOT, "build", "hdis")

COLUMNS = ["ADMIDATE", "ADMIMETH", "ADMISORC", "CLASSPAT", "DIAG_01", "DIAG_02", "DISDATE", "DISDEST",
           "DISMETH", "EPIEND", "EPIKEY", "EPIORDER", "EPISTART", "EPISTAT", "EPITYPE", "MAINSPEF",
           "PARTYEAR", "PROCODE3", "SEX", "STARTAGE", "SUSRECID", "TOKEN_PERSON_ID"]


def row(i, **over):
    day = "2014-%02d-%02d" % (4 + i % 9, 1 + i % 28)
    values = dict(ADMIDATE=day, ADMIMETH="21", ADMISORC="19", CLASSPAT="1", DIAG_01="I10X",
                  DIAG_02="", DISDATE=day, DISDEST="19", DISMETH="1", EPIEND=day,
                  EPIKEY="%019d" % (10 ** 18 + i), EPIORDER="1", EPISTART=day, EPISTAT="3",
                  EPITYPE="1", MAINSPEF="300", PARTYEAR="201499", PROCODE3="RX%d" % (i % 3),
                  SEX="1", STARTAGE="40", SUSRECID="%014d" % i, TOKEN_PERSON_ID="P%06d" % (i % 50))
    values.update(over)
    return values


def rows(n, **over):
    return [row(i, **over) for i in range(n)]


def write(path, table, columns=None, delimiter="|", end="\n", head=None):
    columns = columns or list(table[0])
    lines = [delimiter.join(head or columns)]
    lines += [delimiter.join(r[c] for c in columns) for r in table]
    path.write_text(end.join(lines) + end, encoding="utf-8", newline="")
    return path


class Vault:
    def __init__(self, folder):
        self.folder = folder
        self.env = dict(os.environ, HDIS_VAULT=str(folder / "v"), HDIS_KEY_FILE=str(folder / "k"))
        self.run("init")

    def run(self, *args, status=0, **more):
        done = subprocess.run([HDIS, *map(str, args)], env=self.env, capture_output=True, text=True,
                              **more)
        assert done.returncode == status, (done.returncode, done.stdout[-2000:], done.stderr)
        if status == 1:
            assert done.stderr.count("\n") == 1, done.stderr
        return done

    def ask(self, sql):
        out = self.run("query", sql, "--format", "csv", "--with-small-numbers", "--purpose",
                       "test").stdout
        return list(csv.reader(io.StringIO(out)))[1:]

    def counts(self, field, table="apc"):
        return {k: int(n) for k, n in
                self.ask("SELECT %s, count(*) FROM %s GROUP BY 1" % (field, table))}

    def state(self):
        """Everything that a load may change, by name and bytes; the lock file is not of them."""
        found = {}
        for at, _, names in os.walk(self.folder / "v"):
            for name in names:
                path = os.path.join(at, name)
                if "lock" in name or name.endswith(("-wal", "-shm")):
                    continue
                with open(path, "rb") as f:
                    found[os.path.relpath(path, self.folder)] = f.read()
        return found


@pytest.fixture
def vault(tmp_path):
    return Vault(tmp_path)


def refused(vault, *args):
    before = vault.state()
    text = vault.run(*args, status=1).stderr
    assert vault.state() == before
    return text


# ---- the ten traps ------------------------------------------------------------------------------

def test_trap_1_keys_of_20_digits(vault, tmp_path):
    table = rows(4)
    for r, key in zip(table, ("9223372036854775808", "9223372036854775809", "18446744073709551616",
                              "99999999999999999999")):
        r["EPIKEY"] = key
    out = vault.run("check", "apc", write(tmp_path / "a_201499.txt", table)).stdout
    assert "same_key" not in out
    vault.run("load", "apc", tmp_path / "a_201499.txt")
    assert vault.ask("SELECT count(*) FROM apc") == [["4"]]


def test_trap_2_date_sentinels_stay_and_are_no_dates(vault, tmp_path):
    table = rows(5)
    for r, day in zip(table, ("1800-01-01", "18010101", "1600-01-01", "1582-10-15", "2014-05-06")):
        r["DISDATE"] = day
    write(tmp_path / "a_201499.txt", table)
    vault.run("load", "apc", tmp_path / "a_201499.txt", "--report", tmp_path / "q.csv")
    assert vault.counts("disdate") == {"1800-01-01": 1, "1801-01-01": 1, "1600-01-01": 1,
                                       "1582-10-15": 1, "2014-05-06": 1}
    assert vodim(tmp_path / "q.csv", "disdate") == dict(valid=1, other=0, default=0, invalid=1,
                                                        missing=3)


def vodim(path, field):
    with open(path, newline="") as f:
        return {r["measure"]: int(r["value"]) for r in csv.DictReader(f)
                if r["level"] == "national" and r["kind"] == "field" and r["name"] == field}


def figures(path, kind):
    with open(path, newline="") as f:
        return {(r["name"], r["measure"]): int(r["value"]) for r in csv.DictReader(f)
                if r["level"] == "national" and r["kind"] == kind}


AE = ["AEKEY", "AEATTENDCAT", "AEDEPTTYPE", "ARRIVALDATE", "ARRIVALTIME", "DEPTIME", "DEPDUR",
      "PARTYEAR", "PROCODE3", "TOKEN_PERSON_ID", "ARRIVALAGE"]


def ae_row(i, **over):
    values = dict(AEKEY=str(i), AEATTENDCAT="1", AEDEPTTYPE="01", ARRIVALDATE="2014-05-01",
                  ARRIVALTIME="2330", DEPTIME="0100", DEPDUR="90", PARTYEAR="201499", PROCODE3="RX1",
                  TOKEN_PERSON_ID="P%d" % i, ARRIVALAGE="30")
    values.update(over)
    return values


def test_trap_3_clock_sentinels(vault, tmp_path):
    table = [ae_row(1), ae_row(2, DEPTIME="4000"), ae_row(3, DEPTIME="3000"),
             ae_row(4, DEPDUR="30")]
    write(tmp_path / "a.csv", table, AE, ",")
    vault.run("load", "ae", tmp_path / "a.csv", "--report", tmp_path / "q.csv")
    assert vault.counts("deptime", "ae") == {"0100": 2, "4000": 1, "3000": 1}
    assert vodim(tmp_path / "q.csv", "deptime") == dict(valid=2, other=0, default=0, invalid=1,
                                                        missing=1)
    # over midnight: 23:30 to 01:00 is 90 minutes
    assert figures(tmp_path / "q.csv", "check")[("depdur", "compared")] == 2
    assert figures(tmp_path / "q.csv", "check")[("depdur", "contradict")] == 1


def test_trap_4_baby_ages(vault, tmp_path):
    table = rows(3)
    for r, age in zip(table, ("7001", "7007.0", "7008")):
        r["STARTAGE"] = age
    write(tmp_path / "a_201499.txt", table)
    vault.run("load", "apc", tmp_path / "a_201499.txt", "--report", tmp_path / "q.csv")
    assert vault.counts("startage") == {"7001": 1, "7007": 1, "7008": 1}
    assert vodim(tmp_path / "q.csv", "startage")["valid"] == 2
    assert vault.counts("age")["0"] >= 2


def test_trap_5_providers_of_three_and_five_characters(vault, tmp_path):
    table = rows(2)
    table[0]["PROCODE3"] = "A1B2C"
    write(tmp_path / "a_201499.txt", table)
    vault.run("load", "apc", tmp_path / "a_201499.txt", "--report", tmp_path / "q.csv")
    assert vault.counts("procode3") == {"A1B2C": 1, "RX1": 1}
    assert vodim(tmp_path / "q.csv", "procode3")["valid"] == 2


def test_trap_6_discharge_methods_6_and_7_count_as_discharged(vault, tmp_path):
    table = rows(3, PARTYEAR="202299")
    for r, method in zip(table, ("6", "7", "8")):
        r.update(DISMETH=method, FCE="1", FDE="1" if method != "8" else "0")
    write(tmp_path / "a.txt", table, COLUMNS + ["FCE", "FDE"])
    vault.run("load", "apc", tmp_path / "a.txt", "--report", tmp_path / "q.csv")
    checks = figures(tmp_path / "q.csv", "check")
    assert checks[("fde", "compared")] == 3 and checks[("fde", "contradict")] == 0
    assert vault.counts("is_finished", "spells")["1"] == 2


def test_trap_7_widths_that_lie(vault, tmp_path):
    table = rows(4)
    for r, (e, dob) in zip(table, (("99", "41968"), ("A", "041968"), ("Z", "121970"), ("7", ""))):
        r.update(ETHNOS=e, MYDOB=dob)
    write(tmp_path / "a_201499.txt", table, COLUMNS + ["ETHNOS", "MYDOB"])
    vault.run("load", "apc", tmp_path / "a_201499.txt")
    assert vault.counts("mydob") == {"041968": 2, "121970": 1, "": 1}
    assert vault.counts("ethnos") == {"99": 1, "A": 1, "Z": 1, "7": 1}


@pytest.mark.parametrize("delimiter", ["|", ",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_trap_8_any_order_case_and_set_of_columns(tmp_path, delimiter, end):
    vault = Vault(tmp_path)
    columns = COLUMNS[::-1] + ["LOCAL_NOTE"]
    columns.remove("SEX")
    table = rows(30, LOCAL_NOTE="x")
    write(tmp_path / "a_201499.txt", table, columns, delimiter, end,
          head=[c.lower() if i % 2 else c.title() for i, c in enumerate(columns)])
    out = vault.run("load", "apc", tmp_path / "a_201499.txt").stdout
    assert "unknown, not kept (1): local_note" in out
    assert "fields not delivered: " in out and " sex " not in out
    out = vault.run("check", "apc", tmp_path / "a_201499.txt", "--fields").stdout
    assert " sex " in out.split("fields not delivered")[1]
    assert vault.counts("procode3") == {"RX0": 10, "RX1": 10, "RX2": 10}
    assert vault.counts("sex") == {"": 30}


def test_trap_9_a_later_extract_replaces_the_whole_year(vault, tmp_path):
    first = write(tmp_path / "a_201406.txt", rows(20, PARTYEAR="201406"))
    other = write(tmp_path / "a_201399.txt", rows(7, PARTYEAR="201399", PROCODE3="OLD"))
    final = write(tmp_path / "a_201499.txt", rows(12, PARTYEAR="201499", PROCODE3="NEW"))
    vault.run("load", "apc", first)
    vault.run("load", "apc", other)
    assert vault.counts("procode3")["OLD"] == 7 and len(vault.ask("SELECT epistart FROM apc GROUP BY 1"))
    vault.run("load", "apc", final)
    assert vault.counts("procode3") == {"OLD": 7, "NEW": 12}
    text = refused(vault, "load", "apc", first)
    assert "a_201406.txt" in text and "--replace-newer" in text
    vault.run("load", "apc", final)  # the same extract again
    assert vault.counts("procode3") == {"OLD": 7, "NEW": 12}
    vault.run("load", "apc", first, "--replace-newer")
    assert sum(vault.counts("procode3").values()) == 27
    assert "201406" in vault.run("vault", "status").stdout
    vault.run("vault", "verify")


def test_trap_10_contradictions_are_reported_and_loaded(vault, tmp_path):
    table = rows(10, EPITYPE="2", SEX="1", EPIDUR="99")
    write(tmp_path / "a_201499.txt", table, COLUMNS + ["EPIDUR"])
    vault.run("load", "apc", tmp_path / "a_201499.txt", "--report", tmp_path / "q.csv")
    checks = figures(tmp_path / "q.csv", "check")
    assert checks[("delivery_sex", "contradict")] == 10 and checks[("epidur", "contradict")] == 10
    assert figures(tmp_path / "q.csv", "rule")[("contradiction", "rows")] == 10
    assert vault.ask("SELECT count(*) FROM apc") == [["10"]]


# ---- files that are no good -----------------------------------------------------------------------

DAMAGE = {
    "few_fields": (lambda b: b.replace(b"|21|", b"|", 1), "line 2"),
    "many_fields": (lambda b: b.replace(b"|21|", b"|21||", 1), "line 2, column 23"),
    "zero_byte": (lambda b: b.replace(b"I10X", b"I1\0X", 1), "line 2, column 5 (DIAG_01)"),
    "not_utf8": (lambda b: b.replace(b"I10X", b"I1\xffX", 1), "line 2, column 5 (DIAG_01)"),
    "cut_row": (lambda b: b[:-40], "line 31"),
    "empty": (lambda b: b"", "empty"),
    "header_only": (lambda b: b.split(b"\n")[0] + b"\n", "no rows"),
    "no_header": (lambda b: b.split(b"\n", 1)[1], "header"),
    "twice_the_same_column": (lambda b: b.replace(b"SEX", b"sUsRecID", 1), "the same name"),
    "cut_gzip": (lambda b: gzip.compress(b)[:-20], "cut off"),
    "damaged_gzip": (lambda b: gzip.compress(b)[:60] + b"xxxx" + gzip.compress(b)[64:], "damaged"),
    "zip": (lambda b: b"PK\x03\x04" + b, "ZIP"),
    "mixed_years": (lambda b: b.replace(b"|201499|", b"|201399|", 1), "line 3, column 17 (PARTYEAR)"),
}


@pytest.mark.parametrize("name", sorted(DAMAGE))
def test_a_bad_file_changes_nothing_and_is_named(vault, tmp_path, name):
    good = write(tmp_path / "good_201399.txt", rows(9, PARTYEAR="201399"))
    vault.run("load", "apc", good)
    whole = write(tmp_path / "whole.txt", rows(30)).read_bytes()
    change, words = DAMAGE[name]
    (tmp_path / "bad_201499.txt").write_bytes(change(whole))
    later = write(tmp_path / "later_201599.txt", rows(3, PARTYEAR="201599"))
    text = refused(vault, "load", "apc", later, tmp_path / "bad_201499.txt")
    assert "bad_201499.txt" in text and words in text
    for value in ("P000000", "1000000000000000", "I10X", "I1"):
        assert value not in text
    check = subprocess.run([HDIS, "check", "apc", tmp_path / "bad_201499.txt"], capture_output=True,
                           text=True)
    assert check.returncode == 1 and words in check.stderr


def test_good_files_in_other_packings(vault, tmp_path):
    plain = write(tmp_path / "a_201499.txt", rows(30)).read_bytes()
    (tmp_path / "b_201399.txt.gz").write_bytes(gzip.compress(
        plain.replace(b"201499", b"201399").replace(b"|1000000", b"|2000000")))
    (tmp_path / "c.txt").write_bytes(b"\xef\xbb\xbf" + plain.replace(b"201499", b"201299").replace(
        b"|1000000", b"|3000000")[:-1])
    subprocess.run(["zstd", "-q", str(tmp_path / "a_201499.txt")], check=True)
    vault.run("load", "apc", tmp_path / "a_201499.txt.zst", tmp_path / "b_201399.txt.gz",
              tmp_path / "c.txt")
    assert vault.ask("SELECT count(*) FROM apc") == [["90"]]
    assert vault.counts("admimeth") == {"21": 90}


def test_rejected_rows_can_be_allowed(vault, tmp_path):
    bad = write(tmp_path / "bad_201499.txt", rows(100))
    lines = bad.read_text().split("\n")
    lines[50] += "|x"
    bad.write_text("\n".join(lines))
    assert "line 51, column 23" in refused(vault, "load", "apc", bad)
    refused(vault, "load", "apc", bad, "--allow-rejected", "0.5%")
    out = vault.run("load", "apc", bad, "--allow-rejected", "1%").stdout
    assert "100 rows read, 99 kept, 1 rejected" in out
    vault.run("load", "apc", bad, "--allow-rejected", "1")
    assert vault.ask("SELECT count(*) FROM apc") == [["99"]]
    vault.run("load", "apc", bad, "--allow-rejected", "lots", status=2)


def test_parts_of_one_year_come_together(vault, tmp_path):
    a = write(tmp_path / "a_201499.txt", rows(10))
    b = write(tmp_path / "b_201499.txt", rows(5, PROCODE3="RX9"))
    c = write(tmp_path / "c_201406.txt", rows(5, PARTYEAR="201406"))
    vault.run("load", "apc", a, b)
    assert vault.ask("SELECT count(*) FROM apc") == [["15"]]
    assert "one extract" in refused(vault, "load", "apc", a, c)
    assert "one extract" in vault.run("check", "apc", a, c, status=1).stderr


def test_an_extract_without_rows_does_not_replace_its_year(vault, tmp_path):
    vault.run("load", "apc", write(tmp_path / "a_201406.txt", rows(10, PARTYEAR="201406")))
    empty = write(tmp_path / "b_201499.txt", rows(4))
    (tmp_path / "out.txt").write_text("P000000\nP000001\nP000002\nP000003\n")
    text = refused(vault, "load", "apc", empty, "--opt-outs", tmp_path / "out.txt")
    assert "b_201499.txt: every row is rejected or opted out" in text


def test_the_year_comes_from_column_name_or_option(vault, tmp_path):
    columns = [c for c in COLUMNS if c != "PARTYEAR"]
    table = rows(5, FYEAR="1415")
    nothing = write(tmp_path / "nothing.txt", table, columns)
    assert "--part-year" in refused(vault, "load", "apc", nothing)
    vault.run("load", "apc", nothing, "--part-year", "201406")
    assert "201406" in vault.run("vault", "status").stdout
    vault.run("load", "apc", write(tmp_path / "NIC1_HES_APC_201407.txt", table, columns))
    assert "201407" in vault.run("vault", "status").stdout
    vault.run("load", "apc", write(tmp_path / "f.txt", table, columns + ["FYEAR"]))
    assert "201499" in vault.run("vault", "status").stdout
    vault.run("load", "apc", nothing, "--part-year", "201414", status=2)


# ---- people ---------------------------------------------------------------------------------------

def nhs_numbers(n, seed=1):
    r = random.Random(seed)
    found = []
    while len(found) < n:
        nine = "9" + "".join(r.choice("0123456789") for _ in range(8))
        check = 11 - sum(int(d) * (10 - i) for i, d in enumerate(nine)) % 11
        if check != 10:
            found.append(nine + str(0 if check == 11 else check))
    return found


def test_opted_out_people_leave_no_row(vault, tmp_path):
    table = rows(100)  # 50 people, two rows each
    write(tmp_path / "a_201499.txt", table)
    (tmp_path / "out.csv").write_text("person,date\nP000003,2020\n P000007 ,2020\nNOBODY,2020\n")
    out = vault.run("load", "apc", tmp_path / "a_201499.txt", "--opt-outs", tmp_path / "out.csv").stdout
    assert "100 rows read, 96 kept, 0 rejected, 4 opted out" in out
    assert vault.ask("SELECT count(*), count(DISTINCT person) FROM apc") == [["96", "48"]]
    lost = collections.Counter(r["EPISTART"] for r in table
                               if r["TOKEN_PERSON_ID"] not in ("P000003", "P000007"))
    assert vault.counts("epistart") == lost


def test_opt_outs_by_nhs_number_beside_a_token(vault, tmp_path):
    numbers = nhs_numbers(10)
    table = [dict(r, NHS_NUMBER=numbers[i]) for i, r in enumerate(rows(10))]
    write(tmp_path / "a_201499.txt", table)
    n = numbers[4]
    (tmp_path / "out.txt").write_text("%s %s %s\n" % (n[:3], n[3:6], n[6:]))
    out = vault.run("load", "apc", tmp_path / "a_201499.txt", "--opt-outs", tmp_path / "out.txt").stdout
    assert "identifying, dropped (1): NHS_NUMBER" in out and "9 kept, 0 rejected, 1 opted out" in out


def test_identifying_columns_are_dropped_at_the_door(vault, tmp_path):
    numbers = nhs_numbers(10)
    table = [dict(r, NHSNO=numbers[i], SURNAME="Canary%d" % i, POSTCODE="SW1A %dAA" % i,
                  DOB="19%d0-01-02" % i) for i, r in enumerate(rows(10))]
    write(tmp_path / "a_201499.txt", table)
    out = vault.run("load", "apc", tmp_path / "a_201499.txt").stdout
    assert "identifying, dropped (4): NHSNO SURNAME POSTCODE DOB" in out
    everything = b"".join(vault.state().values())
    for canary in (b"Canary", b"SW1A", numbers[0].encode(), b"P000001"):
        assert canary not in everything
    assert "Canary" not in out and numbers[0] not in out


def test_an_nhs_number_is_the_person_when_there_is_no_other(vault, tmp_path):
    numbers = nhs_numbers(5)
    columns = [c for c in COLUMNS if c != "TOKEN_PERSON_ID"] + ["NHS_NUMBER"]
    write(tmp_path / "a_201499.txt", [dict(r, NHS_NUMBER=numbers[i % 5])
                                      for i, r in enumerate(rows(20))], columns)
    vault.run("load", "apc", tmp_path / "a_201499.txt")
    assert vault.ask("SELECT count(DISTINCT person) FROM apc") == [["5"]]


MISPLACED = {
    "nhs_number_in_a_field": ("DIAG_02", lambda i: nhs_numbers(40)[i], "NHS numbers"),
    "nhs_number_in_an_unknown_column": ("LOCAL_REF", lambda i: nhs_numbers(40)[i], "NHS numbers"),
    "postcode_in_a_field": ("PROCODE3", lambda i: "LS%d %dAB" % (1 + i % 20, i % 10), "postcodes"),
    "birth_dates_in_an_unknown_column": ("LOCAL_DATE", lambda i: "19%02d-05-%02d" % (20 + i, 1 + i % 28),
                                         "dates of birth"),
}


@pytest.mark.parametrize("name", sorted(MISPLACED))
def test_identifiers_where_none_belong_are_refused(vault, tmp_path, name):
    column, value, holds = MISPLACED[name]
    table = [dict(r, **{column: value(i)}) for i, r in enumerate(rows(40))]
    write(tmp_path / "a_201499.txt", table)
    text = refused(vault, "load", "apc", tmp_path / "a_201499.txt")
    assert column in text and holds in text and value(3) not in text
    out = vault.run("load", "apc", tmp_path / "a_201499.txt", "--allow-identifiers").stdout
    assert "left out because of what it holds: " + column in out
    everything = b"".join(vault.state().values())
    assert value(3).encode() not in everything
    if column == "PROCODE3":
        assert vault.counts("procode3") == {"": 40}


def test_random_ten_digit_keys_and_activity_dates_are_no_identifiers(vault, tmp_path):
    r = random.Random(5)
    table = [dict(x, SUSSPELLID="%010d" % r.randrange(10 ** 10), LOCAL_KEY="%010d" % r.randrange(10 ** 10),
                  SENT="2014-%02d-%02d" % (1 + i % 12, 1 + i % 28)) for i, x in enumerate(rows(400))]
    write(tmp_path / "a_201499.txt", table)
    vault.run("load", "apc", tmp_path / "a_201499.txt")


# ---- critical care --------------------------------------------------------------------------------

def test_critical_care_finds_its_person_before_and_after(vault, tmp_path):
    cc = [dict(SUSRECID="%014d" % i, CCSTARTDATE="2014-05-0%d" % (1 + i % 9), CCDISDATE="20140601",
               BESTMATCH="1", PARTYEAR="201499") for i in list(range(10)) + [999]]
    write(tmp_path / "cc_201499.txt", cc)
    out = vault.run("load", "cc", tmp_path / "cc_201499.txt").stdout
    assert "11 linked to no person" in out
    assert vault.ask("SELECT count(DISTINCT person) FROM cc") == [["0"]]
    vault.run("load", "apc", write(tmp_path / "a_201499.txt", rows(10)))
    assert vault.ask("SELECT count(DISTINCT person), count(*) FROM cc") == [["10", "11"]]
    out = vault.run("load", "cc", tmp_path / "cc_201499.txt").stdout
    assert "1 linked to no person" in out
    assert vault.ask("SELECT count(DISTINCT person), count(*) FROM cc") == [["10", "11"]]
    assert vault.counts("ccdisdate", "cc") == {"2014-06-01": 11}


# ---- reports --------------------------------------------------------------------------------------

def test_reports_hide_small_numbers_and_escape(vault, tmp_path):
    table = rows(100, PROCODE3="RX1", EPIEND="2014-05-06")
    for r in table[:5]:
        r["PROCODE3"] = "RX2"
    for r in table[5:8]:
        r["ADMIMETH"] = "zz"
    table[9]["SEX"] = "<b>&"
    write(tmp_path / "a_201499.txt", [dict(r, **{"X_Y": "<i>"}) for r in table])
    vault.run("check", "apc", tmp_path / "a_201499.txt", "--report", tmp_path / "q.csv")
    vault.run("check", "apc", tmp_path / "a_201499.txt", "--report", tmp_path / "q.html")
    with open(tmp_path / "q.csv", newline="") as f:
        lines = list(csv.DictReader(f))
    small = {(r["provider"], r["month"], r["kind"], r["name"], r["measure"]): r["value"]
             for r in lines if r["level"] == "provider_month"}
    assert small[("RX2", "2014-05", "rows", "apc", "kept")] == "*"
    assert small[("RX1", "2014-05", "rows", "apc", "kept")] == "95"
    assert small[("RX1", "2014-05", "field", "admimeth", "valid")] == "90"
    assert small[("RX1", "2014-05", "field", "admimeth", "invalid")] == "*"
    assert {v for v in small.values()} <= {"*"} | {str(5 * i) for i in range(40)}
    assert vodim(tmp_path / "q.csv", "admimeth")["invalid"] == 3  # national: exact
    page = (tmp_path / "q.html").read_text()
    assert "<script" not in page and "<b>" not in page and "RX2" in page and "<caption>" in page
    assert page.count("<table>") == page.count("</table>") >= 5


def test_repeated_keys_and_rows_are_counted(vault, tmp_path):
    table = rows(20)
    table += [dict(table[0]), dict(table[1], SEX="2")]
    write(tmp_path / "a_201499.txt", table)
    vault.run("load", "apc", tmp_path / "a_201499.txt", "--report", tmp_path / "q.csv")
    rules = figures(tmp_path / "q.csv", "rule")
    assert rules[("same_key", "rows")] == 2 and rules[("same_row", "rows")] == 1
    assert vault.ask("SELECT count(*) FROM apc") == [["22"]]


def test_usage(vault, tmp_path):
    file = write(tmp_path / "a_201499.txt", rows(3))
    vault.run("load", "apc", status=2)
    vault.run("load", "apc", file, "--report", "x.pdf", status=2)
    assert "apc, " in vault.run("load", "spells", file, status=1).stderr
    assert "no such file" in refused(vault, "load", "apc", tmp_path / "none.txt")
    assert "looks like HES_APC (apc), not op" in vault.run("check", "op", file, status=1).stderr


# ---- much -----------------------------------------------------------------------------------------

def test_interrupted_load_is_all_or_nothing(vault, tmp_path):
    """Whenever the signal comes, before the commit or after it."""
    vault.run("load", "apc", write(tmp_path / "a_201399.txt", rows(9, PARTYEAR="201399")))
    tables = {k: v for k, v in vault.state().items() if not k.endswith(".db")}
    status = vault.run("vault", "status").stdout
    big = write(tmp_path / "b_201499.txt", rows(60000))
    for signal_, wait in ((signal.SIGINT, 0.05), (signal.SIGKILL, 0.1), (signal.SIGKILL, 0.2)):
        p = subprocess.Popen([HDIS, "load", "apc", str(big)], env=vault.env,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        p.send_signal(signal_)
        p.wait()
        vault.run("vault", "verify")
        if vault.ask("SELECT count(*) FROM apc") != [["9"]]:
            break
        assert vault.run("vault", "status").stdout == status
        now = vault.state()
        assert all(now[k] == v for k, v in tables.items())
    else:
        vault.run("load", "apc", big)
    assert vault.ask("SELECT count(*) FROM apc") == [["60009"]]


def million(path, n, start=0):
    """n rows of different keys, an unknown column of different texts, and many people."""
    base = rows(1000)
    with open(path, "w") as f:
        f.write("|".join(COLUMNS + ["NOISE"]) + "\n")
        for i in range(start, start + n):
            r = base[i % 1000]
            r["EPIKEY"], r["SUSRECID"] = "%019d" % i, "%014d" % i
            r["TOKEN_PERSON_ID"] = "Q%07d" % (i * 7919 % 400000)
            f.write("|".join(r.values()) + "|n%d\n" % i)
    return path


def peak_kib(vault, *args):
    """Peak memory of one run of the program."""
    p = subprocess.Popen([HDIS, *map(str, args)], env=vault.env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    assert p.returncode == 0
    return usage.ru_maxrss


def test_memory_does_not_follow_the_rows(vault, tmp_path):
    small = peak_kib(vault, "check", "apc", million(tmp_path / "a_201499.txt", 100 * 1000))
    large = peak_kib(vault, "check", "apc", million(tmp_path / "b_201499.txt", 400 * 1000))
    # keys are compared: 16 bytes a row, in a table at most two thirds full, twice while it grows
    assert large - small < 40 * 1024, (small, large)
    loaded = peak_kib(vault, "load", "apc", tmp_path / "a_201499.txt")
    assert loaded < 300 * 1024, loaded


# ---- the wrong file -----------------------------------------------------------------------------

TAGS = {"apc": "HES_APC", "op": "HES_OP", "ae": "HES_AE", "cc": "HES_CC", "ecds": "ECDS"}


def test_a_file_of_another_data_set_is_refused(vault, tmp_path):
    files = tmp_path / "files"
    subprocess.run([HDIS, "synth", "--people", "200", "--years", "2014", "--out", files], check=True,
                   capture_output=True)
    for own, tag in TAGS.items():
        text = (files / ("NIC000000_%s_201499.txt" % tag)).read_bytes()
        plain = tmp_path / "extract_201499.txt"
        plain.write_bytes(text)
        for other in TAGS:
            if other == own:
                vault.run("check", own, plain)
                continue
            err = vault.run("check", other, plain, status=1).stderr
            assert "looks like %s (%s), not %s; nothing was changed" % (tag, own, other) in err
    table = write(tmp_path / "a_201499.txt", rows(30))
    vault.run("load", "apc", table)
    other = files / "NIC000000_HES_AE_201499.txt"
    assert "not apc; nothing was changed" in refused(vault, "load", "apc", other)


def test_the_name_of_another_data_set_is_refused(vault, tmp_path):
    table = write(tmp_path / "NIC000000_HES_OP_201499.txt", rows(30))
    assert "NIC000000_HES_OP_201499.txt looks like HES_OP (op), not apc" in \
        refused(vault, "load", "apc", table)
    columns = [c for c in COLUMNS if c not in ("EPIKEY", "EPIEND", "EPISTART", "SUSRECID")]
    table = write(tmp_path / "b_201499.txt", rows(30), columns)
    assert "nothing was changed" in refused(vault, "load", "apc", table)


# ---- single identifiers ---------------------------------------------------------------------------

def test_single_identifiers_in_coded_fields_are_not_stored(vault, tmp_path):
    nhs = nhs_numbers(4)
    table = rows(400, GPPRAC="A81001", MYDOB="041968", ETHNOS="A", SUBDATE="20140601")
    planted = [("DIAG_02", nhs[0]), ("ETHNOS", nhs[1]), ("PROCODE3", "LS1 4AB"),
               ("GPPRAC", "SW1A 1AA"), ("ETHNOS", "Canary, Mary"), ("SEX", "Canary Jones"),
               ("MYDOB", "12051950"), ("MYDOB", "19500512"), ("STARTAGE", nhs[2]),
               ("MYDOB", "Canary")]
    for r, (column, value) in zip(table, planted):
        r[column] = value
    write(tmp_path / "a_201499.txt", table)
    vault.run("load", "apc", tmp_path / "a_201499.txt", "--report", tmp_path / "q.csv")
    assert vault.counts("mydob") == {"": 3, "041968": 397}
    assert vault.counts("ethnos") == {"": 2, "A": 398}
    assert vault.counts("sex") == {"": 1, "1": 399}
    assert vault.counts("startage") == {"": 1, "40": 399}
    assert vault.counts("diag_02") == {"": 400}
    assert vault.counts("gpprac") == {"": 1, "A81001": 399}
    assert sum(n for p, n in vault.counts("procode3").items() if p) == 399
    assert vodim(tmp_path / "q.csv", "mydob")["invalid"] == 3
    assert vodim(tmp_path / "q.csv", "ethnos")["invalid"] == 2
    everything = b"".join(vault.state().values()) + (tmp_path / "q.csv").read_bytes()
    for column, value in planted:
        assert value.encode() not in everything


@pytest.mark.parametrize("shape", ["%02d05%04d", "%d05%04d", "%02d/05/%04d", "{1}05{0:02d}"])
def test_full_dates_in_the_month_of_birth_are_refused(vault, tmp_path, shape):
    def born(i):
        day, year = 1 + i % 9, 1930 + i % 60
        return shape.format(day, year) if "{" in shape else shape % (day, year)
    write(tmp_path / "a_201499.txt", [dict(r, MYDOB=born(i)) for i, r in enumerate(rows(40))])
    assert "MYDOB: the column seems to hold dates of birth" in \
        refused(vault, "load", "apc", tmp_path / "a_201499.txt")
    vault.run("load", "apc", tmp_path / "a_201499.txt", "--allow-identifiers")
    assert vault.counts("mydob") == {"": 40}


def test_codes_of_ten_digits_and_organisation_codes_are_kept(vault, tmp_path):
    nhs = nhs_numbers(2)
    columns = dict(SUSRECID="1", ARRIVAL_DATE="2014-05-01", PARTYEAR="201499",
                   CHIEF_COMPLAINT=nhs[0], DIAGNOSIS_CODE_1=nhs[1])
    write(tmp_path / "e_201499.txt", [dict(columns, SUSRECID=str(i)) for i in range(5)])
    vault.run("load", "ecds", tmp_path / "e_201499.txt")
    assert vault.counts("chief_complaint", "ecds") == {nhs[0]: 5}
    assert vault.counts("diagnosis_code_1", "ecds") == {nhs[1]: 5}


def test_the_report_is_written_when_nobody_reads_the_output(vault, tmp_path):
    write(tmp_path / "a_201499.txt", rows(40))
    end, other = os.pipe()
    os.close(end)
    subprocess.run([HDIS, "check", "apc", tmp_path / "a_201499.txt", "--report", tmp_path / "q.html"],
                   stdout=other, stderr=subprocess.DEVNULL, env=vault.env)
    os.close(other)
    assert "</html>" in (tmp_path / "q.html").read_text()


def test_a_file_given_twice_is_refused(vault, tmp_path):
    a = write(tmp_path / "a_201499.txt", rows(40))
    b = tmp_path / "b_201499.txt.gz"
    b.write_bytes(gzip.compress(a.read_bytes()))
    c = write(tmp_path / "c_201499.txt", rows(40), COLUMNS[::-1], ",")
    d = write(tmp_path / "d_201499.txt", rows(40) * 2)
    for pair in ((a, a), (a, b)):
        text = refused(vault, "load", "apc", *pair)
        assert "a_201499.txt (file 1" in text and "the same rows" in text
        vault.run("check", "apc", *pair, status=1)
    assert "100% of its row keys occurred before" in refused(vault, "load", "apc", a, c)
    assert "50% of its row keys" in refused(vault, "load", "apc", d)
    few = rows(40) + rows(4)
    vault.run("load", "apc", write(tmp_path / "e_201499.txt", few))
    assert vault.ask("SELECT count(*) FROM apc") == [["44"]]


# ---- threads ------------------------------------------------------------------------------------

def test_any_number_of_threads_gives_the_same(tmp_path):
    """Several chunks of a file with errors: the report and answers. (Row keys are hashed under each
    vault's own key, so the sealed bytes differ a little.)"""
    subprocess.run([HDIS, "synth", "--people", "20000", "--years", "2014-2014", "--seed", "3", "--dirty",
                    "5%", "--out", str(tmp_path / "files")], check=True, capture_output=True)
    file = tmp_path / "files" / "NIC000000_HES_APC_201499.txt"
    assert file.stat().st_size > 3 << 20
    seen = []
    for threads in ("1", "3"):
        folder = tmp_path / threads
        folder.mkdir()
        v = Vault(folder)
        v.env["HDIS_THREADS"] = threads
        out = v.run("load", "apc", file, "--report", folder / "q.csv").stdout
        answers = [v.ask("SELECT procode3, admimeth, count(*), count(DISTINCT person), sum(epidur) "
                         "FROM apc GROUP BY 1, 2 ORDER BY 1, 2"),
                   v.ask("SELECT provider, count(*), avg(length_of_stay) FROM spells GROUP BY 1 "
                         "ORDER BY 1")]
        seen.append((out, (folder / "q.csv").read_text(), answers))
    assert seen[0] == seen[1]


def write_wrong(folder, wrong):
    """9,000 rows; those in `wrong` have another year, or too few fields."""
    text = ["|".join(COLUMNS)]
    for i in range(9000):
        r = row(i, PARTYEAR="201599" if wrong.get(i) == "year" else "201499")
        line = "|".join(r[c] for c in COLUMNS)
        text.append(line.rsplit("|", 2)[0] if wrong.get(i) == "fields" else line)
    (folder / "a_201499.txt").write_text("\n".join(text) + "\n")
    return folder / "a_201499.txt"


def test_the_first_thing_wrong_is_told(vault, tmp_path):
    """Whatever is wrong further on, and however far apart: the order of the file decides."""
    for at, other in ((20, 40), (100, 8000), (4000, 8999)):
        text = refused(vault, "load", "apc", write_wrong(tmp_path, {at: "fields", other: "year"}))
        assert "line %d," % (at + 2) in text and "extract" not in text
        text = refused(vault, "load", "apc", write_wrong(tmp_path, {at: "year", other: "fields"}))
        assert "line %d," % (at + 2) in text and "extract" in text
