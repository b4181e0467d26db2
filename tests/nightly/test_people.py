"""The planted truth at two million people (HDIS_NIGHTLY_PEOPLE); see tests/truth.py."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import truth  # noqa: E402

PEOPLE = os.environ.get("HDIS_NIGHTLY_PEOPLE")


@pytest.mark.skipif(not PEOPLE, reason="nightly: set HDIS_NIGHTLY_PEOPLE, as ./run nightly does")
def test_every_indicator_equals_the_planted_truth(tmp_path):
    vault = truth.Vault(tmp_path, int(PEOPLE))
    wrong, compared = truth.differences(vault)
    assert compared > 5000
    assert not wrong, "%d differences:\n%s" % (len(wrong), "\n".join(wrong[:40]))
