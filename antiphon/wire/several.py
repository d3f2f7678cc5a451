"""What a reader returns for one value that stands for several."""

from typing import Any


class Several(tuple[Any, ...]):
    """What one element of an array stands for, where that is not one thing."""
