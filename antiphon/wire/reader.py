"""Reading JSON into structs: one reader per type, made from the type itself.

An object is read in two steps. Its own struct's shape, with every nested value left raw, is decoded by msgspec; then
each nested value is read by the reader of its type, and a fault found there is prefixed with where it stands. So nulls
can stand for absence, tags can be missing or unknown, and `Rules` can put a reader of their own at any field or tag.
"""

from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Raw, Struct

from antiphon.errors import ServerError
from antiphon.wire.faults import Fault, invalid_value, missing
from antiphon.wire.primitives import NULL, array_of, decode, integer, map_of, read_raw, read_str, text_or
from antiphon.wire.shape import ABSENT, Read, Rules, Shape, Tag, members_of
from antiphon.wire.unknown import Unknown

_tag = msgspec.json.Decoder(Tag)


class Readers:
    """The readers of every type under one set of rules, made when first asked for."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._made: dict[Any, Read] = {}

    def of(self, kind: Any) -> Read:
        """The reader of `kind`: Raw, a struct, a union of tagged structs, `str | tuple[…]`, an array or map of these.

        It raises Fault, RecursionError, or msgspec.DecodeError (JSON that is broken further in).
        """
        read = self._made.get(kind)
        if read is None:
            read = self._made[kind] = self._make(kind)
        return read

    def _make(self, kind: Any) -> Read:
        members = members_of(kind)
        if members == (str,):
            return read_str
        if str in members:
            return text_or(self.of(next(member for member in members if member is not str)))
        if len(members) > 1:
            return self._union(members)
        kind = members[0]
        if kind is Raw:
            return read_raw
        if get_origin(kind) is tuple:
            return array_of(self.of(get_args(kind)[0]))
        if get_origin(kind) is dict:
            return map_of(self.of(get_args(kind)[1]))
        return self._struct(kind)

    def _union(self, members: tuple[Any, ...]) -> Read:
        unknown = next((member for member in members if issubclass(member, Unknown)), None)
        return self.tagged(
            {member.__struct_config__.tag: member for member in members if issubclass(member, Struct)},
            tags=self.rules.tags.get(frozenset(members), {}),
            untagged=self.rules.untagged.get(frozenset(members)),
            unknown=None if self.rules.strict else unknown,
        )

    def tagged(
        self,
        structs: Mapping[str, type[Struct]],
        *,
        tags: Mapping[str, Read],
        untagged: Callable[[Raw], str | None] | None = None,
        unknown: Callable[[str, Raw], Any] | None = None,
    ) -> Read:
        """The reader of objects told apart by `type`; `tags` before `structs`, `unknown` for the rest."""
        reads = dict(tags)

        def read_tagged(raw: Raw) -> Any:
            tag = decode(_tag, raw).type
            if tag is None and untagged is not None:
                tag = untagged(raw)
            if tag is None:
                raise missing(".type")
            read = reads.get(tag)
            if read is not None:
                return read(raw)
            if tag in structs:
                read = reads[tag] = self.of(structs[tag])
                return read(raw)
            if unknown is None:
                raise invalid_value(tag, sorted({*structs, *tags}))
            return unknown(tag, read_raw(raw))

        return read_tagged

    def _struct(self, cls: type[Struct]) -> Read:
        shape = Shape(cls, self.rules, self.of)
        decoder = shape.decoder(cls.__name__, forbid_unknown_fields=self.rules.strict)

        def read_struct(raw: Raw) -> Any:
            return build(shape, decode(decoder, raw, shape.choices))

        return read_struct


def build(shape: Shape, flat: Any) -> Any:
    """The struct of `shape` from its flat form."""
    values: dict[str, Any] = {}
    for name in shape.plain:
        value = getattr(flat, name)
        if value is not None:
            values[name] = value
    for name, place in shape.whole:
        value = getattr(flat, name)
        if value is not None:
            values[name] = integer(value, place)
    for name, place, read in shape.nested:
        value = getattr(flat, name)
        if value is ABSENT or value == NULL:
            continue
        try:
            values[name] = read(value)
        except Fault as fault:
            raise fault.under(place) from None
    for name, place, read_field in shape.ruled:
        try:
            value = read_field(getattr(flat, name), flat)
        except Fault as fault:
            raise fault.under(place) from None
        if value is not None:
            values[name] = value
    for name, inner in shape.spread:
        values[name] = build(inner, flat)
    for name, place in shape.required:
        if name not in values:
            raise missing(place)
    return shape.cls(**values)


def trusted(kind: Any) -> Callable[[bytes | Raw], object]:
    """The reader of JSON that this project wrote. It raises ServerError when it cannot be read."""
    read = _trusted.of(kind)

    def read_trusted(body: bytes | Raw) -> object:
        try:
            value: object = read(Raw(body))
        except (Fault, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ServerError("Stored data cannot be read.") from error
        return value

    return read_trusted


_trusted = Readers(Rules())
