# The project's whole vocabulary. `make` lists it.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo up test check bench clean lock

help: ## list these commands
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready ## install the locked packages and the `churn` command into .venv

# uv comes from the same lock, checked by its hash, and installs the rest in seconds; pip can do it too, in minutes.
# Packages are compiled now, once: they are many, and a command would spend half of its start on that
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	awk '/^uv==/{found=1} found{print} found && !/\\$$/{exit}' requirements.lock > .venv/uv.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.txt
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock \
		|| $(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

demo: setup ## run the whole life cycle once: tables, models, gate, release, call list, an answer from the service
	$(BIN)/churn run
	$(BIN)/churn ask

up: setup ## start the Dagster UI, the MLflow UI and the service on this machine; Ctrl-C stops them
	$(BIN)/churn up

test: setup ## run the tests, except the slow ones
	$(BIN)/python -m pytest -q -m "not slow"

check: setup ## lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup ## measure what the README claims
	$(BIN)/churn bench all

# extras stay in it: pip checks no hash of `gql[requests]` where only `gql` has one
lock: setup ## resolve the dependencies anew
	$(BIN)/uv pip compile --quiet --no-strip-extras --universal --generate-hashes --python-version 3.11 --all-extras pyproject.toml -o requirements.lock

clean: ## remove everything the project wrote, the environment included
	rm -rf .venv .churn .pytest_cache .mypy_cache .ruff_cache .hypothesis
