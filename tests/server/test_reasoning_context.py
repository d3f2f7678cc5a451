"""`reasoning`: how hard to think reaches the engine in the model's form, and which earlier thoughts it sees again."""

from typing import Any

import msgspec
import pytest

from tests.live import serve
from tests.server.asked import AskedEngine


def test_effort_takes_the_form_of_the_model_s_family() -> None:
    with serve(engine := AskedEngine("Qwen3-8B", "gpt-oss-20b")) as live:
        live.create("hi", model="Qwen3-8B", reasoning={"effort": "none"})
        live.create("hi", model="gpt-oss-20b", reasoning={"effort": "xhigh"})
    qwen, gpt_oss = engine.asked
    assert (qwen.reasoning_effort, msgspec.json.decode(qwen.template_kwargs or b"")) == (
        None,
        {"enable_thinking": False},
    )
    assert (gpt_oss.reasoning_effort, gpt_oss.template_kwargs) == ("high", None)


def test_a_setting_names_the_family_of_models_with_other_names() -> None:
    with serve(engine := AskedEngine("my-model"), reasoning_family="granite") as live:
        live.create("hi", reasoning={"effort": "low"})
    assert msgspec.json.decode(engine.asked[0].template_kwargs or b"") == {"thinking": True}


@pytest.mark.parametrize(
    ("context", "shown"),
    [(None, ["one"]), ("auto", ["one"]), ("all_turns", ["one"]), ("current_turn", [None])],
)
def test_earlier_thoughts_are_shown_again_as_far_as_the_request_wants(
    context: str | None, shown: list[str | None]
) -> None:
    with serve(engine := AskedEngine()) as live:
        first = live.create("[[think:one]][[say:a]]")
        second = live.create("[[say:c]]", previous_response_id=first["id"], reasoning={"context": context})
    assistant: list[Any] = [message for message in engine.asked[-1].messages if message.role == "assistant"]
    assert [message.reasoning for message in assistant] == shown
    removed = [each["reason"] for each in second.get("input_transformations", [])]
    assert removed == (["turn_boundary"] if context == "current_turn" else [])


def test_thoughts_of_the_turn_that_calls_tools_stay() -> None:
    tool = {"type": "function", "name": "f"}
    with serve(engine := AskedEngine()) as live:
        first = live.create("[[think:one]][[call:f {}]][[then]][[say:done]]", tools=[tool])
        output = {"type": "function_call_output", "call_id": first["output"][-1]["call_id"], "output": "x"}
        live.create([output], previous_response_id=first["id"], tools=[tool], reasoning={"context": "current_turn"})
    assert "one" in [message.reasoning for message in engine.asked[-1].messages]
