"""Counting and compacting by the official Python client, unmodified."""

import openai
from openai.types.responses import ResponseCompactionItem

MODEL = "scripted"


def test_input_tokens_are_counted(client: openai.OpenAI) -> None:
    counted = client.responses.input_tokens.count(model=MODEL, input="hello there", instructions="Be brief.")
    response = client.responses.create(model=MODEL, input="hello there", instructions="Be brief.")
    assert response.usage is not None
    assert (counted.object, counted.input_tokens) == ("response.input_tokens", response.usage.input_tokens)


def test_a_compacted_conversation_is_the_next_input(client: openai.OpenAI) -> None:
    first = client.responses.create(model=MODEL, input="My name is Ada.")
    compacted = client.responses.compact(model=MODEL, previous_response_id=first.id)
    *_, item = compacted.output
    assert compacted.object == "response.compaction"
    assert isinstance(item, ResponseCompactionItem)
    assert compacted.usage.total_tokens > 0

    following = [*(each.to_dict() for each in compacted.output), {"role": "user", "content": "hello"}]
    response = client.responses.create(model=MODEL, input=following)  # type: ignore[arg-type]  # as it came
    assert response.output_text == "Echo: hello"


def test_the_stream_helper_takes_a_compaction(client: openai.OpenAI) -> None:
    asked = [{"role": "user", "content": "hello"}, {"type": "compaction_trigger"}]
    with client.responses.stream(model=MODEL, input=asked) as stream:  # type: ignore[arg-type]  # a list of dicts
        kinds = [event.type for event in stream]
        (item,) = stream.get_final_response().output
    assert item.type == "compaction"
    assert "response.compaction.compacting" in kinds
