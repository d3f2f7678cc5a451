"""What lies between us and a model server: TLS with a private authority, client certificates, proxies, keys."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from antiphon.core.chat import Function, Grammar, ToolChoice
from antiphon.core.deltas import CallArguments, CallStart, Finish, Usage
from antiphon.engines.chat_http import ChatHttpEngine
from antiphon.engines.chat_link import Link
from antiphon.engines.http_proxy import Proxy, parse_proxy
from antiphon.engines.http_tls import tls_context
from antiphon.errors import EngineUnavailable, SetupError, Unauthorized
from tests.certificates import write_pems
from tests.engines.fake_upstream import LOOPS, Exchange, FakeUpstream, chat, collect, piece, usage
from tests.engines.test_chat_http import HELLO

pytestmark = pytest.mark.anyio


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a private authority (`ca.pem`), and a server's and a client's certificate that it signed."""
    return write_pems(tmp_path_factory.mktemp("pems"))


@asynccontextmanager
async def tls_upstream(pems: Path, *, asks_client: bool = False) -> AsyncIterator[tuple[FakeUpstream, str]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pems / "server.pem", pems / "server.key")
    if asks_client:
        context.load_verify_locations(pems / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    async with FakeUpstream() as fake:
        server = await asyncio.start_server(fake.accept, "127.0.0.1", 0, ssl=context)
        yield fake, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        server.close()


class FakeProxy:
    """An HTTP proxy: tunnels for CONNECT, and forwards anything else as it came. `asked` are the first lines."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.asked: list[str] = []
        self.authorizations: list[str] = []
        self._refuses = refuses

    async def __aenter__(self) -> "FakeProxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().strip().split("\r\n")
        self.asked.append(first)
        self.authorizations += [line for line in lines if line.lower().startswith("proxy-authorization")]
        if self._refuses:
            writer.write(b"HTTP/1.1 407 No\r\n\r\n")
            writer.close()
            return
        tunnels = first.startswith("CONNECT")
        host, port = first.split()[1].removeprefix("http://").split("/")[0].split(":")
        there, to_there = await asyncio.open_connection(host, int(port))
        if tunnels:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            to_there.write(head.replace(f"http://{host}:{port}".encode(), b"", 1))
        await asyncio.gather(pump(reader, to_there), pump(there, writer), return_exceptions=True)


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
    sink.close()


async def test_a_private_authority_is_trusted_where_it_is_configured_and_only_there(pems: Path) -> None:
    async with tls_upstream(pems) as (_, url):
        trusting = ChatHttpEngine([url], link=Link(tls=tls_context(pems / "ca.pem")))
        assert await collect(trusting) == HELLO
        await trusting.close()
        doubting = ChatHttpEngine([url])
        with pytest.raises(EngineUnavailable, match="certificate cannot be verified"):
            await collect(doubting)
        await doubting.close()


async def test_a_client_certificate_is_shown_to_a_server_that_wants_one(pems: Path) -> None:
    context = tls_context(pems / "ca.pem", pems / "client.pem", pems / "client.key")
    async with tls_upstream(pems, asks_client=True) as (_, url):
        known = ChatHttpEngine([url], link=Link(tls=context))
        assert await collect(known) == HELLO
        await known.close()
        unknown = ChatHttpEngine([url], link=Link(tls=tls_context(pems / "ca.pem")))
        with pytest.raises(EngineUnavailable):
            await collect(unknown)
        await unknown.close()


def test_files_that_are_no_certificates_are_named(pems: Path) -> None:
    with pytest.raises(SetupError, match=r"ca: .*server.key holds no certificates"):
        tls_context(pems / "server.key")
    with pytest.raises(SetupError, match="client_certificate: "):
        tls_context(pems / "ca.pem", pems / "client.pem", pems / "server.key")


async def test_a_proxy_tunnels_to_a_server_behind_tls(pems: Path) -> None:
    async with tls_upstream(pems) as (_, url), FakeProxy() as proxy:
        link = Link(
            tls=tls_context(pems / "ca.pem"), proxy=parse_proxy(f"http://me:p%40ss@127.0.0.1:{proxy.port}"), api_key="k"
        )
        engine = ChatHttpEngine([url], link=link)
        assert await collect(engine) == HELLO
        await engine.close()
    assert set(proxy.asked) == {f"CONNECT {url.removeprefix('https://')} HTTP/1.1"}
    assert set(proxy.authorizations) == {"Proxy-Authorization: Basic bWU6cEBzcw=="}


async def test_a_proxy_is_asked_for_a_server_without_tls() -> None:
    async with FakeUpstream() as fake, FakeProxy() as proxy:
        engine = ChatHttpEngine([fake.url], link=Link(proxy=Proxy("127.0.0.1", proxy.port)))
        assert await collect(engine) == HELLO
        await engine.close()
    assert fake.posts and proxy.asked[0].startswith(f"GET {fake.url}/v1/models ")


async def test_a_proxy_that_refuses_is_said(pems: Path) -> None:
    async with FakeProxy(refuses=True) as proxy:
        link = Link(tls=tls_context(pems / "ca.pem"), proxy=Proxy("127.0.0.1", proxy.port))
        engine = ChatHttpEngine(["https://127.0.0.1:1"], link=link)
        with pytest.raises(EngineUnavailable, match=r"proxy does not connect to the engine .status 407"):
            await collect(engine)
        await engine.close()


async def test_headers_and_key_are_sent_and_the_clients_credentials_only_if_configured() -> None:
    async with FakeUpstream() as fake:
        for forwards in (False, True):
            link = Link(api_key="ours", headers={"X-Team": "red"}, forward_credentials=forwards)
            engine = ChatHttpEngine([fake.url], link=link)
            given = chat(credentials="Bearer theirs", session="resp_0", traceparent="00-1-2-01")
            assert await collect(engine, given) == HELLO
            await engine.close()
    keys = [post.headers["authorization"] for post in fake.posts]
    assert keys == ["Bearer ours", "Bearer theirs"]
    assert fake.posts[0].headers["x-team"] == "red"
    assert fake.posts[0].headers["traceparent"] == "00-1-2-01"
    assert "x-session-id" not in fake.posts[0].headers


async def test_a_server_that_refuses_forwarded_credentials_refuses_the_client() -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.refuse(401, {"error": "no"})

    async with FakeUpstream(refuse) as fake:
        engine = ChatHttpEngine([fake.url], link=Link(forward_credentials=True))
        with pytest.raises(Unauthorized):
            await collect(engine, chat(credentials="Bearer theirs"))
        await engine.close()


@pytest.mark.parametrize(
    ("page", "content", "server"),
    [
        ("/props", {"default_generation_settings": {}}, "llama.cpp"),
        ("/get_model_info", {"model_path": "x"}, "sglang"),
        ("/info", {"model_id": "x"}, "tgi"),
        ("/api/version", {"version": "0.9"}, "ollama"),
        ("/version", {"version": "0.32"}, "vllm"),
        ("/other", {}, "generic"),
    ],
)
async def test_a_server_is_recognised_by_what_it_answers(page: str, content: object, server: str) -> None:
    async with FakeUpstream() as fake:
        fake.pages[page] = content
        engine = ChatHttpEngine([fake.url])
        await engine.start()
        assert engine._pool.servers[0]._server == server
        await engine.close()


async def test_a_forced_grammar_is_obeyed_by_the_text_that_becomes_the_call() -> None:
    async def constrained(exchange: Exchange) -> None:
        await exchange.answer(piece(content='say "'), piece(content='hi"'), piece("stop"), usage(3, 2))

    tool = Function("shell", grammar=Grammar("lark", 'start: "say"'))
    asked = chat(tools=[tool], tool_choice=ToolChoice("required"), session="resp_0", cache_salt="s")
    async with FakeUpstream(constrained, cards=[{"id": "m", "owned_by": "vllm"}]) as fake:
        engine = ChatHttpEngine([fake.url])
        deltas = await collect(engine, asked)
        await engine.close()
    (post,) = fake.posts
    assert post.json["structured_outputs"] == {"grammar": 'start: "say"'}
    assert (post.json["tool_choice"], post.json["cache_salt"]) == ("none", "s")
    assert post.headers["x-session-id"] == "resp_0"
    assert deltas[0] == CallStart("shell") and deltas[-2:] == [Usage(3, 2), Finish("stop")]
    arguments = "".join(delta.text for delta in deltas if isinstance(delta, CallArguments))
    assert arguments == '{"input":"say \\"hi\\""}'
