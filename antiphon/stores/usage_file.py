"""Usage, read from the file beside running servers."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from antiphon.errors import SetupError
from antiphon.ports import UsageRow
from antiphon.stores.database import open_reader, set_up
from antiphon.stores.rates import read_usage


def usage_of(path: Path, first: str, last: str) -> Sequence[UsageRow]:
    """The rows from day `first` to day `last`. Raises: SetupError when there is no such store."""
    if not path.exists():
        raise SetupError(f"There is no store at {path}; name the data directory with --data-dir.")
    set_up(path)
    with closing(open_reader(path)) as connection:
        return read_usage(connection, first, last)
