"""Which addresses a request may make the server fetch. Decisions only: nothing here touches the network.

Whoever writes a URL into a request must not reach what the server can reach and they cannot: a name is checked before
it is looked up, every address it resolves to before it is connected to, and each redirect anew.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(Exception):
    """The policy does not let this be fetched; the message says why, without the address."""


class Target(Struct, frozen=True):
    """What a URL asks for: `host` is a name, or an address without brackets; `path` has the query with it."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the header `Host` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class FetchPolicy(Struct, frozen=True):
    """`hosts` are those that may be named: exact, `*.domain`, or `*` for all; none: nothing is fetched.

    Addresses that are not public are refused unless one of `networks` holds them.
    """

    hosts: Sequence[str] = ("*",)
    networks: Sequence[Network] = ()
    max_redirects: int = 3
    timeout_s: float = 10.0

    def target(self, url: str) -> Target:
        """Read a URL and check the name in it. Raises: Refused."""
        parts = _split(url)
        host = (parts.hostname or "").lower()
        if parts.scheme not in _PORTS:
            raise Refused("only http and https are fetched")
        if parts.username is not None or parts.password is not None:
            raise Refused("an address with credentials is not fetched")
        if not _is_host(host):
            raise Refused("it has no valid host")
        if not self._may_name(host):
            raise Refused("this host may not be fetched from")
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        return Target(parts.scheme, host, _port(parts), path)

    def check(self, addresses: Iterable[str]) -> str:
        """The address to connect to, of those that a name has. Raises: Refused if any of them may not be reached."""
        found = [ipaddress.ip_address(address.partition("%")[0]) for address in addresses]
        if not found:
            raise Refused("its host has no address")
        if not all(self._may_reach(address) for address in found):
            raise Refused("its host has an address that is not public")
        return str(found[0])

    def _may_name(self, host: str) -> bool:
        return any(_matches(host, pattern.lower()) for pattern in self.hosts)

    def _may_reach(self, address: Address) -> bool:
        inner = _embedded(address)
        if any(
            each.version == network.version and each in network
            for each in (address, inner)
            for network in self.networks
        ):
            return True
        return _is_public(address) and _is_public(inner)


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks in the form `10.0.0.0/8`. Raises: ValueError."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def _split(url: str) -> SplitResult:
    if not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        raise Refused("it is no valid address")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Refused("it is no valid address") from error
    return parts


def _port(parts: SplitResult) -> int:
    return _PORTS[parts.scheme] if parts.port is None else parts.port


def _is_host(host: str) -> bool:
    """A name or an address in its usual form; those that only some resolvers read as one (`0x7f.1`) are neither."""
    try:
        ipaddress.ip_address(host)
        return True
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        return _NAME.fullmatch(host) is not None and not re.fullmatch(r"\d+|0x[0-9a-f]*", last)


def _matches(host: str, pattern: str) -> bool:
    host = host.rstrip(".")
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return pattern in ("*", host)


def _embedded(address: Address) -> Address:
    """The IPv4 address within one that stands for it, else the address."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
