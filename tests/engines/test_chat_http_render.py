"""What is sent to chat-completions servers, and how their differences are met."""

import json
from typing import Any

import pytest
from msgspec import Raw

from antiphon.core.chat import (
    FilePart,
    Function,
    Grammar,
    ImagePart,
    Message,
    OutputFormat,
    Sampling,
    TextPart,
    ToolCall,
    ToolChoice,
)
from antiphon.engines.chat_quirks import GENERIC, LLAMA_CPP, VLLM, Quirks
from antiphon.engines.chat_render import estimate_input_tokens, render
from tests.engines.fake_upstream import chat

GET = Function("get", "Gets.", Raw(b'{"type":"object","properties":{}}'), strict=True)
PUT = Function("put")
GET_JSON = {
    "type": "function",
    "function": {
        "name": "get",
        "description": "Gets.",
        "parameters": {"type": "object", "properties": {}},
        "strict": True,
    },
}
PUT_JSON = {"type": "function", "function": {"name": "put"}}


def sent(quirks: Quirks = GENERIC, **given: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(render(chat(**given), quirks))
    return body


def test_a_plain_chat_says_no_more_than_it_must() -> None:
    assert sent() == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_system_messages_in_front_become_one_and_later_ones_stay() -> None:
    messages = [
        Message("system", "a"),
        Message("developer", (TextPart("b"), TextPart("c"))),
        Message("user", "d"),
        Message("developer", "e"),
    ]
    assert sent(messages=messages)["messages"] == [
        {"role": "system", "content": "a\n\nb\nc"},
        {"role": "user", "content": "d"},
        {"role": "system", "content": "e"},
    ]


def test_a_server_that_knows_developers_gets_them() -> None:
    quirks = Quirks(developer_role=True, many_system_messages=True)
    roles = [
        each["role"] for each in sent(quirks, messages=[Message("system", "a"), Message("developer", "b")])["messages"]
    ]
    assert roles == ["system", "developer"]


def test_parts_are_sent_as_such_only_where_there_is_more_than_text() -> None:
    mixed = Message(
        "user",
        (TextPart("a"), ImagePart("data:image/png;base64,AA==", "low"), FilePart("f.pdf", "data:application/pdf;,")),
    )
    tool = Message("tool", (TextPart("b"), TextPart("c")), tool_call_id="c1")
    assert sent(messages=[mixed, tool])["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
                {"type": "file", "file": {"filename": "f.pdf", "file_data": "data:application/pdf;,"}},
            ],
        },
        {"role": "tool", "content": "b\nc", "tool_call_id": "c1"},
    ]


@pytest.mark.parametrize(("quirks", "field"), [(VLLM, "reasoning"), (LLAMA_CPP, "reasoning_content")])
def test_an_assistant_turn_keeps_reasoning_and_calls(quirks: Quirks, field: str) -> None:
    turn = Message("assistant", None, reasoning="Hm", tool_calls=(ToolCall("c1", "get", '{"a": 1}'),))
    call = {"id": "c1", "type": "function", "function": {"name": "get", "arguments": '{"a": 1}'}}
    messages = [turn, Message("tool", "1", tool_call_id="c1")]
    assert sent(quirks, messages=messages)["messages"][0] == {
        "role": "assistant",
        "content": None,
        field: "Hm",
        "tool_calls": [call],
    }


@pytest.mark.parametrize(
    ("written", "rendered"),
    [("", {}), ("{oops", {"invalid_json": "{oops"}), ("[1]", {"invalid_json": "[1]"}), ('{"a":1}', {"a": 1})],
)
def test_earlier_arguments_are_always_an_object(written: str, rendered: object) -> None:
    turn = Message("assistant", None, tool_calls=(ToolCall("c1", "get", written),))
    call = sent(messages=[turn])["messages"][0]["tool_calls"][0]
    assert json.loads(call["function"]["arguments"]) == rendered


def test_only_vllm_must_be_told_to_go_on_with_a_final_assistant_message() -> None:
    messages = [Message("user", "Hi"), Message("assistant", "Hel")]
    body = sent(VLLM, messages=messages)
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    assert "continue_final_message" not in sent(LLAMA_CPP, messages=messages)
    assert "continue_final_message" not in sent(VLLM)


@pytest.mark.parametrize(
    ("quirks", "choice", "expected"),
    [
        (GENERIC, ToolChoice(), ([GET_JSON, PUT_JSON], "auto")),
        (GENERIC, ToolChoice("required"), ([GET_JSON, PUT_JSON], "required")),
        (
            GENERIC,
            ToolChoice("required", "put"),
            ([GET_JSON, PUT_JSON], {"type": "function", "function": {"name": "put"}}),
        ),
        (LLAMA_CPP, ToolChoice("required", "put"), ([PUT_JSON], "required")),
        (GENERIC, ToolChoice("none"), (None, None)),
        (VLLM, ToolChoice("none"), ([GET_JSON, PUT_JSON], "none")),
    ],
)
def test_tools_and_their_choice(quirks: Quirks, choice: ToolChoice, expected: object) -> None:
    body = sent(quirks, tools=[GET, PUT], tool_choice=choice, parallel_tool_calls=False)
    assert (body.get("tools"), body.get("tool_choice")) == expected
    assert body.get("parallel_tool_calls") is (False if "tools" in body else None)


def test_sampling_is_sent_under_the_servers_names() -> None:
    sampling = Sampling(temperature=0.0, max_tokens=5, top_k=3, repetition_penalty=1.1, seed=0, stop=("x",), logprobs=0)
    common = {"temperature": 0.0, "top_k": 3, "seed": 0, "stop": ["x"], "logprobs": True}
    assert (
        sent(VLLM, sampling=sampling).items()
        >= {
            **common,
            "max_completion_tokens": 5,
            "repetition_penalty": 1.1,
            "top_logprobs": 0,
        }.items()
    )
    assert (
        sent(LLAMA_CPP, sampling=sampling).items()
        >= {
            **common,
            "max_tokens": 5,
            "repeat_penalty": 1.1,
            "top_logprobs": 1,
        }.items()
    )


def test_the_output_format_carries_its_schema() -> None:
    schema = OutputFormat("json_schema", "answer", Raw(b'{"type":"object"}'), strict=True)
    assert sent(output_format=schema)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": {"type": "object"}},
    }
    assert sent(output_format=OutputFormat("json_object"))["response_format"] == {"type": "json_object"}


def test_effort_and_template_arguments_are_passed_on() -> None:
    body = sent(reasoning_effort="low", template_kwargs=Raw(b'{"enable_thinking":false}'))
    assert (body["reasoning_effort"], body["chat_template_kwargs"]) == ("low", {"enable_thinking": False})


def test_input_is_estimated_from_text_alone() -> None:
    image = ImagePart("data:image/png;base64," + "A" * 10_000)
    assert estimate_input_tokens(chat(messages=[Message("user", (TextPart("é" * 20), image))])) == 10


def test_a_salt_goes_to_servers_that_take_it_and_a_priority_to_all_that_are_given_one() -> None:
    assert sent(VLLM, cache_salt="s", priority=5)["cache_salt"] == "s"
    assert "cache_salt" not in sent(cache_salt="s")
    assert sent(priority=5)["priority"] == 5


def test_a_model_is_told_of_the_grammar_of_a_custom_tool() -> None:
    tool = Function("count", "Counts.", grammar=Grammar("regex", "[0-9]+"))
    (shown,) = sent(tools=[tool])["tools"]
    assert shown["function"]["description"] == (
        "Counts.\n\nThe whole of `input` must match this regular expression:\n[0-9]+"
    )
