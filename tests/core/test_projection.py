"""What `include` does not name is not shown."""

import json

import pytest
from msgspec import Raw

from antiphon.core.projection import HIDDEN, Projection
from antiphon.core.validate import INCLUDABLE
from antiphon.wire.content import ComputerScreenshot, InputImage, InputText, Logprob, OutputText
from antiphon.wire.hosted import (
    CodeInterpreterCall,
    ComputerCallOutput,
    FileSearchCall,
    FileSearchResult,
    InterpreterLogs,
    WebSearch,
    WebSearchCall,
    WebSearchSource,
)
from antiphon.wire.items import FunctionCall, FunctionCallOutput, Item, Message, Reasoning, encode_item
from antiphon.wire.unknown import UnknownItem

SAID = Message(
    id="msg_1",
    role="assistant",
    content=(OutputText(text="Hi", logprobs=(Logprob(token="Hi", logprob=-0.5, bytes=(72, 105)),)),),
    status="completed",
)
SEEN = Message(
    id="msg_2",
    role="user",
    content=(InputText(text="Look"), InputImage(image_url="data:image/png;base64,AA==", detail="low")),
)
SHOT = ComputerCallOutput(
    id="cuo_1", call_id="c", output=ComputerScreenshot(image_url="https://x.example/a.png", detail="low")
)
RAN = CodeInterpreterCall(id="ci_1", container_id="cntr_1", code="1", outputs=(InterpreterLogs("1"),))
LOOKED = FileSearchCall(id="fs_1", queries=("q",), results=(FileSearchResult(text="found"),))
SEARCHED = WebSearchCall(
    id="ws_1",
    action=WebSearch(query="q", sources=(WebSearchSource("https://x.example"),)),
    results=(Raw(b'{"url":"https://x.example"}'),),
)
THOUGHT = Reasoning(id="rs_1", encrypted_content="gAAA", status="completed")


@pytest.mark.parametrize(
    ("item", "name", "path"),
    [
        (SAID, "message.output_text.logprobs", ("content", 0, "logprobs")),
        (SEEN, "message.input_image.image_url", ("content", 1, "image_url")),
        (THOUGHT, "reasoning.encrypted_content", ("encrypted_content",)),
        (SHOT, "computer_call_output.output.image_url", ("output", "image_url")),
        (RAN, "code_interpreter_call.outputs", ("outputs",)),
        (LOOKED, "file_search_call.results", ("results",)),
    ],
)
def test_each_value_shows_its_field_and_nothing_else_changes(
    item: Item, name: str, path: tuple[str | int, ...]
) -> None:
    body = encode_item(item)
    hidden, whole = json.loads(Projection().apply(body)), json.loads(body)

    assert Projection([name]).apply(body) == body
    place = whole
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = [] if path[-1] == "logprobs" else None
    assert _without_nulls(hidden) == _without_nulls(whole)


def test_results_and_sources_of_a_search_are_shown_apart() -> None:
    body = encode_item(SEARCHED)
    sources, results = "web_search_call.action.sources", "web_search_call.results"

    def shown(*include: str) -> tuple[bool, bool]:
        item = json.loads(Projection(include).apply(body))
        return "sources" in item["action"], "results" in item

    assert (shown(), shown(sources), shown(results)) == ((False, False), (True, False), (False, True))
    assert Projection([sources, results]).apply(body) == body


@pytest.mark.parametrize(
    "item",
    [
        Message(id="m", role="user", content=(InputText(text='"image_url": "encrypted_content": "logprobs":[{'),)),
        FunctionCall(
            id="f", call_id="c", name="f", arguments='{"image_url":"x","encrypted_content":1,"logprobs":[{}]}'
        ),
        FunctionCallOutput(id="o", call_id="c", output=(InputImage(image_url="https://x.example/a.png"),)),
        UnknownItem("new", Raw(b'{"id":"u","type":"new","image_url":"x", "encrypted_content":  "y","logprobs":[{}]}')),
        Message(id="m", role="assistant", content=(OutputText(text="Hi"),), status="completed"),
    ],
)
def test_an_item_that_only_looks_alike_is_shown_as_it_is(item: Item) -> None:
    assert Projection().apply(encode_item(item)) == encode_item(item)


def test_everything_hidden_can_be_included() -> None:
    assert set(HIDDEN) == INCLUDABLE


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value
