"""Whatever an engine sends, the stream is legal and says what the response says."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from antiphon.core import deltas as d
from antiphon.core.encode import Encoder, payload_type
from antiphon.core.fold import IllegalStream, fold
from antiphon.core.stream import ResponseStream
from antiphon.core.toolbox import Target
from antiphon.wire.events import Event, decode_event
from antiphon.wire.items import FunctionCallOutput
from antiphon.wire.response import Response
from tests.core.conftest import counting_ids

RUNS = 20_000
BASE = Response(id="resp_1", created_at=1_700_000_000, status="in_progress", model="scripted")
TARGETS = {
    "lookup": Target("function", "lookup"),
    "demo__lookup": Target("function", "lookup", "demo"),
    "patch": Target("custom", "patch"),
    "secret": Target("function", "secret"),
    "tool_search": Target("tool_search", "tool_search"),
    "apply_patch": Target("apply_patch", "apply_patch"),
    "shell": Target("shell", "shell"),
    "local_shell": Target("local_shell", "local_shell"),
    "computer": Target("computer", "computer"),
}


class Settings(Struct, frozen=True):
    """What a stream is made with."""

    parallel: bool
    hold_calls: bool
    await_outputs: bool


def call(name: str, call_id: str | None, arguments: Sequence[str]) -> Sequence[d.Delta]:
    return [d.CallStart(name, call_id), *map(d.CallArguments, arguments)]


# Drawing from tables costs a fraction of drawing texts; what is drawn is the order, and that is what can go wrong.
TEXTS = ("", " ", "a", "naïve", "日本", "😀", '"', "\\", "\x00\n\u2028", "</s>", "�")
LOGPROBS = (
    (),
    (d.Logprob("a", -0.5, (97,)),),
    (d.Logprob("😀", 0.0, (240, 159), (d.TopLogprob("b", -9.0, (98,)),)),) * 2,
)
ARGUMENTS = (
    (),
    ("", "{}"),
    ('{"q": "x', 'y"}'),
    ('{"input": "a', "b\\n", "\\u00", "e9", "\\ud83d", "\\ude00", 'c"}'),
    ('{ "inp', 'ut":"cut', "\\u"),
    ("bare", " words"),
    ('{"type":"update_file","path":"a","di', 'ff":"@@\\n+b"}'),
    ('{"commands":["ls", "pwd"],', '"timeout_ms":5}'),
    ('{"command":["ls"]}',),
    ('{"action":{"type":"click","x":1,"y":2}}',),
)
PIECES: tuple[Sequence[d.Delta], ...] = (
    *([d.TextDelta(text, logprobs)] for text in TEXTS for logprobs in LOGPROBS),
    *([d.ReasoningDelta(text)] for text in TEXTS),
    *([d.RefusalDelta(text)] for text in TEXTS),
    *([d.Usage(input_tokens, 3, 1, 2)] for input_tokens in (0, 9)),
    *(
        call(name, call_id, arguments)
        for name in (*TARGETS, "unheard_of")
        for call_id in (None, "call_x")
        for arguments in ARGUMENTS
    ),
    [d.CallArguments("stray, unless a call is open")],
    [d.ReasoningDelta("I see. "), d.SummaryDelta(""), d.SummaryDelta("He "), d.SummaryDelta("sees.")],
    [d.SideUsage(5, 2), d.CompactionStart(), d.CompactionEnd("sealed")],
    [d.TextDelta("So far. "), d.CompactionStart(), d.CompactionEnd("sealed"), d.Finish("compacted")],
    [d.CompactionStart()],
    [d.SummaryDelta("stray, unless reasoning is open")],
)
OUTCOMES = (
    d.Finish("stop"),
    d.Finish("length"),
    d.Finish("content_filter"),
    d.Failure("server_error", "broke"),
    d.Failure("context_length_exceeded", "too long"),
    None,
)
SETTINGS = [
    Settings(parallel, hold, wait) for parallel in (True, False) for hold in (True, False) for wait in (False, True)
]

bodies = st.lists(st.sampled_from(PIECES), max_size=12).map(
    lambda pieces: [delta for piece in pieces for delta in piece]
)
outcomes = st.sampled_from(OUTCOMES)
kinds = st.sampled_from(SETTINGS)
cuts = st.integers(0, 2**24 - 1)
PLAIN = SETTINGS[2]


def stream_of(kind: Settings = PLAIN) -> ResponseStream:
    return ResponseStream(
        BASE,
        new_id=counting_ids(),
        targets=TARGETS,
        withheld=frozenset({"secret"}),
        parallel=kind.parallel,
        hold_calls=kind.hold_calls,
        await_outputs=kind.await_outputs,
    )


def play(stream: ResponseStream, body: Sequence[d.Delta], outcome: d.Delta | None, cut_bits: int = 0) -> list[Event]:
    """Feed a body and its outcome, as one batch but for a cut before delta n where bit n is set; then end."""
    events = stream.begin()
    batches: list[list[d.Delta]] = [[]]
    for index, delta in enumerate([*body, *([outcome] if outcome else [])]):
        if cut_bits >> index & 1:
            batches.append([])
        batches[-1].append(delta)
    for batch in batches:
        events += stream.feed(batch)
        if stream.breach is not None:
            events += stream.feed([d.Failure("server_error", stream.breach.message)])
            break
    if stream.needs:
        outputs = [FunctionCallOutput(id=f"fco_{call_id}", call_id=call_id, output="42") for call_id in stream.needs]
        events += stream.deliver(outputs)
        events += stream.feed([d.TextDelta("So 42."), d.Finish("stop")])
    return events + stream.end(1_700_000_001)


@settings(max_examples=RUNS, deadline=None)
@given(bodies, outcomes, cuts, kinds)
def test_the_fold_of_the_sent_events_is_the_response(
    body: list[d.Delta], outcome: d.Delta | None, cut_bits: int, kind: Settings
) -> None:
    stream = stream_of(kind)
    payloads = Encoder().encode(play(stream, body, outcome, cut_bits))
    events = [decode_event(payload) for payload in payloads]

    assert fold(events) == stream.response
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert stream.response.status in ("completed", "incomplete", "failed")
    assert payload_type(payloads[-1]).decode() == f"response.{stream.response.status}"


@settings(max_examples=1_000, deadline=None)
@given(bodies, outcomes, kinds)
def test_how_deltas_are_batched_changes_nothing(body: list[d.Delta], outcome: d.Delta | None, kind: Settings) -> None:
    at_once, one_by_one = stream_of(kind), stream_of(kind)

    assert play(at_once, body, outcome) == play(one_by_one, body, outcome, 2**128 - 1)
    assert at_once.response == one_by_one.response


@settings(max_examples=500, deadline=None)
@given(bodies, outcomes, st.sampled_from(PIECES).map(lambda piece: piece[0]))
def test_nothing_is_accepted_after_the_end(body: list[d.Delta], outcome: d.Delta | None, late: d.Delta) -> None:
    stream = stream_of()
    play(stream, body, outcome)
    before = stream.response

    with pytest.raises(RuntimeError):
        stream.feed([late])
    with pytest.raises(RuntimeError):
        stream.end(0)
    assert stream.response == before


@settings(max_examples=500, deadline=None)
@given(bodies, kinds, st.data())
def test_the_reader_refuses_a_stream_with_a_missing_event(
    body: list[d.Delta], kind: Settings, data: st.DataObject
) -> None:
    payloads = Encoder().encode(play(stream_of(kind), body, d.Finish("stop")))
    missing = data.draw(st.integers(0, len(payloads) - 2))

    with pytest.raises(IllegalStream):
        fold(decode_event(payload) for payload in payloads[:missing] + payloads[missing + 1 :])


@settings(max_examples=500, deadline=None)
@given(bodies)
def test_a_cancelled_stream_has_no_last_event_and_its_open_item_is_incomplete(body: list[d.Delta]) -> None:
    stream = stream_of()
    events = stream.begin() + stream.feed(body) + stream.feed([d.Cancelled()]) + stream.end(1_700_000_001)

    assert fold(events).output == stream.response.output
    assert stream.response.status == "cancelled"
    assert all(getattr(item, "status", "completed") == "completed" for item in stream.response.output[:-1])


@settings(max_examples=500, deadline=None)
@given(bodies, kinds)
def test_every_snapshot_on_the_way_is_what_the_events_so_far_fold_to(body: list[d.Delta], kind: Settings) -> None:
    stream = stream_of(kind)
    events = stream.begin()
    for delta in body:
        events += stream.feed([delta])
        if stream.breach is not None:
            break
        assert [item.id for item in fold(events).output] == [item.id for item in stream.response.output]


def test_what_came_before_a_breach_in_the_same_batch_counts() -> None:
    stream = stream_of()
    events = stream.begin() + stream.feed([d.TextDelta("Hi"), d.CallArguments("{}"), d.TextDelta(" there")])

    assert stream.breach is not None
    events += stream.feed([d.Failure("server_error", "broke")]) + stream.end(1)
    assert fold(events) == stream.response
    assert stream.response.output[0].content[0].text == "Hi"  # type: ignore[union-attr,index]


def test_logprobs_of_a_token_without_text_are_kept() -> None:
    half = d.Logprob("\\xf0\\x9f", -0.1, (240, 159))
    rest = d.Logprob("\\x98\\x80", -0.2, (152, 128))
    stream = stream_of()
    play(stream, [d.TextDelta("", (half,)), d.TextDelta("😀", (rest,))], d.Finish("stop"))

    (part,) = stream.response.output[0].content  # type: ignore[union-attr,misc]
    assert [logprob.token for logprob in part.logprobs] == [half.token, rest.token]  # type: ignore[union-attr]


def test_an_overruled_end_is_failed_and_nothing_else() -> None:
    stream = stream_of()
    play(stream, [d.TextDelta("Hi")], d.Finish("length"))
    events = stream.overrule(d.Failure("server_error", "The response could not be stored."), 1)

    assert [type(event).__name__ for event in events] == ["ErrorEvent", "Failed"]
    assert (stream.response.status, stream.response.incomplete_details) == ("failed", None)
