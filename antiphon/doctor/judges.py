"""Judges of answers: what they show of the server, and what only of the model."""

import json
import re
from collections.abc import Callable, Sequence

from antiphon.doctor.answers import Answer
from antiphon.doctor.findings import Outcome

Verdict = tuple[Outcome, str]
Judge = Callable[[Sequence[Answer]], Verdict]
WORKS: Verdict = ("works", "")
ODD_WORDS = ("zyxqvu", "qvuzyx")
"""Nobody says them unless made to."""

_LEFT_OVER_CALL = re.compile(
    r"<tool_call|\[TOOL_CALLS\]|<\|python_tag\|>|<function=|\"name\"\s*:\s*\"weather\"|weather\("
)
_LEFT_OVER_THOUGHT = re.compile(r"</?think>|</?thinking>|\[/?THINK\]|<\|channel\|>|◁/?think▷")


def _troubles(answers: Sequence[Answer]) -> Verdict | None:
    """What went wrong, where something did: a refusal is the server's, anything else tells nothing."""
    for answer in answers:
        if answer.error is not None and answer.error.status == 400:
            return "missing", f"the server refuses it: {answer.problem}"
        if answer.problem is not None:
            return "failed", answer.problem
    return None


def accepted(answers: Sequence[Answer]) -> Verdict:
    """It was taken."""
    return _troubles(answers) or WORKS


def answered(answers: Sequence[Answer]) -> Verdict:
    """Something was said."""
    last = answers[-1]
    if trouble := _troubles(answers):
        return trouble
    return WORKS if last.text.strip() or last.items("reasoning") else ("model", "it said nothing")


def called(count: int) -> Judge:
    """So many calls were made, if the model felt like it."""

    def judge(answers: Sequence[Answer]) -> Verdict:
        if trouble := _troubles(answers):
            return trouble
        calls = answers[-1].items("function_call")
        if len(calls) >= count:
            return WORKS
        if _LEFT_OVER_CALL.search(answers[-1].text):
            return "missing", "the call stayed in the text: no parser reads it, or not the model's"
        return "model", f"it made {len(calls)} of {count} calls that it was asked for"

    return judge


def forced(answers: Sequence[Answer]) -> Verdict:
    """A call was made, as was required."""
    if trouble := _troubles(answers):
        return trouble
    calls = answers[-1].items("function_call")
    if answers[-1].is_cut_off:
        return "model", "it did not come to an end"
    return WORKS if calls else ("missing", "no call was made although one was required")


def strictly_called(answers: Sequence[Answer]) -> Verdict:
    """The arguments of the required call obey the schema."""
    verdict = forced(answers)
    if verdict[0] != "works":
        return verdict
    arguments = _parsed(answers[-1].items("function_call")[0]["arguments"])
    return WORKS if _is_odd(arguments) else ("missing", "the arguments do not obey the tool's schema")


def strictly_answered(answers: Sequence[Answer]) -> Verdict:
    """The text obeys the schema."""
    if trouble := _troubles(answers):
        return trouble
    if answers[-1].is_cut_off:
        return "model", "it did not come to an end"
    return WORKS if _is_odd(_parsed(answers[-1].text)) else ("missing", "the answer does not obey the schema")


def obeyed(pattern: str) -> Judge:
    """The input of the required call fits the pattern."""

    def judge(answers: Sequence[Answer]) -> Verdict:
        if trouble := _troubles(answers):
            return trouble
        calls = answers[-1].items("custom_tool_call")
        if calls and re.fullmatch(pattern, calls[0]["input"]):
            return WORKS
        return "missing", "the input of the tool does not obey its grammar" if calls else "no call was made"

    return judge


def reasoned(answers: Sequence[Answer]) -> Verdict:
    """There were thoughts, and they are apart."""
    if trouble := _troubles(answers):
        return trouble
    if answers[-1].items("reasoning"):
        return WORKS
    if _LEFT_OVER_THOUGHT.search(answers[-1].text):
        return "missing", "the thoughts stayed in the text: no parser reads them, or not the model's"
    return "model", "it did not think aloud"


def cached(answers: Sequence[Answer]) -> Verdict:
    """The last prompt was found in the cache."""
    if trouble := _troubles(answers):
        return trouble
    return WORKS if answers[-1].cached_tokens else ("missing", "none are reported for a prompt that was sent before")


def weighed(answers: Sequence[Answer]) -> Verdict:
    """The text has log probabilities."""
    if trouble := _troubles(answers):
        return trouble
    parts = [part for item in answers[-1].items("message") for part in item["content"]]
    if not parts:
        return "model", "it said nothing"
    return WORKS if parts[0].get("logprobs") else ("missing", "none were sent")


def seen(answers: Sequence[Answer]) -> Verdict:
    """The image was taken; a model that takes none is not the server's fault."""
    trouble = _troubles(answers)
    return ("model", "it takes none") if trouble and trouble[0] == "missing" else trouble or WORKS


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _is_odd(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"colour"} and value["colour"] in ODD_WORDS
