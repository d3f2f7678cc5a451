"""Each rule of a request: what breaks it, and what the client is told."""

import json
from typing import Any

import pytest

from antiphon.core.validate import INCLUDABLE, check, check_include
from antiphon.errors import InvalidRequest
from antiphon.wire.decode import decode_create

IMAGE = {"type": "input_image", "image_url": "https://example.org/a.png"}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}


def content(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": list(parts)}]}


def schema_format(**fields: Any) -> dict[str, Any]:
    return {"text": {"format": {"type": "json_schema", "name": "a", "schema": {}} | fields}}


def request(fields: dict[str, Any]) -> Any:
    return decode_create(json.dumps({"model": "m", "input": "hi"} | fields).encode())


BROKEN: list[tuple[dict[str, Any], str, str]] = [
    ({"temperature": -0.1}, "temperature", "decimal_below_min_value"),
    ({"temperature": 2.1}, "temperature", "decimal_above_max_value"),
    ({"top_p": -1}, "top_p", "decimal_below_min_value"),
    ({"top_p": 1.01}, "top_p", "decimal_above_max_value"),
    ({"max_output_tokens": 15}, "max_output_tokens", "integer_below_min_value"),
    ({"max_tool_calls": 0}, "max_tool_calls", "integer_below_min_value"),
    ({"top_logprobs": -1}, "top_logprobs", "integer_below_min_value"),
    ({"top_logprobs": 21}, "top_logprobs", "integer_above_max_value"),
    ({"presence_penalty": 2.5}, "presence_penalty", "decimal_above_max_value"),
    ({"presence_penalty": -2.5}, "presence_penalty", "decimal_below_min_value"),
    ({"frequency_penalty": 2.5}, "frequency_penalty", "decimal_above_max_value"),
    ({"frequency_penalty": -2.5}, "frequency_penalty", "decimal_below_min_value"),
    ({"min_p": 1.5}, "min_p", "decimal_above_max_value"),
    ({"safety_identifier": "x" * 129}, "safety_identifier", "string_above_max_length"),
    ({"include": ["message.output_text.logprobs", "everything"]}, "include[1]", "invalid_value"),
    ({"metadata": {f"k{n}": "v" for n in range(17)}}, "metadata", "object_above_max_properties"),
    ({"metadata": {"k" * 65: "v"}}, "metadata", "string_above_max_length"),
    ({"metadata": {"k": "v" * 513}}, "metadata.k", "string_above_max_length"),
    (schema_format(name="no spaces"), "text.format.name", "invalid_value"),
    (schema_format(name="x" * 65), "text.format.name", "invalid_value"),
    ({"tools": [{"type": "function", "name": "no spaces"}]}, "tools[0].name", "invalid_value"),
    ({"tools": [FUNCTION, {"type": "custom", "name": ""}]}, "tools[1].name", "invalid_value"),
    (
        {"input": [{"type": "additional_tools", "tools": [FUNCTION | {"name": ""}]}]},
        "input[0].tools[0].name",
        "invalid_value",
    ),
    (
        {"tools": [{"type": "namespace", "name": "n", "tools": [FUNCTION, {"type": "function", "name": "ü"}]}]},
        "tools[0].tools[1].name",
        "invalid_value",
    ),
    (
        {"conversation": "conv_1", "previous_response_id": "resp_1"},
        "previous_response_id",
        "mutually_exclusive_parameters",
    ),
    ({"input": []}, "input", "missing_required_parameter"),
    (content({"type": "input_file", "file_id": "file_1"}), "input[0].content[0].file_id", "unsupported_value"),
    (content(IMAGE, {"type": "input_image", "file_id": "file_1"}), "input[0].content[1].file_id", "unsupported_value"),
    (content(IMAGE | {"image_url": "file:///etc/passwd"}), "input[0].content[0].image_url", "invalid_image_url"),
    (
        {"input": [{"type": "function_call_output", "call_id": "c", "output": [IMAGE | {"image_url": "ftp://x"}]}]},
        "input[0].output[0].image_url",
        "invalid_image_url",
    ),
    (
        {"input": [{"type": "custom_tool_call_output", "call_id": "c", "output": [{"type": "input_file"}]}]},
        "input[0].output[0].file_data",
        "missing_required_parameter",
    ),
]


@pytest.mark.parametrize(("fields", "param", "code"), BROKEN)
def test_a_broken_rule_names_its_parameter(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check(request(fields))
    assert (refused.value.status, refused.value.param, refused.value.code) == (400, param, code)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"temperature": 0, "top_p": 0, "max_output_tokens": 16, "max_tool_calls": 1, "top_logprobs": 0},
        {"temperature": 2, "top_p": 1, "top_logprobs": 20},
        {"presence_penalty": -2, "frequency_penalty": 2, "min_p": 1},
        {"safety_identifier": "x" * 128, "metadata": {"k" * 64: "v" * 512} | {f"k{n}": "" for n in range(15)}},
        {"include": sorted(INCLUDABLE)},
        schema_format(name="x" * 64),
        {"tools": [FUNCTION, {"type": "custom", "name": "c.d-e_F9"}, {"type": "web_search"}]},
        {"tools": [{"type": "namespace", "name": "n", "tools": [FUNCTION]}]},
        {"tools": [FUNCTION | {"parameters": None}]},
        content(IMAGE, IMAGE | {"image_url": "data:image/png;base64,AA=="}),
        {"input": [], "instructions": "Begin."},
        {"input": [], "previous_response_id": "resp_1"},
        {"background": False, "prompt": None, "conversation": None},
        {"background": True, "await_tool_outputs": True},
    ],
)
def test_what_keeps_the_rules_passes(fields: dict[str, Any]) -> None:
    check(request(fields))


def test_a_query_s_include_is_checked_under_its_own_name() -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_include(["nothing"], "include")
    assert refused.value.param == "include[0]"
