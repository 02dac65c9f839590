# Two commands: `make run` starts the studio, `make test` checks everything. Both set up what they need in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# JOBS of them at a time: what waits for a browser leaves room for what computes. The quick ones first, then the longest.
CHECKS := check-format check-lint check-imports test-page test-models check-types test-rest check-page test-page-core
JOBS ?= 2

.PHONY: run test check $(CHECKS) chaos format docs bench clean

run: $(VENV)/run.stamp
	$(BIN)/python server.py

test: $(VENV)/dev.stamp node_modules/.stamp
	$(MAKE) check

check: export OMP_NUM_THREADS ?= 1
check:
	@$(BIN)/python -m tests.checks $(JOBS) $(CHECKS)

check-format:
	$(BIN)/ruff format --check
check-lint:
	$(BIN)/ruff check
check-imports:
	$(BIN)/lint-imports
check-types:
	$(BIN)/basedpyright --warnings
check-page:
	npx --no-install tsc --project tsconfig.json
test-page-core:
	node --test --test-reporter=spec tests/web/*.test.js
# A browser on a machine with other work can lose a race: such a test has a second go, and is named with an R.
test-page:
	$(BIN)/python -m tests.browser
	$(BIN)/python -m pytest tests/web --reruns 1 -rR
test-models:
	$(BIN)/python -m pytest tests/diffusion tests/nodes
test-rest:
	$(BIN)/python -m pytest --ignore=tests/web --ignore=tests/diffusion --ignore=tests/nodes

# Kills, flipped bits, failing system calls and random lives of the engine, each checked; the long form:
# make chaos SECONDS=1200 EVERY=1 STEPS=100000 SEED=3
SECONDS ?= 30
EVERY ?= 13
STEPS ?= 5000
SEED ?= 0
chaos: $(VENV)/dev.stamp
	$(BIN)/python -m bench.chaos --seconds $(SECONDS) --seed $(SEED)
	$(BIN)/python -m bench.chaos --seconds $(SECONDS) --seed $(SEED) --workers 2
	$(BIN)/python -m bench.chaos.cache --seed $(SEED) --seconds 10
	$(BIN)/python -m bench.chaos.cache --seed $(SEED) --seconds 10 --raw
	$(BIN)/python -m bench.faults --every $(EVERY)
	$(BIN)/python -m bench.machine --steps $(STEPS) --seed $(SEED)

format:
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs:
	$(BIN)/python -m docs.generate

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Weft needs Python 3.11 or later; '$(PYTHON)' is `$(PYTHON) --version`. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/run.stamp: $(VENV)/python.stamp requirements.txt constraints.txt
	@echo "Installing what Weft needs into $(VENV): some minutes the first time."
	@$(PIP) -r requirements.txt
	touch $@

$(VENV)/dev.stamp: $(VENV)/python.stamp requirements.txt requirements-dev.txt constraints.txt
	@echo "Installing what the tests need into $(VENV): some minutes the first time."
	@$(PIP) -r requirements-dev.txt
	touch $@

node_modules/.stamp: package.json package-lock.json
	npm ci --silent --no-audit --no-fund
	touch $@

clean:
	rm -rf $(VENV) node_modules
