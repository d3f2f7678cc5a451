"""The endpoints of prompts as `/openapi.json` describes them."""

from collections.abc import Sequence

from antiphon.server.operation import PAGE, Operation, Parameter
from antiphon.wire.prompt import DeletedPrompt, PromptList, PromptResource, PromptTemplate

PROMPT_ID = Parameter(name="prompt_id", place="path", schema={"type": "string"}, description="The id of a prompt.")
VERSION = Parameter(name="version", place="path", schema={"type": "string"}, description="A version of the prompt.")
ONE = "/v1/prompts/{prompt_id}"
EXAMPLE = {"instructions": "Answer in {{language}}."}

PROMPT_OPERATIONS: Sequence[Operation] = (
    Operation(
        id="createPrompt",
        method="POST",
        path="/v1/prompts",
        summary="Create a prompt, in its first version.",
        body=PromptTemplate,
        example=EXAMPLE,
        answer=PromptResource,
        errors=(400, 401, 413, 503),
    ),
    Operation(
        id="listPrompts",
        method="GET",
        path="/v1/prompts",
        summary="List the prompts, each in its current version.",
        parameters=PAGE,
        answer=PromptList,
        errors=(400, 401, 503),
    ),
    Operation(
        id="getPrompt",
        method="GET",
        path=ONE,
        summary="Get a prompt in its current version.",
        parameters=(PROMPT_ID,),
        answer=PromptResource,
        errors=(401, 404, 503),
    ),
    Operation(
        id="deletePrompt",
        method="DELETE",
        path=ONE,
        summary="Delete a prompt with all its versions.",
        parameters=(PROMPT_ID,),
        answer=DeletedPrompt,
        errors=(401, 404, 503),
    ),
    Operation(
        id="createPromptVersion",
        method="POST",
        path=f"{ONE}/versions",
        summary="Add a version to a prompt, which becomes the current one.",
        parameters=(PROMPT_ID,),
        body=PromptTemplate,
        example=EXAMPLE,
        answer=PromptResource,
        errors=(400, 401, 404, 413, 503),
    ),
    Operation(
        id="listPromptVersions",
        method="GET",
        path=f"{ONE}/versions",
        summary="List the versions of a prompt; `after` is a version.",
        parameters=(PROMPT_ID, *PAGE),
        answer=PromptList,
        errors=(400, 401, 404, 503),
    ),
    Operation(
        id="getPromptVersion",
        method="GET",
        path=f"{ONE}/versions/{{version}}",
        summary="Get a version of a prompt.",
        parameters=(PROMPT_ID, VERSION),
        answer=PromptResource,
        errors=(401, 404, 503),
    ),
)
