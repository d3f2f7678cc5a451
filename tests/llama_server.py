"""llama.cpp's own HTTP server on the built-in model, within this process."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.builtin_model import builtin_model


@contextmanager
def serve_llama(*, context_tokens: int, threads: int = 1) -> Iterator[str]:
    """Its URL, for as long as the block lasts. Skips where there is no llama.cpp."""
    model = builtin_model()
    xllamacpp = pytest.importorskip("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {"tiny"}
    params.n_ctx = context_tokens
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.verbosity = -1
    server = xllamacpp.Server(params)
    yield server.listening_address
    del server
