"""What this server does not know: carried along untouched, so that nothing a client sent is lost or refused."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Raw


class Unknown:
    """A JSON object whose `type` has no struct here; `body` is the whole object as it was written."""

    __slots__ = ("body", "type")

    def __init__(self, type: str, body: Raw) -> None:
        self.type = type
        self.body = body

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and other.body == self.body

    def __hash__(self) -> int:
        return hash(bytes(self.body))

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(type={self.type!r})"


class UnknownItem(Unknown):
    """An input item of an unknown type."""

    __slots__ = ()


class UnknownTool(Unknown):
    """A tool of an unknown type; nothing that the model can call."""

    __slots__ = ()


class UnknownAnnotation(Unknown):
    """An annotation of an unknown type or shape."""

    __slots__ = ()


def _body_of(value: Any) -> Raw:
    if isinstance(value, Unknown):
        return value.body
    raise TypeError(f"{type(value).__name__} has no JSON form")


_encoder = msgspec.json.Encoder(enc_hook=_body_of)
encode: Callable[[object], bytes] = _encoder.encode
"""Any value of the wire as JSON, unknown ones as they came."""
encode_lines: Callable[[Iterable[object]], bytes] = _encoder.encode_lines
"""Values as lines of JSON, each as `encode` has it."""
