"""gpt-oss: vLLM's rendering and parsing of the harmony format, on a tiny model of that type with scripted answers."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.vllm import serving
from tests.vllm.serving import MODEL, START_S, VERSION, Vllm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.vllm,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(VERSION < (0, 31), reason="the vocabulary comes with vLLM since 0.31"),
]
NUMBER: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "integer", "maximum": 9, "minimum": 0}},
    "required": ["a"],
    "additionalProperties": False,
}
TOOL: dict[str, Any] = {"type": "function", "name": "count", "parameters": NUMBER, "strict": True}
CALL = '[[think:I count.]][[call:count {"a":1}]]'


@pytest.fixture(scope="module")
def vllm(vllm_python: Path, plugin_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    directory = tmp_path_factory.mktemp("harmony-model")
    path = os.pathsep.join(map(str, (plugin_site, serving.ROOT)))
    script = Path(__file__).with_name("harmony_model.py")
    subprocess.run(
        [vllm_python, script, directory], check=True, timeout=START_S, env={**os.environ, "PYTHONPATH": path}
    )
    data = tmp_path_factory.mktemp("harmony-data")
    environment = {"VLLM_PLUGINS": "antiphon", "ANTIPHON_DATA_DIR": str(data), "PYTHONPATH": path}
    flags = "--load-format dummy --tool-call-parser openai --reasoning-parser openai_gptoss --logits-processors"
    processor = "tests.vllm.harmony_script:HarmonyScriptProcessor"
    with serving.serve(vllm_python, directory, *flags.split(), processor, **environment) as running:
        yield running


@pytest.fixture(scope="module", params=["gateway", "plugin"])
def client(request: pytest.FixtureRequest, vllm: Vllm) -> Iterator[openai.OpenAI]:
    with serving.client_of(request.param, vllm, reasoning_family="gpt-oss") as client:  # its name does not tell
        yield client


def test_analysis_is_reasoning_and_the_final_channel_the_message(client: openai.OpenAI) -> None:
    with client.responses.stream(model=MODEL, input="[[think:Greet them.]][[say:hello there]]") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    reasoning, message = final.output
    assert (reasoning.content[0].text, message.content[0].text) == ("Greet them.", "hello there")
    assert kinds.count("response.reasoning_text.delta") >= 1 and kinds[-1] == "response.completed"
    assert final.usage.output_tokens_details.reasoning_tokens > 0


def test_the_effort_and_the_instructions_reach_the_prompt(client: openai.OpenAI) -> None:
    def tokens(**fields: Any) -> int:
        counted = client.responses.create(model=MODEL, input="[[say:ok]]", **fields)
        assert counted.output_text == "ok"
        return counted.usage.input_tokens

    assert tokens(instructions="Be brief.") > tokens()
    assert tokens(reasoning={"effort": "none"}) == tokens(reasoning={"effort": "low"})  # it cannot but reason


def test_a_call_and_its_output_stay_in_the_turn(client: openai.OpenAI) -> None:
    first = client.responses.create(model=MODEL, input=f"{CALL}[[then]][[say:One.]]", tools=[TOOL])
    reasoning, call = first.output
    assert (reasoning.type, call.name, json.loads(call.arguments)) == ("reasoning", "count", {"a": 1})
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "1"}
    second = client.responses.create(model=MODEL, previous_response_id=first.id, input=[output], tools=[TOOL])
    assert second.output_text == "One."
    assert second.usage.input_tokens > first.usage.input_tokens + first.usage.output_tokens_details.reasoning_tokens
    assert second.usage.input_tokens_details.cached_tokens > 0


def test_strict_arguments_obey_their_schema(client: openai.OpenAI) -> None:
    said = '[[think:Wrongly.]][[call:count {"b":"x"}]]'
    response = client.responses.create(model=MODEL, input=said, tools=[TOOL], max_output_tokens=60)
    (call,) = (item for item in response.output if item.type == "function_call")
    assert list(json.loads(call.arguments)) == ["a"]


def test_a_form_is_filled_in_behind_the_reasoning(client: openai.OpenAI) -> None:
    form = {"type": "json_schema", "name": "number", "schema": NUMBER, "strict": True}
    said = '[[think:Seven.]][[say:{"a":7}]]'
    response = client.responses.create(model=MODEL, input=said, text={"format": form})
    assert (response.output[0].type, json.loads(response.output_text)) == ("reasoning", {"a": 7})


@pytest.mark.parametrize("client", ["plugin"], indirect=True)  # vLLM's `/tokenize` counts by the chat template
def test_what_is_counted_is_what_is_used(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": MODEL, "input": "[[say:ok]]", "instructions": "Be brief.", "tools": [TOOL]}
    counted = client.responses.input_tokens.count(**asked)
    assert counted.input_tokens == client.responses.create(**asked).usage.input_tokens
