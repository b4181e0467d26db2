"""Decomposition and the airline model beside R's own functions and data, where R is installed.
doc/methods.md says that they agree."""

import csv
import io
import math
import shutil
import subprocess

import pytest

import truth

pytestmark = pytest.mark.skipif(not shutil.which("Rscript"), reason="R is not installed")

R_SCRIPT = r"""
out <- function(k, v) cat(sprintf("%s,%s\n", k, paste(sprintf("%.15g", v), collapse = ",")))
out("deaths", ldeaths); out("passengers", AirPassengers)
parts <- function(k, m) for (i in 1:3) out(paste0(k, i), m[, c("trend", "seasonal", "remainder")[i]])
parts("periodic", stl(ldeaths, "periodic")$time.series)
parts("window", stl(ldeaths, 13)$time.series)
parts("robust", stl(ldeaths, "periodic", robust = TRUE)$time.series)
for (kind in c("additive", "multiplicative")) {
  d <- decompose(AirPassengers, kind)
  out(paste0(kind, 1), d$trend); out(paste0(kind, 2), d$seasonal); out(paste0(kind, 3), d$random)
}
m <- arima(log(AirPassengers), c(0, 1, 1), list(order = c(0, 1, 1)), optim.control = list(reltol = 1e-14))
out("theta", coef(m)); out("sigma2", m$sigma2); out("likelihood", logLik(m))
p <- predict(m, 24)
out("ahead", exp(p$pred)); out("low", exp(p$pred - qnorm(.975) * p$se)); out("high", exp(p$pred + qnorm(.975) * p$se))
"""


@pytest.fixture(scope="module")
def r():
    done = subprocess.run(["Rscript", "-e", R_SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {line.split(",")[0]: [float("nan") if x == "NA" else float(x) for x in line.split(",")[1:]]
            for line in done.stdout.splitlines()}


def stat(method, values, *args):
    done = subprocess.run([truth.HDIS, "stat", method, *map(str, args)], capture_output=True, text=True,
                          input="value\n" + "".join("%r\n" % v for v in values))
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def same(want, got, tolerance):
    assert len(want) == len(got)
    for a, b in zip(want, got):
        assert (math.isnan(a) and b == "") or abs(a - float(b)) <= tolerance * max(1, abs(a))


@pytest.mark.parametrize("name, series, args", [
    ("periodic", "deaths", []), ("window", "deaths", ["--season-window", 13]),
    ("robust", "deaths", ["--robust"]),
    ("additive", "passengers", ["--method", "classical"]),
    ("multiplicative", "passengers", ["--method", "classical-multiplicative"])])
def test_decompositions_are_those_of_r(r, name, series, args):
    got = stat("decompose", r[series], "--period", 12, *args)
    for i, column in enumerate(("trend", "season", "remainder")):
        same(r["%s%d" % (name, i + 1)], [g[column] for g in got], 1e-9)


def test_the_airline_model_is_that_of_r(r):
    fitted = stat("forecast", r["passengers"], "--model", "airline", "--log", "--output", "model")[0]
    assert abs(float(fitted["theta"]) - r["theta"][0]) < 1e-4
    assert abs(float(fitted["seasonal_theta"]) - r["theta"][1]) < 1e-4
    assert abs(float(fitted["sigma2"]) - r["sigma2"][0]) < 1e-4 * r["sigma2"][0]
    # R gives the values before the first a wide prior instead of differencing: nearly the same.
    assert abs(float(fitted["log_likelihood"]) - r["likelihood"][0]) < 0.01
    ahead = stat("forecast", r["passengers"], "--model", "airline", "--log", "--horizon", 24)
    for name, column in (("ahead", "value"), ("low", "lower"), ("high", "upper")):
        same(r[name], [a[column] for a in ahead], 2e-4)
