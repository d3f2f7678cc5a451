"""What is stored beyond a quota."""

from msgspec import Struct


class Excess(Struct, frozen=True):
    """How many responses and bytes have to go; zero and below: enough has."""

    entries: int = 0
    bytes: int = 0

    def __bool__(self) -> bool:
        return self.entries > 0 or self.bytes > 0

    def less(self, freed: "Excess") -> "Excess":
        """What is left of it once `freed` has gone."""
        return Excess(self.entries - freed.entries, self.bytes - freed.bytes)


def excess(entries: int, size: int, max_entries: int | None, max_bytes: int | None) -> Excess:
    """Of `entries` responses that take `size` bytes; a quota of None is never exceeded."""
    return Excess(
        0 if max_entries is None else max(0, entries - max_entries),
        0 if max_bytes is None else max(0, size - max_bytes),
    )
