"""One HTTP request and its answer, as handlers see them."""

import time
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Message, Receive, Scope, Send

from antiphon.errors import AntiphonError, InvalidRequest, PayloadTooLarge
from antiphon.service.caller import ANYBODY

OPENAI_VERSION = b"2020-10-01"
_encode = msgspec.json.Encoder().encode


class ClientGone(Exception):
    """The client closed its connection before it was answered."""


class Exchange:
    """`request_id` is the client's `x-request-id` or one of ours; every answer carries it.

    `route` is the template that the path matched, `status` that of the answer; None until there is one.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, request_id: str, max_body_bytes: int) -> None:
        self.request_id = request_id
        self.caller = ANYBODY
        self.path_params: Mapping[str, str] = {}
        self.begun = False
        self.route: str | None = None
        self.status: int | None = None
        self.receive = receive
        self._scope = scope
        self._send = send
        self._max_body_bytes = max_body_bytes
        self._started_at = time.perf_counter()

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

    async def body(self) -> bytes:
        """The whole request body. Raises: PayloadTooLarge while reading, ClientGone."""
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

    async def wait_for_disconnect(self) -> None:
        """Return when the client has closed its connection; the body must have been read."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def begin(self, status: int, content_type: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Send status and headers."""
        self.begun, self.status = True, status
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", content_type), *headers, *self._own_headers()],
            }
        )

    async def write(self, body: bytes, *, more: bool) -> None:
        message: Message = {"type": "http.response.body", "body": body, "more_body": more}
        await self._send(message)

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
        await self.begin(status, content_type, [length, *headers])
        await self.write(b"" if self._scope["method"] == "HEAD" else body, more=False)

    async def answer_json(self, value: object, status: int = 200) -> None:
        await self.answer(status, _encode(value))

    async def answer_error(self, error: AntiphonError, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Send the error envelope, with all four keys, and how long to wait where that is known."""
        extra = list(headers)
        if error.status == 409:  # SDKs would retry it, in vain
            extra.append((b"x-should-retry", b"false"))
        if error.retry_after_s is not None:
            extra.append((b"retry-after", b"%d" % max(1, round(error.retry_after_s))))
            extra.append((b"retry-after-ms", b"%d" % round(error.retry_after_s * 1000)))
        await self.answer(error.status, _encode(envelope(error)), extra)

    def _own_headers(self) -> list[tuple[bytes, bytes]]:
        elapsed_ms = (time.perf_counter() - self._started_at) * 1000
        return [
            (b"x-request-id", self.request_id.encode("latin-1")),
            (b"openai-processing-ms", b"%d" % max(1, elapsed_ms)),
            (b"openai-version", OPENAI_VERSION),
        ]


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


def envelope(error: AntiphonError) -> dict[str, dict[str, str | None]]:
    """The body of an error: one key, four fields, none of them ever absent."""
    return {"error": {"message": error.message, "type": error.type, "param": error.param, "code": error.code}}


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The request body is larger than {limit} bytes (setting 'max_body_bytes').")
