"""A text that must not be seen."""


class Secret(str):
    """A text that does not show itself in a `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"
