"""HTTP/1.1 by hand, where it matters what was written when."""

import contextlib
import json
import select
import socket
from collections.abc import Iterator
from typing import Any

LIMIT_S = 5.0


class Connection:
    """One TCP connection to the server; every wait is bounded."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def set_option(self, name: int, value: bytes) -> None:
        """Set a socket option."""
        self._socket.setsockopt(socket.SOL_SOCKET, name, value)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send_if_open(self, data: bytes) -> None:
        """Send, unless the server has closed already."""
        with contextlib.suppress(OSError):
            self._socket.sendall(data)

    def can_read(self, within_s: float) -> bool:
        """Whether there is something to read, be it the end."""
        return bool(select.select([self._socket], [], [], within_s)[0])

    def rest(self) -> bytes:
        """Everything until the server closes the connection."""
        try:
            return self._file.read()
        except ConnectionResetError:
            return b""

    def post(self, **fields: Any) -> None:
        """Ask for a response."""
        body = json.dumps(fields).encode()
        self.send(b"POST /v1/responses HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    def read_head(self) -> tuple[int, dict[str, str]]:
        """The status and the headers of the answer."""
        status = int(self._file.readline().split()[1])
        headers = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            headers[name.decode().lower()] = value.strip().decode()
        return status, headers

    def read_body(self, headers: dict[str, str]) -> bytes:
        """The body of an answer whose length is declared."""
        return self._file.read(int(headers["content-length"]))

    def chunks(self) -> Iterator[bytes]:
        """The chunks of the body, each of which is what the application wrote at once."""
        while (size := int(self._file.readline(), 16)) > 0:
            yield self._file.read(size)
            self._file.readline()
        self._file.readline()
