"""What the real vLLM of these tests can do, as far as the contract's cases ask."""

from tests.contracts.engine_asking import Abilities
from tests.vllm.tiny_model import CONTEXT_TOKENS

ABLE = Abilities(model="tiny", context_tokens=CONTEXT_TOKENS, bound_s=60, scripted=True, counts_first=False)
