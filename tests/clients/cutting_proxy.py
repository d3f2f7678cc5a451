"""A relay that loses the end of one answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from msgspec import Struct

END = b"event: response.completed"
_CHUNK = 65536
_WAIT_S = 30.0


class Cuts(Struct):
    """How many answers are still to lose their end, and how many have lost it."""

    left: int
    made: int = 0


@contextmanager
def cutting(port: int, cuts: Cuts) -> Iterator[int]:
    """Relay a free port, which is given, to `port`; an answer that loses its end breaks off before its last event."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, port, cuts), daemon=True).start()
        yield listener.getsockname()[1]


def _accept(listener: socket.socket, port: int, cuts: Cuts) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", port))
            for each in (client, server):
                each.settimeout(_WAIT_S)
            threading.Thread(target=_relay, args=(client, server, None), daemon=True).start()
            threading.Thread(target=_relay, args=(server, client, cuts), daemon=True).start()


def _relay(source: socket.socket, target: socket.socket, cuts: Cuts | None) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            if cuts is not None and cuts.left and END in chunk:
                target.sendall(chunk[: chunk.index(END)])
                cuts.left, cuts.made = cuts.left - 1, cuts.made + 1
                break
            target.sendall(chunk)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
