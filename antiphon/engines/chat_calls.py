"""Puts streamed tool calls one after the other, whatever way a server cuts and mixes them.

One call is open at a time. What belongs to a later call, or is text, waits until the open call is finished: when its
arguments are a whole JSON value and something else comes, or when the generation ends. A call starts with its first
argument, because some servers send the name in pieces or again with every chunk.
"""

from collections.abc import Sequence

import msgspec

from antiphon.core.deltas import CallArguments, CallStart, Delta, ReasoningDelta, RefusalDelta, TextDelta
from antiphon.engines.chat_chunk import NOT_JSON, CallPiece
from antiphon.errors import EngineError


class _Call:
    def __init__(self, index: int | None) -> None:
        self.index = index
        self.id: str | None = None
        self.name = ""
        self.parts: list[str] = []
        self.started = False
        self.closed = False

    def whole(self) -> bool:
        """The arguments are a JSON object: nothing can follow."""
        if not self.parts or not self.parts[-1].rstrip().endswith("}"):  # cheap, for this is asked at every change
            return False
        try:
            msgspec.json.decode("".join(self.parts))
        except NOT_JSON:
            return False
        return True


class CallOrder:
    """Takes pieces of calls in any order and gives deltas in the order that `core.deltas` asks for."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._open = 0  # place in `_calls` of the call that streams; all before it are closed
        self._behind: list[Delta] = []

    @property
    def idle(self) -> bool:
        """No call is open and nothing waits."""
        return self._open == len(self._calls)

    def add(self, piece: CallPiece) -> list[Delta]:
        """The deltas that may go on now. Raises: EngineError when a finished call goes on."""
        call = self._find(piece)
        if call.closed:
            if piece.arguments.strip():
                raise EngineError("The engine went on with a tool call that was complete.")
            return []
        deltas = self._close_whole_before(call)
        if piece.name and not call.parts and piece.name != call.name:
            call.name += piece.name
        if not piece.arguments:
            return deltas
        call.parts.append(piece.arguments)
        if call is self._calls[self._open]:
            deltas += _start(call) or [CallArguments(piece.arguments)]
        return deltas

    def go_on(self, arguments: str) -> None:
        """The open call has more arguments, which are said already."""
        self._calls[self._open].parts.append(arguments)

    def pass_by(self, delta: TextDelta | ReasoningDelta | RefusalDelta) -> list[Delta]:
        """Something that is not a call comes: it closes calls that are whole, and waits behind one that is not."""
        deltas = self._close_whole_before(None)
        if self.idle:
            deltas.append(delta)
        else:
            self._behind.append(delta)
        return deltas

    def finish(self) -> list[Delta]:
        """Everything that still waits, when no more can come."""
        deltas: list[Delta] = []
        while not self.idle:
            deltas += self._close_open()
        behind, self._behind = self._behind, []
        return deltas + behind

    def _close_whole_before(self, call: _Call | None) -> list[Delta]:
        deltas: list[Delta] = []
        while not self.idle and self._calls[self._open] is not call and self._calls[self._open].whole():
            deltas += self._close_open()
        return deltas

    def _close_open(self) -> list[Delta]:
        """Close the open call and start the next, if that has any arguments yet."""
        call = self._calls[self._open]
        deltas = _start(call)
        call.closed = True
        self._open += 1
        if not self.idle and self._calls[self._open].parts:
            deltas += _start(self._calls[self._open])
        return deltas

    def _find(self, piece: CallPiece) -> _Call:
        """The call a piece belongs to: by index, else by id, else the last; a new one if it cannot be any of these."""
        call = self._known(piece)
        if call is None or _begins_another(call, piece):
            call = _Call(piece.index)
            self._calls.append(call)
        if call.id is None:
            call.id = piece.id
        return call

    def _known(self, piece: CallPiece) -> _Call | None:
        newest_first: Sequence[_Call] = self._calls[::-1]
        if piece.index is not None:
            return next((call for call in newest_first if call.index == piece.index), None)
        if piece.id:
            same = next((call for call in newest_first if call.id == piece.id), None)
            if same is not None or piece.name:
                return same
        return newest_first[0] if newest_first else None


def _begins_another(call: _Call, piece: CallPiece) -> bool:
    """Some servers number every call 0, or not at all: a name with a new id or after arguments begins another."""
    if not piece.name or not call.name:
        return False
    if piece.id and call.id:
        return piece.id != call.id and (not call.parts or call.closed or call.whole())
    return piece.index is None and bool(call.parts) and (call.closed or call.whole())


def _start(call: _Call) -> list[Delta]:
    """The call's start with all the arguments it has, unless it has started."""
    if call.started:
        return []
    if not call.name:
        raise EngineError("The engine called a tool without a name.")
    call.started = True
    deltas: list[Delta] = [CallStart(call.name, call.id)]
    if call.parts:
        deltas.append(CallArguments("".join(call.parts)))
    return deltas
