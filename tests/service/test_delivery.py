"""Tool outputs that come at the very moment in which a run ends."""

import pytest

from antiphon.core.grammar import Call
from antiphon.errors import Conflict
from antiphon.service.caller import ANYBODY
from antiphon.service.responses import Responses
from antiphon.service.run import Run
from antiphon.service.tool_outputs import Deliverable
from antiphon.wire.items import FunctionCallOutput
from antiphon.wire.request import CreateResponse
from tests.service.conftest import read_all, soon
from tests.service.test_responses import request, service

pytestmark = pytest.mark.anyio


async def just_ended(responses: Responses, asked: CreateResponse) -> Run:
    """A run whose last event has been read, while the server still holds it."""
    run = await soon(responses.create(asked, ANYBODY))
    if asked.extras.await_tool_outputs:
        await soon(run.paused.wait())
        await soon(responses.deliver(run.response.id, ANYBODY, output_for(run)))
    await read_all(run.log.reader())
    assert responses.sessions.get("default", run.response.id) is run
    return run


def output_for(run: Run) -> Deliverable:
    call = next(item for item in run.response.output if isinstance(item, Call))
    return Deliverable((FunctionCallOutput(call_id=call.call_id, output="seen"),))


async def test_outputs_right_behind_the_last_event_make_the_next_request() -> None:
    responses = service()
    run = await just_ended(responses, request("[[call:look {}]]"))
    continued = await soon(responses.deliver(run.response.id, ANYBODY, output_for(run)))
    assert isinstance(continued, CreateResponse)
    assert continued.previous_response_id == run.response.id


async def test_a_duplicate_right_behind_the_last_event_is_told_as_one() -> None:
    responses = service()
    run = await just_ended(responses, request("[[call:look {}]][[then]][[say:a]]", await_tool_outputs=True))
    with pytest.raises(Conflict) as refused:
        await soon(responses.deliver(run.response.id, ANYBODY, output_for(run)))
    assert refused.value.code == "duplicate_tool_output"
