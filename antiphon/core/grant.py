"""What a key allows: whose data it reaches, which models, how much, and whether anything may be stored."""

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

StorePolicy = Literal["allow", "forbid", "force"]
Limit = Annotated[int, Meta(ge=0)] | None

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@|/+=-]{0,127}")


class Limits(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much may be asked for; None: as much as the server allows. Days and months are those of UTC."""

    requests_per_minute: Limit = None
    tokens_per_minute: Limit = None
    requests_per_hour: Limit = None
    tokens_per_hour: Limit = None
    concurrent: Limit = None
    background: Limit = None
    daily_tokens: Limit = None
    monthly_tokens: Limit = None


NO_LIMITS = Limits()


class Grant(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`models` None: every model. `store`: whether the request decides, nothing is stored, or everything is."""

    tenant: str = "default"
    models: tuple[str, ...] | None = None
    store: StorePolicy = "allow"
    limits: Limits = NO_LIMITS


def check_name(name: str) -> str:
    """A name that a key or a tenant can have. Raises: ValueError."""
    if _NAME.fullmatch(name):
        return name
    raise ValueError(f"{name!r} must be 1 to 128 letters, digits or . _ : @ | / + = -, the first a letter or digit")
