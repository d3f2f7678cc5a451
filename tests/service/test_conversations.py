"""Conversations under the use cases: tenants, and requests that are given up in the middle."""

import asyncio
from pathlib import Path

import pytest

from antiphon.engines.scripted import ScriptedEngine
from antiphon.errors import ConversationLocked, ConversationNotFound, NotFound
from antiphon.service.caller import ANYBODY, Caller
from antiphon.service.options import Options
from antiphon.service.responses import Responses
from antiphon.stores.sql import SqlStore
from antiphon.wire.conversation import CreateConversation, CreateConversationItems, UpdateConversation
from antiphon.wire.items import Message
from tests.service.conftest import soon
from tests.service.test_responses import answer, request, service

pytestmark = pytest.mark.anyio
HELLO = Message(role="user", content=())


async def test_another_tenant_s_conversation_is_unknown_everywhere() -> None:
    responses = service()
    conversations = responses.conversations
    made = (await conversations.create(CreateConversation(items=(HELLO,)), Caller(tenant="alice"))).id
    page = await conversations.items(made, "alice", after=None, limit=1, descending=False)
    item_id = page.data[0].split(b'"id":"')[1].split(b'"')[0].decode()
    for attempt in (
        conversations.get(made, "bob"),
        conversations.update(made, UpdateConversation(metadata={}), Caller(tenant="bob")),
        conversations.delete(made, "bob"),
        conversations.add_items(made, CreateConversationItems(items=(HELLO,)), Caller(tenant="bob")),
        conversations.items(made, "bob", after=None, limit=1, descending=True),
        conversations.item(made, item_id, "bob"),
        conversations.delete_item(made, item_id, "bob"),
        responses.create(request("hi", conversation=made), Caller(tenant="bob")),
    ):
        with pytest.raises(ConversationNotFound):
            await attempt
    with pytest.raises(NotFound, match="Item"):
        await responses.create(request([{"type": "item_reference", "id": item_id}]), Caller(tenant="bob"))
    assert await conversations.get(made, "alice")


@pytest.mark.parametrize("store", [True, False])
async def test_a_request_that_is_given_up_at_any_moment_leaves_the_conversation_free(
    tmp_path: Path, store: bool
) -> None:
    responses = Responses(ScriptedEngine(), SqlStore(tmp_path / "antiphon.db"), Options(), clock=lambda: 1.0)
    await responses.start()
    made = (await responses.conversations.create(CreateConversation(), ANYBODY)).id
    begun = 0
    for moments in range(60):
        asked = request("[[stall:30]]", conversation=made, store=store)
        task = asyncio.ensure_future(responses.create(asked, ANYBODY))
        for _ in range(moments):
            await asyncio.sleep(0.0002)
        if not task.cancel():
            begun += 1
            task.result().cancel()
        await asyncio.wait({task})
        await soon(_free(responses, made))
    assert begun
    assert (await answer(responses, request("hi", conversation=made)))["status"] == "completed"
    await responses.close()


async def _free(responses: Responses, conversation_id: str) -> None:
    """Return once no run has the conversation to itself; the runs on their way have ended then."""
    while True:
        await asyncio.sleep(0.005)
        try:
            await responses.conversations.open(conversation_id, "default")
        except ConversationLocked:
            continue
        if not len(responses.sessions):
            return
