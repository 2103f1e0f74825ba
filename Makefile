# Two commands for everybody: make demo, make test. The rest is for engineers.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
PY := .venv/bin/python
export PYTHONPATH := $(CURDIR)
unexport PYTHONDONTWRITEBYTECODE # compiled tests are kept: making them anew each time costs as much as many of them
MONTH ?= 2026-10
BOOK ?= demo
BREAK ?=
DATA ?=

.PHONY: demo up test check test-all replay bench lock format

demo: .venv/ready
	@$(PY) -m devstack.demo --month $(MONTH) --book $(BOOK) $(if $(BREAK),--break $(BREAK)) $(if $(DATA),--data $(DATA))

up: .venv/ready
	@$(PY) -m devstack.serve

.venv/ready: requirements.lock
	@PYTHON="$(PYTHON)" sh ./install.sh

check: .venv/ready
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy .
	@.venv/bin/lint-imports --no-logo
	@TIEOUT_QUICK_LOOP=true $(PY) -m pytest -q -m "not stack and not slow and not data" -n 2

test: .venv/ready
	@$(PY) -m pytest -q -m "not slow" -n 2 --dist loadgroup

test-all: .venv/ready
	@$(PY) -m pytest -q -m "not slow" -n 2 --dist loadgroup
	@$(PY) -m pytest -q -m slow # whole stacks, killed and restarted: one at a time

replay: .venv/ready
	@$(PY) -m pytest -q tests/replay

bench: .venv/ready
	@$(PY) -m benchmarks.bench

lock:
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -o requirements.lock

format: .venv/ready
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .
