"""What a model of the harmony format is to say: the same directives as `script`, in the channels of gpt-oss.

The encoding is the one that comes with vLLM; it brings its vocabulary along.
"""

import functools
from collections.abc import Sequence
from typing import Any

from antiphon.engines.scripted_directives import Call, Pace, Say, Step, Think, parse_directives
from tests.vllm.script import Script
from tests.vllm.script_processor import ScriptProcessor

RETURN, CALL = "<|return|>", "<|call|>"
_BEGIN = "<|start|>"
_SHORTEST = (RETURN, CALL, '"', "}", "]", ":", ",", "1", "{", "[")


@functools.cache
def encoding() -> Any:
    from openai_harmony import HarmonyEncodingName, load_harmony_encoding

    return load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)


def encode(text: str) -> list[int]:
    tokens: list[int] = encoding().encode(text, allowed_special="all")
    return tokens


def script_of(prompt: Sequence[int]) -> Script:
    """The script that a rendered prompt asks for: a short answer where it asks for none."""
    turns = [turn.partition("<|message|>") for turn in encoding().decode_utf8(list(prompt)).split(_BEGIN)[1:-1]]
    users = [place for place, (head, _, _) in enumerate(turns) if head.startswith("user")]
    last = users[-1] if users else 0
    rounds = parse_directives(turns[last][2]) if users else []
    outputs = any(head.startswith("functions.") for head, _, _ in turns[last:])
    steps = rounds[min(int(outputs), len(rounds) - 1)] if rounds else [Say("nothing")]
    delay_s = max([step.token_delay_s for step in steps if isinstance(step, Pace)], default=0.0)
    return Script(encode(_spelled(steps)), delay_s, shortest())


@functools.cache
def shortest() -> tuple[int, ...]:
    """The tokens that lead out of a grammar."""
    return tuple(token for text in _SHORTEST for token in encode(text))


def _spelled(steps: Sequence[Step]) -> str:
    """One message for each step; a call ends the turn."""
    messages = [message for step in steps if (message := _message(step))]
    text = f"<|end|>{_BEGIN}assistant".join(messages)
    return text if text.endswith(CALL) else text + RETURN


def _message(step: Step) -> str:
    match step:
        case Say(text):
            constrained = " <|constrain|>json" if text.startswith("{") else ""
            return f"<|channel|>final{constrained}<|message|>{text}"
        case Think(text):
            return f"<|channel|>analysis<|message|>{text}"
        case Call(name, arguments):
            return f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{arguments}{CALL}"
    return ""


class HarmonyScriptProcessor(ScriptProcessor):
    """Forces the tokens of such a script."""

    script_of = staticmethod(script_of)
