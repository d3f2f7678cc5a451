"""API keys in the SQLite file of a `SqlStore`, and in memory."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from msgspec import json
from msgspec.structs import replace

from antiphon.core.grant import Grant
from antiphon.ports import StoredKey
from antiphon.stores.changes import Changes, Question
from antiphon.stores.sql_files import load_statements
from antiphon.stores.worker import Workers

_SQL = load_statements("keys")


class SqlKeys:
    """A `KeyStore`. `workers` are the store's writer and readers."""

    def __init__(self, workers: Callable[[], tuple[Workers, Workers]], changes: Changes) -> None:
        self._workers = workers
        self._version = Question(changes, self._read_version)

    async def version(self) -> int:
        return await self._version.answer()

    async def _read_version(self) -> int:
        return await self._workers()[1].run(_version)

    async def all(self) -> Sequence[StoredKey]:
        return await self._workers()[1].run(_all)

    async def add(self, key: StoredKey) -> bool:
        return await self._version.changed_by(self._workers()[0].run(partial(_add, key=key)))

    async def revoke(self, key_id: str, revoked_at: float) -> bool:
        revoked = self._workers()[0].run(partial(_revoke, key_id=key_id, revoked_at=revoked_at))
        return await self._version.changed_by(revoked)


class MemoryKeys:
    """A `KeyStore` in a plain dict."""

    def __init__(self) -> None:
        self._keys: dict[str, StoredKey] = {}
        self._version = 0

    async def version(self) -> int:
        return self._version

    async def all(self) -> Sequence[StoredKey]:
        return tuple(self._keys.values())

    async def add(self, key: StoredKey) -> bool:
        if any(other.name == key.name and other.revoked_at is None for other in self._keys.values()):
            return False
        self._keys[key.id] = key
        self._version += 1
        return True

    async def revoke(self, key_id: str, revoked_at: float) -> bool:
        key = self._keys.get(key_id)
        if key is None or key.revoked_at is not None:
            return False
        self._keys[key_id] = replace(key, revoked_at=revoked_at)
        self._version += 1
        return True


def has_keys(database: Path) -> bool:
    """Whether a database file holds any key, without opening a store. False where it cannot be read."""
    if not database.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return bool(connection.execute(_SQL["has_any"]).fetchone()[0])
    except sqlite3.Error:  # an older schema, or something that is said when the store is opened
        return False


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute(_SQL["version"]).fetchone()[0]
    return version


def _all(connection: sqlite3.Connection) -> Sequence[StoredKey]:
    return tuple(
        StoredKey(
            id=key_id,
            name=name,
            digest=digest,
            grant=json.decode(allowed, type=Grant),
            created_at=created_at,
            expires_at=expires_at,
            revoked_at=revoked_at,
        )
        for key_id, name, digest, created_at, expires_at, revoked_at, allowed in connection.execute(_SQL["all"])
    )


def _add(connection: sqlite3.Connection, key: StoredKey) -> bool:
    row = {
        "id": key.id,
        "name": key.name,
        "digest": key.digest,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "allowed": json.encode(key.grant),
    }
    return connection.execute(_SQL["add"], row).rowcount == 1


def _revoke(connection: sqlite3.Connection, key_id: str, revoked_at: float) -> bool:
    return connection.execute(_SQL["revoke"], {"id": key_id, "revoked_at": revoked_at}).rowcount == 1
