"""Compare hdis with the truth that the generator planted: every indicator, provider and month.

The truth is the generator's own bookkeeping (DIR/truth/indicators.csv); nothing of it went through
landing, derivation or the engine. Counts must be equal, values within 1e-9 relative.
"""

import csv
import glob
import io
import os
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HDIS = os.path.join(ROOT, "build", "hdis")
DATASETS = [("apc", "HES_APC"), ("op", "HES_OP"), ("ae", "HES_AE"), ("cc", "HES_CC"), ("ecds", "ECDS")]


class Vault:
    """A vault of synthetic people in a folder: folder/files, folder/vault, folder/key."""

    before = None  # the ledger before anything left
    remembers = False

    def __init__(self, folder, people, years="2014-2016", seed="7"):
        self.folder = str(folder)
        self.files = os.path.join(self.folder, "files")
        self.env = dict(os.environ, HDIS_VAULT=os.path.join(self.folder, "vault"),
                        HDIS_KEY_FILE=os.path.join(self.folder, "key"))
        self.run("synth", "--people", str(people), "--years", years, "--seed", seed, "--out", self.files)
        self.run("init")
        for dataset, tag in DATASETS:
            self.run("load", dataset, *sorted(glob.glob(
                os.path.join(self.files, "NIC000000_%s_*.txt" % tag))))

    def copy(self, folder):
        """A vault of the same data that remembers what left."""
        other = Vault.__new__(Vault)
        other.folder, other.files, other.before, other.remembers = str(folder), self.files, None, True
        other.env = dict(self.env, HDIS_VAULT=os.path.join(other.folder, "vault"))
        self.forget(["query"])
        shutil.copytree(self.env["HDIS_VAULT"], other.env["HDIS_VAULT"])
        return other

    def forget(self, args):
        """Figures depend on what left before. So that tests do not depend on each other, each of
        them finds the ledger as it was before anything left: true counts are not in it."""
        if self.remembers:
            return
        path = os.path.join(self.env["HDIS_VAULT"], "ledger.db")
        if not os.path.exists(path):
            return
        releases = args[0] in ("query", "indicator", "report") and "--with-small-numbers" not in args
        if self.before is None:
            if releases:
                with open(path, "rb") as f:
                    self.before = f.read()
        else:
            with open(path, "wb") as f:
                f.write(self.before)
            if not releases:
                self.before = None  # what follows stays: a load, an asset in the list

    def run(self, *args, ok=True):
        self.forget(args)
        done = subprocess.run([HDIS, *args], env=self.env, capture_output=True, text=True)
        if ok:
            assert done.returncode == 0, (args, done.stderr)
        return done

    def query(self, sql, true_counts=True):
        extra = ["--with-small-numbers", "--purpose", "test"] if true_counts else []
        return list(csv.DictReader(io.StringIO(
            self.run("query", "--format", "csv", *extra, sql).stdout)))

    def indicator(self, *names, true_counts=True, args=()):
        extra = ["--with-small-numbers", "--purpose", "test"] if true_counts else []
        return list(csv.DictReader(io.StringIO(
            self.run("indicator", "--format", "csv", *extra, *args, *names).stdout)))

    def truth(self):
        rows = {}
        for path in glob.glob(os.path.join(self.files, "truth", "*.csv")):
            with open(path, newline="") as f:
                reader = csv.DictReader(f)
                if not {"indicator", "provider", "month", "value"} <= set(reader.fieldnames or []):
                    continue
                for r in reader:
                    rows.setdefault(r["indicator"], {})[r["provider"], r["month"][:7]] = r
        return rows


def close(a, b):
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b))


def differences(vault):
    """Lines that say where hdis and the truth differ; and how many figures were compared."""
    truth, wrong, compared = vault.truth(), [], 0
    assert truth, "the generator wrote no truth"
    for name in sorted(truth):
        got = {(r["provider"], r["month"][:7]): r for r in vault.indicator(name)}
        for key in sorted(set(truth[name]) | set(got)):
            t, g = truth[name].get(key), got.get(key)
            if t is None or g is None:
                if float((t or g)["denominator"] or 0) != 0:
                    wrong.append("%s %s: only %s has it" % (name, key, "hdis" if t is None else "truth"))
                continue
            for column in ("numerator", "denominator"):
                if t[column] != "" and g[column] != "" and float(t[column]) != float(g[column]):
                    wrong.append("%s %s %s: truth %s, hdis %s" % (name, key, column, t[column],
                                                                  g[column]))
                compared += 1
            if (t["value"] == "") != (g["value"] == ""):
                wrong.append("%s %s value: truth %r, hdis %r" % (name, key, t["value"], g["value"]))
            elif t["value"] != "" and not close(float(t["value"]), float(g["value"])):
                wrong.append("%s %s value: truth %s, hdis %s" % (name, key, t["value"], g["value"]))
            compared += 1
    return wrong, compared
