# `make demo` and `make test` need only python3 and a package index; the rest is made here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow test-O bench bench-full lint clean

demo: $(VENV)/.fl
	@$(BIN)/fl demo $(ARGS)

test: $(VENV)/.fl-dev lint
	$(BIN)/python -m pytest $(ARGS)

# With Dask, and with the suite of the extra `aegis`, which needs a C compiler.
test-slow: $(VENV)/.slow
	$(BIN)/python -m pytest -m slow $(ARGS)
	$(BIN)/python -m pytest tests/test_aegis.py tests/test_suites.py

# The suite with `assert` switched off in the packages: no check of theirs is one. pytest rewrites the
# asserts of test_*.py into ifs, so these do run; tests/test_optimised.py sees to both.
test-O: $(VENV)/.fl-dev
	$(BIN)/python -O -m pytest -W ignore::pytest.PytestConfigWarning $(ARGS)

# Measures into docs/performance/results.json, and writes docs/performance.md and its figures of it.
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks.suite
	$(BIN)/python -m benchmarks.report

bench-full: $(VENV)/.bench
	$(BIN)/python -m benchmarks.suite --full
	$(BIN)/python -m benchmarks.report

lint: $(VENV)/.fl-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# One stamp per set of extras: reinstalled only when pyproject.toml has changed.
$(VENV)/.fl: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[fl]'
	@touch $@

$(VENV)/.fl-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[fl,dev]'
	@touch $@

$(VENV)/.slow: $(VENV)/.fl-dev
	$(BIN)/python -m pip install --quiet --editable '.[slow]'
	@touch $@

$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; \
	(3, 11) <= v <= (3, 13) or sys.exit("TensorFlow supports Python 3.11 to 3.13 and this is %d.%d: try make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
