"""Reasoning that leaves the server sealed, so that a client without state can bring it back.

A sealed text is bound to its tenant and its model: under another one it does not open. Keys rotate: the first seals,
all open. Source: the Fernet specification, by way of `cryptography`, which is loaded by the first text that is sealed
or opened: it takes 7 MB, and most servers never need it.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from antiphon.errors import SetupError

if TYPE_CHECKING:
    from antiphon.service.fernet import Fernets

_KEY_BYTES = 32
Refusal = Literal["organization_mismatch", "model_mismatch"]


class _Sealed(Struct, frozen=True, array_like=True):
    tenant: str
    model: str
    text: str


class Opened(Struct, frozen=True, kw_only=True):
    """`text` is what was sealed; with `refusal` there is none."""

    text: str = ""
    refusal: Refusal | None = None


class Sealer:
    """Seals and opens with `keys` (url-safe base64 of 32 bytes), the newest first.

    Raises: SetupError for a key that is none.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys or not all(map(_is_key, keys)):
            raise SetupError(f"A reasoning encryption key is not {_KEY_BYTES} bytes in url-safe base64.")
        self._keys = keys

    @cached_property
    def _fernets(self) -> "Fernets":
        from antiphon.service.fernet import Fernets

        return Fernets(self._keys)

    def seal(self, text: str, *, tenant: str, model: str) -> str:
        """An opaque text that only this server's keys open."""
        return self._fernets.encrypt(msgspec.json.encode(_Sealed(tenant, model, text)))

    def open(self, sealed: str, *, tenant: str, model: str) -> Opened:
        """What was sealed, or why it stays closed."""
        said = self._fernets.decrypt(sealed)
        try:
            found = msgspec.json.decode(said or b"", type=_Sealed)
        except msgspec.DecodeError:
            return Opened(refusal="organization_mismatch")
        if found.tenant != tenant:
            return Opened(refusal="organization_mismatch")
        if found.model != model:
            return Opened(refusal="model_mismatch")
        return Opened(text=found.text)


def kept_key(path: Path) -> str:
    """The key in a file, made there at the first use; only its owner may read it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "wb") as file:
        file.write(urlsafe_b64encode(os.urandom(_KEY_BYTES)))
    return path.read_text().strip()


def _is_key(key: str) -> bool:
    try:
        return len(urlsafe_b64decode(key)) == _KEY_BYTES
    except ValueError:
        return False
