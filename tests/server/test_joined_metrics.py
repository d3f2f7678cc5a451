"""Our figures in the `/metrics` of the server that this application is a part of."""

import asyncio
import time
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from antiphon.engines.scripted import ScriptedEngine
from antiphon.server.joined_metrics import DIRECTORY, FiguresFile, JoinedMetrics
from antiphon.server.metrics import Metrics
from antiphon.service.options import Options
from antiphon.service.responses import Responses
from antiphon.stores.memory import MemoryStore


def figures(count: float) -> list[Metric]:
    counter = CounterMetricFamily("antiphon_runs_ended", "Runs that have ended.", labels=("kind",))
    counter.add_metric(("foreground",), count)
    gauge = GaugeMetricFamily("antiphon_stream_readers", "Streams that are being read.", value=count)
    stored = GaugeMetricFamily("antiphon_store_bytes", "Size of the store.", value=100 * count)
    took = HistogramMetricFamily("antiphon_run_duration_seconds", "How long.", labels=("kind",))
    for kind in ("foreground", "background"):
        took.add_metric((kind,), [("0.5", count), ("1", count + 1), ("+Inf", count + 3)], 2.5 * count)
    return [counter, gauge, stored, took]


def added_up(directory: Path) -> list[str]:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(directory))
    return generate_latest(registry).decode().splitlines()


def test_the_figures_of_several_processes_are_added_up(tmp_path: Path) -> None:
    counts = {11: 1.0, 12: 2.0}
    files = [FiguresFile(lambda pid=pid: figures(counts[pid]), tmp_path, pid) for pid in counts]
    for _ in range(2):  # writing again changes nothing
        for file in files:
            file.write()
    rows = added_up(tmp_path)
    for file in files:
        file.close()
    assert 'antiphon_runs_ended_total{kind="foreground"} 3.0' in rows
    assert "antiphon_stream_readers 3.0" in rows
    assert "antiphon_store_bytes 200.0" in rows  # the store is one
    for kind in ("foreground", "background"):
        for end, value in (("0.5", 3.0), ("1.0", 5.0), ("+Inf", 9.0)):
            assert f'antiphon_run_duration_seconds_bucket{{kind="{kind}",le="{end}"}} {value}' in rows
        assert f'antiphon_run_duration_seconds_count{{kind="{kind}"}} 9.0' in rows
        assert f'antiphon_run_duration_seconds_sum{{kind="{kind}"}} 7.5' in rows


@pytest.mark.parametrize("processes", ["one", "several"])
def test_figures_join_those_of_the_host(processes: str, tmp_path: Path) -> None:
    async def joined() -> str:
        metrics = Metrics(Responses(ScriptedEngine(), MemoryStore(), Options(), clock=time.time))
        metrics.count_request("/v1/responses", "POST", 200, 0.1)
        environment = {DIRECTORY: str(tmp_path)} if processes == "several" else {}
        join = JoinedMetrics(metrics, environment)
        await join.start()
        said = "\n".join(added_up(tmp_path)) if environment else generate_latest(REGISTRY).decode()
        await join.close()
        return said

    said = asyncio.run(joined())
    assert 'antiphon_http_requests_total{method="POST",route="/v1/responses",status="200"} 1.0' in said
    assert "antiphon_http_requests" not in generate_latest(REGISTRY).decode()
