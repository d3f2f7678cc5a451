"""A script: whether a grammar can be read, and whether a text obeys it. Requests and answers are JSON.

`{"syntax", "definition"}` is answered by `{"fault": … or null}`; with a `text` also by `{"obeys": …}`, null where that
cannot be known.
"""

import json
import re
from collections.abc import Callable
from functools import lru_cache

import regex
from lark import Lark
from lark.exceptions import GrammarError, LarkError, UnexpectedInput

from antiphon.readers.frames import serve

Match = Callable[[str], bool]

_MAY_BE_EMPTY = re.compile(r"/(\(*)(\.|\[[^\]/]+\]|\\[dswDSW])\*(\)*)/")
"""A terminal that is a repetition of one kind of character: `/(.*)/`."""


class Broken(ValueError):
    """The grammar cannot be read; says why."""


def answer(request: bytes) -> bytes:
    """One request, answered."""
    asked = json.loads(request)
    try:
        matches = matcher(asked["syntax"], asked["definition"])
    except Broken as error:
        return json.dumps({"fault": str(error)[:300]}).encode()
    except (MemoryError, RecursionError):
        return b'{"fault":"it is too large or too deep"}'
    text = asked.get("text")
    try:
        obeys = None if text is None or matches is None else matches(text)
    except (MemoryError, RecursionError):
        obeys = None
    return json.dumps({"fault": None, "obeys": obeys}).encode()


@lru_cache(maxsize=64)
def matcher(syntax: str, definition: str) -> Match | None:
    """What tests a text as a whole; None where nothing can. Raises: Broken."""
    return _regex(definition) if syntax == "regex" else _lark(definition)


def _regex(definition: str) -> Match:
    try:
        pattern = regex.compile(definition, flags=regex.V1)
    except regex.error as error:
        raise Broken(f"{error}") from error
    return lambda text: pattern.fullmatch(text) is not None


def _lark(definition: str) -> Match | None:
    """LALR first, which is fast and knows a text that obeys; its no may come from its lexer, so Earley has the last
    word.

    Neither takes a terminal that may be empty, as other readers of this syntax do: the usual form of one is rewritten,
    and of a grammar with another nothing can be said.
    """
    try:
        slow = Lark(definition, parser="earley", lexer="dynamic", regex=True)
    except GrammarError as error:
        if "zero-width" not in str(error):
            raise Broken(_line(error)) from error
        rewritten = _MAY_BE_EMPTY.sub(r"(/\1\2+\3/)?", definition)
        return _lark(rewritten) if rewritten != definition else None
    except (LarkError, regex.error, ValueError, KeyError, OSError, AssertionError) as error:
        raise Broken(_line(error)) from error
    try:
        fast = Lark(definition, parser="lalr", regex=True)
    except (LarkError, regex.error, ValueError, AssertionError):
        fast = None

    def matches(text: str) -> bool:
        return (fast is not None and _parses(fast, text)) or _parses(slow, text)

    return matches


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or "it cannot be read"


def _parses(parser: Lark, text: str) -> bool:
    try:
        parser.parse(text)
    except UnexpectedInput:
        return False
    return True


if __name__ == "__main__":
    serve(answer)
