# Verbs of this project. GNU make 3.81 suffices. Variables: ARGS (flags for `antiphon serve` or pytest), VENV.

VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := antiphon bench docs tests

.PHONY: help serve test test-compiled test-long test-vllm wheel check fmt docs bench bench-quick

help:
	@echo "make serve      set up and serve a built-in model on 127.0.0.1:8400   (ARGS=\"--port 9000\")"
	@echo "make test       run the tests                                         (ARGS=\"-k words\")"
	@echo "make test-compiled  run them on the compiled modules; four minutes of compiling come first"
	@echo "make test-long  run the tests that take minutes"
	@echo "make test-vllm  run the tests on a real vLLM, installed at the first run (3 GB)"
	@echo "make wheel      build the compiled wheel for VENV's Python or PYTHON, into dist/"
	@echo "make check      lint, types, layers, generated docs, dependencies"
	@echo "make fmt        format the code"
	@echo "make docs       write the generated docs"
	@echo "make bench      measure this server beside others, 20 minutes         (ARGS=\"--rounds 1\")"
	@echo "make bench-quick  the same beside nginx only, two minutes"

serve: $(VENV)/.installed
	@$(BIN)/antiphon setup
	@exec $(BIN)/antiphon serve $(ARGS)

test: $(VENV)/.installed-test
	@$(BIN)/antiphon setup
	$(BIN)/pytest -m "not slow" --numprocesses auto --dist loadfile $(ARGS)

test-compiled: $(VENV)/.installed-test
	@$(BIN)/antiphon setup
	$(BIN)/python .ci/compiled.py test --numprocesses auto --dist loadfile $(ARGS)

test-long: $(VENV)/.installed-test
	$(BIN)/pytest -m "slow and not vllm" $(ARGS)

test-vllm: $(VENV)/.installed-test
	$(BIN)/pytest -m vllm tests/vllm $(ARGS)

wheel: $(VENV)/.installed
	$(BIN)/python .ci/compiled.py wheel --python "$(or $(PYTHON),$(BIN)/python)"

check: $(VENV)/.installed-test
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_layers.py
	$(BIN)/python docs/generate.py --check
	$(BIN)/pip check
	$(BIN)/python .ci/audit.py

fmt: $(VENV)/.installed-test
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

docs: $(VENV)/.installed-test
	$(BIN)/python docs/generate.py

bench: $(VENV)/.installed
	$(BIN)/python -m bench $(ARGS)

bench-quick: $(VENV)/.installed
	$(BIN)/python -m bench --quick $(ARGS)

# The stamps say which pyproject.toml the environment was made from.
$(VENV)/.installed: pyproject.toml
	@sh .ci/make_venv $(VENV)
	@$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@$(BIN)/pip install --quiet --editable '.[test,dev]'
	@touch $@
