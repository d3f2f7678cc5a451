"""Tools as the model sees them, and the way back."""

import pytest
from msgspec import Raw

from antiphon.core.chat import Grammar, ToolChoice
from antiphon.core.toolbox import CUSTOM_PARAMETERS, Target, Toolbox, added_tools, flat_name, found_tools, open_toolbox
from antiphon.errors import InvalidRequest
from antiphon.wire import tools as wire
from antiphon.wire.items import AdditionalTools, Message, ToolSearchOutput
from antiphon.wire.unknown import UnknownTool

SCHEMA = Raw(b'{"type":"object","properties":{"q":{"type":"string"}}}')
LOOKUP = wire.FunctionTool(name="lookup", description="Looks up.", parameters=SCHEMA, strict=True)
CLOCK = wire.FunctionTool(name="clock")
PATCH = wire.CustomTool(name="patch", description="Patches.", format=wire.Grammar("lark", 'start: "a"'))
CRM = wire.NamespaceTool(
    name="crm",
    tools=(wire.FunctionTool(name="lookup"), wire.CustomTool(name="note", format=wire.TextInput())),
)
BARE = wire.NamespaceTool(name="functions", tools=(wire.FunctionTool(name="shell"),))
ALL = (LOOKUP, CLOCK, PATCH, CRM, BARE)


def names(toolbox: Toolbox) -> list[str]:
    return [function.name for function in toolbox.functions]


def allowed(mode: str, *tools: wire.AllowedTool) -> wire.ToolChoiceAllowed:
    return wire.ToolChoiceAllowed(mode=mode, tools=tools)  # type: ignore[arg-type]


def function(name: str, namespace: str | None = None) -> wire.AllowedTool:
    return wire.AllowedTool(type="function", name=name, namespace=namespace)


def test_every_tool_becomes_a_flat_function() -> None:
    toolbox = open_toolbox(ALL, None)

    assert names(toolbox) == ["lookup", "clock", "patch", "crm__lookup", "crm__note", "shell"]
    assert toolbox.choice == ToolChoice("auto")
    assert toolbox.withheld == frozenset()


def test_a_flat_name_leads_back_to_kind_name_and_namespace() -> None:
    assert open_toolbox(ALL, None).targets == {
        "lookup": Target("function", "lookup"),
        "clock": Target("function", "clock"),
        "patch": Target("custom", "patch"),
        "crm__lookup": Target("function", "lookup", "crm"),
        "crm__note": Target("custom", "note", "crm"),
        "shell": Target("function", "shell", "functions"),
    }


def test_a_function_keeps_its_description_schema_and_strictness() -> None:
    lookup, clock, *_ = open_toolbox(ALL, None).functions

    assert (lookup.description, lookup.parameters, lookup.strict) == ("Looks up.", SCHEMA, True)
    assert (clock.description, clock.parameters, clock.strict) == (None, None, False)


def test_a_custom_tool_becomes_a_function_of_one_string() -> None:
    patch, note = open_toolbox((PATCH, CRM), None).functions[0], open_toolbox((CRM,), None).functions[1]

    assert (patch.parameters, patch.grammar) == (CUSTOM_PARAMETERS, Grammar("lark", 'start: "a"'))
    assert (note.parameters, note.grammar) == (CUSTOM_PARAMETERS, None)


@pytest.mark.parametrize(
    "hosted",
    [
        wire.WebSearchTool(),
        wire.FileSearchTool(vector_store_ids=("vs_1",)),
        wire.CodeInterpreterTool(),
        wire.McpTool(server_label="x"),
        wire.ShellTool(environment=Raw(b'{"type":"container_auto"}')),
        wire.ToolSearchTool(),
        wire.ToolSearchTool(execution="server"),
        UnknownTool("brand_new", Raw(b'{"type":"brand_new"}')),
    ],
)
def test_a_hosted_or_unknown_tool_is_left_out(hosted: wire.Tool) -> None:
    assert names(open_toolbox((hosted, CLOCK), None)) == ["clock"]


def test_a_search_for_tools_that_the_client_executes_is_a_function_too() -> None:
    search = wire.ToolSearchTool(execution="client", description="Finds tools.", parameters=SCHEMA)
    toolbox = open_toolbox((search, CLOCK), allowed("auto", wire.AllowedTool(type="tool_search")))

    assert toolbox.targets["tool_search"] == Target("tool_search", "tool_search")
    assert [(each.name, each.description, each.parameters) for each in toolbox.functions] == [
        ("tool_search", "Finds tools.", SCHEMA)
    ]


def test_a_conversation_brings_tools_of_its_own() -> None:
    items = (AdditionalTools(tools=(BARE,)), Message(role="user"), ToolSearchOutput(call_id="c1", tools=(CRM, CLOCK)))

    toolbox = open_toolbox(tuple(added_tools(items)), None, found=found_tools(items))

    assert names(toolbox) == [
        "shell",
        "crm__lookup",
        "crm__note",
        "clock",
    ]


@pytest.mark.parametrize(
    ("choice", "meant"),
    [
        (None, ToolChoice("auto")),
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        (wire.ToolChoiceFunction("clock"), ToolChoice("required", "clock")),
        (wire.ToolChoiceFunction("lookup"), ToolChoice("required", "lookup")),
        (wire.ToolChoiceFunction("lookup", "crm"), ToolChoice("required", "crm__lookup")),
        (wire.ToolChoiceFunction("crm__lookup"), ToolChoice("required", "crm__lookup")),
        (wire.ToolChoiceFunction("shell"), ToolChoice("required", "shell")),
        (wire.ToolChoiceFunction("shell", "functions"), ToolChoice("required", "shell")),
        (wire.ToolChoiceCustom("patch"), ToolChoice("required", "patch")),
        (wire.ToolChoiceCustom("note"), ToolChoice("required", "crm__note")),
        (wire.ToolChoiceHosted("web_search"), ToolChoice("auto")),
        (wire.ToolChoiceMcp("server"), ToolChoice("auto")),
    ],
)
def test_every_choice_that_shows_all_tools(choice: wire.ToolChoice | None, meant: ToolChoice) -> None:
    toolbox = open_toolbox(ALL, choice)

    assert toolbox.choice == meant
    assert len(toolbox.functions) == 6


def test_a_bare_name_means_the_bare_tool_although_a_namespace_has_one_like_it() -> None:
    toolbox = open_toolbox((CRM, LOOKUP), wire.ToolChoiceFunction("lookup"))

    assert toolbox.choice == ToolChoice("required", "lookup")


@pytest.mark.parametrize(
    ("choice", "mode", "shown"),
    [
        (allowed("auto", function("clock")), "auto", ["clock"]),
        (allowed("required", function("clock"), function("lookup")), "required", ["lookup", "clock"]),
        (allowed("auto", function("lookup", "crm")), "auto", ["crm__lookup"]),
        (allowed("auto", wire.AllowedTool(type="custom", name="patch")), "auto", ["patch"]),
        (allowed("auto", function("clock"), wire.AllowedTool(type="web_search")), "auto", ["clock"]),
        (allowed("required", wire.AllowedTool(type="mcp", server_label="x")), "none", []),
        (allowed("auto"), "none", []),
    ],
)
def test_allowed_tools_shows_these_and_withholds_the_rest(
    choice: wire.ToolChoiceAllowed, mode: str, shown: list[str]
) -> None:
    toolbox = open_toolbox(ALL, choice)

    assert toolbox.choice.mode == mode
    assert names(toolbox) == shown
    assert toolbox.withheld == toolbox.targets.keys() - set(shown)


@pytest.mark.parametrize(
    ("tools", "choice", "param"),
    [
        (ALL, wire.ToolChoiceFunction("nothing"), "tool_choice"),
        (ALL, wire.ToolChoiceFunction("patch"), "tool_choice"),
        (ALL, wire.ToolChoiceCustom("lookup"), "tool_choice"),
        (ALL, wire.ToolChoiceFunction("clock", "crm"), "tool_choice"),
        (ALL, allowed("auto", function("clock"), function("nothing")), "tool_choice.tools[1]"),
        (ALL, allowed("auto", wire.AllowedTool(type="function")), "tool_choice.tools[0].name"),
        ((), "required", "tool_choice"),
        ((wire.WebSearchTool(),), "required", "tool_choice"),
    ],
)
def test_a_choice_that_cannot_be_honoured_names_its_parameter(
    tools: tuple[wire.Tool, ...], choice: wire.ToolChoice, param: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        open_toolbox(tools, choice)
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("name", "namespace", "flat"),
    [("a", None, "a"), ("a", "", "a"), ("a", "functions", "a"), ("a", "crm", "crm__a")],
)
def test_flat_names(name: str, namespace: str | None, flat: str) -> None:
    assert flat_name(name, namespace) == flat
