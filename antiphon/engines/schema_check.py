"""Whether a value satisfies a JSON schema, as far as the scripted engine needs to know before it says the value.

Covers the assertions of draft 2020-12 and the older spellings that clients send (`definitions`, `items` as a list).
What it does not know it takes as satisfied: `$dynamicRef`, `unevaluated…`, references to other documents, and
patterns that Python cannot read, or that a text might be held against for ever.

Spec: https://json-schema.org/draft/2020-12/json-schema-validation
"""

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import cast

from antiphon.engines.pattern_cost import is_affordable

Object = Mapping[str, object]
MAX_DEPTH = 64
MAX_MAGNITUDE = 1e150

# 29 February is left out: most years do not have it.
_DATE = r"(?!0000)\d{4}-((0[13578]|1[02])-31|(0[13-9]|1[0-2])-(29|30)|(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8]))"
_TIME = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)"
FORMATS: Mapping[str, tuple[str, str]] = {  # name: (an example, the pattern of all)
    "date": ("2025-01-15", _DATE),
    "date-time": ("2025-01-15T09:30:00Z", f"{_DATE}T{_TIME}"),
    "time": ("09:30:00Z", _TIME),
    "duration": ("PT1H30M", r"P(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?(?<![PT])"),
    "email": ("someone@example.com", r"[\w.+-]+@[\w-]+(\.[\w-]+)+"),
    "idn-email": ("someone@example.com", r"[\w.+-]+@[\w-]+(\.[\w-]+)+"),
    "hostname": ("host.example.com", r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9-]+)*"),
    "ipv4": ("192.0.2.1", r"((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(?!$)|$)){4}"),
    "ipv6": ("2001:db8::1", r"2001:db8::[0-9a-f]{1,4}"),
    "uri": ("https://example.com/", r"[a-z][a-z0-9+.-]*://[\w.-]+(:\d+)?(/[\w./%~-]*)?(\?[\w=&.%-]*)?"),
    "uri-reference": ("https://example.com/", r"[a-z][a-z0-9+.-]*://[\w.-]+(/[\w./%~-]*)?"),
    "uuid": ("3f2b8c1e-5d4a-4e6f-9a7b-0c1d2e3f4a5b", r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "json-pointer": ("/a", r"(/[\w.-]*)*"),
    "regex": ("^a$", r"[\w^$]*"),
}


def conforms(value: object, schema: object, root: object, depth: int = 0) -> bool:
    """Whether `value` satisfies `schema`, whose references are read in `root`."""
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return True
    fits = _fits_kind(value, schema, root, depth)
    return fits and _fits_branches(value, schema, root, depth)


def resolve(root: object, reference: object) -> object:
    """What `#/a/b` or `#anchor` names in `root`; True (anything goes) for what is not there."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return True
    if reference != "#" and not reference.startswith("#/"):
        return next((each for each in _definitions(root) if each.get("$anchor") == reference[1:]), True)
    found = root
    for step in reference[2:].split("/") if reference != "#" else ():
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            return True
    return found


def types_of(schema: Object) -> Sequence[str]:
    """The types that `type` allows; empty when it allows all."""
    kind = schema.get("type")
    if isinstance(kind, str):
        return (kind,)
    return tuple(each for each in kind if isinstance(each, str)) if isinstance(kind, list) else ()


def is_type(value: object, kind: str) -> bool:
    match kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return _is_number(value) and cast(float, value) % 1 == 0
        case "number":
            return _is_number(value)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
    return True


def number(keyword: object) -> int | float | None:
    """The number a keyword gives, if it is one and of a size that can be reckoned with."""
    return cast(float, keyword) if _is_number(keyword) and abs(cast(float, keyword)) < MAX_MAGNITUDE else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(one: object, other: object) -> bool:
    """Equality as JSON has it: 1 is 1.0, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return one == other


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str] | None:
    """`pattern` as Python reads it, or None if it cannot."""
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return None


def finds(pattern: str, text: str, *, unknown: bool) -> bool:
    """Whether `pattern` is found in `text`; `unknown` where that cannot be said, or not in good time."""
    expression = compiled(pattern) if is_affordable(pattern, len(text)) else None
    return unknown if expression is None else expression.search(text) is not None


def _definitions(root: object) -> Sequence[Object]:
    if not isinstance(root, Mapping):
        return ()
    tables = (root.get("$defs"), root.get("definitions"))
    return [
        each for table in tables if isinstance(table, Mapping) for each in table.values() if isinstance(each, Mapping)
    ]


def _fits_kind(value: object, schema: Object, root: object, depth: int) -> bool:
    kinds = types_of(schema)
    if kinds and not any(is_type(value, kind) for kind in kinds):
        return False
    options = schema.get("enum")
    if isinstance(options, list) and not any(same(value, option) for option in options):
        return False
    if "const" in schema and not same(value, schema["const"]):
        return False
    match value:
        case str():
            return _fits_string(value, schema)
        case list():
            return _fits_array(value, schema, root, depth)
        case dict():
            return _fits_object(value, schema, root, depth)
    return not _is_number(value) or _fits_number(cast(float, value), schema)


def _fits_number(value: int | float, schema: Object) -> bool:
    bounds: tuple[tuple[str, Callable[[float, float], bool]], ...] = (
        ("minimum", lambda low, it: it >= low),
        ("maximum", lambda high, it: it <= high),
        ("exclusiveMinimum", lambda low, it: it > low),
        ("exclusiveMaximum", lambda high, it: it < high),
    )
    for keyword, holds in bounds:
        bound = number(schema.get(keyword))
        if bound is not None and not holds(bound, value):
            return False
    step = number(schema.get("multipleOf"))
    return not step or Fraction(str(value)) % Fraction(str(step)) == 0


def _fits_string(value: str, schema: Object) -> bool:
    if not _fits_size(len(value), schema, "Length"):
        return False
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and not finds(pattern, value, unknown=True):
        return False
    known = FORMATS.get(str(schema.get("format")))
    return known is None or re.fullmatch(known[1], value) is not None


def _fits_size(size: int, schema: Object, noun: str) -> bool:
    low, high = number(schema.get(f"min{noun}")), number(schema.get(f"max{noun}"))
    return (low is None or size >= low) and (high is None or size <= high)


def _fits_array(value: list[object], schema: Object, root: object, depth: int) -> bool:
    if not _fits_size(len(value), schema, "Items"):
        return False
    if schema.get("uniqueItems") is True and any(same(a, b) for i, a in enumerate(value) for b in value[:i]):
        return False
    if not all(conforms(item, item_schema(schema, i), root, depth + 1) for i, item in enumerate(value)):
        return False
    if "contains" not in schema:
        return True
    hits = sum(conforms(item, schema["contains"], root, depth + 1) for item in value)
    low, high = number(schema.get("minContains")), number(schema.get("maxContains"))
    return hits >= (1 if low is None else low) and (high is None or hits <= high)


def item_schema(schema: Object, index: int) -> object:
    """The schema of an array's item at `index`."""
    items = schema.get("items", True)
    prefix = schema.get("prefixItems", items if isinstance(items, list) else ())
    if isinstance(prefix, list) and index < len(prefix):
        return prefix[index]
    return schema.get("additionalItems", True) if isinstance(items, list) else items


def _fits_object(value: dict[str, object], schema: Object, root: object, depth: int) -> bool:
    if not _fits_size(len(value), schema, "Properties"):
        return False
    if any(name not in value for name in required_of(schema)):
        return False
    names = schema.get("propertyNames", True)
    for key, each in value.items():
        if not conforms(key, names, root, depth + 1):
            return False
        if not all(conforms(each, rule, root, depth + 1) for rule in property_schemas(schema, key)):
            return False
    for name, needed in table(schema, "dependentRequired").items():
        if name in value and isinstance(needed, list) and any(each not in value for each in needed):
            return False
    dependents = table(schema, "dependentSchemas").items()
    return all(conforms(value, rule, root, depth + 1) for name, rule in dependents if name in value)


def required_of(schema: Object) -> Sequence[str]:
    names = schema.get("required")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else ()


def property_schemas(schema: Object, name: str) -> Sequence[object]:
    """All schemas that the property `name` has to satisfy."""
    properties = table(schema, "properties")
    rules = [properties[name]] if name in properties else []
    for pattern, rule in table(schema, "patternProperties").items():
        if finds(pattern, name, unknown=False):
            rules.append(rule)
    return rules or [schema.get("additionalProperties", True)]


def table(schema: Object, keyword: str) -> Object:
    """The object under `keyword`, or an empty one."""
    found = schema.get(keyword)
    return found if isinstance(found, Mapping) else {}


def branches(schema: Object, keyword: str) -> Sequence[object]:
    """The list under `keyword`, or an empty one."""
    found = schema.get(keyword)
    return found if isinstance(found, list) else ()


def _fits_branches(value: object, schema: Object, root: object, depth: int) -> bool:
    def fits(branch: object) -> bool:
        return conforms(value, branch, root, depth + 1)

    if "$ref" in schema and not fits(resolve(root, schema["$ref"])):
        return False
    if not all(map(fits, branches(schema, "allOf"))):
        return False
    if (any_of := branches(schema, "anyOf")) and not any(map(fits, any_of)):
        return False
    if (one_of := branches(schema, "oneOf")) and sum(map(fits, one_of)) != 1:
        return False
    if "not" in schema and fits(schema["not"]):
        return False
    if "if" not in schema:
        return True
    return fits(schema.get("then", True) if fits(schema["if"]) else schema.get("else", True))
