"""Grammars are read and held against texts, and none of them can hold up the server."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from antiphon.core.chat import Grammar
from antiphon.readers.grammars import ChildGrammars

PATCH = """
start: begin_patch hunk end_patch
begin_patch: "*** Begin Patch" LF
end_patch: "*** End Patch" LF?

hunk: add_hunk | delete_hunk | update_hunk
add_hunk: "*** Add File: " filename LF add_line+
delete_hunk: "*** Delete File: " filename LF
update_hunk: "*** Update File: " filename LF change_move? change?

filename: /(.+)/
add_line: "+" /(.*)/ LF -> line

change_move: "*** Move to: " filename LF
change: (change_context | change_line)+ eof_line?
change_context: ("@@" | "@@ " /(.+)/) LF
change_line: ("+" | "-" | " ") /(.*)/ LF
eof_line: "*** End of File" LF

%import common.LF
"""
"""The form of patches that coding agents ask for."""
SUM = 'start: NUMBER ("+" NUMBER)*\n%import common.NUMBER\n%ignore " "'


@pytest.fixture(scope="module")
def grammars() -> Iterator[ChildGrammars]:
    found = ChildGrammars(timeout_s=3.0)
    yield found
    asyncio.run(found.close())


@pytest.mark.parametrize(
    ("syntax", "definition", "text", "obeys"),
    [
        ("regex", r"\d{4}-\d{2}", "2026-11", True),
        ("regex", r"\d{4}-\d{2}", "2026-11-23", False),
        ("regex", r"\p{Lu}\p{Ll}+", "Élan", True),
        ("lark", SUM, "1 + 2 + 3", True),
        ("lark", SUM, "1 +", False),
        ("lark", PATCH, "*** Begin Patch\n*** Add File: a.py\n+a = 1\n+\n*** End Patch\n", True),
        ("lark", PATCH, "*** Begin Patch\n*** Update File: a\n@@\n-a\n+b\n c\n*** End Patch", True),
        ("lark", PATCH, "*** Begin Patch\n*** Rename File: a\n*** End Patch\n", False),
    ],
)
def test_a_text_obeys_or_not(grammars: ChildGrammars, syntax: str, definition: str, text: str, obeys: bool) -> None:
    grammar = Grammar(syntax, definition)  # type: ignore[arg-type]  # both are syntaxes

    assert asyncio.run(grammars.fault(grammar)) is None
    assert asyncio.run(grammars.obeys(grammar, text)) is obeys


@pytest.mark.parametrize(
    ("syntax", "definition"),
    [("regex", "(a"), ("regex", "[z-a]"), ("lark", "start: missing"), ("lark", "start = 1"), ("lark", 'begin: "a"')],
)
def test_a_broken_grammar_has_a_fault(grammars: ChildGrammars, syntax: str, definition: str) -> None:
    assert asyncio.run(grammars.fault(Grammar(syntax, definition)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "grammar",
    [Grammar("regex", r"(?:a|aa|aaa)+(?:b|c\1)?(x+x+)+y"), Grammar("lark", "start: A\nA: /(x+x+)+y/")],
)
def test_a_hostile_pattern_is_given_up_in_time(grammar: Grammar) -> None:
    grammars = ChildGrammars(timeout_s=1.0)
    begun = time.monotonic()
    obeys = asyncio.run(grammars.obeys(grammar, "a" * 50 + "x" * 5000))
    took_s = time.monotonic() - begun
    asyncio.run(grammars.close())

    assert obeys in (None, False)
    assert took_s < 10


def test_others_are_judged_after_one_was_given_up() -> None:
    grammars = ChildGrammars(timeout_s=0.01)
    assert asyncio.run(grammars.obeys(Grammar("regex", "a"), "a")) is None
    asyncio.run(grammars.close())
