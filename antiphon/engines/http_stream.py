"""One HTTP/1.1 connection to an engine: a request goes out, the answer is gathered as it comes in.

Rules
- One exchange at a time: `send`, then the head, then the body until `ended`; afterwards the connection is idle
  again and may be used for the next exchange if `reusable`.
- The protocol only gathers. Whoever reads takes everything that has gathered (`take`) and otherwise waits for
  `arrival`, so that a read costs one wake-up however many chunks it held. An `eager` reader is called before it is
  woken, and stays asleep if it could deal with all there was.
- A read that is one whole chunk is offered to a waiting reader as it is (`on_chunk`), past the parser: that stands
  between two chunks before and after it. What the reader does not take goes the usual way.
- More than MAX_GATHERED_BYTES that nobody takes stop the reading from the socket until they are taken.
- A failure never hides what came before it: what has gathered can be taken, then `ended` is true and `failure` set.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from httptools import HttpParserError, HttpResponseParser

from antiphon.errors import EngineError, EngineUnavailable

MAX_GATHERED_BYTES = 256 * 1024
MAX_HEAD_BYTES = 64 * 1024
DRAIN_S = 1.0  # how long an answer that said all it has to say may take to end

# By the length of a read that is one whole chunk of up to a kilobyte: how it begins.
_CHUNK_BEGINS = {len(b"%x\r\n\r\n" % size) + size: b"%x\r\n" % size for size in range(1, 1024)}


class ConnectionLost(EngineUnavailable):
    """The engine closed the connection before its answer was complete."""

    def __init__(self) -> None:
        super().__init__("The engine closed the connection.")


class HttpConnection(asyncio.Protocol):
    """A connection for one exchange after the other. `on_free` is told when it is idle again, or gone for good."""

    def __init__(self, on_free: "Callable[[HttpConnection], None]") -> None:
        # What each token needs comes first: so it is together in memory, which is cold when there are many streams.
        self._waiter: asyncio.Future[None] | None = None  # not of one that was woken
        self.on_chunk: Callable[[bytes], bool] | None = None
        self._gathered_bytes = 0
        self._between_chunks = False
        self._on_free = on_free
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._drain_timer: asyncio.TimerHandle | None = None
        self.eager: Callable[[], bool] | None = None
        self.lost = False
        self.exchanges = 0
        self._reset()

    def _reset(self) -> None:
        self._parser: HttpResponseParser | None = None
        self._waiter = None
        self.eager = None
        self.on_chunk = None
        self._after_chunk = False
        self._between_chunks = False
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._head_bytes = 0
        self._paused = False
        self._drain = False
        self._until_close = True
        self.reusable = False
        self.heard = False  # any byte of the answer came
        self.headed = False
        self.ended = False
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.failure: EngineError | None = None

    # -- the user's side

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for an arrival, as far as is known: it may have been cancelled just now."""
        return self._waiter is not None

    def send(self, request: bytes) -> None:
        """Begin an exchange with a whole request, head and body."""
        assert self._transport is not None
        self._reset()
        self.exchanges += 1
        self._parser = HttpResponseParser(self)
        self._transport.write(request)

    async def head(self) -> None:
        """Wait for `status` and `headers`. Raises: EngineError (ConnectionLost too) when they do not come."""
        while not self.headed:
            if self.failure is not None:
                raise self.failure
            await self.arrival()

    def take(self) -> bytes:
        """All of the body that has gathered since the last take; empty if nothing has."""
        gathered = self._gathered
        if not gathered:
            return b""
        body = gathered[0] if len(gathered) == 1 else b"".join(gathered)
        gathered.clear()
        self._gathered_bytes = 0
        if self._paused:
            self._resume()
        return body

    async def body(self, max_bytes: int) -> bytes:
        """The whole body, or its first `max_bytes` and a little. Raises: EngineError when it is cut."""
        parts: list[bytes] = []
        size = 0
        while size < max_bytes:
            if part := self.take():
                parts.append(part)
                size += len(part)
            elif self.failure is not None:
                raise self.failure
            elif self.ended:
                break
            else:
                await self.arrival()
        return b"".join(parts)

    def arrival(self) -> asyncio.Future[None]:
        """A future that is done at the next arrival: head, body, end, or failure. One waiter at a time."""
        self._waiter = self._loop.create_future()
        return self._waiter

    def release(self) -> None:
        """Be done with the exchange: the connection becomes idle, at once or when the answer ends, or is closed."""
        if self.ended:
            self._free()
        elif not self.lost:
            self._drain, self.on_chunk = True, None
            self._gathered.clear()
            if self._paused:
                self._resume()
            self._drain_timer = self._loop.call_later(DRAIN_S, self.abort)

    def abort(self) -> None:
        """Close at once, whatever is under way. May be called twice."""
        if self._transport is not None:
            self._transport.abort()

    def fail(self, failure: EngineError) -> None:
        """End the exchange with `failure` and close."""
        if not self.ended:
            self.failure, self.ended = failure, True
        self.abort()
        self._wake()

    # -- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._between_chunks and self.on_chunk is not None and self._offers(data, self.on_chunk):
            return
        self._between_chunks = False
        if self._parser is None:  # nobody asked for anything
            self.abort()
            return
        self.heard = True
        if not self.headed:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            self.fail(EngineError("The engine broke the HTTP protocol."))
            return
        if not self.headed and self._head_bytes > MAX_HEAD_BYTES:
            self.fail(EngineError(f"The engine's HTTP head is larger than {MAX_HEAD_BYTES} bytes."))
            return
        self._between_chunks = self._after_chunk and not self.ended and data.endswith(b"\r\n")
        if self._gathered_bytes > MAX_GATHERED_BYTES and not self._paused:
            self._pause()
        self._wake()

    def _offers(self, data: bytes, take: Callable[[bytes], bool]) -> bool:
        """Whether `data` is one whole chunk, its reader waits for nothing else, and has taken it."""
        begin = _CHUNK_BEGINS.get(len(data))
        if begin is None or not data.startswith(begin) or not data.endswith(b"\r\n"):
            return False
        return not self._gathered_bytes and self._waiter is not None and take(data[len(begin) : -2])

    def eof_received(self) -> None:
        """Let the transport close: half an HTTP connection is of no use."""

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._parser is not None and not self.ended:
            if not (self.headed and self._until_close and exc is None):
                self.failure = ConnectionLost()
            self.ended = True
        self._free()
        self._wake()

    # -- the parser's side

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        if self.ended:  # a second answer to one request
            self.reusable = False
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:  # RFC 9110, 15.2: interim answers, the real one follows
            self.headers.clear()
            return
        self.status = status
        if sum(len(name) + len(value) for name, value in self.headers.items()) > MAX_HEAD_BYTES:
            self.fail(EngineError(f"The engine's HTTP head is larger than {MAX_HEAD_BYTES} bytes."))
            return
        self.headed = True
        self._until_close = b"content-length" not in self.headers and b"transfer-encoding" not in self.headers

    def on_chunk_header(self) -> None:
        self._after_chunk = False

    def on_chunk_complete(self) -> None:
        self._after_chunk = True

    def on_body(self, body: bytes) -> None:
        if not self._drain:
            self._gathered.append(body)
            self._gathered_bytes += len(body)

    def on_message_complete(self) -> None:
        assert self._parser is not None
        if not self.headed or self.ended:
            return
        self.ended = True
        self.reusable = self._parser.should_keep_alive() and not self._until_close
        if self._drain:
            self._free()

    # -- within

    def _free(self) -> None:
        if self._drain_timer is not None:
            self._drain_timer.cancel()
            self._drain_timer = None
        if not self.reusable or self.failure is not None:
            self.abort()
        self._parser = None
        self._on_free(self)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            self._waiter = None
        elif self.eager is None or not self.eager():
            self._waiter = None
            waiter.set_result(None)

    def _pause(self) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.pause_reading()
            self._paused = True

    def _resume(self) -> None:
        assert self._transport is not None
        self._paused = False
        if not self._transport.is_closing():
            self._transport.resume_reading()
