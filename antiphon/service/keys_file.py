"""The keys file: a TOML table `[[key]]` for each key."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from antiphon.core.grant import Grant, Limits, StorePolicy, check_name
from antiphon.errors import SetupError
from antiphon.service.caller import Caller
from antiphon.service.key_digest import digest_of
from antiphon.service.key_times import read_moment

_HASH = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
_VALUE = re.compile(r"[\x21-\x7e]+")


class KeysFileError(SetupError):
    """The file cannot be used. Each problem is one line that names the key, never its value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Limits(Limits, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Key(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    value: str | None = None
    hash: str | None = None
    tenant: str = "default"
    models: tuple[str, ...] | None = None
    store: StorePolicy = "allow"
    expires: Any = None
    limits: _Limits = _Limits()


def read_keys_file(path: Path) -> dict[bytes, Caller]:
    """The callers in a file, by the digests of their keys. Raises: KeysFileError with every problem there is."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KeysFileError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (ValueError, RecursionError) as error:  # also of numbers that are too long, and of text that is not UTF-8
        raise KeysFileError([f"{path}: is not valid TOML: {error}"]) from None
    problems = [f"{path}: {name}: is not known here; each key is a table [[key]]" for name in table if name != "key"]
    found: dict[bytes, Caller] = {}
    for place, entry in _entries(table):
        try:
            digest, caller = _read_key(entry)
            _check_new(digest, caller, found)
        except ValueError as error:
            problems.append(f"{path}: {place}: {error}")
        else:
            found[digest] = caller
    if problems:
        raise KeysFileError(problems)
    return found


def _entries(table: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Each key and what it is called in complaints."""
    entries = table.get("key", [])
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries], 1):
        name = entry.get("name") if isinstance(entry, dict) else None
        yield (f"key '{name}'" if isinstance(name, str) else f"key {number}"), entry


def _read_key(entry: object) -> tuple[bytes, Caller]:
    """Raises: ValueError."""
    key = msgspec.convert(entry, _Key)  # its ValidationError is a ValueError
    if key.models == ():
        raise ValueError("models: must not be empty; leave it out to allow every model")
    grant = Grant(
        tenant=check_name(key.tenant),
        models=key.models,
        store=key.store,
        limits=msgspec.convert(msgspec.structs.asdict(key.limits), Limits),
    )
    expires_at = None if key.expires is None else read_moment(key.expires)
    return _digest(key), Caller.of(f"file:{check_name(key.name)}", key.name, grant, expires_at)


def _digest(key: _Key) -> bytes:
    if (key.value is None) == (key.hash is None):
        raise ValueError("needs either a value or a hash")
    if key.value is not None:
        if not _VALUE.fullmatch(key.value):
            raise ValueError("value: must be visible ASCII characters without blanks")
        return digest_of(key.value)
    found = _HASH.fullmatch(key.hash or "")
    if found is None:
        raise ValueError("hash: must be the 64 hexadecimal digits of the key's SHA-256, with or without 'sha256:'")
    return bytes.fromhex(found[1])


def _check_new(digest: bytes, caller: Caller, others: Mapping[bytes, Caller]) -> None:
    names: Iterable[str | None] = (other.key_name for other in others.values())
    if caller.key_name in names:
        raise ValueError("the name is taken by another key")
    if digest in others:
        raise ValueError(f"is the same key as '{others[digest].key_name}'")
