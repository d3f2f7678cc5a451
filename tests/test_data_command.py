"""`antiphon data` beside a running server, and after it."""

import json
from pathlib import Path

import httpx

from tests.command import run
from tests.outlive.driving import kill, process, text_of

HELLO = {"type": "message", "role": "user", "content": "hello"}


def make(http: httpx.Client, said: str) -> str:
    made: str = http.post("/v1/responses", json={"input": said}).raise_for_status().json()["id"]
    return made


def data(verb: str, *arguments: object, data_dir: Path) -> str:
    ended = run("data", verb, *map(str, arguments), "--data-dir", str(data_dir))
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_an_export_has_every_response_and_conversation(tmp_path: Path) -> None:
    with process(tmp_path) as (_, http):
        first = make(http, "[[say:Once]]")
        second = make(http, "[[say:Twice]]")
        conversation = http.post("/v1/conversations", json={"items": [HELLO], "metadata": {"topic": "x"}}).json()
        lines = [json.loads(line) for line in data("export", "--tenant", "default", data_dir=tmp_path).splitlines()]
        assert data("export", "--tenant", "nobody", data_dir=tmp_path) == ""
        stored = [http.get(f"/v1/responses/{made}").json() for made in (first, second)]
    for line, response in zip(lines[:2], stored, strict=True):
        (asked,) = line.pop("input_items")
        assert asked["content"][0]["text"].startswith("[[say:")
        assert line == response
    items = lines[2].pop("items")
    assert lines[2] == conversation
    assert [item["content"][0]["text"] for item in items] == ["hello"]


def test_what_is_erased_is_gone_from_server_and_disk(tmp_path: Path) -> None:
    word = "unmistakable"
    with process(tmp_path) as (_, http):
        made = make(http, f"[[say:{word}]]")
        http.post("/v1/conversations", json={"items": [{**HELLO, "content": word}]}).raise_for_status()
        told = data("erase", "--tenant", "default", "--yes", data_dir=tmp_path)
        assert told == "Erased 1 responses and 1 conversations of default.\n"
        assert http.get(f"/v1/responses/{made}").status_code == 404
        assert make(http, "[[say:Still here]]")
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or word.encode() not in file.read_bytes(), file


def test_what_a_killed_server_had_not_written_yet_is_erased_too(tmp_path: Path) -> None:
    word = "unmistakable"
    with process(tmp_path) as (server, http):
        asked = {"input": f"[[stall:30]][[say:{word}]]", "stream": True}
        with http.stream("POST", "/v1/responses", json=asked) as sent:
            lines = sent.iter_lines()
            assert next(lines) == "event: response.created"
            kill(server)
    assert any(word.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    told = data("erase", "--tenant", "default", "--yes", data_dir=tmp_path)
    assert told == "Erased 1 responses and 0 conversations of default.\n"
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or word.encode() not in file.read_bytes(), file


def test_an_erasure_must_be_meant() -> None:
    ended = run("data", "erase", "--tenant", "default")
    assert ended.returncode == 2
    assert "--yes" in ended.stderr


def test_a_backup_made_beside_a_server_is_a_whole_store_elsewhere(tmp_path: Path) -> None:
    copy, elsewhere = tmp_path / "copy.tar", tmp_path / "elsewhere"
    with process(tmp_path / "here") as (_, http):
        reasoned = http.post(
            "/v1/responses",
            json={"input": "[[think:hidden]][[say:Kept]]", "include": ["reasoning.encrypted_content"]},
        ).json()
        data("backup", copy, data_dir=tmp_path / "here")
        later = make(http, "[[say:Too late]]")
    assert copy.stat().st_mode & 0o777 == 0o600
    data("restore", copy, data_dir=elsewhere)
    with process(elsewhere) as (_, http):
        assert http.get(f"/v1/responses/{later}").status_code == 404
        assert text_of(http.get(f"/v1/responses/{reasoned['id']}").json()) == "Kept"
        echoed = [*reasoned["output"], {"role": "user", "content": "[[echo]]"}]
        again = http.post("/v1/responses", json={"input": echoed}).json()
    assert not again.get("input_transformations")  # the key came along: sealed reasoning is opened


def test_a_store_in_use_is_not_replaced(tmp_path: Path) -> None:
    copy = tmp_path / "copy.tar"
    with process(tmp_path / "here"):
        data("backup", copy, data_dir=tmp_path / "here")
        there = run("data", "restore", str(copy), "--data-dir", str(tmp_path / "here"))
        used = run("data", "restore", str(copy), "--force", "--data-dir", str(tmp_path / "here"))
    assert there.returncode == used.returncode == 1
    assert "--force replaces it" in there.stderr
    assert "A server is using" in used.stderr
    data("restore", copy, "--force", data_dir=tmp_path / "here")


def test_nonsense_is_no_backup(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.tar"
    nonsense.write_bytes(b"nonsense")
    ended = run("data", "restore", str(nonsense), "--data-dir", str(tmp_path / "here"))
    assert ended.returncode == 1
    assert ended.stderr.startswith("antiphon: Cannot read ")
    assert not (tmp_path / "here" / "antiphon.sqlite3").exists()


def test_the_commands_name_a_missing_store(tmp_path: Path) -> None:
    ended = run("data", "export", "--tenant", "default", "--data-dir", str(tmp_path))
    assert ended.returncode == 1
    assert "There is no store at" in ended.stderr
