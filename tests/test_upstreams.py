"""Model servers and models from the tables of a file: read, refused, shown, and served by the command."""

from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from antiphon.config.sources import ConfigError, load
from antiphon.engines.scripted import ScriptedEngine
from antiphon.errors import SetupError
from antiphon.upstreams import effective_tables, routed_engine
from tests.command import run, started
from tests.contracts.chat_server import serve_chat

UPSTREAM = '[[upstream]]\nname = "a"\nurls = ["http://127.0.0.1:1"]\n'
MODEL = '[[model]]\nname = "m"\nupstream = "a"\n'


def write(folder: Path, text: str) -> Path:
    file = folder / "antiphon.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (UPSTREAM + "concurency = 3", "[[upstream]] 'a': concurency: no such key; did you mean concurrency?"),
        (UPSTREAM + "idle_timeout_s = 'x'", "[[upstream]] 'a': idle_timeout_s: expected 'float', got 'str'"),
        (UPSTREAM + "concurrency = 0", "[[upstream]] 'a': concurrency: expected 'int' >= 1"),
        (
            UPSTREAM + "api_key = 'k'",
            "[[upstream]] 'a': api_key: no such key; name the variable that holds it with api_key_env",
        ),
        (UPSTREAM + "api_key_env = 'NOT_SET'", "[[upstream]] 'a': api_key_env: the variable NOT_SET is not set"),
        (UPSTREAM + "client_key = 'x.pem'", "[[upstream]] 'a': client_key: there is no file {folder}/x.pem"),
        (UPSTREAM + "headers = { Host = 'x' }", "[[upstream]] 'a': headers: 'Host' is this server's to send"),
        (UPSTREAM + UPSTREAM, "[[upstream]] 'a': name: is taken by another one"),
        ("[[upstream]]\nname = 'a'", "[[upstream]] 'a': urls: is missing"),
        ("[upstream]\nname = 'a'", "upstream: is written as [[upstream]], once for each"),
        (
            UPSTREAM + "[[model]]\nname = 'm'\nupstream = 'b'",
            "[[model]] 'm': upstream: there is no [[upstream]] 'b'",
        ),
        (
            UPSTREAM + MODEL + "aliases = ['*x']",
            "[[model]] 'm': aliases: '*x': a '*' may only stand at the end, behind something",
        ),
        (UPSTREAM + MODEL + "fallback = ['m']", "[[model]] 'm': fallback: there is no other [[model]] 'm'"),
        (
            UPSTREAM + MODEL + "sampling = { temperature = 5 }",
            "[[model]] 'm': sampling.temperature: expected 'float' <= 2.0",
        ),
        (
            UPSTREAM + "[[model]]\nname = 'm'",
            "[[upstream]]: [[model]] 'm' names no upstream, and there is no other engine",
        ),
    ],
)
def test_what_is_wrong_is_one_line_that_names_file_table_and_key(toml: str, said: str, tmp_path: Path) -> None:
    file = write(tmp_path, toml)
    with pytest.raises(ConfigError) as error:
        load({}, {}, file)
    assert f"{file}: {said.format(folder=tmp_path)}" in error.value.problems


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("quirks = { takes_prioritie = true }", "quirks.takes_prioritie: no such quirk"),
        ("quirks = { takes_priority = 'x' }", "quirks.takes_priority: expected `bool`, got `str`"),
    ],
)
def test_a_quirk_that_does_not_exist_is_named(key: str, said: str, tmp_path: Path) -> None:
    file = write(tmp_path, UPSTREAM + key)
    with pytest.raises(SetupError, match=r"antiphon.toml: \[\[upstream\]\] 'a': ") as error:
        routed_engine(load({}, {}, file).settings, ScriptedEngine)
    assert said in str(error.value)


def test_the_tables_are_shown_without_their_secrets(tmp_path: Path) -> None:
    toml = UPSTREAM + "api_key_env = 'THE_KEY'\nheaders = { X-Team = 'hidden' }\nproxy = 'http://me:hidden@p:1'\n"
    settings = load({}, {"THE_KEY": "hidden"}, write(tmp_path, toml + MODEL)).settings
    shown = ["  ".join(line) for line in effective_tables(settings)]
    assert "hidden" not in repr((shown, settings))
    assert shown[1] == '[[model]] m  upstream="a"'
    checked = run("check", "--config", str(tmp_path / "antiphon.toml"), THE_KEY="hidden")
    assert checked.returncode == 0 and shown[0] in checked.stdout


def test_models_of_several_servers_are_served_under_their_names_and_aliases(tmp_path: Path) -> None:
    with ExitStack() as stack:
        big, small = (
            stack.enter_context(serve_chat(ScriptedEngine(model_ids=(name,)), api_key=key))
            for name, key in (("Org/Big", "secret"), ("small", None))
        )
        toml = f"""
            [[upstream]]
            name = "big"
            urls = ["{big}/v1"]
            api_key_env = "BIG_KEY"
            [[upstream]]
            name = "small"
            urls = ["{small}/v1"]
            [[model]]
            name = "big"
            upstream = "big"
            aliases = ["gpt-*"]
            tools = true
            [[model]]
            name = "hidden"
            upstream = "small"
            upstream_model = "small"
            tenants = ["others"]
            [[model]]
            name = "small"
            upstream = "small"
        """
        flags = ("--config", str(write(tmp_path, toml)), "--default-model", "small")
        server = stack.enter_context(started(*flags, BIG_KEY="secret"))
        client = stack.enter_context(httpx.Client(base_url=server.origin, trust_env=False, timeout=10))
        cards = {card["id"]: card for card in client.get("/v1/models").json()["data"]}
        assert cards.keys() == {"big", "small"}
        assert cards["big"]["aliases"] == ["gpt-*"]
        assert cards["big"]["capabilities"]["tools"] is True and cards["big"]["capabilities"]["context_tokens"]
        for name, echoed in (("gpt-5.1-codex", "gpt-5.1-codex"), ("big", "big"), (None, "small")):
            asked = {"input": "[[say:ok]]"} | ({"model": name} if name else {})
            answer = client.post("/v1/responses", json=asked).json()
            assert (answer["status"], answer["model"]) == ("completed", echoed)
        for name in ("hidden", "Org/Big", "unknown"):
            refused = client.post("/v1/responses", json={"model": name, "input": "x"})
            assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
        figures = client.get("/metrics").text
        assert 'antiphon_upstream_requests_total{server="0",upstream="big"} 2.0' in figures
        assert 'antiphon_upstream_breaker{server="0",state="closed",upstream="small"} 1.0' in figures


def test_the_scripted_engine_has_aliases_too(tmp_path: Path) -> None:
    file = write(tmp_path, '[[model]]\nname = "scripted"\naliases = ["gpt-*"]\n')
    with started("--engine", "scripted", "--config", str(file)) as server:
        asked = {"model": "gpt-5", "input": "[[say:ok]]"}
        answer = httpx.post(f"{server.origin}/v1/responses", json=asked, trust_env=False).json()
        stored = httpx.get(f"{server.origin}/v1/responses/{answer['id']}", trust_env=False).json()
    assert answer["model"] == stored["model"] == "gpt-5"
