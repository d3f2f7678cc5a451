"""Images and files by address: fetched for the model, kept by their address, and never from where nobody may go."""

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from antiphon.core.chat import ChatRequest, ImagePart
from antiphon.engines.scripted import ScriptedEngine
from antiphon.ports import Generation
from antiphon.web.fetcher import HttpFetcher
from antiphon.web.policy import FetchPolicy, networks
from tests.live import Live, serve

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


class Listening(ScriptedEngine):
    """Remembers what it was asked."""

    last: ChatRequest

    async def prepare(self, chat: ChatRequest) -> Generation:
        self.last = chat
        return await super().prepare(chat)


class Files(BaseHTTPRequestHandler):
    """An image and a text; the text can be fetched once."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        bodies = {"/a.gif": ("text/html", GIF), "/notes.txt": ("text/plain", b"Tee, 3 euros")}
        if self.path not in bodies or (self.path == "/notes.txt" and self.asked.count(self.path) > 1):
            self.send_error(404)
            return
        kind, body = bodies[self.path]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the tests look at `asked`."""


@pytest.fixture
def files() -> Iterator[tuple[str, list[str]]]:
    """Where the files are, and what was asked for."""
    asked: list[str] = []
    handler = type("Handler", (Files,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.fixture
def live() -> Iterator[Live]:
    """A server that may fetch from this machine, with a model that takes images."""
    policy = FetchPolicy(networks=networks(["127.0.0.1/32"]))
    with serve(Listening(), fetcher=HttpFetcher(policy)) as running:
        yield running


def user(part: dict[str, Any], text: str = "Look.") -> list[dict[str, Any]]:
    return [{"role": "user", "content": [part, {"type": "input_text", "text": text}]}]


def test_the_engine_gets_an_image_as_data_and_the_store_keeps_its_address(
    live: Live, files: tuple[str, list[str]]
) -> None:
    origin, asked = files
    part = {"type": "input_image", "image_url": f"{origin}/a.gif"}
    made = live.create(user(part))
    assert asked == ["/a.gif"]
    assert isinstance(live.engine, Listening)
    (message,) = [each for each in live.engine.last.messages if each.role == "user"]
    data = f"data:image/gif;base64,{base64.b64encode(GIF).decode()}"
    assert isinstance(message.content, tuple)
    assert ImagePart(data) in message.content
    query = {"include[]": "message.input_image.image_url"}
    (kept,) = live.http.get(f"/v1/responses/{made['id']}/input_items", params=query).json()["data"]
    assert kept["content"][0]["image_url"] == part["image_url"]


def test_a_file_that_is_gone_later_leaves_its_conversation_alone(live: Live, files: tuple[str, list[str]]) -> None:
    origin, _ = files
    first = live.create(user({"type": "input_file", "file_url": f"{origin}/notes.txt"}))
    assert '<file name="notes.txt">\nTee, 3 euros' in first["output"][0]["content"][0]["text"]
    again = live.create("[[say:Still here]]", previous_response_id=first["id"])
    assert again["status"] == "completed"


def test_what_is_not_there_is_a_400_that_names_the_part(live: Live, files: tuple[str, list[str]]) -> None:
    origin, _ = files
    answer = live.http.post(
        "/v1/responses", json={"input": user({"type": "input_image", "image_url": f"{origin}/b.gif"})}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "input[0].content[0].image_url"


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.2/a.gif", "http://169.254.169.254/latest/", "http://localhost.localdomain:1/", "http://[::1]/"],
)
def test_a_private_address_is_refused(live: Live, url: str) -> None:
    answer = live.http.post("/v1/responses", json={"input": user({"type": "input_image", "image_url": url})})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "input[0].content[0].image_url"


def test_without_a_fetcher_nothing_is_fetched(files: tuple[str, list[str]]) -> None:
    origin, asked = files
    with serve(ScriptedEngine()) as running:
        part = {"type": "input_image", "image_url": f"{origin}/a.gif"}
        answer = running.http.post("/v1/responses", json={"input": user(part)})
    assert answer.status_code == 400
    assert asked == []
