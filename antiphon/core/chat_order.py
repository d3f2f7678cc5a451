"""Making a conversation one that every chat template takes: outputs behind their calls, and in them nothing but text.

Images that a tool returned follow in a user message, behind the outputs of all calls of that turn. An asynchronous call
whose output is not there yet gets one that says so; when the output comes, the call is shown once more with it.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from antiphon.core.chat import ImagePart, Message, Part, TextPart

NOT_YET = "The call goes on in the background; its output will follow."
SHOWN_BELOW = "The image is shown in the next message."
SHOWN_HERE = "What the tool returned:"


def arrange(messages: Sequence[Message], *, may_be_late: Iterable[str] = ()) -> tuple[Message, ...]:
    """The messages in that order; `may_be_late` are the ids of calls that need not have an output behind them."""
    late = frozenset(may_be_late)
    settled = list(_settled(messages, late)) if late else messages
    return tuple(_with_images_apart(settled))


def _settled(messages: Sequence[Message], late: frozenset[str]) -> Iterator[Message]:
    calls = {call.id: call for message in messages for call in message.tool_calls}
    open_ids: list[str] = []
    for message in messages:
        if message.role == "tool":
            call_id = message.tool_call_id or ""
            if call_id in late and call_id not in open_ids and call_id in calls:
                yield from (_not_yet(each) for each in open_ids if each in late)
                open_ids = []
                again = replace(calls[call_id], id=f"{call_id}_again")
                yield Message("assistant", tool_calls=(again,))
                yield replace(message, tool_call_id=again.id)
                continue
            if call_id in open_ids:
                open_ids.remove(call_id)
            yield message
            continue
        yield from (_not_yet(each) for each in open_ids if each in late)
        open_ids = [call.id for call in message.tool_calls]
        yield message
    yield from (_not_yet(each) for each in open_ids if each in late)


def _not_yet(call_id: str) -> Message:
    return Message("tool", NOT_YET, tool_call_id=call_id)


def _with_images_apart(messages: Iterable[Message]) -> Iterator[Message]:
    images: list[Part] = []
    for message in messages:
        if message.role != "tool" and images:
            yield Message("user", (TextPart(SHOWN_HERE), *images))
            images = []
        if message.role != "tool" or message.content is None or isinstance(message.content, str):
            yield message
            continue
        found = [part for part in message.content if isinstance(part, ImagePart)]
        texts = [part.text for part in message.content if isinstance(part, TextPart)]
        images += found
        yield replace(message, content="\n".join([*texts, SHOWN_BELOW] if found else texts))
    if images:
        yield Message("user", (TextPart(SHOWN_HERE), *images))
