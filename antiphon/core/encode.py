"""The one encoder: events become numbered JSON payloads in the dialect of their run, and can be read back.

A payload is what the log keeps and every reader gets, byte for byte; framing (`event:` lines, a WebSocket's lane)
belongs to the transport. Sequence numbers are given here, after the dialect has spoken, so they have no gap in any
dialect. OpenAI's own, without variants, costs nothing here but the encoding.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

import msgspec
from msgspec import UNSET, Raw
from msgspec.structs import replace

from antiphon.core.contexts import contexts
from antiphon.core.open_items import Form, Growing
from antiphon.wire.dialects import OPENAI, Addition, Dialect, type_of
from antiphon.wire.events import ErrorEvent, Event, OutputItemAdded, OutputItemDone, decode_event
from antiphon.wire.extended_events import AdditionalContext, ContextOwner, RateLimitsUpdated
from antiphon.wire.items import OutputItem
from antiphon.wire.unknown import encode

_TYPE_AT = len(b'{"type":"')
_PADDED_BYTES = 64
_MARK = "\x00the text"
_MARK_JSON = msgspec.json.encode(_MARK)
_NO_FORM = Form()

Noise = Callable[[int], str]
"""Makes so many random characters that need no escape in JSON."""


class Encoder:
    """Numbers and encodes the events of one run. `next_number` is the number the next event will carry.

    `include` and `response_id` are what the dialect's own events tell of; `noise` pads deltas where it is `obfuscated`.
    """

    def __init__(
        self,
        dialect: Dialect = OPENAI,
        *,
        first_number: int = 0,
        response_id: str = "",
        include: Sequence[str] = (),
        noise: Noise | None = None,
    ) -> None:
        self.next_number = first_number
        self._dialect = dialect
        self._plain = dialect is OPENAI
        self._item: OutputItem | None = None
        self._owner = ContextOwner(response_id)
        self._include = include if dialect.speaks(AdditionalContext) else ()
        self._noise = noise if dialect.obfuscated else None

    def encode(self, events: Iterable[Event | RateLimitsUpdated]) -> list[bytes]:
        """One JSON object per event; its `type` comes first and its `sequence_number` last."""
        number = self.next_number
        payloads = []
        for body in self._unnumbered(events):
            payloads.append(b'%b,"sequence_number":%d}' % (body[:-1], number))
            number += 1
        self.next_number = number
        return payloads

    def encode_more(self, growing: Growing, text: str) -> bytes | None:
        """What `encode` makes of the next delta of what is growing, made from the one before.

        None where that cannot be, for the dialect says more than one event, or the text is none that JSON can carry.
        """
        form = growing.form
        if form is None:
            form = growing.form = self._form_of(growing)
        if form is _NO_FORM:
            return None
        try:
            payload = form.payload(encode(text), self.next_number)
        except UnicodeEncodeError:
            return None
        self.next_number += 1
        return payload

    def _form_of(self, growing: Growing) -> Form:
        example = growing.example(_MARK)
        bodies = [] if example is None or self._noise is not None else list(self._unnumbered([example]))
        if len(bodies) != 1 or bodies[0].count(_MARK_JSON) != 1:
            return _NO_FORM
        head, _, tail = bodies[0].partition(_MARK_JSON)
        return Form(head, tail[:-1] + b',"sequence_number":')

    def _unnumbered(self, events: Iterable[Event | RateLimitsUpdated]) -> Iterator[bytes]:
        return map(encode, events) if self._plain else self._spoken(events)

    def _spoken(self, events: Iterable[Event | RateLimitsUpdated]) -> Iterator[bytes]:
        """The events in the dialect, with what it adds, not numbered yet."""
        for event in events:
            if isinstance(event, OutputItemAdded):
                self._item = event.item
            kind = cast(str, event.__struct_config__.tag)
            bodies = self._bodies(event, kind)
            yield from bodies if self._noise is None or not kind.endswith(".delta") else map(self._padded, bodies)

    def _bodies(self, event: Event | RateLimitsUpdated, kind: str) -> Iterator[bytes]:
        addition = self._dialect.additions.get(kind)
        if addition is not None and addition.before:
            yield _added(addition, event, self._item)
        yield self._renamed(event, kind)
        if addition is not None and not addition.before:
            yield _added(addition, event, self._item)
        if self._include and isinstance(event, OutputItemDone):
            for context in contexts(event.item, self._include):
                yield encode(AdditionalContext(response=self._owner, context=context))

    def _padded(self, body: bytes) -> bytes:
        """The delta with noise that fills it up to a whole number of blocks."""
        assert self._noise is not None
        empty = b'%b,"obfuscation":""}' % body[:-1]
        noise = self._noise(_PADDED_BYTES - len(empty) % _PADDED_BYTES)
        return b'%b%b"}' % (empty[:-2], noise.encode())

    def _renamed(self, event: Event | RateLimitsUpdated, kind: str) -> bytes:
        if isinstance(event, ErrorEvent) and self._dialect.nested_error:
            return encode({"type": "error", "error": event.error})
        body = encode(event)
        other = self._dialect.renames.get(kind)
        return body if other is None else b'{"type":"%b%b' % (type_of(other).encode(), body[_TYPE_AT + len(kind) :])


def _added(addition: Addition, event: Event | RateLimitsUpdated, item: OutputItem | None) -> bytes:
    fields: dict[str, object] = {name: getattr(event, source) for name, source in addition.event_fields.items()}
    fields |= {name: getattr(item, source) for name, source in addition.item_fields.items() if hasattr(item, source)}
    return encode(addition.event(**fields, **addition.constants))


class Decoder:
    """Reads a dialect's payloads back as OpenAI's events: what the machine said, before the dialect spoke."""

    def __init__(self, dialect: Dialect = OPENAI) -> None:
        self._names = {type_of(theirs).encode(): ours for ours, theirs in dialect.renames.items()}
        added = (*(addition.event for addition in dialect.additions.values()), *dialect.own)
        self._added = {type_of(event).encode() for event in added}

    def decode(self, payload: bytes) -> Event | None:
        """The event without its number; None for one that the dialect added. Raises: ServerError."""
        kind = payload_type(payload)
        if kind in self._added:
            return None
        if kind == b"error":
            return _error(payload)
        if kind in self._names:
            payload = b'{"type":"%b%b' % (self._names[kind].encode(), payload[_TYPE_AT + len(kind) :])
        return replace(decode_event(payload), sequence_number=UNSET)


def _error(payload: bytes) -> Event:
    """An `error` event of any form: its nested part is the same in all."""
    detail = msgspec.json.decode(payload, type=dict[str, Raw])["error"]
    known = msgspec.json.decode(detail, type=dict[str, str | None])
    flat = {
        "type": "error",
        "code": known["code"],
        "message": known["message"],
        "param": known["param"],
        "error": detail,
    }
    return decode_event(encode(flat))


def payload_type(payload: bytes) -> bytes:
    """The `type` of an encoded event, without decoding it."""
    return payload[_TYPE_AT : payload.index(b'"', _TYPE_AT)]
