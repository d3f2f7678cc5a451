"""The event machine: deltas of an engine in, events of the Responses API out.

Rules
 1. `response.created` and `response.in_progress` come first (`response.queued` between them for a queued run), exactly
    one of `response.completed`, `.incomplete` and `.failed` comes last; a failure sends `error` before its last event.
    A cancelled run has no last event: its open item closes as incomplete and the stream ends.
 2. At most one item is open, and in it at most one content part. Items stand in `output` in the order in which they
    were opened; `output_index` and `content_index` are given once, here, and so is every id.
 3. An item opens with its zero values (`output_item.added`, `content_part.added`), grows by deltas, and closes in
    reverse order (`….done`, `content_part.done`, `output_item.done`). A closed item never changes.
 4. A delta of another kind closes what is open. Text and refusal are parts of one message; reasoning, every call, and a
    message after a call are items of their own.
 5. Only the last item can be incomplete, and then the response is not completed.
 6. `Finish` closes what is open; after it only `Usage` and `Failure` are accepted, and after `end` nothing.
 7. A stream that awaits tool outputs does not finish while one of its calls has none: `needs` says which, `deliver`
    adds outputs as items of their own, and the next round of generation goes on in the same stream.
 8. A compaction is an item that opens between two generations, is no part of the output before it is done, and never
    incomplete: one that fails is forgotten. After `Finish("compacted")` the next generation goes on in its place.
 9. A stream that holds its calls says nothing of a call before it is whole, so that one cut off by a crash was never
    seen. The same goes for a call of one of the API's own tools in every stream, which is read when it is whole.

What a kind of delta opens, appends and closes is data: `core.grammar`. Numbers and dialects are the encoder's, not
ours.
Spec: the order of events of OpenAI's Responses API.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import assert_never

from msgspec import UNSET, Raw
from msgspec.structs import replace

from antiphon.core import deltas as d
from antiphon.core.action_tools import ACTION_NAMES
from antiphon.core.conclusion import Conclusion
from antiphon.core.fold import Fold
from antiphon.core.grammar import (
    CALLS,
    ERROR_TYPE,
    INCOMPLETE_REASON,
    ITEM_PREFIX,
    PARTS,
    Call,
    ItemStatus,
    Output,
    PartRow,
)
from antiphon.core.open_actions import CutAction, OpenAction
from antiphon.core.open_items import Growing, OpenCall, OpenCompaction, OpenContent
from antiphon.core.output_forms import delivered
from antiphon.core.toolbox import Target
from antiphon.core.whole_items import opening
from antiphon.errors import EngineError
from antiphon.wire import events as ev
from antiphon.wire.hosted import ApplyPatchCall, ComputerCall, LocalShellCall, ShellCall
from antiphon.wire.items import (
    Compaction,
    CustomToolCall,
    FunctionCall,
    Message,
    OutputItem,
    Reasoning,
    ToolSearchCall,
)
from antiphon.wire.response import (
    ErrorDetail,
    IncompleteDetails,
    InputTokensDetails,
    OutputTokensDetails,
    Response,
    ResponseError,
    ResponseUsage,
)

BLOCKED = Raw(
    b'[{"blocked":true,"source_type":"completion","content_filter_raw":[],"content_filter_results":{},'
    b'"content_filter_offsets":{"start_offset":0,"end_offset":0,"check_offset":0}}]'
)
"""What Azure's schema has for an answer that the engine's filter cut; an engine does not say which filter it was."""


class ResponseStream:
    """One response as it comes into being.

    `base` is the response before its first event: status in_progress or queued, no output. `new_id` makes an id from
    its prefix. `parallel` False drops every call after the first of a round, whatever the engine sends. `await_outputs`
    and `hold_calls` are rules 7 and 9. The caller sends what `begin`, `feed` and `end` return, in that order;
    `response` is the snapshot after each. `conclude` says what a piece of raw reasoning amounts to when it closes.
    """

    def __init__(
        self,
        base: Response,
        *,
        new_id: Callable[[str], str],
        targets: Mapping[str, Target] | None = None,
        withheld: frozenset[str] = frozenset(),
        parallel: bool = True,
        await_outputs: bool = False,
        hold_calls: bool = False,
        conclude: Callable[[str], Conclusion] | None = None,
    ) -> None:
        self._base = base
        self._shown, self._shown_of = base, base  # `response` while nothing is open, and the base that it was made of
        self._new_id = new_id
        self._targets = targets or {}
        self._withheld = withheld
        self._parallel = parallel
        self._await_outputs = await_outputs
        self._hold_calls = hold_calls
        self._conclude = conclude
        self.breach: EngineError | None = None
        self._closed: list[OutputItem] = []
        self._open: OpenContent | OpenCall | OpenAction | CutAction | OpenCompaction | None = None
        self._held: list[ev.Event] = []
        self._dropping_call = False
        self._calls = 0
        self._round_at = 0
        self._needs: dict[str, Call] = {}
        self._spent: d.Usage | None = None
        self._usage: d.Usage | None = None
        self._beside: d.Usage | None = None
        self._rounds = 0
        self._outcome: d.Finish | d.Failure | d.Cancelled | None = None
        self._ended = False

    @property
    def response(self) -> Response:
        """The response as it stands: the answer without streaming, what is stored, and what the last event carries."""
        current = self._open
        if isinstance(current, OpenContent) or (isinstance(current, OpenCall) and not self._hold_calls):
            return replace(self._base, output=(*self._closed, current.item("in_progress")))
        if self._shown_of is not self._base or len(self._shown.output) != len(self._closed):
            self._shown, self._shown_of = replace(self._base, output=tuple(self._closed)), self._base
        return self._shown

    @property
    def finished(self) -> bool:
        """Whether the outcome is known and only `end` is missing."""
        return self._outcome is not None

    @property
    def growing(self) -> Growing | None:
        """What is open, if more text of the kind fed last would be a delta of it and nothing else."""
        current = self._open
        if self._outcome is not None or self.breach is not None:
            return None
        if isinstance(current, OpenContent):
            return current if current.row is not None and not current.is_summed_up else None
        return current if isinstance(current, OpenCall) and not self._hold_calls else None

    def is_more(self, delta: d.Delta) -> bool:
        """Whether a delta would do nothing but add a text to what is growing."""
        current = self.growing
        if isinstance(current, OpenContent):
            same = PARTS.get(type(delta)) is current.row and not getattr(delta, "logprobs", ())
            return same and bool(delta.text)  # type: ignore[union-attr]
        return current is not None and isinstance(delta, d.CallArguments) and bool(delta.text)

    @property
    def rounds(self) -> int:
        """How many generations have ended without being the last one."""
        return self._rounds

    @property
    def spent_tokens(self) -> int:
        """How many tokens the rounds before this one have generated."""
        return self._spent.output_tokens if self._spent else 0

    @property
    def needs(self) -> Mapping[str, Call]:
        """The calls whose outputs the stream waits for between two rounds, by call id; empty while it generates."""
        return self._needs

    def begin(self) -> list[ev.Event]:
        """The first events: created, and queued or in_progress."""
        created = ev.Created(response=self._base)
        if self._base.status == "queued":
            return [created, ev.Queued(response=self._base)]
        return [created, ev.InProgress(response=self._base)]

    def start(self) -> list[ev.Event]:
        """A queued run begins to work."""
        self._base = replace(self._base, status="in_progress")
        return [ev.InProgress(response=self._base)]

    def resume(self, fold: Fold) -> list[ev.Event]:
        """Take up a stream whose log broke off, instead of `begin`. Interrupted reasoning closes with the text it has.

        An interrupted message stays open: what is fed next must go on from its text, or fail. What was generated before
        is counted by its deltas, since nobody knows its usage any more.
        """
        self._base = replace(fold.response, output=())
        self._closed = list(fold.items)
        match fold.open_item:
            case Message() | Reasoning() as item:
                self._open = OpenContent.reopen(item, fold)
            case FunctionCall() | CustomToolCall() | ToolSearchCall() as item:
                self._open = OpenCall.reopen(item, fold)
            case ApplyPatchCall() | ShellCall() | LocalShellCall() | ComputerCall() as item:
                self._open = CutAction(item, len(fold.items))
            case Compaction(id=str(item_id)):
                self._open = OpenCompaction(item_id, len(fold.items))
            case _:
                self._open = None
        if self._await_outputs:
            answered = {item.call_id for item in fold.items if isinstance(item, Output)}
            calls = [item for item in fold.items if isinstance(item, Call)]
            self._needs = {call.call_id: call for call in calls if call.call_id not in answered}
        self._round_at = len(self._closed)
        self._spent = d.Usage(0, fold.delta_count) if fold.delta_count else None
        return self._close("completed") if isinstance(fold.open_item, Reasoning) else []

    def feed(self, batch: Sequence[d.Delta]) -> list[ev.Event]:
        """Take what the engine sent and say what happened.

        When the engine breaks the order of deltas, `breach` says how: what came before the offending delta counts, the
        rest of the batch does not, and the caller feeds a Failure.
        """
        events: list[ev.Event] = []
        try:
            for delta in batch:
                row = PARTS.get(type(delta))
                if row is not None and self._outcome is None:
                    events += self._write(row, delta)  # type: ignore[arg-type]  # the row's key is the delta's type
                else:
                    events += self._control(delta)
        except EngineError as error:
            self.breach = error
        return events

    def deliver(self, outputs: Sequence[Output]) -> list[ev.Event]:
        """Add the outputs of calls that are needed; each becomes an item. Generation may go on once nothing is needed.

        Raises: KeyError for an output that nothing waits for; nothing is added then.
        """
        left = dict(self._needs)
        for output in outputs:
            del left[output.call_id or ""]
        self._needs = left
        events: list[ev.Event] = []
        for output in outputs:
            index = len(self._closed)
            item = delivered(output)
            self._closed.append(item)
            events += [
                ev.OutputItemAdded(output_index=index, item=opening(item)),
                ev.OutputItemDone(output_index=index, item=item),
            ]
        return events

    def end(self, now: int) -> list[ev.Event]:
        """The last events of a finished run; `now` is in unix seconds. The caller stores `response` before it sends
        them.

        Without an outcome the engine stopped in mid-answer: that is a failure.
        """
        if self._ended:
            raise RuntimeError("the stream has ended")
        events: list[ev.Event] = []
        if self._outcome is None:
            events += self.feed([d.Failure("server_error", "The engine stopped before its answer was complete.")])
        self._ended = True
        return events + self._last_events(now)

    def overrule(self, failure: d.Failure, now: int) -> list[ev.Event]:
        """Replace an end that nobody has seen, because it could not be stored."""
        self._outcome = failure
        return self._last_events(now)

    # -- content

    def _write(self, row: PartRow, delta: d.TextDelta | d.RefusalDelta | d.ReasoningDelta) -> list[ev.Event]:
        logprobs = delta.logprobs if isinstance(delta, d.TextDelta) else ()
        if not delta.text and not logprobs:
            return []
        current = self._open
        if isinstance(current, OpenContent) and current.kind == row.item and not current.is_summed_up:
            return current.append(row, delta.text, logprobs)
        events = self._close("completed")
        self._dropping_call = False
        content = OpenContent(row.item, self._new_id(ITEM_PREFIX[row.item]), len(self._closed))
        return events + self._add(content) + content.append(row, delta.text, logprobs)

    def _add(self, opened: OpenContent | OpenCall) -> list[ev.Event]:
        self._open = opened
        return self._say([ev.OutputItemAdded(output_index=opened.index, item=opened.item("in_progress"))])

    def _say(self, events: list[ev.Event]) -> list[ev.Event]:
        """The events, or none as long as they belong to a call that is held."""
        if self._hold_calls and isinstance(self._open, OpenCall):
            self._held += events
            return []
        return events

    def _close(self, status: ItemStatus) -> list[ev.Event]:
        current = self._open
        if current is None:
            return []
        if isinstance(current, OpenCompaction):
            return self._forget_compaction()
        if isinstance(current, OpenAction | CutAction):
            events, item = current.close(status, self._new_id)
            return self._closed_as(item, events)
        events = [*self._held, *current.close_part()]
        if isinstance(current, OpenContent) and current.kind == "reasoning":
            events += current.conclude(self._conclude(current.text) if self._conclude else Conclusion())
        return self._closed_as(current.item(status), events)

    def _closed_as(self, item: OutputItem, events: list[ev.Event]) -> list[ev.Event]:
        events.append(ev.OutputItemDone(output_index=len(self._closed), item=item))
        self._closed.append(item)
        self._open, self._held = None, []
        return events

    # -- compaction

    def _begin_compaction(self) -> list[ev.Event]:
        if isinstance(self._open, OpenCompaction):  # its log broke off, and it is made again
            return []
        events = self._close("completed")
        self._open = OpenCompaction(self._new_id("cmp"), len(self._closed))
        return events + self._open.begin()

    def _end_compaction(self, end: d.CompactionEnd) -> list[ev.Event]:
        if not isinstance(self._open, OpenCompaction):
            raise EngineError("A compaction ended that had not begun.")
        index, item = self._open.index, self._open.item(end.encrypted_content)
        self._closed.append(item)
        self._open = None
        return [ev.OutputItemDone(output_index=index, item=item)]

    def _forget_compaction(self) -> list[ev.Event]:
        if not isinstance(self._outcome, d.Failure | d.Cancelled):
            raise EngineError("The engine answered in the middle of a compaction.")
        self._open = None
        return []

    def _sum_up(self, text: str) -> list[ev.Event]:
        if not isinstance(self._open, OpenContent) or self._open.kind != "reasoning":
            raise EngineError("A summary came without reasoning.")
        return self._open.sum_up(text) if text else []

    # -- everything else

    def _control(self, delta: d.Delta) -> list[ev.Event]:
        if self._ended:
            raise RuntimeError("the stream has ended")
        match delta:
            case d.Usage():
                self._usage = delta
                return []
            case d.SideUsage():
                self._beside = _sum(self._beside, delta)
                return []
            case d.Failure() | d.Cancelled():
                self._outcome = delta
                return self._close("incomplete")
            case _ if self._outcome is not None:
                raise EngineError("The engine went on after the end of its answer.")
            case d.CallStart():
                return self._start_call(delta)
            case d.CallArguments():
                return self._write_call(delta)
            case d.SummaryDelta():
                return self._sum_up(delta.text)
            case d.CompactionStart():
                return self._begin_compaction()
            case d.CompactionEnd():
                return self._end_compaction(delta)
            case d.Finish():
                return self._finish(delta)
            case d.TextDelta() | d.RefusalDelta() | d.ReasoningDelta():
                raise AssertionError("content has a row in PARTS")
            case _:
                assert_never(delta)

    def _start_call(self, delta: d.CallStart) -> list[ev.Event]:
        self._dropping_call = delta.name in self._withheld or (self._calls > 0 and not self._parallel)
        if self._dropping_call:
            return self._close("completed")
        self._calls += 1
        events = self._close("completed")
        target = self._targets.get(delta.name) or Target("function", delta.name)
        call_id = delta.call_id
        if not call_id or self._has_call(call_id):
            call_id = self._new_id("call")
        if target.kind in ACTION_NAMES:
            self._open = OpenAction(target, call_id, len(self._closed))
            return events
        return events + self._add(OpenCall(target, self._new_id(CALLS[target.kind].prefix), call_id, len(self._closed)))

    def _has_call(self, call_id: str) -> bool:
        """Some engines count their calls from zero in every round; an id must name one call of a response."""
        return any(item.call_id == call_id for item in self._closed if isinstance(item, Call))

    def _write_call(self, delta: d.CallArguments) -> list[ev.Event]:
        if self._dropping_call:
            return []
        if isinstance(self._open, OpenAction):
            self._open.append(delta.text)
            return []
        if not isinstance(self._open, OpenCall):
            raise EngineError("The engine sent arguments outside a tool call.")
        return self._say(self._open.append(delta.text))

    # -- the end

    def _finish(self, finish: d.Finish) -> list[ev.Event]:
        if finish.reason == "compacted":
            events = self._close("completed")
            self._begin_round()
            return events
        events = self._close("completed" if finish.reason == "stop" else "incomplete")
        if self._await_outputs and finish.reason == "stop":
            self._needs = {item.call_id: item for item in self._closed[self._round_at :] if isinstance(item, Call)}
        if self._needs:
            self._begin_round()
        else:
            self._outcome = finish
        return events

    def _begin_round(self) -> None:
        """What one generation counted is spent; the next one counts anew."""
        self._spent, self._usage = _sum(self._spent, self._usage), None
        self._calls, self._round_at = 0, len(self._closed)
        self._rounds += 1

    def _last_events(self, now: int) -> list[ev.Event]:
        match self._outcome:
            case d.Finish(reason="stop"):
                self._settle(status="completed", completed_at=now)
                return [ev.Completed(response=self.response)]
            case d.Finish(reason=reason):
                if reason == "content_filter" and self._base.content_filters is not UNSET:
                    self._base = replace(self._base, content_filters=BLOCKED)
                self._settle(
                    status="incomplete", incomplete_details=IncompleteDetails(reason=INCOMPLETE_REASON[reason])
                )
                return [ev.Incomplete(response=self.response)]
            case d.Failure(code=code, message=message):
                error = ResponseError(code=code, message=message)
                self._settle(status="failed", completed_at=None, incomplete_details=None, error=error)
                return [_error_event(code, message), ev.Failed(response=self.response)]
            case d.Cancelled():
                self._settle(status="cancelled")
                return []
            case None:
                raise RuntimeError("the stream has no outcome yet")

    def _settle(self, **fields: object) -> None:
        usage = _sum(_sum(self._spent, self._usage), self._beside)
        self._base = replace(self._base, usage=wire_usage(usage) if usage else None, **fields)


def _error_event(code: str, message: str) -> ev.ErrorEvent:
    """Flat as the schema has it and nested as the wire does: readers of either kind find what they look for."""
    detail = ErrorDetail(type=ERROR_TYPE.get(code, "server_error"), code=code, message=message, param=None)
    return ev.ErrorEvent(code=code, message=message, param=None, error=detail)


def _sum(usage: d.Usage | None, more: d.Usage | d.SideUsage | None) -> d.Usage | None:
    if more is None:
        return usage
    before = usage or d.Usage(0, 0)
    return d.Usage(
        input_tokens=before.input_tokens + more.input_tokens,
        output_tokens=before.output_tokens + more.output_tokens,
        cached_tokens=before.cached_tokens + more.cached_tokens,
        reasoning_tokens=before.reasoning_tokens + more.reasoning_tokens,
    )


def wire_usage(usage: d.Usage | d.SideUsage) -> ResponseUsage:
    """Tokens as the API tells them."""
    return ResponseUsage(
        input_tokens=usage.input_tokens,
        input_tokens_details=InputTokensDetails(cached_tokens=usage.cached_tokens),
        output_tokens=usage.output_tokens,
        output_tokens_details=OutputTokensDetails(reasoning_tokens=usage.reasoning_tokens),
        total_tokens=usage.input_tokens + usage.output_tokens,
    )
