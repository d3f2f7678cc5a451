"""What a real vLLM refuses is a 400 of ours that names the parameter, whichever way it is asked."""

from typing import Any

import openai
import pytest

from tests.vllm.serving import MODEL

pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.timeout(1800)]
NONSENSE = {"type": "nonsense"}


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
