"""What an answer shows of the server, and what only of the model."""

from collections.abc import Mapping
from typing import Any

import pytest

from antiphon.doctor import judges
from antiphon.doctor.answers import Answer
from antiphon.doctor.cures import cure_of, missing_flags
from antiphon.doctor.findings import Cure, Finding, Patient
from antiphon.doctor.parsers import parsers_for
from antiphon.doctor.probes import PROBES
from antiphon.errors import EngineError, InvalidRequest

REFUSED = Answer(error=InvalidRequest('"auto" tool choice requires --tool-call-parser to be set'))
BROKEN = Answer(error=EngineError("The engine failed with status 500."))


def said(text: str, *items: Mapping[str, Any], **more: Any) -> Answer:
    content = [{"type": "output_text", "text": text, "logprobs": []}]
    message = {"type": "message", "content": content}
    return Answer({"status": "completed", "error": None, "output": [*items, message], **more})


def called(arguments: str = "{}") -> Mapping[str, Any]:
    return {"type": "function_call", "name": "weather", "arguments": arguments}


@pytest.mark.parametrize(
    ("judge", "answer", "outcome"),
    [
        (judges.answered, said("Hello."), "works"),
        (judges.answered, said("  "), "model"),
        (judges.answered, BROKEN, "failed"),
        (judges.called(1), said("", called()), "works"),
        (judges.called(2), said("", called()), "model"),
        (judges.called(1), said('<tool_call>{"name": "weather"}</tool_call>'), "missing"),
        (judges.called(1), said('[{"name": "weather", "arguments": {}}]'), "missing"),
        (judges.called(1), said("It rains."), "model"),
        (judges.called(1), REFUSED, "missing"),
        (judges.forced, said("It rains."), "missing"),
        (judges.forced, said("It rains", status="incomplete"), "model"),
        (judges.strictly_called, said("", called('{"colour":"zyxqvu"}')), "works"),
        (judges.strictly_called, said("", called('{"colour":"red"}')), "missing"),
        (judges.strictly_called, said("", called("no JSON")), "missing"),
        (judges.strictly_answered, said('{"colour": "qvuzyx"}'), "works"),
        (judges.strictly_answered, said("Red."), "missing"),
        (judges.obeyed("[0-9]+"), said("", {"type": "custom_tool_call", "input": "12"}), "works"),
        (judges.obeyed("[0-9]+"), said("", {"type": "custom_tool_call", "input": "12a"}), "missing"),
        (judges.reasoned, said("391", {"type": "reasoning"}), "works"),
        (judges.reasoned, said("<think>20 * 17</think>391"), "missing"),
        (judges.reasoned, said("391"), "model"),
        (judges.cached, said("x", usage={"input_tokens_details": {"cached_tokens": 16}}), "works"),
        (judges.cached, said("x", usage={"input_tokens_details": {"cached_tokens": 0}}), "missing"),
        (judges.cached, said("x", usage=None), "missing"),
        (judges.weighed, said("x"), "missing"),
        (judges.accepted, said("A square."), "works"),
    ],
)
def test_an_answer_is_judged(judge: judges.Judge, answer: Answer, outcome: str) -> None:
    assert judges.verdict_on([answer], judge, None)[0] == outcome


def test_an_early_refusal_counts_as_well() -> None:
    assert judges.verdict_on([REFUSED, said("x")], judges.cached, None)[0] == "missing"


def test_a_model_that_takes_no_images_is_not_the_servers_fault() -> None:
    images = next(probe for probe in PROBES if probe.name == "images")
    assert images.verdict([REFUSED]) == ("model", "it takes none")
    assert images.verdict([BROKEN])[0] == "failed"
    assert images.verdict([said("A square.")])[0] == "works"


@pytest.mark.parametrize(
    ("model", "tools", "reasoning"),
    [
        ("Qwen/Qwen3-32B", "hermes", "qwen3"),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3_coder", None),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama3_json", None),
        ("openai/gpt-oss-120b", "openai", "openai_gptoss"),
        ("mistralai/Mistral-Small-3.2-24B-Instruct-2506", "mistral", None),
        ("zai-org/GLM-4.6", "glm45", "glm45"),
    ],
)
def test_a_familys_parsers_are_known_by_the_name(model: str, tools: str | None, reasoning: str | None) -> None:
    parsers = parsers_for(model)
    assert parsers is not None
    assert (parsers.tools, parsers.reasoning) == (tools, reasoning)


def lacking(cure: Cure) -> Finding:
    return Finding(name="x", title="x", outcome="missing", cure=cure)


def patient(model: str, server: str = "vllm", version: str | None = "0.32.0") -> Patient:
    return Patient(url="http://x", server=server, version=version, model=model, context_tokens=None)


def test_the_flags_are_those_of_the_server_its_version_and_its_model() -> None:
    found = [lacking("reasoning"), lacking("tools"), lacking("tools")]
    assert missing_flags(patient("Qwen/Qwen3-8B"), found) == [
        "--enable-auto-tool-choice --tool-call-parser hermes",
        "--reasoning-parser qwen3",
    ]
    assert missing_flags(patient("Qwen/Qwen3-8B"), [lacking("strict")]) == ["--tool-strict-level parameter"]
    assert missing_flags(patient("Qwen/Qwen3-8B", version="0.28.0"), [lacking("strict")]) == []
    assert missing_flags(patient("my-model"), [lacking("tools")])[0].endswith("--tool-call-parser PARSER")
    assert missing_flags(patient("tiny", server="generic", version=None), found) == []


def test_a_flag_that_the_server_asks_for_is_the_cure() -> None:
    assert cure_of("it requires --tool-call-parser to be set", "strict") == "tools"
    assert cure_of("the arguments do not obey the schema", "strict") == "strict"
    named = cure_of("tools param requires --jinja flag", "tools")
    assert named is not None
    assert missing_flags(patient("tiny", server="llama.cpp"), [lacking(named)]) == ["--jinja"]


def test_no_flag_is_named_that_would_not_help() -> None:
    assert missing_flags(patient("tiny", server="llama.cpp"), [lacking("tools")]) == []
    assert missing_flags(patient("Qwen/Qwen3-8B", server="sglang"), [lacking("tools")]) == ["--tool-call-parser PARSER"]
