"""One HTTP request and its answer, as handlers see them."""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Message, Receive, Scope, Send

from antiphon.errors import AntiphonError, InvalidRequest, PayloadTooLarge
from antiphon.server.arrival import Arrival
from antiphon.server.cors import Header
from antiphon.server.direct import DirectWrite, InOneWrite, direct_write
from antiphon.server.error_answers import envelope, retry_headers
from antiphon.server.media_types import check_body_form
from antiphon.server.request_record import RequestRecord
from antiphon.service.caller import ANYBODY, Caller

DEPARTURE = "antiphon.departure"
"""An extension of ASGI by our own protocol; its `future` gives one that is done once the client has left."""

_encode = msgspec.json.Encoder().encode


class ClientGone(Exception):
    """The client closed its connection before it was answered."""


class Exchange:
    """`arrival` is what is known of the request beforehand; `reply` the headers of its answer, `manner` what is wanted.

    `record` is what is noted of it for those who watch.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        arrival: Arrival,
        record: RequestRecord,
        max_body_bytes: int,
    ) -> None:
        self.arrival = arrival
        self.record = record
        self.manner = arrival.manner
        self.reply = arrival.reply
        self.caller: Caller = ANYBODY
        self.begun = False
        self.receive = receive
        self._scope = scope
        self._send = send
        self._max_body_bytes = max_body_bytes

    @property
    def request_id(self) -> str:
        """The client's `x-request-id` or one of ours; every answer carries it."""
        return self.reply.request_id

    @request_id.setter
    def request_id(self, request_id: str) -> None:
        self.reply.request_id = self.record.request_id = request_id

    @property
    def path_params(self) -> Mapping[str, str]:
        """What the variable parts of the path say."""
        return self.record.path_params

    @property
    def is_head(self) -> bool:
        """Whether the client wants the headers alone."""
        return bool(self._scope["method"] == "HEAD")

    @property
    def is_azure(self) -> bool:
        """Whether the request came in by one of Azure's paths."""
        return self.manner.azure

    @property
    def deployment(self) -> str | None:
        """The deployment that the path names, as Azure's may."""
        return self.path_params.get("deployment")

    @property
    def tenant(self) -> str:
        return self.caller.tenant

    def header(self, name: bytes) -> str | None:
        """The value of a header (lower-case name), or None."""
        for key, value in self._scope["headers"]:
            if key == name:
                return bytes(value).decode("latin-1")
        return None

    def query(self) -> "Query":
        return Query(parse_qsl(self._scope["query_string"].decode("latin-1"), keep_blank_values=True))

    def add_headers(self, headers: Iterable[Header]) -> None:
        """Headers for the answer, whatever it will be, an error included; names in lower case."""
        self.reply.add(headers)

    async def body(self) -> bytes:
        """The whole request body. Raises: UnsupportedMediaType; PayloadTooLarge while reading; ClientGone."""
        check_body_form(
            self.header(b"content-type"),
            self.header(b"content-encoding"),
            from_foreign_page=self.arrival.is_from_foreign_page,
        )
        limit = self._max_body_bytes
        declared = self.header(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            chunks.append(chunk)
            if not message.get("more_body"):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def wait_for_disconnect(self) -> Awaitable[None]:
        """Done when the client has closed its connection; the body must have been read.

        Where the server says that by itself, nothing has to run for it.
        """
        departure = (self._scope.get("extensions") or {}).get(DEPARTURE)
        found: Awaitable[None] = self._disconnected() if departure is None else departure["future"]()
        return found

    async def _disconnected(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def begin(self, status: int, content_type: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Send status and headers."""
        self.begun, self.record.status = True, status
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", content_type), *headers, *self.reply.lines()],
            }
        )

    @property
    def direct_write(self) -> DirectWrite | None:
        """What writes pieces of the body that has begun without a task, if the server lets us."""
        return direct_write(self._send)

    def in_one_write(self) -> InOneWrite:
        """Have what is sent meanwhile leave together, if the server lets us."""
        return InOneWrite(self._send)

    async def write(self, body: bytes, *, more: bool) -> None:
        message: Message = {"type": "http.response.body", "body": body, "more_body": more}
        await self._send(message)
        self.record.delivered = not more

    async def answer(
        self,
        status: int,
        body: bytes,
        headers: Sequence[tuple[bytes, bytes]] = (),
        *,
        content_type: bytes = b"application/json",
    ) -> None:
        """Send a whole answer, JSON unless said otherwise."""
        length = (b"content-length", b"%d" % len(body))
        with self.in_one_write():
            await self.begin(status, content_type, [length, *headers])
            await self.write(b"" if self.is_head else body, more=False)

    async def answer_empty(self, headers: Sequence[Header] = ()) -> None:
        """Send an answer that is all headers."""
        self.begun, self.record.status = True, 204
        await self._send({"type": "http.response.start", "status": 204, "headers": [*headers, *self.reply.lines()]})
        await self.write(b"", more=False)

    async def answer_json(self, value: object, status: int = 200) -> None:
        await self.answer(status, _encode(value))

    async def answer_error(self, error: AntiphonError, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Send the error envelope, with all four keys, and how long to wait where that is known."""
        extra = [(name.encode(), value.encode()) for name, value in retry_headers(error).items()]
        await self.answer(error.status, _encode(envelope(error, self.arrival.error_style)), [*headers, *extra])


class Query:
    """A query string; names may end in `[]`, as SDKs write arrays."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = [(name.removesuffix("[]"), value) for name, value in pairs]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self._pairs if key == name]

    def text(self, name: str) -> str | None:
        """The last value given, None if absent or empty."""
        values = self.all(name)
        return (values[-1] or None) if values else None

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        """Raises: InvalidRequest when it is no integer from `low` to `high`."""
        text = self.text(name)
        if text is None:
            return default
        # Nine digits hold every bound there is; far longer ones Python refuses to read.
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high):
            raise InvalidRequest(f"Invalid '{name}': expected an integer from {low} to {high}.", param=name)
        return int(text)

    def flag(self, name: str) -> bool:
        """Raises: InvalidRequest when it is neither true nor false."""
        return self.choice(name, ("false", "true"), "false") == "true"

    def choice(self, name: str, values: Sequence[str], default: str) -> str:
        """Raises: InvalidRequest when it is none of `values`."""
        text = self.text(name)
        if text is None:
            return default
        if text not in values:
            raise InvalidRequest(
                f"Invalid value: '{text}'. Supported values are: {', '.join(map(repr, values))}.", param=name
            )
        return text


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The request body is larger than {limit} bytes (setting 'max_body_bytes').")
