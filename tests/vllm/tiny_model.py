"""Writes a Llama of two random layers with a tokenizer of single bytes. Run by vLLM's Python: `tiny_model.py DIR`.

Every byte is a token, and so is each mark that chat templates and parsers know, so that any text can be spelled.
"""

import json
import sys
from pathlib import Path

VOCABULARY = 320
HIDDEN, HEADS, HEAD, INNER, LAYERS = 64, 2, 32, 128, 2
CONTEXT_TOKENS = 16384
LORA = "tiny-adapter"
LORA_RANK = 8
# Marks that parsers look for in the text are not special, for special tokens are left out of it.
MARKS = {"<|im_start|>": True, "<|im_end|>": True, "<think>": False, "</think>": False}
MARKS |= {"<tool_call>": False, "</tool_call>": False}
MARK_IDS = {mark: 256 + place for place, mark in enumerate(MARKS)}

# ChatML. Earlier reasoning is shown only within the turn that goes on, and an answer that has begun shows that its
# reasoning has ended, as templates of reasoning models do.
TEMPLATE = """
{%- set turn = namespace(start=0) -%}
{%- for message in messages -%}{%- if message.role == 'user' -%}{%- set turn.start = loop.index0 -%}{%- endif -%}
{%- endfor -%}
{%- if tools -%}<|im_start|>system
Functions: {{ tools | tojson }}<|im_end|>
{% endif -%}
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.role == 'assistant' and loop.index0 > turn.start and (message.reasoning or loop.last) -%}
<think>{{ message.reasoning or '' }}</think>
{%- endif -%}
{%- if message.content is string -%}{{ message.content }}
{%- elif message.content -%}{%- for part in message.content -%}{{ part.text }}{%- endfor -%}{%- endif -%}
{%- for call in message.tool_calls or [] -%}
<tool_call>{"name": {{ call.function.name | tojson }}, "arguments": {{ call.function.arguments | tojson }}}</tool_call>
{%- endfor -%}
<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}
"""


def bytes_as_characters() -> dict[int, str]:
    """The character that stands for each byte in a byte-level vocabulary: itself where it can be seen."""
    seen = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    unseen = [byte for byte in range(256) if byte not in seen]
    return {byte: chr(byte) for byte in seen} | {byte: chr(256 + place) for place, byte in enumerate(unseen)}


def tokenizer() -> dict[str, object]:
    """The content of tokenizer.json: token i is byte i, then the marks."""
    level = {"add_prefix_space": False, "trim_offsets": False, "use_regex": False, "type": "ByteLevel"}
    vocabulary = {character: byte for byte, character in bytes_as_characters().items()}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": MARK_IDS[mark], "content": mark, "special": special}
            | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
            for mark, special in MARKS.items()
        ],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {"type": "BPE", "vocab": vocabulary | MARK_IDS, "merges": []},
    }


def config() -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": HEAD,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": CONTEXT_TOKENS,
        "bos_token_id": MARK_IDS["<|im_start|>"],
        "eos_token_id": MARK_IDS["<|im_end|>"],
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }


def shapes() -> dict[str, tuple[int, ...]]:
    """The name and shape of every weight."""
    wide = HEADS * HEAD
    of = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN), "lm_head.weight": (VOCABULARY, HIDDEN)}
    named: dict[str, tuple[int, ...]] = {**of, "model.norm.weight": (HIDDEN,)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        named |= {f"{at}.{norm}_layernorm.weight": (HIDDEN,) for norm in ("input", "post_attention")}
        named |= {f"{at}.self_attn.{each}_proj.weight": (wide, HIDDEN) for each in "qkv"}
        named |= {f"{at}.self_attn.o_proj.weight": (HIDDEN, wide)}
        named |= {f"{at}.mlp.{each}_proj.weight": (INNER, HIDDEN) for each in ("gate", "up")}
        named |= {f"{at}.mlp.down_proj.weight": (HIDDEN, INNER)}
    return named


def tokenizer_config(template: str) -> dict[str, object]:
    """What goes with `tokenizer`."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|im_end|>",
        "model_max_length": CONTEXT_TOKENS,
        "clean_up_tokenization_spaces": False,
        "chat_template": template,
    }


def write(directory: Path) -> None:
    """Write the whole model, the same one every time."""
    import torch
    from safetensors.torch import save_file

    directory.mkdir(parents=True, exist_ok=True)
    random = torch.Generator().manual_seed(1)
    weights = {name: torch.randn(shape, generator=random).mul(0.1).bfloat16() for name, shape in shapes().items()}
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    files: dict[str, object] = {
        "config.json": config(),
        "generation_config.json": {"eos_token_id": MARK_IDS["<|im_end|>"]},
        "tokenizer.json": tokenizer(),
        "tokenizer_config.json": tokenizer_config(TEMPLATE.strip()),
    }
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content, indent=1))


def write_adapter(directory: Path) -> None:
    """Write a LoRA adapter of the model."""
    import torch
    from safetensors.torch import save_file

    directory.mkdir(parents=True, exist_ok=True)
    random = torch.Generator().manual_seed(2)
    of = {"lora_A": (LORA_RANK, HIDDEN), "lora_B": (HEADS * HEAD, LORA_RANK)}
    weights = {
        f"base_model.model.model.layers.{layer}.self_attn.{each}_proj.{half}.weight": torch.randn(
            shape, generator=random
        ).bfloat16()
        for layer in range(LAYERS)
        for each in "qv"
        for half, shape in of.items()
    }
    save_file(weights, directory / "adapter_model.safetensors", metadata={"format": "pt"})
    described = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": LORA_RANK, "lora_alpha": LORA_RANK, "bias": "none"}
    described |= {"target_modules": ["q_proj", "v_proj"], "base_model_name_or_path": "tiny"}
    (directory / "adapter_config.json").write_text(json.dumps(described))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
    write_adapter(Path(sys.argv[1]) / LORA)
