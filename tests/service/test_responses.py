"""The use cases over a scripted engine and a store in memory."""

import asyncio
import json
from typing import Any

import pytest

from antiphon.engines.scripted import ScriptedEngine
from antiphon.errors import ClientError, InvalidRequest, NotFound, PreviousResponseNotFound
from antiphon.service.caller import ANYBODY, Caller
from antiphon.service.options import Options
from antiphon.service.records import encode_response
from antiphon.service.responses import Responses
from antiphon.stores.memory import MemoryStore
from antiphon.wire.decode import decode_create
from antiphon.wire.request import CreateResponse
from tests.openapi_schema import validate_response
from tests.service.conftest import WatchedStore, soon, until_quiet

pytestmark = pytest.mark.anyio


def request(text: str | list[Any], **fields: Any) -> CreateResponse:
    return decode_create(json.dumps({"model": "scripted", "input": text} | fields).encode())


def service(store: MemoryStore | None = None, engine: ScriptedEngine | None = None) -> Responses:
    return Responses(engine or ScriptedEngine(), store or MemoryStore(), Options(), clock=lambda: 1_700_000_000.0)


async def answer(responses: Responses, asked: CreateResponse, tenant: str = "default") -> dict[str, Any]:
    run = await soon(responses.create(asked, Caller(tenant=tenant)))
    response = encode_response(await soon(run.wait()))
    validate_response(response)
    return dict(json.loads(response))


async def test_a_chain_remembers_and_a_fork_does_not_disturb_it() -> None:
    responses = service()
    first = await answer(responses, request("[[say:one]]"))
    second = await answer(responses, request("[[say:two]]", previous_response_id=first["id"]))
    await answer(responses, request("[[say:other]]", previous_response_id=first["id"]))

    page = await responses.input_items(second["id"], "default", after=None, limit=20, descending=False)
    roles = [json.loads(body)["role"] for body in page.data]
    assert roles == ["user", "assistant", "user"]
    assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"]


async def test_another_tenant_s_response_is_unknown_everywhere() -> None:
    responses = service()
    made = (await answer(responses, request("hi"), "alice"))["id"]

    with pytest.raises(NotFound):
        await responses.get(made, "bob")
    with pytest.raises(NotFound):
        await responses.delete(made, "bob")
    with pytest.raises(NotFound):
        await responses.input_items(made, "bob", after=None, limit=1, descending=True)
    with pytest.raises(PreviousResponseNotFound):
        await responses.create(request("hi", previous_response_id=made), Caller(tenant="bob"))
    assert (await responses.get(made, "alice")).id == made


@pytest.mark.parametrize("directive", ["[[say:x]][[fail:server_error]]", "[[fail:server_error]]"])
async def test_a_failed_response_cannot_be_continued(directive: str) -> None:
    responses = service()
    failed = await answer(responses, request(directive))

    assert failed["status"] == "failed"
    with pytest.raises(InvalidRequest) as refused:
        await responses.create(request("hi", previous_response_id=failed["id"]), ANYBODY)
    assert refused.value.param == "previous_response_id"


async def test_a_response_that_is_not_stored_is_unknown_afterwards() -> None:
    responses = service()
    made = await answer(responses, request("hi", store=False))

    assert made["store"] is False
    with pytest.raises(NotFound):
        await responses.get(made["id"], "default")


async def test_truncation_auto_drops_whole_turns_and_disabled_refuses() -> None:
    responses = service(engine=ScriptedEngine(context_tokens=80))
    turns = [{"role": role, "content": f"{role} " * 10} for _ in range(6) for role in ("user", "assistant")]
    items = [*turns, {"role": "user", "content": "[[say:fine]]"}]

    assert (await answer(responses, request(items, truncation="auto")))["output"][0]["content"][0]["text"] == "fine"
    with pytest.raises(ClientError) as refused:
        await responses.create(request(items), ANYBODY)
    assert refused.value.code == "context_length_exceeded"


async def test_a_request_that_is_refused_leaves_nothing_behind() -> None:
    store = WatchedStore()
    responses = service(store)
    orphan = [{"type": "function_call_output", "call_id": "call_x", "output": "1"}]

    with pytest.raises(ClientError) as refused:
        await responses.create(request(orphan), ANYBODY)
    assert refused.value.param == "input[0].call_id"
    assert not store._runs


async def test_the_store_is_told_to_settle_and_whether_it_would_disturb_anybody() -> None:
    class Told(MemoryStore):
        at_rest: bool | None = None

        async def settle(self, *, at_rest: bool) -> None:
            self.at_rest = at_rest

    store = Told()
    responses = service(store)
    await responses.settle()
    assert store.at_rest is True
    await soon(responses.create(request("[[say:Once]][[stall:60]]"), ANYBODY))
    await responses.settle()
    assert store.at_rest is False
    await soon(responses.close())
    await responses.settle()
    assert store.at_rest is True


async def test_closing_ends_live_runs_and_stores_their_end() -> None:
    store = WatchedStore()
    responses = service(store)
    await soon(responses.start())
    run = await soon(responses.create(request("[[say:Once]][[stall:60]]"), ANYBODY))
    await until_quiet()
    await soon(responses.close())

    stored = await store.get("default", run.response.id)
    assert stored is not None
    assert stored.status == "cancelled"
    assert run.log.closed


async def test_closing_waits_for_an_end_that_is_being_stored() -> None:
    store = WatchedStore()
    store.gate.clear()
    responses = service(store)
    await soon(responses.start())
    run = await soon(responses.create(request("[[say:Once]]"), ANYBODY))
    await soon(store.finishing.wait())
    closing = asyncio.ensure_future(responses.close())
    await until_quiet()
    assert not closing.done()
    store.gate.set()
    await soon(closing)

    stored = await store.get("default", run.response.id)
    assert stored is not None
    assert stored.status == "completed"
