"""Writing to the client with as few tasks and system calls as it takes, where uvicorn itself is at the other end.

`send` is a coroutine function because it may have to wait for a slow client; as long as there is nothing to wait for,
a task that only calls it costs more than the write. And each `send` is a write by itself, which wakes the client. This
reaches behind it, also through middlewares that let bodies pass as they are, and only where it finds what it knows:
anything else (a middleware that changes bodies, another server, a later one that looks different) is served through
`send`.
"""

import asyncio
from functools import partial
from types import FunctionType
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_MOST_SIZES: Final = 1024
_SIZES: Final = [b"%x\r\n" % size for size in range(_MOST_SIZES)]
"""The lines before chunks of a body, by the size of the chunk."""
_NEEDED = ("chunked_encoding", "flow", "response_complete", "response_started", "transport")


def direct_write(send: Send) -> "DirectWrite | None":
    """What writes pieces of the body that has begun; None where `send` does not lead to uvicorn's own chunks."""
    cycle = _cycle_of(send)
    return DirectWrite(cycle) if cycle is not None and cycle.chunked_encoding else None


class DirectWrite:
    """Writes pieces of a body, until `send` has said that this was all of it."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._flow = cycle.flow
        self._write = cycle.transport.write

    def write(self, piece: bytes) -> bool:
        """Write a piece now, or return False: then `send` has to do it."""
        if self._flow.write_paused:
            return False
        size = len(piece)
        try:
            self._write(b"%b%b\r\n" % (_SIZES[size] if size < _MOST_SIZES else b"%x\r\n" % size, piece))
        except RuntimeError:  # the connection is lost
            return False
        return True


class InOneWrite:
    """Has all that is sent meanwhile leave together, at the end: headers with what is known of the body."""

    def __init__(self, send: Send) -> None:
        self._cycle = _cycle_of(send)
        self._gathered: _Gathered | None = None

    def __enter__(self) -> None:
        if self._cycle is not None:
            self._gathered = _Gathered(self._cycle.transport)
            self._cycle.transport = self._gathered  # type: ignore[assignment]

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._cycle is not None and self._gathered is not None:
            self._cycle.transport = self._gathered.transport
            self._gathered.flush()


class _Gathered:
    """The part of a transport that a response writes to."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
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
            self.transport.write(b"".join(self._pieces))
        if self._is_closed:
            self.transport.close()


def _cycle_of(send: Send) -> RequestResponseCycle | None:
    for _ in range(_MOST_LAYERS):
        behind = _behind(send)
        if behind is None:
            break
        send = behind
    cycle = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or not all(hasattr(cycle, name) for name in _NEEDED):
        return None
    return cycle


_MOST_LAYERS = 8

# Functions that pass pieces of a body on as they are, and the variables they do that with: one that has others, as to
# collect the body, is another function.
_PASSING: dict[tuple[str, str], set[str]] = {
    ("starlette._exception_handler", "wrap_app_handling_exceptions.<locals>.wrapped_app.<locals>.sender"): {
        "response_started",
        "send",
    },
    ("starlette.middleware.errors", "ServerErrorMiddleware.__call__.<locals>._send"): {"response_started", "send"},
    (
        "prometheus_fastapi_instrumentator.middleware",
        "PrometheusInstrumentatorMiddleware.__call__.<locals>.send_wrapper",
    ): {"headers", "response_start_time", "send", "status_code"},
}


def _behind(send: Send) -> Send | None:
    """What a middleware's `send` passes bodies on to; None where it is no such middleware, or none at all."""
    if isinstance(send, partial):
        passes = getattr(send.func, "__func__", None) is CORSMiddleware.send
        return send.keywords.get("send") if passes else None
    if not isinstance(send, FunctionType) or send.__closure__ is None:
        return None
    held = dict(zip(send.__code__.co_freevars, send.__closure__, strict=True))
    if held.keys() != _PASSING.get((send.__module__, send.__qualname__)):
        return None
    behind: Send = held["send"].cell_contents
    return behind
