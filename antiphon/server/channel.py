"""One accepted WebSocket: JSON bytes in, text frames out, and an eye on clients that have stopped reading."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from starlette.types import Receive, Send

from antiphon.server.exchange import ClientGone

DIRECT_TEXT = "antiphon.direct_text"
"""An extension of ASGI by our own protocol; its `write` sends text frames at once, or returns False: not now."""


class Channel:
    """Frames may be sent by several tasks at once, each frame is whole.

    A send waits for the client to read, so what a slow client has not read stays in the logs, not here. `write` is what
    sends without a task, if the server can do that.
    """

    def __init__(
        self,
        receive: Receive,
        send: Send,
        *,
        send_deadline_s: float,
        write: Callable[[Sequence[bytes]], bool] | None = None,
    ) -> None:
        self._receive = receive
        self._send = send
        self._write = write
        self._send_deadline_s = send_deadline_s
        self._loop = asyncio.get_running_loop()
        self._sending = 0
        self._moved_at = 0.0

    async def receive(self) -> bytes | None:
        """The next frame, text or binary; None once the client is gone."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            return None
        text: str | None = message.get("text")
        return text.encode() if text is not None else message.get("bytes") or b""

    async def send(self, payload: bytes) -> None:
        """Send one frame. Raises: ClientGone."""
        if not self._sending:
            self._moved_at = self._loop.time()
        self._sending += 1
        try:
            await self._send({"type": "websocket.send", "text": payload.decode()})
        except OSError:  # what ASGI servers raise once the connection is lost
            raise ClientGone from None
        finally:
            self._sending -= 1
            self._moved_at = self._loop.time()

    def send_now(self, payloads: Sequence[bytes]) -> bool:
        """Send a frame for each, or return False: then `send` has to do it."""
        return self._write is not None and not self._sending and self._write(payloads)

    async def stalled(self) -> None:
        """Return when no frame has got through for longer than the deadline although one was to be sent."""
        while True:
            await asyncio.sleep(self._send_deadline_s / 2)
            if self._sending and self._loop.time() - self._moved_at > self._send_deadline_s:
                return

    async def close(self, code: int) -> None:
        """Close in order; nothing may be sent from now on."""
        with contextlib.suppress(OSError):
            await self._send({"type": "websocket.close", "code": code})
