"""How much of a log is read at once."""

from collections.abc import Iterable, Sequence

from antiphon.ports import Segment


def take_segments(segments: Iterable[Segment], max_bytes: int | None) -> Sequence[Segment]:
    """The first ones, up to the one that reaches `max_bytes` bytes of events; all of them without a bound."""
    if max_bytes is None:
        return tuple(segments)
    taken: list[Segment] = []
    size = 0
    for segment in segments:
        taken.append(segment)
        size += sum(map(len, segment.payloads))
        if size >= max_bytes:
            break
    return tuple(taken)
