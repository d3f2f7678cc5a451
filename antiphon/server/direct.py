"""Writing to the client with as few tasks and system calls as it takes, where uvicorn itself is at the other end.

`send` is a coroutine function because it may have to wait for a slow client; as long as there is nothing to wait for,
a task that only calls it costs more than the write. And each `send` is a write by itself, which wakes the client. This
reaches behind it, and only where it finds what it knows: anything else (a middleware, another server, a later uvicorn
that looks different) is served through `send`.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_NEEDED = ("chunked_encoding", "disconnected", "flow", "response_complete", "response_started", "transport")


def direct_write(send: Send) -> Callable[[bytes], bool] | None:
    """A function that writes a piece of the body that has begun, or returns False: then `send` has to do it.

    None where `send` is not uvicorn's own.
    """
    cycle = _cycle_of(send)
    if cycle is None:
        return None
    flow, transport = cycle.flow, cycle.transport

    def write(body: bytes) -> bool:
        if flow.write_paused or cycle.disconnected or cycle.response_complete or not cycle.chunked_encoding:
            return False
        transport.write(b"%x\r\n%b\r\n" % (len(body), body))
        return True

    return write


@contextmanager
def in_one_write(send: Send) -> Iterator[None]:
    """Have all that is sent meanwhile leave together, at the end: headers with what is known of the body."""
    cycle = _cycle_of(send)
    if cycle is None:
        yield
        return
    transport = cycle.transport
    gathered = _Gathered(transport)
    cycle.transport = gathered  # type: ignore[assignment]
    try:
        yield
    finally:
        cycle.transport = transport
        gathered.flush()


class _Gathered:
    """The part of a transport that a response writes to."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.is_closing = transport.is_closing
        self._pieces: list[bytes] = []
        self._is_closed = False

    def write(self, data: bytes) -> None:
        self._pieces.append(data)

    def close(self) -> None:
        self._is_closed = True

    def flush(self) -> None:
        """Write what has gathered, and close if that was wanted."""
        if self._pieces:
            self._transport.write(b"".join(self._pieces))
        if self._is_closed:
            self._transport.close()


def _cycle_of(send: Send) -> RequestResponseCycle | None:
    cycle = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or not all(hasattr(cycle, name) for name in _NEEDED):
        return None
    return cycle
