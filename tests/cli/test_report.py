"""hdis indicator and hdis report: well-formed, complete, harmless, and never more than the table."""

import csv
import html.parser
import io
import json
import os
import re
import shutil

import pytest

import truth

VOID = {"meta", "link", "br", "img", "input", "hr", "col"}


class Page(html.parser.HTMLParser):
    """Checks nesting while it reads; keeps elements, ids and text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.ids, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open[-4:], self.getpos())
        self.open.pop()

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    def all(self, tag):
        return [a for t, a in self.elements if t == tag]

    def text(self):
        return " ".join(" ".join(self.words).split())


def report(people, tmp_path, *args, month="2016-10"):
    out = tmp_path / "report.html"
    people.run("report", "oversight", "--period", month, "--out", str(out), *args)
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page_text(people, tmp_path_factory):
    return report(people, tmp_path_factory.mktemp("report"))


def test_the_page_is_well_formed_and_self_contained(page_text):
    page = Page(page_text)
    assert page_text.startswith("<!DOCTYPE html>")
    assert page.all("html")[0]["lang"] == "en-GB"
    assert len(page.ids) == len(set(page.ids))
    assert not page.all("script") and not page.all("link") and not page.all("img")
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith("#"), (tag, attributes)
    assert "url(" not in page_text and "@import" not in page_text
    for a in page.all("a"):
        assert a["href"][1:] in page.ids


def test_the_page_can_be_read_without_seeing_it(page_text):
    page = Page(page_text)
    levels = [int(t[1]) for t, _ in page.elements if re.fullmatch("h[1-6]", t)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:]))
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(a.get("scope") in ("col", "row", "colgroup") for a in page.all("th"))
    for svg in page.all("svg"):
        title, description = svg["aria-labelledby"].split()
        assert svg["role"] == "img" and title in page.ids and description in page.ids
    assert len(page.all("svg")) == 2 * 19 and len(page.all("details")) == 19


def test_five_domains_all_indicators_and_the_warning(page_text, people):
    text = Page(page_text).text()
    for domain in ("Responsive", "Effective", "Safe", "Caring", "Well led"):
        assert domain in text
    for name in people.truth():
        assert 'id="%s"' % name in page_text
    assert "Synthetic data." in text and "Small numbers." not in text
    assert "hes2018" in text


def test_charts_draw_no_withheld_figure(page_text, people):
    """A provider with a withheld value in a month has no point there: as many points as values."""
    shown = {}
    for row in people.indicator("ae_left_before_treatment", true_counts=False):
        shown.setdefault(row["provider"], {})[row["month"][:7]] = row["value"]
    section = page_text.split('id="ae_left_before_treatment"')[1].split("</section>")[0]
    details = section.split("<details>")[1].split("</details>")[0]
    followed = [x for x in re.findall(r'<th scope="col">([^<]+)</th>', details) if x in shown]
    assert "*" in details or not followed
    ribbon = section.split("<svg")[1].split("</svg>")[0]
    for i, provider in enumerate(followed, 1):
        points = ribbon.count('<circle class="unit-%d' % i)
        values = [v for m, v in shown[provider].items()
                  if "2014-11" <= m <= "2016-10" and v not in ("", "*")]
        assert points == len(values)


def test_true_counts_are_announced_and_recorded(people, tmp_path):
    refused = people.run("report", "oversight", "--period", "2016-10", "--with-small-numbers", ok=False)
    assert refused.returncode == 2 and "--purpose" in refused.stderr and refused.stdout == ""
    text = report(people, tmp_path, "--with-small-numbers", "--purpose", "test of the report",
                  "--provenance", str(tmp_path / "p.json"))
    provenance = json.loads((tmp_path / "p.json").read_text())
    assert provenance["small_numbers"] is True and provenance["purpose"] == "test of the report"
    assert "Small numbers." in text and provenance["asset_tag"] in text
    assert "SELECT provider AS provider, month_of(" in provenance["question"]
    assert os.stat(tmp_path / "report.html").st_mode & 0o077 == 0


def test_hostile_names_stay_text(people, tmp_path):
    """A site's own list of providers may hold anything."""
    evil = '<script>alert(1)</script>"\'&</svg>\x1b[31m'
    folder = os.path.join(people.env["HDIS_VAULT"], "organisations")
    source = os.path.join(truth.ROOT, "catalogue", "organisations", "providers.csv")
    with open(source, newline="", encoding="utf-8") as f:
        rows = list(csv.reader(f))
    name = rows[0].index("name")
    os.makedirs(folder)
    try:
        with open(os.path.join(folder, "providers.csv"), "w", newline="", encoding="utf-8") as f:
            csv.writer(f).writerows([rows[0]] + [r[:name] + [evil] + r[name + 1:] for r in rows[1:]])
        text = report(people, tmp_path, "--provider", "ZA1", "--peers", "acute")
        assert "<script" not in text and "\x1b" not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "Charts follow ZA1" in text and "Peers: acute" in text
        Page(text)
        table = people.run("indicator", "crude_mortality", "--period", "2016-10").stdout
        assert "\x1b" not in table
    finally:
        shutil.rmtree(folder)


def test_what_makes_no_report(people):
    for args, status in ((["--provider", "XXX"], 1), (["--period", "soon"], 2), (["--peers"], 2)):
        done = people.run("report", "oversight", "--period", "2016-10", *args, ok=False)
        assert done.returncode == status and done.stdout == "" and done.stderr.count("\n") == 1


def test_the_last_month_of_readmissions_is_incomplete(people):
    rows = people.indicator("emergency_readmission_30d", "crude_mortality")
    for row in rows:
        is_last = row["indicator"].startswith("emergency") and row["month"] == "2017-03-01"
        assert (row["note"] == "incomplete") == is_last


def test_period_and_level_and_by(people):
    month = people.indicator("ae_within_4_hours", args=["--period", "2016-10"])
    assert {r["month"] for r in month} == {"2016-10-01"}
    every = {(r["provider"], r["month"]): r for r in people.indicator("ae_within_4_hours")}
    for r in month:
        assert r == every[r["provider"], r["month"]]  # consecutive months are the same, too
    wide = people.indicator("ae_within_4_hours", args=["--period", "2016-10", "--level", "0.998"])
    for a, b in zip(month, wide):
        if a["value"]:
            assert float(b["lower"]) <= float(a["lower"]) <= float(a["upper"]) <= float(b["upper"])
    years = people.indicator("ae_within_4_hours", args=["--by", "year"])
    total = sum(int(r["denominator"]) for r in years)
    assert total == sum(int(r["denominator"]) for r in every.values())
    for args in (["--by", "person"], ["--by", "nonsense,month"]):
        assert people.run("indicator", "ae_within_4_hours", *args, ok=False).returncode == 1
    for args in (["--by", ""], ["--level", "2"], ["--period", "2016"], ["--format", "png"]):
        assert people.run("indicator", "ae_within_4_hours", *args, ok=False).returncode == 2
    assert people.run("indicator", "nonsense", ok=False).returncode == 1
    assert people.run("indicator", ok=False).returncode == 2


def test_json_and_csv_hold_the_same_and_nothing_else(people):
    done = people.run("indicator", "crude_mortality", "--format", "json")
    rows = json.loads(done.stdout)
    other = list(csv.DictReader(io.StringIO(
        people.run("indicator", "crude_mortality", "--format", "csv").stdout)))
    assert len(rows) == len(other) and list(rows[0]) == list(other[0])
    for a, b in zip(rows, other):
        for key in a:
            if a[key] is None:
                assert b[key] == ""
            elif isinstance(a[key], bool):
                assert b[key] == str(a[key]).lower()
            elif isinstance(a[key], (int, float)):
                assert float(b[key]) == a[key]
            else:
                assert b[key] == a[key]
    assert "policy hes2018" in done.stderr and "policy" not in done.stdout
