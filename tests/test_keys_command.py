"""`antiphon keys`, and what start and `check` say of keys."""

import re
from pathlib import Path

import pytest

from antiphon.core.grant import Grant, Limits
from antiphon.service.key_digest import digest_of
from antiphon.service.keys_file import read_keys_file
from antiphon.stores.database import open_reader
from antiphon.stores.keys import _all
from tests.command import ROOT, run
from tests.keys.ring import entry, keys_file

PAGE = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")


def keys(*arguments: str, data_dir: Path) -> str:
    ended = run("keys", *arguments, "--data-dir", str(data_dir))
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def refusal(*arguments: str, **more: str) -> tuple[int, str]:
    ended = run(*arguments, **more)
    return ended.returncode, ended.stderr.removeprefix("antiphon: ").strip()


def test_the_page_s_commands_make_list_and_revoke_a_key(tmp_path: Path) -> None:
    adding, listing, revoking = re.findall(r"^antiphon keys (.*)$", PAGE, re.MULTILINE)
    key = keys(*adding.split(), data_dir=tmp_path).strip()
    assert re.fullmatch(r"ak_[\w-]{43}", key)
    [kept] = _all(open_reader(tmp_path / "antiphon.sqlite3"))
    assert kept.digest == digest_of(key)
    assert kept.grant == Grant(
        tenant="team-a",
        models=("llama-3", "qwen-3"),
        store="forbid",
        limits=Limits(requests_per_minute=60, tokens_per_minute=100_000),
    )
    assert kept.expires_at == pytest.approx(kept.created_at + 90 * 86_400)
    listed = keys(*listing.split(), data_dir=tmp_path)
    assert re.search(
        r"^ci +team-a +good until \S+ +forbid +llama-3,qwen-3 +rpm=60 tpm=100000 +key_", listed, re.MULTILINE
    )
    keys(*revoking.split(), data_dir=tmp_path)
    assert re.search(r"^ci +team-a +revoked ", keys("list", data_dir=tmp_path), re.MULTILINE)
    assert key.encode() not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_the_page_s_file_is_right(tmp_path: Path) -> None:
    [text] = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    path = tmp_path / "keys.toml"
    path.write_text(text)
    ci, batch = read_keys_file(path).values()
    assert (ci.tenant, ci.store, batch.tenant, batch.store) == ("team-a", "allow", "team-b", "forbid")
    assert all(getattr(batch.limits, name) is not None for name in Limits.__struct_fields__)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "-x"], "the following arguments are required: NAME"),
        (["add", "a b"], "'a b' must be 1 to 128 letters"),
        (["add", "a", "--tenant", ""], "'' must be 1 to 128 letters"),
        (["add", "a", "--expires", "soon"], "'soon' is no date"),
        (["add", "a", "--expires", "2020-01-01"], "--expires: 2020-01-01 is over already"),
        (["add", "a", "--rpm", "-1"], "--rpm: must be a whole number, not '-1'"),
        (["add", "a", "--rpm", "many"], "--rpm: must be a whole number, not 'many'"),
        (["revoke", "nobody"], "There is no key 'nobody' that is not revoked."),
    ],
)
def test_a_wrong_call_is_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    code, line = refusal("keys", *arguments, "--data-dir", str(tmp_path))
    assert code in (1, 2)
    assert said in line
    assert "\n" not in line


def test_where_nothing_is_stored_there_are_no_keys_to_make(tmp_path: Path) -> None:
    _, line = refusal("keys", "add", "a", "--data-dir", str(tmp_path), ANTIPHON_STORE="memory")
    assert line == "keys are kept in the SQLite store, and the store is memory; use --keys-file"


# ------------------------------------------------------------------------------------------------------ at start


@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_public_address_without_a_key_names_the_ways_out(tmp_path: Path, command: str) -> None:
    code, line = refusal(command, "--engine", "scripted", "--host", "0.0.0.0", "--data-dir", str(tmp_path))
    assert code == 2
    assert line.startswith("--host: 0.0.0.0 can be reached from other machines and no key is set")
    assert "ANTIPHON_API_KEY" in line
    assert "--allow-anonymous" in line


def test_a_key_of_any_source_or_an_explicit_word_opens_a_public_address(tmp_path: Path) -> None:
    public = ("check", "--host", "0.0.0.0", "--data-dir", str(tmp_path))
    issuer = ("--oidc-issuer", "https://login.example.com", "--oidc-audience", "x")
    for way in (
        ("--api-key", "k"),
        ("--keys-file", str(keys_file(tmp_path, entry("a")))),
        ("--allow-anonymous",),
        issuer,
    ):
        assert run(*public, *way).returncode == 0, way
    keys("add", "ci", data_dir=tmp_path)
    assert run(*public).returncode == 0
    keys("revoke", "ci", data_dir=tmp_path)
    assert run(*public).returncode == 0  # nobody gets in, so nothing is open
    assert run(*public, ANTIPHON_STORE="memory").returncode == 2


@pytest.mark.parametrize("command", ["check", "serve"])
def test_every_problem_of_a_keys_file_is_a_line(tmp_path: Path, command: str) -> None:
    path = keys_file(tmp_path, entry("a", store="never"), entry("b", value="secret value"))
    code, said = refusal(command, "--engine", "scripted", "--keys-file", str(path), "--data-dir", str(tmp_path))
    assert (code, said.count("\n")) == (2, 1)
    assert f"--keys-file: {path}: key 'a': Invalid enum value" in said
    assert f"--keys-file: {path}: key 'b': value: must be visible ASCII" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--oidc-issuer", "https://x.example"], "needs oidc_audience too"),
        (["--oidc-issuer", "http://x.example", "--oidc-audience", "a"], "'http://x.example' is not a URL"),
        (["--oidc-audience", "a"], "has no effect without oidc_issuer"),
    ],
)
def test_an_issuer_must_be_named_whole_and_safe(flags: list[str], said: str) -> None:
    code, line = refusal("check", *flags)
    assert code == 2
    assert said in line
