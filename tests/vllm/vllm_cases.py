"""What of vLLM's own has to work over HTTP and in process alike, in the manner of the contract's cases."""

from collections.abc import Sequence
from secrets import token_hex

from msgspec import Raw, json
from msgspec.structs import replace

from antiphon.core.chat import Function, Grammar, ToolChoice
from antiphon.core.deltas import Delta, Finish, ReasoningDelta, TextDelta
from antiphon.core.toolbox import CUSTOM_PARAMETERS
from antiphon.errors import EngineError
from antiphon.ports import Engine
from tests.contracts.engine_asking import (
    Abilities,
    Case,
    answer,
    ask,
    assert_free,
    calls_of,
    enlist,
    reasoning_of,
    text_of,
    usage_of,
)
from tests.vllm.tiny_model import LORA

CASES: list[Case] = []
IN_PROCESS_CASES: list[Case] = []
"""Those that hold in process only."""

MOVE = Function("move", parameters=CUSTOM_PARAMETERS, grammar=Grammar("regex", "[NSWE][1-9]{2}"))
ROUTE = Function(
    "route",
    parameters=CUSTOM_PARAMETERS,
    grammar=Grammar("lark", 'start: step ("," step)*\nstep: WAY /[1-9]/\nWAY: "N" | "S"\n'),
)


def extra(**fields: object) -> Raw:
    return Raw(json.encode(fields))


@enlist(CASES)
async def an_adapter_is_a_model(engine: Engine, able: Abilities) -> None:
    assert LORA in [model.id for model in engine.models()]
    assert text_of(await answer(engine, replace(ask(able, "[[say:adapted]]"), model=LORA))) == "adapted"


@enlist(CASES)
async def the_text_is_one_of_the_choices(engine: Engine, able: Abilities) -> None:
    chat = ask(able, "[[say:other]]", extra_body=extra(structured_outputs={"choice": ["1", "12"]}))
    assert text_of(await answer(engine, chat)) in ("1", "12")


@enlist(CASES)
async def a_regular_expression_and_a_grammar_shape_the_text(engine: Engine, able: Abilities) -> None:
    for field, rule in (("regex", "a[0-9]b"), ("grammar", 'root ::= "a" [0-9] "b"')):
        chat = ask(able, "[[say:a7b]]", extra_body=extra(structured_outputs={field: rule}))
        assert text_of(await answer(engine, chat)) == "a7b"
        refused = ask(able, "[[say:a1]]", extra_body=extra(structured_outputs={field: rule}))
        assert text_of(await answer(engine, refused)) != "a1"


@enlist(CASES)
async def a_prompt_is_cut_to_the_tokens_asked_for(engine: Engine, able: Abilities) -> None:
    deltas = await answer(engine, ask(able, "word " * 60, extra_body=extra(truncate_prompt_tokens=50)))
    assert usage_of(deltas).input_tokens == 50


@enlist(CASES)
async def prompts_of_other_salts_are_not_cached(engine: Engine, able: Abilities) -> None:
    text = "A prompt of more than one block of the prefix cache, said by two tenants. " * 4
    run = token_hex(4)
    cached = [
        usage_of(await answer(engine, ask(able, text, cache_salt=f"{run}-{salt}"))).cached_tokens
        for salt in ("a", "b", "a")
    ]
    assert cached[:2] == [0, 0] and cached[2] > 0


@enlist(CASES)
async def priorities_are_taken(engine: Engine, able: Abilities) -> None:
    assert text_of(await answer(engine, ask(able, "[[say:soon]]", priority=-10))) == "soon"


@enlist(CASES)
async def a_forced_custom_tool_obeys_its_regular_expression(engine: Engine, able: Abilities) -> None:
    await obeyed(engine, able, MOVE, "N12")


@enlist(CASES)
async def a_forced_custom_tool_obeys_its_lark_grammar(engine: Engine, able: Abilities) -> None:
    await obeyed(engine, able, ROUTE, "N1,S2,N3")


async def obeyed(engine: Engine, able: Abilities, tool: Function, said: str) -> None:
    chat = ask(able, f"[[say:{said}]]", tools=[tool], tool_choice=ToolChoice("required", tool.name))
    deltas = await answer(engine, chat)
    assert [(name, json.decode(text)) for name, text in calls_of(deltas)] == [(tool.name, {"input": said})]
    assert deltas[-1] == Finish("stop")
    ((_, forced),) = calls_of(await answer(engine, replace(chat, messages=ask(able, "[[say:bad]]").messages)))
    assert json.decode(forced)["input"][:1] in ("N", "S", "W", "E")


@enlist(CASES)
async def a_forced_custom_tool_may_be_thought_about(engine: Engine, able: Abilities) -> None:
    chat = ask(able, "[[think:North.]][[say:N12]]", tools=[MOVE], tool_choice=ToolChoice("required"))
    deltas = await answer(engine, chat)
    assert reasoning_of(deltas) == "North."
    assert [(name, json.decode(text)) for name, text in calls_of(deltas)] == [("move", {"input": "N12"})]


@enlist(IN_PROCESS_CASES)
async def a_custom_tool_that_the_model_chooses_obeys_its_regular_expression(engine: Engine, able: Abilities) -> None:
    for said in ("N12", "bad"):
        chat = ask(able, f'[[call:move {{"input": "{said}"}}]]', tools=[MOVE], max_tokens=100)
        ((name, text),) = calls_of(await answer(engine, chat))
        assert name == "move"
        given = json.decode(text)["input"]
        assert len(given) == 3 and given[0] in "NSWE" and (given == said or said == "bad")


@enlist(IN_PROCESS_CASES)
async def images_are_known_to_be_refused(engine: Engine, able: Abilities) -> None:
    assert [model.images for model in engine.models()] == [False] * len(engine.models())


@enlist(IN_PROCESS_CASES)
async def what_comes_while_somebody_waits_is_handed_on_in_order(engine: Engine, able: Abilities) -> None:
    script = '[[delay:5]][[think:Let me see.]][[say:It is a fine day.]][[call:move {"input": "N12"}]]'
    chat = ask(able, script, tools=[MOVE], max_tokens=None)
    expected = await answer(engine, chat)
    generation = await engine.prepare(replace(chat, id="gen_2"))
    deltas, handed, more = list[Delta](), list[Delta](), list[str]()

    def take(batch: Sequence[Delta]) -> None:
        handed.extend(batch)
        deltas.extend(batch)

    def take_more(text: str) -> bool:
        assert isinstance(deltas[-1], TextDelta | ReasoningDelta)
        more.append(text)
        deltas.append(type(deltas[-1])(text))
        return True

    generation.hand_to(take, take_more)  # type: ignore[attr-defined]
    async for batch in generation.deltas():
        deltas += batch
    assert usage_of(deltas).output_tokens == usage_of(expected).output_tokens
    assert (reasoning_of(deltas), text_of(deltas).strip()) == ("Let me see.", "It is a fine day.")
    ((name, arguments),) = calls_of(deltas)
    assert (name, json.decode(arguments)) == ("move", {"input": "N12"})
    assert len(more) > 20 and handed and len(deltas) - len(more) - len(handed) < 15, (len(more), handed, deltas)


@enlist(IN_PROCESS_CASES)
async def what_a_hearer_raises_ends_that_generation_only(engine: Engine, able: Abilities) -> None:
    def refuse(_: Sequence[Delta]) -> None:
        raise EngineError("too much")

    chat = ask(able, "[[delay:5]][[say:It is a fine day.]]", max_tokens=None)
    generation, other = await engine.prepare(chat), await engine.prepare(replace(chat, id="gen_2"))
    generation.hand_to(refuse, lambda _: False)  # type: ignore[attr-defined]
    reading = other.deltas()
    said = [*await anext(reading)]
    try:
        async for _ in generation.deltas():
            pass
        raise AssertionError("nothing was raised")
    except EngineError as error:
        assert str(error) == "too much"
    async for batch in reading:
        said += batch
    assert text_of(said) == "It is a fine day."
    await assert_free(engine, able)


@enlist(IN_PROCESS_CASES)
async def without_tools_the_parser_is_asked_until_reasoning_is_over(engine: Engine, able: Abilities) -> None:
    script = "[[think:Let me see, <b>.]][[say:It is a <tool_call> fine {day}.]]"
    for tools, is_plain in (((), True), ((MOVE,), False)):
        generation = await engine.prepare(ask(able, script, tools=tools, max_tokens=None))
        deltas, was_plain = list[Delta](), list[bool]()
        async for batch in generation.deltas():
            deltas += batch
            was_plain.append(generation._reading.is_plain)  # type: ignore[attr-defined]
        assert (was_plain[0], was_plain[-2]) == (False, is_plain)
        assert reasoning_of(deltas) == "Let me see, <b>."
        assert not is_plain or text_of(deltas).strip() == "It is a <tool_call> fine {day}."
