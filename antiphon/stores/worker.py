"""Threads with a database connection each that serve one queue of jobs, so that the event loop never waits for a disk.

A writer takes all jobs that are waiting and commits them together; readers take one at a time. A thread wakes the loop
once for all it has done, never per job. Where more jobs are about to come, a writer lets the loop go on for a moment
first: a commit costs as much for several as for one, and while it runs it and the loop keep taking the interpreter from
each other.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from antiphon.errors import StoreUnavailable
from antiphon.stores.database import begin, unavailable

T = TypeVar("T")
COMPANY_WAIT_S = 0.00025
"""How long a job waits for others that are about to come."""
_BUGS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


class Job(Generic[T]):
    """Work for a connection, whose outcome goes to `future`. `prepare` runs before the transaction."""

    __slots__ = ("_act", "_prepare", "error", "future", "result")

    def __init__(
        self, act: Callable[[sqlite3.Connection], T], prepare: Callable[[], None] | None, future: "asyncio.Future[T]"
    ) -> None:
        self._act = act
        self._prepare = prepare
        self.future = future
        self.result: T | None = None
        self.error: BaseException | None = None

    def prepare(self) -> None:
        if self._prepare is not None:
            self._prepare()

    def act(self, connection: sqlite3.Connection) -> None:
        """Do the work. May be called again after a rollback."""
        self.error = None
        self.result = self._act(connection)

    def fail(self, error: BaseException) -> None:
        """Give this error to whoever waits for the job, in place of a result."""
        if isinstance(error, sqlite3.Error) and not isinstance(error, _BUGS):
            self.error = unavailable(error)
        else:
            self.error = error

    def deliver(self) -> None:
        """Tell whoever waits; runs in the loop."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]


Perform = Callable[[sqlite3.Connection, Sequence[Job[Any]]], None]


class Workers:
    """Threads over one queue. `perform` settles every job of a group; a group has at most `group_size` jobs.

    `coming` says how many jobs are here or about to come, as far as that is known.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], sqlite3.Connection],
        perform: Perform,
        *,
        threads: int,
        group_size: int,
        coming: Callable[[], int] = lambda: 0,
    ) -> None:
        self._connect = connect
        self._perform = perform
        self._group_size = group_size
        self._coming = coming
        self._queue: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._threads = [threading.Thread(target=self._serve, name=name, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def run(
        self, act: Callable[[sqlite3.Connection], T], prepare: Callable[[], None] | None = None
    ) -> "asyncio.Future[T]":
        """Have a job done, from now on. It is done even when nobody waits for it any more. Raises: StoreUnavailable."""
        if self._closed:
            raise StoreUnavailable("The store is closed.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(Job(act, prepare, future))
        return future

    async def close(self) -> None:
        """Finish what is queued, then end the threads and their connections."""
        if self._closed:
            return
        self._closed = True
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _serve(self) -> None:
        connection = self._open()
        while (group := self._next_group()) is not None:
            if isinstance(connection, sqlite3.Error):
                for job in group:
                    job.fail(connection)
            else:
                self._perform(connection, group)
            with suppress(RuntimeError):  # the loop is gone, and with it everyone who could be told
                self._loop.call_soon_threadsafe(_deliver, group)
        if not isinstance(connection, sqlite3.Error):
            connection.close()

    def _open(self) -> sqlite3.Connection | sqlite3.Error:
        try:
            return self._connect()
        except sqlite3.Error as error:
            return error

    def _next_group(self) -> list[Job[Any]] | None:
        """The jobs that are waiting, at least one. None: the end."""
        first = self._queue.get()
        if first is None:
            return None
        if self._coming() > 1:
            time.sleep(COMPANY_WAIT_S)
        group = [first]
        while len(group) < self._group_size:
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            if job is None:
                self._queue.put(None)
                break
            group.append(job)
        return group


def _deliver(group: Sequence[Job[Any]]) -> None:
    for job in group:
        job.deliver()


def answer(connection: sqlite3.Connection, group: Sequence[Job[Any]]) -> None:
    """Do reading jobs, each on its own."""
    for job in group:
        try:
            job.act(connection)
        except BaseException as error:  # it belongs to whoever waits for the job
            job.fail(error)


def commit(connection: sqlite3.Connection, group: Sequence[Job[Any]]) -> None:
    """Do writing jobs in one transaction; when one fails, each in its own, so that only the failing ones fail.

    Doing them over costs nothing while all goes well, and unlike savepoints it holds where SQLite rolls the whole
    transaction back by itself, as on a full disk.
    """
    ready = [job for job in group if _prepared(job)]
    if ready and not _together(connection, ready):
        for job in ready:
            _together(connection, [job])


def _prepared(job: Job[Any]) -> bool:
    try:
        job.prepare()
    except BaseException as error:  # as above
        job.fail(error)
        return False
    return True


def _together(connection: sqlite3.Connection, jobs: Sequence[Job[Any]]) -> bool:
    """Settle the jobs in one transaction. False: one of several failed, nothing is written, do them one by one."""
    try:
        begin(connection)
    except sqlite3.Error as error:
        for job in jobs:
            job.fail(error)
        return True
    try:
        for job in jobs:
            job.act(connection)
        connection.execute("COMMIT")
    except BaseException as error:  # as above
        with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        if len(jobs) > 1:
            return False
        jobs[0].fail(error)
    return True
