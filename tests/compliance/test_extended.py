"""What dialects, tiers, prompts and request ids owe, beyond OpenAI's defaults."""

from typing import Any

import pytest

from tests.compliance.conftest import Api
from tests.live import parse_events

pytestmark = pytest.mark.compliance
END = "data: [DONE]\n\n"


def streamed(api: Api, dialect: str, **fields: Any) -> tuple[list[dict[str, Any]], str]:
    """The events of a stream in a dialect, and its text."""
    body = {"model": api.model, "stream": True, **fields}
    text = api.http.post("/responses", json=body, headers={"x-antiphon-dialect": dialect}).text
    return [data for _, data in parse_events(text.removesuffix(END))], text


@pytest.mark.spec_line("C2.delta")
def test_every_call_has_the_uniform_events(scripted: Api) -> None:
    tools = [{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}]
    said = '[[call:f {"a":1}]][[call:c {"input":"x"}]]'
    events, _ = streamed(scripted, "vllm-extended", input=said, tools=tools)
    done = [event for event in events if event["type"] == "response.tool_call.done"]
    assert [(event["tool_type"], event["name"]) for event in done] == [("function", "f"), ("custom", "c")]
    for whole in done:
        deltas = [event for event in events if event["type"] == "response.tool_call.delta"]
        text = "".join(event["delta"] for event in deltas if event["item_id"] == whole["item_id"])
        assert text == whole["arguments"]


@pytest.mark.spec_line("H2.dialects", "L5.setting")
@pytest.mark.parametrize("dialect", ["open-responses", "vllm-extended"])
def test_reasoning_has_the_names_of_the_dialect_and_the_stream_its_end(scripted: Api, dialect: str) -> None:
    events, text = streamed(scripted, dialect, input="[[think:hm]][[say:a]]")
    types = {event["type"] for event in events}
    assert {"response.reasoning.delta", "response.reasoning.done"} <= types
    assert not [name for name in types if name.startswith("response.reasoning_text")]
    assert text.endswith(END)


@pytest.mark.spec_line("H4.context")
def test_included_values_are_told_when_their_item_is_done(scripted: Api) -> None:
    include = ["reasoning.encrypted_content"]
    events, _ = streamed(scripted, "vllm-extended", input="[[think:hm]][[say:a]]", include=include)
    (told,) = [event for event in events if event["type"] == "response.additional_context"]
    assert told["response"] == {"id": events[0]["response"]["id"]}
    assert told["context"]["reasoning.encrypted_content"]


@pytest.mark.spec_line("L7.contradiction")
def test_a_request_id_that_contradicts_its_header_is_refused(api: Api) -> None:
    body = {"model": api.model, "input": "Say hello.", "request_id": "one"}
    answer = api.http.post("/responses", json=body, headers={"x-request-id": "two"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "request_id")


@pytest.mark.spec_line("L8.tier", "parameter.service_tier")
@pytest.mark.parametrize(("asked", "used"), [("default", "default"), ("flex", "flex"), ("fast", "priority")])
def test_the_tier_really_used_is_echoed(scripted: Api, asked: str, used: str) -> None:
    assert scripted.create(input="Say hello.", service_tier=asked)["service_tier"] == used


@pytest.mark.spec_line("parameter.stream_options")
@pytest.mark.parametrize("wanted", [True, False])
def test_deltas_are_obfuscated_as_asked(api: Api, wanted: bool) -> None:
    events = api.stream(input="Say hello.", stream_options={"include_obfuscation": wanted}, max_output_tokens=16)
    deltas = [event for event in events if event["type"].endswith(".delta")]
    assert deltas
    assert {"obfuscation" in event for event in deltas} == {wanted}


@pytest.mark.spec_line("parameter.prompt", "endpoint.prompts")
def test_a_prompt_fills_a_request(api: Api) -> None:
    made = api.http.post("/prompts", json={"instructions": "Answer in {{language}}."}).json()
    prompt = {"id": made["id"], "variables": {"language": "French"}}
    response = api.create(input="Say hello.", prompt=prompt, max_output_tokens=16)
    assert response["instructions"] == "Answer in French."
    assert response["prompt"]["version"] == "1"
    assert api.http.delete(f"/prompts/{made['id']}").json()["deleted"]
    assert api.post(input="Say hello.", prompt=prompt).status_code == 404
