"""docs/coverage.md, from the rows of coverage."""

from collections import Counter
from collections.abc import Iterator

from antiphon.coverage import MEANINGS, Row, rows

HEAD = """\
# Coverage

<!-- Written by docs/generate.py from antiphon/coverage/rows.txt. Edit the rows there. -->

Every documented field, item, event, tool, include value and endpoint, and the test that shows what becomes of it.
`antiphon coverage --json` prints the same for machines.
"""
TITLES = {
    "endpoint": "Endpoints",
    "event": "Events",
    "include": "Include values",
    "item": "Items",
    "request": "Fields of a request",
    "response": "Fields of a response",
    "tool": "Tools",
}


def page() -> str:
    """The whole page."""
    counts = Counter(row.state for row in rows())
    states = [f"| {state} | {meaning} | {counts[state]} |" for state, meaning in MEANINGS.items()]
    return "\n".join([HEAD, "| state | meaning | how many |", "|---|---|---|", *states, *_sections(), ""])


def _sections() -> Iterator[str]:
    for kind, title in TITLES.items():
        yield f"\n## {title}\n\n| | state | test | note |\n|---|---|---|---|"
        yield from (_line(row) for row in rows() if row.kind == kind)


def _line(row: Row) -> str:
    test = f"`{row.test.rpartition('::')[2]}`" if row.test else ""
    return f"| `{row.subject}` | {row.state} | {test} | {row.note} |"
