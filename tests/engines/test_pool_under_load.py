"""A pool of servers under load, while servers die, fill up and leave."""

import asyncio

import pytest

from antiphon.core.deltas import Finish
from antiphon.engines.chat_http import ChatHttpEngine
from antiphon.engines.pool_limits import Limits
from antiphon.engines.retry_budget import RESERVE, SHARE
from antiphon.errors import EngineError, EngineUnavailable
from antiphon.ports import UpstreamFigures
from tests.engines.fake_upstream import BOUND_S, Exchange, FakeUpstream, chat, collect, piece, until, usage
from tests.engines.test_chat_http import HELLO

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Dying(FakeUpstream):
    """Streams until `goes_on` is set, and dies at `die` with all that it has."""

    def __init__(self, goes_on: asyncio.Event) -> None:
        super().__init__(self._stream)
        self._goes_on = goes_on
        self.open: set[Exchange] = set()

    async def _stream(self, exchange: Exchange) -> None:
        self.open.add(exchange)
        await exchange.head()
        await exchange.send(piece(content="a"))
        await self._goes_on.wait()
        await exchange.send(piece("stop", content="b"), usage(3, 2), b"data: [DONE]\n\n")
        await exchange.end()
        self.open.discard(exchange)

    def die(self) -> int:
        """Close the port and cut every stream; returns how many there were."""
        self._server.close()
        for exchange in self.open:
            exchange.cut()
        return len(self.open)


def figures(engine: ChatHttpEngine, name: str) -> list[object]:
    return [getattr(each, name) for each in engine.upstreams()]


async def test_one_of_three_dies_under_load_and_only_what_it_had_begun_fails() -> None:
    goes_on = asyncio.Event()
    async with Dying(goes_on) as one, Dying(goes_on) as two, Dying(goes_on) as three:
        engine = ChatHttpEngine([one.url, two.url, three.url], name="pool", draw=lambda: 0.0)
        await engine.start()
        first = [asyncio.create_task(collect(engine)) for _ in range(120)]
        await until(lambda: sum(len(fake.open) for fake in (one, two, three)) == 120)
        lost = two.die()
        later = [asyncio.create_task(collect(engine, chat(cache_key=str(key % 50)))) for key in range(150)]
        await until(lambda: len(one.open) + len(three.open) == 120 - lost + 150)
        goes_on.set()
        ends = await asyncio.gather(*first, return_exceptions=True)
        assert all(Finish("stop") in deltas for deltas in await asyncio.gather(*later))
        failed = [end for end in ends if isinstance(end, BaseException)]
        assert len(failed) == lost == 40 and all(isinstance(end, EngineError) for end in failed)
        retries = sum(each.retries for each in engine.upstreams())
        assert retries <= RESERVE + SHARE * 270
        assert figures(engine, "is_healthy") == [True, False, True]
        assert figures(engine, "in_flight") == [0, 0, 0]
        await engine.close()


async def test_a_server_that_comes_back_is_found_by_its_health() -> None:
    async with FakeUpstream() as fake:
        port = fake.port
        engine = ChatHttpEngine([fake.url], health_interval_s=0.05, draw=lambda: 1.0)
        await engine.start()
        await fake.__aexit__()
        await until(lambda: figures(engine, "breaker") == ["open"])
        with pytest.raises(EngineUnavailable) as error:
            await collect(engine)
        assert 1 <= (error.value.retry_after_s or 0) <= 30
        server = await asyncio.start_server(fake.accept, "127.0.0.1", port)
        await until(lambda: figures(engine, "breaker") == ["closed"])
        assert await collect(engine) == HELLO
        await engine.close()
        server.close()


async def test_beyond_the_limit_generations_wait_in_line_and_beyond_that_come_back_later() -> None:
    goes_on = asyncio.Event()
    async with Dying(goes_on) as fake:
        engine = ChatHttpEngine([fake.url], limits=Limits(concurrency=2, queue=3, queue_timeout_s=BOUND_S))
        tasks = [asyncio.create_task(collect(engine)) for _ in range(5)]
        await until(lambda: len(fake.open) == 2 and len(engine._pool._waiting) == 3)
        with pytest.raises(EngineUnavailable, match="busy") as error:
            await collect(engine)
        assert error.value.status == 503 and error.value.retry_after_s
        tasks.pop().cancel()
        await until(lambda: len(engine._pool._waiting) == 2)
        goes_on.set()
        assert all(Finish("stop") in deltas for deltas in await asyncio.gather(*tasks))
        assert (figures(engine, "in_flight"), figures(engine, "requests")) == ([0], [4])
        await engine.close()


async def test_who_waits_too_long_comes_back_later() -> None:
    async with Dying(asyncio.Event()) as fake:
        engine = ChatHttpEngine([fake.url], limits=Limits(concurrency=1, queue_timeout_s=0.05))
        running = asyncio.create_task(collect(engine))
        await until(lambda: fake.open)
        with pytest.raises(EngineUnavailable, match="busy"):
            await collect(engine)
        assert engine._pool._waiting == []
        running.cancel()
        await engine.close()


async def test_chains_and_keys_stay_with_one_server() -> None:
    async with FakeUpstream() as one, FakeUpstream() as two, FakeUpstream() as three:
        fakes = (one, two, three)
        engine = ChatHttpEngine([fake.url for fake in fakes])
        await engine.start()
        asked = [{"session": f"resp_{n}"} for n in range(20)] + [{"cache_key": f"key-{n}"} for n in range(20)]
        for _ in range(5):
            await asyncio.gather(*(collect(engine, chat(id=each.get("session", "r"), **each)) for each in asked))
        seen: dict[str, set[int]] = {}
        for number, fake in enumerate(fakes):
            for post in fake.posts:
                seen.setdefault(post.headers["x-request-id"], set()).add(number)
        await engine.close()
    assert sum(len(fake.posts) for fake in fakes) == 200 and all(len(fake.posts) > 20 for fake in fakes)


async def test_equal_cache_keys_reach_one_server_in_all_but_a_few_requests() -> None:
    async with FakeUpstream() as one, FakeUpstream() as two, FakeUpstream() as three:
        fakes = (one, two, three)
        engine = ChatHttpEngine([fake.url for fake in fakes])
        await engine.start()
        for _ in range(10):
            await asyncio.gather(*(collect(engine, chat(id=f"key-{n}", cache_key=f"key-{n}")) for n in range(24)))
        home = 0
        for n in range(24):
            counts = [sum(post.headers["x-request-id"] == f"key-{n}" for post in fake.posts) for fake in fakes]
            home += max(counts)
        await engine.close()
    assert home / 240 >= 0.95


async def test_a_server_that_is_left_out_ends_what_it_has_begun_and_gets_nothing_new() -> None:
    goes_on = asyncio.Event()
    async with Dying(goes_on) as leaving, FakeUpstream() as coming:
        engine = ChatHttpEngine([leaving.url])
        running = asyncio.create_task(collect(engine))
        await until(lambda: leaving.open)
        await engine.serve_from([coming.url])
        assert await collect(engine) == HELLO
        goes_on.set()
        assert Finish("stop") in await running
        assert len(leaving.posts) == 1 and [type(each) for each in engine.upstreams()] == [UpstreamFigures]
        await engine.close()
