"""The generated blocks of docs/streams.md: state diagrams, tables, and the trace of one request.

Nothing here is written down twice: the diagrams walk the tables, and what a state says on the wire is asked of the
event machine itself.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec

from antiphon.core import deltas as d
from antiphon.core.chat import ChatRequest
from antiphon.core.grammar import CALLS, INCOMPLETE_REASON, ITEM_PREFIX, PARTS, CallRow, PartRow
from antiphon.core.stream import ResponseStream
from antiphon.core.toolbox import Target
from antiphon.engines.scripted import ScriptedEngine
from antiphon.ports import Generation
from antiphon.server.sse import frame
from antiphon.service.caller import ANYBODY
from antiphon.service.options import Options
from antiphon.service.responses import Responses
from antiphon.service.run_states import BEGINNING, STEPS
from antiphon.stores.memory import MemoryStore
from antiphon.wire.decode import decode_create
from antiphon.wire.events import Event
from antiphon.wire.items import FunctionCallOutput
from antiphon.wire.response import Response

NOW = 1_700_000_000
BASE = Response(id="resp_1", created_at=NOW, status="in_progress", model="scripted", reasoning=msgspec.Raw(b"null"))
# With a delay, tokens come apart, each as a delta of its own.
REQUEST = {"input": "[[delay:1]][[think:Two twos.]][[say:It is four.]]", "stream": True}
SHOWN = ("id", "status", "output", "usage")
"""What the trace keeps of a response object; the rest is the echo of the request."""


# ---------------------------------------------------------------------------------------------------------- the tables


def run_states() -> str:
    """The states of a run."""
    edges = [f"{state} --> {then}: {when}" for state, steps in STEPS.items() for then, when in steps.items()]
    last = next(state for state, steps in STEPS.items() if not steps)
    return _mermaid([f"[*] --> {BEGINNING}", *edges, f"{last} --> [*]"])


def stream_states() -> str:
    """The states of the event machine, as far as a client sees them."""
    return _mermaid(_stream_edges())


def _stream_edges() -> Iterator[str]:
    yield f"[*] --> between: {_said(_new().begin())}"
    yield 'state "no item open" as between'
    yield 'state "awaiting tool outputs" as awaiting'
    for item in ITEM_PREFIX:
        yield from _item_edges(item, [_word(delta) for delta, row in PARTS.items() if row.item == item])
    for kind in CALLS:
        yield from _item_edges(_call_item(kind), [f"{_word(d.CallStart)} of a {kind} tool"])
    begun, done = (_said(events) for events in _compacted())
    yield f"between --> compaction: {_word(d.CompactionStart)} / {begun}"
    yield f"compaction --> between: {_word(d.CompactionEnd)} / {done}"
    yield f"between --> awaiting: {_word(d.Finish)} stop, and await_tool_outputs is set"
    yield f"awaiting --> between: outputs delivered / {_said(_delivered())} for each"
    for label, outcome in _outcomes():
        stream = _new()
        stream.feed([outcome])
        said = _said(stream.end(NOW)) or "no event, the stream ends"
        yield f"between --> {stream.response.status}: {label} / {said}"
        yield f"{stream.response.status} --> [*]"


def _item_edges(item: str, openers: Sequence[str]) -> Iterator[str]:
    yield f"between --> {item}: {' or '.join(openers)} / response.output_item.added"
    yield f"{item} --> between: whatever else comes / response.output_item.done"


def _outcomes() -> Iterator[tuple[str, d.Finish | d.Failure | d.Cancelled]]:
    yield f"{_word(d.Finish)} stop", d.Finish("stop")
    for reason, shown in INCOMPLETE_REASON.items():
        yield f"{_word(d.Finish)} {reason} (reason {shown})", d.Finish(reason)  # type: ignore[arg-type]
    yield _word(d.Failure), d.Failure("server_error", "broken")
    yield _word(d.Cancelled), d.Cancelled()


def _compacted() -> Sequence[Sequence[Event]]:
    stream = _new()
    return stream.feed([d.CompactionStart()]), stream.feed([d.CompactionEnd("sealed")])


def _delivered() -> Sequence[Event]:
    stream = _new(await_outputs=True)
    stream.feed([d.CallStart("look", "call_1"), d.Finish("stop")])
    return stream.deliver([FunctionCallOutput(id="fco_1", call_id="call_1", output="seen")])


def grammar() -> str:
    """What each delta of an engine becomes."""
    parts = [_part_row(_word(delta), row) for delta, row in PARTS.items()]
    calls = [_call_row(kind, row) for kind, row in CALLS.items()]
    head = "| delta | item | id | part | field | grows by | closes with |\n|---|---|---|---|---|---|---|\n"
    return head + "\n".join([*parts, *calls])


def _part_row(delta: str, row: PartRow) -> str:
    cells = (delta, row.item, f"{ITEM_PREFIX[row.item]}_…", _tag(row.part), row.field, _tag(row.delta), _tag(row.done))
    return _row(cells)


def _call_row(kind: str, row: CallRow) -> str:
    delta = f"{_word(d.CallStart)}, {_word(d.CallArguments)}"
    grows, closes = (_tag(event) if event else None for event in (row.delta, row.done))
    return _row((delta, _call_item(kind), f"{row.prefix}_…", None, row.field, grows, closes))


def _call_item(kind: str) -> str:
    """The item that a call of this kind opens: the machine is asked."""
    stream = _new(targets={"look": Target(kind, "look")})  # type: ignore[arg-type]  # the keys of CALLS are the kinds
    stream.feed([d.CallStart("look", "call_1")])
    return _tag(type(stream.response.output[0]))


def _row(cells: Sequence[str | None]) -> str:
    return "| " + " | ".join(f"`{cell}`" if cell else "" for cell in cells) + " |"


def _new(**options: Any) -> ResponseStream:
    return ResponseStream(BASE, new_id=_counting(), **options)


def _counting() -> Callable[[str], str]:
    made: dict[str, int] = {}

    def new_id(prefix: str) -> str:
        made[prefix] = made.get(prefix, 0) + 1
        return f"{prefix}_{made[prefix]}"

    return new_id


def _said(events: Sequence[Event]) -> str:
    return ", ".join(_tag(type(event)) for event in events)


def _word(kind: type) -> str:
    return kind.__name__


def _tag(kind: Any) -> str:
    """The `type` that a struct has on the wire."""
    return str(kind.__struct_config__.tag)


def _mermaid(lines: Iterator[str] | Sequence[str]) -> str:
    return "\n".join(["```mermaid", "stateDiagram-v2", *(f"    {line}" for line in dict.fromkeys(lines)), "```"])


# ----------------------------------------------------------------------------------------------------------- the trace


class _Overheard(ScriptedEngine):
    """A scripted engine that remembers what it was asked."""

    asked: ChatRequest | None = None

    async def prepare(self, chat: ChatRequest) -> Any:
        self.asked = chat
        return await super().prepare(chat)


def curl() -> str:
    """The request of the trace."""
    return "\n".join(
        [
            "```sh",
            "curl --noproxy '*' -sN http://127.0.0.1:8400/v1/responses -H 'Content-Type: application/json' \\",
            f"  -d '{json.dumps(REQUEST)}'",
            "```",
        ]
    )


def trace() -> str:
    """What comes back, byte for byte but for what stands at `…`."""
    payloads = asyncio.run(_payloads())
    frames = [frame(_shortened(payload)).decode() for payload in payloads]
    return "```text\n" + "".join(frames).rstrip() + "\n```"


def deltas() -> str:
    """The same answer as the engine gave it, and what the machine made of each delta."""
    rows = [f"| {sent} | {_listed(events)} |" for sent, events in asyncio.run(_steps())]
    return "| the engine sends | the machine says |\n|---|---|\n" + "\n".join(rows)


async def _payloads() -> Sequence[bytes]:
    service = Responses(ScriptedEngine(), MemoryStore(), Options(), clock=lambda: NOW, ids=_counting())
    await service.start()
    try:
        run = await service.create(decode_create(json.dumps(REQUEST).encode()), ANYBODY)
        await run.wait()
        return list(run.log.payloads)
    finally:
        await service.close()


async def _steps() -> Sequence[tuple[str, Sequence[Event]]]:
    engine = _Overheard()
    service = Responses(engine, MemoryStore(), Options(), clock=lambda: NOW, ids=_counting())
    await service.start()
    try:
        await (await service.create(decode_create(json.dumps(REQUEST).encode()), ANYBODY)).wait()
        assert engine.asked is not None
        return await _fed(await ScriptedEngine().prepare(engine.asked))
    finally:
        await service.close()


async def _fed(generation: Generation) -> Sequence[tuple[str, Sequence[Event]]]:
    stream = _new()
    steps: list[tuple[str, Sequence[Event]]] = [("nothing yet: the request is checked", stream.begin())]
    async for batch in generation.deltas():
        steps += [(_brief(delta), stream.feed([delta])) for delta in batch]
    await generation.close()
    return [*steps, ("no more: the response is stored", stream.end(NOW))]


def _brief(delta: d.Delta) -> str:
    values = ", ".join(repr(value) for value in msgspec.structs.astuple(delta) if value != ())
    return f"`{_word(type(delta))}({values})`"


def _listed(events: Sequence[Event]) -> str:
    return ", ".join(f"`{_tag(type(event))}`" for event in events) or "nothing"


def _shortened(payload: bytes) -> bytes:
    data = json.loads(payload)
    return f"{{{','.join(_members(data))}}}".encode()


def _members(data: dict[str, Any]) -> Iterator[str]:
    for name, value in data.items():
        text = "{" + ",".join(_kept(value)) + "}" if name == "response" else _json(value)
        yield f"{_json(name)}:{text}"


def _kept(response: dict[str, Any]) -> Iterator[str]:
    """The members that are shown, and one mark for each row of those that are not."""
    for is_shown, members in groupby(response.items(), lambda member: member[0] in SHOWN and bool(member[1])):
        yield from (f"{_json(name)}:{_json(value)}" for name, value in members) if is_shown else ("…",)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
