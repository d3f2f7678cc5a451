"""The rules of the Engine port, each as a function that any engine has to pass.

A case that needs an ability is not asked of an engine that lacks it. What a model says is never asserted.
"""

import asyncio

import pytest
from msgspec import Raw, json

from antiphon.core.chat import ImagePart, Message, OutputFormat, Sampling, TextPart, ToolCall, ToolChoice
from antiphon.core.deltas import Delta, Finish
from antiphon.errors import ClientError, ContextLengthExceeded, EngineError
from antiphon.ports import Engine
from tests.contracts.engine_asking import (
    NOTE,
    NOTES,
    PIXEL,
    PLACE,
    PROSE,
    WEATHER,
    Abilities,
    Case,
    Listener,
    answer,
    ask,
    assert_free,
    assert_valid,
    calls_of,
    enlist,
    logprobs_of,
    text_of,
    unending,
    usage_of,
)

CASES: list[Case] = []


@enlist(CASES)
async def the_models_are_named(engine: Engine, able: Abilities) -> None:
    names = [model.id for model in engine.models()]
    assert able.model in names and len(set(names)) == len(names) and all(names)


@enlist(CASES)
async def a_question_gets_a_text_and_usage(engine: Engine, able: Abilities) -> None:
    deltas = await answer(engine, ask(able, "Hello, how are you?"))
    usage = usage_of(deltas)
    assert text_of(deltas).strip()
    assert usage.input_tokens > 0 and usage.output_tokens > 0
    assert 0 <= usage.cached_tokens <= usage.input_tokens
    assert 0 <= usage.reasoning_tokens <= usage.output_tokens


@enlist(CASES, needs="counts_first")
async def the_prompt_is_counted_before_it_is_run(engine: Engine, able: Abilities) -> None:
    generation = await engine.prepare(ask(able, "Hello, how are you?"))
    counted = generation.input_tokens
    deltas = [delta async for batch in generation.deltas() for delta in batch]
    assert counted == usage_of(deltas).input_tokens


@enlist(CASES)
async def counting_tells_the_tokens_of_the_prompt(engine: Engine, able: Abilities) -> None:
    chat = ask(able, "Hello, how are you?", tools=(WEATHER,))
    assert await engine.count(chat) == usage_of(await answer(engine, chat)).input_tokens
    await assert_free(engine, able)


@enlist(CASES)
async def a_prompt_beyond_the_context_is_counted(engine: Engine, able: Abilities) -> None:
    assert await engine.count(ask(able, "word " * (able.context_tokens + 100))) > able.context_tokens


@enlist(CASES)
async def the_token_limit_ends_the_answer_as_length(engine: Engine, able: Abilities) -> None:
    deltas = await answer(engine, ask(able, PROSE, max_tokens=8))
    assert deltas[-1] == Finish("length") and 0 < usage_of(deltas).output_tokens <= 8


@enlist(CASES)
async def a_prompt_beyond_the_context_is_refused_before_anything_is_said(engine: Engine, able: Abilities) -> None:
    chat = ask(able, "word " * (able.context_tokens + 100))
    heard: list[Delta] = []
    with pytest.raises(ContextLengthExceeded) as refusal:
        generation = await engine.prepare(chat)
        assert not able.counts_first, "prepare has to refuse it"
        async for batch in generation.deltas():
            heard.extend(batch)
    assert heard == [] and refusal.value.code == "context_length_exceeded"
    assert refusal.value.limit in (None, able.context_tokens)
    await assert_free(engine, able)


@enlist(CASES)
async def a_generation_may_be_closed_before_it_runs_and_twice(engine: Engine, able: Abilities) -> None:
    generation = await engine.prepare(ask(able, "Hello"))
    await generation.close()
    await generation.close()
    await assert_free(engine, able)


@enlist(CASES)
async def closing_in_mid_stream_ends_the_deltas(engine: Engine, able: Abilities) -> None:
    generation = await engine.prepare(unending(able))
    listener = Listener(generation)
    await listener.begun.wait()
    await generation.close()
    await generation.close()
    await asyncio.gather(listener.task, return_exceptions=True)
    assert listener.task.exception() is None or isinstance(listener.task.exception(), EngineError)
    assert Finish("stop") not in listener.deltas
    await assert_free(engine, able)


@enlist(CASES)
async def leaving_the_deltas_in_mid_stream_and_closing_frees_the_engine(engine: Engine, able: Abilities) -> None:
    generation = await engine.prepare(unending(able))
    async for batch in generation.deltas():
        if text_of(batch):
            break
    await generation.close()
    await assert_free(engine, able)


@enlist(CASES)
async def cancelling_the_consumer_in_mid_stream_frees_the_engine(engine: Engine, able: Abilities) -> None:
    generation = await engine.prepare(unending(able))
    listener = Listener(generation)
    await listener.begun.wait()
    listener.task.cancel()
    await asyncio.gather(listener.task, return_exceptions=True)
    assert listener.task.cancelled()
    await assert_free(engine, able)
    await generation.close()


@enlist(CASES)
async def four_generations_run_side_by_side(engine: Engine, able: Abilities) -> None:
    questions = [f"Tell me about the number {number}." for number in range(4)]
    answers = await asyncio.gather(*(answer(engine, ask(able, question)) for question in questions))
    assert all(text_of(deltas) for deltas in answers)


@enlist(CASES)
async def a_schema_shapes_the_text(engine: Engine, able: Abilities) -> None:
    form = OutputFormat("json_schema", "place", Raw(json.encode(PLACE)), strict=True)
    deltas = await answer(engine, ask(able, "Plan a trip to Lisbon.", max_tokens=200, output_format=form))
    assert deltas[-1] == Finish("stop")
    assert_valid(text_of(deltas), PLACE)


@enlist(CASES)
async def a_json_object_is_one(engine: Engine, able: Abilities) -> None:
    form = OutputFormat("json_object")
    chat = ask(able, 'Answer with a JSON object like {"ok": true}.', max_tokens=200, output_format=form)
    deltas = await answer(engine, chat)
    if deltas[-1] == Finish("stop"):
        assert isinstance(json.decode(text_of(deltas)), dict)


@enlist(CASES)
async def a_named_choice_calls_that_function_with_valid_arguments(engine: Engine, able: Abilities) -> None:
    chat = ask(
        able,
        "What will the weather in Lisbon be?",
        max_tokens=200,
        tools=[NOTES, WEATHER],
        tool_choice=ToolChoice("required", "get_weather"),
    )
    deltas = await answer(engine, chat)
    ((name, arguments),) = calls_of(deltas)
    assert name == "get_weather" and deltas[-1] == Finish("stop")
    assert_valid(arguments, PLACE)


@enlist(CASES)
async def a_required_call_calls_one_of_the_functions(engine: Engine, able: Abilities) -> None:
    tools = [NOTES, WEATHER]
    chat = ask(able, "Close the note.", max_tokens=200, tools=tools, tool_choice=ToolChoice("required"))
    calls = calls_of(await answer(engine, chat))
    schemas = {"close_note": NOTE, "get_weather": PLACE}
    assert calls
    for name, arguments in calls:
        assert_valid(arguments, schemas[name])


@enlist(CASES)
async def tools_may_be_offered_and_not_called(engine: Engine, able: Abilities) -> None:
    chat = ask(able, "Close the note.", tools=[NOTES, WEATHER], tool_choice=ToolChoice("none"))
    deltas = await answer(engine, chat)
    assert calls_of(deltas) == [] and text_of(deltas)


@enlist(CASES)
async def an_offer_of_tools_leaves_the_choice_open(engine: Engine, able: Abilities) -> None:
    deltas = await answer(engine, ask(able, "Close the note.", tools=[NOTES, WEATHER], max_tokens=60))
    assert calls_of(deltas) or text_of(deltas)
    assert {name for name, _ in calls_of(deltas)} <= {"close_note", "get_weather"}


@enlist(CASES)
async def a_stop_string_ends_the_text_before_it(engine: Engine, able: Abilities) -> None:
    whole = text_of(await answer(engine, ask(able, PROSE)))
    stop = whole.split()[3]
    sampling = Sampling(max_tokens=24, temperature=0.0, seed=1, stop=[stop])
    deltas = await answer(engine, ask(able, PROSE, sampling=sampling))
    assert stop not in text_of(deltas) and deltas[-1] == Finish("stop")


@enlist(CASES, needs="logprobs")
async def log_probabilities_come_one_for_each_token(engine: Engine, able: Abilities) -> None:
    sampling = Sampling(max_tokens=12, temperature=0.0, seed=1, logprobs=2)
    deltas = await answer(engine, ask(able, PROSE, sampling=sampling))
    entries = logprobs_of(deltas)
    assert b"".join(bytes(entry.bytes) for entry in entries) == text_of(deltas).encode()
    assert 0 < len(entries) <= usage_of(deltas).output_tokens
    assert all(entry.logprob <= 0 and len(entry.top_logprobs) == 2 for entry in entries)


@enlist(CASES)
async def log_probabilities_come_only_where_they_are_asked_for(engine: Engine, able: Abilities) -> None:
    assert logprobs_of(await answer(engine, ask(able, "Hello"))) == []


@enlist(CASES, needs="cached_tokens")
async def a_prompt_seen_before_is_cached(engine: Engine, able: Abilities) -> None:
    begun = [Message("system", "You are a guide who knows all rivers and mountains. " * 8), Message("user", "Hello")]
    first = await answer(engine, ask(able, *begun, cache_key="guide"))
    said = Message("assistant", text_of(first))
    second = await answer(engine, ask(able, *begun, said, "And now?", cache_key="guide"))
    usage = usage_of(second)
    assert 0 < usage.cached_tokens < usage.input_tokens


@enlist(CASES)
async def developer_and_system_messages_may_stand_anywhere(engine: Engine, able: Abilities) -> None:
    messages = [
        Message("system", "Be kind."),
        Message("developer", "Be brief."),
        Message("user", "Hello"),
        Message("assistant", "Hello!"),
        Message("developer", "Be even briefer."),
        Message("user", "What is a river?"),
        Message("developer", "One sentence."),
    ]
    assert text_of(await answer(engine, ask(able, *messages)))


@enlist(CASES)
async def a_history_of_calls_outputs_and_reasoning_is_taken(engine: Engine, able: Abilities) -> None:
    calls = [ToolCall("call_1", "get_weather", '{"city":"Lisbon"}'), ToolCall("call_2", "close_note", "not json")]
    messages = [
        Message("user", "What will the weather in Lisbon be? Then close the note."),
        Message("assistant", reasoning="I have to ask for it.", tool_calls=calls),
        Message("tool", "18 degrees", tool_call_id="call_1"),
        Message("tool", [TextPart("It is closed."), TextPart("Good.")], tool_call_id="call_2"),
    ]
    assert text_of(await answer(engine, ask(able, *messages, tools=[NOTES, WEATHER], tool_choice=ToolChoice("none"))))


@enlist(CASES)
async def consecutive_messages_of_one_role_are_taken(engine: Engine, able: Abilities) -> None:
    messages = [
        Message("user", "Hello"),
        Message("user", [TextPart("Are you"), TextPart("there?")]),
        Message("assistant", "Yes."),
        Message("assistant", "I am."),
        Message("user", "Good."),
    ]
    assert text_of(await answer(engine, ask(able, *messages)))


@enlist(CASES)
async def a_conversation_may_begin_with_an_assistant_message(engine: Engine, able: Abilities) -> None:
    assert text_of(await answer(engine, ask(able, Message("assistant", "How can I help?"), "Tell me about rivers.")))


@enlist(CASES, needs="continues_text")
async def an_answer_that_has_begun_is_gone_on_from(engine: Engine, able: Abilities) -> None:
    assert next(model for model in engine.models() if model.id == able.model).continues_text
    question = "Count: one two three four five six seven eight"
    whole = text_of(await answer(engine, ask(able, question)))
    begun = whole[: len(whole) // 2]
    rest = text_of(await answer(engine, ask(able, question, Message("assistant", begun))))
    assert rest and not rest.startswith(begun)


@enlist(CASES)
async def an_image_is_taken_or_refused_as_the_model_says(engine: Engine, able: Abilities) -> None:
    chat = ask(able, Message("user", [TextPart("What is this?"), ImagePart(PIXEL)]))
    if next(model for model in engine.models() if model.id == able.model).images:
        assert text_of(await answer(engine, chat))
        return
    with pytest.raises(ClientError):
        await engine.prepare(chat)
