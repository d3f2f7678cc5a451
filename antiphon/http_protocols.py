"""uvicorn's protocols, for requests that never reach the application: they too are answered with OpenAI's envelope."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.frames import Frame
from websockets.http11 import Request, Response
from websockets.protocol import State

from antiphon.errors import AntiphonError, InvalidRequest
from antiphon.server.channel import DIRECT_TEXT
from antiphon.server.error_answers import envelope
from antiphon.server.exchange import DEPARTURE
from antiphon.server.guards import REQUEST_ID_HEADER
from antiphon.service.ids import new_id
from antiphon.wire.unknown import encode

_REQUEST_ID = REQUEST_ID_HEADER.decode()


class HttpLimits(Struct, frozen=True, kw_only=True):
    """What a client may send before anything of it is answered.

    `head_bytes` are those of request line and headers together. A head has to come within `patience_s`; so has a body,
    which gets a second more for every `BODY_BYTES_PER_S` that came.
    """

    head_bytes: int = 64 * 2**10
    patience_s: float = 30.0


BODY_BYTES_PER_S = 1024


class Http(HttpToolsProtocol):
    """HTTP/1.1; what is no HTTP is a 400, and the connection ends.

    A head is counted while it is parsed, and while it is not whole: by what has come since it began. The clock of a
    request runs only if the request did not come in one piece. Nothing is answered while an earlier request waits for
    its answer, which the client would take ours for. Whoever answers is told by a future when the client leaves.
    """

    # Beside uvicorn's thirty or so attributes: with more of them in it, the dict of each connection is its own.
    __slots__ = (
        "_alarm",
        "_began_at",
        "_body_bytes",
        "_departures",
        "_head_bytes",
        "_in_body",
        "_in_head",
        "_lost",
        "_refused",
    )

    limits: ClassVar[HttpLimits] = HttpLimits()

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._in_head, self._in_body = False, False
        self._head_bytes = self._body_bytes = 0
        self._refused: AntiphonError | None = None
        self._began_at: float | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._lost = False
        self._departures: list[asyncio.Future[None]] = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._run_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)
        self._lost = True
        for departure in self._departures:
            if not departure.done():
                departure.set_result(None)

    def departure(self) -> "asyncio.Future[None]":
        """Done once the connection is lost."""
        departure = self.loop.create_future()
        if self._lost:
            departure.set_result(None)
        else:
            self._departures = [each for each in self._departures if not each.done()]
            self._departures.append(departure)
        return departure

    def data_received(self, data: bytes) -> None:
        """Parse, then see whether what is there of a request is too large, and when the rest of it has to be there."""
        head_began_before = self._in_head
        super().data_received(data)
        if self.transport.is_closing() or self.transport.get_protocol() is not self:  # refused, or a WebSocket now
            self._stop_clock()
            return
        if self._in_head and head_began_before:
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.head_bytes:
                self._refuse(431, _head_too_large(self.limits.head_bytes))
                return
        if self._in_head or self._in_body or not self._waits_for_answer():
            self._run_clock()

    # -- what the parser calls

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {DEPARTURE: {"future": self.departure}}
        self._stop_clock()
        self._in_head = True
        self._head_bytes = self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._head_bytes += len(url)
        if self._head_bytes > self.limits.head_bytes:
            raise self._too_large()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; what comes behind the body is none: nobody in front of us has looked at it."""
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self.limits.head_bytes:
            raise self._too_large()
        if self._in_head:
            HttpToolsProtocol.on_header(self, name, value)

    def on_headers_complete(self) -> None:
        self._stop_clock()
        self._in_head, self._in_body = False, True
        version = self.parser.get_http_version()
        hosts = [name for name, _ in self.headers].count(b"host")
        if version not in ("1.0", "1.1") or hosts > 1 or (hosts == 0 and version == "1.1"):
            raise ValueError("A request of HTTP/1.1 has one host.")  # RFC 9112, 3.2
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._stop_clock()
        self._in_body = False
        super().on_message_complete()

    # -- refusing

    def send_400_response(self, msg: str) -> None:
        """Answer for the last time."""
        if self._refused is not None:
            self._refuse(431, self._refused)
        else:
            self._refuse(400, InvalidRequest("The request is not valid HTTP.", code="invalid_http"))

    def _refuse(self, status: int, error: AntiphonError) -> None:
        """End the connection, with an answer if the request at fault is the next to be answered."""
        self._stop_clock()
        waits = self._waits_for_answer()
        at_fault = waits and self._in_body and not self.cycle.response_started and not self.pipeline
        if at_fault:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if at_fault or not waits:
            status, headers, body = _refusal(status, error)
            lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {text}" for name, text in headers)]
            self.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        self.transport.close()

    def _waits_for_answer(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _too_large(self) -> ValueError:
        self._refused = _head_too_large(self.limits.head_bytes)
        return ValueError(self._refused.message)

    # -- the clock

    def _run_clock(self) -> None:
        if self._began_at is None:
            self._began_at = self.loop.time()
        if self._alarm is None:
            self._alarm = self.loop.call_later(self.limits.patience_s, self._look_at_clock)

    def _stop_clock(self) -> None:
        self._began_at = None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _look_at_clock(self) -> None:
        """Give up on a request that is not whole in time; not for a time that we did not read, or still answer."""
        self._alarm = None
        if self._began_at is None or self.transport.is_closing():
            return
        left_s = self._began_at + self.limits.patience_s + self._body_bytes / BODY_BYTES_PER_S - self.loop.time()
        waits = self._waits_for_answer() and not self._in_body
        if left_s <= 0 and (waits or self.flow.read_paused):
            left_s = self.limits.patience_s
        if left_s > 0:
            self._alarm = self.loop.call_later(left_s, self._look_at_clock)
        elif self._in_head or self._in_body:
            self._refuse(408, InvalidRequest("The request did not come in time.", code="request_timeout"))
        else:
            self.transport.close()


def limited(limits: HttpLimits) -> type[Http]:
    """HTTP with limits of its own."""
    return type("LimitedHttp", (Http,), {"limits": limits})


class WebSocket(WebSocketsSansIOProtocol):
    """WebSocket; an upgrade that breaks its rules is refused with the status that these demand.

    What a client sends costs no more memory than it is large: neither many small fragments nor pings whose answers
    nobody reads.
    """

    def data_received(self, data: bytes) -> None:
        """Take what came. A request for an upgrade that is none (with a body, or no GET) brings no event at all."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.transport.is_closing():
            self._refuse(HTTPStatus.BAD_REQUEST, Headers())

    def handle_connect(self, event: Request) -> None:
        """Hand a good handshake on. What is wrong with another is in `handshake_exc`, for an answer of our own."""
        refused = self.conn.accept(event)
        if refused.status_code == 101:
            super().handle_connect(event)
            self.scope["extensions"][DIRECT_TEXT] = {"write": self.write_texts}
            return
        self._refuse(HTTPStatus(refused.status_code), refused.headers)

    def write_texts(self, payloads: Sequence[bytes]) -> bool:
        """Send a text frame for each, or return False: then `send` has to do it, or to say why it cannot."""
        if not self.writable.is_set() or self.disconnected or self.conn.state is not State.OPEN:
            return False
        for payload in payloads:
            self.conn.send_text(payload)
        self.transport.write(b"".join(self.conn.data_to_send()))
        return True

    def _refuse(self, code: HTTPStatus, said: Headers) -> None:
        """Answer a handshake that is not valid, and close; `said` is what the answer has to say beside."""
        error = InvalidRequest(
            f"The WebSocket handshake is not valid: {self.conn.handshake_exc}.", code="invalid_handshake"
        )
        status, headers, body = _refusal(code, error)
        known = {name.lower() for name, _ in headers} | {"date"}
        others = [(name, text) for name, text in said.raw_items() if name.lower() not in known]
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        answer = Response(status, HTTPStatus(status).phrase, Headers([*headers, *others]), body)
        self.transport.write(answer.serialize())
        self.transport.close()

    def handle_cont(self, event: Frame) -> None:
        """Put the fragments of a message together as they come."""
        if not isinstance(self.frames[0], bytearray):
            self.frames = [bytearray(self.frames[0])]  # type: ignore[list-item]
        self.frames[0] += event.data
        if event.fin:
            self.frames = [bytes(self.frames[0])]
            self.send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer, unless the client has stopped reading."""
        answer = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(answer)


def _head_too_large(limit: int) -> InvalidRequest:
    return InvalidRequest(
        f"The headers are larger than {limit} bytes (setting 'max_head_bytes').", code="headers_too_large"
    )


def _refusal(status: int, error: AntiphonError) -> tuple[int, list[tuple[str, str]], bytes]:
    body = encode(envelope(error))
    headers = [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        (_REQUEST_ID, new_id("req")),
        ("connection", "close"),
    ]
    return status, headers, body
