"""Grammars of custom tools: refused when they cannot be read, and what was called is held against them.

An engine that constrains its output keeps them anyway. Of one that cannot, the input of a call goes to the client as
the model wrote it; whether it obeyed is counted and, if not, logged, without the text.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from antiphon.core.chat import Grammar
from antiphon.core.toolbox import Toolbox, flat_name
from antiphon.errors import InvalidRequest
from antiphon.ports import Grammars
from antiphon.service.figures import Figures
from antiphon.wire import tools as wire
from antiphon.wire.items import AdditionalTools, CustomToolCall, Item, ToolSearchOutput
from antiphon.wire.response import Response

logger = logging.getLogger(__name__)


async def check_grammars(tools: Iterable[wire.Tool], items: Iterable[Item], grammars: Grammars | None) -> None:
    """Raises: InvalidRequest for a grammar that cannot be read, of a tool of the request or in one of its items."""
    if grammars is None:
        return
    added = (
        each
        for index, item in enumerate(items)
        if isinstance(item, AdditionalTools | ToolSearchOutput)
        for each in _defined(item.tools, f"input[{index}].tools")
    )
    for path, found in chain(_defined(tools, "tools"), added):
        fault = await grammars.fault(Grammar(found.syntax, found.definition))
        if fault is not None:
            place = f"{path}.format.definition"
            raise InvalidRequest(f"Invalid '{place}': {fault}", param=place, code="invalid_grammar")


def _defined(tools: Iterable[wire.Tool], where: str) -> Iterator[tuple[str, wire.Grammar]]:
    for index, tool in enumerate(tools):
        path = f"{where}[{index}]"
        if isinstance(tool, wire.CustomTool) and isinstance(tool.format, wire.Grammar):
            yield path, tool.format
        elif isinstance(tool, wire.NamespaceTool):
            yield from _defined(tool.tools, f"{path}.tools")


class GrammarWatch:
    """Holds the calls of ended responses against their grammars."""

    def __init__(self, grammars: Grammars | None, figures: Figures) -> None:
        self._grammars = grammars
        self._figures = figures
        self._checks: set[asyncio.Task[None]] = set()

    def has_rules(self, toolbox: Toolbox) -> bool:
        """Whether there is anything to hold calls against."""
        return bool(_rules(toolbox))

    def look_at(self, response: Response, toolbox: Toolbox) -> None:
        """Check the calls of a response that has ended, in the background."""
        rules = _rules(toolbox)
        calls = [item for item in response.output if isinstance(item, CustomToolCall)]
        for call in calls:
            rule = rules.get(flat_name(call.name, call.namespace))
            if rule is not None and call.status == "completed":
                check = asyncio.get_running_loop().create_task(self._check(response.id, call, rule))
                self._checks.add(check)
                check.add_done_callback(self._checks.discard)

    async def _check(self, response_id: str, call: CustomToolCall, rule: Grammar) -> None:
        obeys = await self._grammars.obeys(rule, call.input) if self._grammars is not None else None
        self._figures.custom_inputs["unknown" if obeys is None else "valid" if obeys else "invalid"] += 1
        if obeys is False:
            logger.warning("a call in response %s does not obey the grammar of its tool", response_id)

    async def close(self) -> None:
        """Give up what is still being checked."""
        for check in list(self._checks):
            check.cancel()
        await asyncio.gather(*self._checks, return_exceptions=True)


def _rules(toolbox: Toolbox) -> Mapping[str, Grammar]:
    return {function.name: function.grammar for function in toolbox.functions if function.grammar is not None}
