"""Regular expressions of custom tools bind within vLLM's structural tags."""

import json
from typing import Any

import pytest

from antiphon.core.chat import Function, Grammar
from antiphon.core.toolbox import CUSTOM_PARAMETERS
from antiphon.engines.vllm_grammars import with_grammars


def custom(name: str, definition: str, syntax: Any = "regex") -> Function:
    return Function(name, parameters=CUSTOM_PARAMETERS, grammar=Grammar(syntax, definition))


def tag_of(*names: str, **content: Any) -> str:
    tags = [
        {
            "type": "tag",
            "begin": f'<tool_call>\n{{"name": "{name}", "arguments": ',
            "content": {"type": "json_schema", "json_schema": json.loads(bytes(CUSTOM_PARAMETERS)), **content},
            "end": "}\n</tool_call>",
        }
        for name in names
    ]
    triggered = {"type": "triggered_tags", "triggers": ["<tool_call>"], "tags": tags}
    return json.dumps({"type": "structural_tag", "format": {"type": "or", "elements": [triggered]}})


def patterns(tag: str | None) -> list[str | None]:
    assert tag is not None
    tags = json.loads(tag)["format"]["elements"][0]["tags"]
    return [tag["content"]["json_schema"]["properties"]["input"].get("pattern") for tag in tags]


def test_each_tool_has_its_own_pattern() -> None:
    tools = [custom("move", "[NSWE][1-9]"), custom("move-back", "b|c"), Function("other")]
    assert patterns(with_grammars(tag_of("move", "move-back", "other"), tools)) == [
        "^(?:[NSWE][1-9])$",
        "^(?:b|c)$",
        None,
    ]


@pytest.mark.parametrize("definition", ['say "[a-z]+"', r"a\\b", r"one\ntwo", r"\s+", "one\ntwo"])
def test_what_json_escapes_is_not_bound(definition: str) -> None:
    assert with_grammars(tag_of("move"), [custom("move", definition)]) is None


def test_other_grammars_and_other_forms_of_calls_are_left_as_they_are() -> None:
    assert with_grammars(tag_of("move"), [custom("move", "start: A", "lark")]) is None
    assert with_grammars(tag_of("move", style="qwen_xml"), [custom("move", "a+")]) is None
    assert with_grammars(tag_of("moves"), [custom("move", "a+")]) is None
