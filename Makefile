# `make` lists the goals. ARGS="..." is passed on to testnet or pytest; PYTHON=/path picks the interpreter.
SHELL := bash
ARGS ?=
export PYTHON ?= python3
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help testnet up down ps status setup setup-test test unit integration integration-netns integration-docker applications images sbom bench lint fmt docs docs-dns lock clean

help: ## list the goals
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' Makefile

# `make testnet down` must only go down, so the word by itself does nothing; alone it means up.
ifeq ($(MAKECMDGOALS),testnet)
testnet: up
else
testnet:
	@:
endif

up: setup ## bring up the default network and fetch a page over .loki
	@.venv/bin/testnet up $(ARGS)

down: setup ## remove the network and all it made
	@.venv/bin/testnet down $(ARGS)

ps: setup ## list the nodes
	@.venv/bin/testnet ps $(ARGS)

status: setup ## tell how far the network is
	@.venv/bin/testnet status $(ARGS)

setup: ## system packages, .venv, locked dependencies: what `up` needs
	@.ci/setup run

setup-test: ## the same with what tests, lint and benchmark need
	@.ci/setup test

# What holds on each backend is run twice, the second time in containers (docs/testing.md). Every run is made whatever
# becomes of those before; with ARGS a run may have no test (pytest says 5), but not all of them.
BOTH = first=$$?; TESTED_BACKEND=docker .venv/bin/pytest -q $(ARGS); second=$$?; codes=$$unit$$first$$second; \
  [[ $$codes == *0* && $${codes//[0$(if $(ARGS),5)]/} == '' ]]

# Tests that need no network of real nodes share the processors (`-n auto`).
test: setup-test ## the whole test suite, on both backends
	@TESTED_PART=unit .venv/bin/pytest -q -n auto -m 'not integration or together' $(ARGS); unit=$$?; .venv/bin/pytest -q -m 'integration and not together' $(ARGS); $(BOTH)

unit: setup-test ## tests that need no root and no network namespaces
	@.venv/bin/pytest -q -n auto -m 'not integration' $(ARGS)

integration: setup-test ## tests with real processes, on both backends
	@.venv/bin/pytest -q -m integration $(ARGS); $(BOTH)

integration-netns: setup-test ## those of them that need no Docker engine
	@.venv/bin/pytest -q -m 'integration and not docker' $(ARGS)

integration-docker: setup-test ## those that need one (.ci/engine start); builds the images first
	@.venv/bin/pytest -q -m docker $(ARGS); $(BOTH)

# Both are run whatever becomes of the first.
applications: setup-test ## `testnet test` on voip and web, on both backends; results and reports in .artifacts/applications
	@.ci/applications netns; first=$$?; images/build && .ci/applications docker && (( first == 0 ))

images: ## build the container images; quick where nothing changed
	@images/build $(ARGS)

sbom: ## list what the images are made of: .artifacts/images/NAME.cdx.json
	@$(PYTHON) images/sbom.py $(ARGS)

bench: setup-test ## measure; prints a table, judges nothing
	@.venv/bin/python -m benchmarks $(ARGS)

lint: setup-test ## format, lint, types, import directions
	.venv/bin/ruff format --check --quiet .
	.venv/bin/ruff check --quiet .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

fmt: setup-test ## rewrite the code in the house format
	.venv/bin/ruff check --quiet --select I --fix .
	.venv/bin/ruff format .

docs: setup ## write docs/cli.md, docs/topology* and compose/ anew from the parser and the models
	@.venv/bin/python -m orchestrator.cli.pages docs
	@.venv/bin/testnet render compose default -o compose
	@.venv/bin/testnet render compose minimal -o compose

docs-dns: setup-test ## write the tables of docs/dns.md anew, from a real network
	@UPDATE_DOCS=1 .venv/bin/pytest -q tests/integration/network/test_dns.py

# Resolve anew: make lock ARGS=--upgrade, or ARGS='--upgrade-package NAME'.
LOCK = CUSTOM_COMPILE_COMMAND='make lock' .venv/lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe \
  --strip-extras --no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
  --build-deps-for editable $(ARGS)
lock: setup ## write requirements*.txt anew from pyproject.toml
	@$(PYTHON) -m venv .venv/lock
	@.venv/lock/bin/python -m pip install --quiet 'pip-tools==7.6.2'
	$(LOCK) --output-file requirements.txt pyproject.toml
	$(LOCK) --extra dev --extra voip --extra browser --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml

clean: ## remove .venv, caches and build products
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .artifacts
	find benchmarks images lokinet_node orchestrator tests -name __pycache__ -type d -prune -exec rm -rf {} +
