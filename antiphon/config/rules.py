"""What settings must obey together."""

import ipaddress
import re
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

from antiphon.config.settings import Settings
from antiphon.config.values import is_address, suggestion

_ENGINES = ("embedded", "scripted")
_HEADER_TEXT = re.compile(r"[\x21-\x7e]+( [\x21-\x7e]+)*")


def broken_rules(settings: Settings) -> Iterator[tuple[str, str]]:
    """The name of the setting at fault and what is wrong, for each rule that is broken."""
    yield from _engine(settings)
    if settings.model_file is not None and settings.engine != "embedded":
        yield "model_file", f"only the embedded engine loads a file, and the engine is {settings.engine}"
    elif settings.model_file is not None and not settings.model_file.is_file():
        yield "model_file", f"there is no file {settings.model_file}"
    yield from _headers(settings)
    yield from _workers(settings)
    for name in ("tls_key", "tls_client_ca"):
        if getattr(settings, name) is not None and settings.tls_certificate is None:
            yield name, "needs tls_certificate"


def _workers(settings: Settings) -> Iterator[tuple[str, str]]:
    """What several processes cannot share."""
    if settings.workers == 1:
        return
    if settings.engine == "embedded":
        yield "workers", "each of them would load the model: the embedded engine takes one worker (see parallel)"
    if settings.store != "sqlite":
        yield "workers", f"they share what the store keeps, so they need the store sqlite, not {settings.store}"
    if sys.platform == "win32":
        yield "workers", "there can be only one on Windows"


def _headers(settings: Settings) -> Iterator[tuple[str, str]]:
    """What goes into headers must fit there; what it allows must be what browsers understand."""
    for name in ("azure_region", "openai_version", "openai_organization", "openai_project"):
        text = getattr(settings, name)
        if text is not None and not _HEADER_TEXT.fullmatch(text):
            yield name, "must be visible ASCII, with single blanks inside at most"
    for origin in settings.cors_origins:
        if origin != "*" and not _is_origin(origin):
            yield "cors_origins", f"'{origin}' is no origin, such as https://app.example.com, nor *"
    if settings.cors_credentials and "*" in settings.cors_origins:
        yield "cors_credentials", "browsers refuse it together with the origin *: name the origins"
    if settings.strict and settings.dialect == "vllm-extended":
        yield "strict", "refuses what is not OpenAI's, and the dialect vllm-extended sends it"


def _is_origin(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:  # brackets that make no sense
        return False
    return bool(parts.scheme and parts.netloc) and parts.path in ("", "/") and origin.isascii()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _engine(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.engine in _ENGINES:
        return
    if settings.engine == "upstreams":
        if not settings.tables.upstreams:
            yield "engine", "upstreams are tables [[upstream]] of the file that --config names, and there are none"
        for model in settings.tables.models:
            if model.upstream is None:
                yield "engine", f"[[model]] '{model.name}' names no upstream, and there is no other engine"
        return
    if not settings.upstream_urls:
        near = suggestion(settings.engine, _ENGINES)
        yield "engine", f"must be embedded, scripted or a URL that begins with http://, not '{settings.engine}'{near}"
    for url in settings.upstream_urls:
        if not is_address(url, "http", "https"):
            yield "engine", f"'{url}' is not the URL of a server, such as http://127.0.0.1:8000/v1"
