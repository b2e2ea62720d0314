# `make demo` and `make test` need only python3 and a package index; the rest is made here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The Pythons that README names, and a file of versions for pip to keep to.
PYTHONS := 3.11 3.12 3.13
CONSTRAINTS :=

.PHONY: demo test suite test-pythons test-lowest test-slow test-flower test-O bench bench-full listings docs lint clean

demo: $(VENV)/.fl
	@$(BIN)/fl demo $(ARGS)

test: lint suite

suite: $(VENV)/.fl-dev
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

# `make test` on each of PYTHONS that this machine has, except those in SKIP.
test-pythons:
	+@.ci/test-pythons $(filter-out $(SKIP),$(PYTHONS))

# The suite with the lowest versions of the dependencies, which no newer Python has all of.
test-lowest:
	python=$$(.ci/find-python $(firstword $(PYTHONS))) && \
	$(MAKE) suite VENV=.venv-lowest CONSTRAINTS=.ci/lowest.txt PYTHON="$$python"

# With Dask, with the suite of the extra `aegis`, which needs a C compiler, and with the accounts of `privacy`.
test-slow: $(VENV)/.slow
	$(BIN)/python -m pytest -m slow $(ARGS)
	$(BIN)/python -m pytest tests/secagg/masks/test_aegis.py tests/secagg/masks/test_suites.py \
		tests/fl/privacy/test_accounting.py tests/fl/privacy/test_ledger.py \
		tests/fl/experiment/test_privacy_account.py tests/fl/experiment/test_private_training.py

# A SuperLink and SuperNodes as processes of this machine; in an environment of its own, as Flower pins much.
test-flower:
	$(MAKE) .venv-flower/.flower VENV=.venv-flower
	.venv-flower/bin/python -m pytest -m 'slow or not slow' tests/fl/flower $(ARGS)

# The suite with `assert` switched off in the packages: no check of theirs is one. pytest rewrites the
# asserts of test_*.py into ifs, so these do run; tests/project/test_optimised.py sees to both.
test-O: $(VENV)/.fl-dev
	$(BIN)/python -O -m pytest -W ignore::pytest.PytestConfigWarning $(ARGS)

# Measures into docs/performance/results.json, and writes docs/performance.md and its figures of it.
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks.suite
	$(BIN)/python -m benchmarks.report

# The site, from README, docs and the docstrings: open build/docs/site/index.html. In an environment of its own, without TensorFlow.
docs:
	$(MAKE) .venv-docs/.docs VENV=.venv-docs
	.venv-docs/bin/python -m docs.website.stage build/docs
	cd build/docs && ../../.venv-docs/bin/zensical build --clean --strict

# Runs the commands of which README and docs show the output, and writes it there. DATA: where real data are.
listings: $(VENV)/.fl-dev $(VENV)/.bench
	$(BIN)/python -m benchmarks.listings $(if $(DATA),--data '$(DATA)')

bench-full: $(VENV)/.bench
	$(BIN)/python -m benchmarks.suite --full
	$(BIN)/python -m benchmarks.report
	$(BIN)/python -m benchmarks.simulating

lint: $(VENV)/.fl-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# One stamp per set of extras: reinstalled only when pyproject.toml has changed.
$(VENV)/.fl: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[fl]'
	@touch $@

$(VENV)/.fl-dev: pyproject.toml $(CONSTRAINTS) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet $(addprefix --constraint ,$(CONSTRAINTS)) --editable '.[fl,report,dev]'
	@touch $@

$(VENV)/.flower: $(VENV)/.fl-dev
	$(BIN)/python -m pip install --quiet --editable '.[flower]'
	@touch $@

$(VENV)/.docs: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
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
	rm -rf $(VENV) .venv-* build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
