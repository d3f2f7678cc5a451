"""Reads the tables of the TOML file; every problem names file, table and key."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import NODEFAULT, Struct

from antiphon.config.secret import Secret
from antiphon.config.tables import LimitTable, ModelTable, PriceTable, Tables, UpstreamTable
from antiphon.config.values import is_address, read_path, suggestion

T = TypeVar("T", bound=Struct)

KINDS: Mapping[str, type[Struct]] = {
    "upstream": UpstreamTable,
    "model": ModelTable,
    "limit": LimitTable,
    "price": PriceTable,
}
_PATHS = ("ca", "client_certificate", "client_key")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OWN_HEADERS = frozenset("host content-length content-type transfer-encoding connection authorization".split())


def read_tables(path: Path, found: Mapping[str, object], environment: Mapping[str, str], problems: list[str]) -> Tables:
    """The tables among the top-level keys of a file. What is wrong with them is added to `problems`."""
    before = len(problems)
    upstreams = tuple(_tables(path, found, "upstream", UpstreamTable, problems))
    models = tuple(_tables(path, found, "model", ModelTable, problems))
    limits = tuple(_tables(path, found, "limit", LimitTable, problems))
    prices = tuple(_tables(path, found, "price", PriceTable, problems))
    if len(problems) > before:
        return Tables()
    upstreams = tuple(_with_key(each, environment) for each in upstreams)
    problems += (f"{path}: {line}" for line in _broken_rules(upstreams, models, environment))
    problems += (f"{path}: {line}" for line in _repeated("price", [price.model for price in prices]))
    return Tables(upstreams, models, str(path), limits, prices) if upstreams or models or limits or prices else Tables()


def _tables(path: Path, found: Mapping[str, object], kind: str, table: type[T], problems: list[str]) -> Iterator[T]:
    given = found.get(kind, [])
    if kind == "model" and isinstance(given, str):  # the setting of that name
        return
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        problems.append(f"{path}: {kind}: is written as [[{kind}]], once for each")
        return
    for number, each in enumerate(given, 1):
        where = f"{path}: [[{kind}]] {_title(each, number)}"
        values = _values(each, table, where, path.parent, problems)
        if values is not None:
            yield table(**values)


def _title(table: Mapping[str, object], number: int) -> str:
    name = table.get("name")
    return f"'{name}'" if isinstance(name, str) and name else f"number {number}"


def _values(
    given: Mapping[str, object], table: type[Struct], where: str, folder: Path, problems: list[str]
) -> dict[str, object] | None:
    fields = {field.name: field for field in msgspec.structs.fields(table) if field.name != "api_key"}
    wrong: list[str] = []
    values: dict[str, object] = {}
    for key, value in given.items():
        if key not in fields:
            secret = "; name the variable that holds it with api_key_env" if key == "api_key" else ""
            wrong.append(f"{key}: no such key{secret or suggestion(key, fields)}")
            continue
        try:
            values[key] = msgspec.convert(value, fields[key].type, strict=True, dec_hook=_decode)
        except msgspec.ValidationError as error:
            wrong.append(f"{key}{_below(error)}: {_said(error)}")
    wrong += (f"{name}: is missing" for name, field in fields.items() if _is_missing(field, given))
    problems += (f"{where}: {each}" for each in wrong)
    for name in _PATHS:
        if isinstance(path := values.get(name), Path):
            values[name] = folder / path
    return None if wrong else values


def _is_missing(field: msgspec.structs.FieldInfo, given: Mapping[str, object]) -> bool:
    return field.default is NODEFAULT and field.default_factory is NODEFAULT and field.name not in given


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str) and value:
        return read_path(value)
    if kind is Secret and isinstance(value, str) and value:
        return Secret(value)
    raise ValueError("Expected a text")


def _below(error: msgspec.ValidationError) -> str:
    """Where within the key's value, as TOML would be read: `.temperature`, `[0]`."""
    place = re.search(r" - at `(?:key in )?\$(.*)`$", str(error))
    return place[1] if place else ""


def _said(error: msgspec.ValidationError) -> str:
    text = re.sub(r" - at `.*`$", "", str(error))
    return text[:1].lower() + text[1:].replace(" | null", "").replace("`", "'")


def _with_key(table: UpstreamTable, environment: Mapping[str, str]) -> UpstreamTable:
    key = environment.get(table.api_key_env, "").strip() if table.api_key_env else ""
    return msgspec.structs.replace(table, api_key=Secret(key)) if key else table


# -- what tables must obey together


def _broken_rules(
    upstreams: tuple[UpstreamTable, ...], models: tuple[ModelTable, ...], environment: Mapping[str, str]
) -> Iterator[str]:
    yield from _repeated("upstream", [each.name for each in upstreams])
    names = [name for each in models for name in (each.name, *each.aliases)]
    yield from _repeated("model", names)
    for upstream in upstreams:
        for key, said in _upstream_rules(upstream):
            yield f"[[upstream]] '{upstream.name}': {key}: {said}"
    for model in models:
        for key, said in _model_rules(model, models, [each.name for each in upstreams]):
            yield f"[[model]] '{model.name}': {key}: {said}"


def _repeated(kind: str, names: list[str]) -> Iterator[str]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"[[{kind}]] '{name}': name: is taken by another one"


def _upstream_rules(table: UpstreamTable) -> Iterator[tuple[str, str]]:
    for url in table.urls:
        if not is_address(url, "http", "https"):
            yield "urls", f"'{url}' is not the URL of a server, such as http://127.0.0.1:8000/v1"
    if table.api_key_env is not None and table.api_key is None:
        yield "api_key_env", f"the variable {table.api_key_env} is not set"
    for name, value in table.headers.items():
        if not _HEADER.fullmatch(name) or not (value.isascii() and value.isprintable()):
            yield "headers", f"'{name}' cannot be sent as a header"
        elif name.lower() in _OWN_HEADERS:
            yield "headers", f"'{name}' is this server's to send"
    for key in _PATHS:
        path = getattr(table, key)
        if path is not None and not path.is_file():
            yield key, f"there is no file {path}"
    if table.client_key is not None and table.client_certificate is None:
        yield "client_key", "needs client_certificate"
    if table.proxy is not None and not is_address(table.proxy, "http"):
        yield "proxy", "must be the URL of an HTTP proxy, such as http://proxy.example:3128"


def _model_rules(model: ModelTable, models: tuple[ModelTable, ...], upstreams: list[str]) -> Iterator[tuple[str, str]]:
    if model.upstream is not None and model.upstream not in upstreams:
        yield "upstream", f"there is no [[upstream]] '{model.upstream}'{suggestion(model.upstream, upstreams)}"
    if "*" in model.name:
        yield "name", "must not hold '*'; patterns are aliases"
    for alias in model.aliases:
        if "*" in alias[:-1] or alias == "*":
            yield "aliases", f"'{alias}': a '*' may only stand at the end, behind something"
    names = [each.name for each in models if each is not model]
    for name in model.fallback:
        if name not in names:
            yield "fallback", f"there is no other [[model]] '{name}'{suggestion(name, names)}"
