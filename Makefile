# make demo | test | check | bench: each sets up what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAMP := $(VENV)/.installed
WORKERS ?= auto
MINUTES ?= 10

.PHONY: help setup demo test lint types check bench nightly torture clean

help:
	@echo "make demo    set up and run the main job on real photographs"
	@echo "make test    set up and run the tests"
	@echo "make check   lint, types and tests"
	@echo "make bench   time it beside its peers; writes benchmarks/results/"
	@echo "make nightly the property tests with many more examples"
	@echo "make torture kill writers of an index for MINUTES (10), with readers beside them"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "fingerprint needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt pip
	$(PIP) install --quiet --constraint constraints.txt --only-binary :all: --no-binary fingerprint --group dev --editable '.[all]'
	@$(PIP) install --quiet --constraint constraints.txt --only-binary :all: --group lookup-peers \
		|| echo "No wheels of pynear or usearch here: comparisons with them will be skipped."
	@# Peers on PyPI as source only: their comparisons are skipped, and say so, without a compiler.
	@$(PIP) install --quiet --constraint constraints.txt --group peers \
		|| echo "No compiler for pdqhash: comparisons with it will be skipped; its golden vectors are still tested."
	@touch $@

demo: setup
	$(BIN)/fingerprint demo --report demo-report

test: setup
	$(BIN)/python -m pytest -n $(WORKERS) -q

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

check: lint types test

bench: setup
	$(BIN)/python -m benchmarks

nightly: setup
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -n $(WORKERS) -q

torture: setup
	$(BIN)/python -m tests.torture --minutes $(MINUTES)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis demo-report
