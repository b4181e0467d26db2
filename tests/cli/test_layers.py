"""The promises that are kept by who may include what (doc/disclosure.md, meson.build)."""

import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SRC = os.path.join(ROOT, "src")
ORDER = ["base", "statistics", "crypto", "duck", "catalogue", "ledger", "vault", "derive", "landing",
         "synth", "kernel", "engine", "disclosure", "indicators", "present", "cli"]
THIRD_PARTY = {
    "gnutls/": {"crypto"},
    "nettle/": {"crypto"},
    "sodium": {"crypto"},
    "duckdb": {"duck"},
    "cyaml/": {"catalogue"},
    "yaml.h": {"catalogue"},
    "sqlite3": {"ledger"},
    "Rmath": {"statistics"},
    "lapacke": {"statistics"},
    "xlsxwriter": {"present"},
    "zip.h": {"present"},
}
# True counts: who may see the cells.
CELLS = {"engine", "disclosure"}


def includes():
    for folder, _, names in os.walk(SRC):
        for name in sorted(names):
            if not name.endswith((".c", ".h")):
                continue
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as f:
                for number, line in enumerate(f, 1):
                    found = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
                    if found:
                        where = "%s:%d" % (os.path.relpath(path, ROOT), number)
                        yield where, os.path.relpath(path, SRC).split(os.sep)[0], *found.groups()


def test_includes_go_downwards():
    wrong = []
    for where, folder, kind, target in includes():
        if kind == '"' and folder in ORDER:
            top = target.split("/")[0]
            if top not in ORDER:
                wrong.append("%s includes %s, which names no folder" % (where, target))
            elif ORDER.index(top) > ORDER.index(folder):
                wrong.append("%s includes %s upwards" % (where, target))
    assert not wrong, "\n".join(wrong)


def test_the_order_is_the_one_meson_builds():
    with open(os.path.join(ROOT, "meson.build"), encoding="utf-8") as f:
        found = re.search(r"foreach folder : \[(.*?)\]", f.read(), re.S)
    assert re.findall(r"'(\w+)'", found.group(1)) == ORDER
    assert sorted(x for x in os.listdir(SRC) if os.path.isdir(os.path.join(SRC, x))) == sorted(ORDER)


def test_third_party_headers_stay_in_one_folder():
    wrong = []
    for where, folder, kind, target in includes():
        for prefix, allowed in THIRD_PARTY.items():
            if kind == "<" and target.startswith(prefix) and folder not in allowed:
                wrong.append("%s includes <%s>" % (where, target))
    assert not wrong, "\n".join(wrong)


def test_only_disclosure_sees_true_counts():
    wrong = [where for where, folder, kind, target in includes()
             if target in ("engine/cells.h", "disclosure/primary.h", "disclosure/outer.h", "disclosure/sheet.h",
                           "kernel/kernel.h", "engine/chosen.h", "disclosure/account.h", "disclosure/sets.h")
             and folder not in CELLS | {"kernel"}]
    assert not wrong, "true counts reach " + ", ".join(wrong)


def test_nothing_that_writes_output_asks_the_engine_itself():
    wrong = []
    for top in ("indicators", "present", "cli"):
        for folder, _, names in os.walk(os.path.join(SRC, top)):
            for name in names:
                path = os.path.join(folder, name)
                if name.endswith((".c", ".h")):
                    with open(path, encoding="utf-8") as f:
                        if re.search(r"\bhd_(engine_run|cells_free|primary_apply)\b", f.read()):
                            wrong.append(os.path.relpath(path, ROOT))
    assert not wrong, wrong


def test_every_header_has_a_guard_of_its_own_name():
    for folder, _, names in os.walk(SRC):
        for name in names:
            if name.endswith(".h"):
                path = os.path.join(folder, name)
                parts = os.path.relpath(path, SRC)[:-2].upper()
                guard = "HD_" + re.sub(r"[^A-Z0-9]", "_", parts) + "_H"
                with open(path, encoding="utf-8") as f:
                    assert "#ifndef " + guard in f.read(), path
