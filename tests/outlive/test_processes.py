"""Runs that outlive their process: killed, shut down, taken over by another one."""

import threading
import time
from pathlib import Path
from typing import Any

import httpx

from tests.outlive.driving import (
    TOOLS,
    calls_of,
    deliver,
    events,
    folded,
    get,
    kill,
    process,
    replay,
    start,
    text_of,
    until,
)

WORDS = " ".join(f"w{number}" for number in range(40))
SLOW = f"[[delay:50]][[say:{WORDS}]]"
SCHEMA = {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}}


def until_said(http: httpx.Client, response_id: str, words: int) -> str:
    """The text so far, once it has at least so many words."""
    deadline = time.monotonic() + 15
    while len((text := text_of(get(http, response_id))).split()) < words:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return text


def interrupted(data_dir: Path, said: str, words: int, **fields: Any) -> tuple[str, str]:
    """Kill a server in the middle of a run; what was seen of it, and its id."""
    with process(data_dir) as (server, http):
        response_id = start(http, said, **fields)["id"]
        seen = until_said(http, response_id, words)
        kill(server)
    return response_id, seen


def test_a_background_run_is_taken_up_where_it_was_killed(tmp_path: Path) -> None:
    response_id, seen = interrupted(tmp_path, f"[[think:hm]]{SLOW}", 5, background=True)
    with process(tmp_path) as (_, http):
        ended = until(http, response_id)
        whole = folded(replay(http, response_id))

    assert text_of(ended).startswith(seen)
    assert text_of(ended) == WORDS
    assert [type(item).__name__ for item in whole.output] == ["Reasoning", "Message"]
    assert whole.status == ended["status"] == "completed"


def test_a_reader_resumes_after_the_crash_from_the_last_event_it_saw(tmp_path: Path) -> None:
    with process(tmp_path) as (server, http):
        body = {"input": SLOW, "background": True, "stream": True}
        seen: list[dict[str, Any]] = []
        with http.stream("POST", "/v1/responses", json=body) as sent:
            text = ""
            for piece in sent.iter_text():
                text += piece
                seen = events(text[: text.rfind("\n\n") + 2])
                if len(seen) > 12:
                    break
        kill(server)
    response_id = seen[0]["response"]["id"]
    with process(tmp_path) as (_, http):
        rest = events(replay(http, response_id, seen[-1]["sequence_number"]))
        whole = events(replay(http, response_id))

    assert seen + rest == whole
    assert rest[-1]["type"] == "response.completed"


def test_a_call_that_was_seen_is_not_made_again_and_one_that_was_not_is(tmp_path: Path) -> None:
    said = f"[[call:look {{}}]][[delay:100]][[say:{WORDS}]]"
    with process(tmp_path) as (server, http):
        response_id = start(http, said, background=True, tools=TOOLS)["id"]
        deadline = time.monotonic() + 10
        while not calls_of(get(http, response_id)):
            assert time.monotonic() < deadline
        before = calls_of(get(http, response_id))
        kill(server)
    with process(tmp_path) as (_, http):
        ended = until(http, response_id)
        folded(replay(http, response_id))

    assert calls_of(ended)[:1] == before


def test_a_compaction_that_was_cut_off_is_made_again_in_its_place(tmp_path: Path) -> None:
    slowly = ("--token-delay-ms", "20")
    with process(tmp_path, *slowly) as (server, http):
        talk = [{"role": "user", "content": "Hi."}, {"type": "compaction_trigger"}]
        response_id = start(http, talk, background=True)["id"]
        until_compacting(http, response_id)
        kill(server)
    with process(tmp_path) as (_, http):
        ended = until(http, response_id)
        sent = replay(http, response_id)

    assert [item["type"] for item in ended["output"]] == ["compaction"]
    assert [event["type"] for event in events(sent)].count("response.compaction.compacting") == 1
    assert ended["status"] == folded(sent).status == "completed"


def until_compacting(http: httpx.Client, response_id: str) -> None:
    """Follow a run until its compaction has begun."""
    with http.stream("GET", f"/v1/responses/{response_id}", params={"stream": "true"}) as sent:
        assert any("response.compaction.compacting" in line for line in sent.iter_lines())


def test_structured_text_that_was_cut_off_ends_as_failed(tmp_path: Path) -> None:
    response_id, seen = interrupted(tmp_path, SLOW, 3, background=True, text=SCHEMA)
    with process(tmp_path) as (_, http):
        ended = until(http, response_id)
        folded(replay(http, response_id))

    assert ended["status"] == "failed"
    assert text_of(ended).startswith(seen)


def test_a_foreground_run_that_was_killed_ends_as_failed(tmp_path: Path) -> None:
    with process(tmp_path) as (server, http):
        with http.stream("POST", "/v1/responses", json={"input": SLOW, "stream": True}) as sent:
            lines = sent.iter_lines()  # kept: a generator that is dropped closes the stream, and so cancels the run
            head = next(line for line in lines if line.startswith("data: "))
            kill(server)
        response_id = head.split('"id":"', 1)[1].split('"', 1)[0]
    with process(tmp_path) as (_, http):
        ended = until(http, response_id)
        folded(replay(http, response_id))

    assert (ended["status"], ended["error"]["code"]) == ("failed", "server_error")


def test_the_third_crash_is_the_last_attempt(tmp_path: Path) -> None:
    slow = f"[[delay:200]][[say:{WORDS}]]"
    response_id, _ = interrupted(tmp_path, slow, 1, background=True)
    for words in (3, 5):
        with process(tmp_path) as (server, http):
            until_said(http, response_id, words)
            kill(server)
    with process(tmp_path) as (_, http):
        ended = until(http, response_id)

    assert (ended["status"], ended["error"]["message"].split(":")[0]) == ("failed", "run_attempts_exhausted")


def test_a_rolling_restart_costs_no_attempt(tmp_path: Path) -> None:
    slow = f"[[delay:150]][[say:{WORDS}]]"
    with process(tmp_path) as (_, http):
        response_id = start(http, slow, background=True)["id"]
        until_said(http, response_id, 1)
    for words in (3, 5, 7):
        with process(tmp_path) as (_, http):
            until_said(http, response_id, words)
    with process(tmp_path) as (_, http):
        ended = until(http, response_id)

    assert (ended["status"], text_of(ended)) == ("completed", WORDS)


def test_a_run_that_waits_for_outputs_survives_a_crash(tmp_path: Path) -> None:
    with process(tmp_path) as (server, http):
        said = "[[call:look {}]][[call:find {}]][[then]][[say:after]]"
        response_id = start(http, said, background=True, tools=TOOLS, await_tool_outputs=True)["id"]
        deadline = time.monotonic() + 10
        while len(calls_of(get(http, response_id))) < 2:
            assert time.monotonic() < deadline
        first, second = calls_of(get(http, response_id))
        assert deliver(http, response_id, {first: "1"}).status_code == 200
        kill(server)
    with process(tmp_path) as (_, http):
        until(http, response_id, "in_progress")
        assert deliver(http, response_id, {first: "again"}).status_code == 409
        assert deliver(http, response_id, {second: "2"}).status_code == 200
        ended = until(http, response_id)
        folded(replay(http, response_id))

    answered = {item["call_id"]: item["output"] for item in ended["output"] if item["type"] == "function_call_output"}
    assert answered == {first: "1", second: "2"}
    assert ended["status"] == "completed"


def test_two_processes_share_what_runs_and_what_is_stored(tmp_path: Path) -> None:
    with process(tmp_path) as (_, one), process(tmp_path) as (_, two):
        stored = start(one, "hello")
        assert get(two, stored["id"]) == stored
        child = start(two, "again", previous_response_id=stored["id"])
        assert child["previous_response_id"] == stored["id"]

        running = start(one, SLOW, background=True)["id"]
        assert folded(replay(two, running)).status == "completed"
        assert replay(two, running) == replay(one, running)

        cancelled = start(one, "[[stall:30]]", background=True)["id"]
        until(two, cancelled, "in_progress")
        assert two.post(f"/v1/responses/{cancelled}/cancel").json()["status"] == "cancelled"

        waiting = start(one, "[[call:look {}]][[then]][[say:x]]", tools=TOOLS, await_tool_outputs=True)
        assert deliver(two, waiting["id"], {calls_of(waiting)[0]: "1"}).status_code == 200
        assert until(two, waiting["id"])["status"] == "completed"


def test_a_living_process_takes_over_from_a_dead_one(tmp_path: Path) -> None:
    with process(tmp_path) as (_, survivor):
        with process(tmp_path) as (victim, http):
            response_id = start(http, SLOW, background=True)["id"]
            until_said(http, response_id, 3)
            kill(victim)
        ended = until(survivor, response_id)

    assert (ended["status"], text_of(ended)) == ("completed", WORDS)


def test_on_sigterm_every_open_stream_gets_its_end(tmp_path: Path) -> None:
    streams = 50
    ends: list[str] = []
    with process(tmp_path, "--drain-grace-s", "2") as (server, http):

        def read() -> None:
            body = {"input": "[[stall:60]]", "stream": True}
            ends.append(events(http.post("/v1/responses", json=body).text)[-1]["type"])

        readers = [threading.Thread(target=read) for _ in range(streams)]
        for reader in readers:
            reader.start()
        deadline = time.monotonic() + 10
        while _open_streams(http) < streams:
            assert time.monotonic() < deadline
        begun = time.monotonic()
        server.process.terminate()
        refused = http.get("/ready").status_code
        for reader in readers:
            reader.join(15)
        code = server.process.wait(10)

    assert (refused, code, ends) == (503, 0, ["response.failed"] * streams)
    assert time.monotonic() - begun < 2 + 2 + 1


def _open_streams(http: httpx.Client) -> int:
    lines = http.get("/metrics").text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("antiphon_stream_readers"))
