"""`antiphon coverage`: the rows as a table, or as JSON."""

import argparse
from collections import Counter
from collections.abc import Callable

import msgspec

from antiphon.coverage import MEANINGS, rows


def add_coverage_command(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to a command line."""
    command = add("coverage", "Print what of the API is served, and which test shows it.", run=_run)
    command.add_argument("--json", action="store_true", help="as one JSON document")


def _run(arguments: argparse.Namespace) -> int:
    print(_document() if arguments.json else _table())
    return 0


def _document() -> str:
    counts = Counter(row.state for row in rows())
    return msgspec.json.encode({"counts": counts, "meanings": MEANINGS, "rows": rows()}).decode()


def _table() -> str:
    width = max(len(row.name) for row in rows())
    return "\n".join(f"{row.name:<{width}}  {row.state:<8}  {row.note}".rstrip() for row in rows())
