"""The words in which servers say that a prompt is too long, and what their other refusals become."""

import json

import pytest
from msgspec.structs import replace

from antiphon.core.chat import ChatRequest, Function, OutputFormat
from antiphon.engines.chat_errors import name_grammar, refused
from antiphon.errors import ContentFiltered, ContextLengthExceeded, EngineError, InvalidRequest

ASKED = ChatRequest(id="gen_1", model="m", messages=[])
LIMIT = "This model's maximum context length is 4096 tokens. "
TOO_LONG = [
    (LIMIT + "However, your request has 4176 input tokens. Please reduce the length.", 4176, 4096),
    (LIMIT + "However, you requested 5000 tokens (4400 in the messages, 600 in the completion).", 4400, 4096),
    (LIMIT + "However, your messages resulted in 6164 tokens.", 6164, 4096),
    (LIMIT + "However, you requested 9 output tokens and your prompt contains at least 4088 input tokens.", 4088, 4096),
    ("this model's maximum context length is 4096 tokens, but the prompt contains 5000 input tokens", 5000, 4096),
    ("The decoder prompt (length 5000) is longer than the maximum model length of 4096.", 5000, 4096),
    ("request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it", 5000, 4096),
    ("The input (5000 tokens) is longer than the model's context length (4096 tokens).", 5000, 4096),
    ("the request exceeds the available context size", None, None),
    ("prompt is too long: 5000 tokens > 4096 maximum", None, None),
]


@pytest.mark.parametrize(("message", "input_tokens", "limit"), TOO_LONG)
def test_a_prompt_that_is_too_long_is_understood(message: str, input_tokens: int | None, limit: int | None) -> None:
    error = refused(400, {}, json.dumps({"error": {"message": message}}).encode())
    assert isinstance(error, ContextLengthExceeded)
    assert (error.input_tokens, error.limit) == (input_tokens, limit)
    assert error.message == message


def test_the_code_alone_says_so_too() -> None:
    body = b'{"error": {"message": "no", "code": "context_length_exceeded"}}'
    assert isinstance(refused(400, {}, body), ContextLengthExceeded)


@pytest.mark.parametrize(
    ("upstream", "ours"),
    [
        ("temperature", "temperature"),
        ("messages", "input"),
        ("body.messages.0.content", "input"),
        ("body.seed", "seed"),
        ("tool_choice.function.name", "tool_choice"),
        ("best_of", None),
        (None, None),
    ],
)
def test_the_parameter_is_named_as_our_api_names_it(upstream: str | None, ours: str | None) -> None:
    error = refused(400, {}, json.dumps({"error": {"message": "bad", "param": upstream}}).encode())
    assert isinstance(error, InvalidRequest)
    assert error.param == ours


@pytest.mark.parametrize(
    ("chat", "param"),
    [
        (replace(ASKED, output_format=OutputFormat("json_schema")), "text.format"),
        (replace(ASKED, tools=[Function("f")]), "tools"),
        (ASKED, None),
    ],
)
def test_a_refused_grammar_is_that_of_the_format_or_the_tools(chat: ChatRequest, param: str | None) -> None:
    for message, named in (("Grammar error: Invalid type: nonsense", param), ("The weather is bad.", None)):
        error = refused(400, {}, json.dumps({"error": {"message": message}}).encode())
        name_grammar(error, chat)
        assert error.param == named


def test_an_image_that_cannot_be_read_is_the_inputs_fault_and_no_address_is_told() -> None:
    message = "Failed to load image: cannot identify image file <_io.BytesIO object at 0x7f8cfd199b70>"
    error = refused(400, {}, json.dumps({"error": {"message": message}}).encode())
    assert error.param == "input"
    assert error.message.endswith("<_io.BytesIO object>")


def test_an_error_without_its_envelope_is_understood() -> None:
    error = refused(400, {}, b'{"object":"error","message":"bad","type":"BadRequestError","param":null,"code":400}')
    assert isinstance(error, InvalidRequest)
    assert error.message == "bad"


@pytest.mark.parametrize("body", [b"", b"<html>", b"\x80", b"[]", b'{"error": []}', b"[" * 5000])
@pytest.mark.parametrize("status", [302, 400, 404, 418, 500])
def test_a_body_without_an_error_is_the_engines_fault(status: int, body: bytes) -> None:
    error = refused(status, {}, body)
    assert type(error) is EngineError
    assert error.message == f"The engine failed with status {status}."


def test_input_that_the_engines_filter_refused_is_the_clients_fault() -> None:
    body = b'{"error": {"message": "Filtered.", "code": "content_filter", "param": "prompt", "status": 400}}'
    error = refused(400, {}, body)
    assert isinstance(error, ContentFiltered)
    assert (error.message, error.param, error.code) == ("Filtered.", "input", "content_filter")
