"""The reader's view: puts a response together from its events, and refuses a stream that breaks the rules.

It knows nothing of the machine that made them: what it builds from deltas must equal what the done events, the closed
items and the last event say. Tests fold every stream; a stored log folds to the stored response; a run that is taken up
again begins where the fold of its log ends.
"""

from collections.abc import Iterable
from typing import cast

from msgspec import UNSET
from msgspec.structs import replace

from antiphon.core.whole_items import Whole, opening
from antiphon.wire import events as ev
from antiphon.wire import hosted_events as hosted
from antiphon.wire.content import Logprob, OutputText, ReasoningText, Refusal
from antiphon.wire.hosted import ApplyPatchCallOutput, ComputerCallOutput, ShellCall
from antiphon.wire.hosted_events import CompactionCompacting
from antiphon.wire.items import (
    Compaction,
    CustomToolCall,
    FunctionCall,
    Message,
    Reasoning,
)
from antiphon.wire.response import Response

Grown = Message | Reasoning | FunctionCall | CustomToolCall
FoldedItem = Grown | Whole
FoldedPart = OutputText | Refusal | ReasoningText

ItemEvent = ev.OutputItemAdded | ev.OutputItemDone
PartEvent = ev.ContentPartAdded | ev.ContentPartDone
PartDelta = ev.OutputTextDelta | ev.RefusalDelta | ev.ReasoningTextDelta
CallDelta = ev.FunctionCallArgumentsDelta | ev.CustomToolCallInputDelta
PartDone = ev.OutputTextDone | ev.RefusalDone | ev.ReasoningTextDone
CommandEvent = hosted.ShellCallCommandAdded | hosted.ShellCallCommandDelta | hosted.ShellCallCommandDone
CallDone = ev.FunctionCallArgumentsDone | ev.CustomToolCallInputDone
SummaryEvent = (
    ev.ReasoningSummaryPartAdded
    | ev.ReasoningSummaryTextDelta
    | ev.ReasoningSummaryTextDone
    | ev.ReasoningSummaryPartDone
)
Lifecycle = ev.Created | ev.Queued | ev.InProgress
Last = ev.Completed | ev.Incomplete | ev.Failed

# The field that grows by deltas.
PART_FIELD: dict[type, str] = {OutputText: "text", Refusal: "refusal", ReasoningText: "text"}
ITEM_FIELD: dict[type, str] = {
    Message: "content",
    Reasoning: "content",
    FunctionCall: "arguments",
    CustomToolCall: "input",
}


class IllegalStream(ValueError):
    """An event that may not stand where it stands; the message says which rule it breaks."""


class Fold:
    """Feed it events in order with `add`.

    `items` are the closed ones; `open_item` and `part` are still being written, as far as `text` and `logprobs` go.
    `count` is the number of events, `delta_count` that of deltas, `ended` whether the last event was there,
    `is_summarizing` whether the text is that of a summary.
    """

    def __init__(self) -> None:
        self.count = 0
        self.items: list[FoldedItem] = []
        self.open_item: FoldedItem | None = None
        self.part: FoldedPart | None = None
        self.ended = False
        self.is_summarizing = False
        self._compacting = False
        self.delta_count = 0
        self._response: Response | None = None
        self._text: list[str] = []
        self.logprobs: list[Logprob] = []
        self._commands: list[str] = []
        self._text_done = False

    @property
    def response(self) -> Response:
        """The response so far, with what is being written. Raises: IllegalStream when there was no event yet."""
        if self._response is None:
            raise IllegalStream("no response.created yet")
        if self.open_item is None or isinstance(self.open_item, Compaction):  # the latter is nothing before it is done
            return replace(self._response, output=tuple(self.items))
        return replace(self._response, output=(*self.items, self._growing(self.open_item)))

    def _growing(self, opened: FoldedItem) -> FoldedItem:
        """The open item with as much of its text as there is."""
        if isinstance(opened, FunctionCall | CustomToolCall) and not self._text_done:
            return replace(opened, **{ITEM_FIELD[type(opened)]: self.text})
        if self.part is None or not isinstance(opened, Message | Reasoning):
            return opened
        part = self.part if self._text_done else replace(self.part, **{PART_FIELD[type(self.part)]: self.text})
        if isinstance(part, OutputText):
            part = replace(part, logprobs=tuple(self.logprobs))
        return replace(opened, content=(*(opened.content or ()), part))

    @property
    def text(self) -> str:
        """What the deltas of the open part or call amount to."""
        return "".join(self._text)

    def add(self, event: ev.Event) -> None:
        """Take the next event. Raises: IllegalStream."""
        self._check(not self.ended, event, "comes after the end")
        if event.sequence_number is not UNSET:
            self._check(event.sequence_number == self.count, event, f"has not number {self.count}")
        if self._response is None:
            self._check(isinstance(event, ev.Created), event, "comes before response.created")
        match event:
            case ev.Created() | ev.Queued() | ev.InProgress():
                self._lifecycle(event)
            case ev.OutputItemAdded():
                self._open(event)
            case ev.OutputItemDone():
                self._close(event)
            case ev.ContentPartAdded():
                self._open_part(event)
            case ev.ContentPartDone():
                self._close_part(event)
            case (
                ev.OutputTextDelta()
                | ev.RefusalDelta()
                | ev.ReasoningTextDelta()
                | ev.FunctionCallArgumentsDelta()
                | ev.CustomToolCallInputDelta()
            ):
                self._grow(event)
            case ev.OutputTextDone() | ev.RefusalDone() | ev.ReasoningTextDone():
                self._end_part(event)
            case ev.FunctionCallArgumentsDone() | ev.CustomToolCallInputDone():
                self._end_call(event)
            case (
                ev.ReasoningSummaryPartAdded()
                | ev.ReasoningSummaryTextDelta()
                | ev.ReasoningSummaryTextDone()
                | ev.ReasoningSummaryPartDone()
            ):
                self._summarize(event)
            case hosted.ShellCallCommandAdded() | hosted.ShellCallCommandDelta() | hosted.ShellCallCommandDone():
                self._command(event)
            case ev.Completed() | ev.Incomplete() | ev.Failed():
                self._end(event)
            case CompactionCompacting():
                self._compact(event)
            case ev.ErrorEvent():
                if isinstance(self.open_item, Compaction):
                    self.open_item = None
                self._check(self.open_item is None, event, "comes while an item is open")
            case _:
                raise IllegalStream(f"{type(event).__name__} is not an event of this grammar")
        self.count += 1

    def _check(self, holds: bool, event: ev.Event, complaint: str) -> None:
        if not holds:
            raise IllegalStream(f"event {self.count} ({type(event).__name__}) {complaint}")

    # -- the response

    def _lifecycle(self, event: Lifecycle) -> None:
        first = isinstance(event, ev.Created)
        self._check(first == (self._response is None), event, "is out of place")
        self._check(not self.items and self.open_item is None, event, "comes after an item")
        self._check(first or event.response.id == self.response.id, event, "changes the response id")
        self._response = event.response

    def _end(self, event: Last) -> None:
        self._check(self.open_item is None, event, "leaves an item open")
        self._check(event.response.id == self.response.id, event, "changes the response id")
        self._check(event.response.output == tuple(self.items), event, "has another output than its events")
        incomplete = [item for item in self.items if _status(item) == "incomplete"]
        self._check(not incomplete or incomplete == self.items[-1:], event, "has an incomplete item before its last")
        self._check(not (incomplete and isinstance(event, ev.Completed)), event, "completes an incomplete item")
        self._response, self.ended = event.response, True

    # -- items

    def _open(self, event: ev.OutputItemAdded) -> None:
        item = self._item(event)
        self._check(self.open_item is None, event, "opens an item inside another")
        empty = opening(item) == item if isinstance(item, Whole) else not getattr(item, ITEM_FIELD[type(item)])
        self._check(empty, event, "opens an item that is not empty")
        over = isinstance(item, ApplyPatchCallOutput | ComputerCallOutput | Compaction)
        self._check(over or _status(item) == "in_progress", event, "opens an item that is not in progress")
        self._check(item.id not in [each.id for each in self.items], event, "repeats an item id")
        self.open_item, self._compacting = item, False
        self._start_text()
        if isinstance(item, ShellCall):
            self._commands, self._text_done = [], True

    def _compact(self, event: CompactionCompacting) -> None:
        self._check(isinstance(self._place(event), Compaction) and not self._compacting, event, "is out of place")
        self._compacting = True

    def _close(self, event: ev.OutputItemDone) -> None:
        item, opened = self._item(event), self.open_item
        self._check(self.part is None, event, "closes an item with an open part")
        done = ("completed", "incomplete", "failed", None)
        self._check(_status(item) in done, event, "closes an item that is not done")
        if isinstance(item, Compaction):
            self._check(self._compacting, event, "closes a compaction before its event")
        if isinstance(item, Whole):
            self._check(opening(item) == opened, event, "differs from what was opened")
            said = item.action.commands == tuple(self._commands) if isinstance(item, ShellCall) else True
            self._check(said, event, "has other commands than its events")
            opened = item
        if isinstance(opened, Reasoning):
            self._check(not self.is_summarizing, event, "closes an item with an open summary")
            opened = replace(opened, encrypted_content=getattr(item, "encrypted_content", None))
        if isinstance(opened, FunctionCall | CustomToolCall):
            self._check(self._text_done, event, "closes a call before its done event")
        expected = None if opened is None else _with_status(opened, item)
        self._check(expected == item, event, "differs from its deltas")
        self.items.append(item)
        self.open_item = None

    def _item(self, event: ItemEvent) -> FoldedItem:
        self._check(event.output_index == len(self.items), event, "has the wrong output_index")
        self._check(isinstance(event.item, FoldedItem), event, "carries an item that is not of this grammar")
        return cast(FoldedItem, event.item)

    # -- parts

    def _open_part(self, event: ev.ContentPartAdded) -> None:
        self._content(event)
        self._check(self.part is None, event, "opens a part inside another")
        self._check(not getattr(event.part, PART_FIELD[type(event.part)]), event, "opens a part that is not empty")
        self.part = event.part
        self._start_text()

    def _close_part(self, event: ev.ContentPartDone) -> None:
        opened = self._content(event)
        self._check(self.part is not None and self._text_done, event, "closes a part before its done event")
        self._check(self.part == event.part, event, "differs from its deltas")
        self.open_item = replace(opened, content=(*(opened.content or ()), event.part))
        self.part = None

    def _content(self, event: PartEvent) -> Message | Reasoning:
        opened = self._place(event)
        if not isinstance(opened, Message | Reasoning):
            raise IllegalStream(f"event {self.count} ({type(event).__name__}) needs an item with content")
        self._check(event.content_index == len(opened.content or ()), event, "has the wrong content_index")
        return opened

    # -- summaries

    def _summarize(self, event: SummaryEvent) -> None:
        opened = self._place(event)
        if not isinstance(opened, Reasoning) or self.part is not None:
            raise IllegalStream(f"event {self.count} ({type(event).__name__}) needs reasoning without an open part")
        self._check(event.summary_index == len(opened.summary), event, "has the wrong summary_index")
        match event:
            case ev.ReasoningSummaryPartAdded():
                self._check(not event.part.text, event, "opens a part that is not empty")
                self._start_text()
                self.is_summarizing = True
            case ev.ReasoningSummaryTextDelta():
                self._text.append(event.delta)
            case ev.ReasoningSummaryTextDone():
                self._check(event.text == self.text, event, "differs from its deltas")
            case ev.ReasoningSummaryPartDone():
                self._check(event.part.text == self.text, event, "differs from its deltas")
                self.is_summarizing = False
                self.open_item = replace(opened, summary=(*opened.summary, event.part))

    # -- commands

    def _command(self, event: CommandEvent) -> None:
        """One command after the other; the events name no item."""
        self._check(isinstance(self.open_item, ShellCall), event, "needs a shell call")
        self._check(event.output_index == len(self.items), event, "has the wrong output_index")
        self._check(event.command_index == len(self._commands), event, "has the wrong command_index")
        match event:
            case hosted.ShellCallCommandAdded():
                self._check(not event.command, event, "opens a command that is not empty")
                self._check(not self._text, event, "opens a command inside another")
                self._text_done = False
            case hosted.ShellCallCommandDelta():
                self._check(not self._text_done, event, "comes before its command")
                self._text.append(event.delta)
            case hosted.ShellCallCommandDone():
                self._check(event.command == self.text, event, "differs from its deltas")
                self._commands.append(event.command)
                self._start_text()
                self._text_done = True

    # -- text

    def _start_text(self) -> None:
        self._text, self.logprobs, self._text_done = [], [], False

    def _grow(self, event: PartDelta | CallDelta) -> None:
        self._place(event)
        logprobs = event.logprobs if isinstance(event, ev.OutputTextDelta) else ()
        self._check(not self._text_done, event, "comes after its done event")
        self._check(bool(event.delta or logprobs), event, "is empty")
        self._check(isinstance(event, PartDelta) == (self.part is not None), event, "has no open part")
        self._text.append(event.delta)
        self.delta_count += 1
        self.logprobs += logprobs

    def _end_part(self, event: PartDone) -> None:
        self._place(event)
        part = self.part
        if part is None or self._text_done:
            raise IllegalStream(f"event {self.count} ({type(event).__name__}) ends no part")
        field = PART_FIELD[type(part)]
        self._check(getattr(event, field) == self.text, event, "differs from its deltas")
        part = replace(part, **{field: self.text})
        if isinstance(event, ev.OutputTextDone):
            self._check(list(event.logprobs) == self.logprobs, event, "has other logprobs than its deltas")
            part = replace(part, logprobs=event.logprobs)
        self.part, self._text_done = part, True

    def _end_call(self, event: CallDone) -> None:
        opened = self._place(event)
        self._check(isinstance(opened, FunctionCall | CustomToolCall) and not self._text_done, event, "ends no call")
        field = ITEM_FIELD[type(opened)]
        self._check(getattr(event, field) == self.text, event, "differs from its deltas")
        self.open_item, self._text_done = replace(opened, **{field: self.text}), True

    def _place(
        self, event: SummaryEvent | PartEvent | PartDelta | CallDelta | PartDone | CallDone | CompactionCompacting
    ) -> FoldedItem:
        opened = self.open_item
        if opened is None or event.item_id != opened.id:
            raise IllegalStream(f"event {self.count} ({type(event).__name__}) names no open item")
        self._check(event.output_index == len(self.items), event, "has the wrong output_index")
        return opened


def _status(item: FoldedItem) -> str | None:
    """None of a compaction, which has none."""
    return None if isinstance(item, Compaction) else item.status


def _with_status(opened: FoldedItem, item: FoldedItem) -> FoldedItem:
    if isinstance(opened, Compaction):
        return opened
    return replace(opened, status=_status(item))


def fold(events: Iterable[ev.Event]) -> Response:
    """The response that a whole stream amounts to. Raises: IllegalStream."""
    folded = Fold()
    for event in events:
        folded.add(event)
    return folded.response
