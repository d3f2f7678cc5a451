"""A run: one producer that turns generations into a log of events, and its end.

Its states are a table, `run_states`: queued → generating ⇄ waiting for tool outputs → ending → over. The producer is a
task of its own, so it outlives any connection; consumers only read the log. A foreground run ends when its last
consumer leaves, unless it waits or has waited for tool outputs; a background run goes on. The end comes in this order:
last events, one transaction (response, items, the log's rest with the terminal event), then the terminal event is
released to readers. What could not be stored is never said to be completed.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from antiphon.core.deltas import Cancelled, Delta, Failure, Finish, clean
from antiphon.core.encode import Encoder
from antiphon.core.failure import failure_of
from antiphon.core.fold import Fold, IllegalStream
from antiphon.core.grammar import Call, Output
from antiphon.core.open_items import Form, Growing
from antiphon.core.output_forms import output_of
from antiphon.core.past_turn import PastTurn
from antiphon.core.payloads import Texts
from antiphon.core.stream import ResponseStream
from antiphon.errors import AntiphonError, EngineError, ServerError, StoreUnavailable
from antiphon.ports import ConversationHold, Ending, Generation, HandTo
from antiphon.service.conversations import appended_items
from antiphon.service.figures import kind_of
from antiphon.service.ids import noise
from antiphon.service.log import RunLog
from antiphon.service.log_writer import LogWriter
from antiphon.service.mailbox import Mailbox
from antiphon.service.metering import Meter, rate_limits
from antiphon.service.records import head_of, stored_items
from antiphon.service.run_row import RunRow
from antiphon.service.run_states import BEGINNING, RunState, step
from antiphon.service.stored_log import UNFINISHED
from antiphon.service.surroundings import Surroundings
from antiphon.service.work import Work
from antiphon.wire.events import Event, OutputItemDone
from antiphon.wire.extended_events import RateLimitsUpdated
from antiphon.wire.response import Response

logger = logging.getLogger(__name__)


class Run:
    """One response being made. `row` None: nothing of it is stored. `mailbox` gets its tool outputs."""

    def __init__(
        self,
        around: Surroundings,
        stream: ResponseStream,
        work: Work,
        log: RunLog,
        *,
        row: RunRow | None,
        mailbox: Mailbox,
        generation: Generation | None,
        tenant: str = "default",
    ) -> None:
        # What each token needs comes first: so it is together in memory, which is cold when there are many runs.
        self._growing: Growing | None = None  # what `_take_more` goes on with; any other event ends that
        self._encoder = Encoder(
            work.dialect,
            first_number=log.next_number,
            response_id=work.base.id,
            include=work.request.include,
            noise=noise,
        )
        self._background = stream.response.background
        self._writer = LogWriter(log, row, commit_first=self._background, on_lost_lease=self._give_up)
        self.bytes = 0
        self._most_bytes, self._most_event_bytes = around.most_bytes, around.most_event_bytes
        self._checker = Fold() if around.checks_events else None
        self.state: RunState = BEGINNING
        self.log = log
        self.error: AntiphonError | None = None
        self.history: Sequence[PastTurn] = ()
        self.work = work
        self._paused: asyncio.Event | None = None
        self.idle_since: float | None = None
        self.figures = around.figures
        self._around = around
        self._began_at = around.clock()
        self.first_output_at: float | None = None
        self.upstream: str | None = None  # what generated last, where that has a name
        self._has_spoken = False
        self._stream = stream
        self.row = row
        self.hold: ConversationHold | None = None  # of its conversation, where nothing else of it is stored
        self.meter: Meter | None = None
        self.tenant = tenant
        self.mailbox = mailbox
        self._generation = generation
        self._consumers = 0
        self._has_waited = False
        self._expected: set[str] = set()
        self._awaits_outputs = bool(work.request.extras.await_tool_outputs)
        self._has_signals = self._background or self._awaits_outputs
        self._stopped = False
        self._outcome: Cancelled | Failure | Finish | None = None
        self._handed_over = False
        self._producing = False
        self._task: asyncio.Task[None] | None = None

    @property
    def response(self) -> Response:
        """The response as it stands."""
        return self._stream.response

    async def shown(self) -> Response | None:
        """The response as it stands, None once it has ended. Of a background run nothing shows before it is stored."""
        response, number = self.response, self._encoder.next_number
        if response.status not in UNFINISHED:
            return None
        if self._background:
            await self.log.reach(number)
        return None if self.log.closed else response

    @property
    def paused(self) -> asyncio.Event:
        """Set while it waits for tool outputs. Few runs are ever asked, and an event is as large as a run."""
        if self._paused is None:
            self._paused = asyncio.Event()
        return self._paused

    @property
    def _is_paused(self) -> bool:
        return self._paused is not None and self._paused.is_set()

    @property
    def pending(self) -> Sequence[str]:
        """The ids of the calls whose outputs the run waits for."""
        return tuple(self._stream.needs)

    @property
    def turns(self) -> Sequence[PastTurn]:
        """The conversation up to and with this response, if it was told to keep it: `history` ends with its input."""
        if not self.history:
            return ()
        *past, own = self.history
        response = self.response
        return (*past, PastTurn((*own.items, *response.output), response.status == "incomplete", response.id))

    def start(self, *, folded: Fold | None = None, failure: AntiphonError | None = None) -> asyncio.Task[None]:
        """Log the first events and begin to work; the returned task ends with the run.

        `folded` is the log of an earlier process that the run goes on from; with `failure` it only ends.
        """
        self.figures.started[kind_of(self.response)] += 1
        self._has_signals |= folded is not None or failure is not None
        if failure is not None:
            self.fail(failure)
        if folded is not None and self._checker is not None:
            self._checker = folded
        self._emit(self._stream.begin() if folded is None else self._stream.resume(folded))
        self._task = asyncio.get_running_loop().create_task(self._produce())
        return self._task

    @property
    def is_ending(self) -> bool:
        """Whether it was told to stop, or has ended."""
        return self._stopped or self._task is None or self._task.done()

    def at_end(self, act: Callable[[], None]) -> None:
        """Have `act` done once the run is over, soon if it is."""
        assert self._task is not None
        self._task.add_done_callback(lambda _: act())

    async def wait(self) -> Response:
        """The final response, once it is stored. Leaving the wait does not end the run."""
        assert self._task is not None
        await asyncio.shield(self._task)
        return self.response

    # -- consumers

    def join(self) -> None:
        """Count one more consumer, who must `leave`."""
        self._consumers += 1
        self.idle_since = None

    def leave(self) -> None:
        """One consumer less. A foreground run that nobody follows any more is cancelled."""
        self._consumers -= 1
        if self._consumers:
            return
        if self._is_paused:
            self.idle_since = self._around.clock()
        elif not self._background and not self._has_waited:
            self._cancel_unless_followed()

    def _cancel_unless_followed(self) -> None:
        """Now, or after the grace in which a client may come back."""
        if self._around.disconnect_grace_s <= 0:
            self.cancel()
            return

        def look() -> None:
            if not self._consumers and not self._is_paused and not self._has_waited:
                self.cancel()

        asyncio.get_running_loop().call_later(self._around.disconnect_grace_s, look)

    def cancel(self) -> None:
        """Abort the work; the response ends as cancelled unless its outcome is known already."""
        self._stop(Cancelled())

    def fail(self, error: AntiphonError) -> None:
        """Abort the work; the response ends as failed unless its outcome is known already."""
        if not self._stream.finished:
            self.error = error
        self._stop(failure_of(error))

    def steer(self) -> None:
        """Stop at what has been said: the response ends as incomplete, for a successor to go on from it."""
        self._stop(Finish("steered"))

    def hand_over(self) -> None:
        """Stop without an end: another process takes the run over. Its readers' streams break off here."""
        self._handed_over = not self._stream.finished
        self._stop(None)

    def _give_up(self) -> None:
        self.fail(ServerError("The response is being generated by another process."))

    def _stop(self, outcome: Cancelled | Failure | Finish | None) -> None:
        self._stopped, self._outcome = True, outcome
        # A task cancelled before its first step would never reach its end, and one that is ending must reach it.
        if self._task is not None and self._producing:
            self._task.cancel()

    # -- the producer

    async def _produce(self) -> None:
        self._producing = True
        try:
            if self._stopped:
                raise asyncio.CancelledError
            await self._rounds()
        except asyncio.CancelledError:
            if not self._stream.finished and self._outcome is not None:
                self._feed([self._outcome])
        except AntiphonError as error:
            self._fail(error)
        except Exception:  # the top of a run: whatever broke, every reader must see an end
            logger.exception("run %s failed", self.response.id)
            self._fail(ServerError("The server had an error while processing your request."))
        finally:
            self._producing = False
            self.state = step(self.state, "ending")
            await self._unstopped(self._end())

    async def _unstopped(self, end: Coroutine[Any, Any, None]) -> None:
        """Come to the end, in a task of its own if a cancellation may still reach this one."""
        if self._task is not None and self._task.cancelling():
            await asyncio.shield(asyncio.ensure_future(end))
        else:
            await end

    async def _rounds(self) -> None:
        while not self._stream.finished:
            if self._stream.needs:
                await self._await_outputs()
            if self._background:
                async with self._around.background, self._turn():
                    await self._round()
            else:
                async with self._turn():
                    await self._round()

    def _turn(self) -> AbstractAsyncContextManager[None]:
        return self._around.turns.turn(tier=self.response.service_tier or "default", tenant=self.tenant)

    async def _round(self) -> None:
        self.state = step(self.state, "generating")
        if self.response.status == "queued":
            self._emit(self._stream.start())
        if self._is_exhausted():
            self._feed([Finish("length")])
            return
        if self._generation is None:
            response, spent = self.response, self._stream.spent_tokens
            self._generation = await self.work.prepare(self._around.engine, response.output, spent_tokens=spent)
        await self._generate(self._generation)
        await self._release()

    def _is_exhausted(self) -> bool:
        """Whether earlier rounds, or an earlier process, have used all the tokens that the response may have."""
        most = self.work.request.max_output_tokens
        return most is not None and 0 < most <= self._stream.spent_tokens

    async def _generate(self, generation: Generation) -> None:
        rounds = self._stream.rounds
        hand_to: HandTo | None = getattr(generation, "hand_to", None)  # asking a Protocol costs more than a token
        if hand_to is not None and not self._awaits_outputs:
            hand_to(self._take, self._take_more)
        async for batch in generation.deltas():
            if self._awaits_outputs:
                await self._take_expecting(batch)
            else:
                self._take(batch)
        if not self._stream.finished and self._stream.rounds == rounds:
            raise EngineError("The engine stopped before its answer was complete.")

    def _take(self, batch: Sequence[Delta]) -> None:
        """Say what the engine sent. Raises: EngineError when it is too much, or out of order."""
        stream = self._stream
        payloads: list[bytes] = []
        among: Texts | None = None
        for delta in self._checked(batch):
            growing = stream.growing if stream.is_more(delta) else None
            more = self._more(growing, delta.text) if growing is not None else None  # type: ignore[union-attr]
            if more is None:
                payloads += self._encoded(stream.feed([delta]))
            else:
                among = _with(among, growing.form, delta.text, len(payloads))  # type: ignore[union-attr]
                payloads.append(more)
            if stream.breach is not None:
                break
        self._append(payloads, among)
        if stream.breach is not None or not self._has_spoken:
            self._look_at(payloads)
        self._growing = stream.growing if self._has_spoken else None

    def _take_more(self, text: str) -> bool:
        """Say more of the text that was said last. False: it is none of the many tokens that are nothing but that."""
        growing = self._growing
        if growing is None or self.bytes > self._most_bytes or len(text) > self._most_event_bytes:
            return False
        payload = self._more(growing, text)
        if payload is None or growing.form is None:
            return False
        size = len(payload)
        self.bytes += size
        self._writer.append([payload], size, Texts(growing.form, [text]))  # as `_append`, of a stream that goes on
        return True

    def _more(self, growing: Growing, text: str) -> bytes | None:
        """The event for more text of what is growing, if it can be made from the one before."""
        if self._checker is not None:
            return None
        payload = self._encoder.encode_more(growing, text)
        if payload is not None:
            growing.add(text)
        return payload

    async def _take_expecting(self, batch: Sequence[Delta]) -> None:
        """As `_take`; outputs of a call are taken before anybody hears that it was made."""
        events = self._stream.feed(self._checked(batch))
        try:
            items = [event.item for event in events if isinstance(event, OutputItemDone)]
            await self._expect([item.call_id for item in items if isinstance(item, Call)])
        finally:
            self._emit(events)
        self._look_at(events)

    def _look_at(self, said: Sequence[object]) -> None:
        if said and not self._has_spoken:
            self._note_first_output()
        if self._stream.breach is not None:
            raise self._stream.breach

    async def _expect(self, call_ids: Sequence[str]) -> None:
        new = [call_id for call_id in call_ids if call_id not in self._expected]
        if new:
            await self.mailbox.expect(new)
            self._expected.update(new)

    def _note_first_output(self) -> None:
        self._has_spoken = True
        self.first_output_at = self._around.clock()
        self.figures.count_first_output(self.response, self.work.model.id, self.first_output_at - self._began_at)

    def _checked(self, batch: Sequence[Delta]) -> Sequence[Delta]:
        """The batch with clean texts. Raises: EngineError for more than a run or an event may hold."""
        most_event_bytes = self._most_event_bytes
        is_plain = True
        if self.bytes > self._most_bytes:
            raise EngineError(f"The response is larger than {self._most_bytes} bytes (setting 'max_session_bytes').")
        for delta in batch:
            text = getattr(delta, "text", "")
            is_plain = is_plain and text.isascii()
            if len(text) > most_event_bytes:
                raise EngineError(f"An event is larger than {most_event_bytes} bytes (setting 'max_event_bytes').")
        return batch if is_plain else [clean(delta) for delta in batch]

    async def _await_outputs(self) -> None:
        """Wait until every call has its output; each output is in the log as soon as it is here."""
        self._has_waited = True
        self.state = step(self.state, "waiting")
        await self._expect(self.pending)
        self._writer.flush()  # others may look for the calls
        self.paused.set()
        if self._consumers == 0:
            self.idle_since = self._around.clock()
        try:
            async with asyncio.timeout(self._around.tool_wait_s):
                while self._stream.needs:
                    self._emit(self._stream.deliver(self._needed(await self.mailbox.collect())))
        except TimeoutError:
            raise EngineError(
                f"tool_output_timeout: no output for {', '.join(self.pending)} within {self._around.tool_wait_s:g} s.",
                code="tool_output_timeout",
            ) from None
        finally:
            self.paused.clear()
            self.idle_since = None

    def _needed(self, outputs: Sequence[Output]) -> list[Output]:
        """The outputs that answer a pending call, each in the kind of its call, in the order of the calls."""
        given = {output.call_id or "": output for output in outputs}
        return [output_of(call, given[call_id]) for call_id, call in self._stream.needs.items() if call_id in given]

    def _feed(self, batch: Sequence[Delta]) -> Sequence[Event]:
        events = self._stream.feed(batch)
        self._emit(events)
        return events

    def _emit(self, events: Sequence[Event]) -> None:
        self._append(self._encoded(events))

    def _encoded(self, events: Sequence[Event]) -> list[bytes]:
        self._growing = None
        if self._checker is not None:
            self._check(events)
        return self._encoder.encode(events)

    def _append(self, payloads: list[bytes], among: Texts | None = None) -> None:
        size = len(payloads[0]) if len(payloads) == 1 else sum(map(len, payloads))
        self.bytes += size
        self._writer.append(payloads, size, among, last=self._stream.finished)

    def _check(self, events: Sequence[Event]) -> None:
        """Tell of the first event that breaks the grammar: what comes behind it would be measured by a broken rule."""
        if self._checker is None:
            return
        try:
            for event in events:
                self._checker.add(event)
        except IllegalStream as breach:
            self._checker = None
            self.figures.illegal_events += 1
            logger.error("run %s sent an illegal event: %s", self.response.id, breach)

    def _fail(self, error: AntiphonError) -> None:
        self.error = error
        self._feed([failure_of(error)])

    async def _release(self) -> None:
        generation, self._generation = self._generation, None
        if generation is None:
            return
        self.upstream = getattr(generation, "upstream", None)
        try:
            await generation.close()
        except Exception:  # the top of a run: an engine that cannot let go must not take the answer with it
            logger.exception("the engine did not release run %s", self.response.id)

    # -- the end

    async def _end(self) -> None:
        payloads: list[bytes] = []
        spoke_until = self._around.clock()
        try:
            await self._release()
            payloads = await (self._unwritten_payloads() if self._handed_over else self._last_payloads())
        finally:
            self._writer.release(payloads)
            self.state = step(self.state, "over")
            if not self._handed_over:
                self._count_end(spoke_until)

    def _count_end(self, spoke_until: float) -> None:
        spoke_from = None if self._has_waited else self.first_output_at
        self.figures.count_end(
            self.response,
            self.work.model.id,
            duration_s=self._around.clock() - self._began_at,
            speaking_s=None if spoke_from is None else spoke_until - spoke_from,
        )

    async def _unwritten_payloads(self) -> list[bytes]:
        """Nothing; but what was said must be stored before somebody else goes on from there."""
        try:
            await self._writer.settle()
        except StoreUnavailable:
            logger.error("the log of run %s could not be stored", self.response.id)
        return []

    async def _last_payloads(self) -> list[bytes]:
        number = self._encoder.next_number
        now = int(self._around.clock())
        events = self._stream.end(now)
        self._check(events)
        payloads = self._encoder.encode(await self._settled(events))
        if await self._store_end(payloads):
            return payloads
        self.error = ServerError("The response could not be stored.")
        self._encoder.next_number = number
        payloads = self._encoder.encode(self._stream.overrule(failure_of(self.error), now))
        await self._store_end(payloads)  # what failed once may be small enough, or free enough, now
        return payloads

    async def _settled(self, events: Sequence[Event]) -> Sequence[Event | RateLimitsUpdated]:
        """The last events, once what the response used is counted; what that leaves is told before the terminal one."""
        levels = await self.meter.settle(self.response) if self.meter is not None else ()
        told = rate_limits(levels) if self.work.dialect.speaks(RateLimitsUpdated) else None
        return events if told is None or not events else (*events[:-1], told, events[-1])

    async def _store_end(self, payloads: Sequence[bytes]) -> bool:
        """Whether all is stored that has to be."""
        response = self.response
        try:
            appended = appended_items(response, self.work.own)
            if self.row is None:
                return self.hold is None or await self._around.store.conversations.release(self.hold, appended)
            await self._writer.settle()
            ending = Ending(
                status=response.status,
                head=head_of(response),
                output=stored_items(response.output),
                segment=self._writer.last_segment(payloads),
                appended=appended,
                had_signals=self._has_signals,
            )
            return await self.row.finish(ending)
        except StoreUnavailable:
            logger.error("the end of run %s could not be stored", response.id)
            return False
        except Exception:  # the top of a run: whatever broke, readers must see an end, and it is not a success
            logger.exception("the end of run %s could not be stored", response.id)
            return False


def _with(among: Texts | None, form: Form | None, text: str, at: int) -> Texts | None:
    """The texts among payloads, with one more at a place, if it follows them in the same form."""
    if among is None:
        return Texts(form, [text], at) if form is not None else None
    if among.form is form and among.at + len(among.texts) == at:
        among.texts.append(text)
    return among
