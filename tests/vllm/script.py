"""What the tiny model is to say, decided from its prompt alone; no vLLM in here.

The directives of `antiphon.engines.scripted_directives` stand in the last user message: say, think, call, delay and
then mean what they mean there. Without any, the model tells the same endless story.
"""

from collections.abc import Sequence

from msgspec import Struct

from antiphon.engines.scripted_directives import Call, Pace, Say, Step, Think, parse_directives
from tests.vllm.tiny_model import MARK_IDS

START, END = MARK_IDS["<|im_start|>"], MARK_IDS["<|im_end|>"]
STORY = b"the river runs to the sea and the rain runs to the river and so " * 100
_THOUGHTS = (MARK_IDS["<think>"], MARK_IDS["</think>"])
_MARKS = {number: mark.encode() for mark, number in MARK_IDS.items()}


class Script(Struct, frozen=True):
    """The tokens to say, the end included, and how long each takes. `shortest` lead to the end of a grammar."""

    tokens: Sequence[int]
    token_delay_s: float = 0.0
    shortest: Sequence[int] = (END, *b'"}]:,1{[')


def script_of(prompt: Sequence[int]) -> Script:
    """The script that a rendered prompt asks for."""
    *turns, begun = _turns(prompt)
    reasons = next((token for token in reversed(prompt) if token in _THOUGHTS), None) != _THOUGHTS[1]
    said = _spoken(begun[1])
    users = [place for place, (role, _) in enumerate(turns) if role == "user"]
    last = users[-1] if users else 0
    outputs = any(role == "tool" for role, _ in turns[last:])
    rounds = parse_directives(spell(turns[last][1]).decode("utf-8", "replace")) if users else []
    steps = rounds[min(int(outputs), len(rounds) - 1)] if rounds and (len(rounds) > 1 or not outputs) else None
    if steps is None:
        return Script(_with_end(_answer(STORY, said), closes=reasons))
    delay_s = max([step.token_delay_s for step in steps if isinstance(step, Pace)], default=0.0)
    return Script(
        _with_end(_tokens(steps), closes=reasons and not any(isinstance(step, Think) for step in steps)), delay_s
    )


def spell(tokens: Sequence[int]) -> bytes:
    return b"".join(_MARKS.get(token) or bytes((token,)) for token in tokens if token in _MARKS or token < 256)


def _turns(prompt: Sequence[int]) -> list[tuple[str, list[int]]]:
    """The role and the tokens of every turn, the last of which is the answer to give."""
    turns: list[list[int]] = []
    for token in prompt:
        if token == START:
            turns.append([])
        elif turns:
            turns[-1].append(token)
    return [_turn(turn) for turn in turns] or [("assistant", [])]


def _turn(tokens: list[int]) -> tuple[str, list[int]]:
    end_of_role = tokens.index(10) if 10 in tokens else len(tokens)
    content = tokens[end_of_role + 1 :]
    return spell(tokens[:end_of_role]).decode("utf-8", "replace"), content[
        : content.index(END)
    ] if END in content else content


def _spoken(begun: list[int]) -> bytes:
    """The text of an answer that has begun, without its reasoning."""
    return spell(begun).rpartition(b"</think>")[2]


def _answer(text: bytes, said: bytes) -> bytes:
    return text[len(said) :] if text.startswith(said) else text


def _tokens(steps: Sequence[Step]) -> bytes:
    return b"".join(map(_written, steps))


def _written(step: Step) -> bytes:
    match step:
        case Say(text):
            return text.encode()
        case Think(text):
            return f"<think>{text}</think>".encode()
        case Call(name, arguments):
            return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'.encode()
    return b""


def _with_end(text: bytes, *, closes: bool) -> list[int]:
    """The tokens of `text`. `closes`: it says first that it is done with reasoning, as its parser expects."""
    if closes:
        text = b"</think>" + text
    tokens: list[int] = []
    while text:
        mark = next((mark for mark in _MARKS.values() if text.startswith(mark)), None)
        tokens.append(MARK_IDS[mark.decode()] if mark else text[0])
        text = text[len(mark or b"1") :]
    return [*tokens, END]
