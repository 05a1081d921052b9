# Everything a person does with a checkout. `make help` lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := operator hack tests $(wildcard benchmarks)

# An existing cluster to use instead of one of our own: a context of your kubeconfig.
CONTEXT ?=
# KEEP=1 leaves the test clusters running after the tests.
KEEP ?=
# Further arguments for pytest, such as ARGS='-k quota -x'.
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup up down test soak test-unit test-component test-cluster lint format generate image clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make the virtual environment from the lock file
$(STAMP): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Headgate needs Python 3.11 or newer; this is %s. Set PYTHON=..." % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m hack.packages python
	@echo "Making the virtual environment $(VENV) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

up: $(STAMP) ## Bring up a cluster with Headgate and run an example (CONTEXT=name: on an existing cluster)
	@$(BIN)/python -m hack.up $(if $(CONTEXT),--context $(CONTEXT))

down: $(STAMP) ## Remove everything that `make up` started, and only that
	@$(BIN)/python -m hack.down

test: $(STAMP) ## Run all tests: unit, component and, on real clusters of their own, cluster tests
	@KEEP=$(KEEP) $(BIN)/python -m hack.test --numprocesses=3 $(ARGS)

soak: $(STAMP) ## Kill the operator 300 times over 1,000 triggers of every kind; about half an hour
	@HEADGATE_SOAK_KILLS=300 HEADGATE_SOAK_TRIGGERS=1000 $(BIN)/python -m hack.test tests/cluster/test_soak.py -s

test-unit: $(STAMP) ## Run the tests that need nothing
	@$(BIN)/python -m pytest tests/unit $(ARGS)

test-component: $(STAMP) ## Run the tests against a real Postgres, and a real Redis
	@$(BIN)/python -m hack.packages test
	@$(BIN)/python -m pytest tests/component $(ARGS)

test-cluster: $(STAMP) ## Run the tests against a real Kubernetes
	@KEEP=$(KEEP) $(BIN)/python -m hack.test tests/cluster $(ARGS)

lint: $(STAMP) ## Check style, types, layers, generated files and the chart
	@$(BIN)/python -m hack.lint

format: $(STAMP) ## Put the sources into form
	@$(BIN)/ruff check --fix --quiet $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

generate: $(STAMP) ## Write what is made from the models: custom resource definitions, and the OpenAPI document
	@$(BIN)/python -m hack.generate

image: $(STAMP) ## Build the container image from the Dockerfile
	@$(BIN)/python -m hack.image

clean: ## Remove the virtual environment and caches; what runs is ended by `make down`
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
