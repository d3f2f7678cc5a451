"""From a chat to the JSON body of a streamed chat completion.

Grammars of custom tools are put into words: there is no form of them that several servers share. To vLLM they are sent
too, where a call of one has to come. `verbosity` is not sent.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from antiphon.core.chat import (
    ChatRequest,
    FilePart,
    Function,
    ImagePart,
    Message,
    OutputFormat,
    Part,
    Sampling,
    TextPart,
)
from antiphon.engines.chat_chunk import NOT_JSON
from antiphon.engines.chat_quirks import Quirks
from antiphon.engines.grammar_call import forced_grammar
from antiphon.engines.grammar_text import described

Json = dict[str, object]

_USAGE: Json = {"include_usage": True}
_USAGE_OFTEN: Json = {**_USAGE, "continuous_usage_stats": True}

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_PLAIN_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty", "seed")


def render(chat: ChatRequest, quirks: Quirks) -> bytes:
    """The body for `POST /v1/chat/completions`; what the chat leaves open is left out."""
    body: Json = {
        **_given(chat.extra_body),
        "model": chat.model,
        "messages": [_message(message, quirks) for message in _arrange(chat.messages, quirks)],
        "stream": True,
        "stream_options": _USAGE_OFTEN if quirks.continuous_usage else _USAGE,
        **_tools(chat, quirks),
        **_sampling(chat.sampling, quirks),
    }
    if quirks.structured_outputs and (forced := forced_grammar(chat)) is not None and forced.grammar is not None:
        field = "regex" if forced.grammar.syntax == "regex" else "grammar"
        body["structured_outputs"] = {field: forced.grammar.definition}
        body["tool_choice"] = "none"  # its text becomes the call
    elif chat.output_format.kind != "text":
        body["response_format"] = _format(chat.output_format)
    if chat.reasoning_effort is not None and quirks.takes_reasoning_effort:
        body["reasoning_effort"] = chat.reasoning_effort
    if chat.cache_salt is not None and quirks.takes_cache_salt:
        body["cache_salt"] = chat.cache_salt
    if chat.priority is not None:
        body["priority"] = chat.priority
    if chat.template_kwargs is not None and quirks.takes_template_kwargs:
        body["chat_template_kwargs"] = chat.template_kwargs
    if quirks.continues_on_request and chat.messages and chat.messages[-1].role == "assistant":
        body["continue_final_message"] = True
        body["add_generation_prompt"] = False
    return msgspec.json.encode(body)


def _given(extra_body: msgspec.Raw | None) -> Json:
    return {} if extra_body is None else dict(_decode_object(extra_body))


def estimate_input_tokens(chat: ChatRequest) -> int:
    """About how many tokens messages and tools are: a quarter of their UTF-8 bytes, images and files left out."""
    size = sum(len(text.encode()) for message in chat.messages for text in _texts(message))
    for function in chat.tools:
        size += len(function.name) + len(function.description or "") + len(bytes(function.parameters or b""))
    return size // 4


def _texts(message: Message) -> Iterator[str]:
    if isinstance(message.content, str):
        yield message.content
    elif message.content is not None:
        yield from (part.text for part in message.content if isinstance(part, TextPart))
    yield message.reasoning or ""
    for call in message.tool_calls:
        yield call.name
        yield call.arguments


# -- messages


def _arrange(messages: Sequence[Message], quirks: Quirks) -> list[Message]:
    """Give every message a role the server knows, and merge the system messages in front: many templates refuse two."""
    known = [_with_known_role(message, quirks) for message in messages]
    front = 0
    while front < len(known) and known[front].role == "system":
        front += 1
    if front < 2 or quirks.many_system_messages or not all(map(_is_text, known[:front])):
        return known
    merged = "\n\n".join(_joined(message.content or "") for message in known[:front])
    return [Message("system", merged), *known[front:]]


def _with_known_role(message: Message, quirks: Quirks) -> Message:
    if message.role != "developer" or quirks.developer_role:
        return message
    return Message("system", message.content)


def _is_text(message: Message) -> bool:
    content = message.content
    return content is None or isinstance(content, str) or all(isinstance(part, TextPart) for part in content)


def _joined(content: str | Sequence[Part]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.text for part in content if isinstance(part, TextPart))


def _message(message: Message, quirks: Quirks) -> Json:
    content: object = None
    if message.content is not None:
        content = _joined(message.content) if _is_text(message) else [_part(part) for part in _parts(message.content)]
    body: Json = {"role": message.role, "content": content}
    if message.role == "assistant":
        if message.reasoning:
            body[quirks.reasoning_field] = message.reasoning
        if message.tool_calls:
            body["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": _arguments(call.arguments)},
                }
                for call in message.tool_calls
            ]
        elif content is None:  # templates concatenate it
            body["content"] = ""
    if message.tool_call_id is not None:
        body["tool_call_id"] = message.tool_call_id
    return body


def _arguments(written: str) -> str:
    """A call's arguments as the JSON object that templates insist on, even if the model once wrote something else."""
    try:
        _decode_object(written)
    except NOT_JSON:
        return msgspec.json.encode({"invalid_json": written}).decode() if written.strip() else "{}"
    return written


def _parts(content: str | Sequence[Part]) -> Iterable[Part]:
    return (TextPart(content),) if isinstance(content, str) else content


def _part(part: Part) -> Json:
    match part:
        case TextPart(text):
            return {"type": "text", "text": text}
        case ImagePart(url, detail):
            return {"type": "image_url", "image_url": {"url": url, "detail": detail}}
        case FilePart(filename, data, url):
            given = {"filename": filename, "file_data": data, "file_url": url}
            return {"type": "file", "file": {name: value for name, value in given.items() if value is not None}}


# -- tools


def _tools(chat: ChatRequest, quirks: Quirks) -> Json:
    choice = chat.tool_choice
    if not chat.tools or (choice.mode == "none" and not quirks.takes_choice_none):
        return {}
    tools = chat.tools
    wanted: object = choice.mode
    if choice.mode == "required" and choice.name is not None:
        if quirks.takes_named_choice:
            wanted = {"type": "function", "function": {"name": choice.name}}
        else:
            tools = [tool for tool in tools if tool.name == choice.name]
    return {
        "tools": [{"type": "function", "function": _function(described(tool))} for tool in tools],
        "tool_choice": wanted,
        "parallel_tool_calls": chat.parallel_tool_calls,
    }


def _function(function: Function) -> Json:
    body: Json = {"name": function.name}
    if function.description is not None:
        body["description"] = function.description
    if function.parameters is not None:
        body["parameters"] = function.parameters
    if function.strict:
        body["strict"] = True
    return body


# -- the rest


def _sampling(sampling: Sampling, quirks: Quirks) -> Json:
    body: Json = {name: value for name in _PLAIN_SAMPLING if (value := getattr(sampling, name)) is not None}
    if sampling.max_tokens is not None:
        body[quirks.max_tokens_field] = sampling.max_tokens
    if sampling.repetition_penalty is not None:
        body[quirks.repetition_penalty_field] = sampling.repetition_penalty
    if sampling.stop:
        body["stop"] = sampling.stop
    if sampling.logprobs is not None:
        body["logprobs"] = True
        body["top_logprobs"] = max(sampling.logprobs, quirks.least_top_logprobs)
    return body


def _format(output: OutputFormat) -> Json:
    if output.kind == "json_object":
        return {"type": "json_object"}
    schema: Json = {"name": output.name or "response", "strict": output.strict}
    if output.schema is not None:
        schema["schema"] = output.schema
    return {"type": "json_schema", "json_schema": schema}
