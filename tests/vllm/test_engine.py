"""Both engines keep the port's rules on a real vLLM: in front of it, and in its process."""

import asyncio
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from antiphon.engines.chat_http import ChatHttpEngine
from tests.contracts import engine_cases, engine_script_cases
from tests.contracts.engine_asking import Case
from tests.vllm import vllm_cases
from tests.vllm.ability import ABLE
from tests.vllm.serving import VERSION, Vllm

pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.timeout(1800)]
CASES_PATH = "/antiphon-tests/cases/"
# The other scripted cases are about what a real engine has no part in: words as tokens, filters, made-up failures.
SCRIPTED = ("what_is_said_arrives_to_the_letter",)
# Over HTTP, vLLM does not tell beforehand whether a model sees images.
UNTOLD = ("an_image_is_taken_or_refused_as_the_model_says",)
# vLLM reads Lark's syntax since 0.31.
UNREAD = ("a_forced_custom_tool_obeys_its_lark_grammar",) if VERSION < (0, 31) else ()
CASES = [
    *(
        case
        for case in engine_cases.CASES
        if case.needs is None or getattr(replace(ABLE, counts_first=True), case.needs)
    ),
    *(case for case in engine_script_cases.CASES if str(case) in SCRIPTED),
    *(case for case in vllm_cases.CASES if str(case) not in UNREAD),
]
IN_FRONT = [case for case in CASES if str(case) not in UNTOLD and case.needs != "counts_first"]
INSIDE = [*CASES, *vllm_cases.IN_PROCESS_CASES]


class Subject:
    """A started engine and the loop it lives in."""

    def __init__(self, engine: ChatHttpEngine, runner: asyncio.Runner, vllm: Vllm) -> None:
        self.engine = engine
        self.able = replace(ABLE, running=vllm.running)
        self._runner = runner

    def check(self, case: Case) -> None:
        self._runner.run(asyncio.wait_for(case.check(self.engine, self.able), self.able.bound_s))


@pytest.fixture(scope="module")
def subject(vllm: Vllm) -> Iterator[Subject]:
    with asyncio.Runner() as runner:
        engine = ChatHttpEngine([vllm.base_url], api_key=vllm.api_key)
        runner.run(engine.start())
        yield Subject(engine, runner, vllm)
        runner.run(engine.close())


@pytest.mark.parametrize("case", IN_FRONT, ids=str)
def test_the_engine_in_front(subject: Subject, case: Case) -> None:
    subject.check(case)


@pytest.mark.parametrize("case", INSIDE, ids=str)
def test_the_engine_inside(vllm: Vllm, case: Case) -> None:
    failure = vllm.http.post(f"{CASES_PATH}{case}", timeout=2 * ABLE.bound_s)
    assert (failure.status_code, failure.text) == (200, "")
