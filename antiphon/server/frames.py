"""The frames of WebSocket mode: what clients send, read and checked, and the frames that answer them directly."""

import re
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Raw, Struct

from antiphon.errors import AntiphonError, InvalidRequest
from antiphon.server.error_answers import PLAIN, ErrorStyle, envelope, retry_headers
from antiphon.wire.decode import decode_create
from antiphon.wire.request import CreateResponse
from antiphon.wire.unknown import encode

_STREAM_ID = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_frame_decoder = msgspec.json.Decoder(dict[str, Raw])
_text_decoder = msgspec.json.Decoder(str)
_flag_decoder = msgspec.json.Decoder(bool | None)

# Fields of the frame that are no fields of the request. `stream` says nothing here: everything is streamed.
ENVELOPE = frozenset({"type", "stream", "stream_id", "generate", "background", "event_id"})


class FrameFault(Exception):
    """A frame that cannot be served; its error goes to the lane it names, if it names one."""

    def __init__(self, error: AntiphonError, stream_id: str | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.stream_id = stream_id


class CreateFrame(Struct, frozen=True, kw_only=True):
    """`response.create`: a request, to be read when its turn in its lane comes. `size` is the frame's, in bytes."""

    stream_id: str | None
    fields: Mapping[str, Raw]
    size: int

    def request(self, *, strict: bool) -> CreateResponse:
        """Raises: InvalidRequest."""
        if _flag(self.fields, "background"):
            raise InvalidRequest(
                "'background' is not supported over WebSocket.", param="background", code="unsupported_parameter"
            )
        body = {name: value for name, value in self.fields.items() if name not in ENVELOPE}
        return decode_create(encode(body), strict=strict)

    def generates(self) -> bool:
        """False: only the state for a next turn is prepared. Raises: InvalidRequest."""
        return _flag(self.fields, "generate") is not False

    def parent(self) -> str | None:
        """The response that the request goes on from, however broken the rest of it is."""
        try:
            return _text(self.fields, "previous_response_id")
        except InvalidRequest:
            return None


class SteerFrame(Struct, frozen=True, kw_only=True):
    """`response.steer`: `input` for the response that is under way, which says what lane is meant."""

    stream_id: str | None = None
    previous_response_id: str
    input: Raw


def read_frame(frame: bytes) -> CreateFrame | SteerFrame:
    """What a frame is and where it belongs. Raises: FrameFault."""
    try:
        fields = _frame_decoder.decode(frame)
    except msgspec.ValidationError:
        raise FrameFault(InvalidRequest("A frame must be a JSON object.", code="invalid_type")) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise FrameFault(InvalidRequest("The frame is not valid JSON.", code="invalid_json")) from None
    stream_id = _stream_id(fields.get("stream_id"))
    try:
        kind = _text(fields, "type")
        if kind == "response.create":
            return CreateFrame(stream_id=stream_id, fields=fields, size=len(frame))
        if kind != "response.steer":
            raise InvalidRequest(
                f"Invalid value: '{kind}'. Supported values are: 'response.create', 'response.steer'.", param="type"
            )
        said = fields.get("input", Raw(b"null"))
        return SteerFrame(stream_id=stream_id, previous_response_id=_text(fields, "previous_response_id"), input=said)
    except InvalidRequest as error:
        raise FrameFault(error, stream_id) from None


HEARTBEATS: Mapping[str, Callable[[int], bytes]] = {
    "keepalive": lambda last: b'{"type":"keepalive","sequence_number":%d}' % last,
    "ping": lambda last: b'{"type":"response.ping","sequence_number":%d}' % last,
}
"""By the dialect's kind of heartbeat, given the last event's number. Where it is a comment, WebSocket's pings do."""


def error_frame(error: AntiphonError, style: ErrorStyle = PLAIN) -> bytes:
    """The one frame that says a request was refused; inside the error are the headers that HTTP would send."""
    body = envelope(error, style)
    headers = retry_headers(error)
    if headers:
        body["error"]["headers"] = headers
    return encode({"type": "error", "status": error.status, **body})


def in_lane(payload: bytes, stream_id: str | None) -> bytes:
    """A payload as its lane's: `stream_id` is added to the encoded object."""
    return payload if stream_id is None else b'%b,"stream_id":"%b"}' % (payload[:-1], stream_id.encode())


def _stream_id(raw: Raw | None) -> str | None:
    if raw is None or bytes(raw) == b"null":
        return None
    try:
        stream_id = _text_decoder.decode(raw)
    except msgspec.ValidationError:
        stream_id = ""
    if _STREAM_ID.fullmatch(stream_id):
        return stream_id
    raise FrameFault(
        InvalidRequest(
            "The 'stream_id' field must be a non-empty string with at most 256 characters and may only contain "
            "letters, numbers, underscores, hyphens, and periods.",
            param="stream_id",
            code="invalid_stream_id",
        )
    )


def _text(fields: Mapping[str, Raw], name: str) -> str:
    if name not in fields:
        raise InvalidRequest(f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")
    try:
        return _text_decoder.decode(fields[name])
    except msgspec.ValidationError:
        raise _wrong_type(name, "string") from None


def _flag(fields: Mapping[str, Raw], name: str) -> bool | None:
    try:
        flag: bool | None = _flag_decoder.decode(fields.get(name, b"null"))
    except msgspec.ValidationError:
        raise _wrong_type(name, "boolean") from None
    return flag


def _wrong_type(name: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid type for '{name}': expected a {expected}.", param=name, code="invalid_type")
