"""Sweeping: what has expired goes, then the oldest beyond the quotas, then the space is given back to the disk."""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from antiphon.ports import Quotas, Swept
from antiphon.stores.conversations import erase_some, unneeded_conversations
from antiphon.stores.excess import Excess, excess
from antiphon.stores.file_lock import FileLock
from antiphon.stores.removal import erase_tombstone, remove_some, used_bytes
from antiphon.stores.sql_files import load_statements
from antiphon.stores.worker import Workers

_SQL = load_statements("retention")
_BATCH = 256


class Sweeper:
    """One sweep at a time per database, whichever process does it; in many short transactions."""

    def __init__(self, path: Path, quotas: Quotas, writer: Workers, readers: Workers) -> None:
        self._quotas = quotas
        self._writer = writer
        self._readers = readers
        self._lock = FileLock(path.with_name(path.name + ".sweep"))

    async def sweep(self, now: float) -> Swept:
        """Nothing is done while another process is sweeping."""
        if not await self._readers.run(lambda _: self._lock.take()):
            return Swept()
        try:
            expired = await self._remove_expired(now)
            await self._erase_tombstones()
            over_quota = await self._shed_tenants() + await self._shed_entries() + await self._shed_bytes()
            await self._erase_conversations()
            await self._give_back()
            return Swept(expired, over_quota, await self._readers.run(used_bytes))
        finally:
            self._lock.release(remove=True)

    async def _remove_expired(self, now: float) -> int:
        total = 0
        while keys := await self._keys("expired", now=now):
            _, freed = await self._writer.run(partial(remove_some, keys=keys, too_much=_always))
            total += freed.entries
        return total

    async def _shed_tenants(self) -> int:
        quotas, total = self._quotas, 0
        if quotas.tenant_max_bytes is None and quotas.tenant_max_entries is None:
            return 0
        for tenant, entries, size in await self._readers.run(_tenants):
            beyond = excess(entries, size, quotas.tenant_max_entries, quotas.tenant_max_bytes)
            total += await self._shed(beyond, "oldest_of_tenant", tenant=tenant)
        return total

    async def _shed_entries(self) -> int:
        most = self._quotas.max_entries
        return 0 if most is None else await self._shed(excess(await self._number("entries"), 0, most, None), "oldest")

    async def _shed(self, beyond: Excess, statement: str, **values: str) -> int:
        """Remove the oldest responses of a statement until nothing is left beyond the quota."""
        total = last = 0
        while beyond and (keys := await self._keys(statement, after=last, **values)):
            done, freed = await self._writer.run(partial(remove_some, keys=keys, too_much=_more_than(beyond)))
            last = keys[done - 1]
            beyond = beyond.less(freed)
            total += freed.entries
        return total

    async def _shed_bytes(self) -> int:
        """By the size of the file, which holds more than responses."""
        limit = self._quotas.max_bytes
        if limit is None:
            return 0
        total = last = 0
        while await self._readers.run(used_bytes) > limit and (keys := await self._keys("oldest", after=last)):
            done, freed = await self._writer.run(partial(remove_some, keys=keys, too_much=_larger_than(limit)))
            if done:
                last = keys[done - 1]
            total += freed.entries
        return total

    async def _erase_tombstones(self) -> None:
        """Those that an earlier removal left because it took too long."""
        while keys := await self._keys("unneeded_tombstones"):
            for key in keys:
                await self._writer.run(partial(erase_tombstone, key=key))

    async def _erase_conversations(self) -> None:
        """Those that were deleted and that no response goes on from any more."""
        while keys := await self._readers.run(unneeded_conversations):
            for key in keys:
                await self._writer.run(partial(erase_some, key=key))

    async def _give_back(self) -> None:
        free, before = await self._number("free_pages"), -1
        if not free:
            return
        while free and free != before:
            await self._writer.run(lambda connection: connection.execute(_SQL["give_back"]).fetchall())
            free, before = await self._number("free_pages"), free
        await self._number("checkpoint")

    async def _number(self, statement: str) -> int:
        number: int = await self._readers.run(lambda connection: connection.execute(_SQL[statement]).fetchone()[0])
        return number

    async def _keys(self, statement: str, **values: float | str) -> Sequence[int]:
        def read(connection: sqlite3.Connection) -> list[int]:
            rows: list[tuple[Any]] = connection.execute(_SQL[statement], {**values, "limit": _BATCH}).fetchall()
            return [key for (key,) in rows]

        return await self._readers.run(read)


def _tenants(connection: sqlite3.Connection) -> list[tuple[str, int, int]]:
    return connection.execute(_SQL["tenants"]).fetchall()


_TooMuch = Callable[[sqlite3.Connection, Excess], bool]


def _always(_: sqlite3.Connection, __: Excess) -> bool:
    return True


def _more_than(beyond: Excess) -> _TooMuch:
    return lambda _, freed: bool(beyond.less(freed))


def _larger_than(limit: int) -> _TooMuch:
    return lambda connection, _: used_bytes(connection) > limit
