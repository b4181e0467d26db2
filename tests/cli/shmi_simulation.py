"""Simulated spells whose truth is known, from spell to funnel, and the same figures worked out again
without hdis: for test_shmi.py and the nightly run.

A spell dies with the probability of a logistic model in its own covariates, times the exponential of
its provider's effect. Effects are evenly spread over -SPREAD..SPREAD, so their variance is known;
OUTLIERS lie far outside.
"""

import csv
import datetime
import io
import math
import random
import subprocess
import tempfile

import truth

SPREAD, OUTLIER = 0.25, 0.75
AGES = {14: 62, 15: 67, 16: 72, 17: 77, 18: 82, 19: 95}  # level of the model: a year of life in it
TRUE_AGE = {14: -0.5, 15: -0.3, 16: 0.0, 17: 0.2, 18: 0.45, 19: 0.8}
TRUE_SEX = {"1": 0.0, "2": -0.2}
TRUE_METHOD = {"11": -0.7, "21": 0.0, "2A": 0.0}
TRUE_CHARLSON = {0: -0.4, 1: 0.0, 2: 0.5}
TRUE_YEAR = {2013: 0.1, 2014: 0.05, 2015: 0.0}
TRUE_MONTH = {m: 0.15 * math.cos((m - 1) * math.pi / 6) for m in range(1, 13)}
# Secondary diagnoses, and the weight of their condition in the SHMI's list of comorbidities.
COMORBID = {(): 0, ("I10",): 0, ("J449",): 4, ("E119",): 3, ("E119", "K250"): 12, ("I500",): 13,
            ("F03", "C780"): 28, ("E112",): 0, ("N189", "I500"): 23, ("J449", "J45"): 4}
# Two codes a group, after a letter of its own: one is mapped by four characters, one by three.
GROUPS = {"pneumonia": (("181", "159"), ("181", "15"), -1.35),
          "stroke": (("639", "64"), ("63", "64"), -1.1)}


def bin_of(score):
    return 0 if score <= 0 else 1 if score <= 5 else 2


class Simulation:
    def __init__(self, providers, spells, seed, n_groups=2):
        """`spells` of each provider in the latest year, a third as many in each of two before."""
        rng = random.Random(seed)
        names = ["R%03d" % i for i in range(providers)]
        self.outliers = {names[3]: OUTLIER, names[providers // 2]: -OUTLIER,
                         names[providers - 2]: OUTLIER}
        normal = [n for n in names if n not in self.outliers]
        steps = [SPREAD * (2 * (i + 0.5) / len(normal) - 1) for i in range(len(normal))]
        rng.shuffle(steps)
        self.effects = dict(zip(normal, steps), **self.outliers)
        self.tau2 = sum(e * e for e in steps) / len(steps)
        self.groups, self.map = {}, [("code", "group")]
        for k in range(n_groups):
            letter, (name, (codes, mapped, base)) = chr(65 + k), list(GROUPS.items())[k % 2]
            self.groups[name + letter] = ([letter + c for c in codes], base)
            self.map += [(letter + c, name + letter) for c in mapped]
        self.spells = []
        shares = list(COMORBID.items())
        for name in names:
            for year, n in ((2015, spells), (2014, spells // 3), (2013, spells // 3)):
                for _ in range(n):
                    self.spells.append(self.spell(rng, name, year, shares))

    def spell(self, rng, provider, year, shares):
        group = rng.choice(list(self.groups))
        codes, base = self.groups[group]
        secondary, score = rng.choice(shares)
        level, sex = rng.choice(list(AGES)), rng.choice("12")
        method, month = rng.choice(["11", "21", "2A"]), rng.randint(1, 12)
        logit = (base + TRUE_AGE[level] + TRUE_SEX[sex] + TRUE_METHOD[method] + TRUE_MONTH[month]
                 + TRUE_CHARLSON[bin_of(score)] + TRUE_YEAR[year])
        risk = min(0.97, math.exp(self.effects[provider]) / (1 + math.exp(-logit)))
        date = datetime.date(year, month, rng.randint(1, 28))
        return {"id": len(self.spells), "procode3": provider, "diag_01": rng.choice(codes),
                "startage": AGES[level] + rng.randint(0, 2), "sex": sex, "admimeth": method,
                "admidate": date.isoformat(), "year": year, "died": int(rng.random() < risk),
                "secondary": secondary, "group": group, "score": score,
                "pattern": (level, sex, method == "11", month, bin_of(score), year)}

    def grouping(self):
        return "".join("%s,%s\n" % row for row in self.map)


def hdis(method, text, *args):
    done = subprocess.run([truth.HDIS, "stat", method, *map(str, args)], input=text,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def as_csv(rows, columns):
    out = io.StringIO()
    w = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
    w.writeheader()
    w.writerows(rows)
    return out.getvalue()


def score_spells(simulation):
    """Charlson scores by hdis, from one row a diagnosis."""
    lines = ["id,position,code"]
    for s in simulation.spells:
        for k, code in enumerate((s["diag_01"],) + s["secondary"]):
            lines.append("%d,%d,%s" % (s["id"], k + 1, code))
    got = hdis("charlson", "\n".join(lines) + "\n", "--map", "shmi", "--secondary-only", "--group",
               "id", "--sorted")
    return {int(r["id"]): float(r["score"]) for r in got}


def model(simulation, scores, *args):
    for s in simulation.spells:
        s["charlson"] = "%g" % scores[s["id"]]
    text = as_csv(simulation.spells, ["id", "procode3", "diag_01", "startage", "sex", "admimeth",
                                      "admidate", "year", "died", "charlson"])
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as f:
        f.write(simulation.grouping())
        f.flush()
        return hdis("mortality-model", text, "--grouping", f.name, *args)


# ---- the same again, by hand ----------------------------------------------------------------------

def fit(spells):
    """Newton's steps for the logistic model of one group. Returns level -> (coefficient, error), and
    the probability of a pattern."""
    cells = {}
    for s in spells:
        c = cells.setdefault(s["pattern"], [0, 0])
        c[0] += 1
        c[1] += s["died"]
    names, at = ["intercept"], {}
    for k in range(6):
        levels = sorted({p[k] for p in cells})
        for level in levels[1:]:
            at[k, level] = len(names)
            names.append((k, level))
    rows = {p: [0] + [at[k, p[k]] for k in range(6) if (k, p[k]) in at] for p in cells}
    beta = [0.0] * len(names)
    for _ in range(30):
        gradient = [0.0] * len(names)
        hessian = [[0.0] * len(names) for _ in names]
        for p, (n, deaths) in cells.items():
            mu = 1 / (1 + math.exp(-sum(beta[j] for j in rows[p])))
            for j in rows[p]:
                gradient[j] += deaths - n * mu
                for k in rows[p]:
                    hessian[j][k] += n * mu * (1 - mu)
        inverse = invert(hessian)
        step = [sum(a * g for a, g in zip(row, gradient)) for row in inverse]
        beta = [b + d for b, d in zip(beta, step)]
        if max(map(abs, step)) < 1e-10:
            break
    errors = {name: (beta[j], math.sqrt(inverse[j][j])) for j, name in enumerate(names)}
    return errors, {p: 1 / (1 + math.exp(-sum(beta[j] for j in rows[p]))) for p in cells}


def invert(a):
    n = len(a)
    m = [row[:] + [float(i == j) for j in range(n)] for i, row in enumerate(a)]
    for i in range(n):
        best = max(range(i, n), key=lambda r: abs(m[r][i]))
        m[i], m[best] = m[best], m[i]
        pivot = m[i][i]
        m[i] = [x / pivot for x in m[i]]
        for r in range(n):
            if r != i and m[r][i]:
                factor = m[r][i]
                m[r] = [x - factor * y for x, y in zip(m[r], m[i])]
    return [row[n:] for row in m]


def round_half_even(x):
    return round(x, 2)


def over_dispersion(observed, expected, trim=True):
    """phi and tau2 of the SHMI: log scale, tenths dropped by rank."""
    units = [math.sqrt(e) * math.log(o / e) for o, e in zip(observed, expected)]
    n = len(units)
    order = sorted(range(n), key=lambda i: units[i])
    assert len(set(units)) == n
    rank = {i: r + 1 for r, i in enumerate(order)}
    kept = [i for i in range(n) if not trim or 0 < math.floor(10 * rank[i] / (n + 1)) < 9]
    phi = sum(units[i] ** 2 for i in kept) / len(kept)
    w = [expected[i] for i in kept]
    top = len(kept) * phi - (len(kept) - 1)
    return phi, max(0.0, top / (sum(w) - sum(x * x for x in w) / sum(w)))


def gamma_quantile(p, a):
    """By bisection of the regularised lower incomplete gamma function (series or continued fraction)."""
    def below(x):
        if x <= 0:
            return 0.0
        front = math.exp(a * math.log(x) - x - math.lgamma(a))
        if x < a + 1:
            term = total = 1 / a
            k = a
            while term > total * 1e-17:
                k += 1
                term *= x / k
                total += term
            return front * total
        b, c, d = x + 1 - a, 1e300, 1 / (x + 1 - a)
        h, i = d, 0
        while True:
            i += 1
            an = -i * (i - a)
            b += 2
            d = 1 / (an * d + b)
            c = b + an / c
            h *= d * c
            if abs(d * c - 1) < 1e-16 or i > 10000:
                return 1 - front * h
    low, high = 0.0, a + 20 * math.sqrt(a) + 20
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < p else (low, middle)
    return (low + high) / 2
