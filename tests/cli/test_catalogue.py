"""hdis datasets, fields and organisations: what they print, and what they refuse."""

import csv
import io
import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HDIS = os.path.join(ROOT, "build", "hdis")
SHARED = os.environ.get("HDIS_SHARED") or os.path.join(ROOT, "..", "shared")


def hdis(*args, status=0, env=None):
    run = subprocess.run([HDIS, *args], capture_output=True, text=True,
                         env={**os.environ, "HDIS_VAULT": "", **(env or {})})
    assert run.returncode == status, run.stderr
    return run.stdout if status == 0 else run.stderr


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_datasets_lists_every_table():
    tables = {r["table"]: r for r in rows(hdis("datasets", "--format", "csv"))}
    assert set(tables) >= {"apc", "op", "ae", "cc", "ecds", "spells", "continuous_spells",
                           "deliveries"}
    assert tables["apc"]["made from"] == "files"
    assert tables["spells"]["made from"] == "apc"


@pytest.mark.parametrize("args", [
    ["datasets"], ["fields", "apc"], ["fields", "op"], ["fields", "ae"], ["fields", "cc"],
    ["fields", "ecds"], ["fields", "spells"], ["fields", "continuous_spells"],
    ["fields", "deliveries"], ["fields", "apc", "admimeth"], ["fields", "apc", "tretspef"],
    ["fields", "apc", "diagnosis"], ["organisations"]])
def test_tables_fit_a_hundred_columns(args):
    lines = [x for x in hdis(*args).splitlines() if not x.startswith("catalogue version ")]
    assert len(lines) > 2
    assert max(map(len, lines)) <= 100
    assert not any(line != line.rstrip() for line in lines)


def test_fields_of_a_table():
    fields = {r["field"]: r for r in rows(hdis("fields", "apc", "--format", "csv"))}
    assert fields["startage"]["type"] == "integer"
    assert fields["diagnosis"]["kind"] == "list"
    assert fields["epikey"]["kind"] == "key"
    assert fields["person"]["kind"] == "person"
    assert fields["postcode"]["kind"] == "dropped"
    assert fields["diag_3_20"]["kind"] == "expression"
    assert fields["lsoa11"]["years"] == "2013-"
    text = hdis("fields", "apc")
    assert "diag_3_01 to _20" in text and "diag_3_02" not in text


def test_codes_of_a_field():
    codes = {r["code"]: r for r in rows(hdis("fields", "apc", "admimeth", "--format", "csv"))}
    assert codes["2A"]["years"] == "2013-"
    assert codes["11"]["meaning"] == "valid"
    assert codes["99"]["meaning"] == "default"
    text = hdis("fields", "spells", "region")
    assert "region_of(successor_of(procode3))" in text
    assert "below national level" in text
    assert hdis("fields", "apc", "diag_01") == hdis("fields", "apc", "diagnosis")
    assert hdis("fields", "apc", "any_diagnosis") == hdis("fields", "apc", "diagnosis")


def test_refusals():
    assert "no field 'nope'" in hdis("fields", "apc", "nope", status=1)
    assert "no table 'nope'" in hdis("fields", "nope", status=1)
    hdis("fields", status=2)
    hdis("fields", "apc", "sex", "more", status=2)
    hdis("fields", "apc", "--format", "html", status=2)
    hdis("datasets", "apc", status=2)
    hdis("organisations", "export", status=2)
    hdis("organisations", "import", status=2)
    hdis("organisations", "--ods", "x", status=2)
    error = hdis("datasets", status=1, env={"HDIS_CATALOGUE": "/nonexistent"})
    assert "/nonexistent" in error and error.count("\n") == 1


# ---- organisations ------------------------------------------------------------------------------

def ods_row(code, name, region="Y99", icb="QZZ", opened="20010401", closed="", parent=""):
    row = [code, name, region, icb, "1 STREET", "", "", "TOWN", "", "ZZ9 9ZZ", opened, closed, "", "",
           parent] + [""] * 12
    return ",".join('"%s"' % x for x in row) + "\r\n"


@pytest.fixture
def ods(tmp_path):
    folder = tmp_path / "ods"
    folder.mkdir()
    (folder / "etr.csv").write_text(
        ods_row("ZX1", "NORTH FOUNDATION TRUST, OLD") + ods_row("ZX2", "NORTH TRUST") +
        ods_row("ZX3", "SOUTH TRUST", closed="20190331") + ods_row("ZX4", "EAST TRUST"))
    (folder / "ets.csv").write_text(
        ods_row("ZX101", "NORTH SITE") + ods_row("Z0X0Z", "NEW SITE", parent="ZX2"))
    (folder / "eccg.csv").write_text(ods_row("97X", "NORTH CCG"))
    (folder / "epraccur.csv").write_text(ods_row("Z90901", "SURGERY", parent="97X"))
    (folder / "eauth.csv").write_text(ods_row("Y99", "NORTHERN REGION") + ods_row("QZZ", "NORTH ICB"))
    (folder / "succ.csv").write_text('"ZX1","ZX2","R","20100401","1"\r\n"ZX3","ZX1","R","20190401","1"\r\n'
                                     '"ZX3","ZX4","R","20180401","1"\r\n"Q99","ZX4","R","20180401",""\r\n')
    return folder


def test_import_of_ods_files(ods, tmp_path):
    peers = tmp_path / "peers.csv"
    peers.write_text("code,peer_group\nZX2,acute\n")
    vault = tmp_path / "vault"
    vault.mkdir()
    out = hdis("organisations", "import", "--ods", str(ods), "--vault", str(vault), "--peers",
               str(peers))
    assert "4 providers (2 with a successor), 2 sites, 1 commissioner, 1 practice, " in out
    providers = {r["code"]: r for r in rows((vault / "organisations/providers.csv").read_text())}
    assert providers["ZX1"]["type"] == "FOUNDATION"
    assert providers["ZX1"]["name"] == "NORTH FOUNDATION TRUST, OLD"
    assert providers["ZX1"]["successor"] == "ZX2"
    assert providers["ZX1"]["succeeded_on"] == "2010-04-01"
    assert providers["ZX3"]["successor"] == "ZX1"
    assert providers["ZX3"]["closed"] == "2019-03-31"
    assert providers["ZX2"]["region"] == "NORTHERN REGION"
    assert providers["ZX2"]["icb"] == "NORTH ICB"
    assert providers["ZX2"]["peer_group"] == "acute"
    sites = {r["code"]: r["provider"]
             for r in rows((vault / "organisations/sites.csv").read_text())}
    assert sites == {"ZX101": "ZX1", "Z0X0Z": "ZX2"}
    known = {r["function"]: int(r["codes"])
             for r in rows(hdis("organisations", "--vault", str(vault), "--format", "csv"))}
    assert known["successor_of"] == 2 and known["provider_name_of"] == 4
    assert known["practice_name_of"] == 1


def test_import_refuses(ods, tmp_path):
    out = str(tmp_path / "out")
    (ods / "succ.csv").write_text('"ZX1","ZX2","R","20100401","1"\n"ZX2","ZX1","R","20110401","1"\n')
    assert "circle" in hdis("organisations", "import", "--ods", str(ods), "--out", out, status=1)
    (ods / "succ.csv").write_text('"ZX1","ZX2"\n')
    assert "2 columns" in hdis("organisations", "import", "--ods", str(ods), "--out", out, status=1)
    (ods / "ets.csv").unlink()
    assert "ets.csv" in hdis("organisations", "import", "--ods", str(ods), "--out", out, status=1)
    assert not os.path.exists(os.path.join(out, "providers.csv"))


# ---- the artificial files -----------------------------------------------------------------------

@pytest.mark.parametrize("table,name", [("apc", "artificial_hes_apc_0102.csv"),
                                        ("ae", "artificial_hes_ae_0708.csv")])
def test_counts_can_be_asked_by_every_column(table, name):
    """Each column of the file, by its own name in lower case, is a field, an expression or a position;
    what is not is the person, a *_CONCAT copy, or an older name of another field."""
    path = os.path.join(SHARED, "data", "hes_artificial", name)
    if not os.path.exists(path):
        pytest.skip("no ../shared/data/hes_artificial (HDIS_SHARED names it)")
    with open(path, encoding="utf-8") as f:
        header = next(csv.reader(f))
    asked = set()
    for field in rows(hdis("fields", table, "--format", "csv")):
        asked.add(field["field"])
        for pattern in filter(None, field["asked_as"].split(", ")):
            asked.update(pattern % (i + 1) for i in range(int(field["positions"])))
    aside = {"pseudo_hesid"}
    missing = [c for c in header if c.lower() not in asked | aside and not c.endswith("_CONCAT")]
    assert not missing
