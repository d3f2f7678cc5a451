"""What is tried: for each thing the requests that show whether it works, and who judges their answers."""

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence

from msgspec import Struct

from antiphon.doctor import judges
from antiphon.doctor.answers import Answer
from antiphon.doctor.findings import Cure
from antiphon.doctor.judges import ODD_WORDS


class Probe(Struct, frozen=True, kw_only=True):
    """Requests that are sent one after the other, and the judge of the last answer.

    `cure` is what helps where it is missing, `refusal` what a refusal shows where it is not the server's.
    """

    name: str
    title: str
    requests: Sequence[Mapping[str, object]]
    judge: judges.Judge
    cure: Cure | None = None
    refusal: judges.Verdict | None = None

    def verdict(self, answers: Sequence[Answer]) -> judges.Verdict:
        """What the answers to the requests show."""
        return judges.verdict_on(answers, self.judge, self.refusal)


_SHORT = 64
_LONG = 512
_ODD: Mapping[str, object] = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": list(ODD_WORDS)}},
    "required": ["colour"],
    "additionalProperties": False,
}
_WEATHER: Mapping[str, object] = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": False,
}
_COLOUR: Mapping[str, object] = {"type": "function", "name": "choose", "parameters": _ODD, "strict": True}
_TALE = " ".join(f"In the year {year} the mill by the river ground {year % 97} sacks of wheat." for year in range(60))


def _message(role: str, text: str) -> Mapping[str, object]:
    return {"type": "message", "role": role, "content": text}


def _call(call_id: str, arguments: str) -> Mapping[str, object]:
    return {"type": "function_call", "call_id": call_id, "name": "weather", "arguments": arguments}


def _with_grammar(syntax: str, definition: str) -> Mapping[str, object]:
    grammar = {"type": "grammar", "syntax": syntax, "definition": definition}
    return {
        "input": "Use the tool once, with any code.",
        "tools": [{"type": "custom", "name": "code", "description": "Takes a code.", "format": grammar}],
        "tool_choice": {"type": "custom", "name": "code"},
        "max_output_tokens": _LONG,
    }


def _png() -> str:
    """A small red square, as a data URL."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    side = 64
    rows = zlib.compress((b"\0" + b"\xff\0\0" * side) * side)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    image = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(image).decode()


PROBES: Sequence[Probe] = (
    Probe(
        name="answers",
        title="answers",
        requests=[{"input": "Say hello.", "max_output_tokens": _SHORT}],
        judge=judges.answered,
        cure="template",
    ),
    Probe(
        name="instructions",
        title="instructions and developer messages, also between turns",
        requests=[
            {
                "instructions": "Be brief.",
                "input": [
                    _message("developer", "Answer in English."),
                    _message("user", "Say one."),
                    _message("assistant", "One."),
                    _message("developer", "From now on answer in capitals."),
                    _message("user", "Say two."),
                ],
                "max_output_tokens": _SHORT,
            }
        ],
        judge=judges.accepted,
        cure="template",
    ),
    Probe(
        name="turns",
        title="calls and their outputs in the history",
        requests=[
            {
                "input": [
                    _message("user", "How is the weather in Paris and in Rome?"),
                    _call("call_a1b2c3d4e", '{"city":"Paris"}'),
                    _call("call_f5g6h7i8j", '{"city":"Rome"}'),
                    {"type": "function_call_output", "call_id": "call_a1b2c3d4e", "output": "Rain."},
                    {"type": "function_call_output", "call_id": "call_f5g6h7i8j", "output": "Sun."},
                ],
                "max_output_tokens": _SHORT,
            }
        ],
        judge=judges.accepted,
        cure="template",
    ),
    Probe(
        name="tools",
        title="tools that the model chooses to call",
        requests=[
            {
                "input": "How is the weather in Paris? Call the tool to find out.",
                "tools": [_WEATHER],
                "max_output_tokens": _LONG,
            }
        ],
        judge=judges.called(1),
        cure="tools",
    ),
    Probe(
        name="parallel_tools",
        title="several calls at once",
        requests=[
            {
                "input": "How is the weather in Paris and in Rome? Call the tool twice at once, once for each city.",
                "tools": [_WEATHER],
                "max_output_tokens": _LONG,
            }
        ],
        judge=judges.called(2),
        cure="tools",
    ),
    Probe(
        name="forced_tools",
        title="tools that must be called",
        requests=[
            {
                "input": "How is the weather in Paris?",
                "tools": [_WEATHER],
                "tool_choice": "required",
                "max_output_tokens": _LONG,
            }
        ],
        judge=judges.forced,
        cure="tools",
    ),
    Probe(
        name="strict_tools",
        title="arguments that obey a strict tool's schema",
        requests=[
            {
                "input": "Choose a colour.",
                "tools": [_COLOUR],
                "tool_choice": {"type": "function", "name": "choose"},
                "max_output_tokens": _LONG,
            }
        ],
        judge=judges.strictly_called,
        cure="strict",
    ),
    Probe(
        name="structured_output",
        title="answers that obey a JSON schema",
        requests=[
            {
                "input": "Name a colour.",
                "text": {"format": {"type": "json_schema", "name": "colour", "schema": _ODD, "strict": True}},
                "max_output_tokens": _LONG,
            }
        ],
        judge=judges.strictly_answered,
    ),
    Probe(
        name="regex_grammar",
        title="custom tools with a regular expression",
        requests=[_with_grammar("regex", "[XYZ]{4}-[0-9]{3}")],
        judge=judges.obeyed(r"[XYZ]{4}-[0-9]{3}"),
    ),
    Probe(
        name="lark_grammar",
        title="custom tools with a Lark grammar",
        requests=[_with_grammar("lark", 'start: "code " DIGITS\nDIGITS: /[0-9]{3}/')],
        judge=judges.obeyed(r"code [0-9]{3}"),
    ),
    Probe(
        name="reasoning",
        title="thoughts apart from the answer",
        requests=[{"input": "What is 17 times 23? Think first.", "max_output_tokens": _LONG}],
        judge=judges.reasoned,
        cure="reasoning",
    ),
    Probe(
        name="cached_tokens",
        title="tokens read from the server's cache are reported",
        requests=[{"input": f"{_TALE} Sum this up.", "max_output_tokens": 16}] * 2,
        judge=judges.cached,
        cure="cache",
    ),
    Probe(
        name="logprobs",
        title="log probabilities",
        requests=[
            {
                "input": "Say hello.",
                "include": ["message.output_text.logprobs"],
                "top_logprobs": 5,
                "max_output_tokens": _SHORT,
            }
        ],
        judge=judges.weighed,
        cure="logprobs",
    ),
    Probe(
        name="images",
        title="images",
        requests=[
            {
                "input": [
                    {
                        "type": "message",
                        "role": "user",
                        "content": [
                            {"type": "input_text", "text": "What is this?"},
                            {"type": "input_image", "image_url": _png(), "detail": "low"},
                        ],
                    }
                ],
                "max_output_tokens": _SHORT,
            }
        ],
        judge=judges.accepted,
        refusal=("model", "it takes none"),
    ),
)
