# Everything sets itself up: Python 3.11 or newer and make are all a machine needs.

VENV ?= .venv
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
RUNTIME := $(VENV)/.installed-runtime
DEVELOPMENT := $(VENV)/.installed-development
DOCS := $(VENV)/.installed-docs
PEERS := $(VENV)/.installed-peers
NPM_PEERS := build/npm/.installed
NEWEST := build/newest
# The whole suite is run by two workers; what ARGS names is run by one. A worker that ended is not
# replaced: xdist 3.8 gives its test to the new one again, and then waits without end.
WORKERS = $(if $(filter tests% crossbook% tools%,$(ARGS)),,\
	-n 2 --dist loadgroup --max-worker-restart=0)
PINS = $(patsubst %,requirements/%.txt,$(1))
PINNED = $(PIP) --no-deps --require-hashes $(addprefix -r ,$(call PINS,$(1)))
# What builds Crossbook is pinned, too, and so nothing is asked of the package index here.
ITSELF := $(PIP) --no-deps --no-build-isolation --editable .
CHART = $(call PINNED,page) || \
	echo "the chart script cannot be had: the page will have no candles" >&2

.DEFAULT_GOAL := help
.PHONY: help run run-shards demo compiled pure test test-newest test-pythons test-compiled test-slow \
	clients test-clients test-abuse test-simulation test-crash test-mutation lint format lock docs dist bench bench-core bench-pipeline bench-growth clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# `exec` leaves no shell between make and the supervisor to swallow a signal.
run: $(RUNTIME) ## start matcher, publisher, gateway and recorder; Ctrl-C stops them
	@exec $(BIN)/crossbook run

run-shards: $(RUNTIME) ## the same with two shards: two matchers, publishers and recorders
	@exec $(BIN)/crossbook run --shards 2

demo: $(RUNTIME) ## start the exchange and a simulated market on it; Ctrl-C stops them
	@exec $(BIN)/crossbook run --demo

compiled: $(DEVELOPMENT) ## compile the matching engine, which is used from then on; needs a C compiler
	@MATCHER_BUILD=pure $(BIN)/python -m tools.compile

pure: ## take the compiled engine away again
	@rm -rf build/compiled build/compile

test: $(DEVELOPMENT) ## run the fast tests, with the engine in pure Python
	@MATCHER_BUILD=pure $(BIN)/python -m pytest $(WORKERS) $(ARGS)

# Without the lock: whatever pyproject.toml admits, in an environment of its own, made anew.
test-newest: $(BIN)/python ## run the fast tests with the newest libraries that pyproject.toml admits
	@rm -rf $(NEWEST) && $(BIN)/python -m venv $(NEWEST)
	@echo "installing the newest versions that pyproject.toml admits into $(NEWEST)"
	@$(NEWEST)/bin/python -m pip install -qq --disable-pip-version-check --editable '.[dev,research,gym]'
	@$(NEWEST)/bin/python -m pip install -qq --disable-pip-version-check --no-deps \
		-r requirements/page.in
	@$(NEWEST)/bin/python -m tools.lock --changed
	@MATCHER_BUILD=pure $(NEWEST)/bin/python -m pytest $(WORKERS) $(ARGS)

test-pythons: $(BIN)/python ## run a part of the fast tests with every other Python found here
	@$(BIN)/python -m tools.pythons $(ARGS)

# Doctests are found beside the native module of the same name, which pytest would refuse.
test-compiled: compiled ## run the fast tests with the compiled engine
	@MATCHER_BUILD=compiled PY_IGNORE_IMPORTMISMATCH=1 $(BIN)/python -m pytest $(WORKERS) $(ARGS)

test-slow: $(DEVELOPMENT) ## run the long suites
	@$(BIN)/python -m pytest -m slow $(ARGS)

test-crash: $(DEVELOPMENT) ## kill processes some hundreds of times and check what came of it
	@$(BIN)/python -m pytest -m slow -s tests/crash $(ARGS)

clients: $(DEVELOPMENT) ## install clients of other projects, each in an environment of its own
	@$(BIN)/python -m tools.clients $(ARGS)

test-clients: $(DEVELOPMENT) ## trade with every client of other projects that can be had
	@$(BIN)/python -m tools.clients
	@$(BIN)/python -m pytest -m 'slow or not slow' -rs $(or $(ARGS),tests/clients)

test-abuse: $(DEVELOPMENT) ## attack a trading exchange in every known way at once; SIEGE_S=60 SIEGE_BY=orders
	@$(BIN)/python -m pytest -m slow -s tests/abuse $(ARGS)

test-simulation: $(DEVELOPMENT) ## simulate all parts on one thread; ARGS="--seed 1 --runs 1000"
	@$(BIN)/python -m tests.simulation $(or $(ARGS),--runs 200)

test-mutation: $(DEVELOPMENT) ## plant small defects and print those no test notices; takes hours
	@$(BIN)/python -m tools.mutation --jobs 2 $(ARGS)

lint: $(DEVELOPMENT) ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(DEVELOPMENT) ## repair style where a tool can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: $(BIN)/python ## pin the newest versions of everything anew, in requirements/ and bench/
	@$(call PINNED,lock)
	@$(BIN)/python -m tools.lock

docs: $(DOCS) ## build the documentation site in build/docs; a warning is an error
	@$(BIN)/python -m sphinx -b html -W --keep-going -q -a -E -d build/doctrees docs build/docs
	@echo "the site begins at build/docs/index.html"

# uv makes the wheel of the unpacked source archive, with the setuptools that is pinned.
dist: $(DEVELOPMENT) ## build the wheel and the source archive in build/dist
	@$(call PINNED,lock)
	@rm -rf build/dist
	@$(BIN)/uv build --quiet --offline --no-config --no-build-isolation --python $(BIN)/python --out-dir build/dist

bench: $(PEERS) ## measure; see bench/README.md for what the figures mean
	@$(BIN)/python -m bench $(or $(ARGS),all --quick)

bench-growth: $(DEVELOPMENT) ## measure cost against size, and draw it
	@$(BIN)/python -m bench growth $(ARGS)

bench-core: $(PEERS) $(NPM_PEERS) ## measure the engine alone beside others from PyPI and npm
	@$(BIN)/python -m bench core $(ARGS)

bench-pipeline: $(DEVELOPMENT) ## measure the processes beside the limit of their topology; ARGS=--quick
	@$(BIN)/python -m bench pipeline $(ARGS)

clean: ## remove the virtual environment, caches and build output
	@rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { \
		echo "Crossbook needs Python 3.11 or newer; found: $$(python3 --version 2>&1)." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Crossbook needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: ensurepip is missing." >&2; \
		echo "On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): pyproject.toml $(call PINS,runtime page) | $(BIN)/python
	@echo "installing what Crossbook needs to run"
	@$(call PINNED,runtime)
	@$(ITSELF)
	@$(CHART)
	@touch $@

$(DEVELOPMENT): pyproject.toml $(call PINS,development page) | $(BIN)/python
	@echo "installing what Crossbook needs to run and to be tested"
	@$(call PINNED,development)
	@$(ITSELF)
	@$(CHART)
	@touch $@ $(RUNTIME)

$(DOCS): $(call PINS,docs) | $(BIN)/python
	@echo "installing what builds the documentation site"
	@$(call PINNED,docs)
	@touch $@

$(PEERS): $(DEVELOPMENT) $(call PINS,peers peers-compiled)
	@echo "installing the engines to compare with, where they can be had"
	@$(call PINNED,peers) || echo "they cannot; going on without them" >&2
	@$(call PINNED,peers-compiled) --no-build-isolation || \
		echo "limit-order-book cannot, which needs a C++ compiler; going on without it" >&2
	@touch $@

# Where it fails nothing is marked as installed, and the next run tries again.
$(NPM_PEERS): bench/package.json bench/package-lock.json
	@mkdir -p $(@D) && cp $^ $(@D)
	@if ! command -v npm >/dev/null; then \
		echo "there is no npm here; going on without the engine from npm" >&2; \
	elif npm ci --prefix $(@D) --no-audit --no-fund --loglevel=error; then \
		touch $@; \
	else \
		echo "the engine from npm cannot be had; going on without it" >&2; \
	fi
