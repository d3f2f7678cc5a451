"""Several servers behind one engine."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from antiphon.core.deltas import Finish, TextDelta, Usage
from antiphon.engines.chat_http import ChatHttpEngine
from antiphon.errors import EngineUnavailable, InvalidRequest
from tests.engines.fake_upstream import BOUND_S, LOOPS, Exchange, FakeUpstream, Script, chat, collect, hello, piece
from tests.engines.test_chat_http import HELLO, closed_port, stall

pytestmark = pytest.mark.anyio


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


async def overloaded(exchange: Exchange) -> None:
    await exchange.refuse(429, {"error": {"message": "busy"}}, retry_after=7)


async def cut_before_head(exchange: Exchange) -> None:
    exchange.cut()


async def cut_in_prefill(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.send(piece(role="assistant", content=""))
    exchange.cut()


async def test_a_server_that_is_down_is_passed_over() -> None:
    async with FakeUpstream() as fake:
        engine = ChatHttpEngine([f"http://127.0.0.1:{closed_port()}", fake.url])
        for _ in range(4):
            assert await collect(engine) == HELLO
        await engine.close()


@pytest.mark.parametrize("fault", [overloaded, cut_before_head, cut_in_prefill])
async def test_what_one_server_cannot_take_goes_to_the_other(fault: Script) -> None:
    async with FakeUpstream(fault) as one, FakeUpstream(hello) as two:
        engine = ChatHttpEngine([one.url, two.url])
        for _ in range(4):
            assert await collect(engine) == HELLO
        assert [upstream.load for upstream in engine._pool.servers] == [0, 0]
        await engine.close()
    assert one.posts


async def test_a_refused_request_is_not_tried_elsewhere() -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse(400, {"error": {"message": "no"}})

    async with FakeUpstream(refuse) as one, FakeUpstream(refuse) as two:
        engine = ChatHttpEngine([one.url, two.url])
        with pytest.raises(InvalidRequest):
            await collect(engine)
        await engine.close()
    assert len(one.posts) + len(two.posts) == 1


async def test_nothing_is_tried_elsewhere_once_a_token_was_given() -> None:
    async def cut(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.send(piece(content="Hel"))
        exchange.cut()

    async with FakeUpstream(cut) as one, FakeUpstream(cut) as two:
        engine = ChatHttpEngine([one.url, two.url])
        with pytest.raises(Exception, match="closed the stream early"):
            await collect(engine)
        await engine.close()
    assert len(one.posts) + len(two.posts) == 1


async def test_all_servers_overloaded_says_when_to_come_back() -> None:
    async with FakeUpstream(overloaded) as one, FakeUpstream(overloaded) as two:
        engine = ChatHttpEngine([one.url, two.url])
        with pytest.raises(EngineUnavailable) as error:
            await collect(engine)
        assert error.value.retry_after_s == 7
        await engine.close()


async def test_one_conversation_stays_with_one_server_and_many_spread() -> None:
    async with AsyncExitStack() as stack:
        fakes = [await stack.enter_async_context(FakeUpstream()) for _ in range(3)]
        engine = ChatHttpEngine([fake.url for fake in fakes])
        await engine.start()
        for key in range(30):
            before = [len(fake.posts) for fake in fakes]
            for _ in range(3):
                assert await collect(engine, chat(cache_key=str(key))) == HELLO
            assert sorted(len(fake.posts) - b for fake, b in zip(fakes, before, strict=True)) == [0, 0, 3]
        await engine.close()
    assert all(fake.posts for fake in fakes)


async def test_the_least_loaded_server_is_asked() -> None:
    async with FakeUpstream(stall) as one, FakeUpstream(stall) as two:
        engine = ChatHttpEngine([one.url, two.url])
        generations = [await asyncio.wait_for(engine.prepare(chat()), BOUND_S) for _ in range(6)]
        assert (len(one.posts), len(two.posts)) == (3, 3)
        for generation in generations:
            await generation.close()
        await engine.close()


async def test_a_model_is_asked_of_the_server_that_has_it() -> None:
    async with FakeUpstream(cards=[{"id": "a"}]) as one, FakeUpstream(cards=[{"id": "b"}]) as two:
        engine = ChatHttpEngine([one.url, two.url])
        await engine.start()
        assert [model.id for model in engine.models()] == ["a", "b"]
        for model in "bbb":
            assert await collect(engine, chat(model=model)) == [TextDelta("Hello"), Usage(3, 1), Finish("stop")]
        await engine.close()
    assert (len(one.posts), len(two.posts)) == (0, 3)
