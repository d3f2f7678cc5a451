"""What of the API is served: every documented field, item, event, tool, include value and endpoint, as data.

The rows stand in `rows.txt`, one per line in alphabetical order: name, state, the test that shows it, a note.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Literal, cast, get_args

from msgspec import Struct

State = Literal["honoured", "accepted", "ignored", "absent"]
MEANINGS: dict[State, str] = {
    "honoured": "does what the API says",
    "accepted": "taken, kept and echoed, without further effect",
    "ignored": "taken without effect",
    "absent": "not sent, or not served",
}


class Row(Struct, frozen=True):
    """One thing of the API. `name` begins with its kind: `request.`, `response.` (a field), `item.`, `event.`, `tool.`,
    `include.` or `endpoint.`; `test` is a path and a function, empty where nothing shows it."""

    name: str
    state: State
    test: str
    note: str

    @property
    def kind(self) -> str:
        return self.name.partition(".")[0]

    @property
    def subject(self) -> str:
        return self.name.partition(".")[2]


@cache
def rows() -> Sequence[Row]:
    """Every row, in the order of the file. Raises: ValueError for a line that is none."""
    text = files(__package__).joinpath("rows.txt").read_text(encoding="utf-8")
    return tuple(_row(line) for line in text.splitlines() if line and not line.startswith("#"))


def _row(line: str) -> Row:
    name, state, test, note = (part.strip() for part in line.split("|"))
    if state not in get_args(State):
        raise ValueError(f"'{state}' is no state, in the row of {name}")
    return Row(name, cast(State, state), test, note)
