"""A chunk that is the one before with another text, recognised by what stands around the text.

JSON with one string of it replaced by another string is the same JSON with that other string. So a chunk that begins
and ends as the one before, with a JSON string in between, means the same but for the text, and need not be decoded.
"""

from typing import Final, Literal

import msgspec

from antiphon.engines.chat_chunk import NOT_JSON, Chunk, ChunkDelta

Field = Literal["content", "reasoning", "reasoning_content", "arguments"]

_TEXTS: Final[tuple[Field, ...]] = ("content", "reasoning", "reasoning_content")
_OTHERS = ("content", "reasoning", "reasoning_content", "refusal", "tool_calls", "function_call")
_MOST_BYTES: Final = 2048  # of a line that is learned from: a long text takes time to look through
_MARK: Final = "\x00another text"
_MARK_JSON: Final = msgspec.json.encode(_MARK)

_decode = msgspec.json.Decoder(Chunk).decode
_decode_string = msgspec.json.Decoder(str).decode


class Repetition:
    """What stands around the text of a line, `data:` included. An event is a line and the blank one at its end."""

    def __init__(self, head: bytes, tail: bytes, field: Field) -> None:
        self.field = field
        self._head = head
        self._tail = tail
        self._event_tail = tail + b"\n\n"

    def text_of(self, line: bytes) -> str | None:
        """The text of a line that differs in nothing else; None for any other line, and for one without text."""
        return self._between(line, self._tail)

    def text_of_event(self, event: bytes) -> str | None:
        """The same of a whole event."""
        return self._between(event, self._event_tail)

    def _between(self, said: bytes, tail: bytes) -> str | None:
        head = self._head
        if len(said) <= len(head) + len(tail) + 2 or not said.startswith(head) or not said.endswith(tail):
            return None
        try:
            return _decode_string(said[len(head) : -len(tail)])
        except NOT_JSON:  # more than a string, or less
            return None


def field_of(chunk: Chunk) -> Field | None:
    """Which field of a chunk holds text, if that is all it holds."""
    choices = chunk.choices
    if not choices or chunk.usage is not None or chunk.error is not None:
        return None
    choice = choices[0]
    delta = choice.delta
    if delta is None or choice.finish_reason is not None or choice.logprobs is not None:
        return None
    held = [name for name in _OTHERS if getattr(delta, name) is not None]
    if held == ["tool_calls"]:
        return "arguments" if _more_arguments(delta) else None
    return next((field for field in _TEXTS if held == [field] and getattr(delta, field)), None)


def _more_arguments(delta: ChunkDelta) -> str | None:
    """More arguments of one call that has begun, if that is all there is."""
    calls = delta.tool_calls or []
    function = calls[0].function if len(calls) == 1 else None
    if function is None or function.name or not isinstance(function.arguments, str):
        return None
    return function.arguments or None


def learn(line: bytes, field: Field) -> Repetition | None:
    """The form of a line whose chunk has `field` and nothing else; None where the text cannot be told apart."""
    if len(line) > _MOST_BYTES:
        return None
    key = b'"%b":' % field.encode()
    start = line.find(b'"', line.find(key) + len(key))
    end = _end_of_string(line, start)
    head, tail = line[:start], line[end:]
    try:
        chunk = _decode(b"%b%b%b" % (head[len(b"data:") :], _MARK_JSON, tail))
    except NOT_JSON:
        return None
    if field_of(chunk) != field or _text_in(chunk, field) != _MARK:
        return None
    return Repetition(head, tail, field)


def _text_in(chunk: Chunk, field: Field) -> object:
    delta = chunk.choices[0].delta if chunk.choices else None
    if delta is None:
        return None
    return _more_arguments(delta) if field == "arguments" else getattr(delta, field)


def _end_of_string(text: bytes, start: int) -> int:
    """Behind the quotation mark that closes the one at `start`."""
    end = text.find(b'"', start + 1)
    while end > 0 and (end - len(text[:end].rstrip(b"\\"))) % 2:
        end = text.find(b'"', end + 1)
    return end + 1
