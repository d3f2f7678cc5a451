"""Writes a Llama from a GGUF file in the form that vLLM loads. Run by vLLM's Python: `unpacked_model.py GGUF DIR`.

For models whose tokenizer is byte-level BPE, as SmolLM2's.
"""

import json
import sys
from pathlib import Path
from typing import Any

_NAMES = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_CONTROL = 3


def name_of(tensor: str) -> str:
    """The name of a weight, from that in the file."""
    if tensor.startswith("blk."):
        _, layer, name, kind = tensor.split(".")
        return f"model.layers.{layer}.{_NAMES[name]}.{kind}"
    return {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}.get(
        tensor, "lm_head.weight"
    )


def unpermuted(rows: Any, heads: int) -> Any:
    """Rows of q or k in the order of halves again; the file has them in that of pairs."""
    return rows.reshape(heads, rows.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(rows.shape)


def config(said: dict[str, Any], *, tied: bool) -> dict[str, object]:
    """The content of config.json, from the file's own words."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": said["llama.embedding_length"],
        "intermediate_size": said["llama.feed_forward_length"],
        "num_hidden_layers": said["llama.block_count"],
        "num_attention_heads": said["llama.attention.head_count"],
        "num_key_value_heads": said["llama.attention.head_count_kv"],
        "rms_norm_eps": said["llama.attention.layer_norm_rms_epsilon"],
        "rope_theta": said["llama.rope.freq_base"],
        "max_position_embeddings": said["llama.context_length"],
        "vocab_size": len(said["tokenizer.ggml.tokens"]),
        "bos_token_id": said["tokenizer.ggml.bos_token_id"],
        "eos_token_id": said["tokenizer.ggml.eos_token_id"],
        "tie_word_embeddings": tied,
        "torch_dtype": "bfloat16",
    }


def tokenizer(said: dict[str, Any]) -> dict[str, object]:
    """The content of tokenizer.json."""
    tokens, kinds = said["tokenizer.ggml.tokens"], said["tokenizer.ggml.token_type"]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    digits = {"type": "Digits", "individual_digits": True}
    marks = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": number, "content": token, "special": True, **marks}
            for number, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
            if kind == _CONTROL
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [digits, level]},
        "post_processor": None,
        "decoder": level,
        "model": {
            "type": "BPE",
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": said["tokenizer.ggml.merges"],
        },
    }


def write(file: Path, directory: Path) -> None:
    """Write the whole model, in bfloat16."""
    import torch
    from gguf import GGUFReader
    from gguf.quants import dequantize
    from safetensors.torch import save_file

    reader = GGUFReader(file)
    said = {name: field.contents() for name, field in reader.fields.items()}
    heads = {"attn_q": said["llama.attention.head_count"], "attn_k": said["llama.attention.head_count_kv"]}
    weights = {}
    for tensor in reader.tensors:
        rows = dequantize(tensor.data, tensor.tensor_type)
        permuted = next((count for name, count in heads.items() if f".{name}." in tensor.name), None)
        rows = rows if permuted is None else unpermuted(rows, permuted)
        weights[name_of(tensor.name)] = torch.tensor(rows).bfloat16().contiguous()
    directory.mkdir(parents=True, exist_ok=True)
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    tokens = said["tokenizer.ggml.tokens"]
    files: dict[str, object] = {
        "config.json": config(said, tied="lm_head.weight" not in weights),
        "generation_config.json": {"eos_token_id": said["tokenizer.ggml.eos_token_id"]},
        "tokenizer.json": tokenizer(said),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": tokens[said["tokenizer.ggml.bos_token_id"]],
            "eos_token": tokens[said["tokenizer.ggml.eos_token_id"]],
            "clean_up_tokenization_spaces": False,
            "chat_template": said["tokenizer.chat_template"],
        },
    }
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content))


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
