"""`antiphon doctor` on a real vLLM: what it was started without is found, with the flags to add."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.command import environment
from tests.vllm import serving
from tests.vllm.serving import VERSION, Vllm
from tests.vllm.tiny_model import CONTEXT_TOKENS

BOUND_S = 120


def diagnosis(vllm: Vllm, *flags: str) -> Mapping[str, Any]:
    command = [sys.executable, "-m", "antiphon", "doctor", vllm.base_url, "--api-key-env", "KEY", "--json", *flags]
    ended = subprocess.run(command, env=environment(KEY=vllm.api_key), capture_output=True, text=True, timeout=BOUND_S)
    assert ended.returncode in (0, 1), ended.stderr
    found: Mapping[str, Any] = json.loads(ended.stdout)
    return found


def outcomes(found: Mapping[str, Any]) -> Mapping[str, str]:
    return {finding["name"]: finding["outcome"] for finding in found["findings"]}


def test_a_server_with_all_flags_lacks_nothing(vllm: Vllm) -> None:
    found = diagnosis(vllm, "--model", serving.MODEL)
    assert found["patient"]["server"] == "vllm"
    assert found["patient"]["version"].startswith(".".join(map(str, VERSION)))
    assert found["patient"]["context_tokens"] == CONTEXT_TOKENS
    assert found["flags"] == []
    assert "missing" not in outcomes(found).values()
    assert "failed" not in outcomes(found).values()


def test_a_server_without_parsers_is_told_which_it_needs(vllm_python: Path, tiny_model: Path) -> None:
    words: list[str | Path] = ["-m", "vllm.entrypoints.cli.main", "serve", tiny_model]
    words += f"--served-model-name Qwen/Qwen3-0.6B --max-model-len {CONTEXT_TOKENS} --kv-cache-memory-bytes 64M".split()
    words += ["--logits-processors", "tests.vllm.script_processor:ScriptProcessor"]
    with serving.run(vllm_python, words, tiny_model, PYTHONPATH=os.fspath(serving.ROOT)) as bare:
        found = diagnosis(bare, "--client", "codex")
    told = outcomes(found)
    assert told["tools"] == told["forced_tools"] == told["reasoning"] == told["cached_tokens"] == "missing"
    assert told["answers"] == told["structured_output"] == told["regex_grammar"] == told["lark_grammar"] == "works"
    assert " ".join(found["flags"]) == (
        "--enable-auto-tool-choice --tool-call-parser hermes --reasoning-parser qwen3 --enable-prompt-tokens-details"
    )
