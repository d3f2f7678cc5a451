"""`/metrics`: what happened, in numbers that a scraper reads."""

import json
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from antiphon.engines.scripted import ScriptedEngine
from antiphon.server.openapi import document
from tests.live import Live, serve, wait_until

WAIT_S = 5.0
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture
def fresh() -> Iterator[Live]:
    """A server that nobody has asked anything yet, with room for one background run."""
    with serve(background_running=1) as running:
        yield running


def figures(live: Live) -> dict[str, float]:
    """Every sample by its name and labels."""
    answer = live.http.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return {
        sample.name + "".join(f" {value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def reaches(live: Live, name: str, value: float) -> bool:
    return wait_until(lambda: figures(live).get(name) == value, WAIT_S)


@pytest.mark.parametrize(
    ("said", "status"),
    [("[[say:a]]", "completed"), ("[[say:a]][[length]]", "incomplete"), ("[[fail:server_error]]", "failed")],
)
def test_an_end_is_counted_by_its_status(fresh: Live, said: str, status: str) -> None:
    fresh.stream(said)
    found = figures(fresh)
    assert found["antiphon_runs_started_total foreground"] == 1
    ends = {name: value for name, value in found.items() if name.startswith("antiphon_runs_ended_total")}
    assert {name: value for name, value in ends.items() if value} == {
        f"antiphon_runs_ended_total foreground {status}": 1
    }
    assert len(ends) == 8
    assert found["antiphon_run_duration_seconds_count foreground scripted"] == 1


def test_tokens_are_those_of_the_responses(fresh: Live) -> None:
    usages = [fresh.create(said)["usage"] for said in ("one two three", "four")]
    found = figures(fresh)
    assert found["antiphon_input_tokens_total scripted"] == sum(usage["input_tokens"] for usage in usages)
    assert found["antiphon_output_tokens_total scripted"] == sum(usage["output_tokens"] for usage in usages)


def test_the_first_event_is_timed_once_per_run_that_says_something(fresh: Live) -> None:
    fresh.stream("[[stall:0.3]][[say:a b c]]")
    fresh.stream("[[fail:server_error]]")
    found = figures(fresh)
    assert found["antiphon_time_to_first_event_seconds_count foreground scripted"] == 1
    assert found["antiphon_time_to_first_event_seconds_bucket foreground 0.25 scripted"] == 0
    assert found["antiphon_time_to_first_event_seconds_bucket foreground +Inf scripted"] == 1
    assert (
        found["antiphon_time_to_first_event_seconds_sum foreground scripted"] > 0.29
    )  # a timer may be early by its resolution


def test_background_runs_are_working_and_queued_until_they_are_cancelled(fresh: Live) -> None:
    ids = [fresh.create("[[stall:60]]", background=True)["id"] for _ in range(2)]
    assert reaches(fresh, "antiphon_sessions working", 1)
    found = figures(fresh)
    assert found["antiphon_sessions queued"] == 1
    assert found["antiphon_background_runs running"] == 1
    assert found["antiphon_background_runs waiting"] == 1
    assert found["antiphon_sessions_bytes"] > 0
    for each in ids:
        fresh.http.post(f"/v1/responses/{each}/cancel")
    found = figures(fresh)
    assert found["antiphon_runs_ended_total background cancelled"] == 2
    assert (
        found["antiphon_sessions working"] == found["antiphon_sessions queued"] == found["antiphon_sessions_bytes"] == 0
    )


def test_a_run_that_waits_for_outputs_is_idle_once_nobody_follows_it(fresh: Live) -> None:
    body = {"input": "[[call:look {}]][[then]][[say:a]]", "tools": [TOOL], "await_tool_outputs": True, "stream": True}
    with fresh.http.stream("POST", "/v1/responses", json=body):
        assert reaches(fresh, "antiphon_sessions waiting", 1)
        assert figures(fresh)["antiphon_stream_readers"] == 1
    assert reaches(fresh, "antiphon_sessions idle", 1)
    found = figures(fresh)
    assert found["antiphon_sessions waiting"] == found["antiphon_stream_readers"] == 0


def test_readers_of_stored_streams_are_counted_while_they_read(fresh: Live) -> None:
    response_id = fresh.create("a")["id"]
    assert fresh.http.get(f"/v1/responses/{response_id}?stream=true").status_code == 200
    assert reaches(fresh, "antiphon_stream_readers", 0)


def test_an_evicted_run_is_counted() -> None:
    with serve(max_sessions=1) as live:
        live.create("[[call:look {}]][[then]][[say:a]]", tools=[TOOL], await_tool_outputs=True)
        assert reaches(live, "antiphon_sessions idle", 1)
        live.create("b")
        assert figures(live)["antiphon_sessions_evicted_total"] == 1


def test_requests_are_counted_by_route_and_never_by_what_a_client_wrote(fresh: Live) -> None:
    fresh.create("a")
    fresh.http.get("/v1/responses/resp_secret")
    fresh.http.get("/secret?key=secret")
    fresh.http.request("PROPFIND", "/v1/responses")
    answer = fresh.http.get("/metrics").text
    assert "secret" not in answer.lower()
    requests = {line for line in answer.splitlines() if line.startswith("antiphon_http_requests_total")}
    assert requests == {
        'antiphon_http_requests_total{method="POST",route="/v1/responses",status="200"} 1.0',
        'antiphon_http_requests_total{method="GET",route="/v1/responses/{response_id}",status="404"} 1.0',
        'antiphon_http_requests_total{method="GET",route="unmatched",status="404"} 1.0',
        'antiphon_http_requests_total{method="other",route="unmatched",status="405"} 1.0',
    }


def test_a_client_that_left_before_its_answer_is_a_499(fresh: Live) -> None:
    with pytest.raises(httpx.ReadTimeout):
        fresh.http.post("/v1/responses", json={"input": "[[stall:60]]"}, timeout=0.2)
    assert reaches(fresh, "antiphon_http_requests_total POST /v1/responses 499", 1)


def test_the_time_of_a_token_is_that_of_the_answer_without_its_beginning(fresh: Live) -> None:
    fresh.stream("[[stall:0.3]][[say:a b c d]]")
    found = figures(fresh)
    assert found["antiphon_time_per_output_token_seconds_count foreground scripted"] == 1
    assert found["antiphon_time_per_output_token_seconds_sum foreground scripted"] < 0.1


def test_a_model_is_called_what_it_is_served_as() -> None:
    with serve(ScriptedEngine(model_ids=("real",)), default_model="real") as live:
        live.create("a", model="real")
        assert live.http.post("/v1/responses", json={"input": "a", "model": "invented"}).status_code == 404
        found = figures(live)
    assert "antiphon_output_tokens_total real" in found
    assert not any("invented" in name for name in found)


def test_requests_are_timed_by_route(fresh: Live) -> None:
    fresh.stream("[[stall:0.3]]")
    found = figures(fresh)
    assert found["antiphon_http_request_duration_seconds_count POST /v1/responses"] == 1
    assert found["antiphon_http_request_duration_seconds_sum POST /v1/responses"] > 0.29


def test_websockets_are_counted_by_upgrade_while_they_are_open_and_by_request() -> None:
    with serve(api_keys=("right",)) as live:
        key = {"authorization": "Bearer right"}
        live.http.headers.update(key)
        with pytest.raises(InvalidStatus):
            connect(f"ws://127.0.0.1:{live.port}/v1/responses").close()
        with connect(f"ws://127.0.0.1:{live.port}/v1/responses", additional_headers=key) as socket:
            for said in ({"input": "a"}, {"input": 1}):
                socket.send(json.dumps({"type": "response.create", **said}))
                while json.loads(socket.recv(WAIT_S))["type"] not in ("response.completed", "error"):
                    pass
            assert reaches(live, "antiphon_websocket_requests_total 400", 1)
            assert figures(live)["antiphon_websocket_connections"] == 1
        assert reaches(live, "antiphon_websocket_connections", 0)
        found = figures(live)
    assert found["antiphon_websocket_upgrades_total 101"] == found["antiphon_websocket_upgrades_total 401"] == 1
    assert found["antiphon_websocket_requests_total 200"] == 1


def test_the_process_is_measured(fresh: Live) -> None:
    found = figures(fresh)
    assert found["antiphon_process_resident_memory_bytes"] > 2**20
    assert found["antiphon_process_open_fds"] > 0


def test_every_name_begins_alike_and_two_servers_count_apart(fresh: Live) -> None:
    fresh.create("a")
    assert all(name.startswith("antiphon_") for name in figures(fresh))
    with serve() as other:
        assert figures(other)["antiphon_runs_started_total foreground"] == 0


def test_a_key_is_needed_where_there_are_keys() -> None:
    with serve(api_keys=("right",)) as live:
        assert live.http.get("/metrics").status_code == 401
        assert live.http.get("/metrics", headers={"authorization": "Bearer right"}).status_code == 200


def test_the_document_says_that_it_is_text() -> None:
    assert b'"/metrics"' in document()
    assert b'"text/plain"' in document()
