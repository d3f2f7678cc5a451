"""The endpoints as `/openapi.json` describes them: one row each."""

from collections.abc import Sequence

import msgspec

from antiphon.server import answers
from antiphon.server.conversation_operations import CONVERSATION_OPERATIONS
from antiphon.server.operation import INCLUDE, PAGE, Operation, Parameter
from antiphon.server.prompt_operations import PROMPT_OPERATIONS
from antiphon.service.tool_outputs import ToolOutputsBody
from antiphon.wire.dialects import DIALECTS
from antiphon.wire.request import CompactConversation, CountInputTokens, CreateResponse
from antiphon.wire.response import CompactedResponse, Response

RESPONSE_ID = Parameter(
    name="response_id",
    place="path",
    schema={"type": "string"},
    description="The id of a stored response.",
)
MODEL_ID = Parameter(
    name="model_id",
    place="path",
    schema={"type": "string"},
    description="The id of a model; it may hold slashes.",
)
DIALECT = Parameter(
    name="X-Antiphon-Dialect",
    place="header",
    schema={"type": "string", "enum": list(DIALECTS)},
    description="The dialect of the response's events, in place of the server's; refused by a strict server.",
)
REPLAY = (
    Parameter(
        name="stream", schema={"type": "boolean", "default": False}, description="Answer with the response's events."
    ),
    Parameter(
        name="starting_after",
        schema={"type": "integer", "minimum": 0},
        description="The sequence number of the last event already seen.",
    ),
    Parameter(
        name="include_obfuscation",
        schema={"type": "boolean"},
        description="Taken without effect: events come as they were when the response was made.",
    ),
)

OPERATIONS: Sequence[Operation] = (
    Operation(
        id="createResponse",
        method="POST",
        path="/v1/responses",
        summary="Create a response, streamed when `stream` is true.",
        parameters=(DIALECT,),
        body=CreateResponse,
        example={"input": "Say hello."},
        answer=Response,
        streams=True,
        errors=(400, 401, 404, 413, 500, 503),
    ),
    Operation(
        id="countInputTokens",
        method="POST",
        path="/v1/responses/input_tokens",
        summary="Count the tokens that the model would be given.",
        body=CountInputTokens,
        example={"input": "Say hello."},
        answer=answers.InputTokens,
        errors=(400, 401, 404, 413, 500, 503),
    ),
    Operation(
        id="compactConversation",
        method="POST",
        path="/v1/responses/compact",
        summary="Make a conversation short: the items to go on from in place of it.",
        body=CompactConversation,
        example={"input": "Say hello."},
        answer=CompactedResponse,
        errors=(400, 401, 404, 413, 500, 503),
    ),
    Operation(
        id="getResponse",
        method="GET",
        path="/v1/responses/{response_id}",
        summary="Get a stored response, or its events when `stream` is true.",
        parameters=(RESPONSE_ID, INCLUDE, *REPLAY),
        answer=Response,
        streams=True,
        errors=(400, 401, 404, 503),
    ),
    Operation(
        id="deleteResponse",
        method="DELETE",
        path="/v1/responses/{response_id}",
        summary="Delete a stored response.",
        parameters=(RESPONSE_ID,),
        answer=answers.Deleted,
        errors=(401, 404, 503),
    ),
    Operation(
        id="cancelResponse",
        method="POST",
        path="/v1/responses/{response_id}/cancel",
        summary="Cancel a background response.",
        parameters=(RESPONSE_ID,),
        answer=Response,
        errors=(400, 401, 404, 503),
    ),
    Operation(
        id="deliverToolOutputs",
        method="POST",
        path="/v1/responses/{response_id}/tool_outputs",
        summary="Deliver results of tool calls: to a response that waits for them, or as the request that follows it.",
        parameters=(RESPONSE_ID,),
        body=ToolOutputsBody,
        answer=answers.OutputsTaken | Response,
        streams=True,
        errors=(400, 401, 404, 409, 413, 500, 503),
    ),
    Operation(
        id="listInputItems",
        method="GET",
        path="/v1/responses/{response_id}/input_items",
        summary="List what went into a response, its chain's items included.",
        parameters=(RESPONSE_ID, *PAGE, INCLUDE),
        answer=answers.ItemList,
        errors=(400, 401, 404, 503),
    ),
    *CONVERSATION_OPERATIONS,
    *PROMPT_OPERATIONS,
    Operation(
        id="listModels",
        method="GET",
        path="/v1/models",
        summary="List the models that are served.",
        answer=answers.ModelList,
        errors=(401,),
    ),
    Operation(
        id="getModel",
        method="GET",
        path="/v1/models/{model_id}",
        summary="Get a model that is served.",
        parameters=(MODEL_ID,),
        answer=answers.ModelCard,
        errors=(401, 404),
    ),
    Operation(
        id="getHealth",
        method="GET",
        path="/health",
        summary="Learn that the server answers.",
        answer=answers.Health,
        public=True,
    ),
    Operation(
        id="getLiveness",
        method="GET",
        path="/live",
        summary="Learn that the process lives.",
        answer=answers.Health,
        public=True,
    ),
    Operation(
        id="getReadiness",
        method="GET",
        path="/ready",
        summary="Learn whether new requests are welcome; 503 once the server is shutting down.",
        answer=answers.Health,
        public=True,
        errors=(503,),
    ),
    Operation(
        id="getOpenApi",
        method="GET",
        path="/openapi.json",
        summary="Get this description of the API, in OpenAPI's form.",
        answer=dict[str, msgspec.Raw],
        public=True,
    ),
    Operation(
        id="getMetrics",
        method="GET",
        path="/metrics",
        summary="Get the figures of this process in the text format of Prometheus.",
        answer=str,
        media="text/plain",
        errors=(401,),
    ),
)
