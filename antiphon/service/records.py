"""Responses as the store keeps them: a head without its output, and items in their fullest form."""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from antiphon.core.item_ids import id_of
from antiphon.ports import StoredItem, StoredResponse
from antiphon.wire.items import Item, encode_item
from antiphon.wire.response import Response
from antiphon.wire.unknown import encode

_EMPTY_OUTPUT = b'"output":[],'
_NO = Raw(b"false")


def head_of(response: Response) -> bytes:
    """The response's JSON object without `output`."""
    whole = encode(replace(response, output=()))
    # The first occurrence is the response's own: `output` stands before every field that carries a client's JSON.
    return whole.replace(_EMPTY_OUTPUT, b"", 1)


def stored_items(items: Iterable[Item]) -> tuple[StoredItem, ...]:
    return tuple(StoredItem(id_of(item), encode_item(item)) for item in items)


def whole_response(stored: StoredResponse, output: Sequence[bytes]) -> bytes:
    """The response's JSON object, put together from bytes."""
    return b'%b,"output":[%b]}' % (stored.head[:-1], b",".join(output))


def snapshot(response: Response) -> StoredResponse:
    """A response that is being made, as if it were stored."""
    return StoredResponse(
        id=response.id,
        status=response.status,
        background=response.background,
        head=head_of(response),
        output=tuple(encode_item(item) for item in response.output),
    )


def is_kept(stored: StoredResponse) -> bool:
    """False for a background response that is only there to be polled."""
    return msgspec.json.decode(stored.head, type=dict[str, Raw]).get("store") != _NO


def encode_response(response: Response) -> bytes:
    return encode(response)
