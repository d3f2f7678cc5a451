"""Tool calls as servers really stream them, put one after the other."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.core.deltas import CallArguments, CallStart, Delta, TextDelta
from antiphon.engines.chat_calls import CallOrder
from antiphon.engines.chat_chunk import CallPiece
from antiphon.errors import EngineError

Heard = tuple[str, str | None, str]


def order(*pieces: CallPiece | TextDelta) -> list[Heard]:
    """The calls (name, id, all arguments) and texts ("text", None, it) in the order in which they come out."""
    calls = CallOrder()
    deltas: list[Delta] = []
    for piece in pieces:
        deltas += calls.add(piece) if isinstance(piece, CallPiece) else calls.pass_by(piece)
    heard: list[Heard] = []
    for delta in deltas + calls.finish():
        match delta:
            case CallStart(name, call_id):
                heard.append((name, call_id, ""))
            case CallArguments(text):
                name, call_id, arguments = heard.pop()
                heard.append((name, call_id, arguments + text))
            case TextDelta(text):
                heard.append(("text", None, text))
    return heard


P = CallPiece
WAYS: dict[str, tuple[list[CallPiece | TextDelta], list[Heard]]] = {
    "name in pieces": (
        [P(0, "a", "get_"), P(0, None, "weather"), P(0, None, None, "{}")],
        [("get_weather", "a", "{}")],
    ),
    "name again with each chunk": ([P(0, "a", "f", "{"), P(0, "a", "f", "}")], [("f", "a", "{}")]),
    "name again before arguments": ([P(0, "a", "f"), P(0, "a", "f"), P(0, "a", "f", "{}")], [("f", "a", "{}")]),
    "a new id with each chunk": ([P(0, "a", "f", "{"), P(0, "b", None, "}")], [("f", "a", "{}")]),
    "id after the name": ([P(0, None, "f"), P(0, "a", None, "{}")], [("f", "a", "{}")]),
    "no index, id first": ([P(None, "a", "f", "{"), P(None, None, None, "}")], [("f", "a", "{}")]),
    "no index, two ids": (
        [P(None, "a", "f", "{"), P(None, None, None, "}"), P(None, "b", "g", "{}")],
        [("f", "a", "{}"), ("g", "b", "{}")],
    ),
    "no index, no ids": ([P(None, None, "f", "{}"), P(None, None, "g", "{}")], [("f", None, "{}"), ("g", None, "{}")]),
    "every index 0": ([P(0, "a", "f", "{}"), P(0, "b", "f", "{}")], [("f", "a", "{}"), ("f", "b", "{}")]),
    "no arguments at all": ([P(0, "a", "f"), P(1, "b", "g")], [("f", "a", ""), ("g", "b", "")]),
    "indices from 1, with gaps": ([P(1, "a", "f", "{}"), P(5, "b", "g", "{}")], [("f", "a", "{}"), ("g", "b", "{}")]),
    "space after the end": (
        [P(0, "a", "f", "{}"), P(1, "b", "g", "{}"), P(0, None, None, "\n")],
        [("f", "a", "{}"), ("g", "b", "{}")],
    ),
    "text after a call": ([P(0, "a", "f", "{}"), TextDelta("so")], [("f", "a", "{}"), ("text", None, "so")]),
    "text within a call": (
        [P(0, "a", "f", "{"), TextDelta("so"), P(0, None, None, "}")],
        [("f", "a", "{}"), ("text", None, "so")],
    ),
    "text, then another call": (
        [P(0, "a", "f", "{}"), TextDelta("\n"), P(1, "b", "g", "{}")],
        [("f", "a", "{}"), ("text", None, "\n"), ("g", "b", "{}")],
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_servers_way_of_calling_is_understood(way: str) -> None:
    pieces, expected = WAYS[way]
    assert order(*pieces) == expected


def test_the_open_call_streams_and_the_next_begins_when_it_is_whole() -> None:
    calls = CallOrder()
    assert calls.add(P(0, "a", "f", "{")) == [CallStart("f", "a"), CallArguments("{")]
    assert calls.add(P(1, "b", "g", '{"x":')) == []
    assert calls.add(P(0, None, None, "}")) == [CallArguments("}")]
    assert calls.add(P(1, None, None, "1}")) == [
        CallStart("g", "b"),
        CallArguments('{"x":'),
        CallArguments("1}"),
    ]


def test_a_finished_call_that_goes_on_is_a_fault() -> None:
    with pytest.raises(EngineError, match="was complete"):
        order(P(0, "a", "f", "{}"), P(1, "b", "g", "{}"), P(0, None, None, "more"))


@settings(max_examples=300)
@given(st.data())
def test_any_interleaving_of_calls_gives_each_call_whole(data: st.DataObject) -> None:
    objects = st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=8), max_size=3)
    texts = [json.dumps(each) for each in data.draw(st.lists(objects, min_size=1, max_size=4))]
    left = {index: text for index, text in enumerate(texts)}
    pieces: list[CallPiece | TextDelta] = [P(index, f"c{index}", f"f{index}") for index in left]
    while left:
        index = data.draw(st.sampled_from(sorted(left)))
        size = data.draw(st.integers(1, len(left[index])))
        pieces.append(P(index, None, None, left[index][:size]))
        left[index] = left[index][size:]
        if not left[index]:
            del left[index]
    assert order(*pieces) == [(f"f{index}", f"c{index}", text) for index, text in enumerate(texts)]
