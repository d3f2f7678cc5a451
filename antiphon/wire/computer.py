"""What a model may do to a computer: the actions of `computer_call`, one struct for each `type`."""

from typing import Literal

from msgspec import field

from antiphon.wire.content import Wire, none


class Point(Wire, frozen=True):
    x: int
    y: int


class AnyAction(Wire, frozen=True, tag_field="type"):
    """An action. `keys` are those that are held meanwhile."""


class Click(AnyAction, frozen=True, tag="click", kw_only=True):
    button: Literal["left", "right", "wheel", "back", "forward"] = field(default_factory=lambda: "left")
    x: int
    y: int
    keys: tuple[str, ...] | None = None


class DoubleClick(AnyAction, frozen=True, tag="double_click", kw_only=True):
    x: int
    y: int
    keys: tuple[str, ...] | None = field(default_factory=none)


class Drag(AnyAction, frozen=True, tag="drag", kw_only=True):
    path: tuple[Point, ...]
    keys: tuple[str, ...] | None = None


class Keypress(AnyAction, frozen=True, tag="keypress"):
    keys: tuple[str, ...]


class Move(AnyAction, frozen=True, tag="move", kw_only=True):
    x: int
    y: int
    keys: tuple[str, ...] | None = None


class Screenshot(AnyAction, frozen=True, tag="screenshot"):
    pass


class Scroll(AnyAction, frozen=True, tag="scroll", kw_only=True):
    x: int
    y: int
    scroll_x: int = field(default_factory=lambda: 0)
    scroll_y: int = field(default_factory=lambda: 0)
    keys: tuple[str, ...] | None = None


class Type(AnyAction, frozen=True, tag="type"):
    text: str


class Wait(AnyAction, frozen=True, tag="wait"):
    pass


ComputerAction = Click | DoubleClick | Drag | Keypress | Move | Screenshot | Scroll | Type | Wait
