"""The chat-completions engine against a server on a real socket."""

import asyncio
import socket
from collections.abc import Sequence

import pytest

from antiphon.core.deltas import Delta, Finish, ReasoningDelta, TextDelta, Usage
from antiphon.engines.chat_http import ChatHttpEngine
from antiphon.engines.http_pool import MAX_IDLE_S
from antiphon.errors import EngineError, SetupError
from tests.engines.fake_upstream import BOUND_S, DONE, LOOPS, Exchange, FakeUpstream, chat, collect, piece, until, usage

pytestmark = pytest.mark.anyio

HELLO = [TextDelta("Hello"), Usage(3, 1), Finish("stop")]


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_an_answer_comes_as_deltas_usage_and_one_finish() -> None:
    async with FakeUpstream() as fake:
        engine = ChatHttpEngine([fake.url], api_key="secret")
        await engine.start()
        assert await collect(engine) == HELLO
        await engine.close()
    (post,) = fake.posts
    assert post.path == "/v1/chat/completions"
    assert post.headers["authorization"] == "Bearer secret"
    assert post.headers["x-request-id"] == "resp_1"
    assert post.json["stream"] is True


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
async def test_a_url_is_taken_with_and_without_its_version(ending: str) -> None:
    async with FakeUpstream() as fake:
        engine = ChatHttpEngine([fake.url + ending])
        await engine.start()
        assert [model.id for model in engine.models()] == ["m"]
        assert await collect(engine) == HELLO
        await engine.close()


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", "http://host:port", "http://me:pw@host"])
def test_a_url_that_cannot_be_used_is_named_in_one_line_without_its_password(url: str) -> None:
    with pytest.raises(SetupError) as error:
        ChatHttpEngine([url])
    assert "\n" not in str(error.value)
    assert "pw" not in str(error.value)


async def test_models_tell_their_context_whoever_serves_them() -> None:
    vllm = {"id": "a", "created": 5, "owned_by": "vllm", "max_model_len": 4096}
    meta = {"n_ctx": 512, "n_ctx_train": 8192}
    llama = {"id": "b", "owned_by": "llamacpp", "meta": meta, "architecture": {"input_modalities": ["text"]}}
    async with FakeUpstream(cards=[vllm]) as one, FakeUpstream(cards=[llama]) as two:
        engine = ChatHttpEngine([one.url, two.url])
        await engine.start()
        a, b = engine.models()
        await engine.close()
    assert (a.id, a.created, a.context_tokens, a.images, a.continues_text) == ("a", 5, 4096, True, True)
    assert (b.id, b.context_tokens, b.images, b.continues_text) == ("b", 512, False, True)


async def test_a_server_that_is_down_at_start_is_found_when_requests_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.engines.chat_upstream.RELEARN_UNKNOWN_S", 0.0)
    fake = FakeUpstream()
    async with fake:
        url = fake.url
    engine = ChatHttpEngine([url])
    await engine.start()
    assert engine.models() == ()
    server = await asyncio.start_server(fake.accept, "127.0.0.1", fake.port)
    assert await collect(engine) == HELLO
    assert [model.id for model in engine.models()] == ["m"]
    await engine.close()
    server.close()


async def test_a_configured_model_is_known_while_the_server_is_down() -> None:
    engine = ChatHttpEngine([f"http://127.0.0.1:{closed_port()}"], model="mine")
    await engine.start()
    assert [model.id for model in engine.models()] == ["mine"]
    await engine.close()


async def test_the_connection_is_used_again_although_the_body_ends_after_the_answer() -> None:
    async with FakeUpstream() as fake:
        engine = ChatHttpEngine([fake.url])
        await engine.start()
        for _ in range(5):
            assert await collect(engine) == HELLO
            await until(lambda: engine._pool.servers[0]._pool._idle)
        await engine.close()
    assert fake.connections == 1


async def test_many_streams_that_begin_together_use_the_connections_of_those_before() -> None:
    streams = 100
    begun = asyncio.Event()

    async def together(exchange: Exchange) -> None:
        if len(fake.posts) % streams == 0:
            begun.set()
        await begun.wait()
        await exchange.answer(piece("stop", content="Hello"), usage(3, 1))

    async with FakeUpstream(together) as fake:
        engine = ChatHttpEngine([fake.url])
        await engine.start()
        for _ in range(3):
            begun.clear()
            assert await asyncio.gather(*(collect(engine) for _ in range(streams))) == [HELLO] * streams
            await until(lambda: len(engine._pool.servers[0]._pool._idle) == streams)
        await engine.close()
    assert fake.connections == streams


async def test_a_connection_that_was_idle_for_too_long_is_closed() -> None:
    async with FakeUpstream() as fake:
        engine = ChatHttpEngine([fake.url])
        await engine.start()
        pool = engine._pool.servers[0]._pool
        assert await collect(engine) == HELLO
        await until(lambda: pool._idle)
        long_ago = {connection: since - MAX_IDLE_S for connection, since in pool._idle.items()}
        pool._idle.update(long_ago)
        assert await collect(engine) == HELLO
        await until(lambda: pool._idle)
        assert not pool._idle.keys() & long_ago.keys()
        await until(lambda: all(connection.lost for connection in long_ago))
        await engine.close()
    assert fake.connections == 2


async def test_a_kept_connection_that_the_server_has_closed_is_replaced() -> None:
    async def hang_up(exchange: Exchange) -> None:
        if len(fake.posts) == 2:
            exchange.cut()
        else:
            await exchange.answer(piece("stop", content="Hello"), usage(3, 1))

    async with FakeUpstream(hang_up) as fake:
        engine = ChatHttpEngine([fake.url])
        await engine.start()
        assert await collect(engine) == HELLO
        assert await collect(engine) == HELLO
        await engine.close()
    assert (len(fake.posts), fake.connections) == (3, 2)


async def test_a_connection_that_the_server_does_not_keep_is_not_used_again() -> None:
    async def goodbye(exchange: Exchange) -> None:
        await exchange.head(chunked=False, connection="close")
        await exchange.send(piece("stop", content="Hello"), usage(3, 1))
        exchange.close()

    async with FakeUpstream(goodbye) as fake:
        engine = ChatHttpEngine([fake.url])
        assert await collect(engine) == HELLO
        assert await collect(engine) == HELLO
        await engine.close()
    assert len(fake.posts) == 2


async def test_the_answer_is_given_before_the_server_ends_its_body() -> None:
    async def linger(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.send(piece("stop", content="Hello"), usage(3, 1), DONE)
        await exchange.gone.wait()

    async with FakeUpstream(linger) as fake:
        engine = ChatHttpEngine([fake.url])
        assert await collect(engine) == HELLO
        await asyncio.wait_for(fake.posts[0].gone.wait(), BOUND_S)
        await engine.close()


async def test_a_server_that_never_says_done_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.engines.chat_generation.FINISHING_S", 0.05)

    async def forget(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.send(piece("length", content="Hello"))
        await exchange.gone.wait()

    async with FakeUpstream(forget) as fake:
        engine = ChatHttpEngine([fake.url])
        assert await collect(engine) == [TextDelta("Hello"), Usage(0, 1), Finish("length")]
        await engine.close()


async def test_each_chunk_goes_on_as_soon_as_it_comes() -> None:
    *steps, last = (asyncio.Event() for _ in range(4))

    async def step(exchange: Exchange) -> None:
        await exchange.head()
        for number, event in enumerate(steps):
            await event.wait()
            await exchange.send(piece(reasoning=str(number)))
        await last.wait()
        await exchange.send(piece("stop"), usage(1, 3), DONE)
        await exchange.end()

    async with FakeUpstream(step) as fake:
        engine = ChatHttpEngine([fake.url])
        generation = await engine.prepare(chat())
        batches = generation.deltas()
        for number, event in enumerate(steps):
            event.set()
            batch = await asyncio.wait_for(anext(batches), BOUND_S)
            assert batch == [ReasoningDelta(str(number))]
        last.set()
        assert await asyncio.wait_for(anext(batches), BOUND_S) == [Usage(1, 3, 0, 3), Finish("stop")]
        await engine.close()


async def stall(exchange: Exchange) -> None:
    await exchange.head()
    await exchange.send(piece(content="Hel"))
    await exchange.gone.wait()


async def test_an_eager_consumer_gets_the_same_deltas_in_the_same_order() -> None:
    words = [str(number) for number in range(20)]

    async def speak(exchange: Exchange) -> None:
        await exchange.head()
        for word in words:
            await exchange.send(piece(content=word))
            await asyncio.sleep(0)
        await exchange.send(piece("stop"), usage(1, 20), DONE)
        await exchange.end()

    async with FakeUpstream(speak) as fake:
        engine = ChatHttpEngine([fake.url])
        generation, deltas = await engine.prepare(chat()), list[Delta]()
        handed: list[Delta] = []

        def take(batch: Sequence[Delta]) -> None:
            handed.extend(batch)
            deltas.extend(batch)

        generation.hand_to(take, lambda _: False)
        async for batch in generation.deltas():
            deltas += batch
        assert deltas == [*(TextDelta(word) for word in words), Usage(1, 20), Finish("stop")]
        assert handed
        assert engine._pool.servers[0].load == 0
        await engine.close()


async def test_an_eager_consumer_hears_of_silence_after_the_first_token() -> None:
    async with FakeUpstream(stall) as fake:
        engine = ChatHttpEngine([fake.url], first_token_timeout_s=600, idle_timeout_s=0.1)
        generation = await engine.prepare(chat())
        generation.hand_to(lambda _: None, lambda _: False)
        with pytest.raises(EngineError, match="fell silent"):
            async with asyncio.timeout(BOUND_S):
                async for _ in generation.deltas():
                    pass
        await engine.close()


async def test_what_an_eager_consumer_raises_ends_the_generation() -> None:
    is_waiting = asyncio.Event()

    async def say_more(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.send(piece(content="Hel"))
        await is_waiting.wait()
        await exchange.send(piece(content="lo"))
        await exchange.gone.wait()

    def refuse(_: Sequence[Delta]) -> None:
        raise EngineError("too much")

    async with FakeUpstream(say_more) as fake:
        engine = ChatHttpEngine([fake.url])
        generation = await engine.prepare(chat())
        generation.hand_to(refuse, lambda _: False)
        with pytest.raises(EngineError, match="too much"):
            async with asyncio.timeout(BOUND_S):
                async for _ in generation.deltas():
                    is_waiting.set()
        await asyncio.wait_for(fake.posts[0].gone.wait(), BOUND_S)
        await engine.close()


async def test_close_ends_the_stream_and_hangs_up_on_the_server() -> None:
    async with FakeUpstream(stall) as fake:
        engine = ChatHttpEngine([fake.url])
        generation = await engine.prepare(chat())
        batches = generation.deltas()
        assert await asyncio.wait_for(anext(batches), BOUND_S) == [TextDelta("Hel")]
        rest = asyncio.ensure_future(anext(batches, None))
        await asyncio.sleep(0)
        await generation.close()
        await generation.close()
        assert await asyncio.wait_for(rest, BOUND_S) is None
        await asyncio.wait_for(fake.posts[0].gone.wait(), BOUND_S)
        assert engine._pool.servers[0].load == 0
        await engine.close()


async def test_cancelling_the_reader_hangs_up_on_the_server() -> None:
    async with FakeUpstream(stall) as fake:
        engine = ChatHttpEngine([fake.url])
        reading = asyncio.create_task(collect(engine))
        await until(lambda: fake.posts)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.wait_for(fake.posts[0].gone.wait(), BOUND_S)
        await engine.close()


@pytest.mark.parametrize("prepared", [False, True])
async def test_leaving_before_the_head_hangs_up_on_the_server(prepared: bool) -> None:
    async def say_nothing(exchange: Exchange) -> None:
        await exchange.gone.wait()

    async with FakeUpstream(say_nothing) as fake:
        engine = ChatHttpEngine([fake.url], head_wait_s=0.01 if prepared else 60)
        if prepared:
            generation = await asyncio.wait_for(engine.prepare(chat()), BOUND_S)
            await generation.close()
            assert [batch async for batch in generation.deltas()] == []
        else:
            preparing = asyncio.create_task(engine.prepare(chat()))
            await until(lambda: fake.posts)
            preparing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await preparing
        await asyncio.wait_for(fake.posts[0].gone.wait(), BOUND_S)
        await engine.close()


async def test_closing_the_engine_fails_what_runs() -> None:
    async with FakeUpstream(stall) as fake:
        engine = ChatHttpEngine([fake.url])
        batches = (await engine.prepare(chat())).deltas()
        assert await asyncio.wait_for(anext(batches), BOUND_S) == [TextDelta("Hel")]
        await engine.close()
        with pytest.raises(EngineError):
            await asyncio.wait_for(anext(batches), BOUND_S)


async def test_a_reader_that_lags_stops_the_server_and_loses_nothing() -> None:
    line = piece(content="x" * 1000)
    written = 0

    async def flood(exchange: Exchange) -> None:
        nonlocal written
        await exchange.head()
        for _ in range(20_000):
            await exchange.send(line)
            written += 1
        await exchange.send(piece("stop"), usage(1, 20_000), DONE)
        await exchange.end()

    async with FakeUpstream(flood) as fake:
        engine = ChatHttpEngine([fake.url])
        generation = await engine.prepare(chat())
        batches = generation.deltas()
        count = len(await asyncio.wait_for(anext(batches), BOUND_S))
        connection = generation._connection
        assert connection is not None
        await until(lambda: connection._paused and fake.posts[0].stuck)
        assert connection._gathered_bytes < 1024 * 1024
        assert written < 20_000
        async with asyncio.timeout(60):
            async for batch in batches:
                count += len(batch)
        assert count == 20_002
        await engine.close()


@pytest.mark.parametrize("schedules_priority", [True, False])
async def test_a_priority_is_sent_only_to_servers_that_schedule_by_it(schedules_priority: bool) -> None:
    async with FakeUpstream() as fake:
        engine = ChatHttpEngine([fake.url], schedules_priority=schedules_priority)
        await engine.start()
        assert await collect(engine, chat(priority=-10)) == HELLO
        await engine.close()
    (post,) = fake.posts
    assert post.json.get("priority") == (-10 if schedules_priority else None)
