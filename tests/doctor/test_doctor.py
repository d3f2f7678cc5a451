"""`antiphon doctor` against llama.cpp's server and a real model: what it prints can be used as it stands."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from antiphon.config.sources import load
from tests.command import environment, run
from tests.llama_server import serve_llama

CONTEXT_TOKENS = 4096
BOUND_S = 330


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_llama(context_tokens=CONTEXT_TOKENS, threads=2) as address:
        yield address


@pytest.fixture(scope="module")
def diagnosis(url: str) -> Mapping[str, Any]:
    ended = doctor(url, "--client", "codex", "--json")
    assert ended.returncode == 1, ended.stderr  # its context is too small for Codex
    found: Mapping[str, Any] = json.loads(ended.stdout)
    return found


def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "antiphon", "doctor", *arguments, "--timeout-s", "160"]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=BOUND_S)


@pytest.mark.slow
def test_what_a_real_server_can_do_is_found(diagnosis: Mapping[str, Any]) -> None:
    assert diagnosis["patient"]["server"] == "llama.cpp"
    assert diagnosis["patient"]["context_tokens"] == CONTEXT_TOKENS
    found = {finding["name"]: finding["outcome"] for finding in diagnosis["findings"]}
    works = ("answers", "instructions", "turns", "structured_output", "logprobs")
    assert {name: found[name] for name in works} == dict.fromkeys(works, "works")
    assert found["images"] == "model"
    assert found["context"] == "missing"


@pytest.mark.slow
def test_the_block_is_a_configuration_that_loads(diagnosis: Mapping[str, Any], tmp_path: Path, url: str) -> None:
    file = tmp_path / "antiphon.toml"
    file.write_text(diagnosis["model_block"])
    tables = load({}, {}, file).settings.tables
    assert [upstream.urls for upstream in tables.upstreams] == [(url,)]
    (model,) = tables.models
    assert (model.name, model.aliases, model.context_tokens) == ("tiny", ("gpt-*",), CONTEXT_TOKENS)


@pytest.mark.slow
def test_codex_gets_a_configuration_of_its_own(diagnosis: Mapping[str, Any]) -> None:
    config = tomllib.loads(diagnosis["client_config"])
    assert (config["model"], config["model_context_window"]) == ("tiny", CONTEXT_TOKENS)
    provider = config["model_providers"][config["model_provider"]]
    assert provider["wire_api"] == "responses"
    assert provider["base_url"] == "http://127.0.0.1:8400/v1"


@pytest.mark.slow
def test_a_model_that_is_not_there_is_named_with_those_that_are(url: str) -> None:
    ended = doctor(url, "--model", "large")
    assert ended.returncode == 2
    assert "--model: tiny" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("http://127.0.0.1:9",), "cannot be reached"),
        (("nonsense",), "write it like http://127.0.0.1:8000/v1"),
        (("http://127.0.0.1:9", "--api-key-env", "NO_SUCH_KEY"), "no environment variable NO_SUCH_KEY"),
    ],
)
def test_a_server_that_cannot_be_examined_is_told_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    ended = run("doctor", *arguments)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""
