"""Instances of JSON schemas, checked by jsonschema."""

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from antiphon.engines.schema_check import conforms
from antiphon.engines.schema_instance import instance

TREE: dict[str, Any] = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "string"},
                "left": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "right": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["value", "left", "right"],
            "additionalProperties": False,
        }
    },
}

VALID_BY_JSONSCHEMA: list[Any] = [
    True,
    {},
    {"type": "object"},
    {"type": "object", "minProperties": 3},
    {"type": "object", "minProperties": 2, "propertyNames": {"pattern": "^x-[a-z]+$"}},
    {"type": "object", "required": ["a", "b"], "additionalProperties": {"type": "integer"}},
    {"type": "object", "required": ["k1"], "patternProperties": {"^k": {"const": 3}}},
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "dependentRequired": {"a": ["b"]}},
    {"type": "array", "items": {"type": "integer"}, "minItems": 4, "uniqueItems": True},
    {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "items": {"type": "boolean"}, "maxItems": 0},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
    {"type": "array", "contains": {"const": 7}, "minItems": 2},
    {"type": ["string", "null"], "enum": ["x", None]},
    {"type": "string", "minLength": 300},
    {"type": "string", "maxLength": 2},
    {"type": "string", "pattern": "^[A-Z]{2}-\\d{4}$"},
    {"type": "string", "pattern": "^(red|green)\\s#[0-9a-f]{6}$", "minLength": 10},
    {"type": "string", "pattern": "^[^a-z]+$", "minLength": 9, "maxLength": 9},
    {"type": "string", "pattern": "\\.csv$", "minLength": 12},
    {"type": "string", "not": {"enum": ["text", "a"]}},
    {"type": "integer", "minimum": 5, "maximum": 5},
    {"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 7},
    {"type": "integer", "maximum": -3},
    {"type": "integer", "minimum": 10, "multipleOf": 7},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
    {"type": "number", "minimum": 0.05, "multipleOf": 0.01},
    {"type": "number", "maximum": 0, "exclusiveMinimum": -1e-9},
    {"minimum": 3},
    {"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 2}]},
    {"oneOf": [{"type": "object", "properties": {"k": {"const": "a"}}, "required": ["k"]}, {"type": "null"}]},
    {"anyOf": [{"type": "string", "maxLength": 0}, {"type": "null"}]},
    {"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}], "$defs": {"a": {"minimum": 3}, "b": {"type": "integer"}}},
    {
        "type": "object",
        "allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"required": ["b"]}],
        "properties": {"a": {"minLength": 12}, "b": {"type": "boolean"}},
    },
    {"allOf": [{"anyOf": [{"const": 1}, {"const": 2}]}, {"anyOf": [{"const": 2}, {"const": 3}]}]},
    {
        "type": "object",
        "properties": {"kind": {"enum": ["a", "b"]}},
        "required": ["kind"],
        "if": {"properties": {"kind": {"const": "a"}}},
        "then": {"required": ["extra"]},
    },
    {"type": "object", "properties": {"self": {"$ref": "#"}}},
    TREE,
    {"definitions": {"x": {"const": 5}}, "type": "array", "items": {"$ref": "#/definitions/x"}, "minItems": 1},
    {"$defs": {"x": {"$anchor": "here", "const": 5}}, "$ref": "#here"},
    *(
        {"type": "string", "format": name}
        for name in ("date", "date-time", "time", "email", "uri", "uuid", "ipv4", "ipv6")
    ),
]


def complaints(value: object, schema: Any) -> list[str]:
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [error.message for error in validator.iter_errors(value)]


@pytest.mark.parametrize("schema", VALID_BY_JSONSCHEMA, ids=str)
@pytest.mark.parametrize("hints", [[], ["Paris", "7", "false", "c", "2025-13-01", "x" * 400]], ids=["bare", "hinted"])
def test_an_instance_satisfies_its_schema(schema: Any, hints: list[str]) -> None:
    assert complaints(instance(schema, hints), schema) == []


@pytest.mark.parametrize(
    ("schema", "hints", "expected"),
    [
        ({"type": "string"}, ["Paris"], "Paris"),
        ({"type": "integer"}, ["Paris", "12"], 12),
        ({"type": "number"}, ["2.5"], 2.5),
        ({"type": "boolean"}, ["False"], False),
        ({"enum": ["celsius", "kelvin"]}, ["Kelvin"], "kelvin"),
        ({"enum": ["celsius", "kelvin"]}, [], "celsius"),
        ({"type": "string", "format": "date"}, ["soon", "2024-02-28"], "2024-02-28"),
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, ["Paris", "CDG"], "CDG"),
        ({"type": "string", "maxLength": 3}, ["Paris", "Rom"], "Rom"),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "required": ["a", "b"],
            },
            ["one", "two"],
            {"a": "one", "b": "two"},
        ),
        ({"type": "object", "properties": {"city": {"type": "string"}}}, ["Rome"], {"city": "Rome"}),
        ({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}, [], {"city": "city"}),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, ["a1", "b1"], ["a1", "b1"]),
    ],
)
def test_hints_are_used_in_order_where_they_fit(schema: Any, hints: list[str], expected: object) -> None:
    assert instance(schema, hints) == expected


def test_a_schema_that_nothing_satisfies_costs_little_and_still_gives_something() -> None:
    wrong: Any = {"type": "string", "pattern": "(?=a)b"}
    for name in ("a", "b", "c", "d", "e"):
        wrong = {"type": "object", "properties": {name: wrong, "z": wrong}, "required": [name, "z"]}
    began = time.perf_counter()
    assert isinstance(instance(wrong, []), dict)
    assert time.perf_counter() - began < 5


def test_a_recursion_without_an_end_gives_null() -> None:
    assert instance({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, []) is None
    assert instance({"$ref": "#"}, []) is None


NUMBERS = st.integers(-20, 20)
WORDS = st.sampled_from(["a", "b", "kind", "name", "x y"])
SCALARS = st.one_of(
    st.builds(lambda low, more: {"type": "integer", "minimum": low, "maximum": low + more}, NUMBERS, st.integers(0, 5)),
    st.builds(lambda high: {"type": "number", "exclusiveMaximum": high}, NUMBERS),
    st.builds(lambda step, low: {"type": "integer", "multipleOf": step, "minimum": low}, st.integers(1, 9), NUMBERS),
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more}, *[st.integers(0, 30)] * 2
    ),
    st.sampled_from(["date", "date-time", "email", "uuid", "uri"]).map(lambda name: {"type": "string", "format": name}),
    st.sampled_from(["^[a-f0-9]{8}$", "^\\w+@\\w+$", "^(a|b)?c*$", "[0-9]+"]).map(
        lambda p: {"type": "string", "pattern": p}
    ),
    st.lists(st.one_of(NUMBERS, WORDS, st.none(), st.booleans()), min_size=1).map(lambda values: {"enum": values}),
    st.one_of(NUMBERS, WORDS).map(lambda value: {"const": value}),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}, {}, True]),
)


def compound(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(WORDS, inner, max_size=4)
    return st.one_of(
        st.builds(
            lambda rules, closed, at: {
                "type": "object",
                "properties": rules,
                "required": sorted(rules)[at:],
                "additionalProperties": not closed,
            },
            properties,
            st.booleans(),
            st.integers(0, 3),
        ),
        st.builds(lambda item, least: {"type": "array", "items": item, "minItems": least}, inner, st.integers(0, 3)),
        st.builds(
            lambda items: {"type": "array", "prefixItems": items, "items": False},
            st.lists(inner, min_size=1, max_size=3),
        ),
        st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(
            lambda rules, more: {"allOf": [{"type": "object", "properties": rules}, {"required": more}]},
            properties,
            st.lists(WORDS),
        ),
        st.builds(lambda rule: {"$defs": {"it": rule}, "type": "array", "items": rule, "minItems": 1}, inner),
    )


SCHEMAS = st.recursive(SCALARS, compound, max_leaves=12)
HINTS = st.lists(st.one_of(st.text(max_size=12), WORDS, NUMBERS.map(str)), max_size=6)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=SCHEMAS, hints=HINTS)
def test_instances_of_random_schemas_satisfy_them(schema: Any, hints: list[str]) -> None:
    assert complaints(instance(schema, hints), schema) == []


KEYWORD_NAMES = """
type enum const items prefixItems contains minItems maxItems uniqueItems properties required minProperties
additionalProperties patternProperties propertyNames dependentRequired $ref $defs anyOf oneOf allOf not if then else
pattern format minLength maxLength minimum maximum exclusiveMinimum multipleOf a b
"""
KEYWORDS = st.sampled_from(KEYWORD_NAMES.split())
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.floats(-9, 9), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=8,
)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=SCHEMAS, value=VALUES)
def test_our_check_agrees_with_jsonschema(schema: Any, value: Any) -> None:
    assume("format" not in str(schema))  # which jsonschema takes as a remark
    assert conforms(value, schema, schema) == Draft202012Validator(schema).is_valid(value)


EXTREMES = st.sampled_from([1e308, -1e308, 1e-308, 10**400, 0, -1])
ODD = st.recursive(
    st.one_of(
        VALUES, st.floats(), st.integers(), st.sampled_from(["#", "#/items", "string", "object", "[", "(a{9}){9}"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYWORDS, inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=st.dictionaries(KEYWORDS, ODD, max_size=5))
@example(schema={"type": [], "minProperties": 2.0**63})
def test_nonsense_as_a_schema_never_raises(schema: Any) -> None:
    instance(schema, ["a", "7", "1e400"])
