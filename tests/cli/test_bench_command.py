"""hdis bench: a small table of this machine, and nothing left behind."""

import csv
import io
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HDIS = os.path.join(ROOT, "build", "hdis")


def bench(tmp_path, *args):
    return subprocess.run([HDIS, "bench", *args], capture_output=True, text=True,
                          env=dict(os.environ, TMPDIR=str(tmp_path), HDIS_THREADS="2"))


def test_a_row_for_the_machine_and_each_question(tmp_path):
    p = bench(tmp_path, "--rows", "3000", "--only", "Q1,Q4a,Q9", "--format", "csv")
    assert p.returncode == 0, p.stderr
    rows = list(csv.reader(io.StringIO(p.stdout)))
    assert rows[0] == ["what", "unit", "first", "1 thread", "2 threads", "% of memory"]
    assert [r[0].split()[0] for r in rows[1:]] == ["reading", "opening", "sealing", "Q1", "Q4a", "Q9"]
    assert all(float(x) > 0 for r in rows[4:] for x in r[2:5])
    assert float(rows[1][3]) > 0 and float(rows[2][4]) > 0
    assert os.listdir(tmp_path) == []


def test_bars_on_a_terminal_table(tmp_path):
    p = bench(tmp_path, "--rows", "1000", "--only", "Q1")
    assert p.returncode == 0, p.stderr
    assert "milliseconds, asked again" in p.stdout and "\nQ1    =" in p.stdout


def test_bad_usage_leaves_nothing(tmp_path):
    for args in (["--rows", "many"], ["--rows", "5"], ["--format", "xlsx"], ["rows"]):
        assert bench(tmp_path, *args).returncode == 2
    p = bench(tmp_path, "--only", "Q99")
    assert p.returncode == 1 and "--only" in p.stderr
    assert os.listdir(tmp_path) == []
    assert "--rows N" in bench(tmp_path, "--help").stdout


def test_the_questions_are_the_yardsticks():
    made = subprocess.run([sys.executable, os.path.join(ROOT, "bench", "interrogate"), "--hdis-questions"],
                          capture_output=True, text=True, check=True).stdout
    with open(os.path.join(ROOT, "catalogue", "yardstick", "questions.sql"), encoding="utf-8") as f:
        assert f.read() == made, "bench/interrogate --hdis-questions > catalogue/yardstick/questions.sql"
