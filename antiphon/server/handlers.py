"""One function per endpoint: read the request, ask the service, write the answer. No decisions."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from msgspec.structs import replace

from antiphon.core.draft import request_for
from antiphon.errors import EngineUnavailable, InvalidRequest
from antiphon.ports import Model
from antiphon.server.answers import Capabilities, Deleted, Health, InputTokens, ModelCard, ModelList, OutputsTaken
from antiphon.server.arrival import DIALECT
from antiphon.server.azure import at_deployment
from antiphon.server.exchange import ClientGone, Exchange
from antiphon.server.guards import REQUEST_ID_HEADER, agreed_request_id
from antiphon.server.item_pages import item_list, paging_of, projection_of
from antiphon.server.metrics import CONTENT_TYPE
from antiphon.server.rate_headers import rate_headers
from antiphon.server.recorder import Recorder
from antiphon.server.sse import stream_log
from antiphon.service.caller import Caller
from antiphon.service.following import Following
from antiphon.service.records import encode_response, whole_response
from antiphon.service.responses import Responses
from antiphon.service.run import Run
from antiphon.service.tool_outputs import decode_tool_outputs
from antiphon.wire.decode import decode_body, decode_create
from antiphon.wire.request import CompactConversation, CountInputTokens, CreateResponse
from antiphon.wire.unknown import encode

T = TypeVar("T")


class Handlers:
    """The endpoints over one service. `strict` refuses what is not OpenAI's.

    `done_marker`: whether streams end with `[DONE]`: `dialect`, `always` or `never`. `document` makes `/openapi.json`.
    """

    def __init__(
        self, service: Responses, recorder: Recorder, *, strict: bool, done_marker: str, document: Callable[[], bytes]
    ) -> None:
        self._service = service
        self._recorder = recorder
        self._strict = strict
        self._done_marker = done_marker
        self._document = document

    async def create_response(self, exchange: Exchange) -> None:
        await self._answer(exchange, await self._asked(exchange))

    async def _asked(self, exchange: Exchange) -> Run:
        """The run that a body asks for. The body is held no longer than this: the answer may take long."""
        body = await exchange.body()
        return await self._begin(exchange, decode_create(body, strict=self._strict), body)

    async def _begin(self, exchange: Exchange, request: CreateResponse, body: bytes | None = None) -> Run:
        if request.extras.request_id is not None:
            exchange.request_id = agreed_request_id(request.extras.request_id, exchange.header(REQUEST_ID_HEADER))
        self._check_dialect(exchange)
        request = at_deployment(request, exchange.deployment)
        exchange.record.stream = bool(request.stream)
        manner = self._recorder.traced(exchange.record, exchange.manner)
        run = await self._service.create(request, self._caller(exchange), body=body, manner=manner)
        exchange.record.run = run
        if run.meter is not None:
            exchange.add_headers(rate_headers(run.meter.levels, azure=exchange.is_azure))
        return run

    async def _answer(self, exchange: Exchange, run: Run) -> None:
        if run.work.request.stream:
            await self._stream(exchange, Following.live(run, -1, self._service.options.heartbeat_s))
        elif run.work.request.background:
            await exchange.answer(200, encode_response(run.work.base))  # queued, however far it has come meanwhile
        else:
            await _answer_at_end(exchange, run)

    def _caller(self, exchange: Exchange) -> Caller:
        """Who asks, with what is to be passed on."""
        if not self._service.options.forward_credentials:
            return exchange.caller
        return replace(exchange.caller, credentials=exchange.header(b"authorization"))

    def _check_dialect(self, exchange: Exchange) -> None:
        """Raises: InvalidRequest in strict mode, where no dialect can be asked for."""
        if exchange.manner.dialect is not None and self._strict:
            raise InvalidRequest(f"The header '{DIALECT.decode()}' is not supported in strict mode.")

    async def _stream(self, exchange: Exchange, following: Following) -> None:
        marker = {"always": True, "never": False}.get(self._done_marker, following.dialect.done_marker)
        await stream_log(exchange, following, done_marker=marker)

    async def deliver_tool_outputs(self, exchange: Exchange) -> None:
        response_id = exchange.path_params["response_id"]
        delivered = decode_tool_outputs(await exchange.body())
        after = await self._service.last_number(response_id, exchange.tenant) if delivered.stream else 0
        taken = await self._service.deliver(response_id, exchange.caller, delivered)
        if isinstance(taken, CreateResponse):
            await self._answer(exchange, await self._begin(exchange, taken))
        elif delivered.stream:
            await self._stream(exchange, await self._service.follow(response_id, exchange.tenant, after))
        else:
            await exchange.answer_json(OutputsTaken(response_id, "in_progress", taken.accepted, taken.pending))

    async def count_input_tokens(self, exchange: Exchange) -> None:
        question = request_for(decode_body(await exchange.body(), CountInputTokens, strict=self._strict))
        request = at_deployment(question, exchange.deployment)
        tokens = await self._service.count_input(request, self._caller(exchange))
        await exchange.answer_json(InputTokens(tokens))

    async def compact(self, exchange: Exchange) -> None:
        body = await exchange.body()
        request = request_for(decode_body(body, CompactConversation, strict=self._strict))
        request = at_deployment(request, exchange.deployment)
        compacting = self._service.compact(request, self._caller(exchange), body)
        compacted, levels = await unless_gone(exchange, compacting)
        exchange.add_headers(rate_headers(levels, azure=exchange.is_azure))
        await exchange.answer(200, encode(compacted))

    async def get_response(self, exchange: Exchange) -> None:
        projection = projection_of(exchange)
        query = exchange.query()
        query.flag("include_obfuscation")  # has no effect: a replay says what was said
        response_id = exchange.path_params["response_id"]
        if query.flag("stream"):
            after = query.integer("starting_after", -1, low=0, high=10**9 - 1)
            await self._stream(exchange, await self._service.follow(response_id, exchange.tenant, after))
            return
        stored = await self._service.get(response_id, exchange.tenant)
        await exchange.answer(200, whole_response(stored, [projection.apply(body) for body in stored.output]))

    async def delete_response(self, exchange: Exchange) -> None:
        response_id = exchange.path_params["response_id"]
        await self._service.delete(response_id, exchange.tenant)
        await exchange.answer_json(Deleted(response_id))

    async def cancel_response(self, exchange: Exchange) -> None:
        stored = await self._service.cancel(exchange.path_params["response_id"], exchange.tenant)
        await exchange.answer(200, whole_response(stored, stored.output))

    async def list_input_items(self, exchange: Exchange) -> None:
        projection, paging = projection_of(exchange), paging_of(exchange)
        page = await self._service.input_items(exchange.path_params["response_id"], exchange.tenant, **paging)
        await exchange.answer(200, item_list(page, projection))

    async def list_models(self, exchange: Exchange) -> None:
        await exchange.answer_json(ModelList(tuple(map(_model_card, self._service.catalog.models(exchange.caller)))))

    async def get_model(self, exchange: Exchange) -> None:
        model = self._service.catalog.model(exchange.path_params["model_id"], exchange.caller)
        await exchange.answer_json(_model_card(model))

    async def health(self, exchange: Exchange) -> None:
        await exchange.answer_json(Health())

    async def ready(self, exchange: Exchange) -> None:
        """Raises: EngineUnavailable once the server is being shut down, StoreUnavailable while the store is no use."""
        if self._service.is_draining:
            raise EngineUnavailable("The server is shutting down.")
        await self._service.check_store()
        await exchange.answer_json(Health())

    async def metrics(self, exchange: Exchange) -> None:
        await exchange.answer(200, self._recorder.metrics.show(), content_type=CONTENT_TYPE)

    async def openapi(self, exchange: Exchange) -> None:
        """In a thread: making the document takes a moment, and streams go on meanwhile."""
        await exchange.answer(200, await asyncio.to_thread(self._document))


async def _answer_at_end(exchange: Exchange, run: Run) -> None:
    """Answer with the snapshot once the run has ended or waits for tool outputs.

    A client that leaves before cancels it.
    """
    run.join()
    gone = asyncio.ensure_future(exchange.wait_for_disconnect())
    ended = asyncio.ensure_future(run.wait())
    paused = asyncio.ensure_future(run.paused.wait())
    try:
        await asyncio.wait({gone, ended, paused}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done() and not paused.done():
            raise ClientGone
        if ended.done() and run.error is not None:
            raise run.error
        await exchange.answer(200, encode_response(run.response))
    finally:
        for waiter in (gone, ended, paused):
            waiter.cancel()
        run.leave()


async def unless_gone(exchange: Exchange, work: Coroutine[Any, Any, T]) -> T:
    """What `work` comes to, which a client that leaves cancels. Raises: ClientGone."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(exchange.wait_for_disconnect())
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        gone.cancel()
        working.cancel()


def _model_card(model: Model) -> ModelCard:
    can = Capabilities(model.context_tokens, model.images, model.reasoning, model.tools)
    return ModelCard(model.id, model.created, model.owned_by, model.context_tokens, tuple(model.aliases), can)
