"""Several worker processes on one port."""

import os
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from tests.command import Started, run, started
from tests.outlive.driving import events, folded, process, replay, start, text_of, until

TWO = ("--workers", "2")
WORDS = " ".join(f"w{number}" for number in range(40))
SLOW = f"[[delay:50]][[say:{WORDS}]]"


def figures(http: httpx.Client, name: str) -> dict[str, float]:
    """The samples of a metric, by their labels."""
    lines = http.get("/metrics").raise_for_status().text.splitlines()
    found = (re.fullmatch(rf"{name}(\{{.*\}})? (\S+)", line) for line in lines)
    return {match[1] or "": float(match[2]) for match in found if match}


def workers_of(server: Started) -> list[int]:
    """The processes of a server's workers."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return sorted(map(int, children.split()))


def fresh(server: Started, method: str, path: str, **fields: Any) -> httpx.Response:
    """The answer to a request on a connection of its own."""
    return httpx.request(method, f"{server.origin}{path}", timeout=20, trust_env=False, **fields)


def test_what_one_worker_made_the_others_find_stream_and_resume(tmp_path: Path) -> None:
    with process(tmp_path, *TWO) as (server, http):
        made = start(http, "hello")
        seen = [fresh(server, "GET", f"/v1/responses/{made['id']}").json() for _ in range(30)]
        assert seen == [made] * 30
        cpu = figures(http, "antiphon_process_cpu_seconds_total")
        assert sorted(cpu) == ['{worker="0"}', '{worker="1"}']

        running = start(http, SLOW, background=True)["id"]
        with ThreadPoolExecutor(8) as pool:
            path = f"/v1/responses/{running}?stream=true"
            whole = list(pool.map(lambda _: fresh(server, "GET", path).text, range(8)))
        assert folded(whole[0]).status == "completed"
        assert set(whole) == {whole[0]}
        rest = fresh(server, "GET", f"{path}&starting_after=5").text
        assert events(rest) == events(whole[0])[6:]


def test_connections_are_spread_among_the_workers_and_their_figures_added_up(tmp_path: Path) -> None:
    with process(tmp_path, *TWO) as (server, http):
        before = _connections(workers_of(server))
        clients = [socket.create_connection(("127.0.0.1", httpx.URL(server.origin).port)) for _ in range(40)]
        for client in clients:
            client.sendall(b"GET /live HTTP/1.1\r\nhost: x\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
        after = _connections(workers_of(server))
        gained = [after[pid] - before[pid] for pid in after]
        assert sum(gained) == 40
        assert min(gained) >= 5

        asked = 'route="/live"'
        deadline = time.monotonic() + 10
        while sum(n for labels, n in figures(http, "antiphon_http_requests_total").items() if asked in labels) < 40:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert figures(http, "antiphon_workers") == {"": 2}
        for client in clients:
            client.close()


def _connections(pids: list[int]) -> dict[int, int]:
    """How many sockets each process has."""
    return {
        pid: sum(os.readlink(each).startswith("socket:") for each in Path(f"/proc/{pid}/fd").iterdir()) for pid in pids
    }


def test_a_killed_worker_is_replaced_its_runs_go_on_and_the_port_never_refuses(tmp_path: Path) -> None:
    with process(tmp_path, *TWO) as (server, http):
        ids = [
            fresh(server, "POST", "/v1/responses", json={"input": SLOW, "background": True}).json()["id"]
            for _ in range(8)
        ]
        before = workers_of(server)
        os.kill(before[0], signal.SIGKILL)
        deadline = time.monotonic() + 15
        while len(workers_of(server)) < 2 or workers_of(server) == before:
            assert fresh(server, "GET", "/live").status_code == 200
            assert time.monotonic() < deadline
        assert all(fresh(server, "GET", "/live").status_code == 200 for _ in range(20))
        for response_id in ids:
            assert text_of(until(http, response_id)) == WORDS
            assert folded(replay(http, response_id)).status == "completed"
        assert before[1] in workers_of(server)


def test_on_sigterm_all_workers_end_their_streams_and_the_server_exits_with_0(tmp_path: Path) -> None:
    ends: list[str] = []
    with process(tmp_path, *TWO) as (server, http):
        workers = workers_of(server)

        def read() -> None:
            body = {"input": "[[stall:60]]", "stream": True}
            ends.append(events(fresh(server, "POST", "/v1/responses", json=body).text)[-1]["type"])

        readers = [threading.Thread(target=read) for _ in range(20)]
        for reader in readers:
            reader.start()
        deadline = time.monotonic() + 15
        while figures(http, "antiphon_stream_readers")[""] < 20:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        server.process.terminate()
        for reader in readers:
            reader.join(15)
        assert server.process.wait(15) == 0

    assert ends == ["response.failed"] * 20
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_a_second_signal_ends_all_workers_at_once(tmp_path: Path) -> None:
    with started(*TWO, "--engine", "scripted", "--drain-grace-s", "60") as server:
        workers = workers_of(server)
        with httpx.stream(
            "POST",
            f"{server.origin}/v1/responses",
            json={"input": "[[stall:60]]", "stream": True},
            timeout=20,
            trust_env=False,
        ) as sent:
            assert next(sent.iter_lines()) == "event: response.created"
            begun = time.monotonic()
            server.process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            server.process.send_signal(signal.SIGINT)
            server.process.wait(15)
    assert time.monotonic() - begun < 10
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_workers_whose_supervisor_was_killed_stop(tmp_path: Path) -> None:
    with started(*TWO, "--engine", "scripted", "--drain-delay-s", "0") as server:
        workers = workers_of(server)
        server.process.kill()
        deadline = time.monotonic() + 15
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_what_workers_cannot_do_is_said_once(tmp_path: Path) -> None:
    for flags, code, said in (
        (("--engine", "embedded"), 2, "workers: each of them would load the model"),
        (("--engine", "scripted", "--store", "memory"), 2, "need the store sqlite, not memory"),
        (("--engine", "scripted", "--data-dir", "/proc/none"), 1, "/proc/none cannot be used"),
    ):
        ended = run("serve", "--port", "0", "--data-dir", str(tmp_path), *TWO, *flags)
        assert ended.returncode == code, ended.stderr
        assert said in ended.stderr
        assert len(ended.stderr.splitlines()) == 1, ended.stderr


def test_a_port_that_another_server_has_is_not_shared(tmp_path: Path) -> None:
    with started(*TWO, "--engine", "scripted", "--drain-delay-s", "0") as server:
        port = str(httpx.URL(server.origin).port)
        ended = run("serve", "--port", port, "--data-dir", str(tmp_path), "--engine", "scripted", *TWO)
    assert (ended.returncode, ended.stderr) == (
        1,
        f"antiphon: port {port} is in use; choose another with --port\n",
    )
