"""Golden transcripts of streamed chat completions, and what holds for every way of cutting them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.core.deltas import (
    CallArguments,
    CallStart,
    Delta,
    Finish,
    Logprob,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    TopLogprob,
    Usage,
)
from antiphon.engines.chat_chunk import Choice, Chunk, ChunkDelta
from antiphon.engines.chat_chunks import ChunkParser
from antiphon.engines.chat_errors import EngineBusy
from antiphon.engines.grammar_call import GrammarCallParser
from antiphon.errors import ContextLengthExceeded, EngineError, InvalidRequest
from tests.engines.fake_upstream import DONE, piece, sse, usage


def parse(data: bytes, *cuts: int, top_logprobs: int = 20) -> tuple[list[Delta], ChunkParser]:
    """The deltas of a body that arrives in pieces cut at `cuts`, and the parser after its end."""
    parser = ChunkParser(lambda: 7, top_logprobs)
    deltas: list[Delta] = []
    for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        deltas += parser.feed(data[start:end])
    return deltas + parser.end(), parser


def body(*chunks: dict[str, Any], done: bool = True) -> bytes:
    return b"".join(map(sse, chunks)) + (DONE if done else b"")


def logprob(token: str, value: float, raw: list[int] | None, *top: dict[str, Any]) -> dict[str, Any]:
    return {"token": token, "logprob": value, "bytes": raw, "top_logprobs": list(top)}


def call(index: int | None, name: str | None, arguments: object, call_id: str | None = None) -> dict[str, Any]:
    return piece(tool_calls=[{"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}])


TRANSCRIPTS: dict[str, tuple[bytes, list[Delta]]] = {
    "text": (
        body(
            piece(role="assistant", content=""),
            piece(content="Grüße"),
            piece(content=" 👋"),
            piece("stop"),
            usage(9, 2),
        ),
        [TextDelta("Grüße"), TextDelta(" 👋"), Usage(9, 2), Finish("stop")],
    ),
    "reasoning of vLLM": (
        body(piece(reasoning="Hm"), piece(reasoning="."), piece(content="Yes"), piece("stop"), usage(5, 4)),
        [ReasoningDelta("Hm"), ReasoningDelta("."), TextDelta("Yes"), Usage(5, 4, 0, 2), Finish("stop")],
    ),
    "reasoning of others": (
        body(piece(reasoning_content="Hm", content=None), piece("stop", content="Yes"), usage(5, 4)),
        [ReasoningDelta("Hm"), TextDelta("Yes"), Usage(5, 4, 0, 1), Finish("stop")],
    ),
    "usage with details": (
        body(
            piece("stop", content="a"),
            usage(5, 9, prompt_tokens_details={"cached_tokens": 4}, completion_tokens_details={"reasoning_tokens": 8}),
        ),
        [TextDelta("a"), Usage(5, 9, 4, 8), Finish("stop")],
    ),
    "usage with every chunk, the last one counts": (
        body({**usage(5, 1), **piece(content="a")}, {**usage(5, 2), **piece("stop", content="b")}),
        [TextDelta("a"), TextDelta("b"), Usage(5, 2), Finish("stop")],
    ),
    "no usage": (
        body(piece(reasoning="Hm"), piece(content="a"), call(0, "f", "{}"), piece("tool_calls")),
        [ReasoningDelta("Hm"), TextDelta("a"), CallStart("f"), CallArguments("{}"), Usage(7, 3, 0, 1), Finish("stop")],
    ),
    "length": (body(piece("length", content="a"), usage(1, 1)), [TextDelta("a"), Usage(1, 1), Finish("length")]),
    "content filter": (
        body(piece("content_filter", refusal="No."), usage(1, 1)),
        [RefusalDelta("No."), Usage(1, 1), Finish("content_filter")],
    ),
    "never done": (body(piece("stop", content="a"), done=False), [TextDelta("a"), Usage(7, 1), Finish("stop")]),
    "last line without its end": (
        body(piece(content="a"), piece("stop"), done=False).rstrip(),
        [TextDelta("a"), Usage(7, 1), Finish("stop")],
    ),
    "comments, events, CRLF, no space": (
        b": hello\r\n\r\nevent: x\r\nid: 1\r\n"
        + sse(piece(content="a")).replace(b"\n", b"\r\n")
        + sse(piece("stop")).replace(b"data: ", b"data:")
        + b"\r\n: keep-alive\r\n\r\ndata:[DONE]\r\n\r\n",
        [TextDelta("a"), Usage(7, 1), Finish("stop")],
    ),
    "one call": (
        body(call(0, "get", "", "c1"), call(0, None, '{"a'), call(0, None, '":1}'), piece("tool_calls"), usage(3, 4)),
        [CallStart("get", "c1"), CallArguments('{"a'), CallArguments('":1}'), Usage(3, 4), Finish("stop")],
    ),
    "calls one after the other": (
        body(
            call(0, "f", "{}", "c1"), call(1, "g", '{"b"', "c2"), call(1, None, ":2}"), piece("tool_calls"), usage(1, 1)
        ),
        [
            CallStart("f", "c1"),
            CallArguments("{}"),
            CallStart("g", "c2"),
            CallArguments('{"b"'),
            CallArguments(":2}"),
            Usage(1, 1),
            Finish("stop"),
        ],
    ),
    "calls interleaved": (
        body(
            call(0, "f", '{"a"', "c1"),
            call(1, "g", '{"b"', "c2"),
            call(0, None, ":1}"),
            call(1, None, ":2}"),
            piece("tool_calls"),
            usage(1, 1),
        ),
        [
            CallStart("f", "c1"),
            CallArguments('{"a"'),
            CallArguments(":1}"),
            CallStart("g", "c2"),
            CallArguments('{"b"'),
            CallArguments(":2}"),
            Usage(1, 1),
            Finish("stop"),
        ],
    ),
    "arguments that are no JSON": (
        body(call(0, "f", "{oops", "c1"), piece("tool_calls"), usage(1, 1)),
        [CallStart("f", "c1"), CallArguments("{oops"), Usage(1, 1), Finish("stop")],
    ),
    "function_call": (
        body(piece(function_call={"name": "f", "arguments": "{}"}), piece("function_call"), usage(1, 1)),
        [CallStart("f"), CallArguments("{}"), Usage(1, 1), Finish("stop")],
    ),
    "log probabilities": (
        body(
            piece(content="", logprobs={"content": [logprob("\ufffd", -1.5, [240, 159])]}),
            piece(content="👋", logprobs={"content": [logprob("\ufffd", -0.5, [145, 139])]}),
            piece(content="é", logprobs={"content": [logprob("é", -2, None, logprob("e", -1, None))]}),
            piece("stop"),
            usage(1, 3),
        ),
        [
            TextDelta("👋", [Logprob("\ufffd", -1.5, [240, 159], []), Logprob("\ufffd", -0.5, [145, 139], [])]),
            TextDelta("é", [Logprob("é", -2, (195, 169), [TopLogprob("e", -1, (101,))])]),
            Usage(1, 3),
            Finish("stop"),
        ],
    ),
    "log probabilities of reasoning": (
        body(piece(reasoning="Hm", logprobs={"content": [logprob("Hm", -1, None)]}), piece("stop"), usage(1, 1)),
        [ReasoningDelta("Hm"), Usage(1, 1, 0, 1), Finish("stop")],
    ),
    "log probabilities of marks that are no text": (
        body(
            piece(reasoning="Hm", logprobs={"content": [logprob("<think>", -1, None), logprob("Hm", -1, None)]}),
            piece(logprobs={"content": [logprob("</think>", -1, None)]}),
            piece(content="a", logprobs={"content": [logprob("a", -2, None)]}),
            piece("stop", content="b", logprobs={"content": [logprob("b", -3, None), logprob("<|end|>", -1, None)]}),
            usage(1, 6),
        ),
        [
            ReasoningDelta("Hm"),
            TextDelta("a", [Logprob("a", -2, (97,), [])]),
            TextDelta("b", [Logprob("b", -3, (98,), [])]),
            Usage(1, 6, 0, 1),
            Finish("stop"),
        ],
    ),
    "log probabilities of text that comes together with reasoning": (
        body(
            piece(
                "stop",
                reasoning="Hm",
                content="a",
                logprobs={"content": [logprob(each, -1, None) for each in ("Hm", "</think>", "a")]},
            ),
            usage(1, 3),
        ),
        [ReasoningDelta("Hm"), TextDelta("a", [Logprob("a", -1, (97,), [])]), Usage(1, 3, 0, 1), Finish("stop")],
    ),
}


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_transcript_gives_its_deltas(name: str) -> None:
    data, expected = TRANSCRIPTS[name]
    deltas, parser = parse(data)
    assert parser.failure is None
    assert deltas == expected


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_transcript_may_be_cut_anywhere(name: str) -> None:
    data, expected = TRANSCRIPTS[name]
    for cut in range(len(data)):
        assert parse(data, cut)[0] == expected
    assert parse(data, *range(1, len(data)))[0] == expected


@settings(max_examples=300)
@given(st.data())
def test_a_transcript_may_be_cut_into_any_pieces(data: st.DataObject) -> None:
    whole, expected = TRANSCRIPTS[data.draw(st.sampled_from(sorted(TRANSCRIPTS)))]
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=20).map(sorted))
    assert parse(whole, *cuts)[0] == expected


@settings(max_examples=300)
@given(st.binary(max_size=300), st.sampled_from(sorted(TRANSCRIPTS)), st.integers(0, 2000))
def test_whatever_comes_is_a_finish_or_a_failure(noise: bytes, name: str, at: int) -> None:
    data = TRANSCRIPTS[name][0]
    deltas, parser = parse(data[:at] + noise + data[at:])
    assert parser.done == any(isinstance(delta, Finish) for delta in deltas)
    assert parser.done != (parser.failure is not None)
    assert sum(isinstance(delta, Finish) for delta in deltas) <= 1
    assert not any(isinstance(delta, Finish) for delta in deltas[:-1])


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_transcript_cut_short_never_looks_complete(name: str) -> None:
    data, expected = TRANSCRIPTS[name]
    reason = data.rindex(b'"finish_reason": "')
    for end in range(reason):
        deltas, parser = parse(data[:end])
        assert isinstance(parser.failure, EngineError)
        assert deltas == expected[: len(deltas)]


def test_only_the_likeliest_tokens_asked_for_are_kept() -> None:
    tops = [logprob(token, -1, None) for token in "abc"]
    data = body(piece(content="a", logprobs={"content": [logprob("a", -1, None, *tops)]}), piece("stop"))
    first = parse(data, top_logprobs=1)[0][0]
    assert isinstance(first, TextDelta)
    assert [top.token for top in first.logprobs[0].top_logprobs] == ["a"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "Context size has been exceeded.", "code": 500}, ContextLengthExceeded),
        ({"message": "bad", "code": 400}, InvalidRequest),
        ({"message": "busy", "code": 503}, EngineBusy),
        ({"message": "EngineCore encountered an issue.", "type": "InternalServerError", "code": 500}, EngineError),
        ({"deep": [[[]]]}, EngineError),
    ],
)
def test_an_error_in_the_stream_keeps_its_kind(error: dict[str, Any], kind: type[Exception]) -> None:
    deltas, parser = parse(sse(piece(content="a")) + sse({"error": error}) + DONE)
    assert deltas == [TextDelta("a")]
    assert type(parser.failure) is kind


def test_nesting_too_deep_to_decode_is_a_failure() -> None:
    deep = "[" * 5000 + "]" * 5000
    _, parser = parse(b'data: {"error": ' + deep.encode() + b"}\n\n")
    assert isinstance(parser.failure, EngineError)


def test_a_transcript_is_json() -> None:
    for data, _ in TRANSCRIPTS.values():
        for line in data.split(b"\n"):
            if line.startswith(b"data:") and b"[DONE]" not in line:
                json.loads(line[5:])


@pytest.mark.parametrize("make", [lambda: ChunkParser(lambda: 7), lambda: GrammarCallParser(lambda: 7, "write")])
def test_a_text_that_is_handed_over_is_a_chunk_with_it(make: Callable[[], ChunkParser]) -> None:
    by_text, by_chunk = make(), make()
    handed = [by_text.take_text(text) for text in ("a", "", '"b')]
    assert handed == [by_chunk.take(Chunk([Choice(ChunkDelta(text))])) for text in ("a", "", '"b')]
    finish = Chunk([Choice(finish_reason="stop")])
    assert by_text.take(finish) + by_text.end() == by_chunk.take(finish) + by_chunk.end()
