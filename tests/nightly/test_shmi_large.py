"""The simulated SHMI of tests/cli/test_shmi.py at the size of a nation's trusts and with twenty diagnosis
groups (HDIS_NIGHTLY_SPELLS: spells of a provider in the latest year)."""

import os
import sys

import pytest

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [TESTS, os.path.join(TESTS, "cli")]
import test_shmi  # noqa: E402

SPELLS = os.environ.get("HDIS_NIGHTLY_SPELLS")


@pytest.mark.skipif(not SPELLS, reason="nightly: set HDIS_NIGHTLY_SPELLS, as ./run nightly does")
def test_a_simulated_shmi_of_130_trusts():
    run = test_shmi.Run(providers=130, spells=int(SPELLS), seed=23, n_groups=20)
    test_shmi.check_scores(run)
    test_shmi.check_models(run)
    test_shmi.check_totals(run)
    test_shmi.check_funnel(run)
    test_shmi.check_outliers(run)
    test_shmi.check_over_dispersion(run, 0.25)
