"""Imports go one way, the core decides without touching the world, optional dependencies stay in their one adapter."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "antiphon"

# What the modules of each room may import from this project, besides their own room.
BELOW_SERVICE = {"ports", "core", "wire", "errors"}
LEAVES = {"build", "config", "coverage", "installation", "openmp", "packages", "vllm_versions"}
TOP = {
    "access",
    "cli",
    "__main__",
    "assembly",
    "audit",
    "banner",
    "data_command",
    "doctor_command",
    "keys_command",
    "usage_command",
    "listener",
    "supervisor",
    "worker",
    "worker_process",
    "logs",
    "reloading",
    "http_protocols",
    "tls",
    "upstreams",
    "vllm_command",
    "vllm_plugin",
}
ROOMS = {"server", "service", "engines", "stores", "readers", "web", "tracing", "doctor"}
ALLOWED = {
    "errors": set(),
    "wire": {"errors"},
    "core": {"wire", "errors"},
    "ports": {"core", "wire", "errors"},
    "service": BELOW_SERVICE,
    "server": {"service"} | BELOW_SERVICE,
    "doctor": {"service"} | BELOW_SERVICE,
    "engines": BELOW_SERVICE,
    "stores": BELOW_SERVICE,
    "readers": BELOW_SERVICE,
    "web": BELOW_SERVICE,
    "tracing": BELOW_SERVICE,
    **{leaf: LEAVES | {"errors"} for leaf in LEAVES},
    **{top: TOP | LEAVES | ROOMS | BELOW_SERVICE for top in TOP},
    "__init__": set(),
}

WORLDLY = {"asyncio", "datetime", "logging", "os", "random", "secrets", "socket", "threading", "time", "uuid"}
OPTIONAL = {"jwt", "xllamacpp", "vllm", "pypdf", "lark", "regex", "opentelemetry"}

FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The full names of the modules and objects a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    seen = {name.split(".")[1] for name in imported(path) if name.startswith("antiphon.")} - {"__version__"}
    assert seen <= ALLOWED[room(path)] | {room(path)}


@pytest.mark.parametrize("path", [path for path in FILES if room(path) == "core"], ids=lambda path: path.name)
def test_the_core_reads_no_clock_and_does_no_io(path: Path) -> None:
    assert {name.split(".")[0] for name in imported(path)}.isdisjoint(WORLDLY)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]


@pytest.mark.parametrize("dependency", sorted(OPTIONAL))
def test_an_optional_dependency_is_imported_in_one_adapter(dependency: str) -> None:
    importers = [path for path in FILES if any(name.split(".")[0] == dependency for name in imported(path))]
    assert len(importers) <= 1
    assert {room(path) for path in importers} <= {"engines", "readers", "server", "tracing"}
