"""The one place where accounts of requests are given: counted, written to the log, and traced.

Rules
- A request is recorded once, at the end of its answer; that of a stream once the stream has ended.
- A response that ends because its client left has its end in the account of its request.
- One that goes on without its client (in the background, or for tool outputs) gets an account of its own at its end.
- Nothing of what was said is in an account, no key, and no query.
"""

import logging
import time
from collections.abc import Callable

from msgspec.structs import replace

from antiphon.core.request_account import RequestAccount
from antiphon.ports import Tracer
from antiphon.server.metrics import Metrics
from antiphon.server.request_record import CLIENT_GONE, WEBSOCKET, RequestRecord
from antiphon.service.manner import Manner

logger = logging.getLogger("antiphon.access")


class Recorder:
    """Records the requests of one application. `tracer` None: nothing is traced, what clients trace is passed on."""

    def __init__(self, metrics: Metrics, tracer: Tracer | None = None, clock: Callable[[], float] = time.time) -> None:
        self.metrics = metrics
        self._tracer = tracer
        self._clock = clock

    def open(self, method: str, request_id: str) -> RequestRecord:
        """A request is here."""
        return RequestRecord(method, request_id, self._clock())

    def traced(self, record: RequestRecord, manner: Manner) -> Manner:
        """A request for a response is read: trace it, and say in the manner under what its work is to be traced."""
        if self._tracer is None or record.span is not None:
            return manner
        record.span = self._tracer.begin(manner.traceparent)
        return replace(manner, traceparent=record.span.traceparent)

    def close(self, record: RequestRecord) -> None:
        """The answer is over, or will never be."""
        status = record.status or CLIENT_GONE
        if record.method == WEBSOCKET:
            self.metrics.count_socket_request(status)
        else:
            self.metrics.count_request(record.route, record.method, status, self._clock() - record.began_at)
        run = record.run
        if run is None or run.state == "over":
            self._give(record)
        elif run.is_ending:
            run.at_end(lambda: self._give(record))
        else:
            self._write(record.account(self._clock()))
            run.at_end(lambda: self._give(record, is_late=True))

    def _give(self, record: RequestRecord, *, is_late: bool = False) -> None:
        if record.span is None and not logger.isEnabledFor(logging.INFO):
            return
        account = record.account(self._clock(), is_late=is_late)
        self._write(account)
        if record.span is not None:
            record.span.end(account)

    def _write(self, account: RequestAccount) -> None:
        logger.log(logging.DEBUG if account.is_probe else logging.INFO, account)
