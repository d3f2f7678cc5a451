"""How large a JSON schema may be that an engine makes a grammar of; also the expressions and counts within it.

Engines compile schemas, some of them in native code that nothing can interrupt: a repetition of a thousand million
items, or thousands of levels, would stop the server and everybody's generations with it.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec
from msgspec import Raw

from antiphon.errors import InvalidRequest
from antiphon.wire import tools as wire
from antiphon.wire.items import AdditionalTools, Item, ToolSearchOutput
from antiphon.wire.request import TextConfig, TextFormatJsonSchema

MAX_DEPTH = 128
MAX_ENUM_VALUES = 2_000
MAX_NODES = 50_000
MAX_PATTERN_CHARACTERS = 2_000
MAX_TOGETHER = 16
"""How many of the largest schemas a request has room for."""
MAX_LEAST = 10_000
"""Least lengths and numbers: what has to be generated whatever the model wants."""

_LEAST = ("minItems", "minLength", "minProperties", "minContains")
_REMEMBERED_BYTES = 16 * 2**10


class _TooMuch(Exception):
    """The reason, as the end of a sentence, and where."""

    def __init__(self, reason: str, path: str) -> None:
        super().__init__(reason)
        self.reason, self.path = reason, path


def check_schemas(tools: Sequence[wire.Tool], text: TextConfig | None, items: Sequence[Item], most_bytes: int) -> None:
    """Raises: InvalidRequest for the first schema of a request that is too much, naming its place."""
    total = 0
    for path, schema in _schemas(tools, text, items):
        total += len(bytes(schema))
        if total > most_bytes * MAX_TOGETHER:
            reason = f"the schemas of a request are more than {most_bytes * MAX_TOGETHER} bytes long together"
            raise InvalidRequest(f"Invalid '{path}': {reason}.", param=path, code="schema_too_large")
        _check(schema, path, most_bytes)


def _schemas(tools: Sequence[wire.Tool], text: TextConfig | None, items: Sequence[Item]) -> Iterator[tuple[str, Raw]]:
    text_format = text.format if text is not None else None
    if isinstance(text_format, TextFormatJsonSchema):
        yield "text.format.schema", text_format.schema
    yield from _of_tools(tools, "tools")
    for index, item in enumerate(items):
        if isinstance(item, AdditionalTools | ToolSearchOutput):
            yield from _of_tools(item.tools, f"input[{index}].tools")


def _of_tools(tools: Sequence[wire.Tool], where: str) -> Iterator[tuple[str, Raw]]:
    for index, tool in enumerate(tools):
        if isinstance(tool, wire.FunctionTool) and tool.parameters is not None:
            yield f"{where}[{index}].parameters", tool.parameters
        elif isinstance(tool, wire.NamespaceTool):
            yield from _of_tools(tool.tools, f"{where}[{index}].tools")


def _check(schema: Raw, path: str, most_bytes: int) -> None:
    size = len(bytes(schema))
    fault: tuple[str, str] | None = None
    if size > most_bytes:
        fault = f"it is {size} bytes long, more than {most_bytes} (setting 'max_schema_bytes')", ""
    elif size <= _REMEMBERED_BYTES:
        fault = _remembered(bytes(schema))
    else:
        fault = _fault(bytes(schema))
    if fault is not None:
        place = path + fault[1]
        raise InvalidRequest(f"Invalid '{place}': {fault[0]}.", param=place, code="schema_too_large")


def _fault(schema: bytes) -> tuple[str, str] | None:
    try:
        _walk(msgspec.json.decode(schema))
    except _TooMuch as found:
        return found.reason, found.path
    except RecursionError:
        return f"it is nested deeper than {MAX_DEPTH} levels", ""
    return None


_remembered = lru_cache(maxsize=512)(_fault)
"""Agents send the same tools again and again."""


def _walk(schema: object) -> None:
    """Raises: _TooMuch."""
    nodes = 0
    waiting: list[tuple[object, str, int]] = [(schema, "", 0)]
    while waiting:
        node, path, depth = waiting.pop()
        nodes += 1
        if nodes > MAX_NODES:
            raise _TooMuch(f"it has more than {MAX_NODES} parts", "")
        if depth > MAX_DEPTH:
            raise _TooMuch(f"it is nested deeper than {MAX_DEPTH} levels", "")
        if isinstance(node, dict):
            _look_at(node, path)
            waiting += [(each, f"{path}.{key}" if len(path) < 200 else path, depth + 1) for key, each in node.items()]
        elif isinstance(node, list):
            waiting += [(each, f"{path}[{index}]", depth + 1) for index, each in enumerate(node)]


def _look_at(node: dict[str, object], path: str) -> None:
    options = node.get("enum")
    if isinstance(options, list) and len(options) > MAX_ENUM_VALUES:
        raise _TooMuch(f"it has more than {MAX_ENUM_VALUES} values", f"{path}.enum")
    pattern = node.get("pattern")
    if isinstance(pattern, str) and len(pattern) > MAX_PATTERN_CHARACTERS:
        raise _TooMuch(f"it is longer than {MAX_PATTERN_CHARACTERS} characters", f"{path}.pattern")
    for key in _LEAST:
        least = node.get(key)
        if isinstance(least, int | float) and least > MAX_LEAST:
            raise _TooMuch(f"it is more than {MAX_LEAST}", f"{path}.{key}")
