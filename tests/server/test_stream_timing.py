"""When things are sent, and what happens when nobody listens any more."""

import socket
from collections.abc import Iterator

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.live import Live, parse_events, serve, wait_until
from tests.server.raw import Connection

GONE_S = 1.0


@pytest.fixture(scope="module")
def restless() -> Iterator[Live]:
    """A server that sends keep-alives at short intervals."""
    with serve(heartbeat_s=0.1) as running:
        yield running


def test_created_arrives_before_the_engine_says_anything(live: Live) -> None:
    with Connection(live.port) as connection:
        connection.post(input="[[stall:60]]", stream=True)
        assert connection.read_head()[0] == 200
        events = parse_events(next(connection.chunks()).decode())
    assert events[0][0] == "response.created"
    assert events[0][1]["response"]["status"] == "in_progress"


def test_tokens_are_not_held_back(live: Live) -> None:
    with Connection(live.port) as connection:
        connection.post(input="[[say:at once]][[stall:60]][[say:never]]", stream=True)
        connection.read_head()
        seen = ""
        for chunk in connection.chunks():
            seen += "".join(data["delta"] for event, data in parse_events(chunk.decode()) if event.endswith(".delta"))
            if seen == "at once":
                break
        assert seen == "at once"


def test_an_idle_stream_gets_keepalives_that_take_no_number(restless: Live) -> None:
    events = restless.stream("[[stall:0.6]][[say:one]][[stall:0.6]][[say:two]]")
    beats = [index for index, event in enumerate(events) if event["type"] == "keepalive"]
    assert len(beats) >= 4
    assert all(events[index].keys() == {"type", "sequence_number"} for index in beats)
    assert all(events[index]["sequence_number"] == events[index - 1]["sequence_number"] for index in beats)
    numbers = [event["sequence_number"] for event in events if event["type"] != "keepalive"]
    assert numbers == list(range(len(numbers)))


def test_created_comes_before_any_keepalive(restless: Live) -> None:
    assert restless.stream("[[stall:0.5]]")[0]["type"] == "response.created"


def test_keepalives_are_not_stored(restless: Live) -> None:
    last = restless.stream("[[stall:0.4]][[say:one]]")[-1]
    assert last["type"] == "response.completed"
    assert restless.http.get(f"/v1/responses/{last['response']['id']}").json() == last["response"]


def test_a_client_that_leaves_a_stream_stops_the_engine(live: Live) -> None:
    with Connection(live.port) as connection:
        connection.post(input="[[say:part]][[stall:60]]", stream=True)
        connection.read_head()
        response_id = parse_events(next(connection.chunks()).decode())[0][1]["response"]["id"]
        assert wait_until(lambda: live.engine.running == 1, GONE_S)
    assert wait_until(lambda: live.engine.running == 0, GONE_S)
    path = f"/v1/responses/{response_id}"
    assert wait_until(lambda: live.http.get(path).json()["status"] == "cancelled", GONE_S)


def test_a_client_that_resets_its_connection_stops_the_engine(live: Live) -> None:
    with Connection(live.port) as connection:
        connection.post(input="[[stall:60]]", stream=True)
        connection.read_head()
        assert wait_until(lambda: live.engine.running == 1, GONE_S)
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # on, 0 s: close() sends RST
        connection.set_option(socket.SO_LINGER, linger)
    assert wait_until(lambda: live.engine.running == 0, GONE_S)


def test_a_client_that_leaves_while_it_waits_for_json_stops_the_engine(live: Live) -> None:
    with Connection(live.port) as connection:
        connection.post(input="[[stall:60]]")
        assert wait_until(lambda: live.engine.running == 1, GONE_S)
    assert wait_until(lambda: live.engine.running == 0, GONE_S)


def test_a_client_that_leaves_is_noticed_under_a_protocol_that_does_not_tell() -> None:
    with serve(protocol=HttpToolsProtocol) as live:
        for stream in (True, False):
            with Connection(live.port) as connection:
                connection.post(input="[[stall:60]]", stream=stream)
                assert wait_until(lambda: live.engine.running == 1, GONE_S)
            assert wait_until(lambda: live.engine.running == 0, GONE_S)


def test_a_client_that_reads_late_gets_everything_in_order(live: Live) -> None:
    """More than all buffers on the way hold, so that sending has to stop and to go on again."""
    words = 40_000
    with Connection(live.port) as connection:
        connection.post(input=f"[[say:{'word ' * words}]]", stream=True)
        connection.read_head()
        chunks = connection.chunks()
        events = parse_events(next(chunks).decode())
        assert live.stream("[[say:meanwhile]]")[-1]["type"] == "response.completed"
        for chunk in chunks:
            events += parse_events(chunk.decode())
    assert [data["sequence_number"] for _, data in events] == list(range(len(events)))
    assert events[-1][0] == "response.completed"
    assert "".join(data["delta"] for name, data in events if name.endswith("text.delta")) == "word " * words
