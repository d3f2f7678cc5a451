"""Counting and compacting, over HTTP: the endpoints, the trigger, the threshold, and what goes on behind them."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from antiphon.core.chat import ChatRequest, Message
from antiphon.core.compaction import PREFACE, PROMPT
from antiphon.engines.scripted import ScriptedEngine, ScriptedGeneration
from tests.live import Live, serve
from tests.openapi_schema import validate_event, validate_item, validate_response

COMPACT_AT = 1000
LONG = "lorem " * 1200
TRIGGER = {"type": "compaction_trigger"}
THRESHOLD = [{"type": "compaction", "compact_threshold": COMPACT_AT}]
TALK: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": "My name is Ada."},
    {"role": "assistant", "content": "Hello Ada."},
    {"role": "user", "content": "I like tea."},
]
FUNCTION = {"type": "function", "name": "look", "parameters": {"type": "object"}}


class Overheard(ScriptedEngine):
    """The scripted engine, which sums everything up in the same words and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.chats: list[ChatRequest] = []
        self.summing_up = "[[say:Ada wants tea.]]"

    async def prepare(self, chat: ChatRequest) -> ScriptedGeneration:
        self.chats.append(chat)
        if chat.messages[-1].content == PROMPT:
            said = (*chat.messages[:-1], Message("user", self.summing_up))
            return await super().prepare(msgspec.structs.replace(chat, messages=said))
        return await super().prepare(chat)


@pytest.fixture
def engine() -> Overheard:
    return Overheard()


@pytest.fixture
def live(engine: Overheard) -> Iterator[Live]:
    with serve(engine, check_events=True) as running:
        yield running


def seen(engine: Overheard) -> list[tuple[str, str]]:
    """What the model was shown last."""
    return [(message.role, str(message.content)) for message in engine.chats[-1].messages]


def counted(live: Live, **fields: Any) -> int:
    answer = live.http.post("/v1/responses/input_tokens", json=fields)
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"object", "input_tokens"}
    assert answer.json()["object"] == "response.input_tokens"
    return int(answer.json()["input_tokens"])


SUMMARY = ("user", f"{PREFACE}\n\nAda wants tea.")


# ------------------------------------------------------------------------------------------------------------ counting


@pytest.mark.parametrize(
    "fields",
    [
        {"input": "Hello there."},
        {"input": TALK, "instructions": "Answer in Latin.", "tools": [FUNCTION], "personality": "friendly"},
        {"input": [{"role": "user", "content": "x"}, {"type": "item_reference", "id": "msg_known"}]},
    ],
)
def test_the_count_is_that_of_the_response(live: Live, fields: dict[str, Any]) -> None:
    live.create([{"role": "user", "id": "msg_known", "content": "Known."}])
    response = live.create(
        fields["input"], **{key: fields[key] for key in fields if key not in ("input", "personality")}
    )
    assert counted(live, **fields) == response["usage"]["input_tokens"]


def test_a_chain_and_a_conversation_are_counted_and_left_as_they_are(live: Live) -> None:
    first = live.create("My name is Ada.")
    conversation = live.http.post("/v1/conversations", json={"items": TALK}).json()["id"]
    chained = counted(live, input="Go on.", previous_response_id=first["id"])
    held = counted(live, input="Go on.", conversation=conversation)

    assert chained == live.create("Go on.", previous_response_id=first["id"])["usage"]["input_tokens"]
    assert len(live.http.get(f"/v1/conversations/{conversation}/items").json()["data"]) == len(TALK)
    assert held == live.create("Go on.", conversation=conversation)["usage"]["input_tokens"]


def test_what_is_too_long_is_counted_too() -> None:
    with serve(ScriptedEngine(context_tokens=100)) as live:
        assert counted(live, input="word " * 500) > 100


def test_what_cannot_be_counted_is_the_error_of_its_parameter(live: Live) -> None:
    answer = live.http.post("/v1/responses/input_tokens", json={"input": "Hi", "tools": [{"type": "function"}]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "tools[0].name")
    answer = live.http.post("/v1/responses/input_tokens", json={"input": "Hi", "previous_response_id": "resp_x"})
    assert answer.json()["error"]["code"] == "previous_response_not_found"


# ---------------------------------------------------------------------------------------------------------- on its own


def test_a_compacted_conversation_goes_on_where_it_was(live: Live, engine: Overheard) -> None:
    answer = live.http.post("/v1/responses/compact", json={"model": "scripted", "input": TALK})
    compacted = answer.json()
    *kept, item = compacted["output"]
    assert (answer.status_code, compacted["object"]) == (200, "response.compaction")
    assert [part["content"][0]["text"] for part in kept] == ["My name is Ada.", "I like tea."]
    assert item["type"] == "compaction" and "Ada" not in item["encrypted_content"]
    assert compacted["usage"]["total_tokens"] > 0
    for each in compacted["output"]:
        validate_item(each)

    live.create([*compacted["output"], {"role": "user", "content": "What do I like?"}])
    assert seen(engine) == [
        ("developer", "Be brief."),
        ("user", "My name is Ada."),
        ("user", "I like tea."),
        SUMMARY,
        ("user", "What do I like?"),
    ]


def test_the_tools_of_a_conversation_outlive_it(live: Live, engine: Overheard) -> None:
    tools = {"type": "additional_tools", "role": "developer", "tools": [FUNCTION]}
    *_, item = live.http.post("/v1/responses/compact", json={"input": [tools, *TALK]}).json()["output"]
    live.create([item, {"role": "user", "content": "[[call:look {}]]"}])
    assert [tool.name for tool in engine.chats[-1].tools] == ["look"]


def test_instructions_that_are_sent_again_are_shown_once(live: Live, engine: Overheard) -> None:
    *_, item = live.http.post("/v1/responses/compact", json={"input": TALK}).json()["output"]
    live.create([item, TALK[0], {"role": "user", "content": "On."}])
    assert [role for role, _ in seen(engine)] == ["user", "user", "user", "developer", "user"]


def test_a_compaction_of_another_server_is_left_out_and_reported(live: Live, engine: Overheard) -> None:
    foreign = {"type": "compaction", "id": "cmp_far", "encrypted_content": "nonsense"}
    response = live.create([*TALK, foreign, {"role": "user", "content": "On."}])
    assert response["input_transformations"] == [
        {"type": "reasoning", "id": "cmp_far", "action": "removed", "reason": "organization_mismatch"}
    ]
    assert len(seen(engine)) == len(TALK) + 1


def test_a_conversation_beyond_the_context_is_compacted_in_part() -> None:
    with serve(ScriptedEngine(context_tokens=600)) as live:
        talk = [{"role": "user", "content": LONG}, {"role": "assistant", "content": LONG}]
        answer = live.http.post("/v1/responses/compact", json={"input": [*talk, *talk]})
        assert answer.status_code == 200, answer.text
        assert live.create([*answer.json()["output"], {"role": "user", "content": "On."}])["status"] == "completed"


# ----------------------------------------------------------------------------------------------------------- in a run


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def test_a_trigger_yields_one_compaction_and_ends(live: Live, engine: Overheard) -> None:
    events = live.stream([*TALK, TRIGGER])
    assert kinds(events) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.compaction.compacting",
        "response.output_item.done",
        "response.completed",
    ]
    for event in events:
        validate_event(event)
    last = events[-1]["response"]
    validate_response(last)
    assert last["output"] == [events[4]["item"]]
    assert events[3]["item_id"] == events[2]["item"]["id"] == events[4]["item"]["id"]
    assert last["usage"]["output_tokens"] > 0

    live.create("And now?", previous_response_id=last["id"])
    assert seen(engine)[-2:] == [SUMMARY, ("user", "And now?")]
    stored = live.http.get(f"/v1/responses/{last['id']}").json()
    assert stored["output"] == last["output"]


def test_a_trigger_stands_last(live: Live) -> None:
    answer = live.http.post("/v1/responses", json={"input": [TRIGGER, *TALK]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "input[0]")


def test_a_long_conversation_is_compacted_before_the_answer(live: Live, engine: Overheard) -> None:
    first = live.create(LONG)
    response = live.create("[[say:Tea.]]", previous_response_id=first["id"], context_management=THRESHOLD)

    assert [item["type"] for item in response["output"]] == ["compaction", "message"]
    assert seen(engine)[-2:] == [SUMMARY, ("user", "[[say:Tea.]]")]
    assert counted(live, previous_response_id=response["id"], input="x") < COMPACT_AT
    assert response["usage"]["input_tokens"] > first["usage"]["input_tokens"]


def test_a_short_conversation_and_a_lone_message_are_not_compacted(live: Live) -> None:
    short = live.create("Hi.", context_management=THRESHOLD)
    alone = live.create([TALK[0], {"role": "user", "content": LONG}], context_management=THRESHOLD)
    assert [[item["type"] for item in response["output"]] for response in (short, alone)] == [["message"]] * 2


@pytest.mark.parametrize("entry", [{"type": "other"}, {"type": "compaction", "compact_threshold": 10}])
def test_other_ways_to_manage_the_context_are_refused(live: Live, entry: dict[str, Any]) -> None:
    answer = live.http.post("/v1/responses", json={"input": "Hi", "context_management": [entry]})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith("context_management[0].")


def test_a_run_is_compacted_when_a_tool_says_much(live: Live, engine: Overheard) -> None:
    waiting = live.create("[[call:look {}]]", tools=[FUNCTION], await_tool_outputs=True, context_management=THRESHOLD)
    (call,) = waiting["output"]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": LONG}
    path = f"/v1/responses/{waiting['id']}/tool_outputs"
    assert live.http.post(path, json={"tool_outputs": [output], "stream": True}).status_code == 200

    response = live.http.get(f"/v1/responses/{waiting['id']}").json()
    kinds = [item["type"] for item in response["output"]]
    assert kinds == ["function_call", "function_call_output", "compaction", "message"]
    assert seen(engine) == [("user", "[[call:look {}]]"), SUMMARY]


def test_a_conversation_goes_on_behind_its_compaction(live: Live, engine: Overheard) -> None:
    conversation = live.http.post("/v1/conversations", json={"items": TALK}).json()["id"]
    live.create([TRIGGER], conversation=conversation)
    live.create("On.", conversation=conversation)
    assert seen(engine)[-2:] == [SUMMARY, ("user", "On.")]
    held = [item["type"] for item in live.http.get(f"/v1/conversations/{conversation}/items").json()["data"]]
    assert held.count("compaction") == 1 and "compaction_trigger" not in held


@pytest.mark.parametrize("summing_up", ["[[call:look {}]]", "[[say: ]]", "[[fail:server_error]]"])
def test_a_compaction_that_fails_fails_the_response_and_is_none(live: Live, engine: Overheard, summing_up: str) -> None:
    engine.summing_up = summing_up
    events = live.stream([*TALK, TRIGGER])
    assert kinds(events)[-3:] == ["response.compaction.compacting", "error", "response.failed"]
    assert events[-1]["response"]["output"] == []
    assert live.http.get(f"/v1/responses/{events[-1]['response']['id']}").json()["output"] == []
    assert live.http.post("/v1/responses/compact", json={"input": TALK}).status_code == 500


# ------------------------------------------------------------------------------------------------------ configuration


def test_a_configuration_update_holds_behind_it(live: Live, engine: Overheard) -> None:
    update = {"type": "configuration_update", "reasoning": {"effort": "high"}}
    first = live.create([update, {"role": "user", "content": "One."}])
    second = live.create("Two.", previous_response_id=first["id"], reasoning={"effort": "low"})
    compacted = live.create([TRIGGER], previous_response_id=second["id"])
    live.create("Three.", previous_response_id=compacted["id"])
    assert [chat.reasoning_effort for chat in engine.chats] == ["high"] * 4


def test_a_configuration_update_changes_the_text_format(live: Live, engine: Overheard) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    text = {"format": {"type": "json_schema", "name": "x", "schema": schema}}
    live.create([{"type": "configuration_update", "text": text}, {"role": "user", "content": "One."}])
    assert engine.chats[-1].output_format.kind == "json_schema"
    wrong = [{"type": "configuration_update", "text": {"format": {"type": "poem"}}}, {"role": "user", "content": "x"}]
    answer = live.http.post("/v1/responses", json={"input": wrong})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "input[0].text.format")
