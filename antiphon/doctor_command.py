"""`antiphon doctor URL`: what works behind a model server, and what it would have to be started with."""

import argparse
import asyncio
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from antiphon.assembly import build_service
from antiphon.config.settings import Settings
from antiphon.doctor.advice import CLIENTS, conclude
from antiphon.doctor.examination import examine
from antiphon.doctor.findings import Diagnosis, Patient
from antiphon.doctor.report import text_of
from antiphon.engines.chat_http import ChatHttpEngine
from antiphon.engines.chat_link import Link
from antiphon.errors import SetupError

HEALTHY, LACKING, UNREACHABLE = 0, 1, 2
SUMMARY = "Find out what works behind a model server, and what it lacks."
NOTE = """\
exit codes: 0 the client has all that it needs, 1 something is missing, 2 the server cannot be examined.

  antiphon doctor http://127.0.0.1:8000/v1
  antiphon doctor http://127.0.0.1:8000/v1 --client codex --api-key-env VLLM_KEY"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The flags of `antiphon doctor`."""
    command.epilog = NOTE
    command.add_argument("url", metavar="URL", help="the server's base URL, with /v1 or without")
    command.add_argument(
        "--client", choices=tuple(CLIENTS), help="also say what this client needs, and how to set it up"
    )
    command.add_argument("--model", metavar="NAME", help="which model, where the server has several")
    command.add_argument("--api-key-env", metavar="NAME", help="the environment variable that holds the server's key")
    command.add_argument(
        "--antiphon-url",
        metavar="URL",
        default="http://127.0.0.1:8400/v1",
        help="where the client will find Antiphon; default: http://127.0.0.1:8400/v1",
    )
    command.add_argument(
        "--timeout-s", type=float, default=30.0, metavar="S", help="for each answer, and half of all; default: 30"
    )
    command.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Examine and print; the exit code. Raises: SetupError where there is nothing to examine."""
    logging.basicConfig(level=logging.ERROR)
    diagnosis = asyncio.run(_diagnose(arguments))
    say(msgspec.json.encode(diagnosis).decode() if arguments.json else text_of(diagnosis))
    return LACKING if diagnosis.lacking else HEALTHY


async def _diagnose(arguments: argparse.Namespace) -> Diagnosis:
    engine = ChatHttpEngine(
        [arguments.url],
        link=Link(api_key=_key(arguments.api_key_env)),
        head_wait_s=arguments.timeout_s,
        first_token_timeout_s=arguments.timeout_s,
        idle_timeout_s=arguments.timeout_s,
    )
    with tempfile.TemporaryDirectory(prefix="antiphon-doctor-") as folder:
        service = build_service(Settings(store="memory", data_dir=Path(folder)), engine)
        try:
            await service.start()
            patient = await _patient(arguments.url, engine, arguments.model)
            findings = await examine(service, patient.model, at_most_s=arguments.timeout_s)
        finally:
            await service.close()
    given = {"api_key_env": arguments.api_key_env, "antiphon_url": arguments.antiphon_url}
    return conclude(patient, findings, arguments.client, **given)


async def _patient(url: str, engine: ChatHttpEngine, wanted: str | None) -> Patient:
    """Raises: SetupError when the server does not say what it has, or has it not."""
    server, models = engine.servers[0], engine.models()
    if server.problem is not None:
        raise SetupError(f"{url}: {server.problem}")
    found = [model for model in models if wanted in (None, model.id)]
    if len(found) != 1:
        names = ", ".join(model.id for model in models) or "none"
        raise SetupError(f"{url}: name one of its models with --model: {names}")
    return Patient(
        url=server.address.url,
        server=server.server or "generic",
        version=await server.version(),
        model=found[0].id,
        context_tokens=found[0].context_tokens,
    )


def _key(variable: str | None) -> str | None:
    """Raises: SetupError when it is not set."""
    if variable is None:
        return None
    if variable not in os.environ:
        raise SetupError(f"--api-key-env: there is no environment variable {variable}")
    return os.environ[variable]
