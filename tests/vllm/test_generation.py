"""What is vLLM's own: its parsers, its counts, its refusals, its aborts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from msgspec import Raw, json

from antiphon.core.chat import Function, ImagePart, Message, OutputFormat, Sampling, TextPart, ToolCall
from antiphon.core.deltas import Delta, Finish
from antiphon.engines.chat_http import ChatHttpEngine
from antiphon.errors import ContextLengthExceeded, EngineError, InvalidRequest
from antiphon.ports import Engine
from tests.contracts.engine_asking import (
    NOTES,
    PIXEL,
    PLACE,
    WEATHER,
    Abilities,
    answer,
    ask,
    assert_valid,
    calls_of,
    logprobs_of,
    reasoning_of,
    text_of,
    until,
    usage_of,
)
from tests.vllm.serving import CONTEXT_TOKENS, MODEL, Vllm
from tests.vllm.tiny_model import LORA

pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.timeout(1800)]
ABLE = Abilities(model=MODEL, context_tokens=CONTEXT_TOKENS)
BOUND_S = 60.0
T = TypeVar("T")


def use(vllm: Vllm, act: Callable[[Engine], Awaitable[T]], **settings: Any) -> T:
    """What `act` returns for a started engine."""

    async def run() -> T:
        engine = ChatHttpEngine([vllm.base_url], **{"api_key": vllm.api_key, **settings})
        await engine.start()
        try:
            return await asyncio.wait_for(act(engine), BOUND_S)
        finally:
            await engine.close()

    return asyncio.run(run())


def answered(vllm: Vllm, *messages: Message | str, **settings: Any) -> list[Delta]:
    settings.setdefault("max_tokens", None)
    return use(vllm, lambda engine: answer(engine, ask(ABLE, *messages, **settings)))


def test_the_model_is_known_with_its_context(vllm: Vllm) -> None:
    async def models(engine: Engine) -> dict[str, tuple[int | None, bool]]:
        return {model.id: (model.context_tokens, model.continues_text) for model in engine.models()}

    found = use(vllm, models)
    assert found[MODEL] == (CONTEXT_TOKENS, True)
    assert set(found) == {MODEL, LORA}


def test_reasoning_text_and_parallel_calls_come_from_one_answer(vllm: Vllm) -> None:
    place = '{"city": "Lisbon", "days": 2, "unit": "celsius"}'
    script = (
        f'[[think:I have to ask.]][[say:Two calls.]][[call:get_weather {place}]][[call:close_note {{"done": true}}]]'
    )
    tools = [Function("get_weather", parameters=WEATHER.parameters), Function("close_note")]
    deltas = answered(vllm, script, tools=tools)
    assert (reasoning_of(deltas), text_of(deltas).strip()) == ("I have to ask.", "Two calls.")
    assert [(name, json.decode(arguments)) for name, arguments in calls_of(deltas)] == [
        ("get_weather", json.decode(place)),
        ("close_note", {"done": True}),
    ]
    assert deltas[-1] == Finish("stop")
    assert usage_of(deltas).reasoning_tokens == len("I have to ask.")


def test_a_tool_turn_goes_on_after_the_outputs(vllm: Vllm) -> None:
    messages = [
        Message("user", "[[call:close_note {}]][[then]][[say:It is closed.]]"),
        Message("assistant", reasoning="I close it.", tool_calls=[ToolCall("call_1", "close_note", "{}")]),
        Message("tool", "ok", tool_call_id="call_1"),
    ]
    deltas = answered(vllm, *messages, tools=[Function("close_note")])
    assert text_of(deltas) == "It is closed."


def test_strict_arguments_obey_their_schema_when_the_model_chooses_to_call(vllm: Vllm) -> None:
    deltas = answered(vllm, '[[call:get_weather {"town": 1}]]', tools=[NOTES, WEATHER], max_tokens=300)
    ((name, arguments),) = calls_of(deltas)
    assert name == "get_weather"
    assert_valid(arguments, PLACE)


def test_reasoning_stands_before_a_text_that_obeys_a_schema(vllm: Vllm) -> None:
    form = OutputFormat("json_schema", "place", Raw(json.encode(PLACE)), strict=True)
    deltas = answered(vllm, "[[think:Where to?]][[say:anything]]", max_tokens=200, output_format=form)
    assert reasoning_of(deltas) == "Where to?"
    assert_valid(text_of(deltas), PLACE)


def test_log_probabilities_leave_out_what_is_not_text(vllm: Vllm) -> None:
    sampling = Sampling(temperature=0.0, logprobs=1)
    deltas = answered(vllm, "[[think:no]][[say:así — é]]", sampling=sampling)
    assert (
        b"".join(bytes(entry.bytes) for entry in logprobs_of(deltas)) == text_of(deltas).encode() == "así — é".encode()
    )


def test_a_prompt_beyond_the_context_is_refused_with_its_figures(vllm: Vllm) -> None:
    with pytest.raises(ContextLengthExceeded) as refusal:
        answered(vllm, "word " * CONTEXT_TOKENS)
    assert refusal.value.limit == CONTEXT_TOKENS
    assert refusal.value.input_tokens is not None and refusal.value.input_tokens > CONTEXT_TOKENS


def test_a_token_limit_beyond_the_context_means_what_is_left_of_it(vllm: Vllm) -> None:
    assert text_of(answered(vllm, "[[say:ok]]", max_tokens=CONTEXT_TOKENS)) == "ok"


def test_an_image_is_refused_in_its_words_by_a_model_that_sees_none(vllm: Vllm) -> None:
    with pytest.raises(InvalidRequest, match="not a multimodal model"):
        answered(vllm, Message("user", [TextPart("What is this?"), ImagePart(PIXEL)]))


def test_a_schema_it_cannot_read_is_refused(vllm: Vllm) -> None:
    with pytest.raises(InvalidRequest):
        answered(
            vllm, "Hello", output_format=OutputFormat("json_schema", "bad", Raw(b'{"type": "nonsense"}'), strict=True)
        )


def test_closing_aborts_in_the_engine_at_once(vllm: Vllm) -> None:
    async def leave(engine: Engine) -> None:
        takes_minutes = f"[[delay:100]][[say:{'word ' * 400}]]"
        generation = await engine.prepare(ask(ABLE, takes_minutes, max_tokens=None))
        async for batch in generation.deltas():
            if text_of(batch):
                break
        assert vllm.running() == 1
        await generation.close()
        await asyncio.wait_for(until(lambda: vllm.running() == 0), 5)

    use(vllm, leave)


def test_a_wrong_key_is_the_servers_fault_and_is_not_told(vllm: Vllm) -> None:
    with pytest.raises(EngineError) as failure:
        use(vllm, lambda engine: answer(engine, ask(ABLE, "Hello")), api_key="sk-wrong")
    assert failure.value.status == 500
    assert "sk-wrong" not in failure.value.message
