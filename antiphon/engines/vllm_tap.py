"""A short way for the outputs of vLLM's engine: its handler hands them on, in place of waking the task that reads them.

vLLM puts the outputs of a request into a collector, from which a task takes them. A tap replaces the collector's `put`.
The collector is no promised part of vLLM: where it is not found as it is known here, there is no tap, and everything
comes by that task.
"""

from typing import Any

from antiphon.engines.vllm_output import OutputReader
from antiphon.ports import More, Take


class Tap:
    """Has `take` and `more` told of outputs as they come, while the task that reads them does nothing but wait.

    `listens` says whether it does. The last output, errors, and what comes while something waits in the collector are
    left to that task.
    """

    def __init__(self, collector: Any, reading: OutputReader, take: Take, more: More) -> None:
        self._collector = collector
        self._keep = type(collector).put
        self._reading = reading
        self._take = take
        self._more = more
        self.listens = False
        self.broken: Exception | None = None
        """What was raised on the way. The task that reads is woken by it."""
        collector.put = self._put

    def close(self) -> None:
        """Leave the collector as it was."""
        self.listens = False
        self._collector.__dict__.pop("put", None)

    def _put(self, output: Any) -> None:
        is_last = getattr(output, "finished", True)  # an error is, too
        if is_last or not self.listens or self._collector.output is not None:
            self._keep(self._collector, output)
        else:
            self._hear(output)

    def _hear(self, output: Any) -> None:
        try:
            if batch := self._reading.read(output, self._more):
                self._take(batch)
        except Exception as error:  # vLLM's handler, in whose task this is, serves all requests
            self.listens = False
            self.broken = error
            self._keep(self._collector, error)


def tap(client: Any, request_id: str, reading: OutputReader, take: Take, more: More) -> Tap | None:
    """A tap on a request under way; None where vLLM keeps its outputs in another way than is known here."""
    processor = getattr(client, "output_processor", None)
    states = getattr(processor, "request_states", {})
    ids = getattr(processor, "external_req_ids", {}).get(request_id, ())
    collectors = [getattr(states.get(each), "queue", None) for each in ids]
    if len(collectors) != 1 or not hasattr(collectors[0], "output") or not hasattr(type(collectors[0]), "put"):
        return None
    return Tap(collectors[0], reading, take, more)
