"""Which limits a request meets: those of its key, and those that are set for keys, tenants, models and the server."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from antiphon.core.grant import Limits
from antiphon.core.rates import Charge, Level, Rule

Scope = Literal["key", "tenant", "model", "global"]
MINUTE_S, HOUR_S = 60, 3600

SMALLEST_ANSWER = 16
GUESSED_ANSWER = 512
LARGEST_GUESS = 4096
_BYTES_PER_TOKEN = 4


class ScopedLimits(Struct, frozen=True, kw_only=True):
    """Limits of every key, tenant or model, each for itself, or of the one that `name` names; or of all together."""

    scope: Scope
    limits: Limits
    name: str | None = None


class Asker(Struct, frozen=True, kw_only=True):
    """What a request is counted under."""

    tenant: str
    key: str | None
    model: str

    def part(self, scope: Scope) -> str | None:
        """What of it a scope looks at; None: nothing."""
        match scope:
            case "key":
                return self.key
            case "tenant":
                return self.tenant
            case "model":
                return self.model
            case "global":
                return ""


class Owned(Struct, frozen=True):
    """Limits, and who they are counted for."""

    owner: str
    scope: Scope
    name: str
    limits: Limits


def limits_of(asker: Asker, own: Limits, scoped: Iterable[ScopedLimits]) -> Iterator[Owned]:
    """All that concern a request; `own` are those of its key."""
    if asker.key is not None:
        yield Owned(f"key:{asker.key}", "key", asker.key, own)
    for number, row in enumerate(scoped):
        name = asker.part(row.scope)
        if name is not None and row.name in (None, name):
            yield Owned(f"{row.scope}:{name}:{number}", row.scope, name, row.limits)


def charges(found: Iterable[Owned], tokens: float, *, background: bool) -> list[Charge]:
    """What one request takes of each limit."""
    return [
        Charge(rule, tokens if rule.unit == "tokens" else 1)
        for owned in found
        for rule in _rules(owned, background=background)
    ]


def _rules(owned: Owned, *, background: bool) -> Iterator[Rule]:
    limits, owner = owned.limits, owned.owner
    if limits.requests_per_minute is not None:
        yield Rule(owner, "requests", limits.requests_per_minute, MINUTE_S)
    if limits.tokens_per_minute is not None:
        yield Rule(owner, "tokens", limits.tokens_per_minute, MINUTE_S)
    if limits.requests_per_hour is not None:
        yield Rule(owner, "requests", limits.requests_per_hour, HOUR_S)
    if limits.tokens_per_hour is not None:
        yield Rule(owner, "tokens", limits.tokens_per_hour, HOUR_S)
    if limits.concurrent is not None:
        yield Rule(owner, "runs", limits.concurrent, 0)
    if background and limits.background is not None:
        yield Rule(f"{owner}:background", "runs", limits.background, 0)


def guess_tokens(body_bytes: int, max_output_tokens: int | None) -> int:
    """What a request will take, before anybody has counted: its text, and an answer of ordinary length."""
    answer = GUESSED_ANSWER if max_output_tokens is None else min(max_output_tokens, LARGEST_GUESS)
    return body_bytes // _BYTES_PER_TOKEN + max(answer, SMALLEST_ANSWER)


def tightest(levels: Sequence[Level], unit: str) -> Level | None:
    """The limit of a unit that will be reached first; None where there is none. Places for runs have no headers."""
    found = [level for level in levels if level.rule.unit == unit and level.rule.window_s]
    return min(found, key=lambda level: level.remaining / max(level.rule.limit, 1), default=None)
