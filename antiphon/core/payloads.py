"""Consecutive event payloads in little room: of an event that only goes on a text no more is held than the text.

Its payload is several times as long, and is made again from the form of such events when somebody needs it.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from antiphon.core.open_items import Form
from antiphon.core.spoken import Spoken


class Texts:
    """Some of many payloads: those from the one at place `at` on that are these texts in one form."""

    __slots__ = ("at", "form", "texts")

    def __init__(self, form: Form, texts: list[str], at: int = 0) -> None:
        self.form = form
        self.texts = texts
        self.at = at


class Payloads:
    """The payloads of the events from number `first` on."""

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self._held: list[bytes | str] = []
        self._forms: list[tuple[int, Form]] = []  # each with the number from which on it is the form of the texts
        self._last_form: Form | None = None

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.since(self.first))

    def __contains__(self, payload: object) -> bool:
        return payload in self.since(self.first)

    def add(self, payloads: Sequence[bytes], among: Texts | None = None) -> None:
        """Hold payloads as they are, but for the texts among them."""
        if among is None:
            self._held += payloads
            return
        begin, end = among.at, among.at + len(among.texts)
        if begin:
            self._held += payloads[:begin]
        if self._last_form is not among.form:
            self._last_form = among.form
            self._forms.append((self.first + len(self._held), among.form))
        self._held += among.texts
        if end < len(payloads):
            self._held += payloads[end:]

    def since(self, number: int) -> list[bytes]:
        """The payloads from `number` on, which is not below `first`."""
        made: list[bytes] = []
        for piece in self.pieces(number):
            if isinstance(piece, Spoken):
                made += piece.payloads(number + len(made))
            else:
                made.append(piece)
        return made

    def pieces(self, number: int | None = None) -> list[bytes | Spoken]:
        """The payloads from `number` on (None: all), texts of one form that come together in one piece."""
        pieces: list[bytes | Spoken] = []
        for start, end, form in self._spans(self.first if number is None else number):
            for kind, held in groupby(self._held[start - self.first : end - self.first], type):
                if kind is str and form is not None:
                    pieces.append(Spoken(form.head, form.tail, list(held)))  # type: ignore[arg-type]
                else:
                    pieces += held  # type: ignore[arg-type]  # no form, no text
        return pieces

    def part(self, number: int) -> "Payloads":
        """What is held from `number` on, which is not below `first`; what is added here later is not in it."""
        part = Payloads(number)
        part._held = self._held[number - self.first :]
        part._use(self._forms_since(number))
        return part

    def drop(self, number: int) -> None:
        """Hold only what is from `number` on."""
        if number <= self.first:
            return
        self._use(self._forms_since(number))
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

    def _use(self, forms: list[tuple[int, Form]]) -> None:
        self._forms = forms
        self._last_form = forms[-1][1] if forms else None

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
