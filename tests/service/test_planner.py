"""What work a request comes to, and what it comes to again when its process has died."""

import pytest

from antiphon.engines.scripted import ScriptedEngine
from antiphon.ports import AbandonedRun, Beginning
from antiphon.service.caller import ANYBODY
from antiphon.service.manner import Manner
from antiphon.service.options import Options
from antiphon.service.planner import Planner
from antiphon.service.prompts import Prompts
from antiphon.service.records import head_of, stored_items
from antiphon.stores.memory import MemoryStore
from antiphon.wire.decode import decode_create
from antiphon.wire.dialects import OPENAI
from antiphon.wire.response import decode_response
from tests.core.conftest import counting_ids

pytestmark = pytest.mark.anyio

BODY = b'{"input": "a", "background": true, "store": false}'


async def test_a_run_that_is_taken_up_again_is_what_it_was() -> None:
    """The model was named by the path, and the path was Azure's: the request as it came says nothing of either."""
    store, engine = MemoryStore(), ScriptedEngine(model_ids=("one", "two"))
    await store.start()
    ids = counting_ids()
    prompts = Prompts(store.prompts, clock=lambda: 1e9, ids=ids, enabled=True)
    planner = Planner(engine, store, Options(), clock=lambda: 1e9, ids=ids, sealer=None, prompts=prompts)
    request = decode_create(b'{"model": "two", ' + BODY[1:])
    work = await planner.plan(request, ANYBODY, (), Manner(azure=True, force_store=True))
    base = work.base
    assert (base.model, base.store, bytes(base.content_filters)) == ("two", True, b"[]")
    lease = await store.begin(
        Beginning(
            tenant="default",
            id=base.id,
            previous_response_id=None,
            status="queued",
            background=True,
            created_at=1e9,
            expires_at=None,
            head=head_of(base),
            input=stored_items(work.own),
            request=BODY,
        )
    )
    left = AbandonedRun(
        lease=lease, tenant="default", id=base.id, background=True, head=head_of(base), attempt=2, request=BODY
    )
    again = await planner.restore(left, decode_response(left.head), OPENAI)
    assert (again.model.id, again.base) == ("two", base)
