"""Versions beside each other: real servers, one short load each."""

import sys
from pathlib import Path

import pytest

from bench.versions import main

pytestmark = pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="costs are read from Linux's /proc")


def test_the_first_version_is_the_measure_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    given = [f"before={sys.executable}", f"after={sys.executable},ANTIPHON_ACCESS_LOG=false"]
    assert main([*given, "--rounds", "1", "--modes", "short"]) == 0
    before, after = capsys.readouterr().out.splitlines()[-2:]
    assert before.split()[:2] == ["short", "before"]
    assert before.endswith("ms/request   1.00 (1.00 to 1.00)")
    assert after.split()[:2] == ["short", "after"]
    assert float(after.split()[-4]) > 0


def test_an_interpreter_without_this_server_is_absent(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["none=/nowhere/python", "--rounds", "1", "--modes", "short"]) == 2
    said = capsys.readouterr().out
    assert "absent: " in said
    assert said.splitlines()[-1].split() == ["short", "none", "no", "sound", "figure"]
