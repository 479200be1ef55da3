# Everyday commands of this repository; `make` alone lists them.
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help quickstart stop cloud cloud-down tempest test unit lint types bench bench-cloud constraints cloud-constraints config-samples docs

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

quickstart: ## a running container service on this machine
	./quickstart

stop: ## end what quickstart has started
	./quickstart --stop

cloud: ## a whole OpenStack on this machine: real services, two compute hosts (as root)
	PYTHONPATH=. PYTHONDONTWRITEBYTECODE=1 $(shell tools/find-python) -m cloud up

cloud-down: ## end it, and leave nothing of it
	PYTHONPATH=. PYTHONDONTWRITEBYTECODE=1 $(shell tools/find-python) -m cloud down

tempest: ## zun-tempest-plugin, unmodified, on the cloud that is up (as root)
	PYTHONPATH=. PYTHONDONTWRITEBYTECODE=1 $(shell tools/find-python) -m cloud.tempest

test: ## every check and every test, as CI does (installs what it needs, as root)
	./run-tests

unit: $(VENV) ## the tests that need neither root nor servers, in less than a minute
	$(BIN)/python -m pytest -q tests/domain tests/test_saga.py tests/api tests/compute tests/conductor tests/cmd tests/conf tests/rpc tests/tools

lint: $(VENV) ## style, format, rooms, sizes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m tools.sizes zun tools cloud tests bench

types: $(VENV) ## mypy, strict
	$(BIN)/mypy

bench: $(VENV) ## the benchmark, as ratios
	$(BIN)/python -m bench

bench-cloud: cloud ## this service and its peer from PyPI, side by side on the test cloud (as root)
	$(BIN)/python -m bench.cloud

constraints: $(VENV) ## make constraints.txt anew from pyproject.toml: the versions that everybody installs
	printf 'uv\nhatchling>=1.25\n' | $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --no-annotate \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command 'make constraints' pyproject.toml - --output-file constraints.txt

cloud-constraints: ## make the constraints of the test cloud and of its acceptance tests anew from their requirements.txt
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate --no-emit-index-url --no-emit-find-links \
	    --custom-compile-command 'make cloud-constraints' cloud/requirements.txt --output-file cloud/constraints.txt
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-annotate --no-emit-index-url --no-emit-find-links \
	    --custom-compile-command 'make cloud-constraints' cloud/tempest/requirements.txt --output-file cloud/tempest/constraints.txt

config-samples: $(VENV) ## make the samples under etc/ anew from the declared options and rules
	$(BIN)/oslo-config-generator --config-file etc/zun/config-generator.conf
	$(BIN)/oslopolicy-sample-generator --config-file etc/zun/policy-generator.conf

docs: $(VENV) ## make the generated pages under docs/ anew
	$(BIN)/python -m tools.draw_lifecycle > docs/lifecycle.md.new
	mv docs/lifecycle.md.new docs/lifecycle.md
	$(BIN)/python -m tools.draw_api > docs/api.md.new
	mv docs/api.md.new docs/api.md

$(VENV): pyproject.toml constraints.txt
	PYTHONPATH=. $(shell tools/find-python) -m tools.environment
	touch $(VENV)
