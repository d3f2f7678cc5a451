"""What a connection was let in with, for as long as that holds."""

from msgspec.structs import replace

from antiphon.errors import Unauthorized
from antiphon.service.caller import Caller
from antiphon.service.keyring import KeyRing


class Pass:
    """A caller whose key may change, expire or be revoked while its connection is open.

    `credentials` are what its engines may be shown.
    """

    def __init__(self, caller: Caller, keys: KeyRing, credentials: str | None = None) -> None:
        self._caller = caller
        self._keys = keys
        self._credentials = credentials

    @property
    def caller(self) -> Caller:
        """The caller as it was last let in."""
        return self._caller if self._credentials is None else replace(self._caller, credentials=self._credentials)

    def admit(self) -> Caller:
        """The caller with the rights that it has now. Raises: Unauthorized once its key lets it in no longer."""
        now = self._keys.current(self._caller)
        if now is None:
            raise not_admitted()
        self._caller = now
        return self.caller

    async def lost(self) -> None:
        """Return once the key no longer lets anybody in."""
        while (now := await self._keys.changed(self._caller)) is not None:
            self._caller = now


def not_admitted() -> Unauthorized:
    """What is said to somebody who was let in before."""
    return Unauthorized("This API key has been revoked or has expired.")
