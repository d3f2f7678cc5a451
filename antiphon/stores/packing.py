"""A segment of a log in few bytes: compressed, and of the events that only go on a text no more than the text."""

import zlib
from collections.abc import Collection

import msgspec

from antiphon.core.payloads import Payloads
from antiphon.core.spoken import Spoken

# Little effort, for little is left to find; but a large window, for the end of a log says its text several times over.
_LEVEL, _WINDOW_BITS, _MEMORY_LEVEL = 3, 15, 6

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[bytes | Spoken, ...]).decode


def pack(payloads: Collection[bytes]) -> bytes:
    """What is kept of consecutive payloads."""
    pieces = payloads.pieces() if isinstance(payloads, Payloads) else tuple(payloads)
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL)
    return packer.compress(_encode(pieces)) + packer.flush()


def unpack(packed: bytes, first: int) -> tuple[bytes, ...]:
    """The payloads again, the first of which has the number `first`."""
    payloads: list[bytes] = []
    for piece in _decode(zlib.decompress(packed)):
        if isinstance(piece, Spoken):
            payloads += piece.payloads(first + len(payloads))
        else:
            payloads.append(piece)
    return tuple(payloads)
