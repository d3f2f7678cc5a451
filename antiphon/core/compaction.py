"""A compaction: what stands for a conversation that has become too long, and how the conversation goes on behind it.

It holds a summary in the model's own words, and what no summary may replace: instructions, tools and settings that came
as items, the latest user messages as far as there is room, and whatever the model has not answered yet. Everything else
in front of the newest compaction that can be opened is left out.
"""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from antiphon.core import chat
from antiphon.core.configuration import in_force
from antiphon.wire.content import InputText, OutputText
from antiphon.wire.items import (
    AdditionalTools,
    Compaction,
    CompactionTrigger,
    ConfigurationUpdate,
    CustomToolCall,
    FunctionCall,
    Item,
    Message,
    ToolSearchOutput,
)

PROMPT = """\
The conversation above has become too long and will be replaced by your summary of it. Whoever goes on from here sees \
that summary, the latest messages of the user, and nothing else.

Write down, as briefly as is possible without losing it:
1. what the user wants, with every requirement, preference and correction that still holds;
2. what has been done and found out so far, with the exact names, paths, numbers, identifiers and results that later \
steps need;
3. decisions that were made, and why;
4. what failed, so that it is not tried again;
5. what is still to do, the next step first.

Write plain text in the language of the conversation. Do not call tools, do not go on with the task, and do not answer \
the user: write the summary only."""

PREFACE = "The earlier part of this conversation was replaced by this summary, which you wrote yourself:"
SUMMARY_ID = "compaction_summary"
"""The id of the message that a summary becomes; it never leaves the server."""

KEPT_SHARE = 0.25
"""How much of the context the kept user messages may take."""
CHARS_PER_TOKEN = 3
CUT = "\n[…]\n"


class Compacted(Struct, frozen=True, kw_only=True):
    """`kept` stands in front of the summary, `rest` behind it."""

    summary: str
    kept: Sequence[Item] = ()
    rest: Sequence[Item] = ()


def expand(items: Sequence[Item], open_sealed: Callable[[str], Compacted | None]) -> tuple[Item, ...]:
    """The items as the model sees them: the newest compaction that opens stands for all before it."""
    for at in range(len(items) - 1, -1, -1):
        item = items[at]
        found = open_sealed(item.encrypted_content) if isinstance(item, Compaction) else None
        if found is not None:
            return (*_without_repeats(_standing_for(found), items[at + 1 :]), *items[at + 1 :])
    return tuple(items)


def _standing_for(compacted: Compacted) -> tuple[Item, ...]:
    text = InputText(f"{PREFACE}\n\n{compacted.summary}")
    summary = Message(id=SUMMARY_ID, role="user", content=(text,), status="completed")
    return (*compacted.kept, summary, *compacted.rest)


def _without_repeats(kept: Iterable[Item], after: Sequence[Item]) -> list[Item]:
    """Clients without state send their instructions again behind a compaction: once is enough."""
    repeated = {(item.role, item.content) for item in after if isinstance(item, Message) and _instructs(item)}
    return [
        item
        for item in kept
        if not (isinstance(item, Message) and _instructs(item) and (item.role, item.content) in repeated)
    ]


def compact(items: Sequence[Item], summary: str, *, context_tokens: int, goes_on: bool) -> Compacted:
    """Put together what stands for `items` (expanded) from here on.

    `goes_on`: the model goes on at once, so that what it has not answered stays behind the summary.
    """
    before, rest = split(items) if goes_on else (items, ())
    kept: list[Item] = [item for item in before if isinstance(item, Message) and _instructs(item)]
    kept += _tools(before)
    settings = in_force(before)
    if settings is not None:
        kept.append(settings)
    kept += user_messages(before, round(context_tokens * KEPT_SHARE * CHARS_PER_TOKEN))
    return Compacted(summary=summary, kept=kept, rest=(*_late_calls(before), *rest))


def is_compactable(items: Sequence[Item]) -> bool:
    """Whether a summary would replace anything: something was said before what the model has to answer."""
    return any(not _instructs(item) for item in split(items)[0])


def split(items: Sequence[Item]) -> tuple[Sequence[Item], Sequence[Item]]:
    """The conversation so far, and what the model has not answered yet: what stands behind its last word."""
    at = len(items)
    while at and _is_put_in(items[at - 1]):
        at -= 1
    return items[:at], [item for item in items[at:] if not isinstance(item, CompactionTrigger)]


def user_messages(items: Sequence[Item], most_chars: int) -> list[Message]:
    """The latest messages of the user whose text fits, the oldest of them shortened where that makes it fit."""
    kept: list[Message] = []
    left = most_chars
    for item in reversed(items):
        if not isinstance(item, Message) or item.role != "user" or item.id == SUMMARY_ID:
            continue
        text = "\n".join(part.text for part in item.content if isinstance(part, InputText | OutputText))
        if not text:
            continue
        kept.append(replace(item, content=(InputText(_shortened(text, left)),)))
        left -= len(text)
        if left <= len(CUT):
            break
    return kept[::-1]


def squeezed(messages: Sequence[chat.Message], keep: float) -> tuple[chat.Message, ...]:
    """The messages, their texts shortened in the middle so that about the share `keep` of all text is left.

    The last message and instructions stay whole.
    """
    texts = [message.content for message in messages[:-1] if isinstance(message.content, str)]
    most = _longest_that_fits(sorted(map(len, texts)), sum(map(len, texts)) * keep)
    cut = [
        replace(message, content=_shortened(message.content, most))
        if isinstance(message.content, str) and message.role not in ("system", "developer")
        else message
        for message in messages[:-1]
    ]
    return (*cut, *messages[-1:])


def _longest_that_fits(lengths: Sequence[int], room: float) -> int:
    """The length to which the longest have to be cut so that the sum of all fits."""
    for done, length in enumerate(lengths):
        left = len(lengths) - done
        if length * left >= room:
            return max(64, int(room / left))
        room -= length
    return lengths[-1] if lengths else 0


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    half = max(0, most - len(CUT)) // 2
    return f"{text[:half]}{CUT}{text[len(text) - half :]}"


def _instructs(item: Item) -> bool:
    return isinstance(item, Message) and item.role in ("system", "developer")


def _is_put_in(item: Item) -> bool:
    """Whether the client put it in of its own accord, not the model or in answer to it."""
    if isinstance(item, Message):
        return item.role != "assistant" and item.id != SUMMARY_ID
    return isinstance(item, AdditionalTools | ConfigurationUpdate | CompactionTrigger)


def _tools(items: Iterable[Item]) -> list[AdditionalTools]:
    """The tools that the conversation brought with it, which can still be called."""
    found = [tool for item in items if isinstance(item, AdditionalTools | ToolSearchOutput) for tool in item.tools]
    return [AdditionalTools(id="compacted_tools", tools=tuple(found))] if found else []


def _late_calls(items: Sequence[Item]) -> list[Item]:
    """Asynchronous calls whose output is still to come."""
    answered = {getattr(item, "call_id", None) for item in items if not isinstance(item, FunctionCall | CustomToolCall)}
    calls = (item for item in items if isinstance(item, FunctionCall | CustomToolCall) and item.async_)
    return [call for call in calls if call.call_id not in answered]


def estimate_tokens(request: chat.ChatRequest) -> int:
    """About how many tokens a prompt has, for engines that cannot count: a quarter of its characters."""
    return len(chat.encode_json((request.messages, request.tools))) // 4
