"""Several worker processes on one port: they are started, watched, replaced and told to stop together.

Rules
- The supervisor binds the port and never accepts. On Linux every worker has a socket of its own on it, among which the
  kernel spreads connections; elsewhere all workers accept from one. The supervisor keeps every socket open, so that
  connections wait for a worker that is being replaced and are never refused.
- The first worker starts alone: what is wrong with all of them is said once, and a new database is made once.
- Whoever ends unasked is replaced, at once if it had lived for a while, else after a pause that doubles.
- Signals are passed on. Workers are in process groups of their own, so that Ctrl-C in a terminal comes to them once.
- A worker whose supervisor is gone sees the end of its channel and stops in order.
"""

import logging
import selectors
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from antiphon.config.settings import Settings
from antiphon.errors import SetupError
from antiphon.listener import bind_for_workers
from antiphon.logs import start_logging
from antiphon.worker_process import WorkerProcess

logger = logging.getLogger(__name__)

START_LIMIT_S = 60.0
"""How long workers may take to be ready when the server starts."""

STOP_MARGIN_S = 20.0
"""How much longer than draining may last they get to stop."""

_STOPPING = (signal.SIGINT, signal.SIGTERM)


def supervise(settings: Settings, arguments: Sequence[str], say: Callable[[str], None]) -> int:
    """Serve by workers until SIGINT or SIGTERM, and return the exit code. `arguments` are those of `antiphon serve`.

    Raises: SetupError when a worker cannot start.
    """
    start_logging(settings)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="antiphon-workers-")))
        sockets = bind_for_workers(settings.host, settings.port, settings.workers)
        for each in sockets:
            stack.callback(each.close)
        workers = [
            WorkerProcess(index, sockets[index % len(sockets)], folder, arguments) for index in range(settings.workers)
        ]
        stop_s = settings.drain_delay_s + settings.drain_grace_s + STOP_MARGIN_S
        return Supervisor(workers, sockets, stop_s, say).run()


class Supervisor:
    """Runs workers. `sockets` are those they listen on, closed here once they are told to stop."""

    def __init__(
        self,
        workers: Sequence[WorkerProcess],
        sockets: Sequence[socket.socket],
        stop_s: float,
        say: Callable[[str], None],
    ) -> None:
        self._workers = workers
        self._sockets = sockets
        self._stop_s = stop_s
        self._say = say
        self._selector = selectors.DefaultSelector()
        self._signals: list[signal.Signals] = []
        self._stop_by: float | None = None

    def run(self) -> int:
        """Start, watch and stop; the exit code. Raises: SetupError when a worker cannot start."""
        with ExitStack() as stack:
            stack.callback(self._selector.close)
            self._catch_signals(stack)
            stack.callback(self._kill)
            self._start_all()
            if self._stop_by is None:
                self._say(self._workers[0].banner or "")
            while self._stop_by is None:
                self._look(min((worker.due_at for worker in self._workers if not worker.is_running), default=None))
                self._replace()
            return self._wait_for_end()

    def _start_all(self) -> None:
        """The first one, then the others at once."""
        deadline = time.monotonic() + START_LIMIT_S
        for group in (self._workers[:1], self._workers[1:]):
            for worker in group:
                self._start(worker)
            while self._stop_by is None and not all(worker.banner for worker in group):
                self._look(deadline)
                for worker in group:
                    if self._collect(worker) is not None and self._stop_by is None:
                        raise SetupError(worker.error or f"worker {worker.index} ended while it was starting")
                if time.monotonic() > deadline:
                    raise SetupError(f"the workers were not ready within {START_LIMIT_S:g} seconds")

    def _replace(self) -> None:
        for worker in self._workers:
            code = self._collect(worker)
            if code is not None:
                logger.error("worker %d has ended with %d and is replaced", worker.index, code)
                if worker.error is not None:
                    logger.error("worker %d cannot start: %s", worker.index, worker.error)
            if not worker.is_running and self._stop_by is None and time.monotonic() >= worker.due_at:
                self._start(worker)

    def _wait_for_end(self) -> int:
        code = 0
        while any(worker.is_running for worker in self._workers):
            self._look(self._stop_by)
            for worker in self._workers:
                was_ready = worker.banner is not None
                code = code or int(bool(self._collect(worker)) and was_ready)
            if self._stop_by is not None and time.monotonic() > self._stop_by:
                logger.error("workers did not stop in time and are killed")
                return 1
        return code

    def _start(self, worker: WorkerProcess) -> None:
        self._selector.register(worker.start(), selectors.EVENT_READ, worker)

    def _collect(self, worker: WorkerProcess) -> int | None:
        channel = worker.channel
        code = worker.collect()
        if code is not None and channel is not None:
            self._forget(channel)
            channel.close()
        return code

    def _forget(self, channel: socket.socket) -> None:
        if channel in self._selector.get_map():
            self._selector.unregister(channel)

    def _look(self, until: float | None) -> None:
        """Wait for something to happen, until then at most, and take it in."""
        wait_s = None if until is None else max(0.0, until - time.monotonic())
        for key, _ in self._selector.select(wait_s):
            channel = key.fileobj
            assert isinstance(channel, socket.socket)
            if not isinstance(key.data, WorkerProcess):
                channel.recv(4096)  # signals wake us by it
            elif not key.data.receive():
                self._forget(channel)
        pending, self._signals = self._signals, []
        for number in pending:
            self._pass_on(number)

    def _pass_on(self, number: signal.Signals) -> None:
        for worker in self._workers:
            worker.tell(number)
        if number in _STOPPING and self._stop_by is None:
            self._stop_by = time.monotonic() + self._stop_s
            for each in self._sockets:  # the workers have theirs, and decide when nothing more is taken
                each.close()

    def _kill(self) -> None:
        """Leave no worker behind."""
        for worker in self._workers:
            worker.kill()

    def _catch_signals(self, stack: ExitStack) -> None:
        waking, woken = socket.socketpair()
        for each in (waking, woken):
            stack.enter_context(each)
            each.setblocking(False)
        self._selector.register(woken, selectors.EVENT_READ)
        stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False))
        for number in (*_STOPPING, signal.SIGHUP, signal.SIGCHLD):
            stack.callback(signal.signal, number, signal.signal(number, self._note))

    def _note(self, number: int, _: FrameType | None) -> None:
        if number != signal.SIGCHLD:  # that one only wakes us
            self._signals.append(signal.Signals(number))
