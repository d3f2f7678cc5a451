"""What needs a vLLM of its own: one that sees images, takes two requests at a time, and may be killed at the end."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from antiphon.engines.chat_http import ChatHttpEngine
from tests.contracts.engine_asking import PIXEL
from tests.live import parse_events, wait_until
from tests.live import serve as serve_responses
from tests.vllm import serving
from tests.vllm.serving import CLIENT_S, MODEL, VERSION, Vllm
from tests.vllm.sighted_model import IMAGE_TOKENS, write

pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.timeout(1800)]
AT_ONCE = 2
SEES = VERSION >= (0, 32)
LONG = f"[[delay:50]][[say:{'word ' * 400}]]"
TEXT = {"type": "input_text", "text": "[[say:seen]]"}
IMAGE = {"type": "input_image", "image_url": PIXEL, "detail": "auto"}
NOT_AN_IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}


sees = pytest.mark.skipif(
    not SEES, reason="before 0.32 vLLM reads images by torchvision, which the build for CPUs lacks"
)


@pytest.fixture(scope="module")
def vllm(
    vllm_python: Path, tiny_model: Path, plugin_site: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vllm]:
    directory = tmp_path_factory.mktemp("sighted-model") if SEES else tiny_model
    if SEES:
        write(directory)
    environment = {
        "VLLM_PLUGINS": "antiphon",
        "ANTIPHON_DATA_DIR": str(tmp_path_factory.mktemp("own-data")),
        "PYTHONPATH": os.pathsep.join(map(str, (plugin_site, serving.ROOT))),
        "VLLM_KEEP_ALIVE_ON_ENGINE_DEATH": "1",
    }
    flags = ["--load-format", "dummy"]
    if VERSION >= (0, 29):
        flags += ["--max-num-queued-reqs", str(AT_ONCE)]
    with serving.serve(vllm_python, directory, *flags, **environment) as running:
        yield running


@pytest.fixture(scope="module")
def origins(vllm: Vllm) -> Iterator[dict[str, str]]:
    """Where the API is: before this vLLM, and in it."""
    with serve_responses(ChatHttpEngine([vllm.base_url], api_key=vllm.api_key)) as gateway:
        yield {"gateway": gateway.origin, "plugin": vllm.origin}


@pytest.fixture(params=["gateway", "plugin"])
def http(request: pytest.FixtureRequest, vllm: Vllm, origins: dict[str, str]) -> Iterator[httpx.Client]:
    with asking(origins[request.param], vllm) as client:
        yield client


def asking(origin: str, vllm: Vllm) -> httpx.Client:
    return httpx.Client(base_url=origin, headers=vllm.http.headers, timeout=CLIENT_S, trust_env=False)


def create(http: httpx.Client, content: Any, **fields: Any) -> httpx.Response:
    said = content if isinstance(content, str) else [{"role": "user", "content": content}]
    return http.post("/v1/responses", json={"model": MODEL, "input": said, **fields})


def input_tokens(answer: httpx.Response) -> int:
    assert answer.json()["output"][0]["content"][0]["text"] == "seen"
    tokens: int = answer.json()["usage"]["input_tokens"]
    return tokens


@sees
def test_images_are_seen(http: httpx.Client) -> None:
    alone = input_tokens(create(http, [TEXT]))
    assert input_tokens(create(http, [TEXT, IMAGE])) == alone + IMAGE_TOKENS
    assert input_tokens(create(http, [IMAGE, TEXT, IMAGE])) == alone + 2 * IMAGE_TOKENS


@sees
def test_an_image_is_seen_again_in_the_next_turn(http: httpx.Client) -> None:
    first = create(http, [TEXT, IMAGE])
    second = create(http, [TEXT], previous_response_id=first.json()["id"])
    assert input_tokens(second) > input_tokens(first)
    counted = http.post(
        "/v1/responses/input_tokens", json={"model": MODEL, "input": [{"role": "user", "content": [TEXT, IMAGE]}]}
    )
    assert counted.json()["input_tokens"] == input_tokens(first)


@sees
def test_what_is_no_image_is_a_400_that_names_the_input(http: httpx.Client) -> None:
    answer = create(http, [TEXT, NOT_AN_IMAGE], stream=True)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", "input")
    assert "0x" not in error["message"]


@pytest.mark.skipif(VERSION < (0, 29), reason="vLLM has had limits of its queue since 0.29")
def test_a_full_queue_is_503_with_a_time_to_come_again(http: httpx.Client, vllm: Vllm) -> None:
    with ExitStack() as stack:
        body = {"model": MODEL, "input": LONG, "stream": True}
        for _ in range(AT_ONCE):
            busy = stack.enter_context(http.stream("POST", "/v1/responses", json=body))
            assert busy.status_code == 200
        assert wait_until(lambda: vllm.running() == AT_ONCE, 10)
        refused = create(http, "Hello", stream=VERSION >= (0, 32))  # over HTTP older ones say so in the stream
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "server_is_overloaded"
    assert int(refused.headers["retry-after"]) >= 1
    assert wait_until(lambda: vllm.running() == 0, 10)
    assert create(http, [TEXT]).status_code == 200


def test_the_death_of_the_engine_ends_every_stream_and_is_told_to_new_requests(
    vllm: Vllm, origins: dict[str, str]
) -> None:
    with ExitStack() as stack:
        clients = {name: stack.enter_context(asking(origin, vllm)) for name, origin in origins.items()}
        body = {"model": MODEL, "input": LONG, "stream": True}
        streams = [
            stack.enter_context(http.stream("POST", "/v1/responses", json=body)).iter_text()
            for http in clients.values()
        ]
        said = ["", ""]
        for place, stream in enumerate(streams):
            while "response.output_text.delta" not in said[place]:
                said[place] += next(stream)
        os.kill(engine_of(vllm), signal.SIGKILL)
        for place, stream in enumerate(streams):
            events = [event for _, event in parse_events(said[place] + "".join(stream))]
            assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
            response = events[-1]["response"]
            assert (response["status"], response["error"]["code"]) == ("failed", "server_error")
            assert [event["sequence_number"] for event in events] == list(range(len(events)))
            stored = list(clients.values())[place].get(f"/v1/responses/{response['id']}").json()
            assert (stored["status"], stored["output"]) == ("failed", response["output"])
        for name in ("plugin", "gateway"):
            answer = create(clients[name], "Hello")
            assert answer.status_code in (500, 503)
            assert answer.json()["error"]["code"] in ("server_error", "server_is_overloaded")


def engine_of(vllm: Vllm) -> int:
    """The process of this server's engine."""
    children = Path(f"/proc/{vllm.pid}/task/{vllm.pid}/children").read_text().split()
    (engine,) = (child for child in children if "EngineCore" in Path(f"/proc/{child}/cmdline").read_text())
    return int(engine)
