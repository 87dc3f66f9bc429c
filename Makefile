# `make serve` sets up and starts tracer; `make test` sets up and runs every test.
# Both install what they need: a virtual environment here and, for tests, Debian's packages.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
HOURS ?= 1
COVERED := tests/unit tests/contract tests/app tests/security tests/wire
APT := $(shell [ "$$(id -u)" = 0 ] || echo sudo) apt-get

.PHONY: serve test check coverage mutation bench soak load fmt package clean

serve: $(VENV)/.installed
	$(BIN)/tracer serve $(ARGS)

test: $(VENV)/.tests tests/e2e/js/node_modules/.installed check
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)
	packaging/check_wheel.sh

check: $(VENV)/.tests
	$(BIN)/ruff check src tests packaging
	$(BIN)/ruff format --check src tests packaging
	$(BIN)/mypy
	$(BIN)/lint-imports

# Line coverage of src/tracer by tests that look at behaviour; fails below 90 %. Servers in processes
# of their own are left to `make test`.
coverage: $(VENV)/.tests
	rm -rf build/coverage && mkdir -p build/coverage
	$(BIN)/coverage run -m pytest -n 2 --dist loadfile $(COVERED) $(ARGS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

mutation: $(VENV)/.tests
	PYTHONPATH=tests $(BIN)/python -m mutation $(ARGS)

bench: $(VENV)/.tests tests/loadgen/build/sload
	PYTHONPATH=tests $(BIN)/python -m bench $(ARGS)

soak: $(VENV)/.tests tests/loadgen/build/sload
	PYTHONPATH=tests $(BIN)/python -m bench.soak --hours $(HOURS) $(ARGS)

load: $(VENV)/.tests tests/loadgen/build/sload
	PYTHONPATH=tests $(BIN)/python -m bench.flood $(ARGS)

fmt: $(VENV)/.tests
	$(BIN)/ruff check --fix src tests packaging
	$(BIN)/ruff format src tests packaging

package: $(VENV)/.tests
	packaging/check_wheel.sh

clean:
	rm -rf $(VENV) build dist tests/e2e/js/node_modules tests/loadgen/build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "tracer needs Python 3.11 or newer"'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || ($(APT) update -qq && $(APT) install -y -qq python3-venv)
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

$(VENV)/.tests: pyproject.toml $(VENV)/.installed
	$(BIN)/python -m pip install -q --disable-pip-version-check -U 'pip>=25.1'
	$(BIN)/python -m pip install -q --disable-pip-version-check --group dev
	@command -v cc >/dev/null || ($(APT) update -qq && $(APT) install -y -qq gcc libc6-dev)
	@[ -x /usr/bin/chromium ] || ($(APT) update -qq && $(APT) install -y -qq chromium)
	@touch $@

tests/e2e/js/node_modules/.installed: tests/e2e/js/package.json tests/e2e/js/package-lock.json $(VENV)/.tests
	cd tests/e2e/js && PATH="$(abspath $(BIN)):$$PATH" npm ci --silent --no-audit --no-fund
	@touch $@

tests/loadgen/build/sload: tests/loadgen/sload.c
	@command -v cc >/dev/null || ($(APT) update -qq && $(APT) install -y -qq gcc libc6-dev zlib1g-dev)
	$(MAKE) -C tests/loadgen all
