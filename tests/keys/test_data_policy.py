"""What a key's data policy and its models mean to requests."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from openai import NotFoundError, OpenAI

from antiphon.engines.scripted import ScriptedEngine
from antiphon.stores.sql import SqlStore
from tests.keys.ring import bearer, entry, error_of, serving
from tests.live import Live, serve
from tests.outlive.driving import TOOLS, calls_of, deliver, text_of
from tests.server_ws.talk import open_socket, turn

FREE, NONE, ALL = bearer("alice-key"), bearer("none-key"), bearer("all-key")
HELLO = {"role": "user", "content": "hello"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Three keys of one tenant; two models, of which the tenant's second key has one."""
    folder = tmp_path_factory.mktemp("policy")
    entries = (
        entry("alice"),
        entry("none", tenant="alice", store="forbid", models=["m1"]),
        entry("all", tenant="alice", store="force"),
    )
    engine = ScriptedEngine(model_ids=("m1", "m2"))
    with serving(
        folder, *entries, engine=engine, store=SqlStore(folder / "antiphon.db"), default_model="m2"
    ) as running:
        yield running


@pytest.mark.parametrize("asked", [{}, {"store": True}, {"store": False}, {"store": None}], ids=str)
def test_forbid_serves_but_stores_nothing_and_says_so(live: Live, asked: dict[str, object]) -> None:
    answer = live.http.post("/v1/responses", json={"input": "a", "model": "m1", **asked}, headers=NONE).json()
    assert (answer["status"], answer["store"]) == ("completed", False)
    assert live.http.get(f"/v1/responses/{answer['id']}").status_code == 404


@pytest.mark.parametrize("asked", [{}, {"store": True}, {"store": False}], ids=str)
def test_force_stores_and_says_so(live: Live, asked: dict[str, object]) -> None:
    answer = live.http.post("/v1/responses", json={"input": "a", **asked}, headers=ALL).json()
    assert answer["store"] is True
    assert live.http.get(f"/v1/responses/{answer['id']}").json() == answer


def test_forbid_goes_on_from_what_others_of_the_tenant_have_stored(live: Live) -> None:
    first = live.create("one", model="m1")
    asked = {"input": "two", "model": "m1", "previous_response_id": first["id"]}
    second = live.http.post("/v1/responses", json=asked, headers=NONE).json()
    assert (second["previous_response_id"], second["store"]) == (first["id"], False)


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/responses", {"input": "a", "model": "m1", "background": True}, "background"),
        ("/v1/responses", {"input": "a", "model": "m1", "conversation": "CONVERSATION"}, "conversation"),
        ("/v1/conversations", {}, None),
        ("/v1/conversations/CONVERSATION", {"metadata": {"a": "b"}}, None),
        ("/v1/conversations/CONVERSATION/items", {"items": [HELLO]}, None),
    ],
)
def test_forbid_refuses_what_lives_from_being_stored(live: Live, path: str, body: object, param: str | None) -> None:
    made = live.http.post("/v1/conversations", json={}).json()["id"]
    sent = json.loads(json.dumps(body).replace("CONVERSATION", made))
    answer = live.http.post(path.replace("CONVERSATION", made), json=sent, headers=NONE)
    error = error_of(answer)
    assert (answer.status_code, error["code"], error["param"]) == (400, "unsupported_value", param)
    assert live.http.get(f"/v1/conversations/{made}").json()["metadata"] == {}
    assert live.http.get(f"/v1/conversations/{made}/items").json()["data"] == []


def test_forbid_answers_its_own_calls_but_adds_nothing_to_a_stored_response(live: Live) -> None:
    said, asked = "[[call:look {}]][[then]][[say:after]]", {"model": "m1", "tools": TOOLS, "await_tool_outputs": True}
    stored = live.create(said, **asked)
    with httpx.Client(base_url=live.origin, headers=NONE, timeout=10.0, trust_env=False) as http:
        own = http.post("/v1/responses", json={"input": said, **asked}).json()
        refused = deliver(http, stored["id"], {calls_of(stored)[0]: "seen"})
        taken = deliver(http, own["id"], {calls_of(own)[0]: "seen"}, stream=True)
    assert (refused.status_code, error_of(refused)["param"]) == (400, "tool_outputs")
    assert "response.completed" in taken.text
    assert deliver(live.http, stored["id"], {calls_of(stored)[0]: "seen"}).status_code == 200


def test_forbid_over_websocket_remembers_for_the_connection_only(live: Live) -> None:
    with open_socket(live, additional_headers=NONE) as socket:
        first = turn(socket, input="[[say:one]]", model="m1")
        second = turn(socket, input="two", model="m1", previous_response_id=first["id"])
    assert (first["store"], second["store"]) == (False, False)
    assert [live.http.get(f"/v1/responses/{each['id']}").status_code for each in (first, second)] == [404, 404]


def test_force_over_websocket_is_stored(live: Live) -> None:
    with open_socket(live, additional_headers=ALL) as socket:
        made = turn(socket, input="[[say:one]]", store=False)
    assert text_of(live.http.get(f"/v1/responses/{made['id']}").json()) == "one"


def test_force_where_nothing_is_stored_is_refused_not_ignored(tmp_path: Path) -> None:
    with serving(tmp_path, entry("alice", store="force"), store_enabled=False) as running:
        answer = running.http.post("/v1/responses", json={"input": "a"})
    assert answer.status_code == 503
    assert error_of(answer)["code"] == "server_error"


# ---------------------------------------------------------------------------------------------------------- models


def test_a_key_sees_only_its_models(live: Live) -> None:
    client = OpenAI(base_url=live.base_url, api_key="none-key", max_retries=0)
    assert [model.id for model in client.models.list()] == ["m1"]
    assert client.models.retrieve("m1").id == "m1"
    for attempt in (lambda: client.models.retrieve("m2"), lambda: client.responses.create(model="m2", input="a")):
        with pytest.raises(NotFoundError) as refused:
            attempt()
        assert refused.value.code == "model_not_found"
    unknown = live.http.get("/v1/models/m3", headers=NONE).text
    assert live.http.get("/v1/models/m2", headers=NONE).text == unknown.replace("m3", "m2")
    assert [model["id"] for model in live.http.get("/v1/models").json()["data"]] == ["m1", "m2"]


def test_a_request_that_names_no_model_gets_the_only_one_of_its_key(live: Live) -> None:
    assert live.http.post("/v1/responses", json={"input": "a"}, headers=NONE).json()["model"] == "m1"
    assert live.create("a")["model"] == "m2"


def test_a_model_of_another_key_is_unknown_over_websocket_too(live: Live) -> None:
    with open_socket(live, additional_headers=NONE) as socket:
        socket.send(json.dumps({"type": "response.create", "model": "m2", "input": "a"}))
        answer = json.loads(socket.recv(10))
    assert (answer["status"], answer["error"]["code"]) == (404, "model_not_found")


# ---------------------------------------------------------------------------------------------------------- metrics


def test_metrics_need_a_key_where_keys_are_unless_they_are_public(live: Live) -> None:
    assert live.http.get("/metrics", headers={"authorization": ""}).status_code == 401
    assert live.http.get("/metrics").status_code == 200
    with serve(api_keys=("k",), metrics_public=True) as running:
        assert running.http.get("/metrics").status_code == 200
        assert running.http.get("/v1/models").status_code == 401
