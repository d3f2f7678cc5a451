"""A real vLLM server on the tiny model, in a process of its own."""

import os
import secrets
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import openai
from msgspec import Struct

from antiphon.engines.chat_http import ChatHttpEngine
from tests.live import serve as serve_responses
from tests.live import wait_until
from tests.vllm.installation import VERSION as VERSION_NAME
from tests.vllm.tiny_model import CONTEXT_TOKENS

ROOT = Path(__file__).parents[2]
MODEL = "tiny"
VERSION = tuple(map(int, VERSION_NAME.split(".")[:2]))
START_S = 240.0
STOP_S = 30.0
CLIENT_S = 30.0
_SMALL = {
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}
_SMALL_FLAGS = "--dtype bfloat16 --enforce-eager --max-num-seqs 16".split()
_FLAGS = f"""
    --served-model-name {MODEL} --max-model-len {CONTEXT_TOKENS} --kv-cache-memory-bytes 64M
    --enable-auto-tool-choice --tool-call-parser hermes --reasoning-parser deepseek_r1
    --enable-prompt-tokens-details --logits-processors tests.vllm.script_processor:ScriptProcessor
""".split()
if VERSION >= (0, 31):
    _FLAGS += ["--tool-strict-level", "parameter"]


class Vllm(Struct, frozen=True):
    """A server that runs, and the key it asks for. `http` is a client that has that key."""

    origin: str
    api_key: str
    http: httpx.Client
    pid: int

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    def figure(self, name: str, **labels: str) -> float:
        """The sum over a metric's rows that have these labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        rows = [row for row in self.http.get("/metrics").text.splitlines() if row.startswith((f"{name}{{", f"{name} "))]
        return sum(float(row.rpartition(" ")[2]) for row in rows if all(each in row for each in wanted))

    def running(self) -> int:
        """How many requests the engine works on or has queued."""
        return int(self.figure("vllm:num_requests_running") + self.figure("vllm:num_requests_waiting"))


def make_model(python: Path, directory: Path) -> None:
    """Write the tiny model with vLLM's own libraries."""
    script = Path(__file__).with_name("tiny_model.py")
    subprocess.run([python, script, directory], check=True, timeout=START_S)


@contextmanager
def serve(python: Path, model: Path, *flags: str, **environment: str) -> Iterator[Vllm]:
    """`vllm serve` for as long as the block lasts, with scripted answers. `flags` and `environment` are added."""
    words = ["-m", "vllm.entrypoints.cli.main", "serve", model, *_FLAGS, *flags]
    with run(python, words, model, **{"PYTHONPATH": str(ROOT), **environment}) as running:
        yield running


@contextmanager
def run(python: Path, words: Sequence[str | Path], directory: Path, **environment: str) -> Iterator[Vllm]:
    """A command that becomes vLLM's server, for as long as the block lasts, fit for a small machine."""
    key = secrets.token_hex(8)
    port = _free_port()
    place = ["--host", "127.0.0.1", "--port", str(port), "--api-key", key]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [python, *words, *place, *_SMALL_FLAGS],
            env=os.environ | _SMALL | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=directory,
        )
        origin = f"http://127.0.0.1:{port}"
        headers = {"Authorization": f"Bearer {key}"}
        try:
            with httpx.Client(base_url=origin, headers=headers, timeout=CLIENT_S, trust_env=False) as client:
                wait_until(lambda: process.poll() is not None or _is_up(client), START_S)
                assert process.poll() is None and _is_up(client), f"vLLM did not start:\n{_end_of(log)}"
                yield Vllm(origin, key, client, process.pid)
        finally:
            _stop(process)
            if os.environ.get("ANTIPHON_TEST_VLLM_LOG"):
                log.seek(0)
                Path(os.environ["ANTIPHON_TEST_VLLM_LOG"]).write_text(log.read())


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _end_of(log: object) -> str:
    log.seek(0)
    return "".join(log.readlines()[-60:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and the engine processes that it started."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            continue


@contextmanager
def client_of(way: str, vllm: Vllm, **options: Any) -> Iterator[openai.OpenAI]:
    """A client of ours: in front of vLLM (`gateway`), by a server with these options, or within vLLM's (`plugin`)."""
    with ExitStack() as stack:
        base_url = vllm.base_url
        if way == "gateway":
            engine = ChatHttpEngine([vllm.base_url], api_key=vllm.api_key)
            base_url = stack.enter_context(serve_responses(engine, **options)).base_url
        yield stack.enter_context(
            openai.OpenAI(base_url=base_url, api_key=vllm.api_key, timeout=CLIENT_S, max_retries=0)
        )
