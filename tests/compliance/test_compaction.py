"""Counting and compacting, on whichever server is judged."""

from typing import Any

import pytest

from tests.compliance.conftest import Api
from tests.openapi_schema import validate_event, validate_item

pytestmark = pytest.mark.compliance

SHORT = {"max_output_tokens": 32}
TALK: list[dict[str, Any]] = [
    {"role": "user", "content": "My name is Ada."},
    {"role": "assistant", "content": "Hello Ada."},
    {"role": "user", "content": "I like tea."},
]
FUNCTION = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}


@pytest.mark.spec_line("endpoint.input_tokens")
@pytest.mark.parametrize("fields", [{}, {"instructions": "Be brief."}, {"tools": [FUNCTION]}])
def test_what_is_counted_is_what_is_used(api: Api, fields: dict[str, Any]) -> None:
    counted = api.http.post("/responses/input_tokens", json={"model": api.model, "input": TALK, **fields}).json()
    used = api.create(input=TALK, **fields, **SHORT)["usage"]["input_tokens"]
    assert counted == {"object": "response.input_tokens", "input_tokens": used}


@pytest.mark.spec_line("endpoint.compact")
def test_a_conversation_is_compacted_and_gone_on_from(api: Api) -> None:
    answer = api.http.post("/responses/compact", json={"model": api.model, "input": TALK})
    assert answer.status_code == 200, answer.text
    compacted = answer.json()
    assert compacted["object"] == "response.compaction"
    assert [item["type"] for item in compacted["output"]] == ["message", "message", "compaction"]
    for item in compacted["output"]:
        validate_item(item)
    response = api.create(input=[*compacted["output"], {"role": "user", "content": "Go on."}], **SHORT)
    assert response["status"] in ("completed", "incomplete")
    assert "input_transformations" not in response


@pytest.mark.spec_line("items.compaction_trigger")
def test_a_trigger_yields_one_compaction(api: Api) -> None:
    events = api.stream(input=[*TALK, {"type": "compaction_trigger"}])
    for event in events:
        validate_event(event)
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert [item["type"] for item in done] == ["compaction"]
    assert events[-1]["response"]["output"] == done


@pytest.mark.spec_line("parameter.context_management")
def test_a_long_conversation_is_compacted_by_itself(api: Api) -> None:
    long = [{"role": "user", "content": "word " * 1500}, {"role": "assistant", "content": "Yes."}]
    entry = {"type": "compaction", "compact_threshold": 1000}
    response = api.create(input=[*long, {"role": "user", "content": "Go on."}], context_management=[entry])
    assert [item["type"] for item in response["output"]].count("compaction") == 1
    assert response["output"][-1]["type"] == "message"


@pytest.mark.spec_line("items.configuration_update")
def test_a_configuration_update_holds_behind_it(scripted: Api) -> None:
    update = {"type": "configuration_update", "reasoning": {"effort": "low"}}
    first = scripted.create(input=[update, {"role": "user", "content": "hi"}])
    second = scripted.create(input="hi", previous_response_id=first["id"])
    assert [[item["type"] for item in response["output"]] for response in (first, second)] == [
        ["reasoning", "message"]
    ] * 2


@pytest.mark.spec_line("H3.summary")
def test_a_thought_is_summed_up(scripted: Api) -> None:
    response = scripted.create(input="[[think:I look. I see.]][[say:x]]", reasoning={"summary": "auto"})
    assert response["output"][0]["summary"] == [{"type": "summary_text", "text": "I look. I see."}]
