"""A call of one of the API's own tools that is being written.

Nothing is said of it before it is whole: only then is it known whether it says an action, and one that was not said
must not be executed. What says no action is passed on as a function call of the tool's name, as the model wrote it.
"""

from collections.abc import Callable
from typing import cast

from msgspec.structs import replace

from antiphon.core.action_items import ActionCall, read_action
from antiphon.core.action_tools import ActionKind
from antiphon.core.grammar import ItemStatus
from antiphon.core.open_items import OpenCall
from antiphon.core.toolbox import Target
from antiphon.core.whole_items import opening
from antiphon.wire import events as ev
from antiphon.wire import hosted_events as hosted
from antiphon.wire.hosted import ShellCall
from antiphon.wire.items import OutputItem


class OpenAction:
    """Collects the arguments of a call; `close` says all of it."""

    def __init__(self, target: Target, call_id: str, index: int) -> None:
        self.index = index
        self._target = target
        self._call_id = call_id
        self._text: list[str] = []

    def append(self, text: str) -> None:
        self._text.append(text)

    def close(self, status: ItemStatus, new_id: Callable[[str], str]) -> tuple[list[ev.Event], OutputItem]:
        """Every event of the item but the last one, and the item."""
        text = "".join(self._text)
        kind = cast(ActionKind, self._target.kind)
        call = read_action(kind, text, call_id=self._call_id, new_id=new_id) if status == "completed" else None
        if call is None:
            return self._as_function(text, status, new_id)
        added = ev.OutputItemAdded(output_index=self.index, item=opening(call))
        return [added, *_commands(call, self.index)], call

    def _as_function(
        self, text: str, status: ItemStatus, new_id: Callable[[str], str]
    ) -> tuple[list[ev.Event], OutputItem]:
        call = OpenCall(Target("function", self._target.name), new_id("fc"), self._call_id, self.index)
        added = ev.OutputItemAdded(output_index=self.index, item=call.item("in_progress"))
        return [added, *call.append(text), *call.close_part()], call.item(status)


class CutAction:
    """A call whose log broke off between its first event and its last one: it ends as it stands."""

    def __init__(self, item: ActionCall, index: int) -> None:
        self.index = index
        self._item = item

    def close(self, status: ItemStatus, new_id: Callable[[str], str]) -> tuple[list[ev.Event], OutputItem]:
        return [], replace(self._item, status=status)


def _commands(call: ActionCall, index: int) -> list[ev.Event]:
    if not isinstance(call, ShellCall):
        return []
    events: list[ev.Event] = []
    for number, command in enumerate(call.action.commands):
        events += [
            hosted.ShellCallCommandAdded(output_index=index, command_index=number, command=""),
            hosted.ShellCallCommandDelta(output_index=index, command_index=number, delta=command),
            hosted.ShellCallCommandDone(output_index=index, command_index=number, command=command),
        ]
    return events
