"""What can be done with responses, whatever the transport: create, get, follow, list input items, delete, cancel, and
deliver tool outputs."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress

from msgspec.structs import replace

from antiphon.core import conversation, validate
from antiphon.core.ledger import Delivery
from antiphon.core.past_turn import PastTurn
from antiphon.core.rates import Level
from antiphon.core.request_limits import check_input, check_outputs
from antiphon.core.schema_bounds import check_schemas
from antiphon.core.stream import ResponseStream
from antiphon.errors import (
    AntiphonError,
    ClientError,
    EngineUnavailable,
    InvalidRequest,
    NotFound,
    ServerError,
    StoreUnavailable,
)
from antiphon.ports import (
    AbandonedRun,
    Beginning,
    ConversationHold,
    Documents,
    Engine,
    Fetcher,
    Generation,
    Grammars,
    ItemPage,
    ReportsUpstreams,
    ResponseStore,
    StoredResponse,
    UpstreamFigures,
)
from antiphon.service.admission import BackgroundSlots
from antiphon.service.cache_salt import Salter
from antiphon.service.caller import Caller
from antiphon.service.catalog import Catalog
from antiphon.service.compaction import compacted_response
from antiphon.service.conversations import Conversations, check_new
from antiphon.service.data_policy import check_policy, check_stored_delivery
from antiphon.service.following import Following
from antiphon.service.grammars import GrammarWatch
from antiphon.service.ids import new_id
from antiphon.service.log import RunLog
from antiphon.service.mailbox import Mailbox, MemoryMailbox, StoredMailbox
from antiphon.service.manner import Manner
from antiphon.service.metering import Meter, Metering
from antiphon.service.options import Options
from antiphon.service.origin import Origin
from antiphon.service.planner import Planner, no_work
from antiphon.service.prompts import Prompts, pinned
from antiphon.service.reasoning import conclusion
from antiphon.service.records import head_of, snapshot, stored_items
from antiphon.service.recovery import attempts_error, fold_log, obstacle
from antiphon.service.run import Run
from antiphon.service.run_row import Rows, RunRow
from antiphon.service.run_states import ENDED
from antiphon.service.sealing import Sealer
from antiphon.service.sessions import Sessions
from antiphon.service.stored_log import READ_BYTES, UNFINISHED, StoredLogReader, payloads_from
from antiphon.service.surroundings import Surroundings
from antiphon.service.tool_outputs import Deliverable, call_outputs, check_delivery, continuation
from antiphon.service.turns import Turns
from antiphon.service.upkeep import Upkeep
from antiphon.service.work import NoGeneration, Work
from antiphon.wire.dialects import Dialect, stored_dialect
from antiphon.wire.items import CompactionTrigger
from antiphon.wire.request import CreateResponse
from antiphon.wire.response import CompactedResponse, decode_response

logger = logging.getLogger(__name__)

POLLING_RETENTION_S = 3600.0
"""How long an unstored background response can be polled."""
CANCEL_WAIT_S = 10.0
CANCEL_POLL_S = 0.1
DRAIN_END_S = 2.0
CLOSE_WAIT_S = 10.0
STORE_CHECK_S = 2.0
NOBODY, NOTHING = "", "resp_0"
"""A tenant that nobody is, and an id that no response has."""
MANNER = Manner()
RETRY_AFTER_S = 1.0

# What has to be there before a run begins.
Reserving = asyncio.Future[RunRow] | asyncio.Future[ConversationHold]

# Finds the turns up to a response that is not stored but remembered by its connection; None if it is not.
Recall = Callable[[str], Sequence[PastTurn] | None]


class Responses:
    """The use cases of responses over one engine and one store."""

    def __init__(
        self,
        engine: Engine,
        store: ResponseStore,
        options: Options,
        *,
        clock: Callable[[], float],
        ids: Callable[[str], str] = new_id,
        sealer: Sealer | None = None,
        salter: Salter | None = None,
        documents: Documents | None = None,
        fetcher: Fetcher | None = None,
        grammars: Grammars | None = None,
    ) -> None:
        self.options = options
        self._engine = engine
        self._store = store
        self._clock = clock
        self._ids = ids
        self._sealer = sealer
        self._rows = Rows(store)
        self.prompts = Prompts(store.prompts, clock=clock, ids=ids, enabled=options.store_enabled)
        self._planner = Planner(
            engine,
            store,
            options,
            clock=clock,
            ids=ids,
            sealer=sealer,
            salter=salter,
            documents=documents,
            fetcher=fetcher,
            grammars=grammars,
            prompts=self.prompts,
        )
        self._readers = [reader for reader in (documents, grammars, fetcher) if reader is not None]
        self.turns = Turns(options.engine_running, options.engine_queue)
        self._slots = BackgroundSlots(options.background_running, options.background_queue)
        self._around = Surroundings(
            engine=engine,
            store=store,
            clock=clock,
            background=self._slots,
            turns=self.turns,
            tool_wait_s=options.tool_wait_s,
            disconnect_grace_s=options.disconnect_grace_s,
            most_bytes=options.max_session_bytes,
            most_event_bytes=options.max_event_bytes,
            checks_events=options.check_events,
        )
        self.sessions = Sessions(
            options.max_sessions, options.max_total_bytes, idle_ttl_s=options.session_idle_ttl_s, clock=clock
        )
        self.keys = store.keys
        self.conversations = Conversations(store, clock=clock, ids=ids, enabled=options.store_enabled)
        self.metering = Metering(store.rates, options.limits, clock)
        self.figures = self._around.figures
        self._grammar_watch = GrammarWatch(grammars, self.figures)
        self._upkeep = Upkeep(self)
        self._claimed: list[AbandonedRun] = []
        self._unseen: set[asyncio.Future[None]] = set()
        self.is_draining = False
        self._refuses = False

    async def start(self) -> None:
        """Open the store, start the engine, and take over what dead processes left."""
        await self._store.start()
        await self._engine.start()
        await self.recover()
        self._upkeep.start()

    async def close(self) -> None:
        """End the live runs and release engine and store."""
        await self._upkeep.stop()
        for run in self.sessions:
            run.cancel()
        await _wait_for(self.sessions, CLOSE_WAIT_S)
        await self._grammar_watch.close()
        for reader in self._readers:
            await reader.close()
        await self._engine.close()
        await self._upkeep.attempt(self.metering.flush)
        await self._store.close()

    async def drain(self, *, delay_s: float, grace_s: float) -> None:
        """Bring everything to its end: `/ready` says no at once, new runs are refused after `delay_s`.

        Foreground runs may go on until `grace_s` from now; those that take longer end as failed. Background runs stop
        without an end, for the next process to take up.
        """
        deadline = self._clock() + grace_s
        self.is_draining = True
        await asyncio.sleep(delay_s)
        self._refuses = True
        foreground = [run for run in self.sessions if not run.response.background]
        await _wait_for(foreground, deadline - self._clock())
        for run in self.sessions:
            if run.response.background:
                run.hand_over()
            else:
                run.fail(ServerError("The server is shutting down.", code="server_is_overloaded"))
        await _wait_for(self.sessions, DRAIN_END_S)

    def reconfigure(self, options: Options) -> None:
        """Take over what of the options may change while the server runs, for the requests to come."""
        self.options = replace(
            self.options,
            default_model=options.default_model,
            forward_credentials=options.forward_credentials,
            limits=options.limits,
        )
        self.catalog.default = options.default_model
        self.metering.use_limits(options.limits)

    # -- models

    @property
    def catalog(self) -> Catalog:
        """The models and their names."""
        return self._planner.catalog

    def upstreams(self) -> Sequence[UpstreamFigures]:
        """The figures of the servers behind the engine, if there are any."""
        return self._engine.upstreams() if isinstance(self._engine, ReportsUpstreams) else ()

    def dialect(self, name: str | None) -> Dialect:
        """The dialect of that name, or the server's own. Raises: InvalidRequest."""
        return self._planner.dialect(name)

    # -- create

    async def create(
        self,
        request: CreateResponse,
        caller: Caller,
        *,
        recall: Recall | None = None,
        generate: bool = True,
        body: bytes | None = None,
        manner: Manner = MANNER,
    ) -> Run:
        """Check everything, then begin to generate; the run's first events are in its log when this returns.

        `recall` knows the turns behind a response that is not stored but remembered by the caller, and makes the run
        keep its own. `generate` False completes at once with no output: only the state for a next turn is prepared.
        `body` is the request as it came, which a background run needs to survive its process. `manner` is how the
        client came in.
        Raises: ClientError for what is the request's fault, EngineUnavailable, StoreUnavailable; nothing has begun
        then.
        """
        tenant = caller.tenant
        self._check(request)
        if self._refuses:
            raise EngineUnavailable("The server is shutting down.", retry_after_s=RETRY_AFTER_S)
        self.turns.check()
        check_policy(request, caller)
        with self.sessions.room(), self._slots.place() if request.background else nullcontext():
            origin = await self._origin(request, tenant, recall)
            work = await self._planner.plan(request, caller, origin.turns, manner)
            if self.options.forward_credentials:
                work = replace(work, credentials=caller.credentials)
            if origin.place is not None:
                check_new(origin.turns[0], work.own)
            meter = await self.metering.begin(caller, work, body)
            try:
                generation = await self._first_generation(work, generate=generate)
                run = await self._launch(work, tenant, origin, body, generation, meter)
            except BaseException:
                await meter.cancel()
                raise
        if recall is not None:
            run.history = (*origin.turns, PastTurn(work.own, response_id=work.base.id))
        return run

    async def _origin(self, request: CreateResponse, tenant: str, recall: Recall | None) -> Origin:
        parent = request.previous_response_id
        if request.conversation is not None:
            place, turn = await self.conversations.open(request.conversation.id, tenant)
            return Origin((turn,), place)
        remembered = recall(parent) if recall and parent else None
        if remembered is not None:
            return Origin(remembered, is_remembered=True)
        return Origin(await self._planner.past(parent, tenant))

    async def _launch(
        self,
        work: Work,
        tenant: str,
        origin: Origin,
        body: bytes | None,
        generation: Generation | None,
        meter: Meter,
    ) -> Run:
        def start(held: RunRow | ConversationHold | None) -> Run:
            run = self._open_run(work, tenant, held if isinstance(held, RunRow) else None, generation)
            run.hold = held if isinstance(held, ConversationHold) else None
            run.meter = meter
            task = run.start()
            if self._grammar_watch.has_rules(work.toolbox):
                task.add_done_callback(lambda _: self._grammar_watch.look_at(run.response, work.toolbox))
            self.sessions.add(tenant, run, task)
            return run

        reserving: Reserving | RunRow | None = None
        try:
            reserving = self._reserve(work, tenant, origin, body)
            return start(await asyncio.shield(reserving) if isinstance(reserving, asyncio.Future) else reserving)
        except asyncio.CancelledError:
            if isinstance(reserving, asyncio.Future):
                ending = asyncio.ensure_future(_end_unseen(reserving, start, generation))
                self._unseen.add(ending)
                ending.add_done_callback(self._unseen.discard)
            raise
        except BaseException:
            if generation is not None:
                await generation.close()
            raise

    async def _first_generation(self, work: Work, *, generate: bool) -> Generation | None:
        """Checked and rendered now, so that a bad request fails before its first byte.

        A background run does it later.
        """
        if not generate:
            return NoGeneration()
        return None if work.request.background else await work.prepare(self._engine)

    def _reserve(self, work: Work, tenant: str, origin: Origin, body: bytes | None) -> "Reserving | RunRow | None":
        """See to the run's row; where nothing of this run is stored, have its conversation, if any, to itself."""
        base = work.base
        place = origin.place
        if not (base.store or base.background):
            return None if place is None else asyncio.ensure_future(self._store.conversations.hold(tenant, place))
        beginning = self._beginning(work, tenant, origin, body)
        is_known_elsewhere = base.background or place is not None or work.request.extras.await_tool_outputs
        row = None if is_known_elsewhere else self._rows.hold_back(beginning)
        return row or asyncio.ensure_future(self._rows.begin(beginning))

    def _beginning(self, work: Work, tenant: str, origin: Origin, body: bytes | None) -> Beginning:
        base = work.base
        now = self._clock()
        retention = self.options.retention_s if base.store else POLLING_RETENTION_S
        # What was only remembered is no stored parent: the new response then stores the whole history as its input.
        items = conversation.assemble(origin.turns, work.own) if origin.is_remembered else work.own
        return Beginning(
            tenant=tenant,
            id=base.id,
            previous_response_id=None if origin.is_remembered else base.previous_response_id,
            status="queued" if base.background else "in_progress",
            background=base.background,
            created_at=now,
            expires_at=None if retention is None else now + retention,
            head=head_of(base),
            input=stored_items(items),
            request=pinned(body, work.request.prompt) if base.background and body else None,
            dialect=work.dialect.name,
            conversation=origin.place,
        )

    def _open_run(
        self, work: Work, tenant: str, row: RunRow | None, generation: Generation | None, *, first: int = 0
    ) -> Run:
        """A run over `work`, whose log begins at number `first`; not started yet."""
        base, request = work.base, work.request
        stream = ResponseStream(
            base,
            new_id=self._ids,
            targets=work.toolbox.targets,
            withheld=work.toolbox.withheld,
            parallel=request.parallel_tool_calls is not False,
            await_outputs=bool(request.extras.await_tool_outputs),
            hold_calls=base.background,
            conclude=conclusion(work, self._sealer, tenant=tenant),
        )

        async def read_back(number: int) -> Sequence[bytes]:
            segments = await self._store.read_log(tenant, base.id, number - 1, max_bytes=READ_BYTES)
            return payloads_from(segments or (), number)

        mailbox: Mailbox = StoredMailbox(self._store, tenant, base.id, row.lease) if row else MemoryMailbox()
        log = RunLog(read_back, first=first)
        return Run(self._around, stream, work, log, row=row, mailbox=mailbox, generation=generation, tenant=tenant)

    # -- beside runs: nothing of these is stored

    async def count_input(self, request: CreateResponse, caller: Caller) -> int:
        """The tokens of what the model would be given. Raises: ClientError, CannotCount."""
        self._check(request)
        return await (await self._plan_alone(request, caller)).count(self._engine)

    async def compact(
        self, request: CreateResponse, caller: Caller, body: bytes
    ) -> tuple[CompactedResponse, Sequence[Level]]:
        """Sum a conversation up by one generation, which is counted and limited like any other, and tell how its
        limits stand then; `body` is the request as it came.

        Raises: ClientError, EngineError, EngineUnavailable.
        """
        if self._refuses:
            raise EngineUnavailable("The server is shutting down.", retry_after_s=RETRY_AFTER_S)
        self._check(request)
        self.turns.check()
        with self.sessions.room():
            work = await self._plan_alone(replace(request, input=(*request.input, CompactionTrigger())), caller)
            meter = await self.metering.begin(caller, work, body)
            try:
                async with self.turns.turn(tier=work.base.service_tier, tenant=caller.tenant):
                    compacted = await self._sum_up(work)
            except BaseException:
                await meter.cancel()
                raise
            levels = await meter.settle(replace(work.base, usage=compacted.usage))
        return compacted, levels

    async def _sum_up(self, work: Work) -> CompactedResponse:
        generation = await work.compaction(self._engine)
        try:
            deltas = [delta async for batch in generation.deltas() for delta in batch]
        finally:
            await generation.close()
        return compacted_response(work.base, deltas, generation.made, self._ids("cmp"))

    def _check(self, request: CreateResponse) -> None:
        """Raises: InvalidRequest for what can be seen to be wrong without looking anything up."""
        limits = self.options.request_limits
        check_input(request.input, limits)
        validate.check(request)
        check_schemas(request.tools or (), request.text, request.input, limits.max_schema_bytes)

    async def _plan_alone(self, request: CreateResponse, caller: Caller) -> Work:
        validate.check(request)
        origin = await self._origin(request, caller.tenant, None)
        work = await self._planner.plan(request, caller, origin.turns, Manner())
        return replace(work, credentials=caller.credentials)

    # -- what a dead process left

    async def recover(self) -> None:
        """Take over the unfinished runs of dead processes: background ones go on, foreground ones end as failed."""
        self._claimed += await self._store.claim_abandoned()
        while self._claimed:  # what cannot be read now is tried again next time, and is not forgotten
            await self._take_up(self._claimed[0])
            self._claimed.pop(0)

    def expire_sessions(self) -> None:
        """Evict the runs that have been idle for too long."""
        self.sessions.expire()

    async def settle(self) -> None:
        """Let the store write to the disk, best while there are no runs that it would disturb."""
        await self._store.settle(at_rest=not len(self.sessions))

    async def obey_cancels(self) -> None:
        """Cancel the runs of this process whose cancellation another one was asked for."""
        wanted = {lease.key for lease in await self._store.cancel_requests()} if len(self.sessions) else set()
        for run in self.sessions:
            if run.row is not None and run.row.lease is not None and run.row.lease.key in wanted:
                run.cancel()

    async def _take_up(self, abandoned: AbandonedRun) -> None:
        dialect = stored_dialect(abandoned.dialect)
        log = fold_log(await self._store.read_log(abandoned.tenant, abandoned.id, -1) or (), dialect)
        base = decode_response(abandoned.head)
        failure: AntiphonError | None
        try:
            work = await self._planner.restore(abandoned, base, dialect)
            failure = log.damage or attempts_error(abandoned.attempt) or obstacle(log.folded, work.request, work.model)
        except AntiphonError as error:
            work, failure = no_work(base, dialect), error
        run = self._open_run(work, abandoned.tenant, self._rows.begun(abandoned.lease), None, first=log.next_number)
        logger.info("run %s of a stopped process is %s", base.id, "ended" if failure else "taken up again")
        task = run.start(folded=log.folded if log.folded.count else None, failure=failure)
        self.sessions.add(abandoned.tenant, run, task)

    # -- tool outputs

    async def deliver(self, response_id: str, caller: Caller, delivered: Deliverable) -> Delivery | CreateResponse:
        """Hand tool outputs to a run that waits for them, whichever process it is in.

        For a response that has ended with calls it is the request that goes on from it, to be created.
        Raises: NotFound for an unknown response or call; Conflict when nothing waits or a call has its output already;
        InvalidRequest where they would be stored and must not.
        """
        check_outputs(delivered.outputs, self.options.request_limits, "tool_outputs")
        tenant = caller.tenant
        run = self.sessions.get(tenant, response_id)
        if run is not None:
            if run.row is not None and run.state not in ENDED:
                check_stored_delivery(caller)
            delivery = await run.mailbox.deliver(call_outputs(delivered.outputs))
            if delivery is not None or run.state not in ENDED:
                return check_delivery(delivery)
            await run.wait()
        stored = await self.get(response_id, tenant)
        if stored.status not in UNFINISHED:
            return continuation(stored, delivered.outputs, stream=delivered.stream)
        check_stored_delivery(caller)
        mailbox = StoredMailbox(self._store, tenant, response_id)
        return check_delivery(await mailbox.deliver(call_outputs(delivered.outputs)))

    # -- following

    async def last_number(self, response_id: str, tenant: str) -> int:
        """The number of the last event of a run, -1 when it is unknown or has none."""
        run = self.sessions.get(tenant, response_id)
        if run is not None:
            return run.log.next_number - 1
        segments = await self._store.read_log(tenant, response_id, -1)
        return segments[-1].first + len(segments[-1].payloads) - 1 if segments else -1

    async def follow(self, response_id: str, tenant: str, after: int) -> Following:
        """A reader of the events behind number `after`, of a live or stored run; the caller must `leave` what it gets.

        Raises: NotFound; InvalidRequest when there is no event `after`.
        """
        run = self.sessions.get(tenant, response_id)
        if run is not None:
            if after >= run.log.next_number:
                raise _beyond_the_end(after)
            return Following.live(run, after, self.options.heartbeat_s)
        segments = await self._store.read_log(tenant, response_id, after - 1, max_bytes=1) if after >= 0 else ()
        stored = await self._store.get(tenant, response_id)
        if segments is None or stored is None:
            raise _unknown(response_id)
        if after >= 0 and not segments:
            raise _beyond_the_end(after)
        reader = StoredLogReader(self._store, tenant, response_id, after, heartbeat_s=self.options.heartbeat_s)
        self.figures.readers += 1
        return Following(reader, stored_dialect(stored.dialect), self.figures)

    # -- stored responses

    async def get(self, response_id: str, tenant: str) -> StoredResponse:
        """A response as it stands: a live one up to the last event, any other as it is stored. Raises: NotFound."""
        run = self.sessions.get(tenant, response_id)
        if run is not None and run.row is not None:
            shown = await run.shown()
            if shown is not None:
                return snapshot(shown)
            await run.wait()  # it has ended, but nothing says so before that is stored
        stored = await self._store.get(tenant, response_id)
        if stored is None:
            raise _unknown(response_id)
        return stored if stored.status not in UNFINISHED else await self._as_logged(stored, tenant)

    async def _as_logged(self, stored: StoredResponse, tenant: str) -> StoredResponse:
        """A run of another process, up to the last event in its log."""
        segments = await self._store.read_log(tenant, stored.id, -1)
        folded = fold_log(segments or (), stored_dialect(stored.dialect)).folded
        return snapshot(folded.response) if folded.count and not folded.ended else stored

    async def delete(self, response_id: str, tenant: str) -> None:
        """Delete a response; one that is being made here is cancelled first. Raises: NotFound."""
        run = self.sessions.get(tenant, response_id)
        if run is not None and run.row is not None:
            run.cancel()
            await run.wait()
        if not await self._store.delete(tenant, response_id):
            raise _unknown(response_id)

    async def input_items(
        self, response_id: str, tenant: str, *, after: str | None, limit: int, descending: bool
    ) -> ItemPage:
        """Raises: NotFound, InvalidRequest for an unknown `after`."""
        page = await self._store.input_items(tenant, response_id, after=after, limit=limit, descending=descending)
        if page is None:
            raise _unknown(response_id)
        return page

    async def cancel(self, response_id: str, tenant: str) -> StoredResponse:
        """Cancel a background response and return it as it ended; one that has ended already stays as it is.

        Raises: NotFound; ClientError for a foreground response, which is cancelled by closing its connection.
        """
        stored = await self.get(response_id, tenant)
        if not stored.background:
            raise ClientError("Cannot cancel a synchronous response.")
        if stored.status not in UNFINISHED:
            return stored
        run = self.sessions.get(tenant, response_id)
        if run is not None:
            run.cancel()
            await run.wait()
            return await self.get(response_id, tenant)
        await self._store.request_cancel(tenant, response_id)
        return await self._wait_for_end(response_id, tenant)

    async def _wait_for_end(self, response_id: str, tenant: str) -> StoredResponse:
        """The response once the process that runs it has ended it, or as it stands when that takes too long."""
        for _ in range(round(CANCEL_WAIT_S / CANCEL_POLL_S)):
            stored = await self.get(response_id, tenant)
            if stored.status not in UNFINISHED:
                return stored
            await asyncio.sleep(CANCEL_POLL_S)
        return await self.get(response_id, tenant)

    async def account(self) -> None:
        """Write what was used since the last time."""
        await self.metering.flush()

    async def check_store(self) -> None:
        """Ask the store as a request would: one that reads, and one that writes but finds nothing to change.

        Raises: StoreUnavailable, also when it does not answer in time.
        """
        try:
            async with asyncio.timeout(STORE_CHECK_S):
                await self._store.get(NOBODY, NOTHING)
                await self._store.request_cancel(NOBODY, NOTHING)
        except TimeoutError:
            raise StoreUnavailable("The store does not answer.") from None

    async def sweep(self) -> None:
        """Delete what has expired and what is beyond the quotas."""
        await self.metering.tidy()
        swept = await self._store.sweep(self._clock())
        self.figures.count_sweep(swept)
        if swept.removed:
            logger.info(
                "%d stored responses went for their age, %d for the quotas; %s bytes are stored",
                *(swept.expired, swept.over_quota, swept.stored_bytes),
            )


async def _wait_for(runs: Iterable[Run], at_most_s: float) -> None:
    waits = [asyncio.ensure_future(run.wait()) for run in runs]
    if waits:
        await asyncio.wait(waits, timeout=max(0.0, at_most_s))


async def _end_unseen(
    reserving: "Reserving",
    start: Callable[[RunRow | ConversationHold], Run],
    generation: Generation | None,
) -> None:
    """End a run that nobody waits for any more: its row may be written, and its conversation must be let go."""
    with suppress(AntiphonError):  # there is nobody to hear of it
        try:
            start(await reserving).cancel()
        except BaseException:
            if generation is not None:
                await generation.close()
            raise


def _unknown(response_id: str) -> NotFound:
    return NotFound(f"Response with id '{response_id}' not found.", param="response_id")


def _beyond_the_end(after: int) -> InvalidRequest:
    return InvalidRequest(f"There is no event with sequence number {after}.", param="starting_after")
