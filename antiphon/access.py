"""Whether the settings let in those who should be, before a server starts."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from antiphon.config.rules import is_loopback
from antiphon.config.settings import Settings
from antiphon.service.keys_file import KeysFileError, read_keys_file
from antiphon.stores.backup import DATABASE
from antiphon.stores.keys import has_keys


def problems(settings: Settings) -> Iterator[tuple[str, str]]:
    """The name of the setting at fault and what is wrong, for each problem."""
    if settings.keys_file is not None:
        try:
            if not read_keys_file(settings.keys_file):
                yield "keys_file", f"{settings.keys_file}: holds no [[key]]"
        except KeysFileError as error:
            yield from (("keys_file", problem) for problem in error.problems)
    yield from _issuer(settings)
    if not is_loopback(settings.host) and not settings.allow_anonymous and not asks(settings):
        yield (
            "host",
            f"{settings.host} can be reached from other machines and no key is set: set one with ANTIPHON_API_KEY "
            "(or --api-key, --keys-file, antiphon keys add), or let everybody in with --allow-anonymous",
        )


def asks(settings: Settings) -> bool:
    """Whether a server with these settings asks for a key."""
    configured = settings.api_key or settings.keys_file or settings.oidc_issuer
    return bool(configured) or (settings.store == "sqlite" and has_keys(settings.data_dir / DATABASE))


def _issuer(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.oidc_issuer is None:
        if settings.oidc_audience:
            yield "oidc_audience", "has no effect without oidc_issuer"
        return
    parts = urlsplit(settings.oidc_issuer)
    local = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not parts.hostname or not (parts.scheme == "https" or local):
        yield "oidc_issuer", f"'{settings.oidc_issuer}' is not a URL that begins with https://"
    if not settings.oidc_audience:
        yield "oidc_issuer", "needs oidc_audience too: without it, tokens for other services would be let in"
