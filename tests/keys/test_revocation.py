"""Keys that are revoked, expire, or come while servers run and connections are open."""

import json
import time
from contextlib import suppress
from pathlib import Path

import pytest
from openai import AuthenticationError, OpenAI
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.command import run
from tests.keys.ring import bearer, entry, keys_file, serving
from tests.live import wait_until
from tests.outlive.driving import process
from tests.server_ws.talk import WAIT_S, open_socket, receive, send, turn, until

SOON_S = 5.0
BEARER = bearer("alice-key")


def keys(*arguments: str, data_dir: Path) -> str:
    ended = run("keys", *arguments, "--data-dir", str(data_dir))
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def closing_of(socket: ClientConnection) -> tuple[int | None, list[dict[str, object]]]:
    """The code a connection is closed with, and the last frames before."""
    frames = []
    with suppress(ConnectionClosed):
        while True:
            frames.append(json.loads(socket.recv(WAIT_S)))
    return socket.close_code, frames


def test_a_key_of_the_store_is_good_and_revoked_within_seconds_in_every_process(tmp_path: Path) -> None:
    key = keys("add", "ci", "--tenant", "team", data_dir=tmp_path)
    other = keys("add", "other", "--tenant", "team", data_dir=tmp_path)
    with process(tmp_path) as (first, http_1), process(tmp_path) as (second, http_2):
        clients = [OpenAI(base_url=f"{server.origin}/v1", api_key=key, max_retries=0) for server in (first, second)]
        made = clients[0].responses.create(model="scripted", input="a")
        assert clients[1].responses.retrieve(made.id).id == made.id
        assert http_1.get("/v1/models").status_code == http_2.get("/v1/models").status_code == 401
        url = second.origin.replace("http", "ws") + "/v1/responses"
        with connect(url, additional_headers=bearer(key), open_timeout=WAIT_S) as socket:
            turn(socket, input="a")
            keys("revoke", "ci", data_dir=tmp_path)
            revoked_at = time.monotonic()
            code, frames = closing_of(socket)
            for client in clients:
                assert wait_until(lambda client=client: _is_refused(client), SOON_S)
            assert time.monotonic() - revoked_at < SOON_S
        assert code == 1008
        assert frames == [
            {
                "type": "error",
                "status": 401,
                "error": {
                    "message": "This API key has been revoked or has expired.",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": "invalid_api_key",
                },
            }
        ]
        assert http_1.get(f"/v1/responses/{made.id}", headers=bearer(other)).status_code == 200


def _is_refused(client: OpenAI) -> bool:
    try:
        client.models.list()
    except AuthenticationError:
        return True
    return False


def test_the_first_key_closes_a_server_that_let_everybody_in(tmp_path: Path) -> None:
    with process(tmp_path) as (_, http):
        assert http.get("/v1/models").status_code == 200
        key = keys("add", "ci", data_dir=tmp_path)
        assert wait_until(lambda: http.get("/v1/models").status_code == 401, SOON_S)
        assert http.get("/v1/models", headers={"api-key": key}).status_code == 200


def test_what_runs_on_a_connection_ends_before_it_is_closed_and_nothing_new_begins(tmp_path: Path) -> None:
    both = entry("alice"), entry("bob")
    with serving(tmp_path, *both) as live, open_socket(live, additional_headers=BEARER) as socket:
        send(socket, input="[[delay:100]][[say:a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5 6 7 8 9]]")
        send(socket, input="[[say:waits in the same lane]]")
        until(socket, "response.created")
        keys_file(tmp_path, entry("bob"))
        assert wait_until(lambda: live.http.get("/v1/models").status_code == 401, SOON_S)
        send(socket, input="[[say:new]]", stream_id="other")
        code, frames = closing_of(socket)
    said = [(frame["type"], frame.get("stream_id")) for frame in frames if "delta" not in str(frame["type"])]
    assert code == 1008
    assert ("error", "other") in said
    assert said[said.index(("response.completed", None)) :] == [
        ("response.completed", None),
        ("error", None),  # the request that waited
        ("error", None),  # the connection's end
    ]


def test_what_runs_over_http_goes_on_to_its_end(tmp_path: Path) -> None:
    said = "[[delay:100]][[say:a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5 6 7 8 9]]"
    with serving(tmp_path, entry("alice"), entry("bob", tenant="alice")) as live:
        background = live.create(said, background=True)["id"]
        with live.http.stream("POST", "/v1/responses", json={"input": said, "stream": True}) as stream:
            lines = stream.iter_lines()
            next(lines)
            keys_file(tmp_path, entry("bob", tenant="alice"))
            assert wait_until(lambda: live.http.get("/v1/models").status_code == 401, SOON_S)
            assert any("response.completed" in line for line in lines)
        found = live.http.get(f"/v1/responses/{background}", headers=bearer("bob-key")).json()
        assert found["status"] in ("in_progress", "completed")


def test_an_expired_key_says_so_and_closes_its_connections(tmp_path: Path) -> None:
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2.5))
    with serving(tmp_path, entry("alice", expires=expires)) as live:
        with open_socket(live, additional_headers=BEARER) as socket:
            turn(socket, input="a")
            code, _ = closing_of(socket)
        answer = live.http.get("/v1/models")
    assert code == 1008
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "This API key has expired.")


def test_new_rights_reach_open_connections(tmp_path: Path) -> None:
    with serving(tmp_path, entry("alice")) as live, open_socket(live, additional_headers=BEARER) as socket:
        assert turn(socket, input="a")["store"] is True
        keys_file(tmp_path, entry("alice", store="forbid", models=["none"]))
        assert wait_until(lambda: live.http.get("/v1/models").json()["data"] == [], SOON_S)
        send(socket, input="a", model="scripted")
        assert receive(socket)["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("header", ["authorization", "api-key"])
def test_a_websocket_takes_both_headers(tmp_path: Path, header: str) -> None:
    value = "Bearer alice-key" if header == "authorization" else "alice-key"
    with serving(tmp_path, entry("alice")) as live, open_socket(live, additional_headers={header: value}) as socket:
        made = turn(socket, input="a")["id"]
        assert live.http.get(f"/v1/responses/{made}").status_code == 200


def test_anonymous_connections_are_closed_when_keys_come(tmp_path: Path) -> None:
    with process(tmp_path) as (server, _):
        url = server.origin.replace("http", "ws") + "/v1/responses"
        with connect(url, open_timeout=WAIT_S) as socket:
            turn(socket, input="a")
            keys("add", "ci", data_dir=tmp_path)
            assert closing_of(socket)[0] == 1008
