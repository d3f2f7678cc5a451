"""Who asks."""

from collections.abc import Iterable

from msgspec import Struct

from antiphon.core.grant import NO_LIMITS, Grant, Limits, StorePolicy


class Caller(Struct, frozen=True, kw_only=True):
    """A client as the service knows it: `tenant` owns all that it makes and sees.

    `key_id` is the same in every process and never changes; `key_name` is for people. Both are None for a client of a
    server that asks for no key. `models` None: every model. `expires_at` is in unix seconds. `by_token`: it is known by
    a token of an issuer, not by a key of ours. `credentials` is its header `Authorization`, kept only where engines may
    be shown it.
    """

    tenant: str = "default"
    key_id: str | None = None
    key_name: str | None = None
    models: tuple[str, ...] | None = None
    store: StorePolicy = "allow"
    limits: Limits = NO_LIMITS
    expires_at: float | None = None
    by_token: bool = False
    credentials: str | None = None

    @classmethod
    def of(cls, key_id: str, key_name: str, grant: Grant, expires_at: float | None) -> "Caller":
        """The client that a key stands for."""
        return cls(
            tenant=grant.tenant,
            key_id=key_id,
            key_name=key_name,
            models=grant.models,
            store=grant.store,
            limits=grant.limits,
            expires_at=expires_at,
        )

    def may_use(self, names: Iterable[str]) -> bool:
        """Whether a model of these names exists for this client."""
        return self.models is None or any(name in self.models for name in names)

    def is_over(self, now: float) -> bool:
        """Whether its time has run out."""
        return self.expires_at is not None and now >= self.expires_at


ANYBODY = Caller()
"""A client of a server that asks for no key."""
