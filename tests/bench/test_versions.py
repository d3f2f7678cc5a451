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


@pytest.mark.parametrize("python", ["/nowhere/python", f"{sys.executable},ANTIPHON_ACCESS_LOG=perhaps"])
def test_what_does_not_start_is_absent(python: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"none={python}", "--rounds", "1", "--modes", "short"]) == 2
    said = capsys.readouterr().out
    assert "absent: " in said
    assert said.splitlines()[-1].split() == ["short", "none", "no", "sound", "figure"]


def test_a_variable_without_a_value_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([f"one={sys.executable},ANTIPHON_ACCESS_LOG"])
    assert "argument NAME=PYTHON" in capsys.readouterr().err
