"""The audit log: what was done to stored data and by whom; what cannot be recorded is not done."""

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from antiphon.audit import record, recorded
from antiphon.errors import SetupError
from antiphon.stores.sql import SqlStore
from tests.command import run
from tests.live import serve


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_is_done_to_data_is_recorded(tmp_path: Path) -> None:
    with serve(store=SqlStore(tmp_path / "antiphon.sqlite3")) as live:
        live.create("[[say:secret]]")
    place = ("--data-dir", str(tmp_path))
    exported = run("data", "export", "--tenant", "default", *place)
    erased = run("data", "erase", "--tenant", "default", "--yes", *place)
    refused = run("data", "restore", str(tmp_path / "none.tar"), *place)
    assert (exported.returncode, erased.returncode, refused.returncode) == (0, 0, 1), refused.stderr
    audit = tmp_path / "audit.jsonl"
    told = [(line["action"], line["outcome"], line.get("tenant")) for line in lines(audit)]
    assert told == [
        ("data.export", "begun", "default"),
        ("data.export", "done", "default"),
        ("data.erase", "begun", "default"),
        ("data.erase", "done", "default"),
        ("data.restore", "begun", None),
        ("data.restore", "failed", None),
    ]
    assert all(line["user"] and line["pid"] and line["host"] and line["time"].endswith("Z") for line in lines(audit))
    assert "secret" not in audit.read_text()


def test_changes_of_keys_are_recorded_without_the_keys(tmp_path: Path) -> None:
    place = ("--data-dir", str(tmp_path))
    key = run("keys", "add", "ci", "--tenant", "team", *place).stdout.strip()
    assert run("keys", "revoke", key, *place).returncode == 1
    assert run("keys", "revoke", "ci", *place).returncode == 0
    told = [(line["action"], line["outcome"], line.get("key")) for line in lines(tmp_path / "audit.jsonl")]
    assert told == [
        ("keys.add", "begun", "ci"),
        ("keys.add", "done", "ci"),
        ("keys.revoke", "begun", None),
        ("keys.revoke", "failed", None),
        ("keys.revoke", "begun", None),
        ("keys.revoke", "done", "ci"),
    ]
    assert key and key not in (tmp_path / "audit.jsonl").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="other rights than these")
def test_only_the_owner_reads_it_and_it_only_grows(tmp_path: Path) -> None:
    path = tmp_path / "new" / "audit.jsonl"
    for number in range(2):
        record(path, "keys.add", "done", key=f"key_{number}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [line["key"] for line in lines(path)] == ["key_0", "key_1"]


def test_what_cannot_be_recorded_is_not_done(tmp_path: Path) -> None:
    done = []
    with pytest.raises(SetupError, match="audit log"), recorded(tmp_path, "data.erase"):
        done.append("erased")
    assert not done
