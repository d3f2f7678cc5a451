"""What is wrong in a request, found where it stands and told as OpenAI tells it."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from antiphon.errors import InvalidRequest


class Fault(Exception):
    """Something wrong at `path`, which grows towards the root; `message` has `{param}` where the full path belongs."""

    def __init__(self, message: str, path: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.code = code

    def __str__(self) -> str:
        param = self.path.removeprefix(".")
        return self.message.replace("'{param}'", f"'{param}'" if param else "the body of your request")

    def under(self, place: str) -> "Fault":
        """The same fault seen from one level further out."""
        self.path = place + self.path
        return self

    def refusal(self) -> InvalidRequest:
        """The error to answer with."""
        return InvalidRequest(str(self), param=self.path.removeprefix(".") or None, code=self.code)


def wrong_type(expected: str, got: str) -> Fault:
    """`expected` with its article, `got` without."""
    article = "an" if got[0] in "aio" else "a"
    found = got if got == "null" else f"{article} {got}"
    return Fault(f"Invalid type for '{{param}}': expected {expected}, but got {found} instead.", "", "invalid_type")


def missing(place: str) -> Fault:
    return Fault("Missing required parameter: '{param}'.", place, "missing_required_parameter")


def unknown_parameter(place: str) -> Fault:
    return Fault("Unknown parameter: '{param}'.", place, "unknown_parameter")


def too_long(place: str, at_most: int, length: int, kind: str) -> Fault:
    """More than fits in an `array` or an `object`."""
    parts, code = ("elements", "array_above_max_length") if kind == "array" else ("keys", "object_above_max_properties")
    return Fault(
        f"Invalid '{{param}}': {kind} too long. Expected at most {at_most} {parts}, but got {length}.", place, code
    )


def invalid_value(value: str, supported: Sequence[str]) -> Fault:
    """A value out of a closed set."""
    choices = ", ".join(f"'{choice}'" for choice in supported)
    shown = value if len(value) <= 64 else value[:64] + "…"
    return Fault(f"Invalid value: {shown!r}. Supported values are: {choices}.", "", "invalid_value")


NAMES = {
    "str": ("a string", "string"),
    "int": ("an integer", "integer"),
    "float": ("a decimal number", "decimal number"),
    "bool": ("a boolean", "boolean"),
    "array": ("an array", "array"),
    "object": ("an object", "object"),
    "null": ("null", "null"),
}

NO_CHOICES: Mapping[str, Sequence[str]] = {}

_mismatch = re.compile(r"Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`")
_unknown = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_stranger = re.compile(r"Invalid enum value '(?P<value>.*)'", re.DOTALL)
_place = re.compile(r" - at `(?P<kind>key in )?\$?(?P<path>[^`]*)`$")


def fault_of(error: msgspec.ValidationError, choices: Mapping[str, Sequence[str]] = NO_CHOICES) -> Fault:
    """msgspec's complaint as a fault; `choices` are the closed sets of an object's fields, by their places."""
    text = str(error)
    place = _place.search(text)
    path = place["path"].replace("[...]", "").removeprefix("$") if place else ""
    if found := _mismatch.match(text):
        return wrong_type(_expected(found["expected"]), NAMES.get(found["got"], ("", found["got"]))[1]).under(path)
    if found := _unknown.match(text):
        return unknown_parameter(f".{found['name']}").under(path)
    found = _stranger.match(text)
    supported = choices.get(path.partition("[")[0])
    if found and supported:
        return invalid_value(found["value"], supported).under(path)
    return Fault("Invalid value for '{param}'.", path, "invalid_value")


def _expected(names: str) -> str:
    kinds = [name for name in names.split(" | ") if name != "null"]
    if kinds == ["int", "float"]:
        kinds = ["int"]
    return " or ".join(NAMES.get(kind, (kind, kind))[0] for kind in kinds)
