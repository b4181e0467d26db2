"""bench/compare on a few people: both programs answer, and answer the same."""

import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_compare_answers_are_the_same():
    p = subprocess.run([os.path.join(ROOT, "bench", "compare"), "--people", "3000", "--years",
                        "2014-2015", "--repeats", "1"], capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    assert "answers   the same in all 9 questions" in p.stdout
    assert "load and derive, wall clock" in p.stdout


def test_compare_refuses_an_unknown_option():
    p = subprocess.run([os.path.join(ROOT, "bench", "compare"), "--persons", "1"],
                       capture_output=True, text=True)
    assert p.returncode == 2


def test_load_is_measured():
    p = subprocess.run([os.path.join(ROOT, "bench", "load"), "--rows", "30000"], capture_output=True,
                       text=True)
    assert p.returncode == 0, p.stderr
    assert "30000 rows of 60 columns" in p.stdout
    assert "hdis: the sealed table" in p.stdout and "first use from cold files" in p.stdout
