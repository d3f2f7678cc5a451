"""What a pool of servers takes on at a time."""

from msgspec import Struct


class Limits(Struct, frozen=True):
    """How many generations each server gets at a time (None: any number), and how many wait how long for a place."""

    concurrency: int | None = None
    queue: int = 256
    queue_timeout_s: float = 30.0
