"""One gate: what writes output takes a release, and what sees true counts writes nothing."""

import os
import re

import test_layers

SRC = test_layers.SRC

# Every file that writes to a file, a terminal or a log, and what it writes. A new one must be thought about.
WRITERS = {
    "base/err.c": "the line of an impossible state", "base/fault.c": "test builds only",
    "base/io.c": "bytes that others made", "base/progress.c": "counts of rows and bytes",
    "crypto/keyfile.c": "the key file",
    "cli/cmd_audit.c": "findings about a table that is out already", "cli/cmd_bench.c": "times and sizes of this machine",
    "cli/cmd_datasets.c": "the catalogue",
    "cli/cmd_fields.c": "the catalogue", "cli/cmd_indicator.c": "definitions of indicators",
    "cli/cmd_init.c": "where the vault is", "cli/cmd_load.c": "rows read, kept, rejected",
    "cli/cmd_organisations.c": "lookups", "cli/cmd_protect.c": "the digest of a proof",
    "cli/cmd_release.c": "questions and proofs, to the owner", "cli/cmd_synth.c": "synthetic data",
    "cli/cmd_vault.c": "sizes of tables", "cli/landing_option.c": "quality of a delivered file",
    "cli/listing.c": "the catalogue", "cli/options.c": "help and errors", "cli/output.c": "releases",
    "cli/stat.c": "figures that came in as text", "disclosure/attack.c": "findings about a table that is out already",
    "disclosure/lp.c": "a table that is out already, as a linear program", "main.c": "help and errors",
    "synth/truth.c": "synthetic data",
}
# The log: an event and a detail, made by these.
LOGGERS = {"ledger/ledger.c", "vault/publish.c", "vault/vault.c", "vault/releases.c"}
# Functions that turn something into output, and what they may take beside releases.
OUTPUT = r"\b(hd_present_\w+|hd_report_put\w*|hd_chart_\w+|hd_output_\w+)\s*\(([^;{]*?)\)\s*;"
NO_FIGURES = {"hd_present_value": "one value", "hd_present_json_text": "a text", "hd_present_html_text": "a text",
              "hd_present_plain_text": "a text", "hd_present_utf8": "a text", "hd_present_is_control": "a text", "hd_output_check": "options",
              "hd_output_policy": "options"}
SECRET = r"\bhd_(cells|cell|value_bins?|safe|account|sets|set|printed|chosen|audit|near|k_answer|k_tally)\b"


def sources(*folders):
    for folder in folders:
        for path, _, names in os.walk(os.path.join(SRC, folder)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    whole = os.path.join(path, name)
                    with open(whole, encoding="utf-8") as f:
                        text = re.sub(r"/\*.*?\*/|\"(?:\\.|[^\"\\])*\"", " ", f.read(), flags=re.S)
                    yield os.path.relpath(whole, SRC), text


def test_every_file_that_writes_is_listed():
    writes = r"\b(printf|fprintf|vfprintf|fputs|fputc|putchar|puts|fwrite|write|pwrite|hd_io_write_file)\s*\("
    found = {name for name, text in sources(".") if name.endswith(".c") and re.search(writes, text)}
    assert {os.path.normpath(x) for x in found} == set(WRITERS)


def test_every_file_that_logs_is_listed():
    found = {os.path.normpath(n) for n, text in sources(".") if n.endswith(".c") and "hd_ledger_log" in text}
    assert found == LOGGERS


def test_what_writes_figures_takes_a_release():
    seen = set()
    for name, text in sources("present", "cli"):
        if not name.endswith(".h"):
            continue
        for function, arguments in re.findall(OUTPUT, text):
            seen.add(function)
            assert not re.search(SECRET, arguments), (name, function)
            if function in NO_FIGURES or function.startswith("hd_chart_"):
                continue
            assert re.search(r"\bhd_(release|report_view|report_item|figure)\b", arguments), (name, function)
    assert {"hd_present_table", "hd_present_csv", "hd_present_json", "hd_present_xlsx", "hd_present_ods",
            "hd_present_footer", "hd_present_provenance", "hd_report_put", "hd_output_release"} <= seen


def test_outside_disclosure_nobody_names_what_is_secret():
    wrong = [name for name, text in sources("indicators", "present", "cli") if re.search(SECRET, text)]
    assert not wrong


def test_what_sees_true_counts_writes_nothing():
    """Engine and disclosure give errors, which the next test reads, and releases."""
    writes = r"\b(printf|fprintf|vfprintf|fputs|fputc|putchar|puts|fwrite|write|hd_io_write_file|hd_progress\w*)\s*\("
    allowed = {"disclosure/lp.c", "disclosure/attack.c"}
    wrong = [n for n, text in sources("kernel", "engine", "disclosure") if n not in allowed
             and re.search(writes, text)]
    assert not wrong


def test_errors_of_disclosure_hold_no_figure():
    """No hd_fail in these files formats a value, a count of records or a member of the cells."""
    files = {"ask.c", "primary.c", "audit.c", "account.c", "near.c", "unions.c", "sets.c", "outer.c", "entries.c"}
    calls = 0
    for name, text in sources("disclosure"):
        if os.path.basename(name) not in files:
            continue
        for call in re.findall(r"\bhd_fail\s*\((.*?)\);", text, flags=re.S):
            calls += 1
            assert not re.search(r"\.integer|\.decimal|->value|\.value|records|persons|->low|->high|sum\[",
                                 call), (name, call)
    assert calls > 10


def test_refusals_say_no_number_of_the_data(people):
    """A refused list and an unknown name give lines without anything from a record."""
    for sql in ("SELECT admidate, startage, sex, count(*) FROM apc GROUP BY 1, 2, 3",
                "SELECT person FROM apc"):
        done = people.run("query", sql, ok=False)
        assert done.returncode == 1 and done.stdout == ""
        assert len(done.stderr.strip().splitlines()) == 1
        assert not re.search(r"\d{4}-\d{2}-\d{2}|\b\d{4,}\b", done.stderr)
