"""Writing a piece of a streamed body at once, from outside of any task, where uvicorn itself is at the other end.

`send` is a coroutine function because it may have to wait for a slow client; as long as there is nothing to wait for,
a task that only calls it costs more than the write. This reaches behind it, and only where it finds what it knows:
anything else (a middleware, another server, a later uvicorn that looks different) is served through `send`.
"""

from collections.abc import Callable

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_NEEDED = ("chunked_encoding", "disconnected", "flow", "response_complete", "response_started", "transport")


def direct_write(send: Send) -> Callable[[bytes], bool] | None:
    """A function that writes a piece of the body that has begun, or returns False: then `send` has to do it.

    None where `send` is not uvicorn's own.
    """
    cycle = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or not all(hasattr(cycle, name) for name in _NEEDED):
        return None
    flow, transport = cycle.flow, cycle.transport

    def write(body: bytes) -> bool:
        if flow.write_paused or cycle.disconnected or cycle.response_complete or not cycle.chunked_encoding:
            return False
        transport.write(b"%x\r\n%b\r\n" % (len(body), body))
        return True

    return write
