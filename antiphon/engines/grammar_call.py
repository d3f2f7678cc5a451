"""A call whose input obeys a grammar, from a server that constrains text but not the arguments of calls.

Where one custom tool with a grammar has to be called, and reasoning apart nothing else can come, the server generates
the input as text under that grammar; here it becomes the call.
"""

from collections.abc import Callable, Sequence

import msgspec

from antiphon.core.chat import ChatRequest, Function
from antiphon.core.deltas import CallArguments, CallStart, Delta, Finish, TextDelta, Usage
from antiphon.engines.chat_chunk import Chunk
from antiphon.engines.chat_chunks import ChunkParser


def forced_grammar(chat: ChatRequest) -> Function | None:
    """The function with a grammar that the answer has to be a call of, if it can be nothing else."""
    choice = chat.tool_choice
    if choice.mode != "required":
        return None
    callable_ones = [function for function in chat.tools if choice.name in (None, function.name)]
    return callable_ones[0] if len(callable_ones) == 1 and callable_ones[0].grammar is not None else None


class GrammarCallParser(ChunkParser):
    """Parses one generation whose text is the input of a call of `name`."""

    def __init__(self, estimate_input: Callable[[], int], name: str) -> None:
        super().__init__(estimate_input)
        self._name = name
        self._begun = False

    def feed(self, data: bytes) -> list[Delta]:
        """The deltas that `data` completes."""
        return self._as_call(super().feed(data))

    def text_again(self, data: bytes) -> str | None:
        """None: what comes as text is said as arguments."""
        return None

    def take(self, chunk: Chunk) -> list[Delta]:
        """The deltas of a chunk that came as it is. Raises: EngineError when it breaks the protocol."""
        return self._as_call(super().take(chunk))

    def take_text(self, text: str) -> list[Delta]:
        """The deltas of a chunk that has this text as its content and nothing else."""
        return self._as_call(super().take_text(text))

    def end(self) -> list[Delta]:
        """The body has ended: the last deltas."""
        return self._as_call(super().end())

    def _as_call(self, deltas: Sequence[Delta]) -> list[Delta]:
        cut = any(isinstance(delta, Finish) and delta.reason != "stop" for delta in deltas)
        found: list[Delta] = []
        for delta in deltas:
            if isinstance(delta, TextDelta):
                found += self._input(delta.text)
            elif isinstance(delta, Usage) and not cut:
                found += [*self._input(""), CallArguments('"}')]
                found.append(delta)
            else:
                found.append(delta)
        return found

    def _input(self, text: str) -> list[Delta]:
        escaped = msgspec.json.encode(text)[1:-1].decode()
        if self._begun:
            return [CallArguments(escaped)] if escaped else []
        self._begun = True
        return [CallStart(self._name), CallArguments('{"input":"' + escaped)]
