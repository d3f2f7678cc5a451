"""Counting by chat-completions servers: what each kind is asked, and what its answers mean."""

import pytest
from msgspec import Raw

from antiphon.core.chat import ChatRequest, Function
from antiphon.engines.chat_http import ChatHttpEngine
from antiphon.errors import AntiphonError, CannotCount, EngineError, EngineUnavailable, InvalidRequest
from tests.engines.fake_upstream import LOOPS, Exchange, FakeUpstream, Script, chat

pytestmark = pytest.mark.anyio
VLLM, LLAMA_CPP, OTHER = ([{"id": "m", "owned_by": owner}] for owner in ("vllm", "llamacpp", "else"))


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


def answering(content: object, status: int = 200) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.refuse(status, content)

    return script


async def counted(upstream: FakeUpstream, request: ChatRequest) -> int:
    engine = ChatHttpEngine([upstream.url])
    await engine.start()
    try:
        return await engine.count(request)
    finally:
        await engine.close()


async def test_vllm_is_asked_to_tokenize_the_chat() -> None:
    request = chat(
        tools=(Function("look", parameters=Raw(b'{"type":"object"}')),),
        reasoning_effort="low",
        template_kwargs=Raw(b'{"enable_thinking":false}'),
    )
    async with FakeUpstream(answering({"count": 42, "max_model_len": 9, "tokens": [1] * 42}), VLLM) as upstream:
        assert await counted(upstream, request) == 42
    (post,) = upstream.posts
    assert post.path == "/tokenize"
    assert post.json == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
        "chat_template_kwargs": {"enable_thinking": False, "reasoning_effort": "low"},
    }


async def test_llama_cpp_is_asked_to_count_the_completion() -> None:
    async with FakeUpstream(answering({"input_tokens": 7}), LLAMA_CPP) as upstream:
        assert await counted(upstream, chat()) == 7
    assert [post.path for post in upstream.posts] == ["/v1/chat/completions/input_tokens"]


async def test_a_server_of_another_kind_cannot_count_and_is_not_asked() -> None:
    async with FakeUpstream(answering({}), OTHER) as upstream:
        with pytest.raises(CannotCount):
            await counted(upstream, chat())
    assert not upstream.posts


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (404, {"detail": "Not Found"}, CannotCount),
        (400, {"error": {"message": "Bad chat.", "code": 400}}, InvalidRequest),
        (503, {}, EngineUnavailable),
        (500, {}, EngineError),
        (200, {"tokens": []}, EngineError),
        (200, b"<html>", EngineError),
    ],
)
async def test_what_a_server_refuses(status: int, content: object, expected: type[AntiphonError]) -> None:
    async with FakeUpstream(answering(content, status), VLLM) as upstream:
        with pytest.raises(expected):
            await counted(upstream, chat())
