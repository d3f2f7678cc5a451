"""Who is known by which key, as of now.

Keys come from three sources: the settings, the keys file, the store. The ring holds them all in memory, so that letting
somebody in reads nothing; a task looks every second whether file or store have changed.

Rules
 1. Once a source is configured, or the store has ever had a key, everybody is asked for one: taking the last key away
    lets nobody in.
 2. A source that cannot be read stays as it was last read. A file that is being written is read when it has settled.
 3. A digest is looked up by a keyed hash with a secret of this process: how long that takes tells nothing about a key.
"""

import asyncio
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from antiphon.errors import AntiphonError
from antiphon.ports import KeyStore
from antiphon.service.caller import Caller
from antiphon.service.key_digest import digest_of
from antiphon.service.keys_file import KeysFileError, read_keys_file

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0

_Stamp = tuple[int, int, int]


class KeyRing:
    """The keys that are let in. `asks_always`: somebody else lets people in too, so that all are asked.

    A ring with a file or a store is to be started.
    """

    def __init__(
        self,
        keys: Iterable[str] = (),
        *,
        file: Path | None = None,
        stored: KeyStore | None = None,
        asks_always: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._configured = {
            digest_of(key): Caller(key_id=f"api_key:{number}", key_name=f"api_key {number}")
            for number, key in enumerate(keys, 1)
        }
        self._file = _WatchedFile(file) if file is not None else None
        self._from_file: Mapping[bytes, Caller] = {}
        self._stored = stored
        self._from_store: Mapping[bytes, Caller] = {}
        self._store_version: int | None = None
        self._store_had_keys = False
        self._asks_always = asks_always or bool(self._configured) or file is not None
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._callers: Mapping[bytes, Caller] = {}
        self._met: dict[bytes, Caller] = {}  # those of them who have come, by their keys themselves
        self._by_id: Mapping[str | None, Caller] = {}
        self._asked = False
        self._change = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._arrange()

    @property
    def asks(self) -> bool:
        """Whether a key is needed."""
        return self._asks_always or self._store_had_keys

    async def start(self) -> None:
        """Read every source, then look after them. Raises: KeysFileError, StoreUnavailable."""
        if self._file is not None:
            self._from_file = await asyncio.to_thread(self._file.read)
        await self._read_store()
        self._arrange()
        if self._file is not None or self._stored is not None:
            self._task = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    def find(self, key: str) -> Caller | None:
        """Whom a key stands for, perhaps one whose time is over."""
        met = self._blinded(key.encode())
        caller = self._met.get(met)
        if caller is None:
            caller = self._callers.get(self._blinded(digest_of(key)))
            if caller is not None:
                self._met[met] = caller
        return caller

    def current(self, caller: Caller) -> Caller | None:
        """What a caller who was let in may do by now; None: it is let in no more, or belongs to another tenant."""
        if caller.is_over(self._clock()):
            return None
        if caller.by_token:
            return caller
        if caller.key_id is None:
            return None if self.asks else caller
        now = self._by_id.get(caller.key_id)
        if now is None or now.tenant != caller.tenant or now.is_over(self._clock()):
            return None
        return now

    async def changed(self, caller: Caller) -> Caller | None:
        """Wait until a caller's rights differ from what it was let in with, and return what is `current` then."""
        while (now := self.current(caller)) == caller:
            left_s = None if caller.expires_at is None else max(0.0, caller.expires_at - self._clock()) + 0.001
            try:
                async with asyncio.timeout(left_s):
                    await self._change.wait()
            except TimeoutError:
                pass
        return now

    async def refresh(self) -> None:
        """Take over what has changed. Raises: KeysFileError, StoreUnavailable; the other source is taken over then."""
        try:
            fresh = await asyncio.to_thread(self._file.read_if_changed) if self._file is not None else None
            if fresh is not None:
                self._from_file = fresh
                logger.info("read the keys file again: %d keys", len(fresh))
        finally:
            try:
                await self._read_store()
            finally:
                self._arrange()

    async def _read_store(self) -> None:
        if self._stored is None:
            return
        version = await self._stored.version()
        if version == self._store_version:
            return
        keys = await self._stored.all()
        self._from_store = {
            key.digest: Caller.of(key.id, key.name, key.grant, key.expires_at) for key in keys if key.revoked_at is None
        }
        self._store_had_keys = bool(keys)
        self._store_version = version

    def _arrange(self) -> None:
        """Make one table of the sources: where two know a key, the first in the order of settings, file, store."""
        known = {**self._from_store, **self._from_file, **self._configured}
        callers = {self._blinded(digest): caller for digest, caller in known.items()}
        if callers == self._callers and self.asks == self._asked:
            return
        self._callers, self._asked = callers, self.asks
        self._met.clear()
        self._by_id = {caller.key_id: caller for caller in callers.values()}
        self._change.set()
        self._change = asyncio.Event()

    def _blinded(self, secret: bytes) -> bytes:
        return hashlib.blake2b(secret, key=self._secret, digest_size=32).digest()

    async def _watch(self) -> None:
        failing = ""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.refresh()
                failing = ""
            except (AntiphonError, KeysFileError) as error:
                if str(error) != failing:  # once, not every second
                    logger.error("the keys stay as they were: %s", error)
                failing = str(error)
            except Exception:  # the top of the watch: it must not end while the server runs
                logger.exception("the keys stay as they were")


class _WatchedFile:
    """A keys file and the state in which it was read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: _Stamp | None = None
        self._seen: _Stamp | None = None

    def read(self) -> Mapping[bytes, Caller]:
        """Raises: KeysFileError."""
        self._read = self._seen = self._stamp()
        return read_keys_file(self._path)

    def read_if_changed(self) -> Mapping[bytes, Caller] | None:
        """What is in the file if it has changed and has not changed since the last look. Raises: KeysFileError."""
        stamp, before = self._stamp(), self._seen
        self._seen = stamp
        if stamp == self._read or stamp != before:
            return None
        found = read_keys_file(self._path)
        self._read = stamp
        return found

    def _stamp(self) -> _Stamp | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
