"""An endpoint plugin that runs the contract's cases on the engine of the plugin, within vLLM's own process.

`POST /antiphon-tests/cases/NAME` runs one and answers with what went wrong, if anything did. `GET
/antiphon-tests/arguments` lists the names of vLLM's arguments.
"""

import asyncio
import traceback
from argparse import Namespace
from typing import Any

from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse

from antiphon.engines.vllm import VllmEngine
from tests.contracts import engine_cases, engine_script_cases
from tests.vllm import vllm_cases
from tests.vllm.ability import ABLE

PATH = "/antiphon-tests/cases/"
ARGUMENTS_PATH = "/antiphon-tests/arguments"
CASES = {
    str(case): case
    for case in (*engine_cases.CASES, *engine_script_cases.CASES, *vllm_cases.CASES, *vllm_cases.IN_PROCESS_CASES)
}


class Plugin:
    """An endpoint plugin as vLLM wants it."""

    name = "antiphon-tests"
    required_tasks = ("generate",)

    def attach_router(self, app: Starlette) -> None:
        app.router.add_route(PATH + "{name}", self._run, methods=["POST"])
        app.router.add_route(ARGUMENTS_PATH, self._list)

    async def init_state(self, engine_client: Any, state: State, args: Namespace) -> None:
        self._arguments = sorted(vars(args))
        self._engine = VllmEngine(engine_client, state)
        await self._engine.start()
        under_way = engine_client.output_processor.get_num_unfinished_requests
        self._able = replace(ABLE, counts_first=True, running=under_way)

    async def _list(self, request: Request) -> JSONResponse:
        return JSONResponse(self._arguments)

    async def _run(self, request: Request) -> PlainTextResponse:
        case = CASES[request.path_params["name"]]
        try:
            await asyncio.wait_for(case.check(self._engine, self._able), self._able.bound_s)
        except BaseException:
            return PlainTextResponse(traceback.format_exc())
        return PlainTextResponse("")
