"""Describes a tiny model that sees images: an Idefics3 around the tiny Llama. Run by vLLM's Python: `sighted_model.py
DIR`. It has no weights: vLLM makes them up (`--load-format dummy`)."""

import json
import sys
from pathlib import Path

from tests.vllm import tiny_model
from tests.vllm.tiny_model import HIDDEN, INNER, MARK_IDS, VOCABULARY, tokenizer_config

IMAGE, AROUND, WHOLE = "<image>", "<fake_token_around_image>", "<global-img>"
IMAGE_MARKS = (IMAGE, AROUND, WHOLE, "<end_of_utterance>")
IMAGE_IDS = {mark: 256 + len(MARK_IDS) + place for place, mark in enumerate(IMAGE_MARKS)}
SIDE, PATCH, SCALE = 56, 14, 2
PATCH_TOKENS = (SIDE // PATCH // SCALE) ** 2
IMAGE_TOKENS = PATCH_TOKENS + 3
"""What every image is in the prompt, with the marks around it."""

# An end without weights is never said by itself, so every answer is scripted.
_PART = "{%- if part.type == 'image' -%}<image>{%- else -%}{{ part.text }}{%- endif -%}"


def tokenizer() -> dict[str, object]:
    """The tiny model's, with the marks of images."""
    known = tiny_model.tokenizer()
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    added = [{"id": number, "content": mark, "special": True} | flags for mark, number in IMAGE_IDS.items()]
    model = {**known["model"], "vocab": {**known["model"]["vocab"], **IMAGE_IDS}}
    return {**known, "added_tokens": [*known["added_tokens"], *added], "model": model}


def config() -> dict[str, object]:
    text = tiny_model.config()
    ends = {name: text[name] for name in ("bos_token_id", "eos_token_id", "tie_word_embeddings", "torch_dtype")}
    return {
        "architectures": ["Idefics3ForConditionalGeneration"],
        "model_type": "idefics3",
        "image_token_id": IMAGE_IDS[IMAGE],
        "scale_factor": SCALE,
        "pad_token_id": MARK_IDS["<|im_end|>"],
        "vocab_size": VOCABULARY,
        "text_config": {**text, "pad_token_id": MARK_IDS["<|im_end|>"]},
        "vision_config": {
            "model_type": "idefics3_vision",
            "hidden_size": HIDDEN,
            "intermediate_size": INNER,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "patch_size": PATCH,
        },
        **ends,
    }


def processors() -> dict[str, dict[str, object]]:
    """How images become pixels: whole ones, of one size."""
    half = [0.5, 0.5, 0.5]
    steps = ("do_convert_rgb", "do_resize", "do_rescale", "do_normalize", "do_pad")
    pixels = dict.fromkeys(steps, True) | {"do_image_splitting": False, "image_mean": half, "image_std": half}
    sizes = {"size": {"longest_edge": SIDE}, "max_image_size": {"longest_edge": SIDE}}
    return {
        "preprocessor_config.json": {"image_processor_type": "Idefics3ImageProcessor", **pixels, **sizes},
        "processor_config.json": {"processor_class": "Idefics3Processor", "image_seq_len": PATCH_TOKENS},
    }


def write(directory: Path) -> None:
    """Write the whole description."""
    directory.mkdir(parents=True, exist_ok=True)
    files: dict[str, object] = {
        "config.json": config(),
        "generation_config.json": {"eos_token_id": MARK_IDS["<|im_end|>"]},
        "tokenizer.json": tokenizer(),
        "tokenizer_config.json": tokenizer_config(tiny_model.TEMPLATE.strip().replace("{{ part.text }}", _PART)),
        **processors(),
    }
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content, indent=1))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
