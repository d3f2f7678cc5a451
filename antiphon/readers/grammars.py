"""Grammars of custom tools, by lark and regex (the extra `grammars`) in a child process."""

from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path

import msgspec
from msgspec import Struct

from antiphon.core.chat import Grammar
from antiphon.readers.child import Child, ChildFailed

SCRIPT = Path(__file__).with_name("grammar_child.py")
MAX_KNOWN = 256


class _Verdict(Struct):
    fault: str | None = None
    obeys: bool | None = None


class ChildGrammars:
    """Knows the grammars it has seen, so that only a new one costs a question. `timeout_s` is for each question."""

    def __init__(self, *, timeout_s: float) -> None:
        self._child = Child(SCRIPT, timeout_s=timeout_s)
        self._known: OrderedDict[Grammar, str | None] = OrderedDict()

    @property
    def is_installed(self) -> bool:
        return find_spec("lark") is not None and find_spec("regex") is not None

    async def fault(self, grammar: Grammar) -> str | None:
        """What is wrong with a grammar; None where nothing is, or nobody can say."""
        if not self.is_installed:
            return None
        if grammar not in self._known:
            try:
                verdict = await self._ask(grammar, None)
            except ChildFailed:
                verdict = _Verdict("it takes too long to read")
            self._known[grammar] = verdict.fault
            if len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
        return self._known[grammar]

    async def obeys(self, grammar: Grammar, text: str) -> bool | None:
        """Whether a text obeys a grammar; None where that cannot be found out, or not in time."""
        if not self.is_installed:
            return None
        try:
            return (await self._ask(grammar, text)).obeys
        except ChildFailed:
            return None

    async def close(self) -> None:
        """End the process."""
        await self._child.close()

    async def _ask(self, grammar: Grammar, text: str | None) -> _Verdict:
        asked = {"syntax": grammar.syntax, "definition": grammar.definition, "text": text}
        return msgspec.json.decode(await self._child.ask(msgspec.json.encode(asked)), type=_Verdict)
