"""From a request to the work it asks for: every name in it resolved, its conversation assembled and checked."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from antiphon.core import conversation
from antiphon.core.compaction import expand
from antiphon.core.draft import draft_response
from antiphon.core.past_turn import PastTurn
from antiphon.core.reasoning_families import family_of
from antiphon.core.summary import Mode
from antiphon.core.toolbox import Toolbox, added_tools, found_tools, open_toolbox
from antiphon.errors import EngineError, InvalidRequest, PreviousResponseNotFound
from antiphon.ports import AbandonedRun, Documents, Engine, Fetcher, Grammars, Model, ResponseStore, Turn
from antiphon.service.cache_salt import Salter
from antiphon.service.caller import Caller
from antiphon.service.catalog import Catalog
from antiphon.service.compaction import CompactionSeal
from antiphon.service.data_policy import is_stored
from antiphon.service.grammars import check_grammars
from antiphon.service.manner import Manner
from antiphon.service.media import Media, MediaLimits
from antiphon.service.options import Options
from antiphon.service.own_items import own_items
from antiphon.service.prompts import Prompts, echoed_instructions
from antiphon.service.reasoning import of_context, summary_mode, unopened, unsealed
from antiphon.service.records import is_kept
from antiphon.service.sealing import Sealer
from antiphon.service.work import Work
from antiphon.wire.decode import decode_create
from antiphon.wire.dialects import (
    DIALECTS,
    LEGACY_REASONING,
    NO_RATE_LIMITS,
    OBFUSCATION,
    OPENAI,
    Dialect,
    dialect_named,
    varied,
)
from antiphon.wire.items import Item, decode_item
from antiphon.wire.request import CreateResponse
from antiphon.wire.response import Response
from antiphon.wire.unknown import encode


class Planner:
    """Plans work over one engine and one store."""

    def __init__(
        self,
        engine: Engine,
        store: ResponseStore,
        options: Options,
        *,
        clock: Callable[[], float],
        ids: Callable[[str], str],
        sealer: Sealer | None,
        salter: Salter | None = None,
        documents: Documents | None = None,
        grammars: Grammars | None = None,
        fetcher: Fetcher | None = None,
        prompts: Prompts,
    ) -> None:
        self.catalog = Catalog(engine, options.default_model)
        self._store = store
        self._options = options
        self._clock = clock
        self._ids = ids
        self._sealer = sealer
        self._salter = salter
        self._grammars = grammars
        limits = MediaLimits(max_image_bytes=options.max_image_bytes, max_file_bytes=options.max_file_bytes)
        self._media = Media(limits, documents, fetcher)
        self._prompts = prompts

    def dialect(self, name: str | None) -> Dialect:
        """Raises: InvalidRequest for a name that is no dialect's."""
        name = name or self._options.dialect
        dialect = dialect_named(name)
        if dialect is None:
            raise InvalidRequest(f"'{name}' is no dialect. Supported values are: {', '.join(DIALECTS)}.")
        if dialect is OPENAI:
            return dialect
        if self._options.legacy_reasoning_events:
            dialect = varied(dialect, LEGACY_REASONING)
        return dialect if self._options.rate_limit_events else varied(dialect, NO_RATE_LIMITS)

    async def plan(self, request: CreateResponse, caller: Caller, past: Sequence[PastTurn], manner: Manner) -> Work:
        """Resolve all that a request names. Raises: ClientError; StoreUnavailable where what must be stored cannot."""
        tenant = caller.tenant
        dialect = self.dialect(manner.dialect)
        request, preface = await self._fill(request, tenant)
        model = self.catalog.choose(request.model, caller)
        own = await own_items(request.input, tenant, self._store, self._ids)
        stored = is_stored(request, caller, manner, store_enabled=self._options.store_enabled)
        await check_grammars(request.tools, own, self._grammars)
        seal = CompactionSeal(self._sealer, tenant)
        readable = await self._media.read(conversation.assemble(past, own), len(own), model)
        opened, removed = unsealed(readable, self._sealer, tenant=tenant, model=model.id)
        items, left_out = of_context(opened, request.reasoning)
        removed += [*left_out, *unopened(items, seal)]
        toolbox = _toolbox(request, expand(items, seal.open))
        tier = self._options.tiers.choose(request.service_tier)
        name = request.model or model.id  # an alias is echoed as it was asked for
        base = draft_response(request, self._ids("resp"), int(self._clock()), name, stored=stored, tier=tier)
        if manner.azure:
            base = replace(base, content_filters=Raw(b"[]"))
        if preface:
            base = replace(base, instructions=echoed_instructions(request, preface))
        return Work(
            base=replace(base, input_transformations=Raw(encode(removed))) if removed else base,
            request=request,
            model=model,
            toolbox=toolbox,
            own=own,
            items=items,
            preface=await self._media.read(preface, 0, model),
            reasoning_family=self._reasoning_family(model),
            cache_salt=self._cache_salt(tenant, request),
            dialect=self._worded(dialect, request),
            session=_session(request, past, base.id),
            seal=seal,
            summary=self._summary(request),
            traceparent=manner.traceparent,
        )

    def _summary(self, request: CreateResponse) -> Mode | None:
        return summary_mode(request) if self._options.reasoning_summaries == "model" else None

    async def _fill(self, request: CreateResponse, tenant: str) -> tuple[CreateResponse, tuple[Item, ...]]:
        """The request with what its prompt says, and the prompt's messages."""
        if request.prompt is None:
            return request, ()
        filled = await self._prompts.fill(request, tenant)
        return filled.request, filled.preface

    def _reasoning_family(self, model: Model) -> str:
        return model.reasoning_family or self._options.reasoning_family or family_of(model.served_as or model.id)

    def _cache_salt(self, tenant: str, request: CreateResponse) -> str | None:
        return self._salter.salt(tenant, request.prompt_cache_key) if self._salter is not None else None

    def _worded(self, dialect: Dialect, request: CreateResponse) -> Dialect:
        """The dialect with noise on its deltas, where that is asked for."""
        asked = request.stream_options.include_obfuscation if request.stream_options else None
        wanted = self._options.obfuscation if asked is None else asked
        return varied(dialect, OBFUSCATION) if wanted else dialect

    async def past(self, response_id: str | None, tenant: str) -> Sequence[PastTurn]:
        """The turns up to a response that is to be continued; none without one.

        Raises: PreviousResponseNotFound; InvalidRequest for one that cannot be continued.
        """
        if response_id is None:
            return ()
        # As a list, since a list comes back: for two arguments the types promise a tuple, which compiled code demands.
        reads: list[Awaitable[Any]] = [self._store.chain(tenant, response_id), self._store.get(tenant, response_id)]
        turns, parent = await asyncio.gather(*reads)
        if not turns or parent is None or not is_kept(parent):
            raise PreviousResponseNotFound(response_id)
        _check_parent(turns[-1])
        return past_turns(turns)

    async def restore(self, abandoned: AbandonedRun, base: Response, dialect: Dialect) -> Work:
        """The work of a run that a dead process left.

        Raises: EngineError for a run that ends with its process, and whatever its request raises by now.
        """
        if abandoned.request is None:
            raise EngineError("The server stopped before the response was complete.")
        request, preface = await self._fill(decode_create(abandoned.request), abandoned.tenant)
        model = self.catalog.choose(request.model or base.model, Caller(tenant=abandoned.tenant))
        *past, own = past_turns(await self._store.chain(abandoned.tenant, abandoned.id))
        history = conversation.assemble(past, own.items)
        readable = await self._media.read(history, len(own.items), model)
        opened, _ = unsealed(readable, self._sealer, tenant=abandoned.tenant, model=model.id)
        items, _ = of_context(opened, request.reasoning)
        seal = CompactionSeal(self._sealer, abandoned.tenant)
        return Work(
            base=base,
            request=request,
            model=model,
            toolbox=_toolbox(request, expand(items, seal.open)),
            own=own.items,
            items=items,
            preface=await self._media.read(preface, 0, model),
            reasoning_family=self._reasoning_family(model),
            cache_salt=self._cache_salt(abandoned.tenant, request),
            dialect=dialect,
            session=_session(request, past, base.id),
            seal=seal,
            summary=self._summary(request),
        )


def _toolbox(request: CreateResponse, items: Sequence[Item]) -> Toolbox:
    return open_toolbox((*request.tools, *added_tools(items)), request.tool_choice, found=found_tools(items))


def _session(request: CreateResponse, past: Sequence[PastTurn], response_id: str) -> str:
    place = request.conversation
    return conversation.session_of(past, response_id) if place is None else place.id


def no_work(base: Response, dialect: Dialect) -> Work:
    """For a run that can only be ended."""
    nothing = CreateResponse()
    model = Model(id="unknown", created=base.created_at, owned_by="")
    return Work(base=base, request=nothing, model=model, toolbox=Toolbox(), own=(), items=(), dialect=dialect)


def past_turns(turns: Sequence[Turn]) -> list[PastTurn]:
    """Stored turns as the conversation's core takes them."""
    return [
        PastTurn(
            tuple(decode_item(body) for body in (*turn.input, *turn.output)),
            turn.status == "incomplete",
            turn.response_id,
        )
        for turn in turns
    ]


def _check_parent(parent: Turn) -> None:
    name, status = "previous_response_id", parent.status
    if status in ("queued", "in_progress"):
        raise InvalidRequest(f"Previous response '{parent.response_id}' is still {status}.", param=name)
    if status in ("failed", "cancelled"):
        raise InvalidRequest(
            f"Previous response '{parent.response_id}' is {status} and cannot be continued.", param=name
        )
