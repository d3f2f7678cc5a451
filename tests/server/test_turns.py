"""An engine that is busy: who waits, who is next, who is sent away."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.live import Live, parse_events, serve, wait_until


@contextmanager
def holding(live: Live) -> Iterator[threading.Event]:
    """A run that has the engine until the event is set or the block ends."""
    done = threading.Event()

    def hold() -> None:
        with live.http.stream("POST", "/v1/responses", json={"input": "[[stall:30]]", "stream": True}) as answer:
            lines = answer.iter_lines()  # kept: the answer ends with it
            next(lines)
            ready.set()
            done.wait(30)

    ready = threading.Event()
    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield done
    finally:
        done.set()
        thread.join(10)


def waiting(live: Live) -> int:
    text = live.http.get("/metrics").text
    line = next(line for line in text.splitlines() if line.startswith('antiphon_engine_turns{state="waiting"}'))
    return round(float(line.split()[-1]))


def test_a_run_that_waits_has_begun_for_its_client_and_goes_on_in_its_turn() -> None:
    with serve(engine_running=1) as live, ExitStack() as stack:
        done = stack.enter_context(holding(live))
        asked = {"input": "[[say:Hello]]", "stream": True}
        with live.http.stream("POST", "/v1/responses", json=asked) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "event: response.created"
            assert waiting(live) == 1
            done.set()
            rest = "\n".join(lines) + "\n\n"
        assert parse_events(rest.partition("\n\n")[2].rstrip("\n") + "\n\n")[-1][0] == "response.completed"
        assert waiting(live) == 0


def test_who_comes_when_the_queue_is_full_is_told_to_come_back() -> None:
    with serve(engine_running=1, engine_queue=0) as live, holding(live):
        refused = live.http.post("/v1/responses", json={"input": "Hi"})
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "server_is_overloaded"
    assert refused.headers["retry-after"] == "2"


def test_a_client_that_leaves_while_it_waits_leaves_no_trace() -> None:
    with serve(engine_running=1) as live, holding(live) as done:
        with live.http.stream("POST", "/v1/responses", json={"input": "Hi", "stream": True}) as answer:
            lines = answer.iter_lines()
            next(lines)
            assert waiting(live) == 1
        assert wait_until(lambda: waiting(live) == 0, 5)
        done.set()
        assert live.create("[[say:Hello]]")["status"] == "completed"


def test_a_better_tier_goes_first() -> None:
    with serve(engine_running=1) as live, holding(live) as done:
        ended: list[str] = []

        def ask(tier: str) -> None:
            assert live.create("[[delay:2]][[say:one two three]]", service_tier=tier)["service_tier"] == tier
            ended.append(tier)

        threads = []
        for number, tier in enumerate(["flex", "flex", "priority", "priority"], 1):
            threads.append(threading.Thread(target=ask, args=(tier,), daemon=True))
            threads[-1].start()
            assert wait_until(lambda number=number: waiting(live) == number, 5)
        done.set()
        for thread in threads:
            thread.join(15)
    assert sorted(ended) == ["flex", "flex", "priority", "priority"]
    assert ended[-1] == "flex"
    assert "priority" in ended[:2]
