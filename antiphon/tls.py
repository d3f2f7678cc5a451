"""TLS of the listener: its certificate, and the authority of those that clients must show."""

import ssl
from functools import partial
from pathlib import Path

from antiphon.config.settings import Settings
from antiphon.errors import SetupError
from antiphon.reloading import Change


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """What the listener speaks TLS with, 1.2 or newer; None for plain HTTP. Raises: SetupError naming the file."""
    if settings.tls_certificate is None:
        return None
    context = _context(settings)
    if settings.tls_client_ca is not None:
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET  # a session that is resumed would show no certificate again
    return context


def renewal(context: ssl.SSLContext | None, new: Settings) -> Change:
    """What gives connections to come the certificate and the authority as their files are now.

    Raises: SetupError, and nothing changes.
    """
    if context is None or new.tls_certificate is None:
        return lambda: None
    fresh = _context(new)

    def take_over(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        connection.context = fresh

    return partial(setattr, context, "sni_callback", take_over)  # called with and without a name, before all else


def _context(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    assert settings.tls_certificate is not None
    _load(context, settings.tls_certificate, settings.tls_key)
    if settings.tls_client_ca is not None:
        try:
            context.load_verify_locations(settings.tls_client_ca)
        except (OSError, ssl.SSLError) as error:
            raise SetupError(f"tls_client_ca: {settings.tls_client_ca} cannot be used: {_reason(error)}") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise SetupError(f"tls_certificate: {certificate} cannot be used: {_reason(error)}") from error


def _no_password() -> str:
    """A server that starts by itself has nobody to ask."""
    raise ValueError("its key is protected by a password")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it is no PEM file").lower().replace("_", " ")
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
