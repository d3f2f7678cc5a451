"""What is held of payloads gives every payload back, byte for byte."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from antiphon.core.open_items import Form
from antiphon.core.payloads import Payloads, Texts
from antiphon.core.spoken import Spoken
from antiphon.wire.unknown import encode

FORMS = (Form(b'{"delta":', b',"at":1,"sequence_number":'), Form(b'{"other":', b',"sequence_number":'))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.sampled_from(['",', "\n", "a\\", "\u2028"])

Step = list[bytes] | tuple[Form, list[str]] | int

# Payloads as they are; texts, each list with its form; a number to drop what is before it.
WHOLE = st.lists(st.sampled_from([b'{"a":1}', b'{"text":"\\n"}']), min_size=1, max_size=3)
MORE = st.tuples(st.sampled_from(FORMS), st.lists(TEXTS, min_size=1, max_size=4))
STEPS = st.lists(WHOLE | MORE | st.integers(0, 30), max_size=12)


def followed(steps: Sequence[Step]) -> tuple[Payloads, dict[int, bytes]]:
    """What is held after these steps, and what that is, by number."""
    held, model = Payloads(7), dict[int, bytes]()
    for step in steps:
        next_number = held.first + len(held)
        if isinstance(step, int):
            held.drop(min(step, next_number))
            model = {number: payload for number, payload in model.items() if number >= step}
        elif isinstance(step, list):
            held.add(step)
            model |= enumerate(step, next_number)
        else:
            form, texts = step
            held.add([form.payload(encode(text), 0) for text in texts], Texts(form, texts))
            model |= enumerate(
                (form.payload(encode(text), at) for at, text in enumerate(texts, next_number)), next_number
            )
    return held, model


@given(STEPS)
def test_every_payload_comes_back_under_its_number(steps: list[Step]) -> None:
    held, model = followed(steps)
    numbers = range(held.first, held.first + len(held))

    assert list(model) == list(numbers)
    assert list(held) == list(model.values())
    for number in (*numbers, numbers.stop):
        assert held.since(number) == [model[at] for at in range(number, numbers.stop)]


@given(STEPS, MORE)
def test_a_part_is_what_was_held_when_it_was_taken(steps: list[Step], more: tuple[Form, list[str]]) -> None:
    held, model = followed(steps)
    middle = held.first + len(held) // 2
    part = held.part(middle)
    held.add([b"" for _ in more[1]], Texts(*more))
    held.drop(held.first + len(held))

    assert (part.first, len(held)) == (middle, 0)
    assert list(part) == [payload for number, payload in model.items() if number >= middle]


@given(STEPS, st.integers(1, 200))
def test_a_tail_is_no_shorter_than_was_asked_and_little_longer(steps: list[Step], size: int) -> None:
    held, _ = followed(steps)
    start = held.tail(size)
    longest = max((len(payload) for payload in held), default=0)

    assert start == held.first or sum(map(len, held.since(start))) >= size
    assert start == held.first + len(held) or sum(map(len, held.since(start)[1:])) < 2 * (size + longest)


def test_what_goes_on_a_text_is_held_as_its_text_alone() -> None:
    held = Payloads()
    texts = [f"token {number}" for number in range(1000)]
    held.add([FORMS[0].payload(encode(text), 0) for text in texts], Texts(FORMS[0], texts))

    assert held._held == texts


@given(WHOLE, MORE, WHOLE)
def test_texts_may_stand_among_other_payloads(
    before: list[bytes], more: tuple[Form, list[str]], behind: list[bytes]
) -> None:
    form, texts = more
    held = Payloads(5)
    made = [form.payload(encode(text), at) for at, text in enumerate(texts, 5 + len(before))]
    held.add([*before, *made, *behind], Texts(form, texts, len(before)))

    assert list(held) == [*before, *made, *behind]
    assert Spoken(form.head, form.tail, texts) in held.pieces()
