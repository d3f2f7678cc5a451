"""A lane of a WebSocket connection: responses one after the other, beside the other lanes.

Rules
 1. A request is read when its turn comes: what is wrong with it is said in the order in which it was sent.
 2. A lane remembers its latest response if that is not stored, so that a next turn, in any lane, can go on from it.
    That is settled before the client can see the response's last event.
 3. A failed turn makes the connection forget the response it went on from.
 4. What was begun is never left half done: a request whose client leaves while it is being created is cancelled after.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol

from antiphon.core.past_turn import PastTurn
from antiphon.errors import AntiphonError, ServerError
from antiphon.server.azure import at_deployment
from antiphon.server.backlog import Backlog
from antiphon.server.channel import Channel
from antiphon.server.error_answers import ErrorStyle
from antiphon.server.exchange import ClientGone
from antiphon.server.frames import HEARTBEATS, CreateFrame, SteerFrame, error_frame, in_lane
from antiphon.server.recorder import Recorder
from antiphon.server.request_record import WEBSOCKET, RequestRecord
from antiphon.server.steering import (
    Steering,
    SteerRefused,
    check_steerable,
    over,
    steer_accepted,
    steer_failed,
    steering_items,
    successor,
)
from antiphon.service.caller import Caller
from antiphon.service.following import Following
from antiphon.service.ids import new_id
from antiphon.service.log import LogReader
from antiphon.service.manner import Manner
from antiphon.service.responses import Responses
from antiphon.service.run import Run
from antiphon.wire.items import Item
from antiphon.wire.request import CreateResponse
from antiphon.wire.response import Response

logger = logging.getLogger(__name__)

ROUTE = "/v1/responses"
MOST_STEERS = 8
"""Steering inputs that may be pending for one response."""


class Connection(Protocol):
    """What a lane needs of its connection."""

    manner: Manner
    request_id: str
    recorder: Recorder
    deployment: str | None
    error_style: ErrorStyle
    strict: bool
    channel: Channel
    slots: asyncio.Semaphore
    backlog: Backlog

    @property
    def caller(self) -> Caller:
        """Who asks, as last let in."""
        ...

    def admit(self) -> Caller:
        """Who asks, for a new request. Raises: Unauthorized once that may no longer be."""
        ...

    def recall(self, response_id: str) -> Sequence[PastTurn] | None:
        """The turns behind a response that some lane remembers."""
        ...

    def forget(self, response_id: str | None) -> None:
        """No lane remembers this response any more."""
        ...


class Lane:
    """One lane; `remembered` is its latest response, if that is not stored, and the turns up to it."""

    def __init__(self, service: Responses, connection: Connection, stream_id: str | None) -> None:
        self.remembered: tuple[str, Sequence[PastTurn]] | None = None
        self._service = service
        self._connection = connection
        self._stream_id = stream_id
        self._waiting: deque[CreateFrame] = deque()
        self._run: Run | None = None
        self._ended: Response | None = None
        self._steers: list[Steering] = []
        self._last_number = 0
        self._record: RequestRecord
        self._task: asyncio.Task[None] | None = None

    def submit(self, frame: CreateFrame) -> None:
        """Serve a request after those before it. Raises: TooManyRequests."""
        self._connection.backlog.add(frame.size)
        self._waiting.append(frame)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def drain(self) -> None:
        """Wait until everything that was submitted is served."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def close(self) -> None:
        """Leave what is running and drop what waits."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def send(self, payload: bytes) -> None:
        """Send a frame of this lane. Raises: ClientGone."""
        await self._connection.channel.send(in_lane(payload, self._stream_id))

    # -- serving

    async def _work(self) -> None:
        with contextlib.suppress(ClientGone):
            while self._waiting:
                frame = self._waiting.popleft()
                async with self._connection.slots:
                    self._connection.backlog.remove(frame.size)
                    await self._serve(frame)

    async def _serve(self, frame: CreateFrame) -> None:
        """Answer one request: with its events and those of its successors, or with one error frame."""
        with self._recorded():
            try:
                run: Run | None = await self._begin(frame)
                while run is not None:
                    await self._stream(run)
                    run = await self._successor(run)
            except AntiphonError as error:
                await self._refuse(frame, error)
            except ClientGone:
                raise
            except Exception:  # the top of a request: the client must hear of it, the details are for the log
                logger.exception("a request over WebSocket failed")
                await self._refuse(frame, ServerError("The server had an error while processing your request."))

    @contextlib.contextmanager
    def _recorded(self) -> Iterator[None]:
        """Record the request that is served in the block; those of successors follow it."""
        self._open_record()
        try:
            yield
        finally:
            self._connection.recorder.close(self._record)

    def _open_record(self) -> None:
        connection = self._connection
        self._record = connection.recorder.open(WEBSOCKET, connection.request_id)
        self._record.route, self._record.caller, self._record.stream = ROUTE, connection.caller, True

    async def _refuse(self, frame: CreateFrame, error: AntiphonError) -> None:
        self._connection.forget(frame.parent())
        self._record.error, self._record.status = error, error.status
        await self.send(error_frame(error, self._connection.error_style))
        self._record.delivered = True

    async def _begin(self, frame: CreateFrame) -> Run:
        request = at_deployment(frame.request(strict=self._connection.strict), self._connection.deployment)
        return await self._create(request, generate=frame.generates())

    async def _create(self, request: CreateResponse, *, generate: bool) -> Run:
        connection = self._connection
        manner = connection.recorder.traced(self._record, connection.manner)
        creating = asyncio.ensure_future(
            self._service.create(
                request, connection.admit(), recall=connection.recall, generate=generate, manner=manner
            )
        )
        try:
            run = await asyncio.shield(creating)
        except asyncio.CancelledError:
            creating.add_done_callback(_abandon)
            raise
        self._record.run, self._record.status = run, 200
        return run

    async def _stream(self, run: Run) -> None:
        following = Following.live(run, -1, self._service.options.heartbeat_s)
        reader, heartbeat = following.reader, HEARTBEATS.get(following.dialect.heartbeat)
        self._run, self._last_number = run, 0
        if isinstance(reader, LogReader):
            reader.eager = partial(self._send_now, reader)
        try:
            while (payloads := await reader.read()) is not None:
                if run.log.closed:
                    self._settle(run)
                for payload in payloads:
                    await self.send(payload)
                self._last_number = reader.position - 1
                if not payloads and heartbeat is not None:
                    await self.send(heartbeat(self._last_number))
            self._record.delivered = True
        finally:
            self._run = None
            following.leave()

    def _send_now(self, reader: LogReader, payloads: list[bytes]) -> bool:
        """Send payloads from within the callback that brought them, or return False: not now."""
        if not self._connection.channel.send_now([in_lane(payload, self._stream_id) for payload in payloads]):
            return False
        self._last_number = reader.position + len(payloads) - 1
        return True

    def _settle(self, run: Run) -> None:
        """The run has its outcome: remember it, or forget what it went on from."""
        response = run.response
        self._run, self._ended = None, response
        if response.status in ("completed", "incomplete"):
            self.remembered = None if response.store else (response.id, run.turns)
        else:
            self._connection.forget(response.previous_response_id)

    # -- steering

    def knows(self, response_id: str) -> bool:
        """Whether this is the lane's running or latest response."""
        return any(each and each.id == response_id for each in (self._run and self._run.response, self._ended))

    async def steer(self, frame: SteerFrame) -> None:
        """Take input for a successor of a response this lane `knows`, and bring that to an early end."""
        run = self._run
        try:
            items = self._check_steer(run, frame)
        except SteerRefused as refused:
            await self.send(steer_failed(frame, refused, self._last_number))
            return
        steering = Steering(new_id("steer"), frame, items)
        self._steers.append(steering)
        await self.send(steer_accepted(steering, self._last_number))
        if run is not None and run is self._run:  # otherwise it has ended meanwhile, and the successor comes anyway
            run.steer()

    def _check_steer(self, run: Run | None, frame: SteerFrame) -> Sequence[Item]:
        """The messages to go on with. Raises: SteerRefused."""
        if run is None or run.response.id != frame.previous_response_id:
            raise over(self._ended) if self._ended else SteerRefused("response_not_active", "The response has ended.")
        check_steerable(run.work.request)
        if len(self._steers) >= MOST_STEERS:
            raise SteerRefused("too_many_pending_steers", f"At most {MOST_STEERS} inputs can be pending.")
        return steering_items(frame, strict=self._connection.strict)

    async def _successor(self, run: Run) -> Run | None:
        """The run that goes on with what was accepted; None when nothing was, or when it had to be given back."""
        steers, self._steers = self._steers, []
        if not steers:
            return None
        self._connection.recorder.close(self._record)
        self._open_record()
        try:
            return await self._create(successor(run.work.request, run.response, steers), generate=True)
        except AntiphonError as error:
            self._record.error, self._record.status = error, error.status
            refused = SteerRefused("successor_creation_failed", error.message)
        except SteerRefused as error:
            refused = error
        for steering in steers:
            await self.send(steer_failed(steering.frame, refused, self._last_number, steering.id))
        return None


def _abandon(creating: "asyncio.Future[Run]") -> None:
    """End a run that nobody follows."""
    if not creating.cancelled() and creating.exception() is None:
        run = creating.result()
        run.join()
        run.leave()
