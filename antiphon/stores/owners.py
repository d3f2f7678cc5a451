"""Processes that share a database, and what becomes of the runs of those that die.

A process is a row in `owners` and a lock on `owners/<id>.lock`, taken before the row is written and let go after it is
removed. So a row whose lock can be taken, or whose file is gone, is that of a dead process; and an unfinished run
whose owner has no row is nobody's. What a dead process had begun and not written to the database is in its journal,
`owners/<id>.journal`.
"""

import os
import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from antiphon.errors import Conflict, PreviousResponseNotFound
from antiphon.ports import AbandonedRun, Lease
from antiphon.stores.file_lock import FileLock
from antiphon.stores.journal import Journal, missing_runs
from antiphon.stores.runs import begin_run
from antiphon.stores.sql_files import load_statements

_SQL = load_statements("owners")


def owners_folder(database: Path) -> Path:
    """Where the locks of the processes that use a database are."""
    return database.with_name("owners")


class Owner:
    """This process, or one of several stores in it."""

    def __init__(self, database: Path) -> None:
        self.id = secrets.token_hex(8)
        self._folder = owners_folder(database)
        self._lock = self._lock_of(self.id)
        self._read: list[Path] = []  # journals of the dead whose runs are being written
        self.is_alone = False
        """Whether no other process lived, when the abandoned runs were looked for last."""
        self.journal = Journal(self._folder / f"{self.id}.journal")

    def register(self, connection: sqlite3.Connection) -> None:
        """Be seen as alive."""
        self._lock.take()
        connection.execute(_SQL["register"], {"id": self.id, "pid": os.getpid()})

    def leave(self, connection: sqlite3.Connection) -> None:
        """Remove the row. Unfinished runs become claimable when this is committed, and it costs them no attempt."""
        connection.execute(_SQL["hand_over"], {"id": self.id})
        connection.execute(_SQL["forget"], {"id": self.id})

    def release(self) -> None:
        """Remove the lock."""
        self._lock.release(remove=True)

    def claim_abandoned(self, connection: sqlite3.Connection) -> Sequence[AbandonedRun]:
        """Make the unfinished runs of the dead ours. Write transactions exclude each other: each run has one taker."""
        self.absorb(connection)
        rows = connection.execute(_SQL["abandoned"]).fetchall()
        connection.executemany(
            _SQL["claim"], [{"owner": self.id, "key": key, "fence": fence} for key, fence, *_ in rows]
        )
        return tuple(
            AbandonedRun(
                lease=Lease(key, fence),
                tenant=tenant,
                id=public_id,
                background=bool(background),
                head=head,
                attempt=attempt,
                request=request,
                dialect=dialect,
            )
            for key, fence, tenant, public_id, background, head, attempt, request, dialect in rows
        )

    def absorb(self, connection: sqlite3.Connection) -> None:
        """Make all that the dead left claimable, what is only in their journals too."""
        for (other,) in connection.execute(_SQL["others"], {"id": self.id}).fetchall():
            self._forget_if_dead(connection, other)
        self._write_what_is_missing(connection)

    def forget_journals(self) -> None:
        """Remove the journals that were absorbed; once that is committed."""
        while self._read:
            path = self._read.pop()
            path.with_suffix(".fresh").unlink(missing_ok=True)
            path.unlink(missing_ok=True)

    def _write_what_is_missing(self, connection: sqlite3.Connection) -> None:
        """Write the runs that are only in the journals of the dead."""
        living = {self.id, *(other for (other,) in connection.execute(_SQL["others"], {"id": self.id}))}
        self.is_alone = len(living) == 1
        self._read = [path for path in self._folder.glob("*.journal") if path.stem not in living]
        for path in self._read:
            for beginning in missing_runs(path):
                with suppress(Conflict, PreviousResponseNotFound):  # it was written after all, or goes on from nothing
                    begin_run(connection, beginning, path.stem)

    def _forget_if_dead(self, connection: sqlite3.Connection, other: str) -> None:
        lock = self._lock_of(other)
        try:
            if not lock.take(create=False):
                return
        except FileNotFoundError:
            pass
        connection.execute(_SQL["forget"], {"id": other})
        lock.release(remove=True)

    def _lock_of(self, owner: str) -> FileLock:
        return FileLock(self._folder / f"{owner}.lock")
