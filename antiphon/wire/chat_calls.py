"""An assistant's message of Chat Completions that holds calls: the message, if it says something, then its calls."""

from typing import Any

from msgspec import Raw

from antiphon.wire.content import OutputText
from antiphon.wire.faults import Fault, missing
from antiphon.wire.items import CustomToolCall, FunctionCall, Message
from antiphon.wire.primitives import NULL, array_of, kind_of, read_fields, read_str
from antiphon.wire.several import Several
from antiphon.wire.shape import ABSENT, FieldRead, Read


def chat_calls(read_message: Read, read_arguments: FieldRead, read_input: FieldRead) -> Read:
    """The reader of a message with `tool_calls`; other roles than `assistant` cannot call, so theirs are ignored."""

    def read_call(raw: Raw) -> FunctionCall | CustomToolCall:
        fields = read_fields(raw)
        call_id = _read(fields, "id")
        if "custom" in fields:
            name, text = _read_inner(fields["custom"], "custom", "input", read_input)
            return CustomToolCall(call_id=call_id, name=name, input=text)
        name, text = _read_inner(fields.get("function", ABSENT), "function", "arguments", read_arguments)
        return FunctionCall(call_id=call_id, name=name, arguments=text)

    read_calls = array_of(read_call)

    def read_items(raw: Raw) -> Any:
        fields = read_fields(raw)
        message: Message = read_message(raw)
        calls = fields["tool_calls"]
        if calls == NULL or message.role != "assistant":
            return message
        try:
            items = read_calls(calls)
        except Fault as fault:
            raise fault.under(".tool_calls") from None
        return Several((message, *items) if _speaks(message) or not items else items)

    return read_items


def _speaks(message: Message) -> bool:
    return any(not isinstance(part, OutputText) or part.text for part in message.content)


def _read_inner(raw: Raw, key: str, field: str, read_field: FieldRead) -> tuple[str, str]:
    """The name of what is called, and what it is called with."""
    if kind_of(raw) in ("absent", "null"):
        raise missing(f".{key}")
    try:
        fields = read_fields(raw)
        name = _read(fields, "name")
        try:
            return name, read_field(fields.get(field, ABSENT), None)
        except Fault as fault:
            raise fault.under(f".{field}") from None
    except Fault as fault:
        raise fault.under(f".{key}") from None


def _read(fields: dict[str, Raw], key: str) -> str:
    value = fields.get(key, NULL)
    if value == NULL:
        raise missing(f".{key}")
    try:
        return read_str(value)
    except Fault as fault:
        raise fault.under(f".{key}") from None
