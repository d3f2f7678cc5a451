"""The whole server in front of a real vLLM and within it, asked by the official client."""

import json
import re
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from tests.live import wait_until
from tests.vllm.serving import CONTEXT_TOKENS, MODEL, VERSION, Vllm
from tests.vllm.tiny_model import LORA

pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.timeout(1800)]
NOTE: dict[str, Any] = {
    "type": "function",
    "name": "close_note",
    "parameters": {
        "type": "object",
        "properties": {"done": {"type": "boolean"}},
        "required": ["done"],
        "additionalProperties": False,
    },
    "strict": True,
}
ROUTE: dict[str, Any] = {
    "type": "custom",
    "name": "route",
    "format": {
        "type": "grammar",
        "syntax": "lark",
        "definition": 'start: step ("," step)*\nstep: WAY /[1-9]/\nWAY: "N" | "S"\n',
    },
}
CALL = '[[call:close_note {"done": true}]]'


class Trip(BaseModel):
    days: int
    far: bool


def test_a_stream_of_reasoning_text_and_two_calls(client: openai.OpenAI) -> None:
    script = f"[[think:Two.]][[say:I close both.]]{CALL}{CALL}"
    with client.responses.stream(model=MODEL, input=script, tools=[NOTE]) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call", "function_call"]
    assert final.output_text.strip() == "I close both."
    assert [json.loads(item.arguments) for item in final.output[2:]] == [{"done": True}] * 2
    assert final.usage.output_tokens_details.reasoning_tokens == len("Two.")


def test_a_call_is_answered_over_the_previous_response(client: openai.OpenAI) -> None:
    first = client.responses.create(model=MODEL, input=f"{CALL}[[then]][[say:Closed.]]", tools=[NOTE])
    (call,) = first.output
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "ok"}
    second = client.responses.create(model=MODEL, previous_response_id=first.id, input=[output], tools=[NOTE])
    assert second.output_text == "Closed."
    assert second.usage.input_tokens_details.cached_tokens > 0


def test_a_form_is_filled_in(client: openai.OpenAI) -> None:
    response = client.responses.parse(model=MODEL, input="Plan a trip.", text_format=Trip)
    assert isinstance(response.output_parsed, Trip)


def test_an_answer_at_its_limit_is_incomplete(client: openai.OpenAI) -> None:
    response = client.responses.create(model=MODEL, input="Tell me a story.", max_output_tokens=16)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert response.usage.output_tokens == 16


def test_a_limit_beyond_the_context_means_what_is_left_of_it(client: openai.OpenAI) -> None:
    response = client.responses.create(model=MODEL, input="[[say:ok]]", max_output_tokens=CONTEXT_TOKENS)
    assert (response.status, response.output_text) == ("completed", "ok")


def test_log_probabilities_are_given(client: openai.OpenAI) -> None:
    response = client.responses.create(
        model=MODEL, input="[[say:ab]]", include=["message.output_text.logprobs"], top_logprobs=2
    )
    entries = response.output[0].content[0].logprobs
    assert [(entry.token, len(entry.top_logprobs)) for entry in entries] == [("a", 2), ("b", 2)]


def test_an_input_beyond_the_context_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        client.responses.create(model=MODEL, input="word " * CONTEXT_TOKENS)
    assert refusal.value.code == "context_length_exceeded"


def test_leaving_a_stream_frees_the_engine(client: openai.OpenAI, vllm: Vllm) -> None:
    takes_minutes = f"[[delay:100]][[say:{'word ' * 400}]]"
    with client.responses.create(model=MODEL, input=takes_minutes, stream=True) as stream:
        assert any(event.type == "response.output_text.delta" for event in stream)
        assert vllm.running() == 1
    assert wait_until(lambda: vllm.running() == 0, 5)


def test_cancelling_in_the_background_frees_the_engine(client: openai.OpenAI, vllm: Vllm) -> None:
    takes_minutes = f"[[delay:100]][[say:{'word ' * 400}]]"
    queued = client.responses.create(model=MODEL, input=takes_minutes, background=True)
    assert wait_until(lambda: vllm.running() == 1, 10)
    assert client.responses.cancel(queued.id).status == "cancelled"
    assert wait_until(lambda: vllm.running() == 0, 5)


@pytest.mark.parametrize("tools", [[], [NOTE]])
def test_what_is_counted_is_what_is_used(client: openai.OpenAI, tools: list[Any]) -> None:
    asked = {"model": MODEL, "input": "Say hello.", "instructions": "Be brief.", "tools": tools}
    counted = client.responses.input_tokens.count(**asked)
    response = client.responses.create(**asked, max_output_tokens=16)
    assert counted.input_tokens == response.usage.input_tokens


def test_an_input_beyond_the_context_is_counted(client: openai.OpenAI) -> None:
    assert (
        client.responses.input_tokens.count(model=MODEL, input="word " * CONTEXT_TOKENS).input_tokens > CONTEXT_TOKENS
    )


def test_a_conversation_is_compacted_and_gone_on_from(client: openai.OpenAI) -> None:
    compacted = client.responses.compact(model=MODEL, input="[[say:ok]]")
    response = client.responses.create(
        model=MODEL, input=[*(item.to_dict() for item in compacted.output), {"role": "user", "content": "[[say:on]]"}]
    )
    assert [item.type for item in compacted.output] == ["message", "compaction"]
    assert response.output_text == "on"


def test_an_adapter_is_asked_for_by_its_name(client: openai.OpenAI) -> None:
    response = client.responses.create(model=LORA, input="[[say:adapted]]")
    assert (response.model, response.output_text) == (LORA, "adapted")
    second = client.responses.create(model=LORA, input="[[say:again]]", previous_response_id=response.id)
    assert second.output_text == "again"


def test_an_unknown_model_is_404(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refusal:
        client.responses.create(model=f"{LORA}-2", input="Hello")
    assert refusal.value.code == "model_not_found"


@pytest.mark.skipif(VERSION < (0, 31), reason="vLLM reads Lark's syntax since 0.31")
@pytest.mark.parametrize(("said", "result"), [("N1,S2,N3", "valid"), ("north", "invalid")])
def test_a_call_that_the_model_chose_is_held_against_its_lark_grammar(
    client: openai.OpenAI, said: str, result: str
) -> None:
    def counted() -> float:
        lines = httpx.get(f"{client.base_url.join('/metrics')}", trust_env=False).text.splitlines()
        name = "antiphon_custom_tool_inputs_total{"
        return sum(
            float(line.rpartition(" ")[2]) for line in lines if line.startswith(name) and f'result="{result}"' in line
        )

    before = counted()
    script = f'[[call:route {{"input": "{said}"}}]]'
    response = client.responses.create(model=MODEL, input=script, tools=[ROUTE], tool_choice="auto")
    assert [(item.type, item.name, item.input) for item in response.output] == [("custom_tool_call", "route", said)]
    assert wait_until(lambda: counted() == before + 1, 10)


@pytest.mark.skipif(VERSION < (0, 31), reason="vLLM reads Lark's syntax since 0.31")
def test_a_call_that_is_forced_obeys_its_lark_grammar(client: openai.OpenAI) -> None:
    choice = {"type": "custom", "name": "route"}
    for said in ("N1,S2,N3", "north"):
        response = client.responses.create(model=MODEL, input=f"[[say:{said}]]", tools=[ROUTE], tool_choice=choice)
        (call,) = response.output
        assert re.fullmatch(r"[NS][1-9](,[NS][1-9])*", call.input)
        assert call.input == said or said == "north"
