"""Writes the pages of docs/ that come from the code; with --check, says which of them are not current."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import coverage_tables
import diagrams
import dialect_tables
import error_codes
import figures
import reasoning_table
import route_tables
import server_quirks

from antiphon.config.settings import Row, rows

DOCS = Path(__file__).parent

SETTINGS_HEAD = """\
# Settings

<!-- Written by docs/generate.py from antiphon/config/settings.py. Edit the table there. -->

Every setting has three sources. A flag wins over the environment, the environment over the file.

| source | form |
|---|---|
| flag of `antiphon serve` and `antiphon check` | `--max-body-bytes 64MB` |
| environment variable | `ANTIPHON_MAX_BODY_BYTES=64MB` |
| TOML file, named by `--config FILE` or `ANTIPHON_CONFIG` | `max_body_bytes = "64MB"` |

A size is a number of bytes or a number with `KB`, `MB`, `GB` (powers of 1024). Relative paths in the file are taken
from its folder. An empty variable counts as unset. An unknown key or a wrong value ends the command with exit code 2
and one line that says where it stands. `antiphon check` prints every effective setting and its source, keys masked.
"""


def settings_page() -> str:
    """The page that lists every setting."""
    return SETTINGS_HEAD + "".join(_groups())


def _groups() -> Iterator[str]:
    title = ""
    for row in rows():
        if row.note.group != title:
            title = row.note.group
            yield f"\n## {title}\n\n| flag | variable | type | default | effect |\n|---|---|---|---|---|\n"
        yield f"| `{row.flag}` | `{row.variable}` | {_type(row)} | {row.default_text} | {row.note.help} |\n"


def _type(row: Row) -> str:
    if row.choices and row.many:
        return "list of " + ", ".join(f"`{choice}`" for choice in row.choices)
    if row.choices:
        return ", ".join(f"`{choice}`" for choice in row.choices)
    if row.many:
        return "list of texts"
    if row.name.endswith("_bytes"):
        return "size"
    return {"int": "whole number", "float": "number", "bool": "true or false", "Path": "path"}.get(
        row.kind.__name__, "text"
    )


def filled(name: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    """A page with its generated blocks made anew: each stands between two comments that name it."""
    text = _text_of(DOCS / name)
    for block, make in blocks.items():
        begin, end = f"<!-- begin {block}, written by docs/generate.py -->", f"<!-- end {block} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if len(pattern.findall(text)) != 1:
            raise SystemExit(f"docs/{name} must hold the block '{block}' once")
        made = f"{begin}\n{make()}\n{end}"
        text = pattern.sub(lambda _, made=made: made, text)  # type: ignore[misc]
    return text


STREAMS = {
    "run states": diagrams.run_states,
    "stream states": diagrams.stream_states,
    "grammar": diagrams.grammar,
    "request": diagrams.curl,
    "trace": diagrams.trace,
    "deltas": diagrams.deltas,
}
DIALECTS = {"overview": dialect_tables.overview, "differences": dialect_tables.differences}
ERRORS = {"errors": error_codes.table, "stream codes": error_codes.stream_codes}
COMPATIBILITY = {"matrix": coverage_tables.matrix, "gaps": coverage_tables.gaps}
PAGES: Mapping[str, Callable[[], str]] = {
    "api.md": route_tables.page,
    "coverage.md": coverage_tables.page,
    "compatibility.md": partial(filled, "compatibility.md", COMPATIBILITY),
    "settings.md": settings_page,
    "streams.md": partial(filled, "streams.md", STREAMS),
    "dialects.md": partial(filled, "dialects.md", DIALECTS),
    "parameters.md": partial(filled, "parameters.md", {"families": reasoning_table.table}),
    "errors.md": partial(filled, "errors.md", ERRORS),
    "upstreams.md": partial(filled, "upstreams.md", {"quirks": server_quirks.table}),
    "metrics.md": partial(filled, "metrics.md", {"metrics": figures.table}),
}


def main() -> int:
    """Write the pages, or with --check only compare them. Exit code 1: something is not current."""
    stale = [name for name, make in PAGES.items() if _text_of(DOCS / name) != make()]
    if "--check" in sys.argv[1:]:
        for name in stale:
            print(f"docs/{name} is not current; run: make docs", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"wrote docs/{name}")
    return 0


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    raise SystemExit(main())
