"""What each `include` value shows of an output item, for events that tell of it when the item is done."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from antiphon.wire.content import ComputerScreenshot, InputImage, OutputText
from antiphon.wire.hosted import CodeInterpreterCall, ComputerCallOutput, FileSearchCall, WebSearch, WebSearchCall
from antiphon.wire.items import Item, Message, Reasoning


def _logprobs(item: Item) -> object:
    if not isinstance(item, Message):
        return None
    return [each for part in item.content if isinstance(part, OutputText) for each in part.logprobs] or None


def _image_urls(item: Item) -> object:
    if not isinstance(item, Message):
        return None
    return [part.image_url for part in item.content if isinstance(part, InputImage) and part.image_url] or None


def _sources(item: Item) -> object:
    return item.action.sources if isinstance(item, WebSearchCall) and isinstance(item.action, WebSearch) else None


def _screenshot(item: Item) -> object:
    if isinstance(item, ComputerCallOutput) and isinstance(item.output, ComputerScreenshot):
        return item.output.image_url
    return None


CONTEXTS: Mapping[str, Callable[[Item], object]] = {
    "code_interpreter_call.outputs": lambda item: item.outputs if isinstance(item, CodeInterpreterCall) else None,
    "computer_call_output.output.image_url": _screenshot,
    "file_search_call.results": lambda item: item.results if isinstance(item, FileSearchCall) else None,
    "message.input_image.image_url": _image_urls,
    "message.output_text.logprobs": _logprobs,
    "reasoning.encrypted_content": lambda item: item.encrypted_content if isinstance(item, Reasoning) else None,
    "web_search_call.action.sources": _sources,
}
"""None: the item has nothing of the kind."""


def contexts(item: Item, include: Sequence[str]) -> Iterator[dict[str, object]]:
    """What the values of `include` show of `item`, each by itself."""
    for value in include:
        look = CONTEXTS.get(value)
        found = look(item) if look is not None else None
        if found is not None:
            yield {value: found}
