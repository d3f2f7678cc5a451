"""Whatever happens to streams, the server keeps nothing of them when they are over."""

import asyncio
import random
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from antiphon.core.deltas import CallArguments, CallStart, Finish
from antiphon.core.stream import ResponseStream
from antiphon.engines.scripted import ScriptedEngine
from antiphon.errors import EngineUnavailable
from antiphon.ports import ResponseStore
from antiphon.service.caller import ANYBODY
from antiphon.service.following import Following
from antiphon.service.options import Options
from antiphon.service.responses import Responses
from antiphon.stores.memory import MemoryStore
from antiphon.stores.sql import SqlStore
from antiphon.wire.decode import decode_create
from antiphon.wire.response import Response
from antiphon.wire.unknown import encode
from tests.live import Live, serve, wait_until
from tests.outlive.driving import TOOLS
from tests.runs.reading import reading, resuming

STREAMS = 200
SEED = 4
SAID = "[[delay:1]][[think:hm]][[say:a b c d e f g h i j k l m n o p q r s t]]"


def test_nothing_is_left_of_two_hundred_streams_that_were_left_cancelled_or_failed(store: ResponseStore) -> None:
    with serve(store=store, tool_wait_s=0.3, max_sessions=64) as live:
        parts = [range(part, STREAMS, 8) for part in range(8)]
        threads = [threading.Thread(target=lambda part=part: [one_stream(live, at) for at in part]) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert wait_until(lambda: live.engine.running == 0 and not gauges(live), 5), gauges(live)


def one_stream(live: Live, number: int) -> None:
    chance = random.Random(SEED * 1_000 + number)
    kind = chance.choice(["whole", "left", "cancelled", "failed", "asking", "resumed"])
    said = {"failed": f"{SAID}[[fail:server_error]]", "asking": "[[call:look {}]]"}.get(kind, SAID)
    fields: dict[str, Any] = {"background": kind in ("cancelled", "resumed") or chance.random() < 0.3}
    if kind == "asking":
        fields |= {"tools": TOOLS, "await_tool_outputs": True}
    with suppress(httpx.HTTPError), reading(live.http, said, **fields) as stream:
        read = chance.randrange(1, 20)
        for _ in range(read):
            stream.next()
        if kind == "left" or kind == "asking":
            return
        if kind == "cancelled":
            live.http.post(f"/v1/responses/{stream.response_id}/cancel")
        if kind == "resumed":
            with resuming(live.http, stream.response_id, chance.randrange(0, min(3, read))) as second:
                second.next()
        stream.rest()


def gauges(live: Live) -> list[str]:
    lines = live.http.get("/metrics").text.splitlines()
    live_ones = [line for line in lines if line.startswith(("antiphon_sessions{", "antiphon_stream_readers "))]
    return [line for line in live_ones if float(line.split()[-1])]


async def begun(service: Responses, said: str, **fields: Any) -> Any:
    body = encode({"input": said, **fields})
    return await service.create(decode_create(body), ANYBODY, body=body)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_no_task_is_left_of_runs_that_were_left_cancelled_failed_or_timed_out(tmp_path: Path, kind: str) -> None:
    async def scenario() -> None:
        store = MemoryStore() if kind == "memory" else SqlStore(tmp_path / "antiphon.sqlite3")
        engine = ScriptedEngine()
        service = Responses(engine, store, Options(tool_wait_s=0.05), clock=lambda: 1_700_000_000.0)
        await service.start()
        before = asyncio.all_tasks()
        asking = {"tools": TOOLS, "await_tool_outputs": True}
        for _ in range(5):
            left = await begun(service, "[[stall:20]]")
            Following.live(left, -1, 15.0).leave()
            cancelled = await begun(service, "[[stall:20]]", background=True)
            await service.cancel(cancelled.response.id, "default")
            failed = await begun(service, "[[say:x]][[fail:server_error]]", background=True)
            timed_out = await begun(service, "[[call:look {}]]", background=True, **asking)
            runs = (left, cancelled, failed, timed_out)
            statuses = [(await run.wait()).status for run in runs]
            assert statuses == ["cancelled", "cancelled", "failed", "failed"]
        for _ in range(5):
            await asyncio.sleep(0)

        assert asyncio.all_tasks() == before
        assert (len(service.sessions), engine.running) == (0, 0)
        await service.close()

    bounded(scenario())


def test_a_log_keeps_a_tail_only_while_its_reader_is_far_behind(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SqlStore(tmp_path / "antiphon.sqlite3")
        service = Responses(ScriptedEngine(), store, Options(), clock=lambda: 1_700_000_000.0)
        await service.start()
        words = " ".join(f"word{number}" for number in range(2_500))
        run = await begun(service, f"[[delay:1]][[say:{words}]]", stream=True)  # the store keeps up with that
        following = Following.live(run, -1, 15.0)
        await run.wait()
        held = sum(map(len, list(run.log.payloads)[:-12]))  # the last events carry the whole text
        payloads: list[bytes] = []
        while (some := await following.reader.read()) is not None:
            payloads += some
        following.leave()
        await service.close()

        assert held < 200_000 < sum(map(len, payloads))
        assert [b'"sequence_number":%d}' % number in payload[-30:] for number, payload in enumerate(payloads)] == [
            True
        ] * len(payloads)

    bounded(scenario())


def test_an_engine_that_numbers_its_calls_anew_in_each_round_is_understood() -> None:
    base = Response(id="resp_1", created_at=1, status="in_progress", model="m")
    made = iter(f"id{number}" for number in range(20))
    stream = ResponseStream(base, new_id=lambda prefix: f"{prefix}_{next(made)}", await_outputs=True)
    stream.begin()
    asked = [CallStart("look", "call_0"), CallArguments("{}"), CallStart("look", "call_0"), CallArguments("{}")]
    stream.feed([*asked, Finish("stop")])

    assert len(stream.needs) == 2
    assert next(iter(stream.needs)) == "call_0"


def test_a_slot_is_given_back_by_runs_that_cannot_begin() -> None:
    class Unavailable(ScriptedEngine):
        async def prepare(self, chat: Any) -> Any:
            raise EngineUnavailable("not now")

    async def scenario() -> None:
        options = Options(background_running=1, background_queue=0)
        service = Responses(Unavailable(), MemoryStore(), options, clock=lambda: 1_700_000_000.0)
        await service.start()
        for _ in range(3):
            run = await begun(service, "x", background=True)
            assert (await run.wait()).status == "failed"
        await service.close()

    bounded(scenario())


def bounded(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 30))
