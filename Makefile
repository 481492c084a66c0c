# Two commands do everything on a fresh machine with Python 3.11+, git and make: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
VISITS ?= 2000
SEED ?= 1
# How many processes the tests run in, of up to 3 GB each: one per core, but no more than four unless asked for.
JOBS ?= auto
AT_MOST = $(if $(filter auto,$(JOBS)),--maxprocesses 4)
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check
# Wheels only: nothing is compiled, no package's build code runs.
INSTALL = $(PIP) install -qq --only-binary :all: --require-hashes
ROOMS = muster.py kiosk enrollment matcher hardware web models tests

.PHONY: help demo test check format lint types floors bench soak screens weights clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    a center and a kiosk with simulated hardware and scripted visitors (ONCE=1, JSON=file, CAMERA=0)"
	@echo "make test    the tests, in one process per core (JOBS=1, PYTEST='-k panel')"
	@echo "make check   format, lint, types, floors, tests"
	@echo "make bench   timings and ratios"
	@echo "make soak    thousands of simulated visits with random faults (VISITS=2000 SEED=1; half an hour of two cores)"
	@echo "make screens pictures of every screen into docs/screens (needs Chromium)"
	@echo "make clean   remove $(VENV) and caches"

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Muster needs Python 3.11 or newer; this is $$($(PYTHON) --version). Set PYTHON=python3.11 or the like."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "This Python cannot make virtual environments; on Debian the package is called python3-venv."; exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made requirements/run.lock setup.cfg pyproject.toml
	@echo "Installing the pinned packages (about 570 MB on disk, once) ..."
	@$(INSTALL) -r requirements/run.lock
	@$(PIP) install -qq --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.lock requirements/peers.lock
	@echo "Installing what the tests need ..."
	@$(INSTALL) -r requirements/dev.lock
	@$(INSTALL) --no-deps -r requirements/peers.lock
	@touch $@

$(VENV)/.bench: $(VENV)/.dev requirements/bench.lock
	@$(INSTALL) --no-deps -r requirements/bench.lock
	@touch $@

weights: $(VENV)/.run
	@$(BIN)/muster weights fetch

demo: weights
	@$(BIN)/muster demo $(if $(ONCE),--once) $(if $(JSON),--json '$(JSON)') $(if $(CAMERA),--camera $(CAMERA))

test: $(VENV)/.dev
	@$(BIN)/muster weights fetch --all
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) $(AT_MOST) --dist worksteal $(PYTEST)

format: $(VENV)/.dev
	$(BIN)/ruff format $(ROOMS)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check $(ROOMS)
	$(BIN)/ruff check $(ROOMS)

types: $(VENV)/.dev
	$(BIN)/mypy

floors: $(VENV)/.dev
	$(BIN)/lint-imports

check: lint types floors test

bench: $(VENV)/.bench
	@$(BIN)/muster weights fetch --all
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.bench $(BENCH)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.whole.visit_bench

soak: $(VENV)/.dev
	@$(BIN)/muster weights fetch --all
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.whole.soak --visits $(VISITS) --seed $(SEED)

screens: $(VENV)/.dev
	@$(BIN)/muster weights fetch --all
	@MUSTER_SCREENS=docs/screens MUSTER_REQUIRE_BROWSER=1 $(BIN)/python -m pytest -m browser

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
