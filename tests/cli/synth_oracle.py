"""Every indicator of doc/methods.md from the text of synthetic files, row by row, the slow and plain way.

Written from the document alone and shares nothing with the program: what it finds must equal the truth
that `hdis synth` writes. Only the standard library.
"""

import collections
import csv
import datetime
import glob
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def successors(folder=os.path.join(ROOT, "catalogue", "organisations")):
    with open(os.path.join(folder, "providers.csv"), encoding="utf-8", newline="") as f:
        taken_over = {r["code"]: r["successor"] for r in csv.DictReader(f) if r["successor"]}

    def now(code):
        while code in taken_over:
            code = taken_over[code]
        return code
    return now


def read(folder, tag):
    """Rows of all years as dicts; blanks around values cut, the word NULL emptied."""
    rows = []
    for path in sorted(glob.glob(os.path.join(folder, "NIC000000_%s_*.txt" % tag))):
        with open(path, encoding="utf-8", newline="") as f:
            header = f.readline().rstrip("\n").split("|")
            for line in f:
                values = [v.strip() for v in line.rstrip("\n").split("|")]
                values = ["" if v.lower() == "null" else v for v in values]
                rows.append(dict(zip(header, values)))
    return rows


def number(text):
    return int(float(text)) if text else None


def date(text):
    """A real date, or None: fillers lie before 1900."""
    m = re.match(r"^(\d{4})-?(\d{2})-?(\d{2})( 00:00:00)?$", text)
    if not m:
        return None
    d = datetime.date(*map(int, m.groups()[:3]))
    return d if d.year >= 1900 else None


def age(text):
    n = number(text)
    return None if n is None else 0 if 7001 <= n <= 7007 else n if 0 <= n <= 120 else None


def quantile(values, p):
    values = sorted(values)
    h = (len(values) - 1) * p
    low = int(h)
    high = min(low + 1, len(values) - 1)
    return values[low] + (h - low) * (values[high] - values[low])


class Cells:
    """indicator, provider, month -> what is counted."""

    def __init__(self, first_year, last_year):
        self.now = successors()
        self.months = {"%04d-%02d" % (y + (m < 4), m)
                       for y in range(first_year, last_year + 1) for m in range(1, 13)}
        self.counts = collections.defaultdict(lambda: [0, 0])
        self.values = collections.defaultdict(list)

    def key(self, indicator, provider, day):
        month = day.strftime("%Y-%m") if day else None
        return (indicator, self.now(provider), month) if month in self.months else None

    def add(self, indicator, provider, day, numerator, denominator):
        key = self.key(indicator, provider, day)
        if key:
            self.counts[key][0] += numerator
            self.counts[key][1] += denominator

    def value(self, indicator, provider, day, value):
        key = self.key(indicator, provider, day)
        if key:
            self.values[key].append(value)

    def table(self):
        """As in truth/indicators.csv: numerator, denominator, value as text; floats by repr."""
        out = {}
        for key, (numerator, denominator) in self.counts.items():
            if numerator + denominator == 0:
                continue
            value = None
            if denominator:
                value = numerator / denominator
                if key[0] == "weekend_discharge":
                    weekend, week = days_of(key[2])
                    value = (numerator / weekend) / (denominator / week)
            out[key] = (numerator, denominator, value)
        for key, values in self.values.items():
            p = 0.95 if key[0] == "ae_p95_minutes" else 0.5
            out[key] = (None, len(values), quantile(values, p))
        return out


def days_of(month):
    day = datetime.date(int(month[:4]), int(month[5:]), 1)
    weekend = week = 0
    while day.strftime("%Y-%m") == month:
        weekend, week = weekend + (day.weekday() >= 5), week + (day.weekday() < 5)
        day += datetime.timedelta(1)
    return weekend, week


# ---- A&E and outpatients ----------------------------------------------------------------------

def count_ae(cells, rows):
    for r in rows:
        if r["AEDEPTTYPE"] != "01" or r["AEATTENDCAT"] not in ("1", "3"):
            continue
        day, provider, minutes = date(r["ARRIVALDATE"]), r["PROCODE3"], number(r["DEPDUR"])
        cells.add("ae_left_before_treatment", provider, day, r["AEATTENDDISP"] == "12", 1)
        if minutes is not None and minutes >= 0:
            cells.add("ae_within_4_hours", provider, day, minutes <= 240, 1)
            cells.value("ae_median_minutes", provider, day, minutes)
            cells.value("ae_p95_minutes", provider, day, minutes)


def count_op(cells, rows):
    for r in rows:
        if (r["ATTENDED"] not in ("3", "5", "6", "7") or r["ADMINCAT"] != "01" or
                r["FIRSTATT"] not in ("1", "2", "3", "4") or r["TRETSPEF"] in ("", "812")):
            continue
        day, provider, years = date(r["APPTDATE"]), r["PROCODE3"], age(r["APPTAGE"])
        if years is not None:
            cells.add("dna_rate_adults" if years >= 18 else "dna_rate_children", provider, day,
                      r["ATTENDED"] in ("3", "7"), 1)
        if r["ATTENDED"] in ("5", "6"):
            first = r["FIRSTATT"] in ("1", "3")
            cells.add("first_to_follow_up", provider, day, not first, first)


# ---- episodes ---------------------------------------------------------------------------------

def cancer(code):
    return bool(re.match(r"C([0-8][0-9]|9[0-7])|D(3[789]|4[0-8])|Z511", code))


def transfer_state(first, last):
    came = first["ADMISORC"] in ("51", "52", "53") or first["ADMIMETH"] in ("2B", "81")
    went = last["DISDEST"] in ("51", "52", "53")
    return (2 if went else 3) if came else (1 if went else 0)


class Episode:
    def __init__(self, r):
        self.r = r
        self.person = r["TOKEN_PERSON_ID"]
        self.provider = r["PROCODE3"]
        self.start, self.end, self.discharged = (date(r[c]) for c in ("EPISTART", "EPIEND", "DISDATE"))
        self.order = number(r["EPIORDER"])
        self.admitted = date(r["ADMIDATE"]) or (self.start if self.order == 1 else None)
        self.cancer = any(cancer(r["DIAG_%02d" % n]) for n in range(1, 21))

    def key(self):
        return (self.start, self.end, self.order is None, self.order or 0,
                transfer_state(self.r, self.r))


class Stay:
    """A provider spell, and by joining, a continuous one."""

    def __init__(self, episodes):
        self.episodes = episodes
        self.first, self.last = episodes[0].r, episodes[-1].r
        self.provider = episodes[-1].provider
        self.admidate = episodes[0].admitted
        self.finished = self.last["DISMETH"] in tuple("1234567")
        self.disdate = (episodes[-1].discharged or episodes[-1].end) if self.finished else None
        self.end = self.disdate or episodes[-1].end
        days = (self.disdate - self.admidate).days if self.finished else None
        self.days = days if days is not None and days >= 0 else None

    def key(self):
        return (self.admidate, self.end, transfer_state(self.first, self.last),
                self.episodes[0].start)


def no_ties(keys):
    assert len(keys) == len(set(keys)), "the order of rows would decide; the generator avoids it"


def provider_spells(episodes):
    """Of one person; each with one PROCODE3."""
    spells = []
    for provider in {e.provider for e in episodes}:
        mine = sorted((e for e in episodes if e.provider == provider), key=Episode.key)
        no_ties([e.key() for e in mine])
        runs = []
        for e in mine:
            before = runs[-1][-1] if runs else None
            goes_on = before is not None and (
                (e.admitted is not None and e.admitted == before.admitted) or
                e.start == before.start or
                (before.r["DISMETH"] in ("8", "9") and e.start == before.end))
            if goes_on:
                e.admitted = e.admitted or before.admitted
                runs[-1].append(e)
            elif e.admitted is not None:
                runs.append([e])
        spells += [Stay(run) for run in runs]
    return spells


def is_continued(before, after):
    if (after.admidate - before.end).days > 2:
        return False
    sent, source, method = before.last["DISDEST"], after.first["ADMISORC"], after.first["ADMIMETH"]
    if (sent, source, method) == ("19", "51", "21"):
        return False
    return (sent in ("49", "50", "51", "52", "53", "84") or
            source in ("49", "50", "51", "52", "53", "87") or method in ("2B", "81"))


def continuous_spells(spells):
    spells = sorted((s for s in spells if s.first["CLASSPAT"] not in ("3", "4")), key=Stay.key)
    no_ties([s.key() for s in spells])
    chains = []
    for s in spells:
        if chains and is_continued(chains[-1][-1], s):
            chains[-1].append(s)
        else:
            chains.append([s])
    out = []
    for chain in chains:
        joined = Stay([e for s in chain for e in s.episodes])
        joined.admidate = chain[0].admidate
        out.append(joined)
    return out


def count_spell(cells, s):
    first, last = s.first, s.last
    if not s.finished or first["EPITYPE"] != "1":
        return
    elective, emergency = first["ADMIMETH"] in ("11", "12", "13"), first["ADMIMETH"][:1] == "2"
    if elective and first["CLASSPAT"] in ("1", "2"):
        cells.add("day_case_rate", s.provider, s.disdate, first["CLASSPAT"] == "2", 1)
    if first["CLASSPAT"] != "1":
        return
    for name, is_kind in (("elective", elective), ("emergency", emergency)):
        if is_kind and s.days is not None:
            cells.add("mean_stay_" + name, s.provider, s.disdate, s.days, 1)
            cells.value("median_stay_" + name, s.provider, s.disdate, s.days)
    if emergency:
        cells.add("zero_day_emergencies", s.provider, s.disdate, s.days == 0, 1)
    alive = last["DISMETH"] in ("1", "2", "3", "6", "7")
    if alive or last["DISMETH"] == "4":
        cells.add("crude_mortality", s.provider, s.disdate, not alive, 1)
    if not alive or last["DISDEST"] in ("", "49", "50", "51", "52", "53", "84", "87"):
        return
    if first["ADMISORC"] == "19":
        cells.add("usual_residence", s.provider, s.disdate, last["DISDEST"] == "19", 1)
    if emergency:
        weekend = s.disdate.weekday() >= 5
        cells.add("weekend_discharge", s.provider, s.disdate, weekend, not weekend)


def count_readmissions(cells, chain):
    for i, s in enumerate(chain):
        maternity = any(e.r["EPITYPE"] != "1" or e.r["MAINSPEF"] in ("501", "560", "610")
                        for e in s.episodes)
        mental = any(re.match(r"7(0\d|1[0-5])$", e.r["MAINSPEF"]) for e in s.episodes)
        if (not s.finished or s.last["DISMETH"] not in ("1", "2", "3", "6", "7") or
                s.first["CLASSPAT"] != "1" or maternity or mental or
                any(e.cancer for e in s.episodes)):
            continue
        days = None
        for later in chain[i + 1:]:
            if later.first["CLASSPAT"] == "1" and later.admidate >= s.disdate:
                if later.first["ADMIMETH"][:1] == "2":
                    days = (later.admidate - s.disdate).days
                break
        for limit in (28, 30):
            cells.add("emergency_readmission_%dd" % limit, s.provider, s.disdate,
                      days is not None and days < limit, 1)


METHODS_D = dict(zip("01 02 03 04 05 06 07 08 09 10".split(),
                     "elective emergency breech breech forceps forceps ventouse spontaneous spontaneous "
                     "other".split()))
METHODS_N = dict(zip("0123456789", "spontaneous spontaneous forceps forceps ventouse breech breech elective "
                                   "emergency other".split()))


def delivery_method(r):
    procedures = [r["OPERTN_%02d" % n] for n in range(1, 25)]
    tails = [r["DELMETH_%d" % n] for n in range(1, 10)]
    if any(re.match("R18|R251", p) for p in procedures):
        return "emergency"
    if any(p.startswith("R17") for p in procedures):
        return "elective"
    if r["DELMETH_D"] in METHODS_D:
        return METHODS_D[r["DELMETH_D"]]
    if any(re.match("R19|R2[0-4]|R25[289]", p) for p in procedures):
        return "another"
    if "8" in tails:
        return "emergency"
    if "7" in tails:
        return "elective"
    return METHODS_N.get(tails[0])


def deliveries(rows):
    found, last = [], {}
    for r in rows:
        years, start, end = age(r["STARTAGE"]), date(r["EPISTART"]), date(r["EPIEND"])
        coded = any(re.match("R1[789]|R2[0-5]", r["OPERTN_%02d" % n]) for n in range(1, 25))
        if (r["EPISTAT"] != "3" or start is None or end is None or r["SEX"] != "2" or years is None or
                not 12 <= years <= 55 or r["CLASSPAT"] in ("3", "4") or
                not (r["EPITYPE"] in ("2", "5") or coded)):
            continue
        if r["TOKEN_PERSON_ID"]:
            for other in last.setdefault(r["TOKEN_PERSON_ID"], []):
                assert abs((start - other).days) >= 168, "the generator keeps deliveries apart"
            last[r["TOKEN_PERSON_ID"]].append(start)
        found.append((r, end))
    return found


def compute(folder, first_year, last_year):
    """The table of indicators, and totals."""
    cells, totals = Cells(first_year, last_year), collections.Counter()
    count_ae(cells, read(folder, "HES_AE"))
    count_op(cells, read(folder, "HES_OP"))
    rows = read(folder, "HES_APC")
    for r, end in deliveries(rows):
        totals["deliveries"] += 1
        method = delivery_method(r)
        if method:
            cells.add("emergency_caesarean_rate", r["PROCODE3"], end, method == "emergency", 1)
    people = collections.defaultdict(list)
    for i, r in enumerate(rows):
        totals["deaths_in_hospital"] += r["DISMETH"] == "4" and r["EPISTAT"] == "3"
        e = Episode(r)
        if r["EPISTAT"] == "3" and e.start and e.end and e.provider:
            people[e.person or i].append(e)
    for episodes in people.values():
        spells = provider_spells(episodes)
        chain = continuous_spells(spells)
        totals["spells"] += len(spells)
        totals["continuous_spells"] += len(chain)
        for s in spells:
            count_spell(cells, s)
        count_readmissions(cells, chain)
    return cells.table(), totals
