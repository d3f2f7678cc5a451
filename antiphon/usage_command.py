"""`antiphon usage`: who used how much, from the store, with what it cost by the prices of the configuration."""

import argparse
import csv
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from antiphon.config.tables import PriceTable
from antiphon.ports import UsageRow
from antiphon.stores.backup import DATABASE
from antiphon.stores.usage_file import usage_of

PARTS = ("tenant", "key", "model", "day")
_MILLION = 1_000_000


class Total(Struct, frozen=True):
    """What was used under one heading; `cost` None where a model has no price."""

    by: Mapping[str, str]
    requests: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost: float | None


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The flags of `antiphon usage` beside the settings."""
    command.add_argument(
        "--by", default="key,model", metavar="PARTS", help=f"of {', '.join(PARTS)}; default: key,model"
    )
    command.add_argument("--since", type=date.fromisoformat, metavar="DAY", help="first day; default: 30 days ago")
    command.add_argument("--until", type=date.fromisoformat, metavar="DAY", help="last day; default: today (UTC)")
    command.add_argument("--format", choices=("table", "csv", "json"), default="table", help="default: table")


def report(
    arguments: argparse.Namespace, data_dir: Path, prices: Sequence[PriceTable], say: Callable[[str], None]
) -> None:
    """Print the totals. Raises: SetupError; ValueError for parts that there are not."""
    parts = [part for part in arguments.by.split(",") if part]
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts:
        raise ValueError(f"--by takes {', '.join(PARTS)}, not '{','.join(unknown)}'")
    until = arguments.until or datetime.now(UTC).date()
    since = arguments.since or until - timedelta(days=30)
    found = totals(usage_of(data_dir / DATABASE, since.isoformat(), until.isoformat()), parts, prices)
    match arguments.format:
        case "json":
            say(msgspec.json.encode(found).decode())
        case "csv":
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerows(_cells(found, parts))
        case _:
            _say_table(list(_cells(found, parts)), say)


def totals(rows: Iterable[UsageRow], parts: Sequence[str], prices: Sequence[PriceTable]) -> list[Total]:
    """The rows added up under each heading, in the order of the headings."""
    price_of = {price.model: price for price in prices}
    groups: dict[tuple[str, ...], list[UsageRow]] = {}
    for row in rows:
        groups.setdefault(tuple(_part(row, part) for part in parts), []).append(row)
    return [
        _total(dict(zip(parts, heading, strict=True)), group, price_of) for heading, group in sorted(groups.items())
    ]


def _part(row: UsageRow, part: str) -> str:
    return (row.key_name or row.key or "-") if part == "key" else str(getattr(row, part))


def _total(by: Mapping[str, str], rows: Sequence[UsageRow], prices: Mapping[str, PriceTable]) -> Total:
    costs = [_cost(row, prices.get(row.model)) for row in rows]
    known = [cost for cost in costs if cost is not None]
    return Total(
        by,
        sum(row.requests for row in rows),
        sum(row.input_tokens for row in rows),
        sum(row.cached_tokens for row in rows),
        sum(row.output_tokens for row in rows),
        round(sum(known), 6) if len(known) == len(costs) else None,
    )


def _cost(row: UsageRow, price: PriceTable | None) -> float | None:
    if price is None:
        return None
    cached = price.input if price.cached_input is None else price.cached_input
    fresh = row.input_tokens - row.cached_tokens
    return (fresh * price.input + row.cached_tokens * cached + row.output_tokens * price.output) / _MILLION


def _cells(found: Sequence[Total], parts: Sequence[str]) -> Iterable[list[str]]:
    yield [*parts, "requests", "input", "cached", "output", "cost"]
    for total in found:
        counts = (total.requests, total.input_tokens, total.cached_tokens, total.output_tokens)
        yield [*total.by.values(), *map(str, counts), "-" if total.cost is None else f"{total.cost:.6g}"]


def _say_table(lines: Sequence[Sequence[str]], say: Callable[[str], None]) -> None:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
