"""Items that are being written: what the machine holds between an item's `added` and its `done`."""

from collections.abc import Sequence
from typing import Any, Literal, TypedDict, cast

from antiphon.core import deltas as d
from antiphon.core.conclusion import Conclusion
from antiphon.core.fold import Fold
from antiphon.core.grammar import CALLS, PARTS, ItemPart, ItemStatus, PartRow, WrittenCall
from antiphon.core.toolbox import TOOL_SEARCH, Target
from antiphon.core.unwrap import InputUnwrapper
from antiphon.wire import events as ev
from antiphon.wire.content import Logprob, SummaryText, TopLogprob
from antiphon.wire.hosted_events import CompactionCompacting
from antiphon.wire.items import Compaction, FunctionCall, Message, OutputItem, Reasoning, ToolSearchCall


class _Place(TypedDict):
    item_id: str
    output_index: int
    content_index: int


class _SummaryPlace(TypedDict):
    item_id: str
    output_index: int
    summary_index: int


class Form:
    """An event of which only one string changes: what its JSON has before and behind it. Both empty: there is none."""

    __slots__ = ("head", "tail")

    def __init__(self, head: bytes = b"", tail: bytes = b"") -> None:
        self.head = head
        self.tail = tail

    @property
    def size(self) -> int:
        """About the length of a payload without its text."""
        return len(self.head) + len(self.tail)

    def payload(self, text: bytes, number: int) -> bytes:
        """The event with this text, in JSON, and this number."""
        return b"%b%b%b%d}" % (self.head, text, self.tail, number)


class Growing:
    """What grows by text. `form` is the encoder's, of the deltas of what is open now, once it was asked for."""

    def __init__(self) -> None:
        self.form: Form | None = None
        self._text: list[str] = []

    def add(self, text: str) -> None:
        """More text, whose event is made from the form."""
        self._text.append(text)

    def example(self, text: str) -> ev.Event | None:
        """The event of a delta; None if there can be none now."""
        raise NotImplementedError


class OpenContent(Growing):
    """A message or a reasoning item that is being written."""

    def __init__(self, kind: Literal["message", "reasoning"], item_id: str, index: int) -> None:
        super().__init__()
        self.kind = kind
        self.id = item_id
        self.index = index
        self.row: PartRow | None = None
        self._closed: list[ItemPart] = []
        self._logprobs: list[Logprob] = []
        self._summary: tuple[SummaryText, ...] = ()
        self._summary_text: list[str] | None = None  # of the summary that is being written
        self._encrypted_content: str | None = None

    @classmethod
    def reopen(cls, item: Message | Reasoning, fold: Fold) -> "OpenContent":
        """As it stood when its log broke off."""
        content = cls("message" if isinstance(item, Message) else "reasoning", item.id or "", len(fold.items))
        content._closed = list(cast("tuple[ItemPart, ...]", item.content or ()))
        if isinstance(item, Reasoning):
            content._summary = item.summary
            content._summary_text = [fold.text] if fold.is_summarizing else None
        if fold.part is not None:
            content.row = next(row for row in PARTS.values() if row.part is type(fold.part))
            content._text, content._logprobs = [fold.text], list(fold.logprobs)
        return content

    def item(self, status: ItemStatus) -> OutputItem:
        content: Any = tuple(self._closed) if self.row is None else (*self._closed, self._part(self.row))
        if self.kind == "message":
            return Message(id=self.id, role="assistant", content=content, status=status)
        return Reasoning(
            id=self.id,
            summary=self._summary,
            content=content,
            encrypted_content=self._encrypted_content,
            status=status,
        )

    def append(self, row: PartRow, text: str, logprobs: Sequence[d.Logprob]) -> list[ev.Event]:
        events: list[ev.Event] = [] if row is self.row else self._open_part(row)
        self._text.append(text)
        if logprobs:
            wire = tuple(_wire_logprob(each) for each in logprobs)
            self._logprobs += wire
            return [*events, ev.OutputTextDelta(**self._place(), delta=text, logprobs=wire)]
        events.append(self._delta(row, text))
        return events

    def example(self, text: str) -> ev.Event | None:
        """The event of a delta of the open part; None if there is no such part."""
        return None if self.row is None else self._delta(self.row, text)

    def _delta(self, row: PartRow, text: str) -> ev.Event:
        return row.delta(item_id=self.id, output_index=self.index, content_index=len(self._closed), delta=text)

    def _open_part(self, row: PartRow) -> list[ev.Event]:
        events = self.close_part()
        self.row = row
        return [*events, ev.ContentPartAdded(**self._place(), part=row.part(**{row.field: ""}))]

    def _place(self) -> _Place:
        return {"item_id": self.id, "output_index": self.index, "content_index": len(self._closed)}

    def close_part(self) -> list[ev.Event]:
        row = self.row
        if row is None:
            return []
        part = self._part(row)
        place = self._place()
        done = {row.field: getattr(part, row.field)}
        if self._logprobs:
            done["logprobs"] = tuple(self._logprobs)
        self._closed.append(part)
        self.row, self.form, self._text, self._logprobs = None, None, [], []
        return [row.done(**place, **done), ev.ContentPartDone(**place, part=part)]

    @property
    def is_summed_up(self) -> bool:
        """Whether its summary has begun, so that no more text can follow."""
        return self._summary_text is not None

    def sum_up(self, text: str) -> list[ev.Event]:
        """More of the summary of reasoning."""
        events = self.close_part()
        if self._summary_text is None:
            self._summary_text = []
            events.append(ev.ReasoningSummaryPartAdded(**self._summary_place(), part=SummaryText("")))
        self._summary_text.append(text)
        return [*events, ev.ReasoningSummaryTextDelta(**self._summary_place(), delta=text)]

    def _close_summary(self) -> list[ev.Event]:
        if self._summary_text is None:
            return []
        place, whole = self._summary_place(), SummaryText("".join(self._summary_text))
        self._summary, self._summary_text = (*self._summary, whole), None
        return [
            ev.ReasoningSummaryTextDone(**place, text=whole.text),
            ev.ReasoningSummaryPartDone(**place, part=whole),
        ]

    def _summary_place(self) -> _SummaryPlace:
        return {"item_id": self.id, "output_index": self.index, "summary_index": len(self._summary)}

    @property
    def text(self) -> str:
        """The text of all closed parts."""
        return "".join(getattr(part, "text", "") for part in self._closed)

    def conclude(self, conclusion: Conclusion) -> list[ev.Event]:
        """Close reasoning with what it amounts to."""
        self._encrypted_content = conclusion.encrypted_content
        events = self.sum_up(conclusion.summary) if conclusion.summary else []
        return events + self._close_summary()

    def _part(self, row: PartRow) -> ItemPart:
        fields: dict[str, object] = {row.field: "".join(self._text)}
        if self._logprobs:
            fields["logprobs"] = tuple(self._logprobs)
        return row.part(**fields)


class OpenCall(Growing):
    """A call of a function, of a custom tool, or of the search for tools, that is being written."""

    def __init__(self, target: Target, item_id: str, call_id: str, index: int) -> None:
        super().__init__()
        self.row = CALLS[target.kind]
        self.id = item_id
        self.index = index
        self._call_id = call_id
        self._target = target
        self._unwrapper = InputUnwrapper() if target.kind == "custom" else None

    @classmethod
    def reopen(cls, item: WrittenCall | ToolSearchCall, fold: Fold) -> "OpenCall":
        """As it stood when its log broke off; it can only be closed."""
        if isinstance(item, ToolSearchCall):
            return cls(Target("tool_search", TOOL_SEARCH), item.id or "", item.call_id or "", len(fold.items))
        kind: Literal["function", "custom"] = "function" if isinstance(item, FunctionCall) else "custom"
        call = cls(Target(kind, item.name, item.namespace), item.id or "", item.call_id, len(fold.items))
        call._text, call._unwrapper = [fold.text], None
        return call

    def item(self, status: ItemStatus) -> OutputItem:
        return self.row.item(
            id=self.id,
            call_id=self._call_id,
            name=self._target.name,
            namespace=self._target.namespace,
            async_=self._target.is_async or None,
            status=status,
            **{self.row.field: "".join(self._text)},
        )

    def append(self, text: str) -> list[ev.Event]:
        return self._grow(self._unwrapper.feed(text) if self._unwrapper else text)

    def close_part(self) -> list[ev.Event]:
        events = self._grow(self._unwrapper.close()) if self._unwrapper else []
        if self.row.done is None:
            return events
        whole: dict[str, str] = {self.row.field: "".join(self._text)}
        if self.row.item is FunctionCall:
            whole["name"] = self._target.name
        events.append(self.row.done(item_id=self.id, output_index=self.index, **whole))
        return events

    def example(self, text: str) -> ev.Event | None:
        """The event of a delta; None where the arguments are not said as they come."""
        return self._delta(text) if self._unwrapper is None else None

    def _grow(self, text: str) -> list[ev.Event]:
        if not text:
            return []
        self._text.append(text)
        event = self._delta(text)
        return [event] if event is not None else []

    def _delta(self, text: str) -> ev.Event | None:
        delta = self.row.delta
        return delta(item_id=self.id, output_index=self.index, delta=text) if delta is not None else None


class OpenCompaction:
    """A compaction under way: announced, and no part of the output before it is done."""

    def __init__(self, item_id: str, index: int) -> None:
        self.id = item_id
        self.index = index

    def item(self, encrypted_content: str = "") -> Compaction:
        return Compaction(id=self.id, encrypted_content=encrypted_content)

    def begin(self) -> list[ev.Event]:
        return [
            ev.OutputItemAdded(output_index=self.index, item=self.item()),
            CompactionCompacting(item_id=self.id, output_index=self.index),
        ]


def _wire_logprob(logprob: d.Logprob) -> Logprob:
    return Logprob(
        token=logprob.token,
        logprob=logprob.logprob,
        bytes=tuple(logprob.bytes),
        top_logprobs=tuple(TopLogprob(t.token, t.logprob, tuple(t.bytes)) for t in logprob.top_logprobs),
    )
