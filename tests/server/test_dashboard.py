"""The dashboard asks only for what `/metrics` shows, by labels that are there."""

import json
import re
from pathlib import Path

import pytest

from antiphon.engines.scripted import ScriptedEngine
from antiphon.server.metrics import Metrics
from antiphon.service.options import Options
from antiphon.service.responses import Responses
from antiphon.stores.memory import MemoryStore
from tests.live import serve

DASHBOARD = json.loads((Path(__file__).parents[2] / "dashboards" / "antiphon.json").read_text())
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
OF_PROMETHEUS = {"instance", "le"}

QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
QUERIES += [entry["query"]["query"] for entry in DASHBOARD["templating"]["list"] if entry["type"] == "query"]


def labels_by_name() -> dict[str, set[str]]:
    metrics = Metrics(Responses(ScriptedEngine(), MemoryStore(), Options(), clock=lambda: 0.0))
    return {
        figure.name + suffix: set(figure._labelnames)
        for figure in metrics.collect()
        for suffix in SUFFIXES[figure.type]
    }


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_figures_and_labels_that_there_are(query: str) -> None:
    known = labels_by_name()
    (name,) = set(re.findall(r"antiphon_[a-z_]+", query))
    if name.startswith("antiphon_process_"):
        with serve() as live:
            assert f"\n{name} " in live.http.get("/metrics").text
        return
    assert name in known
    asked = {label for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(", ")}
    asked |= set(re.findall(r"([a-z_]+)(?:=~|!=|=)\"", query))
    assert asked <= known[name] | OF_PROMETHEUS


def test_legends_name_labels_that_the_query_keeps() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            kept = {label for group in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in group.split(", ")}
            named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert named <= kept | ({"instance"} if " by " not in target["expr"] else set()), panel["title"]


def test_every_group_of_figures_has_a_panel() -> None:
    asked = {name for query in QUERIES for name in re.findall(r"antiphon_[a-z_]+", query)}
    shown = {re.sub(r"_(bucket|sum|count)$", "_bucket", name) for name in labels_by_name()}
    assert shown - asked == {
        "antiphon_custom_tool_inputs_total",
        "antiphon_sessions_evicted_total",
    }
