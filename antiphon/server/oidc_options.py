"""What is configured of an issuer of tokens."""

from collections.abc import Sequence

from msgspec import Struct


class OidcOptions(Struct, frozen=True, kw_only=True):
    """Tokens of `issuer` for one of `audiences` are let in.

    `tenant_claim` and `name_claim` say which claims tell whose the data is and what the caller is called.
    """

    issuer: str
    audiences: Sequence[str]
    tenant_claim: str = "sub"
    name_claim: str = "sub"
    leeway_s: float = 30.0
