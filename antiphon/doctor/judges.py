"""Judges of answers: what they show of the server, and what only of the model."""

import json
import re
from collections.abc import Callable, Sequence

from antiphon.doctor.answers import Answer
from antiphon.doctor.findings import Outcome

Verdict = tuple[Outcome, str]
Judge = Callable[[Answer], Verdict]
"""Judges an answer with which nothing went wrong."""
WORKS: Verdict = ("works", "")
ODD_WORDS = ("zyxqvu", "qvuzyx")
"""Nobody says them unless made to."""

_LEFT_OVER_CALL = re.compile(
    r"<tool_call|\[TOOL_CALLS\]|<\|python_tag\|>|<function=|\"name\"\s*:\s*\"weather\"|weather\("
)
_LEFT_OVER_THOUGHT = re.compile(r"</?think>|</?thinking>|\[/?THINK\]|<\|channel\|>|◁/?think▷")


def verdict_on(answers: Sequence[Answer], judge: Judge, refusal: Verdict | None) -> Verdict:
    """What the last answer shows, unless one went wrong: a refusal is the server's, anything else tells nothing.

    `refusal` is what a refusal shows where it is not the server's.
    """
    for answer in answers:
        if answer.error is not None and answer.error.status == 400:
            return refusal or ("missing", f"the server refuses it: {answer.problem}")
        if answer.problem is not None:
            return "failed", answer.problem
    return judge(answers[-1])


def accepted(_: Answer) -> Verdict:
    """It was taken."""
    return WORKS


def answered(answer: Answer) -> Verdict:
    """Something was said."""
    return WORKS if answer.text.strip() or answer.items("reasoning") else ("model", "it said nothing")


def called(count: int) -> Judge:
    """So many calls were made, if the model felt like it."""

    def judge(answer: Answer) -> Verdict:
        calls = answer.items("function_call")
        if len(calls) >= count:
            return WORKS
        if _LEFT_OVER_CALL.search(answer.text):
            return "missing", "the call stayed in the text: no parser reads it, or not the model's"
        return "model", f"it made {len(calls)} of {count} calls that it was asked for"

    return judge


def forced(answer: Answer) -> Verdict:
    """A call was made, as was required."""
    calls = answer.items("function_call")
    if answer.is_cut_off:
        return "model", "it did not come to an end"
    return WORKS if calls else ("missing", "no call was made although one was required")


def strictly_called(answer: Answer) -> Verdict:
    """The arguments of the required call obey the schema."""
    verdict = forced(answer)
    if verdict[0] != "works":
        return verdict
    arguments = _parsed(answer.items("function_call")[0]["arguments"])
    return WORKS if _is_odd(arguments) else ("missing", "the arguments do not obey the tool's schema")


def strictly_answered(answer: Answer) -> Verdict:
    """The text obeys the schema."""
    if answer.is_cut_off:
        return "model", "it did not come to an end"
    return WORKS if _is_odd(_parsed(answer.text)) else ("missing", "the answer does not obey the schema")


def obeyed(pattern: str) -> Judge:
    """The input of the required call fits the pattern."""

    def judge(answer: Answer) -> Verdict:
        calls = answer.items("custom_tool_call")
        if calls and re.fullmatch(pattern, calls[0]["input"]):
            return WORKS
        return "missing", "the input of the tool does not obey its grammar" if calls else "no call was made"

    return judge


def reasoned(answer: Answer) -> Verdict:
    """There were thoughts, and they are apart."""
    if answer.items("reasoning"):
        return WORKS
    if _LEFT_OVER_THOUGHT.search(answer.text):
        return "missing", "the thoughts stayed in the text: no parser reads them, or not the model's"
    return "model", "it did not think aloud"


def cached(answer: Answer) -> Verdict:
    """The last prompt was found in the cache."""
    return WORKS if answer.cached_tokens else ("missing", "none are reported for a prompt that was sent before")


def weighed(answer: Answer) -> Verdict:
    """The text has log probabilities."""
    parts = [part for item in answer.items("message") for part in item["content"]]
    if not parts:
        return "model", "it said nothing"
    return WORKS if parts[0].get("logprobs") else ("missing", "none were sent")


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _is_odd(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"colour"} and value["colour"] in ODD_WORDS
