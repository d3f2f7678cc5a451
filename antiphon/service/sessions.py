"""The runs that live in this process: found by id, limited in number, evicted when idle.

A run is idle while it waits for tool outputs and nobody follows it. At the maximum the longest idle run makes room;
when none is idle a new one is refused. A run that works is never evicted.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Literal

from antiphon.errors import EngineError, EngineUnavailable
from antiphon.service.run import Run

RETRY_AFTER_S = 2.0

SessionState = Literal["queued", "working", "waiting", "idle"]
SESSION_STATES: tuple[SessionState, ...] = ("queued", "working", "waiting", "idle")


class Sessions:
    """At most `most` runs at a time, and new ones only while all together hold less than `most_bytes`.

    An idle run is evicted after `idle_ttl_s`; `evicted` counts those that were.
    """

    def __init__(self, most: int, most_bytes: int, *, idle_ttl_s: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._idle_ttl_s = idle_ttl_s
        self._clock = clock
        self._runs: dict[tuple[str, str], Run] = {}
        self.arriving = 0
        self._leaving: set[Run] = set()
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(tuple(self._runs.values()))

    def get(self, tenant: str, response_id: str) -> Run | None:
        """The live run of a tenant's response."""
        return self._runs.get((tenant, response_id))

    def room(self) -> "Room":
        """Keep room for one more run, which is added within the block. Raises: EngineUnavailable when there is none."""
        self._make_room()
        self.arriving += 1
        return Room(self)

    def _make_room(self) -> None:
        full = self._fullness()
        if full is None:
            return
        idle = [run for run in self._runs.values() if run.idle_since is not None and run not in self._leaving]
        if not idle:
            raise EngineUnavailable(
                f"{full} Please try again in {RETRY_AFTER_S:g}s.",
                retry_after_s=RETRY_AFTER_S,
            )
        self._evict(min(idle, key=lambda run: run.idle_since or 0))

    def _fullness(self) -> str | None:
        """Why there is no room, None when there is."""
        if len(self._runs) - len(self._leaving) + self.arriving >= self._most:
            return f"Too many responses are being generated (setting 'max_sessions': {self._most})."
        if self.bytes >= self._most_bytes:
            return f"Too much is being generated (setting 'max_total_bytes': {self._most_bytes})."
        return None

    def by_state(self) -> Mapping[SessionState, int]:
        """How many runs are in each state; idle ones are those that wait and are followed by nobody."""
        return Counter(map(_state_of, self._runs.values()))

    @property
    def bytes(self) -> int:
        """What the live runs have generated so far."""
        return sum(run.bytes for run in self._runs.values())

    def add(self, tenant: str, run: Run, task: asyncio.Task[None]) -> None:
        """Keep a run until its task is done."""
        key = (tenant, run.response.id)
        self._runs[key] = run

        def forget(_: "asyncio.Task[None]") -> None:
            self._runs.pop(key, None)
            self._leaving.discard(run)

        task.add_done_callback(forget)

    def expire(self) -> None:
        """Evict what has been idle for too long."""
        now = self._clock()
        for run in self:
            if run.idle_since is not None and run not in self._leaving and now - run.idle_since >= self._idle_ttl_s:
                self._evict(run)

    def _evict(self, run: Run) -> None:
        self.evicted += 1
        self._leaving.add(run)
        run.fail(EngineError("The response waited for tool outputs and was evicted to make room for others."))


def _state_of(run: Run) -> SessionState:
    match run.state:
        case "queued":
            return "queued"
        case "waiting":
            return "waiting" if run.idle_since is None else "idle"
        case _:
            return "working"


class Room:
    """A context that ends with the arrival that room was kept for, or with its failure."""

    __slots__ = ("_sessions",)

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def __enter__(self) -> None:
        """The room is kept already."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sessions.arriving -= 1
