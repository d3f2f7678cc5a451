"""What the scripted engine answers: a pure function from a request to the steps to play.

In this order: the steps that directives of the last user text prescribe for this round; else, after tool outputs, a
text that quotes them; else a call of the tool that fits the text; else an echo. Where a schema is asked for, the text
is an instance of it. An assistant message at the end is the beginning of this very answer.
"""

from collections.abc import Sequence
from itertools import takewhile

from msgspec import DecodeError, Raw, Struct, json

from antiphon.core.chat import ChatRequest, Function, Message, TextPart, encode_json
from antiphon.core.chat_order import SHOWN_HERE
from antiphon.engines.schema_instance import instance
from antiphon.engines.scripted_directives import Call, Say, Step, Think, parse_directives
from antiphon.engines.scripted_tokens import plain_text
from antiphon.engines.scripted_words import best_match, hints_of

MAX_QUOTED_CHARS = 2000
MAX_THOUGHT_CHARS = 80


class _Situation(Struct, frozen=True):
    """The last user text, the tool outputs that came last, and how many batches of outputs came since that text."""

    text: str
    outputs: Sequence[str]
    batches: int


def plan(chat: ChatRequest) -> Sequence[Step]:
    """The steps that answer `chat`."""
    messages = list(chat.messages)
    begun: list[Message] = []
    while messages and messages[-1].role == "assistant":
        begun.insert(0, messages.pop())
    situation = _situation(messages)
    steps = _limit_calls(chat, _think_first(chat, situation, _decide(chat, situation)))
    return _go_on(steps, begun) if begun else steps


def _situation(messages: Sequence[Message]) -> _Situation:
    said = (at for at, message in enumerate(messages) if message.role == "user" and not _shows(message))
    asked = max(said, default=-1)
    since = messages[asked + 1 :]
    outputs = [at for at, message in enumerate(since) if message.role == "tool"]
    batches = sum(at == 0 or since[at - 1].role != "tool" for at in outputs)
    last = list(takewhile(lambda message: message.role != "assistant", reversed(since))) if outputs else []
    text = plain_text(messages[asked].content) if messages else ""
    quoted = [plain_text(message.content) for message in reversed(last) if message.role == "tool"]
    return _Situation(text=text, outputs=quoted, batches=batches)


def _shows(message: Message) -> bool:
    """Whether a user message is none of the user's, but shows what a tool returned."""
    content = message.content
    return content is not None and not isinstance(content, str) and TextPart(SHOWN_HERE) in content[:1]


def _decide(chat: ChatRequest, situation: _Situation) -> Sequence[Step]:
    rounds = parse_directives(situation.text)
    if situation.batches < len(rounds):
        return rounds[situation.batches]
    if not situation.outputs and (function := _choose(chat, situation.text)):
        return [Call(function.name, encode_json(_arguments(function, situation.text)))]
    return [Say(_text(chat, situation))]


def _choose(chat: ChatRequest, text: str) -> Function | None:
    """The function to call, if any."""
    choice = chat.tool_choice
    if choice.mode == "none" or not chat.tools:
        return None
    if choice.mode == "required" and choice.name is not None:
        return next((each for each in chat.tools if each.name == choice.name), None)
    at = best_match(text, [(each.name, each.description or "") for each in chat.tools])
    if at is not None:
        return chat.tools[at]
    return chat.tools[0] if choice.mode == "required" else None


def _arguments(function: Function, text: str) -> object:
    grammar = function.grammar
    if grammar is not None and grammar.syntax == "regex":
        rule = {"type": "string", "pattern": f"^(?:{grammar.definition})$"}
        return {"input": instance(rule, hints_of(text))}
    return instance(_schema(function.parameters, {"type": "object"}), hints_of(text))


def _schema(raw: Raw | None, default: object) -> object:
    if raw is None:
        return default
    try:
        found: object = json.decode(raw)
    except DecodeError:
        return default
    return default if found is None else found


def _text(chat: ChatRequest, situation: _Situation) -> str:
    hints = [*situation.outputs, *hints_of(situation.text)]
    match chat.output_format.kind:
        case "json_schema":
            return encode_json(instance(_schema(chat.output_format.schema, {"type": "object"}), hints))
        case "json_object":
            return encode_json({"answer": situation.outputs[0] if situation.outputs else situation.text})
    if situation.outputs:
        return "\n".join(f'The tool answered: "{_shortened(output)}"' for output in situation.outputs)
    return f"Echo: {situation.text}"


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_QUOTED_CHARS else text[: MAX_QUOTED_CHARS - 1] + "…"


def _think_first(chat: ChatRequest, situation: _Situation, steps: Sequence[Step]) -> Sequence[Step]:
    if chat.reasoning_effort in (None, "none") or any(isinstance(step, Think) for step in steps):
        return steps
    topic = situation.outputs[0] if situation.outputs else situation.text
    return [Think(f"Thinking about: {topic[:MAX_THOUGHT_CHARS]}"), *steps]


def _limit_calls(chat: ChatRequest, steps: Sequence[Step]) -> Sequence[Step]:
    if chat.parallel_tool_calls:
        return steps
    first = next((step for step in steps if isinstance(step, Call)), None)
    return [step for step in steps if not isinstance(step, Call) or step is first]


def _go_on(steps: Sequence[Step], begun: Sequence[Message]) -> Sequence[Step]:
    """What is left of `steps` after `begun`; all of the text, where it begins differently."""
    said = "".join(plain_text(message.content) for message in begun)
    calls_made = sum(len(message.tool_calls) for message in begun)
    thought = any(message.reasoning for message in begun)
    planned = "".join(step.text for step in steps if isinstance(step, Say))
    to_skip = len(said) if planned.startswith(said) else 0
    left: list[Step] = []
    for step in steps:
        match step:
            case Think():
                if not said and not calls_made and not thought:
                    left.append(step)
            case Call() if calls_made:
                calls_made -= 1
            case Say():
                left.append(Say(step.text[to_skip:]))
                to_skip = max(0, to_skip - len(step.text))
            case _:
                left.append(step)
    return [step for step in left if step != Say("")]
