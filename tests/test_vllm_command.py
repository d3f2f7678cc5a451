"""`antiphon vllm`: what is ours of its flags, and what vLLM is started with."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from antiphon import vllm_command
from antiphon.cli import main
from antiphon.config.sources import ConfigError
from antiphon.errors import SetupError
from antiphon.vllm_command import allowed_plugins, environment, parse
from antiphon.vllm_versions import VERSIONS, check_version


def test_flags_of_vllm_pass_through_as_they_are() -> None:
    given = "some/model --tool-call-parser hermes --config vllm.yaml --port=1 --config=more.yml".split()
    call = parse([*given[:2], "--any-version", *given[2:]])
    assert call.passed == [*given[:-1], "--config", "more.yml"]
    assert call.any_version and call.config is None


@pytest.mark.parametrize("flags", [["--config", "our.toml"], ["--config=our.toml"]])
def test_a_toml_file_holds_our_settings(flags: list[str]) -> None:
    call = parse(["model", *flags])
    assert (call.passed, call.config) == (["model"], Path("our.toml"))


@pytest.mark.parametrize(
    ("given", "installed", "allowed"),
    [
        (None, [], "antiphon"),
        (None, ["a_platform", "a_lora_resolver"], "a_platform,a_lora_resolver,antiphon"),
        ("theirs", ["a_platform"], "theirs,antiphon"),
        ("theirs, antiphon", [], "theirs,antiphon"),
        ("", ["a_platform"], "antiphon"),
    ],
)
def test_other_plugins_stay_allowed_as_they_were(given: str | None, installed: list[str], allowed: str) -> None:
    assert allowed_plugins(given, installed) == allowed


def test_settings_are_checked_before_vllm_is_started(tmp_path: Path) -> None:
    file = tmp_path / "our.toml"
    file.write_text('store = "nowhere"\n')
    with pytest.raises(ConfigError):
        environment(parse(["model", "--config", str(file)]), {})
    file.write_text('store = "memory"\n')
    assert environment(parse(["model", "--config", str(file)]), {"A": "b"}) == {
        "A": "b",
        "VLLM_PLUGINS": "antiphon",
        "ANTIPHON_CONFIG": str(file),
    }


def test_vllm_takes_the_place_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []

    def start(program: str, words: list[str], inner: Mapping[str, str]) -> Any:
        started.append((program, words, inner["VLLM_PLUGINS"]))

    monkeypatch.setattr(vllm_command, "installed_version", lambda: VERSIONS[-1].minor + ".0")
    vllm_command.run(["model", "--port", "1"], start=start)
    words = [sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", "model", "--port", "1"]
    assert started == [(sys.executable, words, "antiphon")]


def test_an_unknown_version_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SetupError) as refusal:
        check_version("0.99.1", any_version=False)
    assert all(each.minor in str(refusal.value) for each in VERSIONS)
    assert "--any-version" in str(refusal.value)
    check_version("0.99.1", any_version=True)
    for each in VERSIONS:
        check_version(f"{each.minor}.0+cpu", any_version=False)


def test_the_versions_and_the_help_are_told_without_vllm(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vllm", "--help-versions"]) == 0
    assert VERSIONS[-1].minor in capsys.readouterr().out
    assert main(["vllm", "model", "--help"]) == 0
    assert "flags of vllm serve" in capsys.readouterr().out


def test_without_vllm_it_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm_command, "installed_version", lambda: None)
    assert main(["vllm", "model"]) == 1
    assert "antiphon[vllm]" in capsys.readouterr().err
