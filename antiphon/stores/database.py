"""The SQLite file: made with its permissions and settings, brought to the newest schema, opened by writer and readers.

Rules: WAL, so readers never wait; synchronous=NORMAL, so a commit survives the process but perhaps not a power cut;
incremental auto-vacuum, which only an empty database accepts, so it is set before anything else.
"""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from antiphon.errors import SetupError, StoreUnavailable
from antiphon.stores.file_lock import FileLock
from antiphon.stores.filesystem import network_filesystem
from antiphon.stores.owners import owners_folder
from antiphon.stores.sql_files import load_migrations, split_script

_BUSY_TIMEOUT_S = 5.0
_SETUP_TIMEOUT_S = 60.0
_RETRY_S = 0.001
_WAL_BYTES = 64 * 2**20
_CHECKPOINT_PAGES = 4000
"""So many pages are written to the database file by whoever commits the last of them; `checkpoints` does so earlier."""

_MESSAGES = {
    sqlite3.SQLITE_FULL: "The store's disk is full.",
    sqlite3.SQLITE_BUSY: "The store is busy with another process.",
    sqlite3.SQLITE_LOCKED: "The store is busy with another process.",
    sqlite3.SQLITE_READONLY: "The store is read-only.",
    sqlite3.SQLITE_PERM: "The store may not be accessed.",
    sqlite3.SQLITE_CANTOPEN: "The store cannot be opened.",
    sqlite3.SQLITE_IOERR: "The store's disk failed.",
    sqlite3.SQLITE_CORRUPT: "The store is damaged.",
    sqlite3.SQLITE_NOTADB: "The store is damaged.",
    sqlite3.SQLITE_TOOBIG: "The store cannot hold or read that much at once.",
}


def unavailable(error: sqlite3.Error) -> StoreUnavailable:
    """What a client may know of a database error."""
    return StoreUnavailable(_MESSAGES.get(_code(error), "The store cannot be used now."))


def set_up(path: Path) -> None:
    """Make the file and its folder if they are missing, and bring the schema up to date.

    Safe when several processes do so at once. Raises: SetupError.
    """
    kind = network_filesystem(path.parent)
    if kind is not None:
        raise SetupError(
            f"{path} would be on a network file system ({kind}), where SQLite's locks do not hold; name a local data "
            "directory."
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        owners_folder(path).mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with _alone(path):
            connection = _connect(path)
            try:
                _migrate(connection, path)
            finally:
                connection.close()
    except OSError as error:
        raise SetupError(f"Cannot use {path}: {error.strerror}. Name another data directory.") from error
    except sqlite3.Error as error:
        raise SetupError(f"Cannot use {path}: {error}. Move it away or name another data directory.") from error


def open_writer(path: Path) -> sqlite3.Connection:
    """The connection that writes. It does not wait by itself: `begin` does."""
    connection = _connect(path)
    connection.execute("PRAGMA busy_timeout = 0")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads (and checkpoints)."""
    connection = _connect(path)
    connection.execute("PRAGMA query_only = 1")
    return connection


def begin(connection: sqlite3.Connection) -> None:
    """Begin a write transaction, waiting for other processes.

    SQLite's own waiting backs off to 100 ms, which starves beside a process that commits one group after another.
    """
    give_up_at = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= give_up_at:
                raise
        time.sleep(_RETRY_S)


def data_version(connection: sqlite3.Connection) -> int:
    """Another number once any other connection has committed."""
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version


def _code(error: sqlite3.Error) -> int:
    """The primary result code: the low byte of the extended one."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """No other process sets the database up: changing the journal mode does not wait as other writes do."""
    lock = FileLock(path.with_name(path.name + ".setup"))
    give_up_at = time.monotonic() + _SETUP_TIMEOUT_S
    while not lock.take():
        if time.monotonic() >= give_up_at:
            raise SetupError(f"Another process has been setting up {path} for a minute; stop it and try again.")
        time.sleep(0.01)
    try:
        yield
    finally:
        lock.release(remove=True)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    migrations = load_migrations()
    version = _version(connection)
    if version > len(migrations):
        raise SetupError(
            f"{path} was written by a newer Antiphon (schema {version}, this one knows {len(migrations)}); "
            "update Antiphon or name another data directory."
        )
    if version == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise SetupError(f"{path} is not Antiphon's database; name another data directory.")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    for number, script in enumerate(migrations[version:], version + 1):
        _apply(connection, script, number)
    missing = _columns_missing(connection, migrations)
    if missing:
        raise SetupError(
            f"{path} was made by an unreleased Antiphon and lacks {', '.join(missing)}; move it away or name another "
            "data directory."
        )


def _apply(connection: sqlite3.Connection, script: str, number: int) -> None:
    begin(connection)
    try:
        for statement in split_script(script):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _columns_missing(connection: sqlite3.Connection, migrations: Sequence[str]) -> list[str]:
    """What the migrations make and the database has not; more it may have."""
    model = sqlite3.connect(":memory:")
    try:
        for statement in (statement for script in migrations for statement in split_script(script)):
            model.execute(statement)
        return sorted(set(_columns(model)) - set(_columns(connection)))
    finally:
        model.close()


def _columns(connection: sqlite3.Connection) -> Iterator[str]:
    for table, column in connection.execute(
        "SELECT tables.name, columns.name FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns "
        "WHERE tables.type = 'table'"
    ):
        yield f"{table}.{column}"


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
