"""A segment of a log in few bytes: compressed, and of the events that only go on a text no more than the text."""

import zlib
from collections.abc import Collection

import msgspec

from antiphon.core.payloads import Payloads
from antiphon.core.spoken import Spoken

# Little effort, for little is left to find; but a window over all of it, for the end of a log says its text several
# times over. A larger one than that would take longer to be made than most logs take to be packed.
_LEVEL, _MEMORY_LEVEL = 3, 6
_LEAST_WINDOW_BITS, _MOST_WINDOW_BITS = 10, 15

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[bytes | Spoken, ...]).decode


def pack(payloads: Collection[bytes]) -> bytes:
    """What is kept of consecutive payloads."""
    pieces = payloads.pieces() if isinstance(payloads, Payloads) else tuple(payloads)
    said = _encode(pieces)
    window_bits = min(max(len(said).bit_length(), _LEAST_WINDOW_BITS), _MOST_WINDOW_BITS)
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, window_bits, _MEMORY_LEVEL)
    return packer.compress(said) + packer.flush()


def unpack(packed: bytes, first: int) -> tuple[bytes, ...]:
    """The payloads again, the first of which has the number `first`."""
    payloads: list[bytes] = []
    for piece in _decode(zlib.decompress(packed)):
        if isinstance(piece, Spoken):
            payloads += piece.payloads(first + len(payloads))
        else:
            payloads.append(piece)
    return tuple(payloads)
