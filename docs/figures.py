"""The generated block of docs/metrics.md: every figure that `/metrics` shows."""

from collections.abc import Iterator

from antiphon.engines.scripted import ScriptedEngine
from antiphon.server.metrics import Metrics
from antiphon.service.options import Options
from antiphon.service.responses import Responses
from antiphon.stores.memory import MemoryStore


def table() -> str:
    """Name, type, labels and meaning of every figure."""
    return "\n".join(["| name | type | labels | what it shows |", "|---|---|---|---|", *_rows()])


def _rows() -> Iterator[str]:
    metrics = Metrics(Responses(ScriptedEngine(), MemoryStore(), Options(), clock=lambda: 0.0))
    for figure in metrics.collect():
        name = figure.name + ("_total" if figure.type == "counter" else "")
        shown = ", ".join(f"`{label}`" for label in sorted(getattr(figure, "_labelnames", ())))
        yield f"| `{name}` | {figure.type} | {shown} | {figure.documentation} |"
    yield PROCESS


PROCESS = "| `antiphon_process_…` | | | Linux only: memory (`resident_memory_bytes`), files (`open_fds`), CPU. |"
