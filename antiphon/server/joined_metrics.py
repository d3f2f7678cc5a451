"""Our figures in the `/metrics` of a server that this application is a part of.

A server of one process serves the global registry, in which a collector may stand. One of several processes has each
write its values into files of a directory, and adds up what it finds there whichever process is asked: then our figures
are written there too, once a second.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from antiphon.server.metrics import Metrics

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
WRITE_INTERVAL_S = 1.0
_open: Callable[[str], Any] = MmapedDict
_written: Callable[[float], str] = floatToGoString
# What processes have in common is not added up.
_SHARED = frozenset({"antiphon_store_bytes", "antiphon_build_info"})


class JoinedMetrics:
    """Keeps the figures of one application in its host's. `environment` tells of what kind the host is."""

    def __init__(self, metrics: Metrics, environment: Mapping[str, str]) -> None:
        self._metrics = metrics
        directory = environment.get(DIRECTORY)
        self._file = FiguresFile(metrics.collect, Path(directory), os.getpid()) if directory else None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Join."""
        if self._file is None:
            REGISTRY.register(self._metrics)
            return
        self._file.write()
        self._task = asyncio.create_task(self._keep_writing(self._file))

    async def close(self) -> None:
        """Leave; in files, with the last values."""
        if self._file is None:
            with suppress(KeyError):
                REGISTRY.unregister(self._metrics)
            return
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._file.write()
        self._file.close()

    async def _keep_writing(self, file: "FiguresFile") -> None:
        while True:
            await asyncio.sleep(WRITE_INTERVAL_S)
            file.write()


class FiguresFile:
    """The figures of one process as prometheus_client's collector for many processes reads them.

    Source: prometheus_client, `multiprocess.py`: files `TYPE[_MODE]_PID.db`, buckets that are not yet added up.
    """

    def __init__(self, collect: Callable[[], Iterable[Metric]], directory: Path, pid: int) -> None:
        self._collect = collect
        self._directory = directory
        self._pid = pid
        self._files: dict[str, Any] = {}

    def write(self) -> None:
        """Write every figure as it stands now."""
        for metric in self._collect():
            file = self._opened(_kind(metric))
            for sample, value in _values(metric):
                file.write_value(_key(metric, sample), value, 0.0)

    def close(self) -> None:
        """Close the files, which stay: what was counted has happened."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _opened(self, kind: str) -> Any:
        if kind not in self._files:
            self._files[kind] = _open(str(self._directory / f"{kind}_antiphon-{self._pid}.db"))
        return self._files[kind]


def _kind(metric: Metric) -> str:
    if metric.type != "gauge":
        return metric.type
    return "gauge_livemax" if metric.name in _SHARED else "gauge_livesum"


def _values(metric: Metric) -> Iterable[tuple[Sample, float]]:
    """The samples to write; of a histogram, how many fell into each bucket alone."""
    if metric.type != "histogram":
        yield from ((sample, sample.value) for sample in metric.samples)
        return
    below: dict[tuple[str, ...], float] = {}
    for sample in metric.samples:
        if sample.name.endswith("_bucket"):
            others = tuple(value for name, value in sample.labels.items() if name != "le")
            yield sample, sample.value - below.get(others, 0.0)
            below[others] = sample.value
        elif sample.name.endswith("_sum"):
            yield sample, sample.value


def _key(metric: Metric, sample: Sample) -> str:
    labels = {name: _written(float(value)) if name == "le" else value for name, value in sample.labels.items()}
    return mmap_key(metric.name, sample.name, list(labels), list(labels.values()), metric.documentation)
