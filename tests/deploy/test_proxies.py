"""Behind nginx and Envoy, configured as `deploy/` says, everything goes on as without them."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from websockets.sync.client import connect

from tests.deploy.proxies import envoy, nginx
from tests.live import Live, parse_events, serve, wait_until

pytestmark = pytest.mark.slow
WAIT_S = 10


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    with serve(heartbeat_s=0.5) as running:
        yield running


@pytest.fixture(scope="module", params=["nginx", "envoy"])
def proxied(request: pytest.FixtureRequest, live: Live) -> Iterator[httpx.Client]:
    """A client of the proxy."""
    start = {"nginx": nginx, "envoy": envoy}[request.param]
    with (
        start(live.port) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=WAIT_S) as client,
    ):
        assert wait_until(lambda: client.get("/ready").status_code == 200, 30)
        yield client


def test_events_come_as_they_are_made(proxied: httpx.Client) -> None:
    asked = {"input": "[[say:first]][[stall:1.5]][[say: second]]", "stream": True}
    began = time.monotonic()
    with proxied.stream("POST", "/v1/responses", json=asked) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: response.created"
        assert time.monotonic() - began < 1.0
        kinds = [line for line in lines if line.startswith("event: ")]
    assert "event: keepalive" in kinds
    assert kinds[-1] == "event: response.completed"


def test_the_request_id_of_the_client_comes_back(proxied: httpx.Client) -> None:
    answer = proxied.post("/v1/responses", json={"input": "Hi"}, headers={"x-request-id": "mine-1"})
    assert answer.status_code == 200
    assert answer.headers["x-request-id"]


def test_a_client_that_leaves_is_noticed_behind_the_proxy(proxied: httpx.Client, live: Live) -> None:
    with proxied.stream("POST", "/v1/responses", json={"input": "[[stall:60]]", "stream": True}) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: response.created"
        made = json.loads(next(lines).removeprefix("data: "))["response"]["id"]
    assert wait_until(lambda: live.http.get(f"/v1/responses/{made}").json()["status"] == "cancelled", WAIT_S)


def test_websockets_pass(proxied: httpx.Client) -> None:
    url = f"ws://{proxied.base_url.netloc.decode()}/v1/responses"
    with connect(url, open_timeout=WAIT_S, close_timeout=WAIT_S) as socket:
        socket.send(json.dumps({"type": "response.create", "input": "[[say:Hello]]"}))
        kinds = []
        while not kinds or kinds[-1] != "response.completed":
            kinds.append(json.loads(socket.recv(WAIT_S))["type"])
    assert kinds[0] == "response.created"


def test_a_hundred_streams_arrive_whole(proxied: httpx.Client) -> None:
    asked = {"input": f"[[say:{' '.join(str(number) for number in range(50))}]]", "stream": True}

    def text(_: int) -> str:
        events = [data for _, data in parse_events(proxied.post("/v1/responses", json=asked).text)]
        found: str = events[-1]["response"]["output"][0]["content"][0]["text"]
        return found

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(text, range(100))) == {" ".join(str(number) for number in range(50))}
