"""Too many tools or items are refused before any of them is read."""

import json
import time
from typing import Any

import pytest

from antiphon.core.schema_bounds import check_schemas
from antiphon.errors import InvalidRequest
from antiphon.wire.decode import decode_create

TOOL = {"type": "function", "name": "look_up", "parameters": {"type": "object", "properties": {}}}

PART = {"type": "input_text", "text": ""}


def space(tools: int) -> dict[str, Any]:
    return {"type": "namespace", "name": "n", "description": "d", "tools": [TOOL] * tools}


def brought(tools: int) -> dict[str, Any]:
    return {"type": "additional_tools", "role": "developer", "tools": [TOOL] * tools}


def decoded(**fields: Any) -> Any:
    return decode_create(json.dumps({"input": "hi"} | fields).encode())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [TOOL] * 1025}, "tools"),
        ({"tools": [TOOL] * 1025 + [7]}, "tools"),
        ({"tools": [space(1100), 7]}, "tools"),
        ({"tools": [TOOL] * 500 + [space(600)]}, "tools"),
        ({"input": [brought(600)] * 2}, "input[1].tools"),
        ({"tools": [TOOL] * 600, "input": [brought(500)]}, "input[0].tools"),
        ({"input": [{"role": "user", "content": [PART] * 100_001}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [PART] * 60_000}] * 2}, "input[1].content"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": [PART] * 100_001}]}, "input[0].output"),
        ({"context_management": [{"type": "compaction"}] * 1025}, "context_management"),
        ({"input": [{"role": "user", "content": "x"}] * 100_001}, "input"),
        ({"input": [{"role": "user", "content": "x"}] * 100_001 + [7]}, "input"),
    ],
)
def test_more_than_is_allowed_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decoded(**fields)
    assert (refused.value.param, refused.value.code) == (param, "array_above_max_length")


def test_as_many_as_are_allowed_are_read() -> None:
    assert len(decoded(tools=[TOOL] * 1024).tools) == 1024
    assert len(decoded(tools=[TOOL] * 423 + [space(600)]).tools) == 424


def test_a_hundred_thousand_tools_cost_next_to_nothing() -> None:
    body = json.dumps({"input": "hi", "tools": [TOOL] * 100_000}).encode()
    began = time.process_time()
    with pytest.raises(InvalidRequest):
        decode_create(body)
    assert time.process_time() - began < 0.5


def test_as_many_parts_as_are_allowed_are_read() -> None:
    request = decoded(input=[{"role": "user", "content": [PART] * 50_000}, {"role": "user", "content": "x" * 20_000}])
    assert len(request.input[0].content) == 50_000


def test_schemas_are_bounded_together() -> None:
    schema = {"type": "object", "description": "x" * 200_000}
    request = decoded(tools=[{**TOOL, "parameters": schema}] * 30)
    with pytest.raises(InvalidRequest) as refused:
        check_schemas(request.tools, None, (), 256 * 2**10)
    assert (refused.value.param, refused.value.code) == ("tools[20].parameters", "schema_too_large")
