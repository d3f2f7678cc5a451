"""The log of a live run: one producer appends payloads, any number of readers follow at their own pace.

The producer never waits for a reader. Payloads keep their numbers: the first one held has number `first`, the event
numbers are those of its run. What is stored may be trimmed away; a reader that is further behind reads it back from the
store. Nothing here is a queue: a reader is a position, and waking it is one future. A reader that waits at the end of
the log can take what is new at once, without being woken, if it is `eager`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from antiphon.core.payloads import Payloads, Texts

TAIL_BYTES = 64 * 1024
"""How much of a log stays in memory for readers that are not far behind."""

# Reads payloads back from the store, from the event with the given number on; not necessarily all.
ReadBack = Callable[[int], Awaitable[Sequence[bytes]]]


class Reader(Protocol):
    """One consumer's place in a log, live or stored."""

    @property
    def position(self) -> int:
        """The number of the next event this reader will get."""
        ...

    async def read(self) -> Sequence[bytes] | None:
        """The payloads that have gathered, waiting for at least one.

        Empty: a heartbeat is due. None: the log is over.
        """
        ...

    def leave(self) -> None:
        """Stop reading; a pending `read` returns None."""
        ...


class RunLog:
    """Append-only; `close` ends it for every reader. A run that is taken up again goes on at number `first`."""

    def __init__(self, read_back: ReadBack | None = None, *, first: int = 0) -> None:
        self.payloads = Payloads(first)
        self.closed = False
        self._read_back = read_back
        self._readers: tuple[LogReader, ...] = ()  # in the order they came; seldom more than one

    @property
    def first(self) -> int:
        """The number of the first payload held."""
        return self.payloads.first

    @property
    def next_number(self) -> int:
        """The number of the next payload."""
        return self.payloads.first + len(self.payloads)

    def append(self, payloads: list[bytes], among: Texts | None = None) -> None:
        """Add payloads and wake whoever waits for them. Of the texts among them no more is held than the texts."""
        if not payloads:
            return
        self.payloads.add(payloads, among)
        next_number = self.payloads.first + len(self.payloads)
        for reader in self._readers:
            reader.offer(payloads, next_number)

    def close(self) -> None:
        """End the log: readers get what is left, then None."""
        self.closed = True
        for reader in self._readers:
            reader.wake()

    def end(self, payloads: Sequence[bytes]) -> None:
        """Add the last payloads and close: a reader gets both at once, and can say both at once."""
        self.payloads.add(payloads)
        self.close()

    def trim(self, stored: int) -> None:
        """Forget payloads with numbers below `stored`, but for a tail. They must be in the store."""
        self.payloads.drop(min(stored, self.payloads.tail(TAIL_BYTES)))

    def reader(self, after: int = -1, *, heartbeat_s: float | None = None) -> "LogReader":
        """A reader that begins behind the event with number `after`. The caller must `leave` it."""
        reader = LogReader(self, after + 1, heartbeat_s)
        self._readers = (*self._readers, reader)
        return reader

    async def reach(self, number: int) -> None:
        """Wait until the next payload has at least this number, or the log is over."""
        if self.next_number >= number:
            return
        reader = self.reader(number - 2)
        try:
            await reader.read()
        finally:
            reader.leave()

    def forget(self, reader: "LogReader") -> None:
        self._readers = tuple(each for each in self._readers if each is not reader)

    async def behind(self, number: int) -> Sequence[bytes]:
        """Payloads from `number` on that are no longer held."""
        if self._read_back is None:
            raise LookupError("this log was never trimmed")
        return await self._read_back(number)


class LogReader:
    """A reader of a live log."""

    def __init__(self, log: RunLog, position: int, heartbeat_s: float | None) -> None:
        self._position = position
        self._waiter: asyncio.Future[None] | None = None  # not of one that was woken
        self.eager: Callable[[list[bytes]], bool] | None = None
        self._loop = asyncio.get_running_loop()
        self._silence = Silence(heartbeat_s, self.wake)
        self._log = log
        self._left = False

    @property
    def position(self) -> int:
        """The number of the next event this reader will get."""
        return self._position

    async def read(self) -> Sequence[bytes] | None:
        """All payloads that have gathered, waiting for at least one.

        Empty: a heartbeat is due. None: the log is over.
        """
        log = self._log
        while not self._left:
            if self._position < log.first:
                payloads = await log.behind(self._position)
                if not payloads:  # deleted while it was being read
                    break
                return self._take(payloads)
            if self._position < log.next_number:
                return self._take(log.payloads.since(self._position))
            if log.closed:
                break
            if self._silence.is_due():
                return ()
            await self._wait()
        self.leave()
        return None

    def offer(self, payloads: list[bytes], next_number: int) -> None:
        """Give payloads, those just before `next_number`, to `eager` if `read` waits for them and for nothing else.

        Otherwise, or if it cannot take them now (False), let `read` look.
        """
        if self._waiter is None:
            return
        eager = self.eager
        if eager is not None and self._position + len(payloads) == next_number and eager(payloads):
            self._position = next_number
            self._silence.since = self._loop.time()
        else:
            self.wake()

    def wake(self) -> None:
        """Let a waiting `read` look again."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def leave(self) -> None:
        """Stop reading; a pending `read` returns None."""
        self._left = True
        self._log.forget(self)
        self._silence.stop()
        self.wake()

    def _take(self, payloads: Sequence[bytes]) -> Sequence[bytes]:
        self._position += len(payloads)
        self._silence.broken()
        return payloads

    async def _wait(self) -> None:
        self._silence.watch()
        self._waiter = self._loop.create_future()
        await self._waiter


class Silence:
    """Calls `wake` when nothing has happened for `after_s` seconds, None.

    Never. One timer, set anew only when it fires.
    """

    def __init__(self, after_s: float | None, wake: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self.since = self._loop.time()
        self._after_s = after_s
        self._wake = wake
        self._timer: asyncio.TimerHandle | None = None

    def broken(self) -> None:
        """Something happened just now."""
        self.since = self._loop.time()

    def is_due(self) -> bool:
        """Whether it has lasted long enough; then it begins anew."""
        if self._after_s is None or self._loop.time() < self.since + self._after_s:
            return False
        self.broken()
        return True

    def watch(self) -> None:
        """See to it that `wake` is called in time."""
        if self._after_s is not None and self._timer is None:
            self._timer = self._loop.call_at(self.since + self._after_s, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        if self._after_s is not None and self._loop.time() >= self.since + self._after_s:
            self._wake()
        else:
            self.watch()
