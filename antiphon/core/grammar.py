"""The grammar of a stream, as data: what each kind of delta opens, appends and closes."""

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from antiphon.core import deltas as d
from antiphon.core.action_items import ActionCall
from antiphon.core.chat import encode_json
from antiphon.core.whole_items import CallOutput
from antiphon.wire import events as ev
from antiphon.wire.content import OutputText, ReasoningText, Refusal
from antiphon.wire.items import CustomToolCall, FunctionCall, ToolSearchCall

ItemStatus = Literal["in_progress", "completed", "incomplete"]
IncompleteReason = Literal["max_output_tokens", "content_filter", "steered"]
ItemPart = OutputText | Refusal | ReasoningText
WrittenCall = FunctionCall | CustomToolCall
"""A call whose arguments stream as they are written."""
Call = WrittenCall | ActionCall
Output = CallOutput


class PartRow(Struct, frozen=True):
    """How one kind of content grows: the item it belongs to, its part, the part's field, and its events."""

    item: Literal["message", "reasoning"]
    part: Callable[..., ItemPart]
    field: str
    delta: Callable[..., ev.Event]
    done: Callable[..., ev.Event]


class CallRow(Struct, frozen=True):
    """How one kind of call grows: its item, the item's field, and its events, of which a search for tools has none."""

    item: Callable[..., WrittenCall | ToolSearchCall]
    prefix: str
    field: str
    delta: Callable[..., ev.Event] | None = None
    done: Callable[..., ev.Event] | None = None


def _search_call(*, id: str, call_id: str, arguments: str, status: ItemStatus, **_: object) -> ToolSearchCall:
    written = None if status == "in_progress" else _as_json(arguments)
    return ToolSearchCall(id=id, call_id=call_id, execution="client", arguments=written, status=status)


def _as_json(text: str) -> Raw:
    """Arguments as JSON of their own; as a string where the model wrote none."""
    if not text:
        return Raw(b"{}")
    try:
        return Raw(msgspec.json.encode(msgspec.json.decode(text)))
    except msgspec.DecodeError:
        return Raw(encode_json(text).encode())


PARTS: Mapping[type, PartRow] = {
    d.TextDelta: PartRow("message", OutputText, "text", ev.OutputTextDelta, ev.OutputTextDone),
    d.RefusalDelta: PartRow("message", Refusal, "refusal", ev.RefusalDelta, ev.RefusalDone),
    d.ReasoningDelta: PartRow("reasoning", ReasoningText, "text", ev.ReasoningTextDelta, ev.ReasoningTextDone),
}
CALLS: Mapping[str, CallRow] = {
    "function": CallRow(FunctionCall, "fc", "arguments", ev.FunctionCallArgumentsDelta, ev.FunctionCallArgumentsDone),
    "custom": CallRow(CustomToolCall, "ctc", "input", ev.CustomToolCallInputDelta, ev.CustomToolCallInputDone),
    "tool_search": CallRow(_search_call, "tsc", "arguments"),
}
ITEM_PREFIX = {"message": "msg", "reasoning": "rs"}
INCOMPLETE_REASON: Mapping[str, IncompleteReason] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
    "steered": "steered",
}
ERROR_TYPE: Mapping[str, str] = {
    "context_length_exceeded": "invalid_request_error",
    "invalid_prompt": "invalid_request_error",
    "rate_limit_exceeded": "rate_limit_error",
    "insufficient_quota": "insufficient_quota",
}
