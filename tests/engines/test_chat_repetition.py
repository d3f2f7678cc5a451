"""A chunk that only repeats the one before with another text means what it would mean if it were decoded."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.core.deltas import Delta, Finish, ReasoningDelta, TextDelta, Usage
from antiphon.engines.chat_chunks import MOST_FORMS, ChunkParser
from antiphon.engines.grammar_call import GrammarCallParser
from tests.engines.fake_upstream import DONE, piece, sse, usage

KINDS = {"content": TextDelta, "reasoning": ReasoningDelta, "reasoning_content": ReasoningDelta}


def play(parser: ChunkParser, events: Sequence[bytes]) -> tuple[list[Delta], int]:
    """The deltas of events that come one by one, the short way where that is open; and how often it was."""
    deltas: list[Delta] = []
    short = 0
    for event in events:
        text = parser.text_again(event)
        if text is None:
            deltas += parser.feed(event)
            continue
        parser.said_again(text)
        deltas.append(type(deltas[-1])(text))  # type: ignore[call-arg]
        short += 1
    return deltas + parser.end(), short


def decoded(events: Sequence[bytes]) -> list[Delta]:
    """What they are without the short way."""
    parser = ChunkParser(lambda: 7)
    parser._forms_left = 0  # it learns nothing
    return [delta for event in events for delta in parser.feed(event)] + parser.end()


def words(field: str, *texts: str) -> list[bytes]:
    return [sse(said(field, text)) for text in texts]


def said(field: str, text: str) -> dict[str, Any]:
    """A chunk with a text; `arguments` are those of call 0, `arguments of 1` of the next one."""
    if field.startswith("arguments"):
        return piece(tool_calls=[{"index": int(field.endswith("1")), "function": {"arguments": text}}])
    return piece(**{field: text})


def calling(index: int) -> dict[str, Any]:
    return piece(tool_calls=[{"index": index, "id": f"c{index}", "function": {"name": "f", "arguments": ""}}])


@pytest.mark.parametrize("field", KINDS)
def test_only_the_first_of_many_alike_is_decoded(field: str) -> None:
    deltas, short = play(ChunkParser(lambda: 7), [*words(field, "a", "b", "c"), sse(piece("stop")), DONE])

    reasoning = 0 if field == "content" else 3
    assert deltas == [*map(KINDS[field], "abc"), Usage(7, 3, 0, reasoning), Finish("stop")]
    assert short == 2


def test_another_kind_of_text_is_another_form() -> None:
    events = [*words("reasoning", "a", "b"), *words("content", "c", "d"), *words("reasoning", "e"), sse(piece("stop"))]
    deltas, short = play(ChunkParser(lambda: 7), events)

    assert deltas == decoded(events)
    assert short == 2


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": [{"delta": {"content": "x", "role": "assistant"}, "finish_reason": "stop"}]},
        {**piece(content="x"), "usage": {"prompt_tokens": 3, "completion_tokens": 1}},
        piece(content="x", reasoning="y"),
        piece(content="x", tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]),
        piece(content=""),
        piece(content=None),
        {"content": "x", **piece()},
        {"error": {"message": "broke"}},
        usage(3, 4),
    ],
)
def test_what_is_more_than_text_is_decoded(odd: dict[str, Any]) -> None:
    events = [*words("content", "a", "b"), sse(odd), sse(odd), *words("content", "c"), sse(piece("stop")), DONE]
    assert play(ChunkParser(lambda: 7), events)[0] == decoded(events)


@pytest.mark.parametrize(
    "forged",
    [
        b'x"},"finish_reason":"stop","was":{"x":"',
        b'x","reasoning":"y',
        b'x" , "content" : "y',
        b'x","content":null,"content":"y',
        b"x\\",
        b"line\nbreak",
        b"\xff",
        b"\\ud800",
        b"\\u00",
    ],
)
def test_text_that_is_no_string_is_not_taken_for_one(forged: bytes) -> None:
    """Between the same beginning and the same end may stand more than a text, or less."""
    before, _, behind = words("content", "MARK")[0].partition(b"MARK")
    events = [*words("content", "a", "b"), before + forged + behind, *words("content", "c"), sse(piece("stop")), DONE]
    assert play(ChunkParser(lambda: 7), events)[0] == decoded(events)


def test_a_cut_line_is_no_repetition() -> None:
    first, second = words("content", "a", "b")
    events = [first, second[:20], second[20:], first, sse(piece("stop")), DONE]
    assert play(ChunkParser(lambda: 7), events)[0] == decoded(events)


def test_a_server_whose_chunks_all_differ_is_not_learned_from_for_ever() -> None:
    parser = ChunkParser(lambda: 7)
    differing = [sse({"created": number, **piece(content="a")}) for number in range(MOST_FORMS)]
    assert play(parser, [*differing, *words("content", "b", "c")])[1] == 0


def test_a_form_that_came_again_was_worth_learning() -> None:
    parser = ChunkParser(lambda: 7)
    seconds = [sse({"created": number // 2, **piece(content="a")}) for number in range(4 * MOST_FORMS)]
    assert play(parser, seconds)[1] == 2 * MOST_FORMS


def test_a_long_line_is_not_learned_from() -> None:
    events = [*words("content", '"' * 100_000, '"' * 100_000), sse(piece("stop"))]
    deltas, short = play(ChunkParser(lambda: 7), events)
    assert deltas == decoded(events)
    assert short == 0


def test_input_of_a_forced_call_is_never_repeated_as_text() -> None:
    parser = GrammarCallParser(lambda: 7, "write")
    assert play(parser, words("content", "a", "b", "c"))[1] == 0


texts = st.text(st.sampled_from('a "\\{}[]:,\n\x00\u2028é日😀'), max_size=6)
fields = st.sampled_from([*KINDS, "refusal", "arguments of 0", "arguments of 1", "call 0", "call 1"])
spelled = st.booleans()


def written(spoken: list[tuple[str, str, bool]]) -> list[bytes]:
    chunks = [
        (calling(int(field[-1])) if field.startswith("call") else said(field, text), ascii_only)
        for field, text, ascii_only in spoken
    ]
    events = [b"data: " + json.dumps(chunk, ensure_ascii=ascii_only).encode() + b"\n\n" for chunk, ascii_only in chunks]
    return [*events, sse(piece("stop")), DONE]


@settings(max_examples=3_000, deadline=None)
@given(st.lists(st.tuples(fields, texts, spelled), max_size=12))
def test_the_short_way_says_what_the_long_one_says(spoken: list[tuple[str, str, bool]]) -> None:
    events = written(spoken)
    assert play(ChunkParser(lambda: 7), events)[0] == decoded(events)


@pytest.mark.parametrize("field", KINDS)
def test_lines_that_come_together_are_learned_from_and_repeated_too(field: str) -> None:
    parser = ChunkParser(lambda: 7)
    deltas = parser.feed(b"".join(words(field, "a", "b", "", "c")))
    assert deltas == [KINDS[field](text) for text in "abc"]
    assert parser.text_again(words(field, "d")[0]) == "d"
    assert parser.feed(words(field, "e")[0] + sse(piece("stop")) + DONE)[-2].output_tokens == 4


@settings(max_examples=1_000, deadline=None)
@given(st.lists(st.tuples(fields, texts, spelled), max_size=12), st.lists(st.integers(0, 1500), max_size=6))
def test_the_short_way_says_the_same_however_the_body_is_cut(
    spoken: list[tuple[str, str, bool]], cuts: list[int]
) -> None:
    events = written(spoken)
    body = b"".join(events)
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    pieces = [body[start:end] for start, end in pairwise(places)]
    assert play(ChunkParser(lambda: 7), pieces)[0] == decoded(events)


def test_arguments_that_go_on_are_repeated_and_another_call_is_not() -> None:
    events = [sse(calling(0)), *words("arguments", '{"a', '":', "1", "}")]
    events += [sse(calling(1)), *words("arguments of 1", "{", "}"), *words("arguments", " "), sse(piece("stop")), DONE]
    deltas, short = play(ChunkParser(lambda: 7), events)

    assert deltas == decoded(events)
    assert short == 2  # the first piece starts the call, the second is learned from


@pytest.mark.parametrize(
    "entry",
    [
        {"index": 0, "function": {"name": "f", "arguments": "x"}},
        {"index": 0, "function": {"arguments": {"an": "object"}}},
        {"index": 0, "function": {"arguments": ""}},
        {"index": 0},
        {"function": {"arguments": "x"}},
        {"id": "c0", "function": {"arguments": "x"}},
    ],
)
def test_odd_pieces_of_calls_are_what_they_are_when_they_come_again(entry: dict[str, Any]) -> None:
    events = [
        sse(calling(0)),
        *words("arguments", "{"),
        *[sse(piece(tool_calls=[entry]))] * 3,
        sse(piece("stop")),
        DONE,
    ]
    assert play(ChunkParser(lambda: 7), events)[0] == decoded(events)
