"""Requests from their bytes."""

from typing import TypeVar, cast

import msgspec
from msgspec import Raw, Struct

from antiphon.errors import InvalidRequest
from antiphon.wire.content import InputText, OutputPart
from antiphon.wire.faults import Fault
from antiphon.wire.lengths import check_lengths
from antiphon.wire.leniency import Requests
from antiphon.wire.primitives import kind_of, read_str
from antiphon.wire.request import CreateResponse

T = TypeVar("T", bound=Struct)

_lenient = Requests(strict=False)
_strict = Requests(strict=True)


def decode_create(body: bytes, *, strict: bool = False) -> CreateResponse:
    """The request in `body`, a JSON object. Nothing is defaulted, and nothing is checked across fields.

    `strict` refuses what is not OpenAI's: the extras, unknown keys and types, and other APIs' forms.

    Raises: InvalidRequest; its `param` is the path of what is wrong, or None where the body as a whole is.
    """
    return decode_body(body, CreateResponse, strict=strict)


def decode_body(body: bytes, kind: type[T], *, strict: bool = False) -> T:
    """The request of any kind in `body`, as `decode_create` does it."""
    try:
        body.decode()  # msgspec does not look into the strings of what it leaves raw
        check_lengths(body)
        return cast(T, (_strict if strict else _lenient).readers.of(kind)(Raw(body)))
    except Fault as fault:
        raise fault.refusal() from None
    except UnicodeDecodeError:
        raise InvalidRequest("The body of your request is not valid UTF-8.", code="invalid_json") from None
    except RecursionError:
        raise InvalidRequest("The body of your request is nested too deeply.", code="invalid_json") from None
    except msgspec.DecodeError:
        raise InvalidRequest(_complaint(body), code="invalid_json") from None


def _complaint(body: bytes) -> str:
    """What is wrong with the JSON, by its place in the whole body rather than in the value that was being read."""
    try:
        msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        return f"The body of your request is not valid JSON: {error}."
    return "The body of your request is not valid JSON."


def decode_output_part(raw: Raw, path: str) -> OutputPart:
    """A text, given as a string or as a part, an image or a file. Raises: InvalidRequest that names `path`."""
    try:
        if kind_of(raw) == "string":
            return InputText(read_str(raw))
        return cast(OutputPart, _lenient.readers.of(OutputPart)(raw))
    except Fault as fault:
        raise fault.under(path).refusal() from None
