"""The child's side of `readers.child`: run as a script, it imports nothing of this project but this file."""

import struct
import sys
from collections.abc import Callable

_LENGTH = struct.Struct(">I")
MAX_MEMORY_BYTES = 2**30


def serve(answer: Callable[[bytes], bytes]) -> None:
    """Answer every request on stdin until it ends."""
    _limit_memory()
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while len(head := stdin.read(_LENGTH.size)) == _LENGTH.size:
        (length,) = _LENGTH.unpack(head)
        body = answer(stdin.read(length))
        stdout.write(_LENGTH.pack(len(body)) + body)
        stdout.flush()


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows: time alone is bounded there
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
