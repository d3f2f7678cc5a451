"""Schemathesis against `/openapi.json`: whatever is sent, no 5xx, and every answer is what the document says."""

import subprocess
import sys
from pathlib import Path

import pytest

from antiphon.stores.sql import SqlStore
from tests.live import Live, serve

EXAMPLES, SEED, LIMIT_S = 30, 20261122, 240
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "unsupported_method,allow_header_conformance"
)
READING = ("getResponse", "listInputItems", "cancelResponse", "deliverToolOutputs")
RESEMBLING = ("countInputTokens", "compactConversation")
"""Their bodies are parts of that of createResponse, which is tried at length."""


@pytest.mark.timeout(LIMIT_S + 30)
@pytest.mark.parametrize("strict", [False, True])
def test_schemathesis_finds_no_fault(tmp_path: Path, strict: bool) -> None:
    with serve(store=SqlStore(tmp_path / "antiphon.db"), strict=strict, tool_wait_s=1) as running:
        (tmp_path / "schemathesis.toml").write_text(known_ids(running))
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{running.origin}/openapi.json"),
            *("--checks", CHECKS, "--phases", "examples,coverage,fuzzing,stateful", "--mode", "all"),
            *("--max-examples", str(EXAMPLES), "--seed", str(SEED), "--suppress-health-check", "all"),
            *("--request-timeout", "10", "--continue-on-failure", "--no-color"),
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]


def known_ids(running: Live) -> str:
    """The tool's configuration: what is read is a response that exists, whose chain holds items of every kind."""
    script = "[[think:hm]][[say:one]][[call:f {}]][[then]][[say:two]]"
    first = running.create(script, include=["message.output_text.logprobs"], top_logprobs=1)
    output = {"type": "function_call_output", "call_id": first["output"][-1]["call_id"], "output": "x"}
    second = running.create([output], previous_response_id=first["id"])
    operations = [
        f'[[operations]]\ninclude-operation-id = "{name}"\nparameters = {{ response_id = "{second["id"]}" }}\n'
        for name in READING
    ]
    operations += [
        f'[[operations]]\ninclude-operation-id = "{name}"\n'
        "generation.max-examples = 5\nphases.coverage.enabled = false\n"
        for name in RESEMBLING
    ]
    model = '[[operations]]\ninclude-operation-id = "getModel"\nparameters = { model_id = "scripted" }\n'
    return "\n".join([*operations, model])
