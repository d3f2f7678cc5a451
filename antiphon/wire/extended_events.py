"""Events that are not OpenAI's: what dialects say beside, or instead of, the events of `wire.events`."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import UNSET, UnsetType, field

from antiphon.wire.content import Wire, none
from antiphon.wire.hosted_events import AnyEvent, Number
from antiphon.wire.response import ErrorDetail

CallKind = Literal["function", "custom", "mcp", "code_interpreter", "shell"]


class ToolCallDelta(AnyEvent, frozen=True, kw_only=True, tag="response.tool_call.delta"):
    """More of the arguments, input or code of a call of any kind. `call_id` and `name` are those of its item."""

    tool_type: CallKind
    item_id: str
    output_index: int
    call_id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    delta: str
    sequence_number: Number = UNSET


class ToolCallDone(AnyEvent, frozen=True, kw_only=True, tag="response.tool_call.done"):
    """The arguments, the input or the code of a call of any kind are whole."""

    tool_type: CallKind
    item_id: str
    output_index: int
    call_id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    arguments: str
    sequence_number: Number = UNSET


class ReasoningDelta(AnyEvent, frozen=True, kw_only=True, tag="response.reasoning.delta"):
    """More raw reasoning."""

    item_id: str
    output_index: int
    content_index: int
    delta: str
    sequence_number: Number = UNSET


class ReasoningDone(AnyEvent, frozen=True, kw_only=True, tag="response.reasoning.done"):
    """A part of raw reasoning is whole."""

    item_id: str
    output_index: int
    content_index: int
    text: str
    sequence_number: Number = UNSET


class ReasoningSummaryAdded(AnyEvent, frozen=True, kw_only=True, tag="response.reasoning.summary.added"):
    """A part of a summary begins."""

    item_id: str
    output_index: int
    summary_index: int
    sequence_number: Number = UNSET


class ReasoningSummaryDelta(AnyEvent, frozen=True, kw_only=True, tag="response.reasoning.summary.delta"):
    """More of a summary."""

    item_id: str
    output_index: int
    summary_index: int
    delta: str
    sequence_number: Number = UNSET


class ContextOwner(Wire, frozen=True):
    """The response that a context belongs to."""

    id: str


class AdditionalContext(AnyEvent, frozen=True, kw_only=True, tag="response.additional_context"):
    """What one requested `include` value shows of an item that is done, by that value."""

    response: ContextOwner
    context: Mapping[str, Any]
    sequence_number: Number = UNSET


class RateLimit(Wire, frozen=True, kw_only=True):
    """What is left of a limit, and when it is whole again."""

    name: str
    limit: int
    remaining: int
    reset_seconds: float


class RateLimitsUpdated(AnyEvent, frozen=True, kw_only=True, tag="response.rate_limits.updated"):
    """What the response leaves of its caller's limits; before the terminal event."""

    rate_limits: tuple[RateLimit, ...]
    sequence_number: Number = UNSET


class ErrorAnnounced(AnyEvent, frozen=True, kw_only=True, tag="response.error"):
    """An error in mid-stream, flat; `error` itself follows."""

    code: str | None = field(default_factory=none)
    message: str
    param: str | None = field(default_factory=none)
    sequence_number: Number = UNSET


class NestedError(AnyEvent, frozen=True, kw_only=True, tag="error"):
    """An error in mid-stream, in its nested form alone."""

    error: ErrorDetail
    sequence_number: Number = UNSET


class Ping(AnyEvent, frozen=True, kw_only=True, tag="response.ping"):
    """Nothing is generated; repeats the number of the last event sent."""

    sequence_number: Number = UNSET
