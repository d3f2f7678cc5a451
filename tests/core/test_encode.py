"""Dialects stand between the machine and the log: names and additions differ, what was said does not."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from antiphon.core import deltas as d
from antiphon.core.encode import Decoder, Encoder
from antiphon.core.fold import fold
from antiphon.core.stream import ResponseStream
from antiphon.core.toolbox import Target
from antiphon.wire import events as ev
from antiphon.wire import hosted_events as hosted
from antiphon.wire.dialects import DIALECTS, NO_RATE_LIMITS, VARIANTS, Dialect, dialect_named, varied
from antiphon.wire.events import Event
from antiphon.wire.extended_events import RateLimit, RateLimitsUpdated
from antiphon.wire.hosted import CodeInterpreterCall, McpCall, ShellAction, ShellCall
from antiphon.wire.response import Response
from tests.core.conftest import counting_ids

BASE = Response(id="resp_1", created_at=1_700_000_000, status="in_progress", model="scripted")
SAID: list[d.Delta] = [
    d.ReasoningDelta("hm"),
    d.TextDelta("a"),
    d.CallStart("look", "c1"),
    d.CallArguments("{}"),
    d.CallStart("patch", "c2"),
    d.CallArguments('{"input":"x"}'),
    d.Failure("server_error", "broke"),
]


def events() -> tuple[list[Event], Response]:
    stream = ResponseStream(BASE, new_id=counting_ids(), targets={"patch": Target("custom", "patch")})
    said = [*stream.begin(), *stream.feed(SAID), *stream.end(1)]
    return said, stream.response


def spoken(dialect: str) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in Encoder(DIALECTS[dialect]).encode(events()[0])]


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
def test_what_a_dialect_says_reads_back_as_what_was_said(dialect: Dialect) -> None:
    said, response = events()
    payloads = Encoder(dialect).encode(said)
    decoder = Decoder(dialect)
    back = [event for event in map(decoder.decode, payloads) if event is not None]

    assert back == [replace(event, sequence_number=UNSET) for event in said]
    assert fold(back) == response


@pytest.mark.parametrize("dialect", DIALECTS)
def test_numbers_have_no_gap_in_any_dialect(dialect: str) -> None:
    numbers = [event["sequence_number"] for event in spoken(dialect)]

    assert numbers == list(range(len(numbers)))


def test_open_responses_calls_reasoning_by_its_own_name_and_nests_the_error() -> None:
    said = spoken("open-responses")
    types = [event["type"] for event in said]
    error = next(event for event in said if event["type"] == "error")

    assert {"response.reasoning.delta", "response.reasoning.done"} <= set(types)
    assert not [name for name in types if name.startswith("response.reasoning_text")]
    assert set(error) == {"type", "error", "sequence_number"}


def test_the_extended_dialect_has_one_event_for_every_kind_of_call() -> None:
    calls = [event for event in spoken("vllm-extended") if event["type"].startswith("response.tool_call.")]
    for event in calls:
        del event["item_id"], event["sequence_number"]

    assert calls == [
        _call("delta", 2, "c1", "look", "function", delta="{}"),
        _call("done", 2, "c1", "look", "function", arguments="{}"),
        _call("delta", 3, "c2", "patch", "custom", delta="x"),
        _call("done", 3, "c2", "patch", "custom", arguments="x"),
    ]


def test_the_extended_dialect_announces_a_failure_by_a_typed_event_first() -> None:
    *_, typed, error, failed = spoken("vllm-extended")

    assert [typed["type"], error["type"], failed["type"]] == ["response.error", "error", "response.failed"]
    assert (typed["code"], typed["message"], typed["param"]) == ("server_error", "broke", None)
    assert "error" not in typed


def _call(what: str, index: int, call_id: str, name: str, kind: str, **fields: str) -> dict[str, Any]:
    return {
        "type": f"response.tool_call.{what}",
        "output_index": index,
        "call_id": call_id,
        "name": name,
        "tool_type": kind,
        **fields,
    }


CALLS: list[tuple[Event, Event, Event, dict[str, Any]]] = [
    (
        ev.OutputItemAdded(output_index=0, item=McpCall(id="i", server_label="s", name="look", arguments="")),
        hosted.McpCallArgumentsDelta(item_id="i", output_index=0, delta="{}"),
        hosted.McpCallArgumentsDone(item_id="i", output_index=0, arguments="{}"),
        {"tool_type": "mcp", "name": "look"},
    ),
    (
        ev.OutputItemAdded(output_index=0, item=CodeInterpreterCall(id="i", container_id="c")),
        hosted.CodeInterpreterCallCodeDelta(item_id="i", output_index=0, delta="{}"),
        hosted.CodeInterpreterCallCodeDone(item_id="i", output_index=0, code="{}"),
        {"tool_type": "code_interpreter"},
    ),
    (
        ev.OutputItemAdded(output_index=0, item=ShellCall(id="i", call_id="c", action=ShellAction(()))),
        hosted.ShellCallCommandDelta(output_index=0, command_index=0, delta="{}"),
        hosted.ShellCallCommandDone(output_index=0, command_index=0, command="{}"),
        {"tool_type": "shell", "call_id": "c"},
    ),
]


@pytest.mark.parametrize(("added", "delta", "done", "said"), CALLS, ids=[case[3]["tool_type"] for case in CALLS])
def test_calls_of_tools_that_run_elsewhere_have_the_uniform_events_too(
    added: Event, delta: Event, done: Event, said: dict[str, Any]
) -> None:
    payloads = map(json.loads, Encoder(DIALECTS["vllm-extended"]).encode([added, delta, done]))
    uniform = [event for event in payloads if event["type"].startswith("response.tool_call.")]

    place = {"item_id": "i", "output_index": 0, **said}
    assert uniform == [
        {"type": "response.tool_call.delta", **place, "delta": "{}", "sequence_number": 2},
        {"type": "response.tool_call.done", **place, "arguments": "{}", "sequence_number": 4},
    ]


def test_limits_are_told_where_the_dialect_has_them() -> None:
    limits = RateLimitsUpdated(rate_limits=(RateLimit(name="tokens", limit=9, remaining=5, reset_seconds=1.5),))
    extended = DIALECTS["vllm-extended"]
    (payload,) = Encoder(extended).encode([limits])

    assert json.loads(payload)["rate_limits"] == [{"name": "tokens", "limit": 9, "remaining": 5, "reset_seconds": 1.5}]
    assert Decoder(extended).decode(payload) is None
    assert [name for name, each in DIALECTS.items() if each.speaks(RateLimitsUpdated)] == ["vllm-extended"]
    assert not varied(extended, NO_RATE_LIMITS).speaks(RateLimitsUpdated)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
def test_a_variant_is_found_by_its_name_and_reads_back(dialect: Dialect, variant: str) -> None:
    said, _ = events()
    spoken_in = varied(dialect, variant)
    payloads = Encoder(spoken_in, noise="x".__mul__).encode(said)
    back = [event for event in map(Decoder(spoken_in).decode, payloads) if event is not None]

    assert dialect_named(spoken_in.name) == spoken_in == varied(spoken_in, variant)
    assert back == [replace(event, sequence_number=UNSET) for event in said]


@pytest.mark.parametrize(
    "dialect", [*DIALECTS.values(), varied(DIALECTS["openai"], "obfuscation")], ids=lambda dialect: dialect.name
)
@pytest.mark.parametrize("kind", [d.TextDelta, d.ReasoningDelta, d.RefusalDelta, d.CallArguments])
def test_a_delta_made_from_the_one_before_is_the_delta(dialect: Dialect, kind: Callable[[str], d.Delta]) -> None:
    texts = ["plain", '"\\', "\x00\n\u2028", "日本😀", " ", "\ud800"]
    stream = ResponseStream(BASE, new_id=counting_ids())
    begun = [d.CallStart("look")] if kind is d.CallArguments else []
    events = [*stream.begin(), *stream.feed([*begun, kind("first")])]
    long, short = Encoder(dialect, noise="x".__mul__), Encoder(dialect, noise="x".__mul__)
    for encoder in (long, short):
        encoder.encode(events)
    content = stream.growing
    assert content is not None
    made = {text: short.encode_more(content, text) for text in texts}
    for text, payload in made.items():
        if payload is not None:
            assert [payload] == long.encode(stream.feed([kind(text)]))
    assert short.next_number == long.next_number
    assert made.pop("\ud800") is None  # no JSON can carry it: it has to be cleaned first
    if dialect.name == "openai":
        assert None not in made.values()


@pytest.mark.parametrize(
    "after",
    [
        [],
        [d.CallStart("look"), d.CallArguments("{}"), d.Finish("stop")],
        [d.CallStart("shell"), d.CallArguments("{")],
        [d.TextDelta("a"), d.Finish("stop")],
        [d.TextDelta("a"), d.SummaryDelta("stray")],
        [d.ReasoningDelta("a"), d.SummaryDelta("b")],
        [d.CompactionStart()],
    ],
)
def test_nothing_grows_but_an_open_part(after: list[d.Delta]) -> None:
    stream = ResponseStream(BASE, new_id=counting_ids(), targets={"shell": Target("shell", "shell")})
    stream.begin()
    stream.feed(after)
    assert stream.growing is None


def test_what_is_not_said_as_it_comes_has_no_form() -> None:
    custom = ResponseStream(BASE, new_id=counting_ids(), targets={"patch": Target("custom", "patch")})
    held = ResponseStream(BASE, new_id=counting_ids(), hold_calls=True)
    for stream in (custom, held):
        stream.begin()
        stream.feed([d.CallStart("patch"), d.CallArguments('{"input":"a')])
    assert custom.growing is not None
    assert Encoder().encode_more(custom.growing, "b") is None
    assert held.growing is None
