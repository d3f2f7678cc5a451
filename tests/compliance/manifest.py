"""What the API demands of a server, as data: requirements by capability, by event, and by request parameter.

A requirement's id is its capability's id and an aspect (`M2.envelope`), or `event.…`, or `parameter.…`. A test names
the requirements it checks with `@pytest.mark.spec_line`. What is not served yet is listed here with `served=False`, and
has no test: known divergence is data.
"""

from collections.abc import Iterator

from msgspec import Struct

API = "OpenAI API reference, Responses"
EVENTS_OF_API = "OpenAI API reference, Responses, streaming events"
GUIDES = "OpenAI guides"
OPEN = "Open Responses, specification of 2026-04-24"
AZURE = "Azure OpenAI REST reference"
OURS = "Antiphon"


class Requirement(Struct, frozen=True):
    """One sentence of behaviour that a server owes, and where it is written."""

    id: str
    source: str
    behaviour: str
    served: bool = True

    @property
    def line(self) -> str:
        """The capability it belongs to."""
        return self.id.partition(".")[0]


LINES = (
    *(f"C{n}" for n in range(1, 5)),
    *(f"H{n}" for n in range(1, 6)),
    *(f"M{n}" for n in range(1, 7)),
    *(f"L{n}" for n in range(1, 9)),
    *(f"E{n}" for n in range(1, 9)),
    *(f"D{n}" for n in range(1, 6)),
    "T1",
)
"""Every capability: critical, high, medium, low, edge case, documentation, tests."""

CAPABILITIES = (
    Requirement("C1.unknown", OURS, "tool_outputs of an unknown response is 404."),
    Requirement("C1.ended", OURS, "tool_outputs of a response that has ended makes the response that follows it."),
    Requirement("C1.live", OURS, "A run that waits for tool outputs goes on in the same response."),
    Requirement("C2.delta", OURS, "In `vllm-extended` every call has response.tool_call.delta events."),
    Requirement("C3.sessions", OURS, "Sessions have a life, a number, an eviction policy."),
    Requirement("C4.stream", API, "A failure after the first byte is an error event, then response.failed."),
    Requirement("C4.stored", API, "What failed in mid-stream is stored as failed."),
    Requirement("H1.echo", API, "prompt_cache_key is taken and echoed."),
    Requirement("H1.cached", API, "usage.input_tokens_details.cached_tokens shows what was cached."),
    Requirement("H1.routing", OURS, "Equal keys reach one replica."),
    Requirement("H2.item", API, "Raw reasoning is a reasoning item with reasoning_text parts and events."),
    Requirement("H2.dialects", OPEN, "response.reasoning.* in the dialects that have it."),
    Requirement("H3.summary", API, "reasoning.summary yields streamed summary parts."),
    Requirement("H4.encrypted", API, "Reasoning is returned encrypted on request and taken back."),
    Requirement("H4.context", OURS, "response.additional_context events in `vllm-extended`."),
    Requirement("H5.limits", OURS, "Requests and tokens per minute are limited per key and model."),
    Requirement("M1.paths", AZURE, "The three families of Azure's paths serve what OpenAI's do."),
    Requirement("M1.headers", AZURE, "Azure's request ids, region and client request id are on every answer."),
    Requirement("M1.filters", AZURE, "content_filters stand in answer, events and store."),
    Requirement("M1.version", OURS, "An unlisted api-version is served; strict mode refuses it."),
    Requirement("M1.store", OURS, "What comes through Azure's paths is stored, unless that is switched off."),
    Requirement("M2.envelope", API, "Every error is one envelope with message, type, param and code."),
    Requirement("M2.validation", API, "What cannot be honoured is a 400 that names the parameter."),
    Requirement("M2.model", API, "An unknown model is 404 model_not_found."),
    Requirement("M2.parent", API, "An unknown previous response is 400 previous_response_not_found."),
    Requirement("M2.media", "HTTP, RFC 9110", "A body that is clearly no JSON, or compressed, is 415."),
    Requirement("M3.retry", "HTTP, RFC 9110", "429 and 503 carry retry-after and retry-after-ms."),
    Requirement("M4.logprobs", API, "message.output_text.logprobs shows log probabilities."),
    Requirement("M4.images", API, "message.input_image.image_url shows the URLs of input images."),
    Requirement("M4.unknown", API, "An unknown include value is 400."),
    Requirement("M4.encrypted", API, "reasoning.encrypted_content shows encrypted reasoning."),
    Requirement("M4.hosted", API, "The five include values of hosted tools show their data on items."),
    Requirement("tools.types", API, "Every type of tool is taken; what is not served is left out, never refused."),
    Requirement("tools.choices", API, "Every form of tool_choice is taken."),
    Requirement("tools.own", API, "Patches, shells and computers are called with items of their own, and answered."),
    Requirement("tools.unreadable", OURS, "Arguments that say no action are a function_call, as the model wrote them."),
    Requirement("tools.deferred", API, "A deferred function is offered once a client's search has found it."),
    Requirement("tools.async", API, "The output of an asynchronous call may come in any later turn."),
    Requirement("tools.outputs", API, "Outputs may be lists of text and images."),
    Requirement("items.phase", API, "phase of an assistant message is taken, stored and given back."),
    Requirement("items.files", API, "A text file in a request is read by the model and kept as it came."),
    Requirement("items.images", API, "An image that is no image is a 400 that names its part."),
    Requirement("M5.request_id", API, "x-request-id is on every answer: the client's own, or a new one."),
    Requirement("M5.service", API, "openai-processing-ms and openai-version are on every answer."),
    Requirement("M5.organization", API, "openai-organization is on every answer, openai-project where one is known."),
    Requirement("M5.methods", "HTTP, RFC 9110", "OPTIONS is answered everywhere, HEAD where GET is."),
    Requirement("M5.browsers", "Fetch standard", "Pages of named origins may call the server, others may not."),
    Requirement("M5.limits", API, "x-ratelimit-* headers."),
    Requirement("M6.default", API, "Responses are stored unless the request says otherwise."),
    Requirement("M6.false", API, "store: false leaves nothing that could be read or continued."),
    Requirement("M6.limits", OURS, "What is stored is limited by age, number and bytes."),
    Requirement("L1.order", EVENTS_OF_API, "Events come in a legal order, items strictly nested."),
    Requirement("L1.debug", OURS, "A debug switch checks streams in production."),
    Requirement("L2.first", OURS, "response.created arrives before the model has said anything."),
    Requirement("L3.strict", OURS, "A strict server refuses what is not OpenAI's."),
    Requirement("L4.keepalive", EVENTS_OF_API, "An idle stream gets keepalive events that repeat the last number."),
    Requirement("L5.none", API, "A stream of OpenAI's dialect ends without [DONE]."),
    Requirement("L5.setting", OPEN, "A stream ends with [DONE] where that is asked for."),
    Requirement("L6.numbers", EVENTS_OF_API, "sequence_number begins at 0 and has no gap."),
    Requirement("L6.resumed", API, "Numbers go on unbroken in a resumed stream."),
    Requirement("L7.ids", API, "Ids agree in events, final object and store."),
    Requirement("L7.contradiction", OURS, "A request_id that contradicts its header is 400."),
    Requirement("L8.tier", API, "The tier really used is echoed; others are refused by setting."),
    Requirement("E1.broken", OURS, "A broken engine stream becomes a clean failure."),
    Requirement("E2.timeout", OURS, "A live call without an answer ends the response with an error."),
    Requirement("E3.parallel", API, "parallel_tool_calls is honoured both ways."),
    Requirement("E3.partial", OURS, "Outputs of parallel calls may come one by one."),
    Requirement("E4.body", OURS, "Too large a body is 413."),
    Requirement("E4.parts", OURS, "Tool outputs, events, images and files have limits of their own."),
    Requirement("E5.foreground", GUIDES, "A client that leaves cancels its run, which is stored as cancelled."),
    Requirement("E6.duplicate", OURS, "A second output for the same call is 409."),
    Requirement("E7.arguments", API, "Arguments that are no JSON are passed on as the model wrote them."),
    Requirement("E7.strict", API, "Strict tools cannot be called with other arguments.", served=False),
    Requirement("E8.memory", OURS, "Memory is bounded; load is shed before the process suffers."),
    *(Requirement(f"D{n}.docs", OURS, "Documentation.", served=False) for n in range(1, 6)),
    Requirement("T1.manifest", OURS, "Every requirement has a test and every test a requirement."),
    Requirement("endpoint.create", API, "POST answers a whole response object."),
    Requirement("endpoint.retrieve", API, "GET answers what POST answered."),
    Requirement("endpoint.delete", API, "DELETE makes a response unknown."),
    Requirement("endpoint.input_items", API, "Input items come in pages, in the order asked for."),
    Requirement("endpoint.cancel", API, "Only background responses can be cancelled."),
    Requirement("endpoint.models", "OpenAI API reference, Models", "Models are listed and looked up."),
    Requirement("state.chain", GUIDES, "previous_response_id prepends the items of the whole chain."),
    Requirement("state.calls", GUIDES, "A call needs its output before the conversation goes on."),
    Requirement("endpoint.input_tokens", API, "Input tokens are counted as they will be used."),
    Requirement("endpoint.compact", API, "A conversation can be compacted, and gone on from."),
    Requirement("items.compaction_trigger", API, "A compaction trigger yields one compaction item and nothing else."),
    Requirement("items.configuration_update", API, "A configuration update holds for what is said behind it."),
    Requirement("endpoint.conversations", API, "Conversations and their items."),
    Requirement("endpoint.prompts", OURS, "Prompts are kept in versions."),
    Requirement("endpoint.websocket", API, "Responses over a WebSocket."),
)

SENT = (
    "response.created response.in_progress response.completed response.incomplete response.failed error "
    "response.output_item.added response.output_item.done response.content_part.added response.content_part.done "
    "response.output_text.delta response.output_text.done response.refusal.delta response.refusal.done "
    "response.reasoning_text.delta response.reasoning_text.done "
    "response.function_call_arguments.delta response.function_call_arguments.done "
    "response.custom_tool_call_input.delta response.custom_tool_call_input.done response.queued keepalive "
    "response.shell_call_command.added response.shell_call_command.delta response.shell_call_command.done "
    "response.reasoning_summary_part.added response.reasoning_summary_part.done "
    "response.reasoning_summary_text.delta response.reasoning_summary_text.done response.compaction.compacting"
).split()
"""Events that the server sends."""

NOT_SENT = (
    "response.output_text.annotation.added "
    "response.web_search_call.in_progress response.web_search_call.searching response.web_search_call.completed "
    "response.file_search_call.in_progress response.file_search_call.searching response.file_search_call.completed "
    "response.code_interpreter_call.in_progress response.code_interpreter_call.interpreting "
    "response.code_interpreter_call.completed response.code_interpreter_call_code.delta "
    "response.code_interpreter_call_code.done response.image_generation_call.in_progress "
    "response.image_generation_call.generating response.image_generation_call.partial_image "
    "response.image_generation_call.completed response.mcp_call.in_progress response.mcp_call.completed "
    "response.mcp_call.failed response.mcp_call_arguments.delta response.mcp_call_arguments.done "
    "response.mcp_list_tools.in_progress response.mcp_list_tools.completed response.mcp_list_tools.failed "
    "response.shell_call_output_content.delta "
    "response.shell_call_output_content.done response.audio.delta response.audio.done "
    "response.audio.transcript.delta response.audio.transcript.done"
).split()
"""Events that only features send which are not there yet."""

HONOURED = (
    "model input instructions previous_response_id tools tool_choice parallel_tool_calls max_tool_calls text reasoning "
    "include metadata conversation temperature top_p top_logprobs max_output_tokens truncation stream store background "
    "safety_identifier prompt_cache_key user context_management prompt service_tier stream_options"
).split()
"""Request parameters that do what they say."""

NOT_HONOURED = (
    "access_programs background_options image moderation prompt_cache_options prompt_cache_retention"
).split()
"""Request parameters that are refused, or taken without effect."""


def _requirements() -> Iterator[Requirement]:
    yield from CAPABILITIES
    for names, served in ((SENT, True), (NOT_SENT, False)):
        for name in names:
            yield Requirement(f"event.{name}", EVENTS_OF_API, f"{name} is sent as documented.", served)
    for names, served in ((HONOURED, True), (NOT_HONOURED, False)):
        for name in names:
            yield Requirement(f"parameter.{name}", API, f"{name} does what it says.", served)


REQUIREMENTS = tuple(_requirements())
