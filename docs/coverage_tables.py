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


def matrix() -> str:
    """How much of each kind is served, and where its rows are."""
    head = ["| | " + " | ".join(MEANINGS) + " |", "|---|" + "---|" * len(MEANINGS)]
    return "\n".join([*head, *(_counts(kind, title) for kind, title in TITLES.items())])


def _counts(kind: str, title: str) -> str:
    counts = Counter(row.state for row in rows() if row.kind == kind)
    link = f"[{title}](coverage.md#{title.lower().replace(' ', '-')})"
    return f"| {link} | " + " | ".join(str(counts[state]) for state in MEANINGS) + " |"


def gaps() -> str:
    """What is not honoured, by kind, state and reason."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in rows():
        if row.state != "honoured":
            found.setdefault((TITLES[row.kind], row.state, row.note), []).append(row.subject)
    lines = [
        f"| {title} | {state} | {', '.join(f'`{subject}`' for subject in subjects)} | {note} |"
        for (title, state, note), subjects in sorted(found.items())
    ]
    return "\n".join(["| | state | which | why |", "|---|---|---|---|", *lines])
