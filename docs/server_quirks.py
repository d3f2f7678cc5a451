"""The generated block of docs/upstreams.md: what servers differ in."""

from antiphon.config.settings import written
from antiphon.engines.chat_quirks import SERVERS, Quirks


def table() -> str:
    """A row for each column of the table of quirks, a column for each server."""
    head = ["| quirk | " + " | ".join(SERVERS) + " |", "|---" * (len(SERVERS) + 1) + "|"]
    return "\n".join([*head, *(_row(name) for name in Quirks.__struct_fields__)])


def _row(name: str) -> str:
    values = (written(getattr(row, name)) for row in SERVERS.values())
    return f"| `{name}` | {' | '.join(values)} |"
