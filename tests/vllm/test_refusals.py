"""What a real vLLM refuses is a 400 of ours that names the parameter, whichever way it is asked."""

from typing import Any

import openai
import pytest

from tests.vllm.serving import CONTEXT_TOKENS, MODEL

pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.timeout(1800)]
NONSENSE = {"type": "nonsense"}
TURNS = [
    turn
    for number in range(12)
    for turn in (
        {"role": "user", "content": f"Turn {number}. {'word ' * 400}"},
        {"role": "assistant", "content": "ok"},
    )
]
HISTORY: Any = [*TURNS, {"role": "user", "content": "[[say:short]]"}]
# The share that is left free, and what a turn may be more or less than its share of the text.
MOST_TOKENS, LEAST_TOKENS = 0.92 * CONTEXT_TOKENS, 0.7 * CONTEXT_TOKENS


def custom(syntax: str, definition: str) -> dict[str, Any]:
    return {"type": "custom", "name": "f", "format": {"type": "grammar", "syntax": syntax, "definition": definition}}


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("temperature", {"temperature": 3}),
        ("seed", {"extra_body": {"seed": 2**63}}),
        ("text.format", {"text": {"format": {"type": "json_schema", "name": "f", "schema": NONSENSE, "strict": True}}}),
        ("tools", {"tools": [{"type": "function", "name": "f", "parameters": NONSENSE, "strict": True}]}),
        ("tools[0].format.definition", {"tools": [custom("regex", "(")], "tool_choice": "required"}),
        ("tools[0].format.definition", {"tools": [custom("lark", "start: (")], "tool_choice": "required"}),
    ],
)
def test_what_cannot_be_honoured_names_the_parameter(client: openai.OpenAI, param: str, fields: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        client.responses.create(model=MODEL, input="Hello", **fields)
    assert (refusal.value.type, refusal.value.param) == ("invalid_request_error", param)
    assert "Hello" not in refusal.value.message


def test_a_schema_refused_behind_an_open_stream_ends_it(client: openai.OpenAI) -> None:
    """vLLM looks at schemas in its engine: inside it we are told in time, over HTTP it has answered 200 by then."""
    form = {"type": "json_schema", "name": "f", "schema": NONSENSE, "strict": True}
    with pytest.raises(openai.APIError, match="nonsense"):
        list(client.responses.create(model=MODEL, input="Hello", stream=True, text={"format": form}))


def test_a_history_beyond_the_context_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        client.responses.create(model=MODEL, input=HISTORY, truncation="disabled")
    assert (refusal.value.code, refusal.value.param) == ("context_length_exceeded", "input")


def test_truncation_leaves_out_the_oldest_turns_and_room_for_the_answer(client: openai.OpenAI) -> None:
    whole = client.responses.input_tokens.count(model=MODEL, input=HISTORY).input_tokens
    assert whole > sum(len(turn["content"]) for turn in TURNS) > 1.2 * CONTEXT_TOKENS
    response = client.responses.create(model=MODEL, input=HISTORY, instructions="Be brief.", truncation="auto")
    assert (response.output_text, response.truncation) == ("short", "auto")
    assert LEAST_TOKENS < response.usage.input_tokens < MOST_TOKENS
