"""What the files of `deploy/` name is there."""

import re
from pathlib import Path

import pytest

from antiphon.config.settings import Settings, rows
from tests.command import ROOT

DEPLOY = ROOT / "deploy"
VARIABLES = {row.variable for row in rows()}


def text(name: str) -> str:
    return (DEPLOY / name).read_text()


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_every_variable_is_a_setting(path: Path) -> None:
    assert set(re.findall(r"\bANTIPHON_[A-Z_]+", path.read_text())) <= VARIABLES


def test_the_settings_of_the_config_map_exist() -> None:
    block = text("kubernetes.yaml").partition("antiphon.toml: |\n")[2].partition("---")[0]
    names = re.findall(r"^ +(\w+) = ", block, re.MULTILINE)
    assert names
    assert set(names) <= {row.name for row in rows()}


def test_whoever_stops_it_waits_longer_than_it_takes_to_end() -> None:
    needed = Settings().drain_delay_s + Settings().drain_grace_s
    (systemd,) = re.findall(r"^TimeoutStopSec=(\d+)$", text("antiphon.service"), re.MULTILINE)
    (kubernetes,) = re.findall(r"terminationGracePeriodSeconds: (\d+)", text("kubernetes.yaml"))
    assert min(int(systemd), int(kubernetes)) > needed


def test_probes_and_ports_are_those_of_the_server() -> None:
    kubernetes = text("kubernetes.yaml")
    assert set(re.findall(r"httpGet: \{ path: (\S+),", kubernetes)) == {"/live", "/ready"}
    assert f"containerPort: {Settings().port}" in kubernetes
    assert f":{Settings().port};" in text("nginx.conf")
    assert f"port_value: {Settings().port}" in text("envoy.yaml")
