"""Reading the parts that all requests are made of: values, arrays and maps of JSON, and what is wrong with them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from antiphon.wire.faults import NO_CHOICES, Fault, fault_of, wrong_type
from antiphon.wire.several import Several
from antiphon.wire.shape import ABSENT, Read

NULL = Raw(b"null")

_str = msgspec.json.Decoder(str)
_list = msgspec.json.Decoder(list[Raw])
_dict = msgspec.json.Decoder(dict[str, Raw])
_any = msgspec.json.Decoder()

KINDS = {
    ord('"'): "string",
    ord("{"): "object",
    ord("["): "array",
    ord("t"): "boolean",
    ord("f"): "boolean",
    ord("n"): "null",
}


def kind_of(raw: Raw) -> str:
    """What kind of JSON value this is; "absent" if there is none."""
    return KINDS.get(memoryview(raw)[0], "number") if raw is not ABSENT else "absent"


def decode(decoder: "msgspec.json.Decoder[Any]", raw: Raw, choices: Mapping[str, Sequence[str]] = NO_CHOICES) -> Any:
    """What `decoder` makes of `raw`. Raises: Fault where its shape is another."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise fault_of(error, choices) from None


def read_str(raw: Raw) -> str:
    """A string. Raises: Fault for anything else."""
    text: str = decode(_str, raw)
    return text


def read_fields(raw: Raw) -> dict[str, Raw]:
    """An object's values by their keys. Raises: Fault for anything else."""
    values: dict[str, Raw] = decode(_dict, raw)
    return values


def read_elements(raw: Raw) -> list[Raw]:
    """An array's elements. Raises: Fault for anything else."""
    elements: list[Raw] = decode(_list, raw)
    return elements


def read_raw(raw: Raw) -> Raw:
    """User JSON as it was written, checked to be JSON all through, and independent of the body it came in."""
    decode(_any, raw)
    return raw.copy()


def array_of(read: Read) -> Read:
    """The reader of an array whose elements `read` reads; the members of a `Several` stand in its place."""

    def read_array(raw: Raw) -> tuple[Any, ...]:
        found: list[Any] = []
        for index, element in enumerate(read_elements(raw)):
            try:
                value = read(element)
            except Fault as fault:
                raise fault.under(f"[{index}]") from None
            if type(value) is Several:
                found.extend(value)
            else:
                found.append(value)
        return tuple(found)

    return read_array


def map_of(read: Read) -> Read:
    """The reader of an object whose values `read` reads."""

    def read_map(raw: Raw) -> dict[str, Any]:
        found = {}
        for key, value in read_fields(raw).items():
            try:
                found[key] = read(value)
            except Fault as fault:
                raise fault.under(f".{key}") from None
        return found

    return read_map


def text_or(read_array: Read) -> Read:
    """The reader of a string, or of an array that `read_array` reads."""

    def read_either(raw: Raw) -> Any:
        match kind_of(raw):
            case "string":
                return read_str(raw)
            case "array":
                return read_array(raw)
            case kind:
                raise wrong_type("a string or an array", kind)

    return read_either


def integer(value: int | float, place: str) -> int:
    """An integer that may have been written 3.0. Raises: Fault for 3.5."""
    if isinstance(value, int):
        return value
    if not value.is_integer():
        raise wrong_type("an integer", "decimal number").under(place)
    return int(value)
