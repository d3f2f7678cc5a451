"""Consecutive event payloads in little room: of an event that only goes on a text no more is held than the text.

Its payload is several times as long, and is made again from the form of such events when somebody needs it.
"""

from collections.abc import Iterator, Sequence

from antiphon.core.open_items import Form
from antiphon.wire.unknown import encode_lines


class Payloads:
    """The payloads of the events from number `first` on."""

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self._held: list[bytes | str] = []
        self._forms: list[tuple[int, Form]] = []  # each with the number from which on it is the form of the texts

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.since(self.first))

    def __contains__(self, payload: object) -> bool:
        return payload in self.since(self.first)

    def add(self, payloads: Sequence[bytes]) -> None:
        """Hold payloads as they are."""
        self._held += payloads

    def add_more(self, form: Form, texts: Sequence[str]) -> None:
        """Hold payloads that are these texts in this form."""
        if not self._forms or self._forms[-1][1] is not form:
            self._forms.append((self.first + len(self._held), form))
        self._held += texts

    def since(self, number: int) -> list[bytes]:
        """The payloads from `number` on, which is not below `first`."""
        made: list[bytes] = []
        for start, end, form in self._spans(number):
            held = self._held[start - self.first : end - self.first]
            made += held if form is None else _made(held, form, start)  # type: ignore[arg-type]  # no form, no text
        return made

    def part(self, number: int) -> "Payloads":
        """What is held from `number` on, which is not below `first`; what is added here later is not in it."""
        part = Payloads(number)
        part._held = self._held[number - self.first :]
        part._forms = self._forms_since(number)
        return part

    def drop(self, number: int) -> None:
        """Hold only what is from `number` on."""
        if number <= self.first:
            return
        self._forms = self._forms_since(number)
        del self._held[: number - self.first]
        self.first = number

    def tail(self, size: int) -> int:
        """The number from which on there are about `size` bytes; `first` if there are less."""
        for start, end, form in reversed(self._spans(self.first)):
            around = 0 if form is None else form.size
            for number in range(end - 1, start - 1, -1):
                held = self._held[number - self.first]
                size -= len(held) if isinstance(held, bytes) else around + len(held)
                if size <= 0:
                    return number
        return self.first

    def _forms_since(self, number: int) -> list[tuple[int, Form]]:
        return [(start, form) for start, _, form in self._spans(number) if form is not None]

    def _spans(self, number: int) -> list[tuple[int, int, Form | None]]:
        """From `number` on: from where to where which form is that of the texts. None: there are no texts."""
        end = self.first + len(self._held)
        spans: list[tuple[int, int, Form | None]] = []
        for start, form in reversed(self._forms):
            if end > number:
                spans.append((max(start, number), end, form))
            end = min(end, start)
        if end > number:
            spans.append((number, end, None))
        spans.reverse()
        return spans


def _made(held: Sequence[bytes | str], form: Form, number: int) -> list[bytes]:
    """The payloads of what is held from `number` on. A line of JSON has no line break in it."""
    lines = iter(encode_lines([each for each in held if isinstance(each, str)]).split(b"\n"))
    return [each if isinstance(each, bytes) else form.payload(next(lines), at) for at, each in enumerate(held, number)]
