"""Spreadsheets hold what the CSV holds: read back with the standard library only."""

import csv
import io
import re
import xml.etree.ElementTree as ET
import zipfile

SQL = ("SELECT provider, discharge_month, count(*) AS n, avg(length_of_stay) AS mean, "
       "'=1+1' || provider AS formula FROM spells GROUP BY 1, 2 ORDER BY 1, 2")
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"


def expected(people):
    rows = list(csv.reader(io.StringIO(people.run("query", "--format", "csv", SQL).stdout)))
    return [[re.sub("^'=", "=", x) for x in row] for row in rows]


def same(a, b):
    try:
        return abs(float(a) - float(b)) <= 1e-12 * abs(float(b))
    except ValueError:
        return a == b


def check(got, want):
    assert len(got) == len(want) > 100
    for g, w in zip(got, want):
        assert len(g) == len(w) and all(same(x, y) for x, y in zip(g, w)), (g, w)


def test_xlsx(people, tmp_path):
    path = tmp_path / "t.xlsx"
    people.run("query", "--format", "xlsx", "--out", str(path), SQL)
    with zipfile.ZipFile(path) as z:
        strings = ["".join(t.text or "" for t in si.iter(SHEET + "t"))
                   for si in ET.fromstring(z.read("xl/sharedStrings.xml"))]
        sheet = ET.fromstring(z.read("xl/worksheets/sheet1.xml"))
    assert not list(sheet.iter(SHEET + "f")), "no formula may be written"
    rows = []
    for row in sheet.iter(SHEET + "row"):
        cells = []
        for c in row:
            v = c.find(SHEET + "v")
            text = "" if v is None else strings[int(v.text)] if c.get("t") == "s" else v.text
            cells.append((c.get("r"), c.get("t"), text))
        rows.append(cells)
    want = expected(people)
    got = []
    for cells in rows:
        line = [""] * len(want[0])
        for ref, kind, text in cells:
            line["ABCDEFG".index(ref[0])] = text
        got.append(line)
    import datetime
    for line in got[1:]:
        if re.fullmatch(r"\d+", line[1]):
            line[1] = (datetime.date(1899, 12, 30) + datetime.timedelta(int(line[1]))).isoformat()
    check(got, want)


def test_ods(people, tmp_path):
    path = tmp_path / "t.ods"
    people.run("query", "--format", "ods", "--out", str(path), SQL)
    with zipfile.ZipFile(path) as z:
        assert z.infolist()[0].filename == "mimetype"
        assert z.infolist()[0].compress_type == zipfile.ZIP_STORED
        assert z.read("mimetype") == b"application/vnd.oasis.opendocument.spreadsheet"
        content = ET.fromstring(z.read("content.xml"))
    got = []
    for row in next(content.iter(TABLE + "table")).iter(TABLE + "table-row"):
        line = []
        for cell in row:
            assert cell.get(TABLE + "formula") is None
            value = cell.get(OFFICE + "value") or cell.get(OFFICE + "date-value")
            line.append(value if value is not None else "".join(cell.itertext()))
        got.append(line)
    check(got, expected(people))


def test_a_spreadsheet_is_the_same_bytes_each_time(people, tmp_path):
    a, b = tmp_path / "a.ods", tmp_path / "b.ods"
    for path in (a, b):
        people.run("query", "--format", "ods", "--out", str(path), SQL)
    assert a.read_bytes() == b.read_bytes()
