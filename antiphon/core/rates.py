"""Rate limits as token buckets: arithmetic only, the time is passed in.

A bucket of a rule fills evenly, its whole `limit` in one `window_s`, and holds no more than that. A request takes what
it is thought to need and settles the difference when its real need is known; so a bucket may be overdrawn, and what is
missing is filled up before the next request is let in. Places for runs that go on at a time are counted by the same
rules with a window of zero: they come back only when they are given back.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

Unit = Literal["requests", "tokens", "runs"]


class Rule(Struct, frozen=True):
    """At most `limit` of `unit` in `window_s` seconds; `owner` is whose limit it is (`key:…`, `tenant:…`)."""

    owner: str
    unit: Unit
    limit: int
    window_s: int

    @property
    def name(self) -> str:
        """The name of its bucket."""
        return f"{self.owner}/{self.unit}/{self.window_s}"


class Bucket(Struct, frozen=True):
    """What was left of a rule's limit at a time, in unix seconds."""

    left: float
    at: float


class Charge(Struct, frozen=True):
    """So much of a rule's unit is taken, or given back where `amount` is negative."""

    rule: Rule
    amount: float


class Level(Struct, frozen=True):
    """How a limit stands: `remaining` of its unit, all of it again in `reset_s`."""

    rule: Rule
    remaining: int
    reset_s: float


class Denial(Struct, frozen=True):
    """A limit that was reached: `used` of it, when `requested` more was asked for; there is room in `wait_s`."""

    rule: Rule
    used: int
    requested: int
    wait_s: float


class Verdict(Struct, frozen=True):
    """How every limit stands after the charge; with a `denial` nothing was taken."""

    levels: Sequence[Level]
    denial: Denial | None = None


def left(rule: Rule, bucket: Bucket | None, now: float) -> float:
    """What a bucket holds by now; None: it was never touched. A clock that went back fills nothing."""
    if bucket is None:
        return float(rule.limit)
    if not rule.window_s:
        return bucket.left
    filled = max(0.0, now - bucket.at) * rule.limit / rule.window_s
    return min(float(rule.limit), bucket.left + filled)


def decide(
    charges: Sequence[Charge], buckets: Mapping[str, Bucket], now: float
) -> tuple[Verdict, Mapping[str, Bucket]]:
    """Take all charges or none; the buckets as they are then. The longest wait speaks for a denial.

    A request that needs more than a whole limit gets in when its bucket is full: waiting would not help it.
    """
    found = {charge.rule.name: left(charge.rule, buckets.get(charge.rule.name), now) for charge in charges}
    denials = [denial for charge in charges if (denial := _denial(charge, found[charge.rule.name]))]
    if denials:
        levels = tuple(_level(charge.rule, found[charge.rule.name]) for charge in charges)
        return Verdict(levels, max(denials, key=lambda denial: denial.wait_s)), {}
    return _taken(charges, found, now)


def settle(
    charges: Sequence[Charge], buckets: Mapping[str, Bucket], now: float
) -> tuple[Verdict, Mapping[str, Bucket]]:
    """Charge without asking: what a request turned out to need beyond, or below, what it took."""
    found = {charge.rule.name: left(charge.rule, buckets.get(charge.rule.name), now) for charge in charges}
    return _taken(charges, found, now)


def _taken(charges: Sequence[Charge], found: Mapping[str, float], now: float) -> tuple[Verdict, Mapping[str, Bucket]]:
    after = {
        charge.rule.name: Bucket(min(float(charge.rule.limit), found[charge.rule.name] - charge.amount), now)
        for charge in charges
    }
    return Verdict(tuple(_level(charge.rule, after[charge.rule.name].left) for charge in charges)), after


def _denial(charge: Charge, available: float) -> Denial | None:
    rule = charge.rule
    needed = min(charge.amount, rule.limit)
    if available >= needed and rule.limit > 0:
        return None
    wait_s = (needed - available) * rule.window_s / rule.limit if rule.limit else float(rule.window_s)
    return Denial(rule, used=round(rule.limit - available), requested=round(charge.amount), wait_s=max(wait_s, 1.0))


def _level(rule: Rule, available: float) -> Level:
    reset_s = (rule.limit - available) * rule.window_s / rule.limit if rule.limit else float(rule.window_s)
    return Level(rule, remaining=max(0, int(available)), reset_s=max(0.0, reset_s))
