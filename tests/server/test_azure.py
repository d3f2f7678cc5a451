"""Azure's paths, versions, headers, and what its responses and errors have besides."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from antiphon.engines.scripted import ScriptedEngine
from antiphon.server.azure import API_VERSIONS, AzureOptions
from antiphon.server.paths import is_ours
from antiphon.stores.sql import SqlStore
from tests.live import CLIENT_S, Live, parse_events, serve
from tests.openapi_schema import validate_response

VERSION = "api-version=2025-04-01-preview"
BASES = ("/openai/v1", "/openai", "/openai/deployments/org/other")
FILTERED = [
    {
        "blocked": True,
        "source_type": "completion",
        "content_filter_raw": [],
        "content_filter_results": {},
        "content_filter_offsets": {"start_offset": 0, "end_offset": 0, "check_offset": 0},
    }
]


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with two models, of which one is the default."""
    store = SqlStore(tmp_path_factory.mktemp("azure") / "antiphon.db")
    engine = ScriptedEngine(model_ids=("scripted", "org/other"))
    with serve(engine, store, default_model="scripted", azure=AzureOptions(region="here")) as running:
        yield running


@pytest.mark.parametrize("base", BASES)
def test_every_family_serves_the_whole_api(azure: Live, base: str) -> None:
    http = azure.http
    made = http.post(f"{base}/responses?{VERSION}", json={"input": "hello", "model": "scripted"}).json()
    one = f"{base}/responses/{made['id']}"
    assert http.get(f"{one}?{VERSION}").json() == made
    assert http.get(f"{one}/input_items?{VERSION}").json()["data"][0]["content"][0]["text"] == "hello"
    assert http.post(f"{one}/cancel?{VERSION}").status_code == 400
    assert http.delete(f"{one}?{VERSION}").json()["deleted"] is True
    conversation = http.post(f"{base}/conversations?{VERSION}", json={}).json()
    found = http.get(f"{base}/conversations/{conversation['id']}/items?{VERSION}").json()
    assert found["data"] == []
    models = http.get(f"{base}/models?{VERSION}").json()["data"]
    assert [http.get(f"{base}/models/{model['id']}?{VERSION}").json() for model in models] == models


def test_the_deployment_is_the_model_of_a_request_that_names_none(azure: Live) -> None:
    path = f"/openai/deployments/org%2Fother/responses?{VERSION}"
    assert azure.http.post(path, json={"input": "a"}).json()["model"] == "org/other"
    assert azure.http.post(path, json={"input": "a", "model": "scripted"}).json()["model"] == "scripted"
    gone = azure.http.post(f"/openai/deployments/gone/responses?{VERSION}", json={"input": "a"})
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "model_not_found")


def test_a_background_response_of_a_deployment_keeps_its_model(azure: Live) -> None:
    path = f"/openai/deployments/org/other/responses?{VERSION}"
    made = azure.http.post(path, json={"input": "a", "background": True}).json()
    events = parse_events(azure.http.get(f"/v1/responses/{made['id']}?stream=true").text)
    assert events[-1][1]["response"]["model"] == "org/other"


def test_content_filters_stand_in_answer_stream_and_store_alike(azure: Live) -> None:
    streamed = azure.http.post("/openai/v1/responses", json={"input": "hello", "stream": True})
    events = [data for _, data in parse_events(streamed.text)]
    wholes = [event["response"] for event in events if "response" in event]
    assert len(wholes) == 3
    assert [whole["content_filters"] for whole in wholes] == [[], [], []]
    one = f"/v1/responses/{wholes[0]['id']}"
    assert azure.http.get(one).json() == wholes[-1]
    assert [data for _, data in parse_events(azure.http.get(f"{one}?stream=true").text)] == events
    made = azure.http.post("/openai/v1/responses", json={"input": "hello"}).json()
    validate_response(made)
    assert made["content_filters"] == []


def test_an_answer_that_a_filter_cut_says_so(azure: Live) -> None:
    body = {"input": "[[say:half]][[filter]]"}
    made = azure.http.post("/openai/v1/responses", json=body).json()
    assert (made["status"], made["incomplete_details"]) == ("incomplete", {"reason": "content_filter"})
    assert made["content_filters"] == FILTERED
    assert azure.http.get(f"/openai/v1/responses/{made['id']}").json() == made


def test_openais_paths_know_nothing_of_azure(azure: Live) -> None:
    answer = azure.http.post("/v1/responses", json={"input": "[[say:half]][[filter]]"})
    assert "content_filters" not in answer.json()
    assert not {"apim-request-id", "x-ms-request-id", "x-ms-region"} & answer.headers.keys()
    assert azure.http.get("/v1/responses/resp_unknown").json()["error"].keys() == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    "path", ["/openai/v1/models", f"/openai/models?{VERSION}", "/openai/nowhere", "/openai/v1/responses/r"]
)
def test_every_answer_has_azures_headers(azure: Live, path: str) -> None:
    given = {"x-request-id": "mine", "x-ms-client-request-id": "0f8fad5b-d9cb-469f-a165-70867728950e"}
    headers = azure.http.get(path, headers=given).headers
    assert headers["x-request-id"] == headers["apim-request-id"] == headers["x-ms-request-id"] == "mine"
    assert headers["x-ms-client-request-id"] == given["x-ms-client-request-id"]
    assert headers["x-ms-region"] == "here"


def test_errors_have_their_status_inside_besides_the_four_keys(azure: Live) -> None:
    answer = azure.http.get("/openai/v1/responses/resp_unknown")
    assert answer.json()["error"] == {
        "message": "Response with id 'resp_unknown' not found.",
        "type": "invalid_request_error",
        "param": "response_id",
        "code": None,
        "status": 404,
    }


@pytest.mark.parametrize("version", API_VERSIONS)
def test_listed_versions_are_served_in_strict_mode(strict: Live, version: str) -> None:
    assert strict.http.get(f"/openai/models?api-version={version}").status_code == 200


@pytest.mark.parametrize("query", ["", "?api-version=", "?api-version=2099-01-01"])
def test_an_unlisted_version_is_400_in_strict_mode_alone(azure: Live, strict: Live, query: str) -> None:
    assert azure.http.get(f"/openai/models{query}").status_code == 200
    refused = strict.http.get(f"/openai/models{query}")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "api-version")


def test_the_undated_family_needs_no_version(strict: Live) -> None:
    assert strict.http.get("/openai/v1/models").status_code == 200


def test_an_unlisted_version_is_logged_once_and_never_what_is_no_version(
    azure: Live, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "antiphon.server.azure"):
        for version in ("2031-07-07", "2031-07-07", "a%0Ab"):
            azure.http.get(f"/openai/models?api-version={version}")
    messages = [record.getMessage() for record in caplog.records]
    assert [("2031-07-07" in message, "no version" in message) for message in messages] == [
        (True, False),
        (False, True),
    ]


@pytest.fixture(scope="module")
def strict() -> Iterator[Live]:
    with serve(strict=True) as running:
        yield running


def test_what_comes_through_azure_is_stored_whatever_it_says(azure: Live) -> None:
    made = azure.http.post("/openai/v1/responses", json={"input": "a", "store": False}).json()
    assert made["store"] is True
    assert azure.http.get(f"/openai/v1/responses/{made['id']}").json() == made
    assert azure.create("a", store=False)["store"] is False


@pytest.mark.parametrize(
    "options", [{"azure": AzureOptions(force_store=False)}, {"store_enabled": False}], ids=["by setting", "no store"]
)
def test_store_false_is_honoured_where_nothing_is_forced(options: dict[str, Any]) -> None:
    with serve(**options) as live:
        made = live.http.post("/openai/v1/responses", json={"input": "a", "store": False}).json()
        assert made["store"] is False
        assert live.http.get(f"/openai/v1/responses/{made['id']}").status_code == 404


def test_azure_can_be_switched_off() -> None:
    with serve(azure=AzureOptions(enabled=False)) as live:
        answer = live.http.post("/openai/v1/responses", json={"input": "a"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_url")
        assert "apim-request-id" not in answer.headers
        with pytest.raises(Exception, match="404"):
            connect(f"ws://127.0.0.1:{live.port}/openai/v1/responses", proxy=None, open_timeout=CLIENT_S)


@pytest.mark.parametrize("path", [f"{base}/responses?{VERSION}" for base in BASES])
def test_websocket_mode_is_served_in_every_family(azure: Live, path: str) -> None:
    with connect(f"ws://127.0.0.1:{azure.port}{path}", proxy=None, open_timeout=CLIENT_S) as socket:
        assert socket.response is not None
        assert socket.response.headers["apim-request-id"].startswith("req_")
        socket.send(json.dumps({"type": "response.create", "input": "hello", "store": False}))
        events = [json.loads(socket.recv(CLIENT_S)) for _ in range(3)]
        assert events[0]["response"]["content_filters"] == []
        assert events[0]["response"]["store"] is True
        assert events[0]["response"]["model"] == ("org/other" if "deployments" in path else "scripted")
        socket.send(json.dumps({"type": "response.create", "input": 7, "stream_id": "other"}))
        while "error" not in (frame := json.loads(socket.recv(CLIENT_S))):
            pass
        assert (frame["status"], frame["error"]["status"]) == (400, 400)


@pytest.mark.parametrize("headers", [{"api-key": "k"}, {"authorization": "Bearer k"}])
def test_a_key_may_come_in_either_header(headers: dict[str, str]) -> None:
    with serve(api_keys=("k",)) as live:
        assert live.http.get("/openai/v1/models").status_code == 401
        answer: httpx.Response = live.http.get("/openai/v1/models", headers=headers)
        assert answer.status_code == 200


def test_paths_beside_another_server_are_those_that_it_has_not() -> None:
    ours = ["/v1/responses", "/v1/responses/r/cancel", "/v1/conversations/c", "/openai/v1/models", "/openai/responses"]
    assert [
        path for path in [*ours, "/v1/models", "/health", "/v1/responsesx", "/openai", "/v1"] if is_ours(path)
    ] == ours
