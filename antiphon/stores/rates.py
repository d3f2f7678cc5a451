"""Rate limits and usage in the database: each function is a job for the writer or for a reader."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence

import msgspec

from antiphon.core import rates
from antiphon.core.rates import Bucket, Charge, Verdict
from antiphon.ports import UsageRow
from antiphon.stores.sql_files import load_statements

_SQL = load_statements("rates")

Decide = Callable[[Sequence[Charge], Mapping[str, Bucket], float], tuple[Verdict, Mapping[str, Bucket]]]


def take(connection: sqlite3.Connection, charges: Sequence[Charge], now: float, owner: str) -> Verdict:
    """All charges or none, in the transaction of the caller."""
    return _apply(connection, charges, now, owner, rates.decide)


def settle(connection: sqlite3.Connection, charges: Sequence[Charge], now: float, owner: str) -> Verdict:
    return _apply(connection, charges, now, owner, rates.settle)


def _apply(
    connection: sqlite3.Connection, charges: Sequence[Charge], now: float, owner: str, decide: Decide
) -> Verdict:
    verdict, after = decide(charges, _buckets(connection, charges, now), now)
    for charge in charges:
        rule, bucket = charge.rule, after.get(charge.rule.name)
        if bucket is None:
            continue
        if rule.window_s:
            full_at = now + (rule.limit - bucket.left) * rule.window_s / max(rule.limit, 1)
            values = {"name": rule.name, "left": bucket.left, "at": bucket.at, "full_at": full_at}
            connection.execute(_SQL["keep_bucket"], values)
        else:
            connection.execute(_SQL["hold"], {"name": rule.name, "owner": owner, "amount": charge.amount})
    return verdict


def _buckets(connection: sqlite3.Connection, charges: Sequence[Charge], now: float) -> Mapping[str, Bucket]:
    found: dict[str, Bucket] = {}
    for rule in (charge.rule for charge in charges):
        if not rule.window_s:
            (held,) = connection.execute(_SQL["held"], {"name": rule.name}).fetchone()
            found[rule.name] = Bucket(rule.limit - held, now)
        elif row := connection.execute(_SQL["bucket"], {"name": rule.name}).fetchone():
            found[rule.name] = Bucket(*row)
    return found


def forget_idle(connection: sqlite3.Connection, now: float) -> None:
    """Remove what says nothing any more: full buckets, and the places of dead processes."""
    connection.execute(_SQL["forget_full"], {"now": now})
    connection.execute(_SQL["forget_places"])


def add_usage(connection: sqlite3.Connection, rows: Sequence[UsageRow]) -> None:
    connection.executemany(_SQL["add_usage"], [msgspec.structs.asdict(row) for row in rows])


def read_usage(connection: sqlite3.Connection, first: str, last: str) -> Sequence[UsageRow]:
    return [UsageRow(*row) for row in connection.execute(_SQL["usage"], {"first": first, "last": last})]
