"""Another process on the same database: `python -m tests.stores.child PATH ACT [ARGUMENT]`. It says what it does."""

import asyncio
import sys
from pathlib import Path

from antiphon.stores.sql import SqlStore
from tests.stores.turns import TENANT, beginning, ending, put


def say(word: str) -> None:
    print(word, flush=True)


async def put_forever(store: SqlStore, prefix: str) -> None:
    """Say each id as soon as its end is acknowledged."""
    number = 0
    while True:
        await put(store, f"{prefix}{number}")
        say(f"{prefix}{number}")
        number += 1


async def put_many(store: SqlStore, prefix: str) -> None:
    """Put 200 responses, 8 at a time, when told to start."""
    say("ready")
    sys.stdin.readline()
    for start in range(0, 200, 8):
        await asyncio.gather(*(put(store, f"{prefix}{start + number}") for number in range(8)))


async def hold(store: SqlStore, prefix: str) -> None:
    """Begin 20 runs and live until told to end."""
    for number in range(20):
        await store.begin(beginning(f"{prefix}{number}"))
    say("ready")
    sys.stdin.readline()


async def announce(store: SqlStore, prefix: str) -> None:
    """Announce 20 runs, write and delete every other one, and live until told to end."""
    for number in range(20):
        store.announce(beginning(f"{prefix}{number}"))
    for number in range(0, 20, 2):
        await store.record(beginning(f"{prefix}{number}"), ending(f"{prefix}{number}"))
        await store.delete(TENANT, f"{prefix}{number}")
    say("ready")
    sys.stdin.readline()


async def claim(store: SqlStore, _: str) -> None:
    """Claim when told to, and say what was got."""
    say("ready")
    sys.stdin.readline()
    claimed = await store.claim_abandoned()
    say(" ".join(run.id for run in claimed))
    sys.stdin.readline()


ACTS = {"put_forever": put_forever, "put_many": put_many, "hold": hold, "announce": announce, "claim": claim}


async def main(path: str, act: str, argument: str = "") -> None:
    store = SqlStore(Path(path))
    await store.start()
    try:
        await ACTS[act](store, argument)
    finally:
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
