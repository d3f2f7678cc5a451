"""Whatever the configuration file and the keys file hold is used, or refused in lines that name what is wrong."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from antiphon.config.settings import rows
from antiphon.config.sources import ConfigError, load
from antiphon.config.table_reader import KINDS
from antiphon.config.tables import UpstreamTable
from antiphon.service.keys_file import KeysFileError, read_keys_file

KEY_FIELDS = ("name", "value", "hash", "tenant", "models", "store", "expires", "limits")
TABLE_KEYS = sorted({field.name for table in KINDS.values() for field in fields(table)})
WORDS = (
    *("http://a:8000/v1", "http://[", "http://a:port", "~nobody-of-that-name/ca.pem", "a\0b", "", "*", "a*", "vllm"),
    *("key", "tenant", "2027-01-31", "0001-01-01T00:00:00+23:59", "30d", "deny", "x" * 300, "ü", "\x7f", "0" * 64),
)

texts = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.integers() | st.floats() | st.sampled_from([0, 1, -1, 2**63, 2**64, 2**2000])
plain = texts | numbers | st.booleans() | st.dates() | st.datetimes() | st.times()
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=4
)


def tables(names: tuple[str, ...] | list[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Tables of known keys, of which most have a name and some an unknown key."""
    entry = st.dictionaries(st.sampled_from(names) | texts, values, max_size=4)
    named = st.builds(lambda name, rest: {"name": name, **rest}, texts, entry)
    return st.lists(named | entry, max_size=3)


servers = st.builds(
    lambda url, rest: {"name": "a", "urls": [url], **rest},
    texts,
    st.dictionaries(st.sampled_from([field.name for field in fields(UpstreamTable)]), values, max_size=2),
)
TABLES = st.fixed_dictionaries(
    {},
    optional={
        "upstream": st.lists(servers, max_size=2) | values,
        **{kind: tables(TABLE_KEYS) | values for kind in ("model", "limit", "price")},
    },
)
SETTINGS = st.dictionaries(st.sampled_from([row.name for row in rows()]), values, max_size=3)


def toml(value: Any) -> str:
    """A value as TOML has it."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case int():
            return str(value)
        case float():
            return str(value)
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return "{" + ", ".join(f"{toml(key)} = {toml(each)}" for key, each in value.items()) + "}"
    return value.isoformat()


def document(content: Mapping[str, Any]) -> str:
    return "".join(f"{toml(key)} = {toml(value)}\n" for key, value in content.items())


NESTED, LONG, HEXADECIMAL = "[" * 5000, "9" * 5000, "0x" + "f" * 5000
broken = st.text(max_size=30) | st.sampled_from(["\ufeff", "\ud800", "a.b = 1\na = 2", "[[key]]\n[key]"])
hostile = st.builds(
    lambda start, value: f"{start} = {value}",
    st.sampled_from(["port", "host", "engine.x", "key", "[[price]]\nmodel = 'm'\ninput", "[[key]]\nname"]),
    st.sampled_from([NESTED, LONG, HEXADECIMAL, f"[{HEXADECIMAL}]", "1979-05-27", "inf"]),
)
bounded = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def refusal(read: Callable[[Path], object], path: Path, text: str, error: type[Any]) -> None:
    """Each problem is one line that begins with the file."""
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        read(path)
    except error as refused:
        assert refused.problems
        assert all(problem.startswith(f"{path}: ") for problem in refused.problems)


@bounded
@given(content=st.builds(lambda some, more: document({**some, **more}), SETTINGS, TABLES) | broken | hostile)
def test_any_configuration_file_is_used_or_refused(content: str, tmp_path: Path) -> None:
    refusal(lambda path: load({}, {}, path), tmp_path / "antiphon.toml", content, ConfigError)


@bounded
@given(
    content=st.builds(lambda keys: document({"key": keys}), tables(KEY_FIELDS))
    | st.builds(document, SETTINGS)
    | broken
    | hostile
)
def test_any_keys_file_is_used_or_refused(content: str, tmp_path: Path) -> None:
    refusal(read_keys_file, tmp_path / "keys.toml", content, KeysFileError)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"port = {NESTED}", "is not valid TOML"),
        (f"port = {LONG}", "is not valid TOML"),
        (f"port = {HEXADECIMAL}", "port: must be a whole number"),
        ("data_dir = '~nobody-of-that-name/x'", "data_dir: must be a path, and nobody's home directory is known"),
        ('data_dir = "a\\u0000b"', "data_dir: must be a path, without null characters"),
        ("cors_origins = 'http://['", "cors_origins: 'http://[' is no origin"),
        ("engine = 'http://['", "engine: 'http://[' is not the URL of a server"),
        ("[[upstream]]\nname = 'a'\nurls = ['http://[']", "[[upstream]] 'a': urls: 'http://[' is not the URL"),
        ("[[upstream]]\nname = 'a'\nurls = ['http://a']\nca = '~nobody-of-that-name'", "[[upstream]] 'a': ca: must be"),
    ],
)
def test_what_only_the_operating_system_or_a_parser_refuses_is_named_too(line: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "antiphon.toml"
    file.write_text(line)
    with pytest.raises(ConfigError) as caught:
        load({}, {}, file)
    assert said in caught.value.problems[0]
