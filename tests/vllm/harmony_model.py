"""Describes a tiny gpt-oss. Run by vLLM's Python: `harmony_model.py DIR`.

The vocabulary is the harmony encoding's, in a tokenizer without merges: vLLM renders and parses this format by the
encoding, and uses the tokenizer to spell tokens only. It has no weights: vLLM makes them up (`--load-format dummy`).
"""

import json
import sys
from pathlib import Path

from tests.vllm.harmony_script import encode, encoding
from tests.vllm.tiny_model import CONTEXT_TOKENS, HEAD, HEADS, HIDDEN, LAYERS, bytes_as_characters

VOCABULARY = 201088
START, RETURN, CALL, PAD = "<|startoftext|>", "<|return|>", "<|call|>", "<|endoftext|>"


def tokenizer() -> dict[str, object]:
    spelled = bytes_as_characters()
    marks = {encode(mark)[0]: mark for mark in encoding().special_tokens_set}
    vocabulary = {
        marks.get(token) or "".join(spelled[byte] for byte in encoding()._inner.decode_bytes([token])): token
        for token in range(VOCABULARY)
    }
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    level = {"add_prefix_space": False, "trim_offsets": False, "use_regex": False, "type": "ByteLevel"}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": token, "content": marks[token], "special": True} | flags for token in sorted(marks)],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
    }


def config() -> dict[str, object]:
    return {
        "architectures": ["GptOssForCausalLM"],
        "model_type": "gpt_oss",
        "attention_bias": True,
        "bos_token_id": encode(START)[0],
        "eos_token_id": encode(RETURN)[0],
        "pad_token_id": encode(PAD)[0],
        "hidden_size": HIDDEN,
        "intermediate_size": HIDDEN,
        "head_dim": HEAD,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "layer_types": ["sliding_attention", "full_attention"],
        "sliding_window": 128,
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "hidden_act": "silu",
        "swiglu_limit": 7.0,
        "rms_norm_eps": 1e-5,
        "rope_theta": 150000,
        "max_position_embeddings": CONTEXT_TOKENS,
        "vocab_size": VOCABULARY,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }


def write(directory: Path) -> None:
    """Write the whole description."""
    directory.mkdir(parents=True, exist_ok=True)
    tokens = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": START,
        "eos_token": RETURN,
        "pad_token": PAD,
        "model_max_length": CONTEXT_TOKENS,
        "clean_up_tokenization_spaces": False,
        "chat_template": "{% for message in messages %}{{ message.content }}{% endfor %}",  # is not used
    }
    ends = [token for mark in (RETURN, PAD, CALL) for token in encode(mark)]
    files: dict[str, object] = {
        "config.json": config(),
        "generation_config.json": {"eos_token_id": ends},
        "tokenizer.json": tokenizer(),
        "tokenizer_config.json": tokens,
    }
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
