"""Reasoning: raw, summed up, and sealed for clients that keep no state here."""

import base64
from typing import Any

import pytest

from antiphon.core.chat import ChatRequest
from antiphon.engines.scripted import ScriptedEngine, ScriptedGeneration
from antiphon.errors import EngineError
from tests.live import Live, serve
from tests.openapi_schema import validate_event, validate_response

SEALED = "reasoning.encrypted_content"
TEXT = "First I look. Then I think. At last I know."


def reasoning_of(response: dict[str, Any]) -> dict[str, Any]:
    return next(item for item in response["output"] if item["type"] == "reasoning")


@pytest.mark.parametrize(
    ("mode", "summary"), [("concise", "First I look."), ("auto", "First I look. Then I think."), ("detailed", TEXT)]
)
def test_a_summary_is_streamed_as_a_part_of_the_reasoning_item(live: Live, mode: str, summary: str) -> None:
    events = live.stream(f"[[think:{TEXT}]][[say:x]]", reasoning={"summary": mode})
    for event in events:
        validate_event(event)
    types = [event["type"] for event in events if "reasoning_summary" in event["type"]]
    last = events[-1]["response"]

    assert types == [
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
    ]
    assert reasoning_of(last)["summary"] == [{"type": "summary_text", "text": summary}]
    assert live.http.get(f"/v1/responses/{last['id']}").json()["output"] == last["output"]


@pytest.mark.parametrize("stream_of_text", ["[[say:x]]", "[[call:f {}]]", ""])
def test_the_model_sums_up_where_the_server_is_set_to_it(stream_of_text: str) -> None:
    thought = "I look at the sky, and it is blue. " * 40
    with serve(reasoning_summaries="model", check_events=True) as live:
        events = live.stream(f"[[think:{thought}]]{stream_of_text}", reasoning={"summary": "auto"}, include=[SEALED])
        plain = live.create(f"[[think:{thought}]]{stream_of_text}")
    for event in events:
        validate_event(event)
    deltas = [event["delta"] for event in events if event["type"] == "response.reasoning_summary_text.delta"]
    last = events[-1]["response"]

    assert len(deltas) > 1
    assert [part["text"] for part in reasoning_of(last)["summary"]] == ["".join(deltas)]
    assert "".join(deltas).startswith("Echo: Below is what you thought")  # what the scripted model makes of the wish
    assert reasoning_of(last)["encrypted_content"]
    assert last["usage"]["input_tokens"] > 2 * plain["usage"]["input_tokens"]
    assert reasoning_of(plain)["summary"] == []


def test_a_short_thought_and_one_that_cannot_be_summed_up_are_cut_instead() -> None:
    class Unwilling(ScriptedEngine):
        async def prepare(self, chat: ChatRequest) -> ScriptedGeneration:
            if chat.id.endswith("_summary"):
                raise EngineError("Not now.")
            return await super().prepare(chat)

    with serve(Unwilling(), reasoning_summaries="model") as live:
        short = live.create("[[think:I look.]][[say:x]]", reasoning={"summary": "detailed"})
        long = live.create(f"[[think:It is blue.{' So it is.' * 60}]][[say:x]]", reasoning={"summary": "concise"})
    assert [reasoning_of(each)["summary"][0]["text"] for each in (short, long)] == ["I look.", "It is blue."]


def test_nobody_who_does_not_ask_gets_a_summary_or_sealed_text(live: Live) -> None:
    item = reasoning_of(live.create(f"[[think:{TEXT}]][[say:x]]"))

    assert item["summary"] == []
    assert "encrypted_content" not in item


def test_sealed_reasoning_comes_back_in_a_stateless_request(live: Live) -> None:
    first = live.create("[[think:the secret is 42]][[say:x]]", store=False, include=[SEALED])
    validate_response(first)
    item = reasoning_of(first)
    replay = {"type": "reasoning", "id": item["id"], "summary": [], "content": None}
    follow_up = [
        {"role": "user", "content": "a"},
        {**replay, "encrypted_content": item["encrypted_content"]},
        {"role": "assistant", "content": "x"},
        {"role": "user", "content": "b"},
    ]
    opened = live.create(follow_up, store=False)
    without = live.create([*follow_up[:1], *follow_up[2:]], store=False)

    assert b"secret" not in base64.urlsafe_b64decode(item["encrypted_content"])
    assert opened["usage"]["input_tokens"] > without["usage"]["input_tokens"]
    assert "input_transformations" not in opened


def test_sealed_text_that_does_not_open_is_left_out_and_reported(live: Live) -> None:
    foreign = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAAnonsense"}
    answer = live.create([foreign, {"role": "user", "content": "a"}])
    validate_response(answer)

    assert answer["input_transformations"] == [
        {"type": "reasoning", "id": "rs_1", "action": "removed", "reason": "organization_mismatch"}
    ]


def test_a_stored_response_shows_sealed_text_only_where_it_is_asked_for(live: Live) -> None:
    made = live.create("[[think:x]][[say:y]]", include=[SEALED])
    path = f"/v1/responses/{made['id']}"

    assert "encrypted_content" not in reasoning_of(live.http.get(path).json())
    assert reasoning_of(live.http.get(path, params={"include[]": SEALED}).json()) == reasoning_of(made)
