"""What belongs to one tenant is unknown to every other, on every path.

Every endpoint of `/openapi.json` and every frame of WebSocket mode has a row here, or is named as one that reaches
nothing of a tenant's, or that lists. A row's request is sent with an id of alice's and with an id that nobody has:
bob's two answers must be the same but for the id. Alice's own must be another, or the row would show nothing.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
from msgspec import Struct
from websockets.sync.client import ClientConnection

from antiphon.stores.memory import MemoryStore
from antiphon.stores.sql import SqlStore
from tests.keys.ring import bearer, entry, serving
from tests.live import Live
from tests.outlive.driving import TOOLS, calls_of
from tests.server_ws.talk import open_socket, receive, send, steer, turn, until

BOB = bearer("bob-key")
HELLO = {"role": "user", "content": "hello"}

Ids = Mapping[str, str]
"""`response` (which waits for the output of `call`), `ended` and its `message`, `background`, `conversation` and its
`item`, `prompt`; for frames what alice's connection has `remembered`, and what it is just making: `running`."""


class Row(Struct, frozen=True):
    """A request that names something of a tenant's."""

    route: str
    what: str
    send: Callable[[httpx.Client, Ids], httpx.Response]

    def __str__(self) -> str:
        return f"{self.route} {self.what}"


NAMELESS = {
    "GET /v1/models",
    "GET /v1/models/{model_id}",
    "GET /health",
    "GET /live",
    "GET /ready",
    "GET /openapi.json",
    "GET /metrics",
}
"""They reach nothing that belongs to a tenant."""
MAKING = {"POST /v1/prompts"}
"""They make something and name nothing."""
LISTS = {"GET /v1/prompts"}
"""They list what the tenant has."""


def reference(ids: Ids, kind: str = "message") -> dict[str, str]:
    return {"type": "item_reference", "id": ids[kind]}


def create(http: httpx.Client, **fields: Any) -> httpx.Response:
    return http.post("/responses", json={"input": "a", **fields})


def outputs(http: httpx.Client, ids: Ids, response: str, **fields: Any) -> httpx.Response:
    body = {"tool_outputs": [{"call_id": ids["call"], "output": "seen"}], **fields}
    return http.post(f"/responses/{ids[response]}/tool_outputs", json=body)


ONE, TALK, PROMPT = "/v1/responses/{response_id}", "/v1/conversations/{conversation_id}", "/v1/prompts/{prompt_id}"
ROWS = (
    Row("POST /v1/responses", "chain", lambda http, ids: create(http, previous_response_id=ids["ended"])),
    Row(
        "POST /v1/responses",
        "streamed chain",
        lambda http, ids: create(http, previous_response_id=ids["ended"], stream=True),
    ),
    Row("POST /v1/responses", "conversation", lambda http, ids: create(http, conversation=ids["conversation"])),
    Row("POST /v1/responses", "prompt", lambda http, ids: create(http, prompt={"id": ids["prompt"]})),
    Row("POST /v1/responses", "reference", lambda http, ids: create(http, input=[HELLO, reference(ids)])),
    Row(
        "POST /v1/responses",
        "reference into a conversation",
        lambda http, ids: create(http, input=[HELLO, reference(ids, "item")]),
    ),
    Row(f"GET {ONE}", "get", lambda http, ids: http.get(f"/responses/{ids['ended']}")),
    Row(f"GET {ONE}", "get under way", lambda http, ids: http.get(f"/responses/{ids['response']}")),
    Row(
        f"GET {ONE}",
        "resume",
        lambda http, ids: http.get(f"/responses/{ids['ended']}?stream=true&starting_after=0"),
    ),
    Row(f"DELETE {ONE}", "delete", lambda http, ids: http.delete(f"/responses/{ids['ended']}")),
    Row(f"DELETE {ONE}", "delete under way", lambda http, ids: http.delete(f"/responses/{ids['response']}")),
    Row(f"POST {ONE}/cancel", "background", lambda http, ids: http.post(f"/responses/{ids['background']}/cancel")),
    Row(f"POST {ONE}/cancel", "foreground", lambda http, ids: http.post(f"/responses/{ids['ended']}/cancel")),
    Row(f"POST {ONE}/tool_outputs", "waiting", lambda http, ids: outputs(http, ids, "response")),
    Row(f"POST {ONE}/tool_outputs", "streamed", lambda http, ids: outputs(http, ids, "response", stream=True)),
    Row(f"POST {ONE}/tool_outputs", "ended", lambda http, ids: outputs(http, ids, "ended")),
    Row(f"GET {ONE}/input_items", "list", lambda http, ids: http.get(f"/responses/{ids['ended']}/input_items")),
    Row(
        "POST /v1/conversations",
        "reference",
        lambda http, ids: http.post("/conversations", json={"items": [reference(ids)]}),
    ),
    Row(f"GET {TALK}", "get", lambda http, ids: http.get(f"/conversations/{ids['conversation']}")),
    Row(
        f"POST {TALK}",
        "update",
        lambda http, ids: http.post(f"/conversations/{ids['conversation']}", json={"metadata": {}}),
    ),
    Row(f"DELETE {TALK}", "delete", lambda http, ids: http.delete(f"/conversations/{ids['conversation']}")),
    Row(
        f"POST {TALK}/items",
        "add",
        lambda http, ids: http.post(f"/conversations/{ids['conversation']}/items", json={"items": [HELLO]}),
    ),
    Row(f"GET {TALK}/items", "list", lambda http, ids: http.get(f"/conversations/{ids['conversation']}/items")),
    Row(
        f"GET {TALK}/items/{{item_id}}",
        "get",
        lambda http, ids: http.get(f"/conversations/{ids['conversation']}/items/{ids['item']}"),
    ),
    Row(
        f"DELETE {TALK}/items/{{item_id}}",
        "delete",
        lambda http, ids: http.delete(f"/conversations/{ids['conversation']}/items/{ids['item']}"),
    ),
    Row(f"GET {PROMPT}", "get", lambda http, ids: http.get(f"/prompts/{ids['prompt']}")),
    Row(f"DELETE {PROMPT}", "delete", lambda http, ids: http.delete(f"/prompts/{ids['prompt']}")),
    Row(
        f"POST {PROMPT}/versions",
        "add",
        lambda http, ids: http.post(f"/prompts/{ids['prompt']}/versions", json={"instructions": "Be bold."}),
    ),
    Row(f"GET {PROMPT}/versions", "list", lambda http, ids: http.get(f"/prompts/{ids['prompt']}/versions")),
    Row(
        f"GET {PROMPT}/versions/{{version}}",
        "get",
        lambda http, ids: http.get(f"/prompts/{ids['prompt']}/versions/1"),
    ),
    *(
        Row(
            f"POST /v1/responses/{verb}",
            what,
            lambda http, ids, verb=verb, fields=fields: http.post(f"/responses/{verb}", json=fields(ids)),
        )
        for verb in ("input_tokens", "compact")
        for what, fields in {
            "chain": lambda ids: {"model": "scripted", "input": "a", "previous_response_id": ids["ended"]},
            "reference": lambda ids: {"model": "scripted", "input": [HELLO, reference(ids)]},
        }.items()
    ),
    Row(
        "POST /v1/responses/input_tokens",
        "conversation",
        lambda http, ids: http.post(
            "/responses/input_tokens", json={"input": "a", "conversation": ids["conversation"]}
        ),
    ),
)

FRAMES: Mapping[str, Callable[[ClientConnection, Ids], None]] = {
    "response.create chain": lambda socket, ids: send(socket, input="a", previous_response_id=ids["ended"]),
    "response.create conversation": lambda socket, ids: send(socket, input="a", conversation=ids["conversation"]),
    "response.create reference": lambda socket, ids: send(socket, input=[HELLO, reference(ids)]),
    "response.create prompt": lambda socket, ids: send(socket, input="a", prompt={"id": ids["prompt"]}),
    "response.create remembered": lambda socket, ids: send(socket, input="a", previous_response_id=ids["remembered"]),
    "response.steer under way": lambda socket, ids: steer(socket, ids["running"], "b"),
}


@pytest.fixture(scope="module", params=["memory", "sql"])
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("tenants")
    store = MemoryStore() if request.param == "memory" else SqlStore(folder / "antiphon.db")
    with serving(folder, entry("alice"), entry("bob"), store=store) as running:
        yield running


@pytest.fixture
def bob(live: Live) -> Iterator[httpx.Client]:
    with client(live, BOB) as http:
        yield http


@pytest.fixture
def alice(live: Live) -> Iterator[httpx.Client]:
    with client(live, bearer("alice-key")) as http:
        yield http


def client(live: Live, headers: dict[str, str], base: str = "/v1") -> httpx.Client:
    return httpx.Client(base_url=f"{live.origin}{base}", headers=headers, timeout=10.0, trust_env=False)


def things(live: Live) -> Ids:
    """One of each, alice's."""
    waiting = live.create("[[call:look {}]]", tools=TOOLS, await_tool_outputs=True)
    said = live.create("[[say:hello]]")
    conversation = live.http.post("/v1/conversations", json={"items": [HELLO]}).json()["id"]
    return {
        "response": waiting["id"],
        "call": calls_of(waiting)[0],
        "ended": said["id"],
        "background": live.create("[[stall:30]]", background=True)["id"],
        "conversation": conversation,
        "item": live.http.get(f"/v1/conversations/{conversation}/items").json()["data"][0]["id"],
        "message": said["output"][0]["id"],
        "prompt": live.http.post("/v1/prompts", json={"instructions": "Be brief."}).json()["id"],
    }


def unknown(ids: Ids) -> Ids:
    """Ids of the same form that nobody has."""
    return {kind: f"{each[:-8]}00000000" for kind, each in ids.items()}


def without(text: str, *known: Ids) -> str:
    """`text` with every id by its kind."""
    for ids in known:
        for kind, each in ids.items():
            text = text.replace(each, kind)
    return text


def release(live: Live, ids: Ids) -> None:
    """End what would run on."""
    live.http.post(f"/v1/responses/{ids['background']}/cancel")
    live.http.delete(f"/v1/responses/{ids['response']}")


def test_every_endpoint_has_a_row(live: Live) -> None:
    paths = live.http.get("/openapi.json").json()["paths"]
    offered = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert offered == {row.route for row in ROWS} | NAMELESS | MAKING | LISTS
    assert not {row.route for row in ROWS} & (NAMELESS | MAKING | LISTS)


def test_every_frame_has_a_row(live: Live) -> None:
    with open_socket(live, additional_headers=BOB) as socket:
        socket.send('{"type": "nothing"}')
        message = receive(socket)["error"]["message"]
    taken = set(re.findall(r"'([a-z.]+)'", message)) - {"nothing"}
    assert taken == {name.split()[0] for name in FRAMES}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_foreign_id_is_answered_like_an_unknown_one(
    live: Live, alice: httpx.Client, bob: httpx.Client, row: Row
) -> None:
    ids = things(live)
    foreign, nobodys = row.send(bob, ids), row.send(bob, unknown(ids))
    own = row.send(alice, ids)
    release(live, ids)
    assert foreign.status_code in (400, 404)
    assert foreign.status_code == nobodys.status_code
    assert without(foreign.text, ids) == without(nobodys.text, unknown(ids))
    assert (own.status_code, own.text) != (foreign.status_code, foreign.text)


@pytest.mark.parametrize("base", ["/openai", "/openai/v1", "/openai/deployments/scripted"])
def test_azure_s_paths_tell_no_more(live: Live, base: str) -> None:
    ids = things(live)
    with client(live, BOB, base) as bob:
        for row in ROWS:
            foreign, nobodys = row.send(bob, ids), row.send(bob, unknown(ids))
            assert foreign.status_code in (400, 404), row
            assert foreign.status_code == nobodys.status_code, row
            assert without(foreign.text, ids) == without(nobodys.text, unknown(ids)), row
    release(live, ids)


@pytest.mark.parametrize("route", sorted(LISTS))
def test_a_list_holds_nothing_of_others(live: Live, alice: httpx.Client, bob: httpx.Client, route: str) -> None:
    ids = things(live)
    path = route.removeprefix("GET /v1")
    assert bob.get(path).json()["data"] == []
    assert len(alice.get(path).json()["data"]) > 0
    release(live, ids)


@pytest.mark.parametrize("name", FRAMES)
def test_a_foreign_id_in_a_frame_is_answered_like_an_unknown_one(live: Live, name: str) -> None:
    with (
        open_socket(live, additional_headers=bearer("alice-key")) as hers,
        open_socket(live, additional_headers=BOB) as his,
    ):
        ids = {**things(live), "remembered": turn(hers, input="a", store=False)["id"]}
        send(hers, input="[[delay:20]][[say:a]][[stall:30]]", stream_id="running")
        ids["running"] = until(hers, "response.created")["response"]["id"]
        answers = []
        for given in (ids, unknown(ids)):
            FRAMES[name](his, given)
            answers.append(without(json.dumps(receive(his)), given))
        FRAMES[name](hers, ids)
        own = until(hers, "response.completed", "response.steer.accepted", "response.steer.failed", "error")
    release(live, ids)
    assert answers[0] == answers[1]
    assert '"error"' in answers[0]
    assert own["type"] in ("response.completed", "response.steer.accepted")


def test_what_bob_may_not_see_he_does_not_change(live: Live, bob: httpx.Client) -> None:
    ids = things(live)
    for row in ROWS:
        row.send(bob, ids)
    assert live.http.get(f"/v1/responses/{ids['ended']}").json()["status"] == "completed"
    assert live.http.get(f"/v1/responses/{ids['response']}").json()["status"] == "in_progress"
    assert live.http.get(f"/v1/responses/{ids['background']}").json()["status"] in ("queued", "in_progress")
    assert len(live.http.get(f"/v1/conversations/{ids['conversation']}/items").json()["data"]) == 1
    release(live, ids)


def test_tenants_with_several_keys_share_what_they_have(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("shared")
    with serving(folder, entry("alice"), entry("carol", tenant="alice")) as running:
        made = running.create("a")["id"]
        assert running.http.get(f"/v1/responses/{made}", headers=bearer("carol-key")).json()["id"] == made
