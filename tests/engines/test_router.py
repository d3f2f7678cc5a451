"""Different models from different engines, behind one."""

import pytest
from msgspec import Raw

from antiphon.core.chat import Message, Sampling
from antiphon.core.deltas import Finish, TextDelta
from antiphon.engines.chat_http import ChatHttpEngine
from antiphon.engines.router import EngineRouter, Route
from antiphon.engines.scripted import ScriptedEngine
from antiphon.errors import EngineError, NotFound
from antiphon.ports import Model
from tests.engines.fake_upstream import Exchange, FakeUpstream, chat, collect, piece
from tests.engines.test_chat_http import HELLO, closed_port

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def down() -> ChatHttpEngine:
    return ChatHttpEngine([f"http://127.0.0.1:{closed_port()}"])


async def test_each_model_goes_to_its_engine_under_its_name_there_and_with_its_defaults() -> None:
    async with FakeUpstream(cards=[{"id": "Org/One"}]) as one, FakeUpstream(cards=[{"id": "two"}]) as two:
        engines = {"a": ChatHttpEngine([one.url]), "b": ChatHttpEngine([two.url])}
        route = Route(
            name="one",
            engine="a",
            aliases=("gpt-*",),
            sampling=Sampling(temperature=0.2, top_p=0.9),
            template_kwargs=Raw(b'{"think":true,"x":1}'),
            extra_body=Raw(b'{"truncate_prompt_tokens":10}'),
            context_tokens=512,
            tools=True,
        )
        router = EngineRouter(engines, [route])
        await router.start()
        assert [(model.id, model.served_as, model.context_tokens) for model in router.models()] == [
            ("one", "Org/One", 512),
            ("two", None, None),
        ]
        asked = chat(model="one", sampling=Sampling(temperature=0.7), template_kwargs=Raw(b'{"x":2}'))
        assert await collect(router, asked) == HELLO
        assert await collect(router, chat(model="two")) == HELLO
        with pytest.raises(NotFound):
            await router.prepare(chat(model="Org/One"))
        await router.close()
    (body,) = (post.json for post in one.posts)
    sent = {name: body[name] for name in ("model", "temperature", "top_p", "truncate_prompt_tokens")}
    assert sent == {"model": "Org/One", "temperature": 0.7, "top_p": 0.9, "truncate_prompt_tokens": 10}
    assert body["chat_template_kwargs"] == {"think": True, "x": 2}
    assert [post.json["model"] for post in two.posts] == ["two"]


async def test_a_model_whose_servers_are_down_falls_back() -> None:
    async with FakeUpstream() as fake:
        routes = [
            Route(name="big", engine="a", fallback=("bigger", "small")),
            Route(name="bigger", engine="a"),
            Route(name="small", engine="b", served_as="m"),
        ]
        router = EngineRouter({"a": down(), "b": ChatHttpEngine([fake.url])}, routes)
        assert await collect(router, chat(model="big")) == HELLO
        with pytest.raises(EngineError):
            await collect(router, chat(model="bigger"))
        await router.close()


async def test_a_server_that_fails_late_but_before_its_first_token_is_fallen_back_from() -> None:
    async def cut(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.send(piece(role="assistant", content=""))
        exchange.cut()

    async with FakeUpstream(cut) as failing, FakeUpstream() as fake:
        routes = [Route(name="m", engine="a", fallback=("n",)), Route(name="n", engine="b", served_as="m")]
        router = EngineRouter({"a": ChatHttpEngine([failing.url]), "b": ChatHttpEngine([fake.url])}, routes)
        assert await collect(router, chat()) == HELLO
        await router.close()


async def test_nothing_falls_back_once_a_token_was_given() -> None:
    async def cut(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.send(piece(content="Hel"))
        exchange.cut()

    async with FakeUpstream(cut) as failing, FakeUpstream() as fake:
        routes = [Route(name="m", engine="a", fallback=("n",)), Route(name="n", engine="b", served_as="m")]
        router = EngineRouter({"a": ChatHttpEngine([failing.url]), "b": ChatHttpEngine([fake.url])}, routes)
        with pytest.raises(EngineError, match="closed the stream early"):
            await collect(router, chat())
        await router.close()
    assert fake.posts == []


async def test_engines_of_this_process_have_aliases_too() -> None:
    router = EngineRouter({"default": ScriptedEngine()}, [Route(name="mine", engine="default", aliases=("gpt-*",))])
    await router.start()
    (model,) = router.models()
    assert isinstance(model, Model) and (model.id, model.aliases) == ("mine", ("gpt-*",))
    deltas = await collect(router, chat(model="mine", messages=(Message("user", "[[say:a]]"),)))
    assert deltas[0] == TextDelta("a") and deltas[-1] == Finish("stop")
    await router.close()
