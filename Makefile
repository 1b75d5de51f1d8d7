.DEFAULT_GOAL := help
.PHONY: help demo soak benchmark test lint format clean

PYTHON ?= python3
FRAMEWORK ?= fastapi
QUEUE ?= sqlite
REPEATS ?= 30

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: .venv/.ready ## Generate a service, stop it under load, see what became of it (FRAMEWORK=flask)
	@PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python tools/demo.py --framework $(FRAMEWORK)

soak: .venv/.ready ## End services at random moments, count lost tasks (FRAMEWORK, QUEUE=redis, REPEATS)
	@PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python tools/soak.py \
		--framework $(FRAMEWORK) --queue $(QUEUE) --repeats $(REPEATS)

benchmark: .venv/.ready ## Measure what the lifecycle costs, and the task queue (FRAMEWORK)
	@PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python tools/benchmark.py --framework $(FRAMEWORK)

test: lint ## Run all tests
	.venv/bin/pytest -m "not generated and not teeth" -n 2 --dist loadgroup
	.venv/bin/pytest -m generated
	.venv/bin/pytest -m teeth -n 2 --dist loadgroup -v

lint: .venv/.ready ## Check style and types
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

format: .venv/.ready ## Format, and mend what can be mended
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

clean: ## Remove the environment and every cache
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# Debian's Python can make an environment without pip even where python3-venv is not
# installed; its own pip then fills it.
.venv/.ready: pyproject.toml
	@echo "Setting up .venv"
	@$(PYTHON) -m venv --clear .venv >/dev/null 2>&1 || { \
		$(PYTHON) -m venv --clear --without-pip .venv && \
		$(PYTHON) -m pip --quiet --python .venv/bin/python install pip; }
	@.venv/bin/python -m pip --quiet --disable-pip-version-check install uv
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --group dev
	@touch $@
