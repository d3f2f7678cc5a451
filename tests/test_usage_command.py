"""`antiphon usage` and the tables of limits and prices, with the real command."""

import json
from pathlib import Path

import httpx

from tests.command import run, started

CONFIG = """
engine = "scripted"

[[limit]]
scope = "tenant"
requests_per_minute = 2

[[price]]
model = "scripted"
input = 1000
output = 5000
"""


def test_usage_is_counted_priced_and_shown_by_whatever_is_asked_for(tmp_path: Path) -> None:
    config = tmp_path / "antiphon.toml"
    config.write_text(CONFIG)
    data_dir = tmp_path / "data"
    with (
        started("--config", str(config), "--data-dir", str(data_dir)) as server,
        httpx.Client(base_url=server.origin, trust_env=False, timeout=20) as http,
    ):
        codes = [http.post("/v1/responses", json={"input": "[[say:one two]]"}).status_code for _ in range(3)]
        refused = http.post("/v1/responses", json={"input": "x"})
    assert codes == [200, 200, 429]
    assert refused.headers["x-ratelimit-limit-requests"] == "2"
    given = ("--config", str(config), "--data-dir", str(data_dir))
    shown = run("usage", "--by", "tenant,model", "--format", "json", *given)
    (total,) = json.loads(shown.stdout)
    assert total["by"] == {"tenant": "default", "model": "scripted"}
    assert total["requests"] == 2
    assert total["cost"] == (total["input_tokens"] * 1000 + total["output_tokens"] * 5000) / 1_000_000
    table = run("usage", *given).stdout.splitlines()
    assert table[0].split() == ["key", "model", "requests", "input", "cached", "output", "cost"]
    assert table[1].split()[:3] == ["-", "scripted", "2"]


def test_an_unknown_heading_is_named(tmp_path: Path) -> None:
    ended = run("usage", "--by", "color", "--data-dir", str(tmp_path))
    assert ended.returncode == 2
    assert "--by takes tenant, key, model, day, not 'color'" in ended.stderr


def test_a_broken_limit_is_named_with_its_place(tmp_path: Path) -> None:
    config = tmp_path / "antiphon.toml"
    config.write_text('[[limit]]\nscope = "planet"\n')
    ended = run("check", "--config", str(config))
    assert ended.returncode == 2
    assert "[[limit]] number 1: scope" in ended.stderr
