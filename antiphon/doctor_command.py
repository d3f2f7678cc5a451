"""`antiphon doctor URL`: what works behind a model server, and what it would have to be started with."""

import argparse
import asyncio
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from antiphon.assembly import build_service
from antiphon.config.settings import Settings
from antiphon.doctor.advice import NEEDS, codex_config, codex_context, model_block
from antiphon.doctor.cures import missing_flags
from antiphon.doctor.examination import examine
from antiphon.doctor.findings import Diagnosis, Finding, Patient
from antiphon.doctor.report import text_of
from antiphon.engines.chat_http import ChatHttpEngine
from antiphon.engines.chat_link import Link
from antiphon.engines.chat_upstream import Upstream, parse_url
from antiphon.errors import EngineError, SetupError
from antiphon.service.caller import ANYBODY
from antiphon.service.responses import Responses

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
    command.add_argument("--client", choices=("codex",), help="also say what this client needs, and how to set it up")
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
    key = _key(arguments.api_key_env)
    engine = ChatHttpEngine(
        [arguments.url],
        link=Link(api_key=key),
        head_wait_s=arguments.timeout_s,
        first_token_timeout_s=arguments.timeout_s,
        idle_timeout_s=arguments.timeout_s,
    )
    with tempfile.TemporaryDirectory(prefix="antiphon-doctor-") as folder:
        service = build_service(Settings(store="memory", data_dir=Path(folder)), engine)
        try:
            await service.start()
            patient = await _patient(arguments.url, key, service, arguments.model)
            findings = await examine(service, patient.model, at_most_s=arguments.timeout_s)
        finally:
            await service.close()
    return _concluded(patient, findings, arguments)


async def _patient(url: str, key: str | None, service: Responses, wanted: str | None) -> Patient:
    """Raises: SetupError when the server does not say what it has, or has it not."""
    upstream = Upstream(parse_url(url), Link(api_key=key))
    try:
        await upstream.learn()
        if upstream.problem is not None:
            raise SetupError(f"{url}: {upstream.problem}")
        models = service.catalog.models(ANYBODY)
        found = [model for model in models if wanted in (None, model.id)]
        if len(found) != 1:
            names = ", ".join(model.id for model in models) or "none"
            raise SetupError(f"{url}: name one of its models with --model: {names}")
        return Patient(
            url=upstream.address.url,
            server=upstream.server or "generic",
            version=await upstream.version(),
            model=found[0].id,
            context_tokens=found[0].context_tokens,
        )
    except EngineError as error:
        raise SetupError(f"{url}: {error.message}") from None
    finally:
        upstream.close()


def _concluded(patient: Patient, findings: Sequence[Finding], arguments: argparse.Namespace) -> Diagnosis:
    client = arguments.client
    needs = NEEDS[client]
    block = model_block(patient, findings, api_key_env=arguments.api_key_env, client=client)
    flags = missing_flags(patient, findings)
    diagnosis = Diagnosis(patient=patient, findings=findings, needs=needs, flags=flags, model_block=block)
    if client is None:
        return diagnosis
    return replace(
        diagnosis,
        findings=(*findings, codex_context(patient)),
        needs=(*needs, "context"),
        client=client,
        client_config=codex_config(patient, arguments.antiphon_url),
    )


def _key(variable: str | None) -> str | None:
    """Raises: SetupError when it is not set."""
    if variable is None:
        return None
    if variable not in os.environ:
        raise SetupError(f"--api-key-env: there is no environment variable {variable}")
    return os.environ[variable]
