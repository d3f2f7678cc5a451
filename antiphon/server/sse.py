"""Server-sent events: the log of a run as a stream of frames.

Every frame has its `event:` line and is whole in one write; there is no `id:` line. What has gathered goes out
together, nothing is held back. On a silent stream a `keepalive` event repeats the last number this reader got: some
clients' idle timers ignore comments.
Spec: HTML standard, "Server-sent events"; OpenAI's stream has no end marker.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from antiphon.core.encode import payload_type
from antiphon.server.exchange import ClientGone, Exchange
from antiphon.service.log import LogReader, Reader
from antiphon.service.responses import Following

CONTENT_TYPE = b"text/event-stream; charset=utf-8"
SEND_DEADLINE_S = 30.0
SEND_LOOK_S = 5.0
HEADERS = ((b"cache-control", b"no-cache, no-transform"), (b"x-accel-buffering", b"no"))


def frame(payload: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (payload_type(payload), payload)


HEARTBEATS: Mapping[str, Callable[[int], bytes]] = {
    "keepalive": lambda last: frame(b'{"type":"keepalive","sequence_number":%d}' % last),
    "ping": lambda last: frame(b'{"type":"response.ping","sequence_number":%d}' % last),
    "comment": lambda _: b": keep-alive\n\n",
}
"""By the dialect's kind of heartbeat: the frame, given the number of the last event the reader got."""


async def stream_log(exchange: Exchange, following: Following, *, done_marker: bool) -> None:
    """Send what is followed to its end, or to the client's, and leave it. For HEAD the headers are all."""
    if exchange.is_head:
        following.leave()
        await exchange.begin(200, CONTENT_TYPE, HEADERS)
        await exchange.write(b"", more=False)
        return
    reader = following.reader
    heartbeat = HEARTBEATS[following.dialect.heartbeat]
    gone = asyncio.ensure_future(exchange.wait_for_disconnect())
    gone.add_done_callback(lambda _: reader.leave())
    sending = SendDeadline()
    try:
        await exchange.begin(200, CONTENT_TYPE, HEADERS)
        await _send_events(exchange, reader, heartbeat, sending)
        if gone.done() and not following.is_over:
            raise ClientGone
        await exchange.write(b"data: [DONE]\n\n" if done_marker else b"", more=False)
    finally:
        sending.stop()
        gone.cancel()
        following.leave()


async def _send_events(
    exchange: Exchange, reader: Reader, heartbeat: Callable[[int], bytes], sending: "SendDeadline"
) -> None:
    if isinstance(reader, LogReader):
        reader.eager = _eagerly(exchange.direct_write)
    while (payloads := await reader.read()) is not None:
        sending.begin()
        await exchange.write(_frames(payloads) or heartbeat(reader.position - 1), more=True)
        sending.end()


def _eagerly(write: Callable[[bytes], bool] | None) -> Callable[[Sequence[bytes]], bool] | None:
    """What sends payloads from within the callback that brought them."""
    if write is None:
        return None

    def send(payloads: Sequence[bytes]) -> bool:
        return write(_frames(payloads))

    return send


class SendDeadline:
    """Cancels the task that made it when one of its sends is blocked for too long: its client has stopped reading.

    One timer looks now and then; nothing is set up per send.
    """

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._timer = self._loop.call_later(SEND_LOOK_S, self._look)

    def begin(self) -> None:
        self._since = self._loop.time()

    def end(self) -> None:
        self._since = None

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        if self._since is not None and self._loop.time() - self._since > SEND_DEADLINE_S and self._task is not None:
            self._task.cancel()
            return
        self._timer = self._loop.call_later(SEND_LOOK_S, self._look)


def _frames(payloads: Sequence[bytes]) -> bytes:
    if len(payloads) == 1:
        return frame(payloads[0])
    return b"".join(map(frame, payloads))
