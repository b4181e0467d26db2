"""bench/interrogate: hdis and DuckDB give the same answers to the questions of the yardstick."""

import json
import os
import sqlite3
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def test_answers_are_equal(tmp_path):
    out = tmp_path / "out.json"
    done = subprocess.run(
        [sys.executable, os.path.join(ROOT, "bench", "interrogate"), "--rows", "20000", "--repeats", "1",
         "--peers", "duckdb", "--work", str(tmp_path / "work"), "--json", str(out)],
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    with open(out, encoding="utf-8") as f:
        results = json.load(f)["results"]
    asked = [r for r in results if "hdis" in r]
    assert len(asked) >= 8
    assert all(r["rows"] > 0 and r["hdis"]["warm_ms"] > 0 and r["duckdb"]["warm_ms"] > 0 for r in asked)


def test_protected_answers_are_timed_and_leave_the_ledger_as_it_was(tmp_path):
    done = subprocess.run(
        [sys.executable, os.path.join(ROOT, "bench", "interrogate"), "--rows", "20000", "--repeats", "1", "--keep",
         "--policy", "hes2018", "--only", "Q4a,Q6", "--work", str(tmp_path / "work")],
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\nQ") == 2 and "refused" not in done.stdout
    with sqlite3.connect(tmp_path / "work" / "vault" / "ledger.db") as ledger:
        assert ledger.execute("SELECT count(*) FROM release").fetchone() == (0,)
