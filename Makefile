# Needs only Python 3.11+ and make: everything else goes into .venv in this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TESTS ?= tests

.PHONY: demo test lint fuzz faults bench bench-keys clean

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Vaccine needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; run make PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(VENV)/.ready
	$(BIN)/vaccine demo

test: $(VENV)/.ready
	$(BIN)/python -m pytest -n 2 --dist loadgroup -q $(TESTS)

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

faults: $(VENV)/.ready
	VACCINE_FAULTS=all $(BIN)/python -m pytest -n 2 --dist loadgroup -q tests/faults

fuzz: $(VENV)/.ready
	VACCINE_FUZZ=20000 $(BIN)/python -m pytest -n 2 -q tests/security/test_fuzz.py

bench: $(VENV)/.ready
	$(BIN)/python -m tests.benchmarks

bench-keys: $(VENV)/.ready
	$(BIN)/python -m tests.benchmarks.bench_keys $(VACCINE_CORPUS)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
