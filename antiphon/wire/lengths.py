"""How many tools and items a request may have, counted before any of them is read: reading holds up everybody."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from antiphon.wire.faults import too_long

MAX_TOOLS = 1_024
"""In a request as a whole: its own, those in namespaces, and those that items bring."""
MAX_ITEMS = 100_000
MAX_PARTS = 100_000
"""Of the contents and outputs of all items together."""
MAX_EDITS = 1_024
"""Entries of `context_management`."""
MAX_PAIRS = 10_000
_LEAST_BYTES = 16 * 2**10
"""A shorter body has no room for too many tools."""

_NONE = Raw(b"")
_T = TypeVar("_T")


class _Request(Struct, gc=False):
    tools: Raw = _NONE
    input: Raw = _NONE
    items: Raw = _NONE
    tool_outputs: Raw = _NONE
    context_management: Raw = _NONE
    metadata: Raw = _NONE


class _Holder(Struct, gc=False):
    tools: Raw = _NONE
    content: Raw = _NONE
    output: Raw = _NONE
    tool_calls: Raw = _NONE


_request = msgspec.json.Decoder(_Request)
_holder = msgspec.json.Decoder(_Holder)
_holders = msgspec.json.Decoder(list[_Holder])
_elements = msgspec.json.Decoder(list[Raw])
_pairs = msgspec.json.Decoder(dict[str, Raw])


def check_lengths(body: bytes) -> None:
    """Raises: Fault for what is too long. What is wrong otherwise is left to those who read it."""
    if len(body) < _LEAST_BYTES:
        return
    request = _read(_request, Raw(body))
    if request is None:
        return
    tools, parts = _count(request.tools, "tools", 0), 0
    for name in ("input", "items", "tool_outputs"):
        for index, item in enumerate(_members(getattr(request, name), name, MAX_ITEMS)):
            if item.tools is not _NONE:
                tools = _count(item.tools, f"{name}[{index}].tools", tools)
            for field in ("content", "output", "tool_calls"):
                parts += (added := _length(getattr(item, field)))
                if added:
                    _bound(f"{name}[{index}].{field}", parts, MAX_PARTS)
    _bound("context_management", _length(request.context_management), MAX_EDITS)
    pairs = _read(_pairs, request.metadata) or {}
    if len(pairs) > MAX_PAIRS:
        raise too_long("metadata", MAX_PAIRS, len(pairs), "object")


def _count(raw: Raw, place: str, before: int) -> int:
    """With those `before`, the tools of an array and of the namespaces in it."""
    found = _members(raw, place, MAX_TOOLS - before)
    tools = before + len(found)
    for tool in found:
        if tool.tools is not _NONE:
            inner = _read(_elements, tool.tools)
            tools += len(inner) if inner is not None else 0
            _bound(place, tools, MAX_TOOLS)
    return tools


def _length(raw: Raw) -> int:
    """Of an array; 0 for everything else."""
    if raw is _NONE or memoryview(raw)[0] != ord("["):
        return 0
    elements = _read(_elements, raw)
    return len(elements) if elements is not None else 0


def _members(raw: Raw, place: str, at_most: int) -> Sequence[_Holder]:
    """The elements of an array, also of one whose faults somebody else will find."""
    members = _read(_holders, raw)
    if members is None:
        elements = _read(_elements, raw)
        if elements is None:
            return ()
        _bound(place, len(elements), at_most)
        members = [_read(_holder, element) or _Holder() for element in elements]
    _bound(place, len(members), at_most)
    return members


def _read(decoder: "msgspec.json.Decoder[_T]", raw: Raw) -> _T | None:
    try:
        return decoder.decode(raw) if raw is not _NONE else None
    except (msgspec.DecodeError, RecursionError):
        return None


def _bound(place: str, length: int, at_most: int) -> None:
    if length > at_most:
        raise too_long(place, at_most, length, "array")
