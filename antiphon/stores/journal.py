"""The runs that this process has begun and not yet written to the database, in a file that outlives it.

A frame of the journal costs one write to the page cache, a transaction some twenty; what a process that is killed
leaves there, the next one writes. Frames are written over those of runs that are in the database by now, and a moment
later the file is emptied: what somebody said does not stay in it.

A frame is its length in four bytes, a letter, and MessagePack: `B` the beginning of a run, `S` the tenant and id of one
that is settled. A length of zero ends the journal, whatever stands behind it; the last frame may be cut.
"""

import asyncio
import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from antiphon.errors import StoreUnavailable
from antiphon.ports import Beginning

REWRITE_BYTES = 1 << 20
TIDY_S = 1.0
_LENGTH_BYTES = 4
_END = bytes(_LENGTH_BYTES)
_encode = msgspec.msgpack.Encoder().encode
_decode_begun = msgspec.msgpack.Decoder(Beginning).decode
_decode_settled = msgspec.msgpack.Decoder(tuple[str, str]).decode


class Journal:
    """One process's journal. Only the event loop's thread uses it; any may ask how many runs it holds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._bytes = 0  # of frames; the file may be longer
        self._tidying: asyncio.TimerHandle | None = None
        self._missing: dict[tuple[str, str], bytes] = {}  # the frames of runs that are not in the database

    def __len__(self) -> int:
        """How many runs are not in the database yet."""
        return len(self._missing)

    def add(self, beginning: Beginning) -> None:
        """Keep a run that is not in the database yet. Raises: StoreUnavailable."""
        frame = _frame(b"B", _encode(beginning))
        try:
            self._write(frame)
        except OSError as error:
            raise StoreUnavailable(f"The journal cannot be written: {error.strerror}.") from None
        self._missing[beginning.tenant, beginning.id] = frame
        if self._tidying is None:
            self._tidying = asyncio.get_running_loop().call_later(TIDY_S, self._tidy)

    def settle(self, tenant: str, response_id: str) -> None:
        """A run is in the database now. One that was never added is none of the journal's business."""
        name = (tenant, response_id)
        if self._missing.pop(name, None) is None or self._descriptor is None:
            return
        with suppress(OSError):  # a full disk: the run is in the database, and nobody writes it twice
            if not self._missing:
                self._bytes = 0
                self._write(b"")
            elif self._bytes > REWRITE_BYTES:
                self._rewrite()
            else:
                self._write(_frame(b"S", _encode(name)))

    def close(self) -> None:
        """Remove the file, unless there is something in it for another process."""
        if self._tidying is not None:
            self._tidying.cancel()
        if self._descriptor is None:
            return
        os.close(self._descriptor)
        self._descriptor = None
        if not self._missing:
            self._path.unlink(missing_ok=True)

    def _write(self, frames: bytes) -> None:
        if self._descriptor is None:
            self._descriptor = _open(self._path)
        _put(self._descriptor, frames, self._bytes)
        self._bytes += len(frames)

    def _tidy(self) -> None:
        """Leave nothing in the file of runs that are settled."""
        self._tidying = None
        if self._descriptor is None:
            return
        with suppress(OSError):
            if not self._missing:
                os.ftruncate(self._descriptor, 0)
                return
            self._rewrite()
        self._tidying = asyncio.get_running_loop().call_later(TIDY_S, self._tidy)

    def _rewrite(self) -> None:
        """Only what is missing, in a file that takes the place of this one at once."""
        assert self._descriptor is not None
        fresh, frames = self._path.with_suffix(".fresh"), b"".join(self._missing.values())
        descriptor = _open(fresh)
        try:
            _put(descriptor, frames, 0)
            fresh.replace(self._path)
        except OSError:
            os.close(descriptor)
            raise
        os.close(self._descriptor)
        self._descriptor, self._bytes = descriptor, len(frames)


def missing_runs(path: Path) -> list[Beginning]:
    """What a process had begun and not written when it ended, as far as its journal can be read; oldest first."""
    missing: dict[tuple[str, str], Beginning] = {}
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):  # a disk gave something else back than was written
        for kind, body in _frames(path):
            if kind == b"B":
                beginning = _decode_begun(body)
                missing[beginning.tenant, beginning.id] = beginning
            else:
                missing.pop(_decode_settled(body), None)
    return list(missing.values())


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


def _put(descriptor: int, frames: bytes, at: int) -> None:
    """Write frames and the end behind them. Raises: OSError, also when a disk that is nearly full takes only a part."""
    data = frames + _END
    if _write_at(descriptor, data, at) < len(data):
        os.ftruncate(descriptor, at)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _seek_and_write(descriptor: int, data: bytes, at: int) -> int:
    os.lseek(descriptor, at, os.SEEK_SET)
    return os.write(descriptor, data)


_write_at = os.pwrite if hasattr(os, "pwrite") else _seek_and_write  # not every platform has it


def _frame(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(_LENGTH_BYTES, "big") + kind + body


def _frames(path: Path) -> Iterator[tuple[bytes, bytes]]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    at = 0
    while at + _LENGTH_BYTES < len(data):
        start = at + _LENGTH_BYTES + 1
        size = int.from_bytes(data[at : at + _LENGTH_BYTES], "big")
        end = start + size
        if size == 0 or end > len(data):
            return
        yield data[start - 1 : start], data[start:end]
        at = end
