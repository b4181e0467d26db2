"""One synthetic vault for all tests of this folder; see tests/truth.py."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import truth  # noqa: E402


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    return truth.Vault(tmp_path_factory.mktemp("people"), 10000)
