"""What tests of runs that outlive their connection share: starting, following, answering, and server processes."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from antiphon.core.encode import Decoder
from antiphon.core.fold import Fold
from antiphon.wire.dialects import DIALECTS
from antiphon.wire.response import Response
from tests.command import Started, started
from tests.live import parse_events

PATH = "/v1/responses"
ENDED = ("completed", "incomplete", "failed", "cancelled")
TOOLS = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in ("look", "find")]
WAIT_S = 20.0


def start(http: httpx.Client, said: Any, **fields: Any) -> dict[str, Any]:
    """The answer to a request that is taken."""
    answer = http.post(PATH, json={"input": said, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def get(http: httpx.Client, response_id: str) -> dict[str, Any]:
    return http.get(f"{PATH}/{response_id}").raise_for_status().json()


def until(http: httpx.Client, response_id: str, *statuses: str) -> dict[str, Any]:
    """The response once it has one of `statuses`, ended by default."""
    deadline = time.monotonic() + WAIT_S
    while True:
        response = get(http, response_id)
        if response["status"] in (statuses or ENDED):
            return response
        assert time.monotonic() < deadline, f"still {response['status']}"
        time.sleep(0.02)


def replay(http: httpx.Client, response_id: str, after: int | None = None) -> str:
    """All there is to a run's stream, from behind event `after`, as it was sent."""
    params = {"stream": "true"} | ({} if after is None else {"starting_after": str(after)})
    return http.get(f"{PATH}/{response_id}", params=params).raise_for_status().text


def events(sent: str) -> list[dict[str, Any]]:
    return [data for _, data in parse_events(sent)]


def folded(sent: str) -> Response:
    """What a whole stream amounts to; its numbers must have no gap and no repeat."""
    said = events(sent)
    assert [event["sequence_number"] for event in said] == list(range(len(said)))
    fold, decoder = Fold(), Decoder(DIALECTS["openai"])
    for event in said:
        fold.add(decoder.decode(json.dumps(event, separators=(",", ":")).encode()))
    return fold.response


def text_of(response: dict[str, Any]) -> str:
    messages = [item for item in response["output"] if item["type"] == "message"]
    return "".join(part["text"] for item in messages for part in item["content"])


def calls_of(response: dict[str, Any]) -> list[str]:
    return [item["call_id"] for item in response["output"] if item["type"].endswith("_call")]


def deliver(http: httpx.Client, response_id: str, outputs: dict[str, Any], **fields: Any) -> httpx.Response:
    body = [{"call_id": call_id, "output": output} for call_id, output in outputs.items()]
    return http.post(f"{PATH}/{response_id}/tool_outputs", json={"tool_outputs": body, **fields})


@contextmanager
def process(data_dir: Path, *flags: str) -> Iterator[tuple[Started, httpx.Client]]:
    """A server process on the scripted engine and a data directory, and a client for it."""
    quick = ("--engine", "scripted", "--drain-delay-s", "0", "--drain-grace-s", "1")
    with (
        started(*quick, "--data-dir", str(data_dir), *flags) as server,
        httpx.Client(base_url=server.origin, timeout=WAIT_S, trust_env=False) as http,
    ):
        yield server, http


def kill(server: Started) -> None:
    """End a server as a crash does."""
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(10)
