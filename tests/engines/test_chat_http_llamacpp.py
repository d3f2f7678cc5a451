"""The chat-completions engine against llama.cpp's own HTTP server and a real model: shapes, never words."""

import asyncio
from collections.abc import Iterator

import pytest
from msgspec import Raw

from antiphon.core.chat import ChatRequest, Function, Message, OutputFormat, Sampling, ToolChoice
from antiphon.core.deltas import CallStart, Delta, Finish, TextDelta, Usage
from antiphon.engines.chat_http import ChatHttpEngine
from antiphon.errors import ContextLengthExceeded, InvalidRequest
from tests.llama_server import serve_llama

pytestmark = pytest.mark.anyio
BOUND_S = 60.0
CONTEXT_TOKENS = 1024


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_llama(context_tokens=CONTEXT_TOKENS) as address:
        yield address


async def answer(url: str, text: str = "Tell me a story.", *, max_tokens: int = 8, **given: object) -> list[Delta]:
    engine = ChatHttpEngine([url])
    fields: dict[str, object] = {
        "messages": (Message("user", text),),
        "sampling": Sampling(max_tokens=max_tokens),
        **given,
    }
    async with asyncio.timeout(BOUND_S):
        await engine.start()
        chat = ChatRequest(id="r", model=engine.models()[0].id, **fields)  # type: ignore[arg-type]  # any of its fields
        generation = await engine.prepare(chat)
        deltas = [delta async for batch in generation.deltas() for delta in batch]
        await engine.close()
    return deltas


async def test_a_prompt_is_counted_as_it_is_run(url: str) -> None:
    engine = ChatHttpEngine([url])
    await engine.start()
    chat = ChatRequest(id="r", model=engine.models()[0].id, messages=(Message("user", "Tell me a story."),))
    counted = await engine.count(chat)
    await engine.close()
    (usage,) = (delta for delta in await answer(url) if isinstance(delta, Usage))
    assert counted == usage.input_tokens


async def test_its_model_is_known_with_its_context(url: str) -> None:
    engine = ChatHttpEngine([url])
    await engine.start()
    (model,) = engine.models()
    await engine.close()
    assert model.context_tokens == CONTEXT_TOKENS
    assert model.continues_text
    assert not model.images


async def test_an_answer_is_streamed_with_usage_and_its_end(url: str) -> None:
    *texts, usage, finish = await answer(url)
    assert len(texts) > 1
    assert all(isinstance(text, TextDelta) and text.text for text in texts)
    assert isinstance(usage, Usage)
    assert usage.input_tokens > 5
    assert usage.output_tokens == 8
    assert finish == Finish("length")


async def test_log_probabilities_come_with_as_many_tokens_as_asked_for(url: str) -> None:
    for count in (0, 2):
        deltas = await answer(url, sampling=Sampling(max_tokens=4, logprobs=count))
        texts = [delta for delta in deltas if isinstance(delta, TextDelta)]
        assert texts
        assert all(len(each.top_logprobs) == count for text in texts for each in text.logprobs)
        assert sum(len(text.logprobs) for text in texts) == 4


async def test_a_named_tool_is_called_and_no_other(url: str) -> None:
    tools = (Function("get_time"), Function("get_weather"))
    choice = ToolChoice("required", "get_weather")
    deltas = await answer(url, "The weather?", max_tokens=40, tools=tools, tool_choice=choice)
    assert {delta.name for delta in deltas if isinstance(delta, CallStart)} <= {"get_weather"}
    assert isinstance(deltas[-1], Finish)


async def test_json_is_what_comes_when_json_is_asked_for(url: str) -> None:
    deltas = await answer(url, "Give me JSON.", max_tokens=4, output_format=OutputFormat("json_object"))
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    assert text.lstrip().startswith("{")


async def test_a_prompt_too_long_is_refused_with_its_figures(url: str) -> None:
    with pytest.raises(ContextLengthExceeded) as error:
        await answer(url, "word " * 3000)
    assert error.value.limit == CONTEXT_TOKENS
    assert error.value.input_tokens is not None
    assert error.value.input_tokens > CONTEXT_TOKENS


async def test_a_schema_it_cannot_read_is_refused_in_its_words(url: str) -> None:
    schema = OutputFormat("json_schema", "broken", Raw(b'{"type": "nonsense"}'), strict=True)
    with pytest.raises(InvalidRequest, match="nonsense"):
        await answer(url, output_format=schema)


async def test_closing_frees_its_only_slot_at_once(url: str) -> None:
    engine = ChatHttpEngine([url])
    async with asyncio.timeout(BOUND_S):
        await engine.start()
        messages = (Message("user", "Count as far as you can."),)
        generation = await engine.prepare(ChatRequest(id="r", model=engine.models()[0].id, messages=messages))
        batches = generation.deltas()
        assert await anext(batches)
        await generation.close()
        assert await anext(batches, None) is None
        await engine.close()
    assert isinstance((await answer(url))[-1], Finish)
