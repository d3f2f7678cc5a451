"""The dialects of a stream, as tables: what each calls OpenAI's events, what it adds beside them, and how it idles.

The event machine knows OpenAI's wire only. A dialect stands between the machine and the log, so a run's log, its
numbers and every replay are in the dialect the run was made with. A name may end in variants, `vllm-extended+NAME`:
what a setting or a request changes of a dialect is part of its name, and so is kept with the run.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from antiphon.errors import ServerError
from antiphon.wire import extended_events as extended
from antiphon.wire.hosted_events import AnyEvent

Heartbeat = Literal["keepalive", "comment", "ping"]

REASONING: Mapping[str, type[AnyEvent]] = {
    "response.reasoning_text.delta": extended.ReasoningDelta,
    "response.reasoning_text.done": extended.ReasoningDone,
}


class Addition(Struct, frozen=True):
    """An event sent before or behind one of OpenAI's, made from fields of that event and of the item it belongs to.

    `event_fields` and `item_fields` map the names of the new event's fields to those they are taken from; one that the
    event or item lacks is left out. `constants` stand as they are.
    """

    event: type[AnyEvent]
    event_fields: Mapping[str, str]
    item_fields: Mapping[str, str] = {}
    constants: Mapping[str, str] = {}
    before: bool = False

    @property
    def type(self) -> str:
        return type_of(self.event)


class Dialect(Struct, frozen=True, kw_only=True):
    """`renames`: OpenAI's type to this dialect's event. `additions`: by OpenAI's type. `own`: events that are sent for
    themselves. `nested_error`: the `error` event has no flat fields. `done_marker`: a stream ends with `data: [DONE]`.
    `tells_wait`: an error that may be tried again says after how many seconds. `obfuscated`: deltas are padded with
    noise, so that their size says nothing."""

    name: str
    heartbeat: Heartbeat = "keepalive"
    done_marker: bool = False
    nested_error: bool = False
    tells_wait: bool = False
    obfuscated: bool = False
    renames: Mapping[str, type[AnyEvent]] = {}
    additions: Mapping[str, Addition] = {}
    own: frozenset[type[AnyEvent]] = frozenset()

    def speaks(self, event: type[AnyEvent]) -> bool:
        """Whether an event that is not OpenAI's may be given to this dialect's encoder."""
        return event in self.own

    def events(self) -> list[type[AnyEvent]]:
        """Its events that are not OpenAI's."""
        added = [addition.event for addition in self.additions.values()]
        ping = [extended.Ping] if self.heartbeat == "ping" else []
        return list(dict.fromkeys([*self.renames.values(), *added, *sorted(self.own, key=type_of), *ping]))


def type_of(event: type[AnyEvent]) -> str:
    """The `type` of an event."""
    return str(event.__struct_config__.tag)


PLACE = {"item_id": "item_id", "output_index": "output_index"}
SUMMARY_PLACE = PLACE | {"summary_index": "summary_index"}
CALL_ITEM = {"call_id": "call_id", "name": "name"}
SHELL_PLACE = {"output_index": "output_index"}
SHELL_ITEM = {"item_id": "id", "call_id": "call_id"}


def _call_delta(kind: str, place: Mapping[str, str] = PLACE, item_fields: Mapping[str, str] = CALL_ITEM) -> Addition:
    return Addition(extended.ToolCallDelta, {**place, "delta": "delta"}, item_fields, {"tool_type": kind})


def _call_done(
    kind: str, field: str, place: Mapping[str, str] = PLACE, item_fields: Mapping[str, str] = CALL_ITEM
) -> Addition:
    return Addition(extended.ToolCallDone, {**place, "arguments": field}, item_fields, {"tool_type": kind})


OPENAI = Dialect(name="openai")
OPEN_RESPONSES = Dialect(
    name="open-responses", heartbeat="comment", done_marker=True, nested_error=True, renames=REASONING
)
VLLM_EXTENDED = Dialect(
    name="vllm-extended",
    heartbeat="ping",
    done_marker=True,
    tells_wait=True,
    renames=REASONING,
    additions={
        "response.function_call_arguments.delta": _call_delta("function"),
        "response.function_call_arguments.done": _call_done("function", "arguments"),
        "response.custom_tool_call_input.delta": _call_delta("custom"),
        "response.custom_tool_call_input.done": _call_done("custom", "input"),
        "response.mcp_call_arguments.delta": _call_delta("mcp"),
        "response.mcp_call_arguments.done": _call_done("mcp", "arguments"),
        "response.code_interpreter_call_code.delta": _call_delta("code_interpreter"),
        "response.code_interpreter_call_code.done": _call_done("code_interpreter", "code"),
        "response.shell_call_command.delta": _call_delta("shell", SHELL_PLACE, SHELL_ITEM),
        "response.shell_call_command.done": _call_done("shell", "command", SHELL_PLACE, SHELL_ITEM),
        "response.reasoning_summary_part.added": Addition(extended.ReasoningSummaryAdded, SUMMARY_PLACE),
        "response.reasoning_summary_text.delta": Addition(
            extended.ReasoningSummaryDelta, SUMMARY_PLACE | {"delta": "delta"}
        ),
        # Flat, without a top-level `error`: SDKs raise at the first event that has one, and that is `error` itself.
        "error": Addition(
            extended.ErrorAnnounced, {"code": "code", "message": "message", "param": "param"}, before=True
        ),
    },
    own=frozenset({extended.AdditionalContext, extended.RateLimitsUpdated}),
)

DIALECTS: Mapping[str, Dialect] = {each.name: each for each in (OPENAI, OPEN_RESPONSES, VLLM_EXTENDED)}


def _with_openais_reasoning(dialect: Dialect) -> Dialect:
    return replace(dialect, renames={name: event for name, event in dialect.renames.items() if name not in REASONING})


def _without_rate_limits(dialect: Dialect) -> Dialect:
    return replace(dialect, own=dialect.own - {extended.RateLimitsUpdated})


LEGACY_REASONING, NO_RATE_LIMITS, OBFUSCATION = "legacy-reasoning", "no-rate-limits", "obfuscation"
VARIANTS: Mapping[str, Callable[[Dialect], Dialect]] = {
    LEGACY_REASONING: _with_openais_reasoning,
    NO_RATE_LIMITS: _without_rate_limits,
    OBFUSCATION: lambda dialect: replace(dialect, obfuscated=True),
}
"""What can be changed of a dialect: `response.reasoning_text.*` instead of `response.reasoning.*`, no
`response.rate_limits.updated`, and noise on deltas."""


def varied(dialect: Dialect, variant: str) -> Dialect:
    """A dialect with one more variant."""
    base, *variants = dialect.name.split("+")
    if variant in variants:
        return dialect
    name = "+".join([base, *sorted([*variants, variant])])
    return VARIANTS[variant](replace(dialect, name=name))


@cache
def dialect_named(name: str) -> Dialect | None:
    """The dialect of that name, variants included; None for a name that is no dialect's."""
    base, *variants = name.split("+")
    if base not in DIALECTS or any(variant not in VARIANTS for variant in variants):
        return None
    dialect = DIALECTS[base]
    for variant in variants:
        dialect = varied(dialect, variant)
    return dialect


def stored_dialect(name: str) -> Dialect:
    """The dialect that a run was made with. Raises: ServerError for one that is not known here."""
    dialect = dialect_named(name)
    if dialect is None:
        raise ServerError("Stored data cannot be read.")
    return dialect
