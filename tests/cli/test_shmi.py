"""From spell to funnel: simulated spells with a known truth through `hdis stat` charlson,
mortality-model and funnel, and every figure worked out again in Python (shmi_simulation.py)."""

import math
import statistics

import pytest

import shmi_simulation as shmi

LEVELS = (0.95, 0.998)
SUFFIX = ("95", "99_8")


class Run:
    def __init__(self, providers=40, spells=900, seed=12, n_groups=2):
        self.truth = shmi.Simulation(providers, spells, seed, n_groups)
        self.scores = shmi.score_spells(self.truth)
        self.risks = [float(r["risk"]) for r in shmi.model(self.truth, self.scores, "--output", "risk")]
        self.providers = shmi.model(self.truth, self.scores, "--level", "0.95,0.998")
        self.groups = shmi.model(self.truth, self.scores, "--output", "groups")


@pytest.fixture(scope="module")
def run():
    return Run()


def check_scores(run):
    for s in run.truth.spells:
        assert run.scores.get(s["id"]) == max(0, s["score"])


def check_models(run):
    """The risk of every spell is that of a fit without hdis; the coefficients are the planted ones."""
    far = []
    for group in run.truth.groups:
        spells = [s for s in run.truth.spells if s["group"] == group]
        errors, risk = shmi.fit(spells)
        for s in spells:
            assert abs(run.risks[s["id"]] - risk[s["pattern"]]) < 1e-7
        truths = [shmi.TRUE_AGE, shmi.TRUE_SEX, {False: 0.0, True: shmi.TRUE_METHOD["11"]},
                  shmi.TRUE_MONTH, shmi.TRUE_CHARLSON, shmi.TRUE_YEAR]
        for name, (estimate, error) in errors.items():
            if name == "intercept":
                continue
            k, level = name
            true = truths[k][level] - truths[k][sorted(truths[k])[0]]
            far.append(abs(estimate - true) / error)
            assert abs(estimate - true) < 4.5 * error + 0.03, (group, name, estimate, true)
    assert statistics.median(far) < 1.2 and sum(x > 2 for x in far) < 0.15 * len(far)
    for g in run.groups:
        spells = [s for s in run.truth.spells if s["group"] == g["group"]]
        assert float(g["spells"]) == len(spells)
        assert float(g["deaths"]) == sum(s["died"] for s in spells)
        assert math.isclose(float(g["expected"]), float(g["deaths"]), rel_tol=1e-9)
        assert g["warning"] == "" and float(g["c_statistic"]) > 0.6


def check_totals(run):
    """Observed and expected of the latest year, added up here."""
    for p in run.providers:
        latest = [s for s in run.truth.spells
                  if s["procode3"] == p["provider"] and s["year"] == 2015]
        assert int(p["spells"]) == len(latest)
        assert float(p["observed"]) == sum(s["died"] for s in latest)
        assert math.isclose(float(p["expected"]), sum(run.risks[s["id"]] for s in latest),
                            rel_tol=1e-9)
        assert math.isclose(float(p["value"]), float(p["observed"]) / float(p["expected"]),
                            rel_tol=1e-4)  # expected to 2 decimals


def limits_of(run):
    observed = [float(p["observed"]) for p in run.providers]
    expected = [shmi.round_half_even(float(p["expected"])) for p in run.providers]
    phi, tau2 = shmi.over_dispersion(observed, expected)
    return observed, expected, phi, tau2


def check_funnel(run):
    """phi, tau2, both kinds of limits and the label, by their formulas; and by hdis stat funnel."""
    observed, expected, phi, tau2 = limits_of(run)
    text = shmi.as_csv(run.providers, ["provider", "observed", "expected"])
    again = shmi.hdis("funnel", text, "--kind", "ratio", "--adjust", "truncate", "--round-expected",
                      "--level", "0.95,0.998")
    for p, f, o, e in zip(run.providers, again, observed, expected):
        assert math.isclose(float(p["phi"]), phi, rel_tol=1e-9)
        assert math.isclose(float(p["tau2"]), tau2, rel_tol=1e-9)
        assert math.isclose(float(f["tau2"]), tau2, rel_tol=1e-9)
        for level, suffix in zip(LEVELS, SUFFIX):
            z = statistics.NormalDist().inv_cdf((1 + level) / 2)
            half = z * math.sqrt(1 / e + tau2)
            tail = (1 - level) / 2
            want = {"lower": math.exp(-half), "upper": math.exp(half),
                    "poisson_lower": shmi.gamma_quantile(tail, e) / e,
                    "poisson_upper": shmi.gamma_quantile(1 - tail, e + 1) / e}
            for name, x in want.items():
                assert math.isclose(float(p[name + suffix]), x, rel_tol=1e-8), name
            assert math.isclose(float(f["adjusted_lower" + suffix]), want["lower"], rel_tol=1e-8)
            assert math.isclose(float(f["adjusted_upper" + suffix]), want["upper"], rel_tol=1e-8)
            side = (o / e > want["upper"]) - (o / e < want["lower"])
            assert int(f["adjusted_outside" + suffix]) == side
            if level == 0.95:
                assert p["label"] == {-1: "lower", 0: "as expected", 1: "higher"}[side] == f["label"]
        assert p["reason"] == ""


def check_outliers(run):
    """At 99.8% the planted outliers are outside, on their side, and nobody else."""
    outside = {}
    for p in run.providers:
        value = float(p["value"])
        if not float(p["lower99_8"]) <= value <= float(p["upper99_8"]):
            outside[p["provider"]] = 1 if value > 1 else -1
    assert outside == {n: (1 if e > 0 else -1) for n, e in run.truth.outliers.items()}


def check_over_dispersion(run, tolerance):
    """Without trimming, and without those planted outside, tau2 estimates the planted variance. With
    trimming it is smaller, as it must be."""
    inside = [p for p in run.providers if p["provider"] not in run.truth.outliers]
    text = shmi.as_csv(inside, ["provider", "observed", "expected"])
    whole = float(shmi.hdis("funnel", text, "--kind", "ratio", "--adjust", "truncate", "--trim", "0",
                            "--target", statistics.fmean(float(p["value"]) for p in inside))[0]["tau2"])
    assert abs(whole - run.truth.tau2) < tolerance * run.truth.tau2, (whole, run.truth.tau2)
    assert 0 < limits_of(run)[3] < whole


def test_scores_are_those_of_the_list(run):
    check_scores(run)


def test_models_find_the_planted_coefficients(run):
    check_models(run)


def test_observed_and_expected_add_up(run):
    check_totals(run)


def test_the_funnel_is_its_formula(run):
    check_funnel(run)


def test_exactly_the_planted_outliers_are_banded(run):
    check_outliers(run)


def test_over_dispersion_is_the_planted_one(run):
    check_over_dispersion(run, 0.5)


def test_all_years_and_other_units(run):
    """Every year counts with --all-years, and then observed is expected in all."""
    every = shmi.model(run.truth, run.scores, "--all-years")
    assert sum(int(p["spells"]) for p in every) == len(run.truth.spells)
    assert math.isclose(sum(float(p["observed"]) for p in every),
                        sum(float(p["expected"]) for p in every), rel_tol=1e-9)
