"""Tools as the client names them, and as the model sees them: a flat list of functions.

A namespaced tool becomes `namespace__name`, a custom tool a function with one string parameter `input`; the toolbox
keeps the way back, so that what the model calls comes out under the client's own kind, name and namespace. A search for
tools that the client executes is a function as well; what it finds, and what items add, can be called from then on. So
are the API's own tools that a client executes (shell, patches, computer), unless a function of the client's has their
name. Hosted tools that this server lacks are left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Raw, Struct

from antiphon.core.action_tools import ACTION_NAMES, CHOICE_KINDS, ActionKind, action_function
from antiphon.core.chat import Function, Grammar, ToolChoice
from antiphon.errors import InvalidRequest
from antiphon.wire import tools as wire
from antiphon.wire.items import AdditionalTools, Item, ToolSearchOutput

CUSTOM_PARAMETERS = Raw(
    b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}'
)
# A namespace under which clients also accept the bare name, and whose tools models know by it.
BARE_NAMESPACE = "functions"
TOOL_SEARCH = "tool_search"


class Target(Struct, frozen=True):
    """What a flat name stands for."""

    kind: Literal["function", "custom", "tool_search"] | ActionKind
    name: str
    namespace: str | None = None
    is_async: bool = False


class Toolbox(Struct, frozen=True):
    """`functions` are shown to the model; `targets` has every flat name; `withheld` those that may not be called."""

    functions: Sequence[Function] = ()
    targets: dict[str, Target] = {}
    withheld: frozenset[str] = frozenset()
    choice: ToolChoice = ToolChoice()


def flat_name(name: str, namespace: str | None) -> str:
    """The name under which the model knows a tool."""
    if not namespace or namespace == BARE_NAMESPACE:
        return name
    return f"{namespace}__{name}"


def added_tools(items: Iterable[Item]) -> Iterator[wire.Tool]:
    """The tools that a conversation has brought with it, beside those of the request."""
    for item in items:
        if isinstance(item, AdditionalTools):
            yield from item.tools


def found_tools(items: Iterable[Item]) -> Iterator[wire.Tool]:
    """The tools that a conversation has searched for and found."""
    for item in items:
        if isinstance(item, ToolSearchOutput):
            yield from item.tools


def open_toolbox(
    tools: Sequence[wire.Tool], choice: wire.ToolChoice | None, *, found: Iterable[wire.Tool] = ()
) -> Toolbox:
    """Flatten `tools` and what was `found`, and apply `choice`.

    A deferred function is offered once it was found, or at once where the client offers no search. One that only
    programs may call is never offered, since no program can be run here.
    Raises: InvalidRequest when the choice names a tool that is not there, or demands a call where there is no tool.
    """
    searches = any(isinstance(tool, wire.ToolSearchTool) and tool.execution == "client" for tool in tools)
    shown: dict[str, Function] = {}
    targets: dict[str, Target] = {}
    unreachable: set[str] = set()
    for is_found, (target, function, tool) in _all_flat(tools, found):
        if target.kind in ACTION_NAMES and function.name in targets:
            continue
        targets[function.name] = target
        if _is_for_programs(tool):
            unreachable.add(function.name)
        elif is_found or not searches or not getattr(tool, "defer_loading", False):
            shown[function.name] = function
    mode, allowed = _decide(choice, targets)
    allowed -= unreachable
    if mode.mode == "required" and not targets:
        raise InvalidRequest("'tool_choice' demands a tool call, but no tool is available.", param="tool_choice")
    withheld = frozenset(targets) - (allowed if mode.mode != "none" else frozenset())
    functions = tuple(function for name, function in shown.items() if name in allowed)
    return Toolbox(functions=functions, targets=targets, withheld=withheld, choice=mode)


_Flat = tuple[Target, Function, wire.Tool]


def _all_flat(tools: Iterable[wire.Tool], found: Iterable[wire.Tool]) -> Iterator[tuple[bool, _Flat]]:
    """Every tool and whether it was found; the client's own functions before those of the API, which give way."""
    flat = [*((False, each) for each in _flatten(tools)), *((True, each) for each in _flatten(found))]
    return iter(sorted(flat, key=lambda each: each[1][0].kind in ACTION_NAMES))


def _is_for_programs(tool: wire.Tool) -> bool:
    callers: tuple[wire.Caller, ...] | None = getattr(tool, "allowed_callers", None)
    return callers is not None and len(callers) > 0 and "direct" not in callers


def _flatten(tools: Iterable[wire.Tool], namespace: str | None = None) -> Iterator[_Flat]:
    for tool in tools:
        action = action_function(tool)
        if action is not None:
            kind, function = action
            yield Target(kind, function.name), function, tool
            continue
        match tool:
            case wire.FunctionTool():
                yield (
                    Target("function", tool.name, namespace, bool(tool.async_)),
                    Function(
                        name=flat_name(tool.name, namespace),
                        description=tool.description,
                        parameters=tool.parameters,
                        strict=bool(tool.strict),
                    ),
                    tool,
                )
            case wire.CustomTool():
                yield (
                    Target("custom", tool.name, namespace, bool(tool.async_)),
                    Function(
                        name=flat_name(tool.name, namespace),
                        description=tool.description,
                        parameters=CUSTOM_PARAMETERS,
                        grammar=_grammar(tool),
                    ),
                    tool,
                )
            case wire.ToolSearchTool(execution="client"):
                yield (
                    Target("tool_search", TOOL_SEARCH),
                    Function(name=TOOL_SEARCH, description=tool.description, parameters=tool.parameters),
                    tool,
                )
            case wire.NamespaceTool():
                yield from _flatten(tool.tools, tool.name)


def _grammar(tool: wire.CustomTool) -> Grammar | None:
    if isinstance(tool.format, wire.Grammar):
        return Grammar(tool.format.syntax, tool.format.definition)
    return None


def _decide(choice: wire.ToolChoice | None, targets: dict[str, Target]) -> tuple[ToolChoice, frozenset[str]]:
    everything = frozenset(targets)
    match choice:
        case None:
            return ToolChoice("auto"), everything
        case "none" | "auto" | "required":
            return ToolChoice(choice), everything
        case wire.ToolChoiceFunction():
            name = _find("function", choice.name, choice.namespace, targets)
            return ToolChoice("required", name), everything
        case wire.ToolChoiceCustom():
            name = _find("custom", choice.name, choice.namespace, targets)
            return ToolChoice("required", name), everything
        case wire.ToolChoiceAllowed():
            allowed = frozenset(_allowed(choice, targets))
            return ToolChoice(choice.mode if allowed else "none"), allowed
        case wire.ToolChoiceHosted(type=kind) if names := list(_named_by_type(kind, targets)):
            return ToolChoice("required", names[0]), everything
        case _:  # a hosted tool that this server lacks: it is left out, and so is the wish to call it
            return ToolChoice("auto"), everything


def _named_by_type(kind: str, targets: dict[str, Target]) -> Iterator[str]:
    kinds = CHOICE_KINDS.get(kind, ())
    return (flat for flat, target in targets.items() if target.kind in kinds)


def _allowed(choice: wire.ToolChoiceAllowed, targets: dict[str, Target]) -> Iterator[str]:
    for index, tool in enumerate(choice.tools):
        path = f"tool_choice.tools[{index}]"
        if tool.type == "namespace":
            yield from (flat for flat, target in targets.items() if target.namespace == tool.name)
        if tool.type == TOOL_SEARCH:
            yield from (flat for flat, target in targets.items() if target.kind == TOOL_SEARCH)
        if tool.type not in ("function", "custom"):
            yield from _named_by_type(tool.type, targets)
            continue
        if tool.name is None:
            raise InvalidRequest("An allowed tool needs a name.", param=f"{path}.name")
        yield _find(tool.type, tool.name, tool.namespace, targets, param=path)


def _find(
    kind: str, name: str, namespace: str | None, targets: dict[str, Target], *, param: str = "tool_choice"
) -> str:
    """The flat name of a tool that is named by its flat name, or by its own name with or without its namespace."""
    exact = flat_name(name, namespace)
    if exact in targets and targets[exact].kind == kind:
        return exact
    for flat, target in targets.items():
        if target.kind == kind and name == target.name and namespace in (None, target.namespace):
            return flat
    raise InvalidRequest(f"Tool choice '{name}' not found in 'tools' parameter.", param=param)
