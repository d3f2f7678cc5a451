"""Makes vLLM's sampler choose the tokens of a script: `--logits-processors
tests.vllm.script_processor:ScriptProcessor`.

Scheduler, sampler, detokenizer and parsers stay vLLM's own. Where a grammar constrains an answer that has no script,
the shortest way to its end is taken.
"""

import time
from collections.abc import Sequence

import torch
from vllm import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor
from vllm.v1.sample.logits_processor.interface import MoveDirectionality

from tests.vllm.script import Script, script_of


class Row:
    """An answer under way. `output` is vLLM's own list of its tokens so far, and grows."""

    def __init__(self, script: Script, output: Sequence[int]) -> None:
        self.script = script
        self._output = output
        self._led_elsewhere = False

    def choose(self, allowed: torch.Tensor) -> int | None:
        """The next token; None leaves the choice to the model."""
        place = len(self._output)
        token = self.script.tokens[min(place, len(self.script.tokens) - 1)]
        if not self._led_elsewhere and allowed[token]:
            return token
        self._led_elsewhere = True
        return next((token for token in self.script.shortest if allowed[token]), None)


class ScriptProcessor(LogitsProcessor):
    """Forces one token in each row of a batch that has a script."""

    script_of = staticmethod(script_of)

    def __init__(self, vllm_config: object, device: torch.device, is_pin_memory: bool) -> None:
        self._rows: dict[int, Row] = {}

    @classmethod
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        """Every request is fine."""

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        if batch_update is None:
            return
        rows = self._rows
        for row in batch_update.removed:
            rows.pop(row, None)
        for row, _, prompt, output in batch_update.added:
            rows[row] = Row(self.script_of(prompt or ()), output)
        for row, other, direction in batch_update.moved:
            moved, replaced = rows.pop(row, None), rows.pop(other, None)
            if moved is not None:
                rows[other] = moved
            if replaced is not None and direction is MoveDirectionality.SWAP:
                rows[row] = replaced

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        time.sleep(max((row.script.token_delay_s for row in self._rows.values()), default=0.0))
        for place, row in self._rows.items():
            token = row.choose(logits[place] > float("-inf"))
            if token is not None:
                logits[place] = float("-inf")
                logits[place, token] = 0.0
        return logits
