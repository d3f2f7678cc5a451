"""Requests as clients really send them, and how the ones that cannot be honoured are refused."""

import json
from typing import Any

import pytest
from msgspec import Raw

from antiphon.errors import InvalidRequest
from antiphon.wire import tools
from antiphon.wire.content import InputFile, InputImage, InputText, OutputText, ReasoningText, Refusal, UrlCitation
from antiphon.wire.decode import decode_create
from antiphon.wire.items import (
    AdditionalTools,
    CompactionTrigger,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    ItemReference,
    Message,
    Reasoning,
    decode_item,
    encode_item,
)
from antiphon.wire.request import Conversation, CreateResponse, Extras, TextConfig, TextFormatJsonSchema
from antiphon.wire.unknown import UnknownAnnotation, UnknownItem, UnknownTool


def raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())


def read(strict: bool = False, **body: Any) -> CreateResponse:
    return decode_create(json.dumps(body).encode(), strict=strict)


def user(*parts: Any, **fields: Any) -> Message:
    return Message(role="user", content=parts, **fields)


def assistant(*parts: Any, **fields: Any) -> Message:
    return Message(role="assistant", content=parts, **fields)


HI, HO = InputText("hi"), OutputText("ho")
CITED = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
ODD = {"type": "odd", "x": 1}

ITEMS: list[tuple[Any, Any]] = [
    ({"role": "user", "content": "hi"}, user(HI)),
    ({"role": "user", "content": [{"type": "input_text", "text": "hi"}], "id": "msg-1"}, user(HI, id="msg-1")),
    ({"type": "message", "role": "user", "content": "hi", "status": None, "phase": None, "x": {}}, user(HI)),
    ({"role": "user", "content": [{"type": "output_text", "text": "hi", "annotations": []}]}, user(HI)),
    ({"role": "user", "content": [{"type": "text", "text": "hi"}]}, user(HI)),
    ({"role": "user", "content": []}, user()),
    ({"role": "developer", "content": "hi"}, Message(role="developer", content=(HI,))),
    (
        {"role": "user", "content": [{"type": "input_image", "image_url": "u", "file_id": None, "detail": None}]},
        user(InputImage(image_url="u")),
    ),
    (
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}]},
        user(InputImage(image_url="u", detail="low")),
    ),
    ({"role": "user", "content": [{"type": "image_url", "image_url": "u"}]}, user(InputImage(image_url="u"))),
    (
        {"role": "user", "content": [{"type": "input_file", "file_data": "d", "filename": "f"}]},
        user(InputFile(file_data="d", filename="f")),
    ),
    ({"role": "assistant", "content": "ho"}, assistant(HO)),
    ({"role": "assistant", "content": None}, assistant()),
    ({"role": "assistant", "content": [{"type": "input_text", "text": "ho"}]}, assistant(HO)),
    ({"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}, assistant(Refusal("no"))),
    (
        {
            "role": "assistant",
            "content": [{"type": "output_text", "text": "ho", "annotations": None, "logprobs": None}],
        },
        assistant(HO),
    ),
    (
        {"role": "assistant", "content": [{"type": "output_text", "text": "ho", "annotations": [CITED, ODD]}]},
        assistant(
            OutputText(
                "ho",
                (
                    UrlCitation(url="u", title="t", start_index=0, end_index=1),
                    UnknownAnnotation("odd", raw(ODD)),
                ),
            )
        ),
    ),
    (
        {"type": "reasoning", "summary": None, "content": None, "encrypted_content": None, "status": None},
        Reasoning(),
    ),
    (
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "r"}]},
        Reasoning(id="rs_1", content=(ReasoningText("r"),)),
    ),
    (
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}', "parsed_arguments": {"a": 1}},
        FunctionCall(call_id="c", name="f", arguments='{"a":1}'),
    ),
    (
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": {"a": 1}, "namespace": "n"},
        FunctionCall(call_id="c", name="f", arguments='{"a": 1}', namespace="n"),
    ),
    ({"call_id": "c", "name": "f", "arguments": None}, FunctionCall(call_id="c", name="f", arguments="{}")),
    ({"call_id": "c", "output": "o"}, FunctionCallOutput(call_id="c", output="o")),
    ({"type": "function_call_output", "call_id": "c", "output": None}, FunctionCallOutput(call_id="c", output="")),
    ({"type": "function_call_output", "name": "f", "output": "o"}, FunctionCallOutput(name="f", output="o")),
    (
        {"type": "function_call_output", "call_id": "c", "output": {"a": [1, None]}},
        FunctionCallOutput(call_id="c", output='{"a": [1, null]}'),
    ),
    (
        {"type": "function_call_output", "call_id": "c", "output": [{"a": 1}]},
        FunctionCallOutput(call_id="c", output='[{"a": 1}]'),
    ),
    ({"type": "function_call_output", "call_id": "c", "output": 3}, FunctionCallOutput(call_id="c", output="3")),
    (
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "hi"}]},
        FunctionCallOutput(call_id="c", output=(HI,)),
    ),
    (
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "text", "text": "hi"}]},
        FunctionCallOutput(call_id="c", output=(HI,)),
    ),
    ({"role": "tool", "tool_call_id": "c", "content": "o"}, FunctionCallOutput(call_id="c", output="o")),
    (
        {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x\ny"},
        CustomToolCall(call_id="c", name="f", input="x\ny"),
    ),
    (
        {"type": "custom_tool_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": "u"}]},
        CustomToolCallOutput(call_id="c", output=(InputImage(image_url="u"),)),
    ),
    ({"id": "msg_1"}, ItemReference("msg_1")),
    ({"id": "msg_1", "type": None}, ItemReference("msg_1")),
    ({"type": "compaction_trigger"}, CompactionTrigger()),
    (
        {"type": "additional_tools", "role": "developer", "tools": [{"type": "custom", "name": "exec"}, ODD]},
        AdditionalTools(tools=(tools.CustomTool(name="exec"), UnknownTool("odd", raw(ODD)))),
    ),
    (ODD, UnknownItem("odd", raw(ODD))),
]


@pytest.mark.parametrize(("sent", "item"), ITEMS, ids=lambda value: str(value)[:60])
def test_an_item_is_read_as_the_client_meant_it(sent: Any, item: Any) -> None:
    assert read(input=[sent]).input == (item,)
    assert decode_item(encode_item(item)) == item


def chat_call(call_id: str, name: str = "f", arguments: Any = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


CHATS: list[tuple[Any, tuple[Any, ...]]] = [
    ({"content": None, "tool_calls": [chat_call("a")]}, (FunctionCall(call_id="a", name="f", arguments="{}"),)),
    ({"content": "", "tool_calls": [chat_call("a")]}, (FunctionCall(call_id="a", name="f", arguments="{}"),)),
    (
        {"tool_calls": [chat_call("a", arguments={"x": 1}), chat_call("b", "g", None)]},
        (
            FunctionCall(call_id="a", name="f", arguments='{"x": 1}'),
            FunctionCall(call_id="b", name="g", arguments="{}"),
        ),
    ),
    (
        {"content": "I look.", "tool_calls": [chat_call("a")]},
        (
            Message(role="assistant", content=(OutputText("I look."),)),
            FunctionCall(call_id="a", name="f", arguments="{}"),
        ),
    ),
    (
        {"content": None, "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "p", "input": "x"}}]},
        (CustomToolCall(call_id="a", name="p", input="x"),),
    ),
    ({"content": "x", "tool_calls": None}, (Message(role="assistant", content=(OutputText("x"),)),)),
    ({"content": "x", "tool_calls": []}, (Message(role="assistant", content=(OutputText("x"),)),)),
]


@pytest.mark.parametrize(("sent", "items"), CHATS, ids=lambda value: str(value)[:60])
def test_an_assistant_message_of_chat_completions_is_read_as_its_text_and_calls(
    sent: Any, items: tuple[Any, ...]
) -> None:
    output = {"role": "tool", "tool_call_id": "a", "content": "o"}
    found = read(input=[{"role": "user", "content": "hi"}, {"role": "assistant", **sent}, output]).input
    assert found == (user(HI), *items, FunctionCallOutput(call_id="a", output="o"))


def test_strict_mode_refuses_calls_of_chat_completions() -> None:
    with pytest.raises(InvalidRequest):
        read(strict=True, input=[{"role": "assistant", "content": "x", "tool_calls": [chat_call("a")]}])


TOOLS: list[tuple[Any, Any]] = [
    (
        {"type": "function", "name": "f", "parameters": {"type": "object", "default": None}, "strict": None},
        tools.FunctionTool(name="f", parameters=raw({"type": "object", "default": None})),
    ),
    (
        {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}},
        tools.FunctionTool(name="f", parameters=raw({}), strict=True),
    ),
    (
        {"type": "web_search", "filters": None, "user_location": None, "external_web_access": True},
        tools.WebSearchTool(external_web_access=True),
    ),
    (
        {"type": "custom", "name": "p", "format": {"type": "grammar", "syntax": "lark", "definition": "d"}},
        tools.CustomTool(name="p", format=tools.Grammar("lark", "d")),
    ),
    (
        {"type": "namespace", "name": "n", "description": "d", "tools": [{"type": "function", "name": "f"}]},
        tools.NamespaceTool("n", "d", (tools.FunctionTool(name="f"),)),
    ),
    (ODD, UnknownTool("odd", raw(ODD))),
]


@pytest.mark.parametrize(("sent", "tool"), TOOLS, ids=lambda value: str(value)[:60])
def test_a_tool_is_read_as_the_client_meant_it(sent: Any, tool: Any) -> None:
    assert read(tools=[sent]).tools == (tool,)


FIELDS: list[tuple[Any, Any]] = [
    ({}, CreateResponse()),
    ({"input": "hi"}, CreateResponse(input=(user(HI),))),
    ({"include": None, "metadata": None, "max_output_tokens": None, "tools": None}, CreateResponse()),
    ({"max_output_tokens": 16.0, "temperature": 1}, CreateResponse(max_output_tokens=16, temperature=1.0)),
    ({"conversation": "conv_1"}, CreateResponse(conversation=Conversation("conv_1"))),
    ({"conversation": {"id": "conv_1"}}, CreateResponse(conversation=Conversation("conv_1"))),
    ({"tool_choice": "required"}, CreateResponse(tool_choice="required")),
    (
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        CreateResponse(tool_choice=tools.ToolChoiceFunction("f")),
    ),
    ({"tool_choice": {"type": "odd"}}, CreateResponse(tool_choice=tools.ToolChoiceHosted("odd"))),
    (
        {"text": {"format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}, "verbosity": None}},
        CreateResponse(text=TextConfig(TextFormatJsonSchema(name="s", schema=raw({})))),
    ),
    (
        {"stop": ["a"], "seed": 1, "top_k": 5.0, "min_p": 0, "chat_template_kwargs": {"x": 1}, "client_metadata": {}},
        CreateResponse(extras=Extras(stop=("a",), seed=1, top_k=5, min_p=0.0, chat_template_kwargs=raw({"x": 1}))),
    ),
    ({"stop": "a", "extras": {"seed": 1}}, CreateResponse(extras=Extras(stop="a"))),
]


@pytest.mark.parametrize(("sent", "request_"), FIELDS, ids=lambda value: str(value)[:60])
def test_a_field_is_read_as_the_client_meant_it(sent: Any, request_: CreateResponse) -> None:
    assert read(**sent) == request_


def part(value: Any) -> Any:
    return {"input": [{"role": "user", "content": [{"type": "input_text", "text": "x"}, value]}]}


def chat(call: Any) -> Any:
    return {"input": [{"role": "assistant", "tool_calls": [chat_call("a"), call]}]}


REFUSALS: list[tuple[Any, str, str]] = [
    ({"model": 5}, "model", "invalid_type"),
    ({"temperature": "1"}, "temperature", "invalid_type"),
    ({"max_output_tokens": True}, "max_output_tokens", "invalid_type"),
    ({"max_output_tokens": 3.5}, "max_output_tokens", "invalid_type"),
    ({"stream": 1}, "stream", "invalid_type"),
    ({"truncation": "some"}, "truncation", "invalid_value"),
    ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "invalid_value"),
    ({"metadata": {"a": 1}}, "metadata.a", "invalid_type"),
    ({"input": 5}, "input", "invalid_type"),
    ({"input": ["x"]}, "input[0]", "invalid_type"),
    ({"input": [{"foo": 1}]}, "input[0].type", "missing_required_parameter"),
    ({"input": [{"role": "user"}]}, "input[0].type", "missing_required_parameter"),
    ({"input": [{"type": "message", "role": "user"}]}, "input[0].content", "missing_required_parameter"),
    ({"input": [{"type": "message", "content": "x"}]}, "input[0].role", "missing_required_parameter"),
    ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role", "invalid_value"),
    ({"input": [{"type": 5}]}, "input[0].type", "invalid_type"),
    (part({"type": "input_text"}), "input[0].content[1].text", "missing_required_parameter"),
    (part({"type": "input_text", "text": 5}), "input[0].content[1].text", "invalid_type"),
    (part({"type": "input_odd"}), "input[0].content[1]", "invalid_value"),
    (part({"type": "image_url", "image_url": {"url": 5}}), "input[0].content[1].image_url.url", "invalid_type"),
    (
        part({"type": "image_url", "image_url": {"url": "u", "detail": "odd"}}),
        "input[0].content[1].image_url.detail",
        "invalid_value",
    ),
    ({"input": [{"role": "tool", "tool_call_id": 5, "content": "x"}]}, "input[0].tool_call_id", "invalid_type"),
    (chat({"id": 5}), "input[0].tool_calls[1].id", "invalid_type"),
    (chat({"function": {"name": "f"}}), "input[0].tool_calls[1].id", "missing_required_parameter"),
    (chat({"id": "b"}), "input[0].tool_calls[1].function", "missing_required_parameter"),
    (chat({"id": "b", "function": {}}), "input[0].tool_calls[1].function.name", "missing_required_parameter"),
    (chat("x"), "input[0].tool_calls[1]", "invalid_type"),
    ({"input": [{"role": "assistant", "tool_calls": 5}]}, "input[0].tool_calls", "invalid_type"),
    ({"input": [{"type": "function_call", "call_id": "c"}]}, "input[0].name", "missing_required_parameter"),
    ({"tools": [{"type": "function"}]}, "tools[0].name", "missing_required_parameter"),
    ({"tools": [{"type": "function", "name": "f", "parameters": []}]}, "tools[0].parameters", "invalid_type"),
    ({"tools": [{"type": "function", "function": {"name": 5}}]}, "tools[0].function.name", "invalid_type"),
    (
        {"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "custom"}]}]},
        "tools[0].tools[0].name",
        "missing_required_parameter",
    ),
    ({"tool_choice": "some"}, "tool_choice", "invalid_value"),
    ({"tool_choice": {"type": "function"}}, "tool_choice.name", "missing_required_parameter"),
    ({"text": {"format": {"type": "xml"}}}, "text.format", "invalid_value"),
    ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema", "missing_required_parameter"),
    ({"chat_template_kwargs": 1}, "chat_template_kwargs", "invalid_type"),
]


@pytest.mark.parametrize(("sent", "param", "code"), REFUSALS, ids=lambda value: str(value)[:60])
def test_what_cannot_be_honoured_is_refused_with_its_path(sent: Any, param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**sent)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert param in caught.value.message or code == "invalid_value"


STRICT: list[tuple[Any, str]] = [
    ({"seed": 1}, "seed"),
    ({"extras": {}}, "extras"),
    ({"client_metadata": {}}, "client_metadata"),
    ({"input": [{"role": "user", "content": "x", "cache": 1}]}, "input[0].cache"),
    (part({"type": "input_text", "text": "x", "bold": True}), "input[0].content[1].bold"),
    ({"tools": [{"type": "function", "name": "f", "cached": 1}]}, "tools[0].cached"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].function"),
    ({"reasoning": {"budget": 1}}, "reasoning.budget"),
]


@pytest.mark.parametrize(("sent", "param"), STRICT, ids=lambda value: str(value)[:60])
def test_strict_mode_refuses_keys_that_are_not_openais(sent: Any, param: str) -> None:
    read(**sent)
    with pytest.raises(InvalidRequest) as caught:
        read(strict=True, **sent)
    assert (caught.value.param, caught.value.code) == (param, "unknown_parameter")
    assert caught.value.message == f"Unknown parameter: '{param}'."


@pytest.mark.parametrize(
    "sent",
    [{"input": [ODD]}, {"tools": [ODD]}, part({"type": "text", "text": "x"}), {"tool_choice": {"type": "odd"}}],
    ids=str,
)
def test_strict_mode_refuses_types_that_are_not_openais(sent: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(strict=True, **sent)
    assert caught.value.code == "invalid_value"


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b"", "not valid JSON", "invalid_json"),
        (b'{"model": "m"', "not valid JSON", "invalid_json"),
        (b'{"model": "\xff"}', "not valid UTF-8", "invalid_json"),
        (b'{"tools": [{"type": "x", "y": "\xff"}]}', "not valid UTF-8", "invalid_json"),
        (b'{"input": "\\ud800"}', "not valid JSON", "invalid_json"),
        (b'{"input": ' + b"[" * 100_000, "nested too deeply", "invalid_json"),
        (b'{"tools": [{"type": "x", "y":' + b"[" * 900 + b"]" * 900 + b"}]}", "", None),
        (b"[]", "expected an object, but got an array", "invalid_type"),
        (b"null", "expected an object, but got null", "invalid_type"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_body_that_is_no_request_is_refused_as_a_whole(body: bytes, message: str, code: str | None) -> None:
    try:
        decode_create(body)
    except InvalidRequest as error:
        assert message in error.message
        assert (error.param, error.code) == (None, code or "invalid_json")
    else:
        assert code is None


def test_nothing_that_was_read_refers_to_the_body() -> None:
    body = bytearray(json.dumps({"tools": [{"type": "function", "name": "f", "parameters": {"a": 1}}, ODD]}).encode())
    found = decode_create(bytes(body)).tools
    assert len(memoryview(found[0].parameters)) == len('{"a": 1}')  # type: ignore[union-attr, arg-type]
    assert bytes(found[1].body) == json.dumps(ODD).encode()  # type: ignore[union-attr]
