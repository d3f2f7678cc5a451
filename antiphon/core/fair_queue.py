"""A queue that is fair: by shares among classes, and evenly among those within a class.

Stride scheduling on both levels. Each class, and within it each lane, has a clock that goes on by one over its share
whenever one of its own is served; who is furthest behind is served next. One that was empty starts at the present, so
nobody saves up turns. Within a lane it is first come, first served.
"""

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class _Stride(Generic[T]):
    """Whoever waits under one name, and how far its clock has gone."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.clock = 0.0
        self.lanes: dict[str, _Stride[T]] = {}
        self.waiting: deque[T] = deque()
        self.present = 0.0

    def __len__(self) -> int:
        return len(self.waiting) + sum(map(len, self.lanes.values()))

    def child(self, name: str, share: float) -> "_Stride[T]":
        """The lane of a name; one that is new, or was empty, begins now."""
        lane = self.lanes.get(name)
        if lane is None:
            lane = self.lanes[name] = _Stride(share)
        if not len(lane):
            lane.clock = max(lane.clock, self.present)
        return lane

    def next(self) -> "_Stride[T]":
        """The lane that is furthest behind, its clock moved on."""
        lane = min((lane for lane in self.lanes.values() if len(lane)), key=lambda lane: lane.clock)
        self.present = lane.clock
        lane.clock += 1 / lane.share
        return lane

    def tidy(self) -> None:
        """Forget lanes that wait for nothing and owe nothing."""
        for name in [name for name, lane in self.lanes.items() if not len(lane) and lane.clock <= self.present]:
            del self.lanes[name]


class FairQueue(Generic[T]):
    """`push` and `pop`; an entry may be taken out by `discard`."""

    def __init__(self) -> None:
        self._root: _Stride[T] = _Stride(1.0)

    def __len__(self) -> int:
        return len(self._root)

    def push(self, entry: T, *, kind: str, share: float, lane: str) -> None:
        """Queue an entry of a class that has a `share`, behind the others of its lane."""
        self._root.child(kind, share).child(lane, 1.0).waiting.append(entry)

    def pop(self) -> T:
        """The entry whose turn it is. Raises: IndexError."""
        if not len(self._root):
            raise IndexError("nobody waits")
        kind = self._root.next()
        entry = kind.next().waiting.popleft()
        kind.tidy()
        return entry

    def discard(self, entry: T) -> None:
        """Take an entry out, if it is there."""
        for kind in self._root.lanes.values():
            for lane in kind.lanes.values():
                if entry in lane.waiting:
                    lane.waiting.remove(entry)
                    return
