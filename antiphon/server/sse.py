"""Server-sent events: the log of a run as a stream of frames.

Every frame has its `event:` line and is whole in one write; there is no `id:` line. What has gathered goes out
together, nothing is held back. On a silent stream a `keepalive` event repeats the last number this reader got: some
clients' idle timers ignore comments.
Spec: HTML standard, "Server-sent events"; OpenAI's stream has no end marker.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from antiphon.core.encode import payload_type
from antiphon.server.direct import DirectWrite
from antiphon.server.exchange import ClientGone, Exchange
from antiphon.service.following import Following
from antiphon.service.log import LogReader

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
    gone = asyncio.ensure_future(exchange.wait_for_disconnect())
    gone.add_done_callback(lambda _: reader.leave())
    sending = SendDeadline()
    try:
        await _Stream(exchange, following, done_marker, sending, gone).send()
    finally:
        sending.stop()
        gone.cancel()
        following.leave()


class _Stream:
    """The answer to one reader. Headers leave with the first events, and the end with the last."""

    def __init__(
        self,
        exchange: Exchange,
        following: Following,
        done_marker: bool,
        sending: "SendDeadline",
        gone: "asyncio.Future[None]",
    ) -> None:
        self._exchange = exchange
        self._following = following
        self._reader = following.reader
        self._heartbeat = HEARTBEATS[following.dialect.heartbeat]
        self._end = b"data: [DONE]\n\n" if done_marker else b""
        self._sending = sending
        self._gone = gone

    async def send(self) -> None:
        """Send it all. Raises: ClientGone."""
        exchange = self._exchange
        with exchange.in_one_write():
            await exchange.begin(200, CONTENT_TYPE, HEADERS)
            more = not self._following.has_news or await self._send_news()
        direct = exchange.direct_write
        if isinstance(self._reader, LogReader) and direct is not None:
            self._reader.eager = _Eager(direct).send
        while more:
            more = await self._send_news()

    async def _send_news(self) -> bool:
        """Send what is new once there is something. False: that was the last of it."""
        payloads = await self._reader.read()
        is_over = self._following.is_over
        if payloads is None and self._gone.done() and not is_over:
            raise ClientGone
        if payloads is None:
            await self._exchange.write(self._end, more=False)
            return False
        is_last = is_over and bool(payloads)
        body = _frames(payloads) or self._heartbeat(self._reader.position - 1)
        self._sending.begin()
        await self._exchange.write(body + self._end if is_last else body, more=not is_last)
        self._sending.end()
        return not is_last


class _Eager:
    """Sends payloads from within the callback that brought them."""

    def __init__(self, direct: DirectWrite) -> None:
        self._direct = direct
        self._start = b""
        self._line = b""

    def send(self, payloads: list[bytes]) -> bool:
        """Send them, or return False: not now."""
        return self._direct.write(self._frame(payloads[0]) if len(payloads) == 1 else _frames(payloads))

    def _frame(self, payload: bytes) -> bytes:
        """As `frame`; the type is mostly that of the payload before, and then not looked for."""
        if not self._start or payload[: len(self._start)] != self._start:
            kind = payload_type(payload)
            self._start = b'{"type":"%b"' % kind
            self._line = b"event: %b\ndata: " % kind
        return b"%b%b\n\n" % (self._line, payload)


class SendDeadline:
    """Cancels the task that made it when one of its sends is blocked for too long: its client has stopped reading.

    While there are sends, a timer looks now and then. Nothing is set up per send, and nothing for a silent stream.
    """

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(SEND_LOOK_S, self._look)

    def end(self) -> None:
        self._since = None

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if self._since is None:
            return
        if self._loop.time() - self._since > SEND_DEADLINE_S and self._task is not None:
            self._task.cancel()
            return
        self._timer = self._loop.call_later(SEND_LOOK_S, self._look)


def _frames(payloads: Sequence[bytes]) -> bytes:
    if len(payloads) == 1:
        return frame(payloads[0])
    return b"".join(map(frame, payloads))
