"""What a request can ask of its answer."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from antiphon.core.chat import ChatRequest
from antiphon.engines.scripted import ScriptedEngine
from antiphon.errors import ContextLengthExceeded
from antiphon.ports import Generation
from tests.live import Live, serve

LONG = "[[say:" + "word " * 60 + "]]"
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "tags": {"type": "array", "items": {}}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
ADD = {"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}, "strict": False}
SEND = {"type": "function", "name": "send", "parameters": {"type": "object", "properties": {}}}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Patches.", "format": {"type": "text"}}


@pytest.fixture(scope="module")
def strict() -> Iterator[Live]:
    """A server that refuses what is not OpenAI's."""
    with serve(strict=True) as running:
        yield running


@pytest.fixture(scope="module")
def tight() -> Iterator[Live]:
    """A server whose model holds 120 tokens."""
    with serve(ScriptedEngine(context_tokens=120)) as running:
        yield running


def test_a_limit_on_output_makes_the_answer_incomplete(live: Live) -> None:
    response = live.create(LONG, max_output_tokens=16)
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert response["output"][-1]["status"] == "incomplete"
    assert response["usage"]["output_tokens"] == 16
    assert response["completed_at"] is None


def test_a_stream_that_meets_the_limit_ends_incomplete(live: Live) -> None:
    events = live.stream(LONG, max_output_tokens=16)
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["usage"]["total_tokens"] > 16
    assert events[-2]["item"]["status"] == "incomplete"


def test_the_context_bounds_the_answer_where_the_request_does_not(tight: Live) -> None:
    response = tight.create("word " * 70)
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["usage"]["total_tokens"] == 120


TURNS = [{"role": role, "content": f"{role} {n} " + "word " * 8} for n in range(12) for role in ("user", "assistant")]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("truncation", [{}, {"truncation": "disabled"}])
def test_too_long_an_input_fails_before_the_first_byte(tight: Live, truncation: dict[str, str], stream: bool) -> None:
    body = {"input": TURNS, "stream": stream, **truncation}
    answer = tight.http.post("/v1/responses", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json()["error"]["code"] == "context_length_exceeded"
    assert answer.json()["error"]["param"] == "input"


def test_truncation_drops_the_oldest_turns(tight: Live) -> None:
    response = tight.create([*TURNS, {"role": "user", "content": "the last"}], truncation="auto")
    assert response["output"][0]["content"][0]["text"] == "Echo: the last"
    assert response["truncation"] == "auto"
    assert response["usage"]["total_tokens"] <= 120


class AtLeast(ScriptedEngine):
    """An engine that knows of a prompt that is too long no more than that, unless it is told to count."""

    async def prepare(self, chat: ChatRequest) -> Generation:
        try:
            return await super().prepare(chat)
        except ContextLengthExceeded as error:
            raise ContextLengthExceeded(error.message, input_tokens=121, limit=120) from None


def test_truncation_leaves_room_for_the_answer_where_the_length_has_to_be_counted() -> None:
    turns = [{"role": role, "content": f"turn {number}"} for number in range(72) for role in ("user", "assistant")]
    with serve(AtLeast(context_tokens=120)) as live:
        response = live.create([*turns, {"role": "user", "content": "the last"}], truncation="auto")
    assert response["output"][0]["content"][0]["text"] == "Echo: the last"
    assert response["usage"]["input_tokens"] <= 108


def test_a_last_turn_that_alone_is_too_long_fails_under_truncation_too(tight: Live) -> None:
    body = {"input": "word " * 500, "truncation": "auto"}
    answer = tight.http.post("/v1/responses", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "context_length_exceeded")


def test_logprobs_come_in_deltas_and_in_the_whole(live: Live) -> None:
    events = live.stream("[[say:one two]]", top_logprobs=3, include=["message.output_text.logprobs"])
    deltas = [entry for event in events if event["type"] == "response.output_text.delta" for entry in event["logprobs"]]
    part = events[-1]["response"]["output"][0]["content"][0]
    assert [entry["token"] for entry in part["logprobs"]] == ["one", " two"]
    assert [(entry["token"], entry["logprob"]) for entry in deltas] == [
        (entry["token"], entry["logprob"]) for entry in part["logprobs"]
    ]
    assert all(len(entry["top_logprobs"]) == 3 for entry in part["logprobs"])


def test_no_logprobs_unless_they_are_asked_for(live: Live) -> None:
    assert live.create("hi")["output"][0]["content"][0]["logprobs"] == []


@pytest.mark.parametrize("strict_schema", [True, False, None])
def test_structured_output_satisfies_its_schema(live: Live, strict_schema: bool | None) -> None:
    text_format = {"type": "json_schema", "name": "person", "schema": PERSON, "strict": strict_schema}
    response = live.create("Someone.", text={"format": text_format})
    jsonschema.validate(json.loads(response["output"][0]["content"][0]["text"]), PERSON)
    assert response["text"]["format"]["schema"] == PERSON


def test_a_json_object_can_be_asked_for(live: Live) -> None:
    response = live.create("Anything.", text={"format": {"type": "json_object"}})
    assert isinstance(json.loads(response["output"][0]["content"][0]["text"]), dict)


def called(response: dict[str, Any]) -> list[str]:
    return [item["name"] for item in response["output"] if item["type"] in ("function_call", "custom_tool_call")]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("none", []),
        ("required", ["send"]),
        ({"type": "function", "name": "add"}, ["add"]),
        ({"type": "custom", "name": "apply_patch"}, ["apply_patch"]),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "add"}]},
            ["add"],
        ),
    ],
    ids=str,
)
def test_every_form_of_tool_choice(live: Live, choice: Any, expected: list[str]) -> None:
    response = live.create("please send it", tools=[ADD, SEND, PATCH], tool_choice=choice)
    assert called(response) == expected
    assert response["tool_choice"] == choice


def test_a_tool_that_is_not_allowed_is_never_called(live: Live) -> None:
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "add"}]}
    assert "send" not in called(live.create("[[call:send {}]][[say:done]]", tools=[ADD, SEND], tool_choice=choice))


def test_parallel_calls_can_be_forbidden(live: Live) -> None:
    script = "[[call:add {}]][[call:send {}]]"
    assert called(live.create(script, tools=[ADD, SEND])) == ["add", "send"]
    assert called(live.create(script, tools=[ADD, SEND], parallel_tool_calls=False)) == ["add"]


def test_namespaced_tools_are_called_by_name_and_namespace(live: Live) -> None:
    tools = [{"type": "namespace", "name": "mail", "description": "", "tools": [SEND]}]
    (call,) = live.create("please send it", tools=tools, tool_choice="required")["output"]
    assert (call["name"], call["namespace"]) == ("send", "mail")


def test_custom_tools_are_called_with_plain_text(live: Live) -> None:
    events = live.stream('[[call:apply_patch {"input": "*** Begin\\n+x"}]]', tools=[PATCH])
    deltas = [event["delta"] for event in events if event["type"] == "response.custom_tool_call_input.delta"]
    (item,) = events[-1]["response"]["output"]
    assert (item["type"], item["input"]) == ("custom_tool_call", "*** Begin\n+x")
    assert "".join(deltas) == item["input"]


def test_what_was_asked_is_echoed(live: Live) -> None:
    asked = {
        "instructions": "Be brief.",
        "temperature": 0.5,
        "top_p": 0.25,
        "metadata": {"a": "b"},
        "max_output_tokens": 99,
        "max_tool_calls": 3,
        "parallel_tool_calls": False,
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "user": "u",
        "truncation": "auto",
        "top_logprobs": 1,
        "presence_penalty": 0.5,
        "frequency_penalty": -0.5,
        "tools": [{**ADD, "description": None}],
        "tool_choice": "none",
    }
    response = live.create("hi", **asked)
    assert {name: response[name] for name in asked} == asked


NULLS = [
    "instructions",
    "previous_response_id",
    "tools",
    "tool_choice",
    "include",
    "metadata",
    "max_output_tokens",
    "user",
    "reasoning",
    "text",
    "temperature",
    "store",
    "stream",
    "background",
    "service_tier",
    "conversation",
    "stop",
    "seed",
]


def test_nulls_are_as_good_as_absences(live: Live) -> None:
    with_nulls = live.create("hi", **dict.fromkeys(NULLS))
    same = live.create("hi")
    own = ("id", "created_at", "completed_at", "output", "usage")
    assert {k: v for k, v in with_nulls.items() if k not in own} == {k: v for k, v in same.items() if k not in own}


def test_what_other_servers_know_is_taken(live: Live) -> None:
    response = live.create(
        "[[say:one STOP two]]", stop=["STOP"], seed=1, top_k=5, client_metadata={"a": "{}"}, unheard_of=[1]
    )
    assert response["output"][0]["content"][0]["text"].strip() == "one"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"seed": 1}, "seed"),
        ({"stop": "x"}, "stop"),
        ({"presence_penalty": 1}, "presence_penalty"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"reasoning": {"effort": "low", "depth": 2}}, "reasoning.depth"),
        ({"input": [{"role": "user", "content": "a", "name": "b"}]}, "input[0].name"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].function"),
    ],
    ids=str,
)
def test_strict_mode_refuses_what_is_not_openais(strict: Live, fields: dict[str, Any], param: str) -> None:
    answer = strict.http.post("/v1/responses", json={"input": "hi", **fields})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_parameter")
    assert answer.json()["error"]["param"] == param


def test_strict_mode_takes_what_is_openais(strict: Live) -> None:
    fields = {"temperature": 1, "metadata": {}, "tools": [ADD, PATCH], "reasoning": {"effort": "low"}, "user": None}
    assert strict.create("hi", **fields)["status"] == "completed"
