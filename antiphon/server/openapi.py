"""`/openapi.json`: what the server offers, made from the structs that read and write it."""

from collections.abc import Mapping
from functools import cache

import msgspec

from antiphon import __version__
from antiphon.server import answers
from antiphon.server.event_schemas import event_schemas, frame_schema
from antiphon.server.operation import Operation, Parameter
from antiphon.server.operations import OPERATIONS, RESPONSE_ID
from antiphon.server.paths import AZURE_BASES, AZURE_ROOT, azure_paths
from antiphon.server.schemas import Schema, Schemas
from antiphon.wire.request import CreateResponse

JSON, SSE = "application/json", "text/event-stream"

ERRORS: Mapping[int, str] = {
    400: "The request cannot be honoured as it stands; `param` names the place.",
    401: "The API key is missing or wrong.",
    404: "There is no such thing.",
    409: "The state that the request acts on has moved on.",
    413: "The body is too large.",
    500: "The engine or the server failed.",
    503: "The engine or the store cannot take the request now.",
}


SERVER: Schema = {"url": "/", "description": "OpenAI's paths, and those of this server itself."}
AZURE_SERVER: Schema = {
    "url": AZURE_ROOT,
    "description": (
        "Azure's paths: those of the API once more, over the same operations, with `api-version` in the query. What "
        f"stands here as `{AZURE_BASES[0]}/…` is also served at "
        + " and ".join(f"`{base.replace(':path', '')}/…`" for base in AZURE_BASES[1:])
        + "."
    ),
}


@cache
def document(*, azure: bool = True) -> bytes:
    """The document as JSON; with Azure's paths, if they are served."""
    requests, answered = Schemas(request=True), Schemas(request=False)
    envelope = answered.of(answers.ErrorEnvelope)
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            operation, requests, answered, envelope
        )
    events = event_schemas(answered)
    components = requests.components | answered.components | events
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Antiphon", "version": __version__, "license": {"name": "Apache-2.0"}},
            "servers": [SERVER, AZURE_SERVER] if azure else [SERVER],
            "paths": paths,
            "components": {
                "schemas": dict(sorted(components.items())),
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer"},
                    "apiKey": {"type": "apiKey", "in": "header", "name": "api-key"},
                },
            },
        }
    )


def _operation(operation: Operation, requests: Schemas, answered: Schemas, envelope: Schema) -> Schema:
    content: Schema = {operation.media: {"schema": answered.of(operation.answer)}}
    if operation.streams:
        content[SSE] = {"schema": frame_schema()}
    success: Schema = {"description": "All is well.", "content": content}
    if operation.body is CreateResponse:
        success["links"] = _links()
    found: Schema = {
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": [_parameter(parameter) for parameter in operation.parameters],
        "responses": {"200": success, **_errors(operation, envelope)},
        # An empty requirement: servers without keys ask for none.
        "security": [] if operation.public else [{"bearer": []}, {"apiKey": []}, {}],
    }
    if not azure_paths(operation.path):
        found["servers"] = [SERVER]
    if operation.body is not None:
        media: Schema = {"schema": requests.of(operation.body)}
        if operation.example is not None:
            media["example"] = operation.example
        found["requestBody"] = {"required": operation.needs_body, "content": {JSON: media}}
    return found


def _links() -> Schema:
    """Where the id of a new response leads."""
    return {
        operation.id: {"operationId": operation.id, "parameters": {RESPONSE_ID.name: "$response.body#/id"}}
        for operation in OPERATIONS
        if RESPONSE_ID in operation.parameters
    }


def _parameter(parameter: Parameter) -> Schema:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _errors(operation: Operation, envelope: Schema) -> Schema:
    content = {JSON: {"schema": envelope}}
    described = {str(status): {"description": ERRORS[status], "content": content} for status in operation.errors}
    return described | {"default": {"description": "Any other error.", "content": content}}
