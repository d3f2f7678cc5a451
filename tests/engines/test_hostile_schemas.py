"""What the engines here make of schemas and expressions has a bound in time, whatever they are."""

import contextlib
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from antiphon.engines.json_schema import constrainable
from antiphon.engines.pattern_cost import is_affordable
from antiphon.engines.pattern_text import pattern_texts
from antiphon.engines.schema_check import finds
from antiphon.engines.schema_instance import instance

LIMIT_S = 3.0
QUICK = settings(
    max_examples=80, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)

references = some.sampled_from(["#", "#/$defs/a", "#/$defs/b", "#/$defs/gone", "other.json", "#a", "#/properties/x"])
pieces = some.sampled_from(
    [*"ab^$.|()[]{}*+?\\-,0123456789", "(a+)+", "(a|a)*", "{1,999}", "\\d", "[^a]", "(?=a)", "\\1"]
)
patterns = some.lists(pieces, max_size=14).map("".join)
counts = some.one_of(
    some.integers(-5, 2000), some.floats(), some.sampled_from([10_000, 1e300, -1e300, True, "3", None])
)
plain = some.fixed_dictionaries(
    {},
    optional={
        "type": some.sampled_from(["object", "array", "string", "number", "integer", "null", ["string", "array"], 7]),
        "$ref": references,
        "pattern": patterns,
        "format": some.sampled_from(["date", "uuid", "email", "nonsense"]),
        "enum": some.lists(some.one_of(some.integers(), some.text(max_size=5), some.none()), max_size=5),
        "minItems": counts,
        "maxItems": counts,
        "minLength": counts,
        "maxLength": counts,
        "minProperties": counts,
        "minimum": counts,
        "multipleOf": counts,
        "minContains": counts,
        "uniqueItems": some.booleans(),
        "required": some.lists(some.sampled_from(["a", "b", "x", 3]), max_size=4),
    },
)


def grown(inner: some.SearchStrategy[Any]) -> some.SearchStrategy[Any]:
    tables = some.dictionaries(some.sampled_from(["a", "b", "x", "^(a+)+$"]), inner, max_size=3)
    lists = some.lists(inner, max_size=3)
    more = some.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("properties", "$defs", "patternProperties", "dependentSchemas"), tables),
            **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), lists),
            **dict.fromkeys(("items", "not", "if", "then", "contains", "additionalProperties", "propertyNames"), inner),
        },
    )
    return some.builds(lambda one, other: {**one, **other}, plain, more)


schemas = some.recursive(some.one_of(plain, some.booleans(), some.just("nonsense")), grown, max_leaves=8)


@QUICK
@given(schemas, some.lists(some.text(max_size=8), max_size=3))
def test_an_instance_of_any_schema_is_made_in_time(schema: Any, hints: list[str]) -> None:
    began = time.monotonic()
    instance(schema, hints)
    assert time.monotonic() - began < LIMIT_S


@QUICK
@given(schemas.filter(lambda schema: isinstance(schema, dict)), some.booleans(), some.booleans())
def test_a_schema_is_narrowed_or_refused_in_time(schema: dict[str, Any], bounded: bool, strict: bool) -> None:
    began = time.monotonic()
    with contextlib.suppress(ValueError):
        constrainable(schema, bounded=bounded, strict=strict)
    assert time.monotonic() - began < LIMIT_S


@QUICK
@given(patterns, some.text(alphabet="ab1", max_size=200))
def test_any_pattern_is_written_out_and_looked_for_in_time(pattern: str, text: str) -> None:
    began = time.monotonic()
    list(pattern_texts(pattern))
    finds(pattern, text, unknown=True)
    assert time.monotonic() - began < LIMIT_S


@pytest.mark.parametrize(
    ("pattern", "length", "expected"),
    [
        ("^[a-z]+-[a-z]+$", 60, True),
        (r"^[^@]+@[^@]+\.[a-z]+$", 30, True),
        (r"^\d{4}-\d{2}-\d{2}$", 1000, True),
        ("^(red|green|blue)$", 50, True),
        ("^(?:[a-z]{3}){2}$", 1000, True),
        ("[*+]{2}", 1000, True),
        ("^(a+)+$", 12, True),
        ("^(a+)+$", 40, False),
        ("^(a|a)*b", 40, False),
        ("(a?){50}a{50}", 50, False),
        ("a?" * 30 + "a" * 30, 30, False),
        (".*.*.*.*x", 1000, False),
        (r"^(a*)\1*\1*b$", 500, False),
    ],
)
def test_the_cost_of_a_pattern_is_reckoned(pattern: str, length: int, expected: bool) -> None:
    assert is_affordable(pattern, length) is expected
