"""How chat-completions servers differ, in one table."""

from typing import Literal

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
    least_top_logprobs: int = 0  # below that it sends no log probabilities at all
    continues_text: bool = False  # goes on from a final assistant message
    continues_on_request: bool = False  # ... if `continue_final_message` says so
    takes_cache_salt: bool = False
    limit_must_fit: bool = False  # refuses a token limit beyond the rest of the context, and without one uses that rest


GENERIC = Quirks()
VLLM = Quirks(
    reasoning_field="reasoning",
    max_tokens_field="max_completion_tokens",
    takes_choice_none=True,
    continues_text=True,
    continues_on_request=True,
    takes_cache_salt=True,
    limit_must_fit=True,
)
LLAMA_CPP = Quirks(
    repetition_penalty_field="repeat_penalty",
    takes_named_choice=False,
    least_top_logprobs=1,
    continues_text=True,
)

_BY_OWNER = {"vllm": VLLM, "llamacpp": LLAMA_CPP}


def quirks_of(owned_by: str) -> Quirks:
    """The quirks of the server that says in its list of models that these are `owned_by` it."""
    return _BY_OWNER.get(owned_by.lower(), GENERIC)
