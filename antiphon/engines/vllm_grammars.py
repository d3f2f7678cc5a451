"""Grammars of custom tools within the structural tag by which vLLM constrains calls.

A tag says in which form each tool is called: a beginning that names it, then arguments of a schema. The schema of a
custom tool is that of an object with a string `input`; a regular expression becomes that string's pattern. Grammars in
Lark's syntax have no form there.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from antiphon.core.chat import Function

Json = dict[str, Any]

# Patterns are held against the JSON text of the string: what is escaped there cannot be named in them.
_ESCAPED_IN_JSON = re.compile(r'"|\\[\\nrtfvs]|[\x00-\x1f]')


def with_grammars(structural_tag: str, tools: Sequence[Function]) -> str | None:
    """The tag in which every regular expression that can bind does; None where none can."""
    patterns = {tool.name: pattern for tool in tools if (pattern := _pattern(tool)) is not None}
    if not patterns:
        return None
    tag = msgspec.json.decode(structural_tag)
    bound = [_bind(node, patterns) for node in _tags(tag)]
    return msgspec.json.encode(tag).decode() if any(bound) else None


def _pattern(tool: Function) -> str | None:
    grammar = tool.grammar
    if grammar is None or grammar.syntax != "regex" or _ESCAPED_IN_JSON.search(grammar.definition):
        return None
    return f"^(?:{grammar.definition})$"


def _tags(node: object) -> Iterator[Json]:
    if isinstance(node, dict):
        if node.get("type") == "tag":
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _tags(each)


def _bind(tag: Json, patterns: dict[str, str]) -> bool:
    """Put its pattern into the tag of a tool that has one."""
    content, begin = tag.get("content"), tag.get("begin")
    if not isinstance(content, dict) or not isinstance(begin, str) or content.get("style", "json") != "json":
        return False
    called = next((name for name in patterns if _names(name)(begin)), None)
    schema = content.get("json_schema")
    if called is None or not isinstance(schema, dict) or "input" not in schema.get("properties", {}):
        return False
    narrower = {**schema["properties"]["input"], "pattern": patterns[called]}
    content["json_schema"] = {**schema, "properties": {**schema["properties"], "input": narrower}}
    return True


def _names(tool: str) -> Callable[[str], object]:
    """Whether a beginning names this tool, and not one whose name is longer."""
    return re.compile(rf"(?<![\w-]){re.escape(tool)}(?![\w-])").search
