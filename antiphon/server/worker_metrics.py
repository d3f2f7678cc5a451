"""`/metrics` of a server of several worker processes: whichever is asked, the figures are those of all.

Every worker writes its figures into files of a directory once a second, and when it is asked. What has been counted
stays when its process is gone, what it had open does not. What is of a process (memory, CPU, descriptors) is not added
up but has a label, the worker's place.
"""

import asyncio
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from antiphon.server.joined_metrics import WRITE_INTERVAL_S, FiguresFile
from antiphon.server.metrics import Metrics


class WorkerMetrics:
    """Shares the figures of the worker at place `index` with those of the others, by the directory `folder`."""

    def __init__(self, metrics: Metrics, folder: Path, index: int) -> None:
        self._folder = folder
        self._place = folder / f"{os.getpid()}-{index}.worker"
        self._file = FiguresFile(metrics.collect, folder, os.getpid())
        self._registry = CollectorRegistry()
        MultiProcessCollector(self._registry, str(folder))  # type: ignore[no-untyped-call]
        self._registry.register(_Processes(folder))
        self._task: asyncio.Task[None] | None = None
        metrics.show = self.render

    async def start(self) -> None:
        """Be seen by the others."""
        self._place.touch()
        self._file.write()
        self._task = asyncio.create_task(self._keep_writing())

    async def close(self) -> None:
        """Write the last values."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._file.write()
        self._file.close()

    def render(self) -> bytes:
        """The figures of all workers; ours as they stand now, those of the others a second old at most."""
        self._file.write()
        return generate_latest(self._registry)

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(WRITE_INTERVAL_S)
            self._file.write()


def forget_worker(folder: Path, pid: int) -> None:
    """Let go of what a process that has ended had open."""
    mark_process_dead(f"antiphon-{pid}", str(folder))  # type: ignore[no-untyped-call]
    for place in folder.glob(f"{pid}-*.worker"):
        place.unlink()


class _Processes:
    """What is known of each worker's process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The figures of every process, and how many there are."""
        places = sorted(_place_of(path) for path in self._folder.glob("*.worker"))
        yield GaugeMetricFamily("antiphon_workers", "Worker processes that serve.", value=len(places))
        found: dict[str, Metric] = {}
        for index, pid in places:
            for metric in _figures_of(pid):
                whole = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                for sample in metric.samples:
                    whole.add_sample(sample.name, {**sample.labels, "worker": str(index)}, sample.value)
        yield from found.values()


def _place_of(path: Path) -> tuple[int, int]:
    """The index and the process of a worker."""
    pid, _, index = path.stem.partition("-")
    return int(index), int(pid)


def _figures_of(pid: int) -> Iterable[Metric]:
    registry = CollectorRegistry()
    return ProcessCollector(namespace="antiphon", pid=lambda: pid, registry=registry).collect()
