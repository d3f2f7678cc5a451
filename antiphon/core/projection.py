"""`include` when reading: what is stored in its fullest form, shown as far as it was asked for."""

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from antiphon.wire.content import InputImage, OutputText
from antiphon.wire.hosted import CodeInterpreterCall, ComputerCallOutput, FileSearchCall, WebSearch, WebSearchCall
from antiphon.wire.items import Item, Message, Reasoning, decode_item, encode_item


def _without_logprobs(item: Item) -> Item:
    if not isinstance(item, Message):
        return item
    parts = (replace(part, logprobs=()) if isinstance(part, OutputText) else part for part in item.content)
    return replace(item, content=tuple(parts))


def _without_image_urls(item: Item) -> Item:
    if not isinstance(item, Message):
        return item
    parts = (replace(part, image_url=None) if isinstance(part, InputImage) else part for part in item.content)
    return replace(item, content=tuple(parts))


def _without_encrypted_content(item: Item) -> Item:
    return replace(item, encrypted_content=None) if isinstance(item, Reasoning) else item


def _without_screenshot(item: Item) -> Item:
    if not isinstance(item, ComputerCallOutput):
        return item
    return replace(item, output=replace(item.output, image_url=None))


def _without_interpreter_outputs(item: Item) -> Item:
    return replace(item, outputs=None) if isinstance(item, CodeInterpreterCall) else item


def _without_results(kind: type[FileSearchCall] | type[WebSearchCall]) -> Callable[[Item], Item]:
    return lambda item: replace(item, results=None) if isinstance(item, kind) else item


def _without_sources(item: Item) -> Item:
    if not isinstance(item, WebSearchCall) or not isinstance(item.action, WebSearch):
        return item
    return replace(item, action=replace(item.action, sources=None))


# include value: bytes without which an item has nothing of the kind, and what leaves it out
HIDDEN: Mapping[str, tuple[bytes, Callable[[Item], Item]]] = {
    "message.output_text.logprobs": (b'"logprobs":[{', _without_logprobs),
    "message.input_image.image_url": (b'"image_url":', _without_image_urls),
    "reasoning.encrypted_content": (b'"encrypted_content":', _without_encrypted_content),
    "computer_call_output.output.image_url": (b'"computer_call_output"', _without_screenshot),
    "code_interpreter_call.outputs": (b'"code_interpreter_call"', _without_interpreter_outputs),
    "file_search_call.results": (b'"file_search_call"', _without_results(FileSearchCall)),
    "web_search_call.results": (b'"web_search_call"', _without_results(WebSearchCall)),
    "web_search_call.action.sources": (b'"web_search_call"', _without_sources),
}


class Projection:
    """Shows an item's JSON object without what `include` does not name."""

    def __init__(self, include: Iterable[str] = ()) -> None:
        included = frozenset(include)
        self._hidden = [rule for name, rule in HIDDEN.items() if name not in included]

    def apply(self, body: bytes) -> bytes:
        """The object itself where there is nothing to leave out, which is the rule and costs no decoding."""
        for sign, leave_out in self._hidden:
            if sign in body:
                body = encode_item(leave_out(decode_item(body)))
        return body
