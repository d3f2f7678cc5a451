"""Where a chat-completions server is."""

from urllib.parse import urlsplit

from msgspec import Struct

from antiphon.errors import SetupError


class Address(Struct, frozen=True):
    """Where a server is: `prefix` is the path before `/chat/completions`, `root` that without the
    version, `host_header` names the server in requests."""

    url: str
    host: str
    port: int
    tls: bool
    host_header: str
    root: str
    prefix: str


def parse_url(url: str) -> Address:
    """The address of a base URL, with `/v1` or without. Raises: SetupError when it cannot be used."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise SetupError("An engine URL is malformed; write it like http://127.0.0.1:8000/v1.") from None
    if parts.username is not None or parts.password is not None:
        raise SetupError("An engine URL must not hold credentials; give the key as the engine's API key.")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise SetupError(f"The engine URL '{url}' cannot be used; write it like http://127.0.0.1:8000/v1.")
    if any(character <= " " or character > "~" for character in parts.netloc + parts.path):
        raise SetupError(f"The engine URL '{url}' holds characters that a URL must not hold.")
    path = parts.path.rstrip("/")
    last = path.rpartition("/")[2]
    versioned = last.startswith("v") and last[1:].isdigit()
    tls = parts.scheme == "https"
    return Address(
        url=f"{parts.scheme}://{parts.netloc}{path}",
        host=parts.hostname,
        port=port or (443 if tls else 80),
        tls=tls,
        host_header=parts.netloc,
        root=path[: -len(last) - 1] if versioned else path,
        prefix=path if versioned else f"{path}/v1",
    )
