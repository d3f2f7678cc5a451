"""From stored turns and new input to one list of items, and from items to the messages of a chat.

Only items are inherited along a chain: instructions and tools are those of the new request. Every call needs its output
before the model goes on; calls left open by an incomplete turn are dropped.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from antiphon.core import chat
from antiphon.core.action_items import ActionCall, ActionOutput, action_arguments, output_text
from antiphon.core.action_tools import ActionKind
from antiphon.core.chat_order import arrange
from antiphon.core.past_turn import PastTurn
from antiphon.core.toolbox import TOOL_SEARCH, flat_name
from antiphon.errors import ClientError, InvalidRequest
from antiphon.wire.content import InputImage, InputText, OutputText, Refusal
from antiphon.wire.hosted import (
    ApplyPatchCall,
    ApplyPatchCallOutput,
    ComputerCall,
    ComputerCallOutput,
    LocalShellCall,
    LocalShellCallOutput,
    ShellCall,
    ShellCallOutput,
)
from antiphon.wire.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    Item,
    Message,
    Reasoning,
    ToolSearchCall,
    ToolSearchOutput,
)
from antiphon.wire.tools import CustomTool, FunctionTool, NamespaceTool, Tool

Call = FunctionCall | CustomToolCall | ToolSearchCall | ActionCall
CallOutput = FunctionCallOutput | CustomToolCallOutput | ToolSearchOutput | ActionOutput


ACTION_OF: Mapping[type, ActionKind] = {
    ApplyPatchCall: "apply_patch",
    ShellCall: "shell",
    LocalShellCall: "local_shell",
    ComputerCall: "computer",
}
"""The name under which the model called each kind."""


def session_of(past: Sequence[PastTurn], response_id: str) -> str:
    """What all responses of a chain share: the id of the first one. `response_id` is that of the newest."""
    return next((turn.response_id for turn in past if turn.response_id), response_id)


def assemble(past: Sequence[PastTurn], new: Sequence[Item]) -> tuple[Item, ...]:
    """All items of a conversation in order, checked for calls without outputs and outputs without calls.

    Raises: ClientError naming the call, or the place of the stray output in `new`.
    """
    answered = {_answered_id(item) for turn in past for item in turn.items if isinstance(item, CallOutput)}
    answered |= {_answered_id(item) for item in new if isinstance(item, CallOutput)}
    items: list[Item] = []
    for turn in past:
        items += (item for item in turn.items if not (turn.cut and _is_open_call(item, answered)))
    _check_outputs({name for item in items if isinstance(item, Call) for name in _names_of(item)}, new)
    items += new
    for item in items:
        if isinstance(item, Call) and _is_open_call(item, answered):
            raise ClientError(f"No tool output found for function call {item.call_id}.", param="input")
    return tuple(items)


def _is_open_call(item: Item, answered: set[str | None]) -> bool:
    return isinstance(item, Call) and _waits_for_output(item) and answered.isdisjoint(_names_of(item))


def _waits_for_output(call: Call) -> bool:
    """What the server searched for came with its result; what is asynchronous may be answered later."""
    return call.call_id is not None if isinstance(call, ToolSearchCall) else not getattr(call, "async_", None)


def _names_of(call: Call) -> tuple[str | None, ...]:
    """What an output can name a call by."""
    return (call.call_id, call.id) if isinstance(call, LocalShellCall) else (call.call_id,)


def _answered_id(output: CallOutput) -> str | None:
    """The call that an output answers. Clients of today name a local shell's call by the output's own `id`."""
    if isinstance(output, LocalShellCallOutput):
        return output.call_id or output.id
    return output.call_id


def _check_outputs(calls: set[str | None], new: Sequence[Item]) -> None:
    known = set(calls)
    for index, item in enumerate(new):
        if isinstance(item, Call):
            known.update(_names_of(item))
        elif isinstance(item, CallOutput) and (call_id := _answered_id(item)) is not None and call_id not in known:
            raise ClientError(
                f"No tool call found for function call output with call_id {call_id}.",
                param=f"input[{index}].call_id",
            )


def to_messages(items: Sequence[Item], instructions: str | None) -> tuple[chat.Message, ...]:
    """The chat that `items` amount to. Reasoning, text and calls of one assistant turn become one message."""
    messages: list[chat.Message] = []
    if instructions:
        messages.append(chat.Message("system", instructions))
    draft = _AssistantDraft()
    calls_by_id = {item.id: item.call_id for item in items if isinstance(item, LocalShellCall)}
    for item in items:
        match item:
            case Reasoning():
                draft.think(_reasoning_text(item))
            case Message(role="assistant"):
                draft.say(_assistant_text(item))
            case FunctionCall():
                name = flat_name(item.name, item.namespace)
                draft.call(chat.ToolCall(item.call_id, name, item.arguments))
            case CustomToolCall():
                name = flat_name(item.name, item.namespace)
                draft.call(chat.ToolCall(item.call_id, name, _wrap_input(item.input)))
            case ToolSearchCall(call_id=str(call_id)):
                draft.call(chat.ToolCall(call_id, TOOL_SEARCH, _arguments(item)))
            case ToolSearchOutput(call_id=str(call_id)):
                draft.flush(messages)
                messages.append(chat.Message("tool", _found(item), tool_call_id=call_id))
            case Message():
                draft.flush(messages)
                messages.append(chat.Message(_role(item.role), _content(item.content)))
            case FunctionCallOutput() | CustomToolCallOutput():
                draft.flush(messages)
                messages += _tool_messages(item)
            case ApplyPatchCall() | ShellCall() | LocalShellCall() | ComputerCall():
                draft.call(chat.ToolCall(item.call_id, ACTION_OF[type(item)], action_arguments(item)))
            case ApplyPatchCallOutput() | ShellCallOutput() | LocalShellCallOutput() | ComputerCallOutput():
                draft.flush(messages)
                messages.append(_action_message(item, calls_by_id))
            case _:  # items of tools this server lacks say nothing to the model
                pass
    draft.flush(messages)
    pending = {item.call_id for item in items if isinstance(item, FunctionCall | CustomToolCall) and item.async_}
    return arrange(messages, may_be_late=pending)


class _AssistantDraft:
    """The assistant message that is being put together from consecutive items.

    All that stands between two messages of others is one message: chat templates want turns to alternate, and calls
    to be followed by their outputs.
    """

    def __init__(self) -> None:
        self._reasoning: str | None = None
        self._text: str | None = None
        self._calls: list[chat.ToolCall] = []

    def think(self, text: str | None) -> None:
        if text:
            self._reasoning = f"{self._reasoning}\n{text}" if self._reasoning else text

    def say(self, text: str) -> None:
        self._text = text if self._text is None else f"{self._text}\n\n{text}"

    def call(self, call: chat.ToolCall) -> None:
        self._calls.append(call)

    def flush(self, messages: list[chat.Message]) -> None:
        if self._text is not None or self._calls or self._reasoning:
            messages.append(
                chat.Message("assistant", self._text, reasoning=self._reasoning, tool_calls=tuple(self._calls))
            )
        self._reasoning, self._text, self._calls = None, None, []


def _role(role: str) -> Literal["system", "developer", "user"]:
    return role if role in ("system", "developer") else "user"  # type: ignore[return-value]  # narrowed by the test


def _content(parts: Iterable[object]) -> str | tuple[chat.Part, ...]:
    """Text alone is one string, because that is what every chat template takes."""
    content = tuple(_part(part) for part in parts)
    if all(isinstance(part, chat.TextPart) for part in content):
        return "\n".join(part.text for part in content if isinstance(part, chat.TextPart))
    return content


def _part(part: object) -> chat.Part:
    match part:
        case InputText(text=text) | OutputText(text=text):
            return chat.TextPart(text)
        case Refusal(refusal=text):
            return chat.TextPart(text)
        case InputImage(image_url=str(url), detail=detail):
            return chat.ImagePart(url, detail or "auto")
        case _:
            raise InvalidRequest("This kind of content is not supported.", param="input", code="unsupported_value")


def _assistant_text(message: Message) -> str:
    texts = (part.refusal if isinstance(part, Refusal) else getattr(part, "text", "") for part in message.content)
    return "".join(texts)


def _reasoning_text(item: Reasoning) -> str | None:
    """The raw reasoning, or its summary where the raw text is not at hand."""
    if item.content:
        return "".join(part.text for part in item.content)
    return "\n".join(part.text for part in item.summary) or None


def _wrap_input(text: str) -> str:
    return chat.encode_json({"input": text})


def _arguments(call: ToolSearchCall) -> str:
    return bytes(call.arguments).decode() if call.arguments is not None else "{}"


def _found(output: ToolSearchOutput) -> str:
    """The names under which what was found can be called from now on."""
    return chat.encode_json({"tools": list(_flat_names(output.tools))})


def _flat_names(tools: Iterable[Tool], namespace: str | None = None) -> Iterator[str]:
    for tool in tools:
        match tool:
            case FunctionTool() | CustomTool():
                yield flat_name(tool.name, namespace)
            case NamespaceTool():
                yield from _flat_names(tool.tools, tool.name)


def _tool_messages(item: FunctionCallOutput | CustomToolCallOutput) -> list[chat.Message]:
    output = item.output if isinstance(item.output, str) else _content(item.output or ())
    if item.call_id is not None:
        return [chat.Message("tool", output, tool_call_id=item.call_id)]
    # An output that answers no call in particular names its tool: the model sees the call it stands for.
    call_id = f"call_{item.id}"
    namespace = item.namespace if isinstance(item, FunctionCallOutput) else None
    call = chat.ToolCall(call_id, flat_name(item.name or "tool", namespace), "{}")
    return [chat.Message("assistant", tool_calls=(call,)), chat.Message("tool", output, tool_call_id=call_id)]


def _action_message(item: ActionOutput, calls_by_id: Mapping[str | None, str]) -> chat.Message:
    call_id = item.call_id or calls_by_id.get(item.id) or item.id
    url = item.output.image_url if isinstance(item, ComputerCallOutput) else None
    text = output_text(item)
    content = (chat.TextPart(text), chat.ImagePart(url)) if url else text
    return chat.Message("tool", content, tool_call_id=call_id)


def turn_starts(messages: Sequence[chat.Message]) -> list[int]:
    """Where each turn begins: the indices of the user messages that follow something else."""
    return [
        index
        for index, message in enumerate(messages)
        if message.role == "user" and (index == 0 or messages[index - 1].role != "user")
    ]


def drop_oldest_turns(messages: Sequence[chat.Message], keep: float) -> tuple[chat.Message, ...]:
    """Leave out the oldest whole turns, at least one, until about the share `keep` (0 to 1) of the text is left.

    Instructions in front of the first turn stay, and so does the last turn. Returns the messages unchanged when there
    is nothing left to drop.
    """
    starts = turn_starts(messages)
    if len(starts) < 2:
        return tuple(messages)
    sizes = [_size(message) for message in messages]
    first, left = starts[0], sum(sizes)
    target = left * keep
    for start, previous in zip(starts[1:], starts, strict=False):
        left -= sum(sizes[previous:start])
        if left <= target:
            break
    return (*messages[:first], *messages[start:])


def _size(message: chat.Message) -> int:
    return len(chat.encode_json(message))
