"""The calendar regression of hdis stat forecast: the calendar against Python's, the fit against R's.

tests/cli/calendar_golden.csv was printed by R 4.2 (the same script as below): it keeps the fit honest
where R is not installed.
"""

import calendar
import csv
import datetime
import io
import math
import os
import random
import shutil
import subprocess

import pytest

import truth

HOLIDAYS = os.path.join(truth.ROOT, "catalogue", "calendar", "bank_holidays_england.csv")
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "calendar_golden.csv")
needs_r = pytest.mark.skipif(not shutil.which("Rscript"), reason="R is not installed")


def stat(text, *args, ok=True):
    done = subprocess.run([truth.HDIS, "stat", "forecast", "--model", "calendar", *map(str, args)],
                          input=text, capture_output=True, text=True)
    if not ok:
        assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
        return done.stderr
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def easter(year):
    """Sunday after the first full moon of spring, by the church's tables (Gauss, not Meeus)."""
    a, b, c, k = year % 19, year % 4, year % 7, year // 100
    m = (15 - (13 + 8 * k) // 25 + k - k // 4) % 30
    n = (4 + k - k // 4) % 7
    d = (19 * a + m) % 30
    e = (2 * b + 4 * c + 6 * d + n) % 7
    if (d, e) == (29, 6) or (d == 28 and e == 6 and (11 * m + 11) % 30 < 19):
        d, e = (d - 7, e)
    return datetime.date(year, 3, 22) + datetime.timedelta(d + e)


def holidays():
    with open(HOLIDAYS, newline="") as f:
        return {datetime.date.fromisoformat(r["date"]): r["name"] for r in csv.DictReader(f)}


def months(first, n):
    year, month = first
    for i in range(n):
        yield year + (month - 1 + i) // 12, (month - 1 + i) % 12 + 1


def design(terms, first, n):
    """Rows by Python's calendar alone."""
    free, rows = holidays(), []
    for i, (year, month) in enumerate(months(first, n)):
        days = [datetime.date(year, month, d + 1) for d in range(calendar.monthrange(year, month)[1])]
        count = [sum(d.weekday() == w for d in days) for w in range(7)]
        off = sum(d in free and d.weekday() < 5 for d in days)
        near = {easter(year) + datetime.timedelta(k) for k in (-2, -1, 0, 1)}
        values = {"trend": [i], "month": [float(month == m) for m in range(2, 13)],
                  "length": [len(days)], "weekdays": [count[w] - count[6] for w in range(6)],
                  "working-days": [sum(count[:5]) - off], "bank-holidays": [off],
                  "easter": [sum(d in near for d in days)]}
        rows.append([1.0] + [float(x) for t in terms for x in values[t]])
    return rows


ORDER = ["trend", "month", "length", "weekdays", "working-days", "bank-holidays", "easter"]


def series(terms, first, n, rho=0.0, seed=1, log=False):
    """A series with known coefficients and normal errors."""
    random_ = random.Random(seed)
    rows, values, error = design(terms, first, n), [], 0.0
    beta = [500.0] + [random_.uniform(-6, 6) for _ in rows[0][1:]]
    for row in rows:
        error = rho * error + random_.gauss(0, 3)
        mean = sum(b * x for b, x in zip(beta, row)) + error
        values.append(math.exp(mean / 100) if log else mean)
    return beta, rows, values


def as_csv(first, values):
    return "date,value\n" + "".join("%d-%02d-15,%r\n" % (y, m, v)
                                    for (y, m), v in zip(months(first, len(values)), values))


def test_bank_holidays_are_what_they_must_be():
    days = holidays()
    assert all(d.weekday() < 5 for d in days)
    years = sorted({d.year for d in days})
    assert years == list(range(1995, 2036))
    extra = {1999: 1, 2002: 1, 2011: 1, 2012: 1, 2022: 2, 2023: 1}
    for year in years:
        of_year = [d for d in days if d.year == year]
        assert len(of_year) == 8 + extra.get(year, 0), year
        assert days[easter(year) - datetime.timedelta(2)] == "Good Friday"
        assert days[easter(year) + datetime.timedelta(1)] == "Easter Monday"
    for day in ("2011-04-29", "2020-05-08", "2021-12-28", "2022-06-02", "2022-06-03", "2022-09-19",
                "2023-05-08", "2016-12-27", "1995-05-08", "2002-06-04", "2012-06-05"):
        assert datetime.date.fromisoformat(day) in days
    for day in ("2020-05-04", "2022-05-30", "2012-05-28", "1995-05-01", "2021-12-25"):
        assert datetime.date.fromisoformat(day) not in days


@pytest.mark.parametrize("terms", [["trend", "month", "working-days", "easter"],
                                   ["weekdays", "length", "bank-holidays", "easter"], ["month"]])
def test_a_series_without_error_is_found_exactly(terms):
    """Every column of the design is the one Python's calendar gives, beyond the data, too."""
    terms = [t for t in ORDER if t in terms]
    beta, rows, _ = series(terms, (1996, 3), 144)
    values = [sum(b * x for b, x in zip(beta, row)) for row in rows]
    text = as_csv((1996, 3), values[:132])
    got = stat(text, "--terms", ",".join(terms), "--output", "model")
    assert len(got) == len(beta)
    for g, w in zip(got, beta):
        assert abs(float(g["estimate"]) - w) < 1e-6 * (1 + abs(w)), g["term"]
    ahead = stat(text, "--terms", ",".join(terms), "--horizon", 12)
    for g, w, (y, m) in zip(ahead, values[132:], months((2007, 3), 12)):
        assert abs(float(g["value"]) - w) < 1e-6 * abs(w)
        assert g["month"] == "%d-%02d-01" % (y, m)


R_SCRIPT = r"""
a <- commandArgs(trailingOnly = TRUE)
d <- read.csv(a[1]); f <- read.csv(a[2]); kind <- a[3]; logs <- a[4] == "log"
y <- if (logs) log(d$y) else d$y
back <- if (logs) exp else identity
x <- as.matrix(d[setdiff(names(d), "y")]); nx <- as.matrix(f)
out <- function(k, v) cat(sprintf("%s,%s\n", k, paste(sprintf("%.15g", v), collapse = ",")))
if (kind == "lm") {
  m <- lm(y ~ ., data = data.frame(y = y, x)); s <- summary(m)
  out("estimate", coef(s)[, 1]); out("se", coef(s)[, 2]); out("t", coef(s)[, 3]); out("p", coef(s)[, 4])
  out("sigma2", s$sigma^2); out("log_likelihood", logLik(m)); out("aic", AIC(m)); out("bic", BIC(m))
  for (l in c(.8, .95)) {
    q <- predict(m, data.frame(nx), interval = "prediction", level = l)
    out("value", back(q[, 1])); out(paste0("lower", l * 100), back(q[, 2])); out(paste0("upper", l * 100), back(q[, 3]))
  }
} else {
  m <- arima(y, c(1, 0, 0), xreg = cbind(one = 1, x), include.mean = FALSE, method = "ML",
             optim.control = list(reltol = 1e-14, maxit = 2000))
  out("rho", coef(m)[1]); out("estimate", coef(m)[-1]); out("log_likelihood", logLik(m)); out("aic", AIC(m))
  n <- length(y); p <- ncol(x) + 1
  out("sigma2", m$sigma2 * n / (n - p))
  out("value", back(predict(m, nrow(nx), newxreg = cbind(one = 1, nx))$pred))
  # Limits by matrices: the covariance of the errors, inverted whole.
  r <- coef(m)[1]; X <- cbind(1, x); N <- cbind(1, nx); h <- nrow(nx)
  V <- r^abs(outer(1:(n + h), 1:(n + h), "-")) / (1 - r^2)
  W <- solve(V[1:n, 1:n]); C <- solve(t(X) %*% W %*% X)
  D <- N - V[n + 1:h, 1:n] %*% W %*% X
  b <- C %*% t(X) %*% W %*% y
  s2 <- c(t(y - X %*% b) %*% W %*% (y - X %*% b)) / (n - p)
  v <- diag(V[n + 1:h, n + 1:h] - V[n + 1:h, 1:n] %*% W %*% V[1:n, n + 1:h] + D %*% C %*% t(D)) * s2
  mu <- c(N %*% b + V[n + 1:h, 1:n] %*% W %*% (y - X %*% b))
  out("se", sqrt(diag(C) * s2))
  for (l in c(.8, .95)) {
    q <- qt((1 + l) / 2, n - p) * sqrt(v)
    out(paste0("lower", l * 100), back(mu - q)); out(paste0("upper", l * 100), back(mu + q))
  }
}
"""

CASES = [("lm", ["trend", "month", "working-days", "easter"], (2008, 4), 120, 0.0, 1, False),
         ("lm", ["trend", "length", "weekdays", "bank-holidays", "easter"], (2001, 1), 200, 0.0, 2, False),
         ("lm", ["trend", "month", "working-days"], (2012, 7), 60, 0.0, 3, True),
         ("ar1", ["trend", "month", "working-days", "easter"], (2005, 4), 144, 0.6, 4, False),
         ("ar1", ["trend", "easter"], (2010, 1), 90, -0.5, 5, False)]


def ours(case, values):
    kind, terms, first, n, _, _, log = case
    text = as_csv(first, values)
    args = ["--terms", ",".join(terms), "--errors", "ar1" if kind == "ar1" else "independent"]
    args += ["--log"] if log else []
    model = stat(text, *args, "--output", "model")
    ahead = stat(text, *args, "--horizon", 12, "--level", "0.8,0.95")
    got = {k: [float(r[k]) for r in model] for k in ("estimate", "se", "t", "p")}
    got.update({k: [float(model[0][k])] for k in ("sigma2", "log_likelihood", "aic", "bic")})
    if kind == "ar1":
        got["rho"] = [float(model[0]["rho"])]
    got.update({k: [float(r[k]) for r in ahead]
                for k in ("value", "lower80", "upper80", "lower95", "upper95")})
    return got


def compare(case, want, got):
    tolerance = 1e-8 if case[0] == "lm" else 2e-4
    for key, values in want.items():
        assert len(values) == len(got[key]), key
        for a, b in zip(values, got[key]):
            assert abs(a - b) <= tolerance * max(1e-3, abs(a)), (case[0], key, a, b)


def values_of(case):
    _, terms, first, n, rho, seed, log = case
    ordered = [t for t in ORDER if t in terms]
    _, rows, values = series(ordered, first, n + 12, rho, seed, log)
    return rows, values[:n]


def r_answers(case, folder):
    rows, values = values_of(case)
    n = case[3]
    for name, part, extra in (("data.csv", rows[:n], values), ("ahead.csv", rows[n:], None)):
        with open(folder / name, "w", newline="") as f:
            w = csv.writer(f)
            w.writerow(["x%d" % i for i in range(1, len(rows[0]))] + (["y"] if extra else []))
            for i, row in enumerate(part):
                w.writerow([repr(x) for x in row[1:]] + ([repr(extra[i])] if extra else []))
    (folder / "oracle.R").write_text(R_SCRIPT)
    done = subprocess.run(["Rscript", str(folder / "oracle.R"), str(folder / "data.csv"),
                           str(folder / "ahead.csv"), case[0], "log" if case[6] else "plain"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {line.split(",")[0]: [float(x) for x in line.split(",")[1:]]
            for line in done.stdout.splitlines()}


@needs_r
@pytest.mark.parametrize("case", CASES, ids=lambda c: "%s-%d" % (c[0], c[5]))
def test_the_fit_is_that_of_r(case, tmp_path):
    _, values = values_of(case)
    compare(case, r_answers(case, tmp_path), ours(case, values))


def test_the_fit_is_the_golden_one():
    with open(GOLDEN, newline="") as f:
        lines = list(csv.reader(f))
    checked = 0
    for i, case in enumerate(CASES):
        want = {r[1]: [float(x) for x in r[2:] if x != ""] for r in lines if r[0] == str(i)}
        _, values = values_of(case)
        compare(case, want, ours(case, values))
        checked += len(want)
    assert checked > 40


def test_known_effects_are_covered_by_their_limits():
    """Over many series 95 of 100 limits hold the next value, with and without AR(1) errors."""
    for errors, rho in (("independent", 0.0), ("ar1", 0.5)):
        inside = total = 0
        text, later = "series,date,value\n", {}
        for seed in range(60):
            _, _, values = series(["trend", "month", "working-days"], (2000, 1), 132, rho, 100 + seed)
            later[str(seed)] = values[120:]
            text += "".join("%d,%d-%02d-01,%r\n" % (seed, y, m, v)
                            for (y, m), v in zip(months((2000, 1), 120), values))
        for r in stat(text, "--group", "series", "--terms", "trend,month,working-days", "--errors",
                      errors):
            value = later[r["series"]][int(r["h"]) - 1]
            inside += float(r["lower"]) <= value <= float(r["upper"])
            total += 1
        assert total == 720 and 0.92 < inside / total < 0.98, (errors, inside / total)


def test_refusals_name_the_place():
    good = as_csv((2010, 1), [float(i % 7) for i in range(60)])
    lines = good.splitlines(True)
    assert "row 3" in stat("".join(lines[:3] + lines[4:]), ok=False)  # a month is missing
    assert "row 3" in stat("".join(lines[:3] + lines[2:]), ok=False)  # one stands twice
    assert "date" in stat(good.replace("2010-02-15", ""), ok=False)
    assert "column date" in stat("value\n1\n2\n", ok=False)
    assert "determine bank_holidays" in stat(
        good, "--terms", "length,weekdays,working-days,bank-holidays", ok=False)
    assert "too few" in stat("".join(lines[:12]), ok=False)
    assert "1995" in stat(as_csv((1994, 1), [float(i % 5) for i in range(60)]), ok=False)
    assert "2035" in stat(as_csv((2031, 1), [float(i % 5) for i in range(60)]), ok=False)
    assert "--terms" in stat(good, "--terms", "moon", ok=False)
    assert "no error is left" in stat(as_csv((2010, 1), [5.0] * 60), "--errors", "ar1", ok=False)
    assert "logarithm" in stat(good, "--log", ok=False)


def test_own_holidays(tmp_path):
    """Another country's days change the working days, and nothing needs them where no term does."""
    text = as_csv((2015, 1), series(["trend", "working-days"], (2015, 1), 48)[2])
    file = tmp_path / "days.csv"
    file.write_text("date,name\n2015-01-06,x\n2019-12-26,y\n")
    a = stat(text, "--terms", "trend,working-days", "--output", "model")
    b = stat(text, "--terms", "trend,working-days", "--output", "model", "--holidays", file)
    assert a[2]["estimate"] != b[2]["estimate"]
    file.write_text("date,name\nsoon,x\n")
    assert "line 2" in stat(text, "--holidays", file, ok=False)
    file.write_text("date,name\n2015-01-06,x\n2015-01-06,x\n")
    assert "twice" in stat(text, "--holidays", file, ok=False)
    assert stat(as_csv((1950, 1), [float(i % 5) for i in range(60)]), "--terms", "trend,month,easter")
