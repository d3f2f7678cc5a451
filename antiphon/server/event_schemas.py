"""The events of every dialect as `/openapi.json` describes them: one component for each dialect's union."""

from collections.abc import Mapping
from typing import Any, Union

from antiphon.server.schemas import Schema, Schemas
from antiphon.wire.dialects import DIALECTS, Dialect
from antiphon.wire.events import ErrorEvent, Event, Keepalive
from antiphon.wire.extended_events import NestedError
from antiphon.wire.shape import members_of

EVENT = "ResponseStreamEvent"
COMPONENTS: Mapping[str, str] = {
    "openai": EVENT,
    "open-responses": "OpenResponsesStreamEvent",
    "vllm-extended": "VllmExtendedStreamEvent",
}
"""The component of each dialect's events."""

OBFUSCATION: Schema = {
    "type": "string",
    "description": "Noise that fills the event up to a whole number of blocks, where that is asked for.",
}


def event_schemas(schemas: Schemas) -> dict[str, Schema]:
    """The union of each dialect; the events themselves gather in the components of `schemas`."""
    unions = {COMPONENTS[dialect.name]: schemas.of(_union(dialect)) for dialect in DIALECTS.values()}
    for name, schema in schemas.components.items():
        tag = schema.get("properties", {}).get("type", {}).get("const", "")
        if isinstance(tag, str) and tag.startswith("response.") and tag.endswith(".delta"):
            schemas.components[name]["properties"]["obfuscation"] = OBFUSCATION
    return unions


def frame_schema() -> Schema:
    """One frame of a stream; its `event` equals the `type` in its `data`."""
    anyof = [{"$ref": f"#/components/schemas/{name}"} for name in COMPONENTS.values()]
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": {"anyOf": anyof}}
    properties = {"event": {"type": "string"}, "data": data}
    return {"type": "object", "properties": properties, "required": ["event", "data"]}


def _union(dialect: Dialect) -> Any:
    """All that a stream of this dialect may hold, its variants included."""
    members = [*members_of(Event), *dialect.events()]
    if dialect.heartbeat != "keepalive":
        members.remove(Keepalive)
    if dialect.nested_error:
        members[members.index(ErrorEvent)] = NestedError
    return Union[tuple(members)]  # noqa: UP007  (an operator cannot join a list)
