"""Schemas that are small to send and would cost an engine a lot."""

from typing import Any

import pytest

from antiphon.core.request_limits import RequestLimits
from tests.live import Live, serve

Schema = dict[str, Any]


def nested(levels: int) -> Schema:
    schema: Schema = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def doubling(keyword: str) -> Schema:
    """Forty definitions, each of which holds the next one twice."""
    definitions: Schema = {"d40": {"type": "string"}}
    for index in range(40):
        deeper = {"$ref": f"#/$defs/d{index + 1}"}
        both = [deeper, deeper] if keyword != "properties" else {"a": deeper, "b": deeper}
        definitions[f"d{index}"] = {keyword: both, "required": ["a", "b"]}
    return {"$ref": "#/$defs/d0", "$defs": definitions}


REFUSED = [
    (nested(100), ""),
    ({"enum": [str(index) for index in range(2001)]}, ".enum"),
    ({"type": "array", "minItems": 10**9}, ".minItems"),
    ({"type": "array", "items": {"type": "string", "minLength": 10**9}}, ".items.minLength"),
    ({"type": "object", "minProperties": 1e9}, ".minProperties"),
    ({"anyOf": [{}, {"type": "string", "pattern": "a" * 2001}]}, ".anyOf[1].pattern"),
    ({"description": "a" * 300_000}, ""),
]
SERVED = [
    *map(doubling, ("allOf", "anyOf", "oneOf", "properties")),
    {"$ref": "#"},
    {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]},
    {"type": "string", "pattern": "^(a+)+$", "enum": ["a" * 40 + "b"]},
    {"type": "string", "pattern": "^((((a{100}){100}){100}){100}){100}$"},
    {"type": "object", "patternProperties": {"^(a|a)*$": {}}, "required": ["a" * 40 + "b"]},
    {"type": "array", "uniqueItems": True, "minItems": 1000, "items": {"enum": [str(each) for each in range(1000)]}},
    {"type": "number", "multipleOf": 1e-149, "minimum": 1e149},
    {"type": "string", "maxLength": 10**18},
    nested(50),
]


@pytest.mark.parametrize(("schema", "place"), REFUSED)
def test_a_schema_that_is_too_much_is_a_400_that_names_the_place(live: Live, schema: Schema, place: str) -> None:
    function = {"type": "function", "name": "f", "parameters": schema}
    asked: list[tuple[str, Schema]] = [
        ("text.format.schema", {"text": {"format": {"type": "json_schema", "name": "f", "schema": schema}}}),
        ("tools[0].parameters", {"tools": [function]}),
        ("tools[0].tools[0].parameters", {"tools": [{"type": "namespace", "name": "n", "tools": [function]}]}),
        ("input[1].tools[0].parameters", {"input": ["hi", {"type": "additional_tools", "tools": [function]}]}),
    ]
    for path, fields in asked:
        if "input" in fields:
            fields["input"][0] = {"role": "user", "content": "hi"}
            fields["input"][1]["role"] = "developer"
        answer = live.http.post("/v1/responses", json={"input": "hi", **fields})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, path + place), answer.text


@pytest.mark.timeout(30)
@pytest.mark.parametrize("schema", SERVED, ids=range(len(SERVED)))
def test_a_hostile_schema_does_not_hold_up_the_others(live: Live, schema: Schema) -> None:
    asked = {"type": "json_schema", "name": "f", "schema": schema, "strict": True}
    live.create("hi", text={"format": asked})
    live.create("hi", tools=[{"type": "function", "name": "f", "parameters": schema}], tool_choice="required")


def test_the_largest_schema_is_a_setting() -> None:
    schema = {"description": "a" * 2000}
    with serve(request_limits=RequestLimits(max_schema_bytes=1024)) as live:
        answer = live.http.post(
            "/v1/responses", json={"input": "hi", "tools": [{"type": "function", "name": "f", "parameters": schema}]}
        )
    assert answer.status_code == 400
    assert "max_schema_bytes" in answer.json()["error"]["message"]
