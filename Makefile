PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test check bench format

demo: setup
	$(BIN)/python -m apps.wordcount.demo $(if $(WORDS),--words $(WORDS))

setup: .venv/.done

.venv/.done: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -e '.[dev]'
	touch .venv/.done

.venv/.bench: .venv/.done
	$(BIN)/python -m pip install -q -e '.[bench]'
	touch .venv/.bench

test: setup
	$(BIN)/python -m pytest -n 3 --dist worksteal

check: setup
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

bench: .venv/.bench
	$(BIN)/python -m tests.bench $(ARGUMENTS)

format: setup
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
