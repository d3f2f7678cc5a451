"""One turn after the other: events, warm-up, and what a connection remembers."""

import asyncio

from websockets.sync.client import ClientConnection

from antiphon.ports import Beginning, Lease
from antiphon.service.run_row import HELD_BACK_BYTES
from antiphon.stores.memory import MemoryStore
from tests.live import Live, serve, wait_until
from tests.openapi_schema import validate_event
from tests.server_ws.talk import SLOW, TOOL, WAIT_S, open_socket, receive, refusal, send, turn, until_end


def test_events_are_those_of_the_stream_and_valid(socket: ClientConnection) -> None:
    send(socket, input="[[think:x]][[say:y]]", stream=True)
    events = until_end(socket)
    for event in events:
        validate_event(event)

    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "response.created"


def test_a_warm_up_and_a_tool_loop_live_on_the_memory_of_the_connection(socket: ClientConnection) -> None:
    """The three frames of Codex: nothing is stored, and only what is new is sent."""
    developer = {"role": "developer", "content": "Be nice."}
    warm = turn(socket, generate=False, store=False, stream=True, input=[developer])
    assert warm["output"] == []

    asked = turn(socket, store=False, previous_response_id=warm["id"], input="[[call:look {}]]", tools=[TOOL])
    output = {"type": "function_call_output", "call_id": asked["output"][0]["call_id"], "output": "blue"}
    answer = turn(socket, store=False, previous_response_id=asked["id"], input=[output])
    assert "blue" in answer["output"][0]["content"][0]["text"]


def test_another_connection_knows_nothing_of_an_unstored_turn(live: Live, socket: ClientConnection) -> None:
    first = turn(socket, store=False, input="a")
    with open_socket(live) as other:
        error = refusal(other, previous_response_id=first["id"], input="b")
        fresh = turn(other, store=False, input="c")

    assert (error["status"], error["code"]) == (400, "previous_response_not_found")
    assert fresh["status"] == "completed"


def test_the_next_turn_of_a_lane_takes_the_place_of_the_one_before(socket: ClientConnection) -> None:
    first = turn(socket, store=False, input="a")
    second = turn(socket, store=False, input="b", previous_response_id=first["id"])

    assert refusal(socket, previous_response_id=first["id"], input="c")["code"] == "previous_response_not_found"
    third = turn(socket, store=False, input="c")
    assert refusal(socket, previous_response_id=second["id"], input="d")["code"] == "previous_response_not_found"
    assert turn(socket, input="e", previous_response_id=third["id"])


def test_an_output_for_an_unknown_call_is_refused_and_evicts_the_turn_it_named(socket: ClientConnection) -> None:
    first = turn(socket, store=False, input="a")
    orphan = {"type": "function_call_output", "call_id": "call_unknown", "output": "x"}
    refusal(socket, store=False, previous_response_id=first["id"], input=[orphan])

    assert refusal(socket, previous_response_id=first["id"], input="b")["code"] == "previous_response_not_found"


def test_a_request_that_cannot_be_read_evicts_the_turn_it_named(socket: ClientConnection) -> None:
    first = turn(socket, store=False, input="a")
    refusal(socket, previous_response_id=first["id"], input=5)

    assert refusal(socket, previous_response_id=first["id"], input="b")["code"] == "previous_response_not_found"


def test_a_turn_that_fails_while_it_generates_evicts_the_one_it_went_on_from(socket: ClientConnection) -> None:
    first = turn(socket, store=False, input="a")
    send(socket, store=False, previous_response_id=first["id"], input="[[say:b]][[fail:server_error]]")
    until_end(socket)
    assert receive(socket)["type"] == "response.failed"

    assert refusal(socket, previous_response_id=first["id"], input="b")["code"] == "previous_response_not_found"


def test_a_turn_cut_at_its_limit_is_remembered(socket: ClientConnection) -> None:
    send(socket, store=False, input="[[say:a]][[length]]")
    cut = until_end(socket)[-1]

    assert cut["type"] == "response.incomplete"
    assert turn(socket, store=False, previous_response_id=cut["response"]["id"], input="b")


def test_a_stored_turn_is_continued_over_http_and_back(live: Live, socket: ClientConnection) -> None:
    first = turn(socket, input="a")
    second = live.create("b", previous_response_id=first["id"])
    third = turn(socket, input="c", previous_response_id=second["id"])
    items = live.http.get(f"/v1/responses/{third['id']}/input_items").json()["data"]

    assert len(items) == 5


def test_a_stored_turn_that_continues_an_unstored_one_keeps_the_whole_conversation(
    live: Live, socket: ClientConnection
) -> None:
    first = turn(socket, store=False, input="a")
    second = turn(socket, input="b", previous_response_id=first["id"])

    assert len(live.http.get(f"/v1/responses/{second['id']}/input_items").json()["data"]) == 3
    assert second["previous_response_id"] == first["id"]


def test_leaving_cancels_what_is_running(live: Live) -> None:
    with open_socket(live) as socket:
        send(socket, input=SLOW)
        response_id = receive(socket)["response"]["id"]

    assert wait_until(lambda: live.engine.running == 0, 1.0)
    assert wait_until(lambda: live.http.get(f"/v1/responses/{response_id}").json()["status"] == "cancelled", 1.0)


class HesitantStore(MemoryStore):
    """Writes a run's row, and takes its time to say so."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[str] = []

    async def begin(self, beginning: Beginning) -> Lease:
        lease = await super().begin(beginning)
        self.begun.append(beginning.id)
        await asyncio.sleep(0.3)
        return lease


def test_leaving_while_a_response_is_being_created_cancels_it_all_the_same() -> None:
    store = HesitantStore()
    with serve(store=store) as live:
        with open_socket(live) as socket:
            send(socket, input="word " * HELD_BACK_BYTES + SLOW)  # too large for its row to be held back
            assert wait_until(lambda: store.begun, WAIT_S)
        path = f"/v1/responses/{store.begun[0]}"
        assert wait_until(lambda: live.http.get(path).json()["status"] == "cancelled", WAIT_S)


class BrokenStore(MemoryStore):
    """Breaks in a way nobody has thought of, once."""

    broken = True

    def announce(self, beginning: Beginning) -> None:
        if self.broken:
            self.broken = False
            raise ZeroDivisionError


def test_what_nobody_has_thought_of_is_one_error_and_the_lane_goes_on() -> None:
    with serve(store=BrokenStore()) as live, open_socket(live) as socket:
        error = refusal(socket, input="a")
        assert turn(socket, input="b")

    assert (error["status"], error["code"]) == (500, "server_error")


def test_a_compaction_is_gone_on_from_without_a_store(socket: ClientConnection) -> None:
    first = turn(socket, store=False, input="word " * 300)
    send(socket, store=False, input=[{"type": "compaction_trigger"}], previous_response_id=first["id"])
    events = until_end(socket)
    (item,) = events[-1]["response"]["output"]
    again = turn(socket, store=False, input="On.", previous_response_id=events[-1]["response"]["id"])
    alone = turn(socket, store=False, input=[item, {"role": "user", "content": "On."}])

    assert "response.compaction.compacting" in [event["type"] for event in events]
    assert item["type"] == "compaction"
    assert again["usage"]["input_tokens"] == alone["usage"]["input_tokens"]
