"""hdis init and hdis vault as typed: what they print, and one clear line when they refuse."""

import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HDIS = os.path.join(ROOT, "build", "hdis")


def hdis(*args, **env):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HDIS_")}
    return subprocess.run([HDIS, *args], capture_output=True, text=True, env=dict(clean, **env))


def refused(result, *words, status=1):
    assert result.returncode == status
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1 and all(w in result.stderr for w in words), result.stderr


@pytest.fixture
def vault(tmp_path):
    where = ["--vault", str(tmp_path / "vault"), "--key-file", str(tmp_path / "keys" / "v.key")]
    made = hdis("init", *where)
    assert made.returncode == 0, made.stderr
    assert str(tmp_path / "keys" / "v.key") in made.stdout and "never" in made.stdout
    return where


def test_status_and_verify(vault):
    status = hdis("vault", "status", *vault)
    assert status.returncode == 0 and "data version  0" in status.stdout
    verify = hdis("vault", "verify", *vault)
    assert verify.returncode == 0 and "is whole: 0 tables" in verify.stdout


def test_environment_names_vault_and_key(vault):
    assert hdis("vault", "verify", HDIS_VAULT=vault[1], HDIS_KEY_FILE=vault[3]).returncode == 0


def test_default_key_file(tmp_path):
    folder = str(tmp_path / "trust")
    made = hdis("init", "--vault", folder, HOME=str(tmp_path))
    key = tmp_path / ".config" / "hdis" / "trust.key"
    assert made.returncode == 0 and key.stat().st_mode & 0o777 == 0o600
    assert hdis("vault", "verify", "--vault", folder, HOME=str(tmp_path)).returncode == 0


def test_refusals(vault, tmp_path):
    refused(hdis("init", *vault), "is a vault already")
    refused(hdis("init", "--vault", str(tmp_path)), "not empty")
    inside = str(tmp_path / "new" / "k.key")
    refused(hdis("init", "--vault", str(tmp_path / "new"), "--key-file", inside), "inside the vault")
    refused(hdis("vault", "verify", "--vault", str(tmp_path / "none"), "--key-file", vault[3]),
            "does not exist")
    refused(hdis("vault", "verify", "--vault", vault[1], "--key-file", inside), "does not exist")
    os.chmod(vault[3], 0o644)
    refused(hdis("vault", "verify", *vault), "others may read", "chmod 600")
    refused(hdis("vault", "status"), "--vault", status=2)
    refused(hdis("vault", "burn", *vault), "status or verify", status=2)


def test_keys_are_not_shown(vault):
    with open(vault[3]) as f:
        secrets = [line.split()[1] for line in f if line.split()[0] in ("wrap", "pseudonym", "hash")]
    for args in (["vault", "status"], ["vault", "verify"]):
        result = hdis(*args, *vault)
        assert not any(s in result.stdout + result.stderr for s in secrets)
