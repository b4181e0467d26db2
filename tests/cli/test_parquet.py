"""The same rows as text and as Parquet give the same tables.

The Parquet files are written by DuckDB's own library, called from here; one keeps every column as text,
one lets DuckDB choose types, as other people's tools do.
"""

import ctypes
import os

import pytest

import truth

LIBRARY = os.path.join(truth.ROOT, "deps", "duckdb", "libduckdb.so")
QUESTIONS = [
    "SELECT count(*) AS n, count(DISTINCT person) AS p, count(DISTINCT epikey) AS k FROM apc",
    "SELECT admimeth, sex, count(*) AS n, sum(epidur) AS d FROM apc GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT primary_diagnosis AS d, count(*) AS n FROM apc GROUP BY 1 ORDER BY 1",
    "SELECT admidate, count(*) AS n FROM apc GROUP BY 1 ORDER BY 1",
    "SELECT startage, count(*) AS n, avg(length_of_stay) AS m FROM spells GROUP BY 1 ORDER BY 1",
]


class Duck:
    def __init__(self):
        self.lib = ctypes.CDLL(LIBRARY)
        self.db, self.con = ctypes.c_void_p(), ctypes.c_void_p()
        assert self.lib.duckdb_open(None, ctypes.byref(self.db)) == 0
        assert self.lib.duckdb_connect(self.db, ctypes.byref(self.con)) == 0

    def run(self, sql):
        assert self.lib.duckdb_query(self.con, sql.encode(), None) == 0, sql

    def close(self):
        self.lib.duckdb_disconnect(ctypes.byref(self.con))
        self.lib.duckdb_close(ctypes.byref(self.db))


@pytest.fixture(scope="module")
def source(people):
    return os.path.join(people.files, "NIC000000_HES_APC_201599.txt")


def loaded(people, folder, path):
    vault = truth.Vault.__new__(truth.Vault)
    vault.env = dict(people.env, HDIS_VAULT=str(folder / "v"), HDIS_KEY_FILE=str(folder / "k"))
    vault.run("init")
    vault.run("load", "apc", str(path))
    return [vault.query(q) for q in QUESTIONS]


@pytest.fixture(scope="module")
def expected(people, source, tmp_path_factory):
    return loaded(people, tmp_path_factory.mktemp("text"), source)


@pytest.mark.parametrize("option", ["all_varchar = true", "all_varchar = false"])
def test_parquet_loads_like_text(people, source, expected, tmp_path, option):
    path = tmp_path / "NIC000000_HES_APC_201599.parquet"
    duck = Duck()
    duck.run("COPY (SELECT * FROM read_csv('%s', delim = '|', header = true, quote = '', %s)) TO '%s' "
             "(FORMAT parquet)" % (source, option, path))
    duck.close()
    got = loaded(people, tmp_path, path)
    for question, a, b in zip(QUESTIONS, got, expected):
        assert a == b, question


def test_a_cut_parquet_file_changes_nothing(people, source, tmp_path):
    path, cut = tmp_path / "NIC000000_HES_APC_201599.parquet", tmp_path / "cut.parquet"
    duck = Duck()
    duck.run("COPY (SELECT * FROM read_csv('%s', delim = '|', header = true, quote = '', "
             "all_varchar = true)) TO '%s' (FORMAT parquet)" % (source, path))
    duck.close()
    whole = path.read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    env = dict(people.env, HDIS_VAULT=str(tmp_path / "v"), HDIS_KEY_FILE=str(tmp_path / "k"))
    vault = truth.Vault.__new__(truth.Vault)
    vault.env = env
    vault.run("init")
    done = vault.run("load", "apc", str(cut), "--part-year", "201599", ok=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "cut.parquet" in done.stderr
    assert "data version  0" in vault.run("vault", "status").stdout
