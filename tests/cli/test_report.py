"""hdis indicator and hdis report: well-formed, complete, harmless, and never more than the table."""

import csv
import html.parser
import io
import json
import os
import re
import shutil
import subprocess

import pytest

import tables
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
def people(people, tmp_path_factory):
    """The page and the tables are compared: the ledger remembers, so that one question has one answer."""
    return people.copy(tmp_path_factory.mktemp("remembering"))


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
    drawn = [svg for svg in page.all("svg") if svg.get("aria-hidden") != "true"]
    for svg in drawn:
        assert svg["role"] == "img"
        if svg.get("class") != "icon" or "aria-label" not in svg:
            title, description = svg["aria-labelledby"].split()
            assert title in page.ids and description in page.ids
    charts = [svg["aria-labelledby"].split("-")[1] for svg in drawn if svg.get("class") != "icon"
              and "aria-labelledby" in svg]
    kinds = [x.split(" ")[0] for x in charts]
    assert kinds.count("ribbon") == kinds.count("series") == len(page.all("details")) == 19
    assert set(kinds) == {"ribbon", "series", "funnel"} and kinds.count("funnel") >= 2
    symbols = {a["id"] for a in page.all("symbol")}
    assert len(symbols) == 10
    assert {a["href"][1:] for a in page.all("use")} <= symbols


def rows_of(people, *names, month="2016-10", args=()):
    done = people.run("indicator", "--format", "csv", *args, *names)
    return [r for r in csv.DictReader(io.StringIO(done.stdout))
            if month is None or r["month"] == month + "-01"]


@pytest.fixture(scope="module")
def released(people):
    """Rows of the report's month by indicator, as the table gives them."""
    rows = {}
    for r in rows_of(people, *sorted(people.truth())):
        rows.setdefault(r["indicator"], []).append(r)
    return rows


def section_of(page_text, name):
    return page_text.split('id="%s"' % name)[1].split("</section>")[0]


def test_icons_say_what_the_table_says(page_text, released):
    """Every provider's words in the page are those of the CSV; hidden icons stand beside words."""
    seen = set()
    for name in released:
        table = section_of(page_text, name).split('<table class="providers">')[1]
        for row in released[name]:
            cell = table.split('<th scope="row">%s ' % row["provider"])[1].split("</tr>")[0]
            cell = cell.split("<td")[-1]
            words = re.sub("<[^>]*>", "", cell.split(">", 1)[1]).split()
            said = [x for x in (row["variation"], row["assurance"]) if x]
            assert " ".join(words) == " ".join(said or [row["signal_note"]]) or words == ["-"]
            for x in said:
                symbol = re.sub("[^a-z]+", "-", x.replace(" cause,", "").replace(" cause", ""))
                assert '<use href="#i-%s"/>' % symbol in cell
                seen.add(x)
            assert bool(row["special_cause"]) == (row["variation"] not in ("", "common cause"))
            if row["value"] in ("", "*"):
                assert not said and row["signal_note"]
    assert {"common cause", "hit or miss"} <= seen


def test_the_funnel_draws_what_the_table_says(page_text, released):
    """As many discs, rings and diamonds as the table has words; names of those outside."""
    shapes = {"as expected": "within", "lower 95%": "off", "higher 95%": "off",
              "lower 99.8%": "far", "higher 99.8%": "far"}
    drawn = 0
    for name in released:
        svg = re.search(r'<svg[^>]*-funnel-title.*?</svg>', section_of(page_text, name), re.S)
        rows = [r for r in released[name] if r["funnel"] and r["numerator"]]
        if not svg:
            assert len(rows) < 3
            continue
        for shape in set(shapes.values()):
            assert svg[0].count('class="unit ' + shape) == sum(shapes[r["funnel"]] == shape
                                                              for r in rows), (name, shape)
        for r in rows:
            assert (">%s</text>" % r["provider"] in svg[0]) == (r["funnel"] != "as expected")
        drawn += 1
    assert drawn >= 2


def test_signals_are_those_of_the_released_months(people):
    """The same chart by hdis stat spc from the shown values of the 24 months to each month."""
    rows = {(r["provider"], r["month"][:7]): r
            for r in rows_of(people, "ae_median_minutes", month=None)}
    months = sorted({m for _, m in rows})
    words = {"common_cause": "common cause", "concern_high": "concerning, high",
             "concern_low": "concerning, low", "improvement_high": "improving, high",
             "improvement_low": "improving, low"}
    compared = 0
    for (provider, month), row in sorted(rows.items())[::9]:
        window = months[max(0, months.index(month) - 23):months.index(month) + 1]
        shown = [(m, rows.get((provider, m), {}).get("value", "")) for m in window]
        values = [(m, v) for m, v in shown if v not in ("", "*")]
        if row["value"] in ("", "*") or len(values) < 12:
            assert row["variation"] == "" and row["signal_note"]
            continue
        text = "date,value\n" + "".join("%s-01,%s\n" % (m, v.strip("*")) for m, v in shown)
        done = subprocess.run([truth.HDIS, "stat", "spc", "--direction", "decrease"], input=text,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        want = list(csv.DictReader(io.StringIO(done.stdout)))[-1]
        assert row["variation"] == words[want["variation"]]
        compared += 1
    assert compared > 20


def test_a_month_says_the_same_whatever_comes_later(people):
    late = {r["provider"]: r for r in rows_of(people, "ae_within_4_hours")}
    early = rows_of(people, "ae_within_4_hours", args=["--period", "2014-04..2016-10"])
    for r in early:
        assert r == late[r["provider"]]


def test_forecasts_on_the_chart_are_rows_and_a_table(page_text, people):
    ahead = rows_of(people, "ae_within_4_hours", month=None, args=[
        "--by", "month", "--period", "2014-04..2016-10", "--forecast", "12"])
    assert [r["month"][:7] for r in ahead] == ["2016-11", "2016-12"] + [
        "2017-%02d" % m for m in range(1, 11)]
    section = section_of(page_text, "ae_within_4_hours")
    assert section.count('<polygon class="ahead') == 2 and "forecast</text>" in section
    table = section.split("<caption>Forecast, National: model %s<" % ahead[0]["model"])[1]
    table = table.split("</table>")[0]
    shown = [re.findall("<td>([^<]*)</td>", x) for x in table.split("<tr>")[2:]]
    assert shown == [["%.1f%%" % (100 * float(r[c]))
                      for c in ("value", "lower80", "upper80", "lower95", "upper95")] for r in ahead]
    for r in ahead:
        assert 0 <= float(r["lower95"]) <= float(r["lower80"]) <= float(r["value"])
        assert float(r["value"]) <= float(r["upper80"]) <= float(r["upper95"]) <= 1
        assert r["note"] == "" and int(r["history"]) == 31


def test_a_forecast_of_a_withheld_series_says_why(people):
    every = rows_of(people, "ae_left_before_treatment", month=None, args=["--forecast", "3"])
    whys = {r["provider"]: r["note"] for r in every if r["note"]}
    shown = {}
    for r in rows_of(people, "ae_left_before_treatment", month=None):
        shown.setdefault(r["provider"], []).append(r["value"] not in ("", "*"))
    assert whys and set(shown) == {r["provider"] for r in every}
    for provider, note in whys.items():
        assert note.startswith("none: ")
        assert not all(shown[provider][-24:])
    for r in every:
        assert (r["value"] == "") == bool(r["note"]) and (r["model"] == "") == bool(r["note"])
    refused = people.run("indicator", "ae_within_4_hours", "--by", "year", "--forecast", "3", ok=False)
    assert refused.returncode == 2 and "month" in refused.stderr
    later = people.run("indicator", "ae_within_4_hours", "--period", "2030-01", "--forecast", "3", ok=False)
    assert later.returncode == 1 and "2030-01" in later.stderr
    assert people.run("indicator", "ae_within_4_hours", "--forecast", "0", ok=False).returncode == 2
    assert people.run("indicator", "ae_within_4_hours", "--forecast", "99", ok=False).returncode == 2


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


def test_an_indicator_that_cannot_be_protected_is_withheld(people, tmp_path, monkeypatch):
    """The others are shown all the same, and the page says why this one is not."""
    shutil.copytree(os.path.join(truth.ROOT, "catalogue"), tmp_path / "catalogue")
    tables.own_policy(str(tmp_path / "catalogue"), "small", audited_cells_at_most=4000)
    monkeypatch.setitem(people.env, "HDIS_CATALOGUE", str(tmp_path / "catalogue"))
    out = tmp_path / "report.html"
    done = people.run("report", "oversight", "--period", "2016-10", "--policy", "small", "--out", str(out))
    said = re.findall("^hdis report: withheld: indicator (\\w+): the audit would hold more", done.stderr, flags=re.M)
    page = Page(out.read_text(encoding="utf-8"))
    assert said and page.text().count("Withheld as a whole: ") == len(said)
    assert len(said) < len([a for a in page.all("section") if a.get("class") == "indicator"])
    assert set(said) <= set(page.ids)
