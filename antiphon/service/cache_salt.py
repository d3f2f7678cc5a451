"""The salt of a prompt's prefix cache: only prompts with equal salts share what an engine has computed.

A keyed hash, so that it tells nothing of the tenant, and nobody else can make it.
"""

import hmac
from functools import lru_cache
from typing import Literal

from msgspec import Struct

Scope = Literal["tenant", "key", "off"]
_PURPOSE = b"antiphon cache salt\0"


class Salter(Struct, frozen=True):
    """`scope` tenant: a tenant's prompts share; key: those of a tenant with equal `prompt_cache_key` do."""

    secret: str
    scope: Scope = "tenant"

    def salt(self, tenant: str, cache_key: str | None) -> str | None:
        """The salt of a prompt; None where everybody shares."""
        if self.scope == "off":
            return None
        shared = tenant if self.scope == "tenant" or cache_key is None else f"{tenant}\0{cache_key}"
        return _salt(self.secret, shared)


@lru_cache(maxsize=1024)
def _salt(secret: str, shared: str) -> str:
    return hmac.digest(secret.encode(), _PURPOSE + shared.encode(), "sha256").hex()
