"""Streams: order, numbers, ids, failures, and every event that is sent."""

from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from antiphon.core.deltas import TextDelta
from antiphon.core.grammar import PARTS
from tests.compliance.conftest import Api
from tests.compliance.manifest import SENT
from tests.live import Live, serve
from tests.openapi_schema import validate_event

pytestmark = pytest.mark.compliance

SHORT = {"max_output_tokens": 32}
EVERYTHING = "[[think:hm]][[say:one two]][[call:f {}]]"
TERMINAL = ("response.completed", "response.incomplete", "response.failed")
CUSTOM = {"type": "custom", "name": "patch"}

COMMAND = {"input": '[[call:shell {"commands":["ls"]}]]', "tools": [{"type": "shell"}]}

# event: what makes the scripted engine send it
SCRIPTS: dict[str, dict[str, Any]] = {
    "response.failed": {"input": "[[say:a]][[fail:server_error]]"},
    "error": {"input": "[[say:a]][[fail:server_error]]"},
    "response.incomplete": {"input": "[[say:a]][[length]]"},
    "response.refusal.delta": {"input": "[[refuse:no]]"},
    "response.refusal.done": {"input": "[[refuse:no]]"},
    "response.custom_tool_call_input.delta": {"input": "patch", "tools": [CUSTOM], "tool_choice": "required"},
    "response.custom_tool_call_input.done": {"input": "patch", "tools": [CUSTOM], "tool_choice": "required"},
    "response.queued": {"input": "hi", "background": True},
    **{f"response.shell_call_command.{each}": COMMAND for each in ("added", "delta", "done")},
    "response.compaction.compacting": {"input": [{"role": "user", "content": "hi"}, {"type": "compaction_trigger"}]},
    **{
        f"response.reasoning_summary_{name}": {"input": EVERYTHING, "reasoning": {"summary": "auto"}}
        for name in ("part.added", "part.done", "text.delta", "text.done")
    },
}
ELSEWHERE = ("keepalive",)  # sent by the connection


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.spec_line(f"event.{name}")) for name in SENT if name not in ELSEWHERE]
)
def test_the_event_is_sent_as_documented(scripted: Api, name: str) -> None:
    events = scripted.stream(**SCRIPTS.get(name, {"input": EVERYTHING}))
    found = [event for event in events if event["type"] == name]
    assert found
    for event in found:
        validate_event(event)


@pytest.mark.spec_line("L4.keepalive", "event.keepalive")
def test_an_idle_stream_gets_keepalives(own: Live) -> None:
    events = own.stream("[[stall:0.5]][[say:a]]")
    beats = [index for index, event in enumerate(events) if event["type"] == "keepalive"]
    assert beats
    assert beats[0] > 0
    assert all(events[index]["sequence_number"] == events[index - 1]["sequence_number"] for index in beats)


@pytest.mark.spec_line("L6.numbers", "L5.none")
def test_numbers_begin_at_zero_and_have_no_gap(api: Api) -> None:
    answer = api.post(input="Count to three.", stream=True, **SHORT)
    assert b"[DONE]" not in answer.content
    events = api.stream(input="Count to three.", **SHORT)
    numbers = [event["sequence_number"] for event in events if event["type"] != "keepalive"]
    assert numbers == list(range(len(numbers)))


@pytest.mark.spec_line("L1.order")
def test_events_come_in_a_legal_order(api: Api) -> None:
    check_order(api.stream(input="Count to three.", **SHORT))


@pytest.mark.spec_line("L1.order")
@pytest.mark.parametrize("script", [EVERYTHING, "[[refuse:no]]", "[[say:a]][[fail:x]]", "[[call:f {}]][[call:g {}]]"])
def test_events_of_every_kind_come_in_a_legal_order(scripted: Api, script: str) -> None:
    check_order(scripted.stream(input=script))


def check_order(events: list[dict[str, Any]]) -> None:
    """Created first, one terminal event last, and between them items and parts that open, fill and close."""
    kinds = [event["type"] for event in events if event["type"] != "keepalive"]
    assert kinds[0] == "response.created"
    assert [kind for kind in kinds if kind in TERMINAL] == [kinds[-1]]
    open_items: list[int] = []
    seen: list[int] = []
    for event in events:
        match event["type"]:
            case "response.output_item.added":
                assert not open_items
                open_items.append(event["output_index"])
                seen.append(event["output_index"])
            case "response.output_item.done":
                assert open_items.pop() == event["output_index"]
            case _ if "output_index" in event:
                assert open_items == [event["output_index"]]
    assert not open_items
    assert seen == list(range(len(seen)))
    check_parts(events)


def check_parts(events: list[dict[str, Any]]) -> None:
    """Every part is added, gets its deltas and its text, and is done, in this order."""
    parts: dict[tuple[str, int], list[str]] = {}
    for event in events:
        if "content_index" in event:
            parts.setdefault((event["item_id"], event["content_index"]), []).append(event["type"])
    for kinds in parts.values():
        assert (kinds[0], kinds[-1]) == ("response.content_part.added", "response.content_part.done")
        assert kinds[-2].endswith(".done")
        assert all(kind.endswith(".delta") for kind in kinds[1:-2])


@pytest.mark.spec_line("L1.debug")
@pytest.mark.parametrize(("checked", "breaches"), [(True, 1), (False, 0)])
def test_a_breach_of_the_grammar_is_logged_and_counted_once_and_the_response_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, checked: bool, breaches: int
) -> None:
    row = PARTS[TextDelta]
    misplaced = replace(row, delta=lambda **given: row.delta(**{**given, "item_id": "msg_other"}))
    monkeypatch.setitem(PARTS, TextDelta, misplaced)  # type: ignore[arg-type]
    with serve(check_events=checked) as live:
        events = live.stream("[[say:secret one]][[call:f {}]]")
        figures = live.http.get("/metrics").text
    assert events[-1]["type"] == "response.completed"
    told = [record.getMessage() for record in caplog.records if record.name == "antiphon.service.run"]
    assert len(told) == breaches
    assert all(events[0]["response"]["id"] in line and "secret" not in line for line in told)
    assert f"antiphon_illegal_events_total {breaches}.0" in figures


@pytest.mark.spec_line("L1.debug")
def test_a_legal_stream_is_no_breach() -> None:
    with serve(check_events=True) as live:
        for script in (EVERYTHING, "[[refuse:no]]", "[[say:a]][[fail:server_error]]", "[[say:a]][[length]]"):
            live.stream(script)
        assert "antiphon_illegal_events_total 0.0" in live.http.get("/metrics").text


@pytest.mark.spec_line("L7.ids", "parameter.stream")
def test_ids_agree_in_events_final_object_and_store(api: Api) -> None:
    events = api.stream(input="Say hello.", **SHORT)
    final = events[-1]["response"]
    assert {event["response"]["id"] for event in events if "response" in event} == {final["id"]}
    assert [event["item"]["id"] for event in events if event["type"] == "response.output_item.added"] == [
        item["id"] for item in final["output"]
    ]
    assert {event["item_id"] for event in events if "item_id" in event} <= {item["id"] for item in final["output"]}
    assert api.get(f"/responses/{final['id']}").json() == final


@pytest.mark.spec_line("L2.first")
def test_created_arrives_before_the_model_has_said_anything(scripted: Api) -> None:
    body = {"model": scripted.model, "input": "[[stall:60]]", "stream": True}
    with scripted.http.stream("POST", "/responses", json=body, timeout=5) as answer:
        assert next(answer.iter_lines()) == "event: response.created"


@pytest.mark.spec_line("C4.stream", "C4.stored")
def test_a_failure_in_mid_stream_is_told_and_stored(scripted: Api) -> None:
    events = scripted.stream(input="[[say:half]][[fail:server_error]]")
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    failed = events[-1]["response"]
    assert failed["error"]["code"] == "server_error"
    assert scripted.get(f"/responses/{failed['id']}").json() == failed


@pytest.mark.spec_line("H2.item")
def test_reasoning_is_an_item_with_its_own_events(scripted: Api) -> None:
    events = scripted.stream(input="[[think:one two]][[say:done]]")
    deltas = [event["delta"] for event in events if event["type"] == "response.reasoning_text.delta"]
    item = events[-1]["response"]["output"][0]
    assert item["type"] == "reasoning"
    assert item["content"] == [{"type": "reasoning_text", "text": "".join(deltas)}]


@pytest.mark.spec_line("E7.arguments")
def test_arguments_that_are_no_json_are_passed_on(scripted: Api) -> None:
    (call,) = scripted.create(input='[[call:f {"a": oops}]]')["output"]
    assert call["arguments"] == '{"a": oops}'


@pytest.mark.spec_line("L6.resumed", "parameter.background")
def test_a_background_stream_can_be_replayed_from_any_number(scripted: Api) -> None:
    events = scripted.stream(input="[[say:one two three]]", background=True)
    path = f"/responses/{events[0]['response']['id']}"
    for after in (0, len(events) // 2, len(events) - 2):
        answer = scripted.get(path, stream="true", starting_after=after)
        rest = [line for line in answer.text.splitlines() if line.startswith("event: ")]
        assert rest == [f"event: {event['type']}" for event in events[after + 1 :]]
    numbers = [event["sequence_number"] for event in events]
    assert all(second == first + 1 for first, second in pairwise(numbers))
