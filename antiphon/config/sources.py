"""The effective settings, gathered from flags, environment and file: the first of these that has a value wins."""

import argparse
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from antiphon.config.flags import given_flags
from antiphon.config.rules import broken_rules
from antiphon.config.settings import Row, Settings, rows
from antiphon.config.table_reader import KINDS, read_tables
from antiphon.config.tables import Tables
from antiphon.config.values import read_value, suggestion
from antiphon.errors import SetupError

# Variables that begin like a setting's and are none.
_OTHER_VARIABLES = ("ANTIPHON_CONFIG", "ANTIPHON_REQUIRE_ALL", "ANTIPHON_VLLM_ANY_VERSION")


class ConfigError(SetupError):
    """The configuration cannot be used. Each problem is one line that names where it stands."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Loaded(Struct, frozen=True):
    """Settings, where each one came from (by name), and what looks odd but is no error."""

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[str, ...]


class _Given(Struct, frozen=True):
    """What a source says about one setting. `folder` is the one relative paths are taken from."""

    origin: str
    text: str
    folder: Path | None = None


def load(flags: Mapping[str, str], environment: Mapping[str, str], config: Path | None = None) -> Loaded:
    """Read every source. `flags` is by setting's name; `config` is the file, else ANTIPHON_CONFIG names it.

    Raises: ConfigError with every problem there is.
    """
    problems: list[str] = []
    path = config or (Path(named) if (named := environment.get("ANTIPHON_CONFIG")) else None)
    content = _content(path, problems) if path else {}
    file = _from_file(path, content, problems) if path else {}
    tables = read_tables(path, content, environment, problems) if path else Tables()
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for row in rows():
        given = _first(row, flags, environment, file)
        origins[row.name] = given.origin if given else "default"
        if given is None:
            continue
        try:
            values[row.name] = read_value(row, given.text, folder=given.folder)
        except ValueError as error:
            problems.append(f"{given.origin}: {error}")
    if not problems:
        if tables.upstreams and "engine" not in values:
            values["engine"], origins["engine"] = "upstreams", f"{path}: [[upstream]]"
        settings = Settings(**values, tables=tables)  # type: ignore[arg-type]  # read_value reads by the same table
        problems += [f"{origins[name]}: {message}" for name, message in broken_rules(settings)]
    if problems:
        raise ConfigError(problems)
    return Loaded(settings, origins, tuple(_odd_variables(environment)))


def load_given(arguments: argparse.Namespace) -> Loaded:
    """The settings of a command line whose flags `add_flags` has declared. Raises: ConfigError."""
    return load(given_flags(arguments), os.environ, Path(arguments.config) if arguments.config else None)


def _first(
    row: Row, flags: Mapping[str, str], environment: Mapping[str, str], file: Mapping[str, _Given]
) -> _Given | None:
    if row.name in flags:
        return _Given(row.flag, flags[row.name])
    if environment.get(row.variable):  # an empty variable is an unset one
        return _Given(row.variable, environment[row.variable])
    return file.get(row.name)


def _content(path: Path, problems: list[str]) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}")
        return {}
    except (ValueError, RecursionError) as error:  # also of numbers that are too long, and of text that is not UTF-8
        problems.append(f"{path}: is not valid TOML: {error}")
        return {}


def _from_file(path: Path, content: Mapping[str, object], problems: list[str]) -> dict[str, _Given]:
    names = [row.name for row in rows()]
    found: dict[str, _Given] = {}
    for key, value in content.items():
        if key in KINDS and not (key == "model" and isinstance(value, str)):  # that is a setting too
            continue
        if key not in names:
            problems.append(f"{path}: {key}: no such setting{suggestion(key, (*names, *KINDS))}")
        elif (text := _as_text(value)) is None:
            problems.append(f"{path}: {key}: must be a text, a number, true or false, not a table or a date")
        else:
            found[key] = _Given(f"{path}: {key}", text, path.parent)
    return found


def _as_text(value: object) -> str | None:
    match value:
        case bool():
            return str(value).lower()
        case int() if value.bit_length() > 64:  # one in hexadecimal may be too long for decimal digits
            return hex(value)
        case str() | int() | float():
            return str(value)
        case list():
            parts = [_as_text(each) for each in value]
            return None if None in parts else ",".join(part for part in parts if part is not None)
    return None


def _odd_variables(environment: Mapping[str, str]) -> list[str]:
    known = [row.variable for row in rows()]
    odd = [name for name in environment if name.startswith("ANTIPHON_") and name not in (*known, *_OTHER_VARIABLES)]
    return [f"{name} is not a setting and has no effect{suggestion(name, known)}" for name in sorted(odd)]
