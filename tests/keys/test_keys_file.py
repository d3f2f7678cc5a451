"""Reading keys files."""

import hashlib
from pathlib import Path

import pytest

from antiphon.core.grant import Limits
from antiphon.service.caller import Caller
from antiphon.service.key_digest import digest_of
from antiphon.service.keys_file import KeysFileError, read_keys_file
from tests.keys.ring import entry, keys_file


def problems(folder: Path, *entries: str) -> list[str]:
    with pytest.raises(KeysFileError) as caught:
        read_keys_file(keys_file(folder, *entries))
    return [problem.removeprefix(f"{folder / 'keys.toml'}: ") for problem in caught.value.problems]


def test_a_key_has_all_that_its_table_says(tmp_path: Path) -> None:
    path = keys_file(
        tmp_path,
        entry("ci", tenant="team-a", models=["m", "n"], store="forbid", expires="2027-01-01", limits={"concurrent": 2}),
    )
    assert read_keys_file(path) == {
        digest_of("ci-key"): Caller(
            tenant="team-a",
            key_id="file:ci",
            key_name="ci",
            models=("m", "n"),
            store="forbid",
            limits=Limits(concurrent=2),
            expires_at=1798761600.0,
        )
    }


@pytest.mark.parametrize("prefix", ["", "sha256:"])
def test_a_key_may_be_given_by_its_hash(tmp_path: Path, prefix: str) -> None:
    digest = hashlib.sha256(b"secret").hexdigest()
    path = keys_file(tmp_path, entry("ci", value=None, hash=prefix + digest))
    assert list(read_keys_file(path)) == [digest_of("secret")]


@pytest.mark.parametrize("written", ["2027-01-01", '"2027-01-01"', "2027-01-01T01:00:00+01:00", "2027-01-01T00:00:00"])
def test_dates_are_utc_unless_they_say_otherwise(tmp_path: Path, written: str) -> None:
    path = keys_file(tmp_path, entry("ci") + f"expires = {written}")
    assert [caller.expires_at for caller in read_keys_file(path).values()] == [1798761600.0]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": None}, "needs either a value or a hash"),
        ({"hash": "0" * 64}, "needs either a value or a hash"),
        ({"value": "with blank"}, "value: must be visible ASCII characters without blanks"),
        ({"value": None, "hash": "abc"}, "hash: must be the 64 hexadecimal digits"),
        ({"tenant": "-x"}, "'-x' must be 1 to 128 letters"),
        ({"models": []}, "models: must not be empty"),
        ({"store": "never"}, "Invalid enum value 'never' - at `$.store`"),
        ({"expires": "soon"}, "'soon' is no date"),
        ({"limits": {"requests_per_minute": -1}}, "Expected `int` >= 0 - at `$.limits.requests_per_minute`"),
        ({"limits": {"requests_per_day": 1}}, "Object contains unknown field `requests_per_day` - at `$.limits`"),
        ({"colour": "red"}, "Object contains unknown field `colour`"),
    ],
)
def test_a_wrong_table_is_one_line_that_names_the_key(tmp_path: Path, fields: dict[str, object], said: str) -> None:
    [line] = problems(tmp_path, entry("ci", **fields))
    assert line.startswith(f"key 'ci': {said}")
    assert "ci-key" not in line


def test_every_problem_is_said(tmp_path: Path) -> None:
    found = problems(tmp_path, "[keys]", entry("a"), entry("a"), entry("b", value="a-key"), '[[key]]\nvalue = "x"')
    assert found == [
        "keys: is not known here; each key is a table [[key]]",
        "key 'a': the name is taken by another key",
        "key 'b': is the same key as 'a'",
        "key 4: Object missing required field `name`",
    ]


def test_a_file_that_is_missing_or_no_toml_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(KeysFileError, match="cannot be read: No such file"):
        read_keys_file(tmp_path / "keys.toml")
    assert problems(tmp_path, "[[key")[0].startswith("is not valid TOML: ")
