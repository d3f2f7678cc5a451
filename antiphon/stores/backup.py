"""A copy of the store with the keys that its sealed parts need: one tar file, made while servers run."""

import os
import shutil
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

from antiphon.errors import SetupError
from antiphon.stores.database import open_reader, set_up
from antiphon.stores.file_lock import FileLock
from antiphon.stores.owners import owners_folder

DATABASE = "antiphon.sqlite3"
KEYS = "keys"
_PAGES = 1024


def back_up(data_dir: Path, target: Path) -> None:
    """Write store and keys as they are at one moment. The file is readable by its owner only.

    Raises: SetupError for a missing store, or a target that exists or cannot be written.
    """
    source = data_dir / DATABASE
    if not source.exists():
        raise SetupError(f"There is no store at {source}; name the data directory with --data-dir.")
    set_up(source)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SetupError(f"{target} exists already; name another file.") from None
    except OSError as error:
        raise SetupError(f"Cannot write {target}: {error.strerror}.") from error
    with os.fdopen(descriptor, "wb") as file, tempfile.TemporaryDirectory(dir=target.parent) as folder:
        copy = Path(folder, DATABASE)
        _copy(source, copy)
        with tarfile.open(fileobj=file, mode="w") as archive:
            archive.add(copy, DATABASE)
            for key in sorted((data_dir / KEYS).glob("*")):
                archive.add(key, f"{KEYS}/{key.name}")


def restore(backup: Path, data_dir: Path, *, replaces: bool) -> None:
    """Put a backup in place. Runs that were under way when it was made go on, or end, at the next start.

    Raises: SetupError for something that is no backup, a store in use, or one that is there when not `replaces`.
    """
    target = data_dir / DATABASE
    if target.exists() and not replaces:
        raise SetupError(f"There is a store at {target}; --force replaces it.")
    if _in_use(target):
        raise SetupError(f"A server is using {target}; stop it first.")
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=data_dir) as folder:
        _unpack(backup, Path(folder))
        _check(Path(folder, DATABASE), backup)
        for suffix in ("", "-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        shutil.move(Path(folder, DATABASE), target)
        (data_dir / KEYS).mkdir(mode=0o700, exist_ok=True)
        for key in Path(folder, KEYS).glob("*"):
            shutil.move(key, data_dir / KEYS / key.name)


def _copy(source: Path, target: Path) -> None:
    with closing(open_reader(source)) as connection, closing(sqlite3.connect(target)) as copy:
        connection.backup(copy, pages=_PAGES, sleep=0.01)


def _unpack(backup: Path, folder: Path) -> None:
    try:
        with tarfile.open(backup) as archive:
            for member in archive:
                if member.isfile() and (member.name == DATABASE or Path(member.name).parent == Path(KEYS)):
                    archive.extract(member, folder, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise SetupError(f"Cannot read {backup}: {error}.") from error


def _check(copy: Path, backup: Path) -> None:
    if not copy.exists():
        raise SetupError(f"{backup} is no backup of a store.")
    try:
        with closing(sqlite3.connect(copy)) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
    except sqlite3.Error as error:
        raise SetupError(f"{backup} is damaged: {error}.") from error
    if verdict != "ok":
        raise SetupError(f"{backup} is damaged: {verdict}.")
    os.chmod(copy, 0o600)


def _in_use(database: Path) -> bool:
    """Whether a living process has the database open: it holds the lock that bears its name."""
    for lock in map(FileLock, owners_folder(database).glob("*.lock")):
        if not lock.take():
            return True
        lock.release(remove=False)
    return False
