"""The official SDK on a real model: shapes are asserted, never words."""

import json
from collections.abc import Iterator

import openai
import pydantic
import pytest

from antiphon.engines.embedded import EmbeddedEngine
from antiphon.stores.sql import SqlStore
from tests.builtin_model import builtin_model
from tests.live import Live, serve
from tests.openapi_schema import validate_event, validate_response

MODEL = "tiny"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


class Person(pydantic.BaseModel):
    """Small enough for the smallest model."""

    name: str = pydantic.Field(max_length=20)
    is_tall: bool


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    engine = EmbeddedEngine(builtin_model(), model_id=MODEL, context_tokens=2048, threads=1, parallel=2)
    store = SqlStore(tmp_path_factory.mktemp("data") / "antiphon.sqlite3")
    with serve(engine, store) as live:
        yield live


@pytest.fixture
def client(live: Live) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=live.base_url, api_key="none", max_retries=0, timeout=60) as client:
        yield client


def test_a_streamed_answer_is_whole_in_stream_and_store(client: openai.OpenAI) -> None:
    asked = {"model": MODEL, "input": "Tell me a long story about a fox.", "max_output_tokens": 24, "temperature": 0}
    events = list(client.responses.create(**asked, stream=True))
    for event in events:
        validate_event(event.to_json())
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    last = events[-1].response

    assert len(deltas) > 3
    assert last.output_text == "".join(deltas)
    assert last.usage.output_tokens <= 24
    assert client.responses.retrieve(last.id).output_text == last.output_text


def test_a_chain_continues_what_was_said(client: openai.OpenAI) -> None:
    first = client.responses.create(model=MODEL, input="My name is Ada.", max_output_tokens=16)
    second = client.responses.create(
        model=MODEL, input="What is my name?", previous_response_id=first.id, max_output_tokens=16
    )
    validate_response(second.to_json())

    assert second.usage.input_tokens > first.usage.input_tokens + first.usage.output_tokens
    assert len(client.responses.input_items.list(second.id).data) == 3


def test_a_structured_answer_satisfies_its_schema(client: openai.OpenAI) -> None:
    answer = client.responses.parse(
        model=MODEL, input="Describe a person.", text_format=Person, max_output_tokens=120, temperature=0
    )

    assert isinstance(answer.output_parsed, Person)


def test_a_forced_call_has_valid_arguments(client: openai.OpenAI) -> None:
    answer = client.responses.create(
        model=MODEL,
        input="What is the weather in Paris?",
        tools=[WEATHER],
        tool_choice={"type": "function", "name": "get_weather"},
        max_output_tokens=120,
        temperature=0,
    )
    (call,) = answer.output

    assert (call.type, call.name, call.status) == ("function_call", "get_weather", "completed")
    assert isinstance(json.loads(call.arguments)["city"], str)
