"""Which server of a pool is asked.

A key goes to the server that scores highest for it (rendezvous hashing), so that servers that come and go move no other
keys; unless that one has clearly more to do than the others. What has no key goes to the least loaded.
"""

from collections.abc import Sequence
from hashlib import blake2b
from math import ceil

from msgspec import Struct

BALANCE = 1.25
SLACK = 8


class Standing(Struct, frozen=True):
    """A server that may be asked: its URL and how many generations it has under way."""

    url: str
    load: int


def choose(servers: Sequence[Standing], key: str | None, turn: int, *, is_new: bool = False) -> int:
    """The place in `servers` of the one to ask; there must be one.

    `turn` is a number that counts up, so that equally loaded servers take turns. A key that `is_new` has nothing
    cached anywhere: it goes to the highest score among the least loaded.
    """
    least = min(server.load for server in servers)
    if key is None:
        places = [place for place, server in enumerate(servers) if server.load == least]
        return places[turn % len(places)]
    bound = least if is_new else most_load(servers)
    places = [place for place, server in enumerate(servers) if server.load <= bound]
    return max(places, key=lambda place: _score(servers[place].url, key))


def most_load(servers: Sequence[Standing]) -> int:
    """The load up to which a server still gets the keys that are its own."""
    total = sum(server.load for server in servers)
    return ceil(BALANCE * total / len(servers)) + SLACK


def _score(url: str, key: str) -> bytes:
    return blake2b(f"{url}\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
