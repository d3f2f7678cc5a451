"""One WebSocket connection: its lanes, what they remember, its limits and its end.

It ends when the client leaves, when its life or that of its key is over and nothing runs any more, when a frame is too
large, or when the client has stopped reading. Whatever still runs is left then, as an HTTP stream would be.
Spec: frames, lanes and limits of OpenAI's WebSocket mode.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from msgspec import Struct

from antiphon.core.past_turn import PastTurn
from antiphon.errors import AntiphonError, ClientError, PayloadTooLarge
from antiphon.server.backlog import Backlog
from antiphon.server.channel import Channel
from antiphon.server.error_answers import ErrorStyle
from antiphon.server.exchange import ClientGone
from antiphon.server.frames import CreateFrame, FrameFault, SteerFrame, error_frame, in_lane, read_frame
from antiphon.server.lanes import Lane
from antiphon.server.passes import Pass, not_admitted
from antiphon.server.recorder import Recorder
from antiphon.server.steering import SteerRefused, steer_failed
from antiphon.service.caller import Caller
from antiphon.service.manner import Manner
from antiphon.service.responses import Responses

MOST_LANES = 32
MOST_IN_FLIGHT = 16
MOST_WAITING = 64
GOING_AWAY, POLICY_VIOLATION, TOO_BIG = 1001, 1008, 1009


class WebSocketOptions(Struct, frozen=True, kw_only=True):
    """`enabled` False refuses the upgrade. A connection takes no more requests after `life_s`.

    A client that lets no frame through for `send_deadline_s` is dropped.
    """

    enabled: bool = True
    strict: bool = False
    life_s: float = 3600.0
    send_deadline_s: float = 10.0
    max_frame_bytes: int = 32 * 2**20


class SocketOrigin(Struct, frozen=True, kw_only=True):
    """What the upgrade says of every request to come: as of an `Exchange`. `admitted` is who asks, while that holds."""

    admitted: Pass
    manner: Manner
    request_id: str
    deployment: str | None
    error_style: ErrorStyle


class SocketConnection:
    """One accepted connection."""

    def __init__(
        self,
        service: Responses,
        channel: Channel,
        options: WebSocketOptions,
        origin: SocketOrigin,
        recorder: Recorder,
    ) -> None:
        self.manner = origin.manner
        self.request_id = origin.request_id
        self.recorder = recorder
        self.deployment = origin.deployment
        self.error_style = origin.error_style
        self.strict = options.strict
        self.channel = channel
        self.slots = asyncio.Semaphore(MOST_IN_FLIGHT)
        self.backlog = Backlog(MOST_WAITING, 2 * options.max_frame_bytes)
        self._service = service
        self._options = options
        self._pass = origin.admitted
        self._lanes: dict[str | None, Lane] = {}
        self._expired = False

    async def serve(self) -> None:
        """Answer frames until the first of the reasons to end, then leave what runs and close."""
        ends: Sequence[Coroutine[Any, Any, int | None]] = (
            self._read(),
            self._expire(),
            self._lose_the_key(),
            self._stall(),
        )
        tasks = [asyncio.ensure_future(end) for end in ends]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for lane in self._lanes.values():
                await lane.close()
        for task in done:
            code = task.result()
            if code is not None:
                await self.channel.close(code)

    # -- what lanes need

    @property
    def caller(self) -> Caller:
        """Who asks, as last let in."""
        return self._pass.caller

    def admit(self) -> Caller:
        """Who asks, for a new request. Raises: Unauthorized once the key is revoked or has expired."""
        return self._pass.admit()

    def recall(self, response_id: str) -> Sequence[PastTurn] | None:
        """The turns behind a response that some lane of this connection remembers."""
        for lane in self._lanes.values():
            if lane.remembered is not None and lane.remembered[0] == response_id:
                return lane.remembered[1]
        return None

    def forget(self, response_id: str | None) -> None:
        """Forget a response whose continuation failed."""
        for lane in self._lanes.values():
            if lane.remembered is not None and lane.remembered[0] == response_id:
                lane.remembered = None

    # -- reasons to end; each returns the code to close with, None when the client is past hearing it

    async def _read(self) -> int | None:
        try:
            while (frame := await self.channel.receive()) is not None:
                if len(frame) > self._options.max_frame_bytes:
                    limit = self._options.max_frame_bytes
                    error = PayloadTooLarge(f"The frame is larger than {limit} bytes (setting 'max_body_bytes').")
                    await self.channel.send(error_frame(error, self.error_style))
                    return TOO_BIG
                await self._take(frame)
        except ClientGone:
            pass
        return None

    async def _expire(self) -> int | None:
        await asyncio.sleep(self._options.life_s)
        self._expired = True
        return await self._end_with(_life_is_over(), GOING_AWAY)

    async def _lose_the_key(self) -> int | None:
        """What runs goes on to its end; what waits, and what still comes, is refused."""
        await self._pass.lost()
        return await self._end_with(not_admitted(), POLICY_VIOLATION)

    async def _end_with(self, error: AntiphonError, code: int) -> int | None:
        for lane in tuple(self._lanes.values()):
            await lane.drain()
        try:
            await self.channel.send(error_frame(error, self.error_style))
        except ClientGone:
            return None
        return code

    async def _stall(self) -> int | None:
        await self.channel.stalled()
        return None

    # -- frames

    async def _take(self, data: bytes) -> None:
        stream_id: str | None = None
        try:
            frame = read_frame(data)
            stream_id = frame.stream_id
            self.admit()
            if self._expired:
                raise _life_is_over()
            if isinstance(frame, SteerFrame):
                await self._steer(frame)
            else:
                self._lane(frame).submit(frame)
        except FrameFault as fault:
            await self.channel.send(in_lane(error_frame(fault.error, self.error_style), fault.stream_id))
        except AntiphonError as error:
            await self.channel.send(in_lane(error_frame(error, self.error_style), stream_id))

    def _lane(self, frame: CreateFrame) -> Lane:
        """The frame's lane, opened if need be. Raises: ClientError."""
        lane = self._lanes.get(frame.stream_id)
        if lane is None:
            if frame.stream_id is not None and len(self._lanes.keys() - {None}) >= MOST_LANES:
                raise ClientError(
                    f"This WebSocket connection has reached its maximum number of distinct stream IDs ({MOST_LANES}). "
                    "Reuse an existing stream_id or open a new WebSocket connection.",
                    param="stream_id",
                    code="websocket_stream_limit_reached",
                )
            lane = self._lanes[frame.stream_id] = Lane(self._service, self, frame.stream_id)
        return lane

    async def _steer(self, frame: SteerFrame) -> None:
        """The response says which lane is meant, whatever the frame names."""
        for lane in self._lanes.values():
            if lane.knows(frame.previous_response_id):
                await lane.steer(frame)
                return
        refused = SteerRefused("response_not_found", "No such response on this connection.")
        await self.channel.send(steer_failed(frame, refused, 0))


def _life_is_over() -> ClientError:
    return ClientError(
        "Responses websocket connection limit reached (60 minutes). Create a new websocket connection to continue.",
        code="websocket_connection_limit_reached",
    )
