"""How chat-completions servers differ, in one table."""

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct


class Quirks(Struct, frozen=True):
    """What a server wants in a request. The defaults are what every server is known to take."""

    developer_role: bool = False  # knows the role developer; else it becomes system
    many_system_messages: bool = False  # takes several in front; else they are merged into one
    reasoning_field: Literal["reasoning", "reasoning_content"] = "reasoning_content"
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    repetition_penalty_field: Literal["repetition_penalty", "repeat_penalty"] = "repetition_penalty"
    takes_choice_none: bool = False  # tools may be shown and forbidden; else they are left out
    takes_named_choice: bool = True  # else the named tool alone is shown, and required
    takes_reasoning_effort: bool = True
    takes_template_kwargs: bool = True
    takes_cache_salt: bool = False
    takes_priority: bool = False  # and schedules by it: others refuse the field
    takes_session_header: bool = False  # `X-Session-ID`
    structured_outputs: bool = False  # vLLM's field, by which a forced custom tool obeys its grammar
    least_top_logprobs: int = 0  # below that it sends no log probabilities at all
    continues_text: bool = False  # goes on from a final assistant message
    continues_on_request: bool = False  # ... if `continue_final_message` says so
    counting: Literal["tokenize", "input_tokens"] | None = None  # how it counts a prompt without generating
    limit_must_fit: bool = False  # refuses a token limit beyond the rest of the context, and without one uses that rest
    continuous_usage: bool = False  # is asked to count with every chunk
    health_path: str = "/v1/models"

    def overruled(self, values: Mapping[str, object]) -> "Quirks":
        """These quirks with other values in some columns. Raises: ValueError naming the column that is wrong."""
        kinds = {field.name: field.type for field in msgspec.structs.fields(Quirks)}
        for name, value in values.items():
            if name not in kinds:
                raise ValueError(f"{name}: no such quirk; there are {', '.join(kinds)}")
            try:
                msgspec.convert(value, kinds[name])
            except msgspec.ValidationError as error:
                raise ValueError(f"{name}: {str(error)[:1].lower()}{str(error)[1:]}") from None
        return msgspec.structs.replace(self, **values)


GENERIC = Quirks()
VLLM = Quirks(
    reasoning_field="reasoning",
    max_tokens_field="max_completion_tokens",
    takes_choice_none=True,
    takes_cache_salt=True,
    takes_session_header=True,
    continues_text=True,
    continues_on_request=True,
    counting="tokenize",
    limit_must_fit=True,
    health_path="/health",
)
LLAMA_CPP = Quirks(
    repetition_penalty_field="repeat_penalty",
    takes_named_choice=False,
    least_top_logprobs=1,
    continues_text=True,
    health_path="/health",
    counting="input_tokens",
)
SGLANG = Quirks(
    max_tokens_field="max_completion_tokens",
    continues_text=True,
    continues_on_request=True,
    health_path="/health",
)
OLLAMA = Quirks(takes_named_choice=False, takes_template_kwargs=False, health_path="/api/version")
TGI = Quirks(takes_reasoning_effort=False, takes_template_kwargs=False, health_path="/health")

SERVERS: Mapping[str, Quirks] = {
    "generic": GENERIC,
    "vllm": msgspec.structs.replace(VLLM, structured_outputs=True),
    "llama.cpp": LLAMA_CPP,
    "sglang": SGLANG,
    "ollama": OLLAMA,
    "tgi": TGI,
}
BY_OWNER: Mapping[str, str] = {"vllm": "vllm", "llamacpp": "llama.cpp", "sglang": "sglang", "library": "ollama"}
"""The server that says in its list of models that these are owned by this."""

PROBES: tuple[tuple[str, str, str], ...] = (
    ("/props", "default_generation_settings", "llama.cpp"),
    ("/get_model_info", "model_path", "sglang"),
    ("/info", "model_id", "tgi"),
    ("/api/version", "version", "ollama"),
    ("/version", "version", "vllm"),
)
"""Where the owner tells nothing: a path, a key of the JSON object it answers with, and the server that does so."""

VERSIONS: Mapping[str, tuple[str, str]] = {
    "vllm": ("/version", "version"),
    "llama.cpp": ("/props", "build_info"),
    "sglang": ("/get_server_info", "version"),
    "ollama": ("/api/version", "version"),
    "tgi": ("/info", "version"),
}
"""Where a server tells its version: a path, and a key of the JSON object there."""
