"""What an open stream holds, as Python counts it."""

import gc
import socket
import tracemalloc
from pathlib import Path

from antiphon.stores.sql import SqlStore
from antiphon.wire.unknown import encode
from tests.live import Live, serve, wait_until

SIZE = 1_000_000


def test_an_open_stream_holds_its_input_once(tmp_path: Path) -> None:
    with serve(store=SqlStore(tmp_path / "antiphon.sqlite3")) as live, opened(live, "warm-up"):
        tracemalloc.start()
        try:
            before = traced()
            with opened(live, "x" * SIZE):
                assert wait_until(lambda: traced() - before < 1.5 * SIZE, 5), (traced() - before) / SIZE
                assert traced() - before > SIZE
        finally:
            tracemalloc.stop()


def opened(live: Live, said: str) -> socket.socket:
    """A connection on which a stream has begun and goes on in silence."""
    messages = [{"role": "user", "content": text} for text in (said, "[[say:a]][[stall:20]]")]
    body = encode({"input": messages, "stream": True})
    connection = socket.create_connection(("127.0.0.1", live.port), timeout=10)
    head = b"POST /v1/responses HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    connection.sendall(head % len(body) + body)
    seen = b""
    while b"output_text.delta" not in seen:
        piece = connection.recv(4096)
        assert piece, seen
        seen += piece
    return connection


def traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
