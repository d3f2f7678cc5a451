"""The flat shape of a struct: what msgspec decodes at once, and what is left raw for readers."""

from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Raw, Struct, UnsetType

from antiphon.wire.unknown import Unknown

Read = Callable[[Raw], Any]
FieldRead = Callable[[Raw, Any], Any]

ABSENT = Raw(b"")


class Tag(Struct, frozen=True, gc=False):
    """What says of an object which one of a union's structs it is."""

    type: str | None = None


class Rules(Struct, frozen=True, kw_only=True):
    """How a set of readers departs from the types. Unions are named by the set of their members.

    `fields`: readers of single fields, given the raw value (ABSENT, `null` or any) and its siblings.
    `spread`: fields whose struct's own fields stand on the wire beside them. `hidden`: fields that are not on the wire.
    `tags`: readers of tags beside or instead of a union's own. `untagged`: names the tag of an object that has none.
    """

    strict: bool = False
    fields: Mapping[tuple[type, str], FieldRead] = msgspec.field(default_factory=dict)
    spread: frozenset[tuple[type, str]] = frozenset()
    hidden: frozenset[tuple[type, str]] = frozenset()
    tags: Mapping[frozenset[Any], Mapping[str, Read]] = msgspec.field(default_factory=dict)
    untagged: Mapping[frozenset[Any], Callable[[Raw], str | None]] = msgspec.field(default_factory=dict)


class Shape:
    """A struct's fields by how they are read.

    `plain` values are msgspec's alone; `whole` are integers, also written 3.0; `nested` values have readers; `ruled`
    ones are the rules'; `spread` ones are structs whose fields stand beside them. A place is a path within the object.
    """

    def __init__(self, cls: type[Struct], rules: Rules, reader_of: Callable[[Any], Read]) -> None:
        self.cls = cls
        self.plain: list[str] = []
        self.whole: list[tuple[str, str]] = []
        self.nested: list[tuple[str, str, Read]] = []
        self.ruled: list[tuple[str, str, FieldRead]] = []
        self.spread: list[tuple[str, Shape]] = []
        self.required: list[tuple[str, str]] = []
        self.fields: list[tuple[str, Any, Any]] = []
        self.names: dict[str, str] = {}
        self.choices: dict[str, tuple[str, ...]] = {}
        hints = get_type_hints(cls)
        for field in msgspec.structs.fields(cls):
            self._add(field, hints[field.name], rules, reader_of)
        tag_field = cls.__struct_config__.tag_field
        if tag_field is not None:
            self._keep("tag_", tag_field, str)

    def decoder(self, name: str, *, forbid_unknown_fields: bool) -> "msgspec.json.Decoder[Any]":
        """The decoder of the flat form: plain values or None, everything else raw or ABSENT."""
        flat = msgspec.defstruct(
            name,
            self.fields,
            rename=self.names,
            forbid_unknown_fields=forbid_unknown_fields,
            frozen=True,
            gc=False,
            kw_only=True,
        )
        return msgspec.json.Decoder(flat)

    def _add(self, field: msgspec.structs.FieldInfo, kind: Any, rules: Rules, reader_of: Callable[[Any], Read]) -> None:
        name, place, key = field.name, f".{field.encode_name}", (self.cls, field.name)
        if key in rules.hidden:
            return
        if field.required:
            self.required.append((name, place))
        if key in rules.spread:
            inner = Shape(kind, rules, reader_of)
            self.spread.append((name, inner))
            self.fields += inner.fields
            self.names |= inner.names
            self.choices |= inner.choices
        elif key in rules.fields:
            self.ruled.append((name, place, rules.fields[key]))
            self._keep(name, field.encode_name, Raw)
        elif is_nested(kind):
            self.nested.append((name, place, reader_of(without_null(kind))))
            self._keep(name, field.encode_name, Raw)
        elif members_of(kind) == (int,):
            self.whole.append((name, place))
            self._keep(name, field.encode_name, int | float)
        else:
            self.plain.append(name)
            self.choices[place] = literals_of(kind)
            self._keep(name, field.encode_name, without_null(kind))

    def _keep(self, name: str, encode_name: str, kind: Any) -> None:
        self.names[name] = encode_name
        self.fields.append((name, Raw, ABSENT) if kind is Raw else (name, kind | None, None))


def members_of(kind: Any) -> tuple[Any, ...]:
    """A union's members without null and unset; any other type alone."""
    if isinstance(kind, UnionType) or get_origin(kind) is Union:
        return tuple(member for member in get_args(kind) if member is not NoneType and member is not UnsetType)
    return (kind,)


def without_null(kind: Any) -> Any:
    """`kind` without null and unset."""
    return Union[members_of(kind)]  # noqa: UP007  (an operator cannot join a tuple)


def is_nested(kind: Any) -> bool:
    """Whether values of this type need readers: it holds structs, raw JSON or maps."""
    for member in members_of(kind):
        if get_origin(member) is dict:
            return True
        if isinstance(member, type) and issubclass(member, Struct | Raw | Unknown):
            return True
        if any(is_nested(inner) for inner in get_args(member) if inner is not Ellipsis):
            return True
    return False


def literals_of(kind: Any) -> tuple[str, ...]:
    """The values of a closed set of strings, wherever in `kind` it stands."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(value for inner in get_args(kind) if inner is not Ellipsis for value in literals_of(inner))
