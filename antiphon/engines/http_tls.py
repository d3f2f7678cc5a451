"""What servers behind TLS are trusted by, and what we show them."""

import ssl
from pathlib import Path

from antiphon.errors import SetupError


def tls_context(
    ca: Path | None = None, client_certificate: Path | None = None, client_key: Path | None = None
) -> ssl.SSLContext:
    """A context that trusts `ca` alone (PEM; None: what this system trusts) and shows the client certificate, if any.

    Raises: SetupError when a file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise SetupError(f"ca: {ca} holds no certificates in PEM.") from None
    if client_certificate is not None:
        try:
            # A password is never asked for on the terminal.
            context.load_cert_chain(client_certificate, client_key, password="")
        except (OSError, ssl.SSLError, ValueError):
            key = f" with the key {client_key}" if client_key else ""
            raise SetupError(
                f"client_certificate: {client_certificate}{key} is no certificate in PEM with its unencrypted key."
            ) from None
    return context
