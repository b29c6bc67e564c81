# Owed from a checkout. Everything is installed into $(VENV), and what the benchmark compares with into .venv-bench.

PYTHON ?= python3
VENV ?= .venv
UV ?= uv

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install
LOCK := $(UV) pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help install serve test lint types bench bench-reports bench-scale soak lock clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

install: $(VENV)/.dev ## Install Owed and the tools to work on it into .venv

serve: $(VENV)/.runtime ## Run Owed on http://127.0.0.1:8000, with a PostgreSQL of its own
	@$(BIN)/owed serve $(ARGS)

test: install ## Run every test
	$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: install ## Check style, and that imports follow the architecture
	$(BIN)/ruff check
	$(BIN)/lint-imports

types: install ## Check types, strictly
	$(BIN)/mypy

bench: install .venv-bench/.peers ## Measure Owed beside its peers and write docs/performance.md
	$(BIN)/python -m bench $(ARGS)

bench-scale: install .venv-bench/.peers ## Measure Owed among millions of customers
	$(BIN)/python -m bench.scale $(ARGS)

bench-reports: install ## Measure statements, control totals and exports over a million payments
	$(BIN)/python -m bench.reports $(ARGS)

soak: install ## Kill workers and PostgreSQL 500 times under load, and live 500 random histories
	OWED_KILLS=500 $(BIN)/python -m pytest tests/failure/test_kills.py tests/failure/test_webhook_kills.py $(ARGS)
	OWED_SOAK=500 $(BIN)/python -m pytest tests/properties $(ARGS)

lock: ## Resolve the dependencies again and write the hashed lock files (needs uv)
	$(LOCK) --group build --output-file requirements.lock
	$(LOCK) --group build --group dev --constraint requirements.lock --output-file requirements-dev.lock
	$(LOCK) --group bench --constraint requirements.lock --output-file requirements-bench.lock

clean: ## Remove what the other targets made
	rm -rf $(VENV) .venv-newest .venv-bench .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than its lock file once everything in that file is installed, so a second `make serve` does nothing here.

$(VENV)/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Owed needs Python 3.11 or later, which $(PYTHON) is not: try make PYTHON=python3.13" >&2; exit 1; }
	@echo "Installing into $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@$(PIP) --require-hashes --requirement requirements-dev.lock
	@touch $@

.venv-bench/.peers: requirements-bench.lock
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes --requirement requirements-bench.lock
	@touch $@
