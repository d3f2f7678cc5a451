"""A server that stops in a chosen moment: `python -m tests.runs.server_process DATABASE PORT_FILE [MOMENT]`.

In the moment `finish` the end of a run is never stored: the process says so and hangs, to be killed.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any, NoReturn

import uvicorn

from antiphon.engines.scripted import ScriptedEngine
from antiphon.ports import Beginning, Ending, Lease
from antiphon.server.app import App, ServerOptions
from antiphon.service.options import Options
from antiphon.service.responses import Responses
from antiphon.stores.sql import SqlStore


class Hanging:
    """A store that never gets to store the end of a run; no subclass, for the compiled store can have none."""

    def __init__(self, path: Path) -> None:
        self._store = SqlStore(path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def record(self, beginning: Beginning, ending: Ending) -> NoReturn:
        await self.finish(None, ending)

    async def finish(self, lease: Lease | None, ending: Ending) -> NoReturn:
        print("finishing", ending.status, flush=True)
        await asyncio.Event().wait()
        raise AssertionError("nobody sets the event")


def main(database: str, port: str, moment: str = "") -> None:
    store = (Hanging if moment == "finish" else SqlStore)(Path(database))
    service = Responses(ScriptedEngine(), store, Options(tool_wait_s=0.5), clock=lambda: 1_700_000_000.0)
    app = App(service, ServerOptions())
    uvicorn.run(app, host="127.0.0.1", port=int(port), lifespan="on", log_level="error", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
