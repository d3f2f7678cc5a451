"""The rules a request must keep before anything is generated; each broken one is a 400 that names the parameter.

Decoding has checked types already. Bounds are data.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from antiphon.core.configuration import text_update
from antiphon.errors import InvalidRequest
from antiphon.wire import tools as wire
from antiphon.wire.content import InputFile, InputImage
from antiphon.wire.hosted import ComputerCallOutput
from antiphon.wire.items import (
    AdditionalTools,
    CompactionTrigger,
    ConfigurationUpdate,
    CustomToolCallOutput,
    FunctionCallOutput,
    Item,
    Message,
    ToolSearchOutput,
)
from antiphon.wire.request import CreateResponse, Extras, TextFormatJsonSchema

INCLUDABLE = frozenset(
    {
        "reasoning.encrypted_content",
        "message.output_text.logprobs",
        "message.input_image.image_url",
        "code_interpreter_call.outputs",
        "file_search_call.results",
        "web_search_call.results",
        "web_search_call.action.sources",
        "computer_call_output.output.image_url",
    }
)
# parameter: lowest, highest. Integers: compiled, what is called a float becomes one, and 2**63 - 1 would be 2**63.
BOUNDS: Mapping[str, tuple[int | None, int | None]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "max_output_tokens": (16, None),
    "max_tool_calls": (1, None),
    "top_logprobs": (0, 20),
}
EXTRA_BOUNDS: Mapping[str, tuple[int | None, int | None]] = {
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "min_p": (0, 1),
    "top_k": (-1, None),
    "seed": (-(2**63), 2**63 - 1),
}
MAX_LENGTHS: Mapping[str, int] = {
    "safety_identifier": 128,
    "prompt_cache_key": 256,
    "user": 512,
    "model": 512,
    "previous_response_id": 512,
}
MAX_ID = 512
TOOL_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
FORMAT_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
LEAST_THRESHOLD = 1000
"""The fewest tokens at which a conversation may be compacted by itself."""
MAX_METADATA, MAX_METADATA_KEY, MAX_METADATA_VALUE = 16, 64, 512


def check(request: CreateResponse) -> None:
    """Raises: InvalidRequest for the first rule that `request` breaks."""
    for name, bounds in BOUNDS.items():
        _check_bounds(name, getattr(request, name), *bounds)
    for name, bounds in EXTRA_BOUNDS.items():
        _check_bounds(name, getattr(request.extras, name), *bounds)
    _check_sampling(request.extras)
    for name, most in MAX_LENGTHS.items():
        _check_length(name, getattr(request, name), most)
    if request.conversation is not None:
        _check_length("conversation", request.conversation.id, MAX_ID)
    check_include(request.include or ())
    check_metadata(request.metadata or {})
    _check_format(request)
    _check_background(request)
    _check_tools(request.tools or (), "tools")
    _check_state(request)
    _check_compaction(request)
    check_items(request.input, "input")


def check_items(items: Sequence[Item], param: str, *, at_most: int | None = None) -> None:
    """Raises: InvalidRequest for more than `at_most`, or for an item that cannot be honoured."""
    if at_most is not None and len(items) > at_most:
        raise InvalidRequest(
            f"Invalid '{param}': array too long. Expected an array with maximum length {at_most}, "
            f"but got an array with length {len(items)} instead.",
            param=param,
            code="array_above_max_length",
        )
    for index, item in enumerate(items):
        _check_item(item, f"{param}[{index}]")


def check_include(values: Iterable[str], param: str = "include") -> None:
    """Raises: InvalidRequest for a value that names nothing that can be included."""
    for index, value in enumerate(values):
        if value not in INCLUDABLE:
            known = ", ".join(f"'{name}'" for name in sorted(INCLUDABLE))
            raise InvalidRequest(f"Invalid value: '{value}'. Supported values are: {known}.", param=f"{param}[{index}]")


def _check_bounds(name: str, value: int | float | None, low: int | None, high: int | None) -> None:
    if value is None:
        return
    kind = "integer" if isinstance(value, int) else "decimal"
    if low is not None and not value >= low:
        raise InvalidRequest(
            f"Invalid '{name}': {kind} below minimum value. Expected a value >= {low}, but got {value} instead.",
            param=name,
            code=f"{kind}_below_min_value",
        )
    if high is not None and not value <= high:
        raise InvalidRequest(
            f"Invalid '{name}': {kind} above maximum value. Expected a value <= {high}, but got {value} instead.",
            param=name,
            code=f"{kind}_above_max_value",
        )


def _check_sampling(extras: Extras) -> None:
    """What bounds cannot say."""
    if extras.repetition_penalty is not None and not extras.repetition_penalty > 0:
        raise InvalidRequest("Invalid 'repetition_penalty': it must be greater than 0.", param="repetition_penalty")
    if "" in ((extras.stop,) if isinstance(extras.stop, str) else extras.stop or ()):
        raise InvalidRequest("Invalid 'stop': a string is empty.", param="stop")


def _check_length(name: str, value: str | None, most: int) -> None:
    if value is not None and len(value) > most:
        raise InvalidRequest(
            f"Invalid '{name}': string too long. Expected at most {most} characters, but got {len(value)}.",
            param=name,
            code="string_above_max_length",
        )


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Raises: InvalidRequest for too many pairs, or too long ones."""
    if len(metadata) > MAX_METADATA:
        raise InvalidRequest(
            f"Invalid 'metadata': too many properties. Expected at most {MAX_METADATA}, but got {len(metadata)}.",
            param="metadata",
            code="object_above_max_properties",
        )
    for key, value in metadata.items():
        _check_length("metadata", key, MAX_METADATA_KEY)
        _check_length(f"metadata.{key}", value, MAX_METADATA_VALUE)


def _check_background(request: CreateResponse) -> None:
    """A window of hours needs a response that nobody waits for."""
    options = request.background_options
    if options is None or options.completion_window in (None, "soonest"):
        return
    name, window = "background_options.completion_window", options.completion_window
    if not request.background or request.stream:
        raise InvalidRequest(f"'{name}' of '{window}' needs 'background' and no 'stream'.", param=name)
    if request.service_tier not in (None, "auto", "default"):
        raise InvalidRequest(f"'{name}' of '{window}' needs the default service tier.", param=name)


def _check_format(request: CreateResponse) -> None:
    text_format = request.text.format if request.text else None
    if not isinstance(text_format, TextFormatJsonSchema):
        return
    if not FORMAT_NAME.fullmatch(text_format.name):
        raise InvalidRequest(
            f"Invalid 'text.format.name': string does not match the pattern '^{FORMAT_NAME.pattern}$'.",
            param="text.format.name",
        )
    if not bytes(text_format.schema).lstrip().startswith(b"{"):
        raise InvalidRequest(
            "Invalid 'text.format.schema': expected an object.", param="text.format.schema", code="invalid_type"
        )


def _check_tools(tools: Sequence[wire.Tool], where: str) -> None:
    for path, tool in _named_tools(tools, where):
        if not TOOL_NAME.fullmatch(tool.name):
            raise InvalidRequest(
                f"Invalid '{path}.name': string does not match the pattern '^{TOOL_NAME.pattern}$'.",
                param=f"{path}.name",
            )
        parameters = tool.parameters if isinstance(tool, wire.FunctionTool) else None
        if parameters is not None and not bytes(parameters).lstrip().startswith((b"{", b"null")):
            raise InvalidRequest(
                f"Invalid '{path}.parameters': expected an object.",
                param=f"{path}.parameters",
                code="invalid_function_parameters",
            )


def _named_tools(tools: Sequence[wire.Tool], path: str) -> Iterator[tuple[str, wire.FunctionTool | wire.CustomTool]]:
    for index, tool in enumerate(tools):
        here = f"{path}[{index}]"
        if isinstance(tool, wire.FunctionTool | wire.CustomTool):
            yield here, tool
        elif isinstance(tool, wire.NamespaceTool):
            yield from _named_tools(tool.tools, f"{here}.tools")


def _check_state(request: CreateResponse) -> None:
    if request.conversation is not None and request.previous_response_id is not None:
        raise InvalidRequest(
            "Mutually exclusive parameters: 'conversation' and 'previous_response_id'.",
            param="previous_response_id",
            code="mutually_exclusive_parameters",
        )
    goes_on = request.previous_response_id is not None or request.conversation is not None
    if not request.input and not request.instructions and not goes_on and request.prompt is None:
        raise missing_input()


def missing_input() -> InvalidRequest:
    """The error of a request that gives the model nothing to answer."""
    return InvalidRequest("Missing required parameter: 'input'.", param="input", code="missing_required_parameter")


def _check_item(item: Item, path: str) -> None:
    match item:
        case Message(content=tuple(parts)):
            _check_parts(parts, f"{path}.content")
        case FunctionCallOutput(output=tuple(parts)) | CustomToolCallOutput(output=tuple(parts)):
            _check_parts(parts, f"{path}.output")
        case ComputerCallOutput(output=shot):
            _check_image(InputImage(image_url=shot.image_url, file_id=shot.file_id), f"{path}.output")
        case AdditionalTools(tools=tools) | ToolSearchOutput(tools=tools):
            _check_tools(tools, f"{path}.tools")
        case ConfigurationUpdate():
            _check_update(item, path)


def _check_update(update: ConfigurationUpdate, path: str) -> None:
    try:
        text_update(update)
    except msgspec.DecodeError:
        raise InvalidRequest(
            f"Invalid '{path}.text.format': expected a text format.", param=f"{path}.text.format"
        ) from None


def _check_compaction(request: CreateResponse) -> None:
    for index, item in enumerate(request.input[:-1]):
        if isinstance(item, CompactionTrigger):
            raise InvalidRequest("A compaction trigger must be the last input item.", param=f"input[{index}]")
    for index, entry in enumerate(request.context_management or ()):
        path = f"context_management[{index}]"
        if entry.type != "compaction":
            raise InvalidRequest(
                f"Invalid value: '{entry.type}'. Supported values are: 'compaction'.", param=f"{path}.type"
            )
        _check_bounds(f"{path}.compact_threshold", entry.compact_threshold, LEAST_THRESHOLD, None)


def _check_parts(parts: Sequence[object], path: str) -> None:
    for index, part in enumerate(parts):
        if isinstance(part, InputFile):
            _check_file(part, f"{path}[{index}]")
        if isinstance(part, InputImage):
            _check_image(part, f"{path}[{index}]")


def _check_file(part: InputFile, path: str) -> None:
    if part.file_data is not None:
        return
    if part.file_url is not None:
        if not part.file_url.startswith(("http://", "https://")):
            raise InvalidRequest(
                "Invalid 'file_url': expected a URL of scheme http or https.", param=f"{path}.file_url"
            )
        return
    if part.file_id is None:
        raise InvalidRequest(
            f"Missing required parameter: '{path}.file_data'.",
            param=f"{path}.file_data",
            code="missing_required_parameter",
        )
    raise InvalidRequest(
        "Files by 'file_id' are not supported by this server; send 'file_data'.",
        param=f"{path}.file_id",
        code="unsupported_value",
    )


def _check_image(part: InputImage, path: str) -> None:
    if part.image_url is None:
        raise InvalidRequest(
            "Images by 'file_id' are not supported by this server; send 'image_url'.",
            param=f"{path}.file_id",
            code="unsupported_value",
        )
    if not part.image_url.startswith(("data:", "http://", "https://")):
        raise InvalidRequest(
            "Invalid 'image_url': expected a URL of scheme data, http or https.",
            param=f"{path}.image_url",
            code="invalid_image_url",
        )
