"""HTTPS by the server itself, run as a process of its own."""

import json
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.certificates import write_pems
from tests.command import Started, run, started
from tests.live import wait_until

WAIT_S = 10.0


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pems(tmp_path_factory.mktemp("pems"))


@pytest.fixture(scope="module")
def server(pems: Path) -> Iterator[Started]:
    with started(*flags(pems)) as running:
        yield running


def flags(pems: Path, name: str = "server") -> list[str]:
    shown = ["--tls-certificate", f"{pems / name}.pem", "--tls-key", f"{pems / name}.key"]
    return ["--engine", "scripted", "--store", "memory", *shown]


def trusting(pems: Path, *, with_client: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pems / "ca.pem"))
    if with_client:
        context.load_cert_chain(pems / "client.pem", pems / "client.key")
    return context


def serial(origin: str, context: ssl.SSLContext) -> str:
    """The number of the certificate that new connections get."""
    address = ("127.0.0.1", int(origin.rsplit(":", 1)[1]))
    with (
        socket.create_connection(address, WAIT_S) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as s,
    ):
        found = s.getpeercert()
        assert found is not None
        return str(found["serialNumber"])


def test_answers_streams_and_websockets_come_by_tls(server: Started, pems: Path) -> None:
    assert server.origin.startswith("https://127.0.0.1:")
    context = trusting(pems)
    with httpx.Client(base_url=server.origin, verify=context, timeout=WAIT_S, trust_env=False) as client:
        made = client.post("/v1/responses", json={"input": "hi"}).json()
        stream = client.post("/v1/responses", json={"input": "[[say:a b c]]", "stream": True}).text
    assert made["status"] == "completed" and "response.completed" in stream
    with connect(f"wss{server.origin.removeprefix('https')}/v1/responses", ssl=context, open_timeout=WAIT_S) as socket:
        socket.send('{"type": "response.create", "input": "hi"}')
        while (event := json.loads(socket.recv(WAIT_S)))["type"] != "response.completed":
            assert event["type"] != "error", event


def test_who_does_not_trust_the_authority_or_speaks_plainly_gets_nothing(server: Started) -> None:
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.origin}/health", timeout=WAIT_S, trust_env=False)
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http{server.origin.removeprefix('https')}/health", timeout=WAIT_S, trust_env=False)


def test_old_versions_of_tls_are_refused(server: Started, pems: Path) -> None:
    context = trusting(pems)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        serial(server.origin, context)


def test_a_client_needs_a_certificate_where_an_authority_is_named(pems: Path) -> None:
    with started(*flags(pems), "--tls-client-ca", str(pems / "ca.pem")) as running:
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{running.origin}/health", verify=trusting(pems), timeout=WAIT_S, trust_env=False)
        known = trusting(pems, with_client=True)
        assert httpx.get(f"{running.origin}/health", verify=known, timeout=WAIT_S, trust_env=False).status_code == 200


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")
def test_a_renewed_certificate_is_taken_over_and_a_broken_one_is_not(tmp_path: Path) -> None:
    pems = write_pems(tmp_path)
    context = trusting(pems)
    with started(*flags(pems)) as running:
        first = serial(running.origin, context)
        for name in ("pem", "key"):  # by the same authority: what the client has
            (pems / f"server.{name}").write_bytes((pems / f"client.{name}").read_bytes())
        running.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + WAIT_S
        while (second := serial(running.origin, context)) == first and time.monotonic() < deadline:
            pass
        assert second != first
        (pems / "server.pem").write_text("nonsense")
        running.process.send_signal(signal.SIGHUP)
        text = ""
        while 'result="refused"} 1' not in text and time.monotonic() < deadline + WAIT_S:
            text = httpx.get(f"{running.origin}/metrics", verify=context, timeout=WAIT_S, trust_env=False).text
        assert 'antiphon_reloads_total{result="refused"} 1' in text
        assert serial(running.origin, context) == second


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")
def test_a_renewed_authority_lets_its_clients_in_and_those_of_the_old_one_no_more(tmp_path: Path) -> None:
    ours, others = (write_pems(tmp_path / name) for name in ("ours", "others"))
    asked = tmp_path / "asked.pem"
    asked.write_bytes((ours / "ca.pem").read_bytes())

    def status(origin: str, client: Path) -> int | None:
        context = ssl.create_default_context(cafile=str(ours / "ca.pem"))
        context.load_cert_chain(client / "client.pem", client / "client.key")
        try:
            return httpx.get(f"{origin}/health", verify=context, timeout=WAIT_S, trust_env=False).status_code
        except httpx.HTTPError:
            return None

    with started(*flags(ours), "--tls-client-ca", str(asked)) as running:
        assert (status(running.origin, ours), status(running.origin, others)) == (200, None)
        asked.write_bytes((others / "ca.pem").read_bytes())
        running.process.send_signal(signal.SIGHUP)
        assert wait_until(lambda: status(running.origin, others) == 200, WAIT_S)
        assert status(running.origin, ours) is None


def test_what_cannot_be_used_is_said_in_one_line(pems: Path, tmp_path: Path) -> None:
    (tmp_path / "nonsense.pem").write_text("nonsense")
    for given, said in (
        (["--tls-certificate", str(tmp_path / "none.pem")], "tls_certificate: "),
        (["--tls-certificate", str(tmp_path / "nonsense.pem")], "tls_certificate: "),
        (["--tls-certificate", str(pems / "server.pem"), "--tls-key", str(pems / "client.key")], "tls_certificate: "),
        (["--tls-key", str(pems / "server.key")], "needs tls_certificate"),
    ):
        ended = run("serve", "--engine", "scripted", "--store", "memory", "--port", "0", *given)
        assert ended.returncode in (1, 2) and ended.stderr.count("\n") == 1 and said in ended.stderr, ended.stderr
