"""The command line, as a person meets it."""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from antiphon.banner import curl_line, sdk_lines
from antiphon.config.settings import rows
from tests.command import END_S, environment, run, started


def test_a_server_says_what_to_try_and_it_works_as_pasted() -> None:
    with started("--engine", "scripted") as server:
        curl = re.search(r"^curl .*?\\\n.*$", server.banner, re.MULTILINE)[0]
        code = re.search(r"^from openai.*?flush=True\)$", server.banner, re.MULTILINE | re.DOTALL)[0]
        streamed = subprocess.run(["sh", "-c", curl], env=environment(), capture_output=True, text=True, timeout=END_S)
        printed = subprocess.run(
            [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=END_S
        )
    assert "event: response.completed" in streamed.stdout
    assert len(code.splitlines()) == 5
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout.strip()
    assert "antiphon serve --engine http://" in server.banner


def test_the_first_signal_ends_a_server_cleanly() -> None:
    with started("--engine", "scripted") as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(END_S) == 0


def test_with_keys_the_banner_asks_for_one_and_never_shows_it() -> None:
    with started("--engine", "scripted", ANTIPHON_API_KEY="a-secret") as server:
        curl = re.search(r"^curl .*?\\\n.*$", server.banner, re.MULTILINE)[0]
        command = ["sh", "-c", curl]
        let_in = subprocess.run(command, env=environment(ANTIPHON_API_KEY="a-secret"), capture_output=True, text=True)
        kept_out = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert "a-secret" not in server.banner
    assert "event: response.completed" in let_in.stdout
    assert "invalid_api_key" in kept_out.stdout or "API key" in kept_out.stdout


def test_a_busy_port_is_one_line_that_names_the_flag() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("serve", "--engine", "scripted", "--store", "memory", "--port", str(port))
    assert (ended.returncode, ended.stderr) == (1, f"antiphon: port {port} is in use; choose another with --port\n")


def test_without_the_built_in_model_serve_says_the_command_and_the_other_ways(tmp_path: Path) -> None:
    ended = run("serve", "--data-dir", str(tmp_path))
    assert ended.returncode == 1
    assert "the built-in model" in ended.stderr.splitlines()[0]
    assert f"\nantiphon setup --data-dir {tmp_path}\n" in ended.stderr
    assert "\nantiphon serve --engine scripted " in ended.stderr
    assert "\nantiphon serve --engine http://" in ended.stderr


def test_check_shows_every_setting_with_its_source_and_masks_keys() -> None:
    ended = run("check", "--port", "9000", ANTIPHON_API_KEY="a-secret")
    shown = {line.split()[0]: line.split()[1:] for line in ended.stdout.splitlines()}
    assert ended.returncode == 0
    assert list(shown) == [row.name for row in rows()]
    assert (shown["port"], shown["api_key"]) == (["9000", "--port"], ["***", "ANTIPHON_API_KEY"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--prot", "1"], "unrecognized arguments: --prot 1; did you mean --port? (see antiphon --help)"),
        (["serve", "--port", "x"], "--port: must be a whole number, not 'x'"),
        (["serv"], "invalid choice: 'serv'"),
        (["check", "--engine", "scriptd"], "did you mean scripted?"),
        (["check", "--config", "nowhere.toml"], "nowhere.toml: cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(arguments: list[str], said: str) -> None:
    ended = run(*arguments)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert said in ended.stderr


def test_help_names_every_flag() -> None:
    text = run("serve", "--help").stdout
    assert [row.flag for row in rows() if row.flag not in text] == []


def test_the_pasted_code_avoids_a_proxy_that_would_be_in_the_way() -> None:
    with started("--engine", "scripted", http_proxy="http://127.0.0.1:9") as server:
        assert "trust_env=False" in server.banner
    with started("--engine", "scripted", http_proxy="http://127.0.0.1:9", no_proxy="127.0.0.1") as server:
        assert "trust_env=False" not in server.banner


def test_a_key_is_pasted_from_the_environment() -> None:
    assert "$ANTIPHON_API_KEY" in curl_line("http://h:1", "m", asks=True)
    assert 'os.environ["ANTIPHON_API_KEY"]' in sdk_lines("http://h:1", "m", asks=True)
    compile(sdk_lines("http://h:1", "m", asks=True), "pasted", "exec")
