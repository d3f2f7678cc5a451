"""What can be done with the API keys of a store: make, list and revoke them."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from antiphon.core.grant import Grant, check_name
from antiphon.errors import Conflict, NotFound
from antiphon.ports import KeyStore, StoredKey
from antiphon.service.ids import new_id
from antiphon.service.key_digest import digest_of, new_key


class AddKey(Struct, frozen=True):
    """Make `key` known."""

    key: StoredKey


class RevokeKey(Struct, frozen=True):
    """Let `key` in no more, from `revoked_at` on."""

    key: StoredKey
    revoked_at: float


KeyChange = AddKey | RevokeKey


class Keys:
    """The use cases of keys over one store."""

    def __init__(self, store: KeyStore, *, clock: Callable[[], float], ids: Callable[[str], str] = new_id) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def add(self, name: str, grant: Grant, *, expires_at: float | None = None) -> tuple[StoredKey, str]:
        """Make a key; returned with what is kept of it, this once.

        Raises: ValueError for a name that cannot be one, Conflict for one that is taken.
        """
        key = new_key()
        kept = StoredKey(
            id=self._ids("key"),
            name=check_name(name),
            digest=digest_of(key),
            grant=grant,
            created_at=self._clock(),
            expires_at=expires_at,
        )
        if not await self._change(AddKey(kept)):
            raise Conflict(f"There is a key named '{name}' already.")
        return kept, key

    async def list(self) -> Sequence[StoredKey]:
        """Every key, the oldest first, revoked and expired ones included."""
        return await self._store.all()

    async def revoke(self, name_or_id: str) -> StoredKey:
        """Revoke a key for good and return it as it was. Raises: NotFound."""
        for key in await self._store.all():
            if key.revoked_at is None and name_or_id in (key.id, key.name):
                await self._change(RevokeKey(key, self._clock()))
                return key
        raise NotFound(f"There is no key '{name_or_id}' that is not revoked.")

    async def _change(self, change: KeyChange) -> bool:
        """The one place where a key changes. False: nothing has changed."""
        match change:
            case AddKey(key):
                return await self._store.add(key)
            case RevokeKey(key, revoked_at):
                return await self._store.revoke(key.id, revoked_at)
