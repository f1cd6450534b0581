# The two commands: 'make up' gives a cluster, 'make test' proves it. Both do all their own set-up.
PYTHON ?= python3
LAB := .venv/bin/lab

.PHONY: up down test unit lint bench clean engine

up: .venv/ready engine
	@$(LAB) up
	@echo "the command is $(LAB): '$(LAB) kill web1' breaks something, '$(LAB) up' mends it, 'make down' removes all"

down: .venv/ready
	@$(LAB) down

engine: .venv/ready
	@$(LAB) doctor --fix --quiet

# The environment is made anew when what it holds has changed, and marked only when it is whole.
.venv/ready: pyproject.toml constraints.txt scripts/venv
	@scripts/venv $(PYTHON)

lint: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

unit: .venv/ready
	.venv/bin/pytest -q tests/unit

test: lint engine
	@scripts/need docker-compose docker-compose
	.venv/bin/pytest tests/unit tests/images tests/compose tests/cluster

bench: .venv/ready engine
	.venv/bin/python -m bench

clean:
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache
