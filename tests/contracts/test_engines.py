"""Every engine keeps the port's rules: the scripted one, one behind real HTTP, and the embedded one with its model."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace

from antiphon.config.settings import default_data_dir
from antiphon.engines.scripted import ScriptedEngine
from antiphon.installation import builtin_model_path, installed
from antiphon.ports import Engine
from tests.contracts import engine_cases, engine_script_cases
from tests.contracts.chat_server import serve_chat
from tests.contracts.engine_asking import Abilities, Case

CONTEXT_TOKENS = 4096
ABILITIES = {
    "scripted": Abilities(model="scripted", context_tokens=CONTEXT_TOKENS, scripted=True),
    "chat_http": Abilities(model="scripted", context_tokens=CONTEXT_TOKENS, scripted=True, counts_first=False),
    "router": Abilities(model="mine", context_tokens=CONTEXT_TOKENS, scripted=True),
    "embedded": Abilities(model="builtin", context_tokens=0, bound_s=240),
}
PAIRS = [
    pytest.param(name, case, id=f"{name}-{case}")
    for name, able in ABILITIES.items()
    for case in (*engine_cases.CASES, *engine_script_cases.CASES)
    if case.needs is None or getattr(able, case.needs)
]


class Subject(Struct, frozen=True):
    """A started engine, what it can do, and the loop it lives in."""

    engine: Engine
    able: Abilities
    runner: asyncio.Runner


@pytest.mark.parametrize(("name", "case"), PAIRS)
def test_engine(subjects: "Subjects", name: str, case: Case) -> None:
    subject = subjects.get(name)
    subject.runner.run(asyncio.wait_for(case.check(subject.engine, subject.able), subject.able.bound_s))


@pytest.fixture(scope="module")
def subjects() -> Iterator["Subjects"]:
    with ExitStack() as stack:
        yield Subjects(stack)


class Subjects:
    """The engines of this module, each started when it is first asked for and closed by `stack`."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._started: dict[str, Subject] = {}

    def get(self, name: str) -> Subject:
        """The started engine. Skips the test where it is not installed."""
        if name not in self._started:
            self._started[name] = self._stack.enter_context(_start(name))
        return self._started[name]


@contextmanager
def _start(name: str) -> Iterator[Subject]:
    kinds = {"scripted": _scripted, "chat_http": _chat_http, "router": _router, "embedded": _embedded}
    with asyncio.Runner() as runner, kinds[name](ABILITIES[name]) as (engine, able):
        runner.run(engine.start())
        if not able.context_tokens:
            able = replace(able, context_tokens=engine.models()[0].context_tokens or 0)
        yield Subject(engine, able, runner)
        runner.run(engine.close())


@contextmanager
def _scripted(able: Abilities) -> Iterator[tuple[Engine, Abilities]]:
    engine = ScriptedEngine(context_tokens=CONTEXT_TOKENS)
    yield engine, replace(able, running=lambda: engine.running)


@contextmanager
def _chat_http(able: Abilities) -> Iterator[tuple[Engine, Abilities]]:
    from antiphon.engines.chat_http import ChatHttpEngine

    served = ScriptedEngine(context_tokens=CONTEXT_TOKENS)
    with serve_chat(served) as url:
        yield ChatHttpEngine([url]), replace(able, running=lambda: served.running)


@contextmanager
def _router(able: Abilities) -> Iterator[tuple[Engine, Abilities]]:
    from antiphon.engines.router import EngineRouter, Route

    served = ScriptedEngine(context_tokens=CONTEXT_TOKENS)
    routes = [Route(name="mine", engine="a", fallback=("other",)), Route(name="other", engine="a")]
    yield EngineRouter({"a": served}, routes), replace(able, running=lambda: served.running)


@contextmanager
def _embedded(able: Abilities) -> Iterator[tuple[Engine, Abilities]]:
    model_path = _builtin_model()
    if model_path is None:
        missing = "the embedded engine or the built-in model is not installed (antiphon setup)"
        if os.environ.get("ANTIPHON_REQUIRE_ALL") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    from antiphon.engines.embedded import EmbeddedEngine

    yield EmbeddedEngine(model_path, model_id=able.model), able


def _builtin_model() -> Path | None:
    data_dir = Path(os.environ.get("ANTIPHON_DATA_DIR") or default_data_dir())
    return builtin_model_path(data_dir) if installed(data_dir).complete else None
