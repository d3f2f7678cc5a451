"""A value that satisfies a JSON schema, made from hints where they fit and made up where they do not.

Candidates are generated lazily, the most natural first, and the first one that conforms is taken, at every level: so
generation may be simple-minded about keywords that interact (`oneOf`, `not`, `if`), and yet what comes out is valid
wherever a candidate is. For a schema that nothing satisfies, the first candidate is returned.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import cast

from antiphon.engines.pattern_text import pattern_texts
from antiphon.engines.schema_check import (
    Object,
    branches,
    conforms,
    item_schema,
    number,
    property_schemas,
    required_of,
    resolve,
    table,
    types_of,
)
from antiphon.engines.schema_merge import merged
from antiphon.engines.schema_scalars import Scalars

MAX_CANDIDATES = 48
MAX_TRIALS = 2_000  # over all levels, so that a schema that nothing satisfies does not multiply them
MAX_ITEMS = 1_000
SIMPLE_FROM_DEPTH = 4  # below this depth the shortest branch is taken, so that recursive schemas end
MAX_DEPTH = 24
_SIZES = {"null": 0, "boolean": 0, "integer": 1, "number": 1, "string": 1, "array": 2, "object": 3}


class _TooDeep(Exception):
    """A recursive schema has no end on this branch."""


def instance(schema: object, hints: Sequence[str]) -> object:
    """A value that satisfies `schema`; its strings and numbers are taken from `hints` in order, where they fit."""
    maker = _Maker(schema, hints)
    try:
        return maker.make(schema, "text", 0)
    except _TooDeep:
        return None


class _Maker:
    """Makes one instance. `root` is where references are read."""

    def __init__(self, root: object, hints: Sequence[str]) -> None:
        self._root = root
        self._scalars = Scalars(root, hints)
        self._trials_left = MAX_TRIALS

    def make(self, schema: object, name: str, depth: int) -> object:
        """The first candidate that conforms, or else the first; `name` is what a made-up string says."""
        unfit: list[object] = []
        for candidate in islice(self._candidates(schema, name, depth), MAX_CANDIDATES):
            if conforms(candidate, schema, self._root):
                return candidate
            self._trials_left -= 1
            unfit.append(candidate)
            if self._trials_left < 0:
                break
        return unfit[0] if unfit else None

    def _candidates(self, schema: object, name: str, depth: int) -> Iterator[object]:
        if depth > MAX_DEPTH:
            raise _TooDeep
        if not isinstance(schema, dict):
            yield from self._scalars.strings({}, name)
            return
        ended = False
        for plain in self._plain(schema, depth):
            try:
                yield from islice(self._of_kind(plain, name, depth), 24)
                ended = True
            except _TooDeep:
                continue
        if not ended:
            raise _TooDeep

    def _plain(self, schema: Object, depth: int, nested: int = 0) -> Iterator[Object]:
        """The schemas without references and branches that `schema` comes to, one for each way through its branches."""
        if nested > MAX_DEPTH:
            raise _TooDeep
        if "$ref" in schema or "allOf" in schema:
            yield from self._plain(merged(self._flat(schema)), depth, nested + 1)
            return
        for keyword in ("anyOf", "oneOf"):
            if options := branches(schema, keyword):
                others = {key: value for key, value in schema.items() if key != keyword}
                for option in self._ordered(options, depth):
                    yield from self._plain(merged([others, option]), depth, nested + 1)
                return
        if "if" in schema:
            rest = {key: value for key, value in schema.items() if key not in ("if", "then", "else")}
            for conditions in ((schema["if"], schema.get("then")), (schema.get("else"),)):
                option = merged([rest, *(each for each in conditions if isinstance(each, dict))])
                yield from self._plain(option, depth, nested + 1)
            return
        yield schema

    def _flat(self, schema: Object, nested: int = 0) -> list[Object]:
        """`schema` and all that it includes by reference and `allOf`, as schemas without either."""
        if nested > MAX_DEPTH:
            raise _TooDeep
        parts: list[Object] = [{key: value for key, value in schema.items() if key not in ("$ref", "allOf")}]
        included = [*branches(schema, "allOf"), *([resolve(self._root, schema["$ref"])] if "$ref" in schema else [])]
        for each in included:
            if isinstance(each, dict):
                parts += self._flat(each, nested + 1)
        return parts

    def _ordered(self, options: Sequence[object], depth: int) -> Sequence[Object]:
        found = [each if isinstance(each, dict) else {} for each in options if each is not False]
        return found if depth < SIMPLE_FROM_DEPTH else sorted(found, key=self._size)

    def _size(self, schema: Object, seen: int = 0) -> int:
        target = resolve(self._root, schema["$ref"]) if "$ref" in schema else schema
        if target is not schema and isinstance(target, dict) and seen < 8:
            return self._size(target, seen + 1) + 1
        return min((_SIZES.get(kind, 3) for kind in types_of(schema)), default=0 if "const" in schema else 3)

    def _of_kind(self, schema: Object, name: str, depth: int) -> Iterator[object]:
        if "const" in schema:
            yield schema["const"]
            return
        options = schema.get("enum")
        if isinstance(options, list) and options:
            yield from self._scalars.options(options)
            return
        for kind in types_of(schema) or _guess(schema):
            match kind:
                case "object":
                    yield from self._objects(schema, depth)
                case "array":
                    yield from self._arrays(schema, name, depth)
                case "string":
                    yield from self._scalars.strings(schema, name)
                case "integer" | "number":
                    yield from self._scalars.numbers(schema, whole=kind == "integer")
                case "boolean":
                    yield from (False, True) if self._scalars.take("false") else (True, False)
                case "null":
                    yield None

    def _arrays(self, schema: Object, name: str, depth: int) -> Iterator[object]:
        least = min(int(number(schema.get("minItems")) or 0), MAX_ITEMS)
        most = number(schema.get("maxItems"))
        prefix = schema.get("prefixItems")
        natural = max(least, len(prefix) if isinstance(prefix, list) else 0, 1 if depth < SIMPLE_FROM_DEPTH else 0)
        wanted = natural if most is None else min(natural, int(most))
        for length in dict.fromkeys((wanted, least, least + 1)):
            try:
                yield self._array(schema, length, name, depth)
            except _TooDeep:
                continue

    def _array(self, schema: Object, length: int, name: str, depth: int) -> list[object]:
        items: list[object] = []
        for at in range(length):
            rule = item_schema(schema, at)
            if at < int(number(schema.get("minContains")) or 1) and isinstance(schema.get("contains"), dict):
                rule = merged([rule if isinstance(rule, dict) else {}, cast(Object, schema["contains"])])
            if schema.get("uniqueItems") is True and items:
                rule = {"allOf": [rule, {"not": {"enum": list(items)}}]}
            items.append(self.make(rule, name, depth + 1))
        return items

    def _objects(self, schema: Object, depth: int) -> Iterator[object]:
        properties = table(schema, "properties")
        names = list(dict.fromkeys(required_of(schema)))
        optional = [each for each in properties if each not in names and properties[each] is not False]
        if not names and depth < SIMPLE_FROM_DEPTH:
            names = optional[:1]
        least = min(int(number(schema.get("minProperties")) or 0), MAX_ITEMS)
        names += [each for each in optional if each not in names][: max(0, least - len(names))]
        names += islice(self._new_names(schema, names), max(0, least - len(names)))
        names = self._with_dependents(schema, names)
        made = {each: self.make(_rule(schema, each), each, depth + 1) for each in names}
        yield made
        for each in names:
            rule = {"allOf": [_rule(schema, each), {"not": {"const": made[each]}}]}
            yield {**made, each: self.make(rule, each, depth + 1)}
        for each in optional:
            if each not in made:
                yield {**made, each: self.make(_rule(schema, each), each, depth + 1)}
        yield {each: made[each] for each in made if each in required_of(schema)}

    def _new_names(self, schema: Object, taken: Sequence[str]) -> Iterator[str]:
        rule = schema.get("propertyNames")
        patterns = [text for pattern in table(schema, "patternProperties") for text in pattern_texts(pattern)]
        made_up = self._scalars.strings(cast(Object, rule) if isinstance(rule, dict) else {}, "name")
        for name in (*patterns, *islice(made_up, MAX_CANDIDATES)):
            if name not in taken and conforms(name, True if rule is None else rule, self._root):
                yield name

    def _with_dependents(self, schema: Object, names: Sequence[str]) -> list[str]:
        found = dict.fromkeys(names)
        needs = table(schema, "dependentRequired")
        for name in list(found):
            needed = needs.get(name)
            found |= dict.fromkeys(each for each in needed if isinstance(each, str)) if isinstance(needed, list) else {}
        return list(found)


def _rule(schema: Object, name: str) -> object:
    rules = property_schemas(schema, name)
    return rules[0] if len(rules) == 1 else {"allOf": list(rules)}


def _guess(schema: Object) -> Sequence[str]:
    """The types to try where the schema names none: the one its keywords speak of first."""
    if schema.keys() & {"properties", "required", "additionalProperties", "minProperties", "patternProperties"}:
        return ("object", "string")
    if schema.keys() & {"items", "prefixItems", "minItems", "contains"}:
        return ("array", "string")
    if schema.keys() & {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}:
        return ("number", "string")
    return ("string", "integer", "null", "boolean", "array", "object")
