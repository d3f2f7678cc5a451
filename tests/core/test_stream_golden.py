"""Golden transcripts: what an engine sends, and byte for byte what a reader of the stream gets.

Each file in `golden/` holds the numbered events of one case, one JSON object a line. Set ANTIPHON_WRITE_GOLDEN=1 to
write them anew, and read the difference before it is committed.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec import Raw, Struct
from msgspec.structs import replace

from antiphon.core import deltas as d
from antiphon.core.encode import Encoder
from antiphon.core.fold import fold
from antiphon.core.stream import ResponseStream
from antiphon.core.toolbox import Target
from antiphon.wire.events import decode_event
from antiphon.wire.response import Response
from antiphon.wire.unknown import encode
from tests.core.conftest import counting_ids
from tests.openapi_schema import validate_event, validate_response

GOLDEN = Path(__file__).parent / "golden"
WRITE = os.environ.get("ANTIPHON_WRITE_GOLDEN") == "1"
ENDED_AT = 1_700_000_002

BASE = Response(
    id="resp_1",
    created_at=1_700_000_000,
    status="in_progress",
    model="scripted",
    reasoning=Raw(b'{"effort":null,"summary":null}'),
)
TARGETS = {
    "get_weather": Target("function", "get_weather"),
    "get_time": Target("function", "get_time"),
    "crm__get_customer": Target("function", "get_customer", "crm"),
    "apply_patch": Target("custom", "apply_patch"),
    "delete_all": Target("function", "delete_all"),
    "tool_search": Target("tool_search", "tool_search"),
    "patch_file": Target("apply_patch", "apply_patch"),
    "shell": Target("shell", "shell"),
    "local_shell": Target("local_shell", "local_shell"),
    "computer": Target("computer", "computer"),
    "computer_preview": Target("computer_use_preview", "computer"),
}
USAGE = d.Usage(input_tokens=12, output_tokens=7, cached_tokens=4, reasoning_tokens=2)
STOP = d.Finish("stop")


class Case(Struct, frozen=True):
    """Batches as they came from the engine."""

    batches: Sequence[Sequence[d.Delta]]
    parallel: bool = True
    hold_calls: bool = False
    queued: bool = False


def call(name: str, *pieces: str, call_id: str | None = None) -> list[d.Delta]:
    return [d.CallStart(name, call_id), *map(d.CallArguments, pieces)]


def text(*pieces: str) -> list[d.Delta]:
    return [d.TextDelta(piece) for piece in pieces]


LOGPROBS = (
    d.Logprob("Hel", -0.25, tuple(b"Hel"), (d.TopLogprob("Hel", -0.25, tuple(b"Hel")), d.TopLogprob("H", -2.0, (72,)))),
    d.Logprob("lo", -0.5, tuple(b"lo"), (d.TopLogprob("lo", -0.5, tuple(b"lo")),)),
)
ROCKET = "🚀".encode()
HALVES = d.Logprob("\ufffd", -1.0, tuple(ROCKET[:2])), d.Logprob("\ufffd", -1.5, tuple(ROCKET[2:]))
ODD_PATCH = ['{"in', 'put" : ', '"*** Begin\\', "n+ \\u00", "e9 \\ud83d", "\\ude80 \\", '"quo', 'ted\\"\\\\ end"', "}"]

UPDATE = ['{"type":"update_file","path":"a.py",', '"diff":"@@\\n-a = 1\\n+b = 1"}']
DELETE = '{"type":"delete_file","path":"b.py","diff":""}'
CLICK_AND_WAIT = '{"actions":[{"type":"click","button":"left","x":3.0,"y":4},{"type":"wait"}]}'

CASES: dict[str, Case] = {
    "text": Case([text("Hel"), text("lo", " world"), [USAGE, STOP]]),
    "text_with_logprobs": Case([[d.TextDelta("Hel", LOGPROBS[:1])], [d.TextDelta("lo", LOGPROBS[1:])], [USAGE, STOP]]),
    "character_split_over_two_tokens": Case(
        [[d.TextDelta("", HALVES[:1])], [d.TextDelta("🚀", HALVES[1:])], [USAGE, STOP]]
    ),
    "refusal": Case([[d.RefusalDelta("I cannot "), d.RefusalDelta("help with that.")], [USAGE, STOP]]),
    "text_then_refusal": Case([text("Well, "), [d.RefusalDelta("no.")], [USAGE, STOP]]),
    "reasoning_then_text": Case(
        [[d.ReasoningDelta("The user "), d.ReasoningDelta("greets.")], text("Hi!"), [USAGE, STOP]]
    ),
    "function_call": Case([call("get_weather", '{"city":', '"Paris"}', call_id="call_a"), [USAGE, STOP]]),
    "function_call_without_arguments": Case([call("get_time", call_id="call_a"), [USAGE, STOP]]),
    "parallel_calls": Case(
        [
            call("get_weather", '{"city":"Paris"}'),
            call("get_weather", '{"city":"Rome"}'),
            call("get_time", "{}"),
            [USAGE, STOP],
        ]
    ),
    "call_then_text": Case([call("get_time", "{}", call_id="call_a"), text("Asking the clock."), [USAGE, STOP]]),
    "text_call_text": Case([text("First."), call("get_time", "{}", call_id="call_a"), text("Then."), [USAGE, STOP]]),
    "namespaced_call": Case([call("crm__get_customer", '{"id":7}', call_id="call_a"), [USAGE, STOP]]),
    "custom_tool_call": Case([call("apply_patch", *ODD_PATCH, call_id="call_a"), [USAGE, STOP]]),
    "custom_tool_call_with_bare_text": Case([call("apply_patch", "*** Be", "gin", call_id="call_a"), [USAGE, STOP]]),
    "tool_search_call": Case([call("tool_search", '{"query":', ' "crm"}', call_id="call_a"), [USAGE, STOP]]),
    "tool_search_call_with_broken_arguments": Case([call("tool_search", "{crm", call_id="call_a"), [USAGE, STOP]]),
    "length_in_tool_search_call": Case([call("tool_search", '{"qu', call_id="call_a"), [USAGE, d.Finish("length")]]),
    "apply_patch_call": Case(
        [text("Renaming."), call("patch_file", *UPDATE), call("patch_file", DELETE), [USAGE, STOP]]
    ),
    "shell_call": Case([call("shell", '{"commands":["ls -l",', '"pwd"],"timeout_ms":1000}'), [USAGE, STOP]]),
    "local_shell_call": Case([call("local_shell", '{"command":["ls"],"working_directory":"/src"}'), [USAGE, STOP]]),
    "computer_call": Case([call("computer", CLICK_AND_WAIT), [USAGE, STOP]]),
    "computer_preview_call": Case(
        [call("computer_preview", '{"action":{"type":"type","text":"Hi"}}', call_id="call_a"), [USAGE, STOP]]
    ),
    "patch_that_is_none": Case([call("patch_file", '{"type":"rename_file"', call_id="call_a"), [USAGE, STOP]]),
    "length_in_shell_call": Case([call("shell", '{"commands":["rm -r', call_id="call_a"), [USAGE, d.Finish("length")]]),
    "held_shell_call": Case([call("shell", '{"commands":["ls"]}', call_id="call_a"), [USAGE, STOP]], hold_calls=True),
    "unknown_function_name": Case([call("no_such_tool", "{}", call_id="call_a"), [USAGE, STOP]]),
    "withheld_tool_is_dropped": Case(
        [text("Deleting."), call("delete_all", '{"sure":true}', call_id="call_a"), text("Done."), [USAGE, STOP]]
    ),
    "one_call_when_parallel_is_off": Case(
        [call("get_time", "{}", call_id="call_a"), call("get_weather", '{"city":"Rome"}'), [USAGE, STOP]],
        parallel=False,
    ),
    "held_call_is_said_whole": Case(
        [text("Let me see."), call("get_weather", '{"city":', '"Paris"}', call_id="call_a"), [USAGE, STOP]],
        hold_calls=True,
    ),
    "summary_by_the_model": Case(
        [
            [d.ReasoningDelta("The user greets.")],
            [d.SummaryDelta("A "), d.SummaryDelta("greeting."), d.SideUsage(9, 2)],
            text("Hi!"),
            [USAGE, STOP],
        ]
    ),
    "compaction_is_all_that_is_asked_for": Case(
        [[d.CompactionStart()], [d.SideUsage(40, 9, 30), d.CompactionEnd("c2VhbGVk"), STOP]]
    ),
    "compaction_then_text": Case(
        [
            [d.CompactionStart()],
            [d.SideUsage(40, 9, 30), d.CompactionEnd("c2VhbGVk"), d.Finish("compacted")],
            text("Hi!"),
            [USAGE, STOP],
        ]
    ),
    "failure_in_compaction": Case([[d.CompactionStart()], [d.Failure("server_error", "The engine broke.")]]),
    "cancelled_in_compaction": Case([text("First."), [d.CompactionStart()], [d.Cancelled()]]),
    "length_in_text": Case([text("Once upon"), [USAGE, d.Finish("length")]]),
    "length_in_call": Case([call("get_weather", '{"city":"Pa', call_id="call_a"), [USAGE, d.Finish("length")]]),
    "length_before_anything": Case([[USAGE, d.Finish("length")]]),
    "content_filter": Case([text("How to"), [USAGE, d.Finish("content_filter")]]),
    "failure_in_text": Case([text("Once upon"), [d.Failure("server_error", "The engine broke.")]]),
    "failure_before_anything": Case([[d.Failure("rate_limit_exceeded", "Too many requests.")]]),
    "engine_stops_without_an_end": Case([text("Once upon")]),
    "cancelled_in_text": Case([text("Once upon"), [d.Cancelled()]]),
    "queued": Case([text("Hi!"), [USAGE, STOP]], queued=True),
}


def stream_of(case: Case) -> ResponseStream:
    base = replace(BASE, status="queued", background=True) if case.queued else BASE
    return ResponseStream(
        base,
        new_id=counting_ids(),
        targets=TARGETS,
        withheld=frozenset({"delete_all"}),
        parallel=case.parallel,
        hold_calls=case.hold_calls,
    )


def payloads_of(stream: ResponseStream, case: Case) -> list[bytes]:
    events = stream.begin() + (stream.start() if case.queued else [])
    for batch in case.batches:
        events += stream.feed(batch)
    return Encoder().encode(events + stream.end(ENDED_AT))


@pytest.mark.parametrize("name", CASES)
def test_the_stream_is_the_golden_transcript(name: str) -> None:
    path = GOLDEN / f"{name}.jsonl"
    transcript = b"".join(payload + b"\n" for payload in payloads_of(stream_of(CASES[name]), CASES[name]))
    if WRITE:
        GOLDEN.mkdir(exist_ok=True)
        path.write_bytes(transcript)

    assert transcript.decode().split("\n") == path.read_bytes().decode().split("\n")


@pytest.mark.parametrize("name", CASES)
def test_the_golden_transcript_folds_to_the_response(name: str) -> None:
    stream = stream_of(CASES[name])
    events = [decode_event(payload) for payload in payloads_of(stream, CASES[name])]

    expected = stream.response
    if expected.status == "cancelled":  # says so nowhere in the stream
        expected = replace(expected, status="in_progress")
    assert fold(events) == expected


@pytest.mark.parametrize("name", CASES)
def test_every_event_and_the_response_are_valid_by_openai_s_schema(name: str) -> None:
    stream = stream_of(CASES[name])

    for payload in payloads_of(stream, CASES[name]):
        validate_event(payload)
    validate_response(encode(stream.response))


def test_every_transcript_has_its_case() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)


def test_the_custom_tool_s_input_comes_out_of_its_wrapping_character_by_character() -> None:
    lines = (GOLDEN / "custom_tool_call.jsonl").read_text().splitlines()
    deltas = [event["delta"] for event in map(json.loads, lines) if event["type"].endswith("input.delta")]

    assert "".join(deltas) == json.loads("".join(ODD_PATCH))["input"]
    assert all(deltas)
