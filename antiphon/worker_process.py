"""One place among the workers, as their supervisor sees it, and the process that has it now."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from antiphon.server.worker_metrics import forget_worker
from antiphon.worker import Error, Message, Ready, WorkerPlace, read_messages

SETTLED_S = 10.0
"""A process that has lived for so long is replaced at once."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0


class WorkerProcess:
    """`banner` is what the process says once it is ready, `error` why it cannot be."""

    def __init__(self, index: int, listening: socket.socket, folder: Path, arguments: Sequence[str]) -> None:
        self.index = index
        self.banner: str | None = None
        self.error: str | None = None
        self.due_at = 0.0
        self.channel: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._listening = listening
        self._folder = folder
        self._arguments = arguments
        self._began_at = 0.0
        self._pause_s = 0.0
        self._received = b""

    @property
    def is_running(self) -> bool:
        """Whether there is a process; one that has ended counts until it is collected."""
        return self._process is not None

    def start(self) -> socket.socket:
        """Start a process in this place. It speaks by the socket that is returned, which is the caller's to close."""
        self.channel, theirs = socket.socketpair()
        self.channel.setblocking(False)
        with theirs:
            handles = (self._listening.fileno(), theirs.fileno())
            place = WorkerPlace(listening=handles[0], channel=handles[1], index=self.index, folder=str(self._folder))
            command = _command(place, self._arguments)
            self._process = subprocess.Popen(command, pass_fds=handles, process_group=0, stdin=subprocess.DEVNULL)
        self._began_at = time.monotonic()
        self.banner, self.error, self._received = None, None, b""
        return self.channel

    def receive(self) -> bool:
        """Take in what the process has said. False: it will say nothing more."""
        if self.channel is None:
            return False
        try:
            said = self.channel.recv(65536)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        messages, self._received = read_messages(self._received + said)
        for message in messages:
            self._take(message)
        return bool(said)

    def collect(self) -> int | None:
        """The exit code of a process that has ended. Its place is free then, to be filled from `due_at` on."""
        code = self._process.poll() if self._process is not None else None
        if code is None or self._process is None:
            return None
        self.receive()
        forget_worker(self._folder, self._process.pid)
        now = time.monotonic()
        settled = self.banner is not None and now - self._began_at > SETTLED_S
        self._pause_s = 0.0 if settled else min(self._pause_s * 2 or FIRST_PAUSE_S, LONGEST_PAUSE_S)
        self.due_at = now + self._pause_s
        self._process, self.channel = None, None
        return code

    def tell(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End the process at once, and wait until it has."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _take(self, message: Message) -> None:
        match message:
            case Ready():
                self.banner = message.banner
            case Error():
                self.error = message.text


def _command(place: WorkerPlace, arguments: Sequence[str]) -> list[str]:
    """A new interpreter that looks for modules where this one does, and not in the working directory."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from antiphon.worker import main; sys.exit(main())"
    return [sys.executable, "-P", "-c", code, msgspec.json.encode(place).decode(), *arguments]
