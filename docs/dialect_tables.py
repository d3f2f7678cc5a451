"""What docs/dialects.md says of every dialect, from its table."""

from antiphon.wire.dialects import DIALECTS, Dialect, type_of

IDLE = {"keepalive": "event `keepalive`", "ping": "event `response.ping`", "comment": "comment"}


def overview() -> str:
    """One column per dialect."""
    rows = [
        ("while nothing is generated", [IDLE[each.heartbeat] for each in DIALECTS.values()]),
        ("ends with `data: [DONE]`", ["yes" if each.done_marker else "no" for each in DIALECTS.values()]),
        ("`error` is", ["nested only" if each.nested_error else "flat and nested" for each in DIALECTS.values()]),
    ]
    head = f"| | {' | '.join(f'`{name}`' for name in DIALECTS)} |\n|---|{'---|' * len(DIALECTS)}"
    return "\n".join([head, *(f"| {title} | {' | '.join(cells)} |" for title, cells in rows)])


def differences() -> str:
    """Every event that a dialect has in its own way."""
    rows = [row for dialect in DIALECTS.values() for row in _rows(dialect)]
    return "\n".join(["| dialect | event | stands |", "|---|---|---|", *rows])


def _rows(dialect: Dialect) -> list[str]:
    rows = [(type_of(event), f"for `{ours}`") for ours, event in dialect.renames.items()]
    rows += [
        (each.type, f"{'before' if each.before else 'behind'} `{ours}`") for ours, each in dialect.additions.items()
    ]
    rows += [(type_of(event), "by itself") for event in sorted(dialect.own, key=type_of)]
    return [f"| `{dialect.name}` | `{name}` | {place} |" for name, place in rows]
