"""The ledger of releases when something goes wrong: a process killed between entering and showing, a disk that
is full, two who ask at once. What was entered stays what is shown; what was not entered was not shown."""

import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import time

import pytest

import truth

ALL = "SELECT region AS r, count(*) AS n, count(DISTINCT person) AS p FROM spells "
BY_REGION = ALL + "GROUP BY 1 ORDER BY 1"


@pytest.fixture
def vault(people, tmp_path):
    return people.copy(tmp_path)


def start(vault, sql, **how):
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
    return subprocess.Popen([truth.HDIS, "query", "--format", "json", sql], env=vault.env, **how)


def entries(vault):
    with sqlite3.connect(os.path.join(vault.env["HDIS_VAULT"], "ledger.db")) as ledger:
        return ledger.execute("SELECT count(*) FROM release").fetchone()[0]


def whole(vault):
    vault.run("vault", "verify")


def ask(vault, sql):
    done = vault.run("query", "--format", "json", sql)
    return json.loads(done.stdout)


def test_killed_at_any_time_an_answer_is_entered_or_was_not_shown(vault, tmp_path):
    begin = time.monotonic()
    shown = start(vault, BY_REGION).communicate()[0]
    took = time.monotonic() - begin
    assert entries(vault) == 1
    draw = random.Random(5)
    for i in range(5):
        sql = ALL + "WHERE sex = '%d' GROUP BY 1 ORDER BY 1" % (1 + i % 2) + " LIMIT %d" % (5 + i)
        before = entries(vault)
        asked = start(vault, sql)
        time.sleep(took * (0.5 + 0.6 * draw.random()))
        asked.kill()
        out = asked.communicate()[0]
        assert entries(vault) - before in (0, 1)
        if out:
            assert entries(vault) == before + 1  # shown, so entered
            assert ask(vault, sql) == json.loads(out)
        after = ask(vault, sql)
        assert ask(vault, sql) == after and entries(vault) == before + 1
        whole(vault)
    assert json.loads(shown) == ask(vault, BY_REGION)


def test_what_could_not_be_shown_is_entered_and_the_same_later(vault):
    with open("/dev/full", "w") as full:
        asked = start(vault, BY_REGION, stdout=full)
        text = asked.communicate()[1].decode()
    assert asked.returncode == 1 and text.startswith("hdis query: ")
    assert entries(vault) == 1
    first = ask(vault, BY_REGION)
    assert ask(vault, BY_REGION) == first and entries(vault) == 1
    whole(vault)


def test_nothing_is_shown_that_the_disk_has_no_room_to_enter(vault):
    size = os.path.getsize(os.path.join(vault.env["HDIS_VAULT"], "ledger.db"))

    def no_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))

    assert size > 8192
    refused = start(vault, BY_REGION, preexec_fn=no_room)
    out, text = refused.communicate()
    assert refused.returncode == 1 and out == b"" and text.decode().count("\n") == 1
    assert "ledger" in text.decode()
    assert entries(vault) == 0
    whole(vault)
    ask(vault, BY_REGION)
    assert entries(vault) == 1


def test_of_two_who_ask_at_once_one_is_first(vault, people):
    """Regions, and regions without a few people: whoever is second is told that the other stands in the way."""
    rows = people.query("SELECT region AS r, startage AS a, count(DISTINCT person) AS p FROM spells "
                        "WHERE startage BETWEEN 20 AND 100 GROUP BY 1, 2")
    region, age = [(x["r"], x["a"]) for x in rows if x["r"] and 1 <= int(x["p"]) <= 7][0]
    without = ALL + "WHERE startage <> %s OR startage IS NULL GROUP BY 1 ORDER BY 1" % age
    both = [start(vault, sql) for sql in (BY_REGION, without)]
    answers = []
    for asked in both:
        out, text = asked.communicate()
        assert asked.returncode == 0, text.decode()
        answers.append([x for x in json.loads(out) if x["r"] == region][0])
    assert sorted(x["n"] == ":" for x in answers) == [False, True]
    assert entries(vault) == 2
    whole(vault)
