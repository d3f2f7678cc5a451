"""What tests of the service share: a generation played by hand, bounded waits, and a store to look into."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

import pytest

from antiphon.core.deltas import Delta, Finish, TextDelta
from antiphon.core.stream import ResponseStream
from antiphon.core.toolbox import Toolbox
from antiphon.engines.scripted import ScriptedEngine
from antiphon.ports import Beginning, Ending, Generation, Lease, More, ResponseStore, Segment, Take
from antiphon.service.log import LogReader, RunLog
from antiphon.service.mailbox import MemoryMailbox
from antiphon.service.records import head_of
from antiphon.service.run import Run
from antiphon.service.run_row import Rows
from antiphon.service.stored_log import payloads_from
from antiphon.service.surroundings import Surroundings
from antiphon.service.work import Work
from antiphon.stores.memory import MemoryStore
from antiphon.wire.request import CreateResponse
from antiphon.wire.response import Response
from tests.core.conftest import counting_ids

T = TypeVar("T")
WAIT_S = 5.0
BASE = Response(id="resp_1", created_at=1_700_000_000, status="in_progress", model="scripted")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def soon(waited: Awaitable[T]) -> T:
    """What is waited for, within bounds."""
    async with asyncio.timeout(WAIT_S):
        return await waited


async def until_quiet(turns: int = 20) -> None:
    """Let every task that can run do so."""
    for _ in range(turns):
        await asyncio.sleep(0)


class HandPlayed:
    """A generation whose deltas a test hands over one batch at a time; an exception is raised when its turn comes.

    Made with batches that hold a Finish it ends behind them, otherwise when it is told to `stop`.
    """

    input_tokens: int | None = None

    def __init__(self, *batches: Sequence[Delta] | BaseException) -> None:
        self.started = asyncio.Event()
        self.aborted = False
        self.closed = 0
        self._batches: asyncio.Queue[Sequence[Delta] | BaseException | None] = asyncio.Queue()
        for batch in batches:
            self._batches.put_nowait(batch)
        if any(
            isinstance(delta, Finish) for batch in batches if not isinstance(batch, BaseException) for delta in batch
        ):
            self.stop()

    def play(self, *deltas: Delta) -> None:
        self._batches.put_nowait(deltas)

    def stop(self) -> None:
        """End without another delta."""
        self._batches.put_nowait(None)

    async def deltas(self) -> AsyncIterator[Sequence[Delta]]:
        self.started.set()
        try:
            while (batch := await self._batches.get()) is not None:
                if isinstance(batch, BaseException):
                    raise batch
                yield batch
                await asyncio.sleep(0)  # as every engine waits between two batches
        except asyncio.CancelledError:
            self.aborted = True
            raise

    async def close(self) -> None:
        self.closed += 1


class Handing(HandPlayed):
    """As `HandPlayed`, and a test may hand things over past `deltas` too, as an engine's own callback does."""

    def hand_to(self, take: Take, more: More) -> None:
        self.take, self.more = take, more


class WatchedStore(MemoryStore):
    """A memory store that can be made to wait or to break at the end of a run."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: BaseException | None = None
        self.log_failure: BaseException | None = None
        self.finishing = asyncio.Event()
        self.ending: Ending | None = None

    async def finish(self, lease: Lease, ending: Ending) -> bool:
        self.finishing.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.ending = ending
        return await super().finish(lease, ending)

    async def append_log(self, lease: Lease, segment: Segment) -> bool:
        if self.log_failure is not None:
            raise self.log_failure
        return await super().append_log(lease, segment)


async def leased(store: ResponseStore, *, tenant: str = "default") -> Lease:
    return await store.begin(
        Beginning(
            tenant=tenant,
            id=BASE.id,
            previous_response_id=None,
            status="in_progress",
            background=False,
            created_at=1_700_000_000,
            expires_at=None,
            head=head_of(BASE),
            input=(),
        )
    )


def run_of(generation: Generation, store: ResponseStore, lease: Lease | None, **around_it: Any) -> Run:
    """A foreground run of one round."""
    engine = ScriptedEngine()
    around = Surroundings(
        engine=engine,
        store=store,
        clock=lambda: 1_700_000_002.5,
        background=nullcontext(),
        tool_wait_s=WAIT_S,
        **around_it,
    )
    work = Work(base=BASE, request=CreateResponse(), model=engine.models()[0], toolbox=Toolbox(), own=(), items=())

    async def read_back(number: int) -> Sequence[bytes]:
        return payloads_from(await store.read_log("default", BASE.id, number - 1) or (), number)

    return Run(
        around,
        ResponseStream(BASE, new_id=counting_ids()),
        work,
        RunLog(read_back),
        row=Rows(store).begun(lease) if lease is not None else None,
        mailbox=MemoryMailbox(),
        generation=generation,
    )


async def read_all(reader: LogReader) -> list[bytes]:
    payloads: list[bytes] = []
    while (gathered := await soon(reader.read())) is not None:
        payloads += gathered
    return payloads


HELLO: Sequence[Delta] = (TextDelta("Hello"), Finish("stop"))
