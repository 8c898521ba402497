# Every target sets up what it needs, on a fresh Debian 12 machine with Python 3.11.
#   make demo    the main job, end to end, on this machine
#   make test    unit, property and integration tests
#   make check   format, lint, types, import contracts, generated code
#   make bench   the benchmarks
#   make fuzz    any bytes into every reader, for SECONDS_EACH seconds each (60)
#   make sim     20,000 seeds of the simulation, all planted bugs, a million power cuts, 500 kills, 48 beside a Ray cluster,
#                200,000 questions to the oracle (SEEDS, FROM, PROCESSES); hours
#   make sim-quick   500 seeds, a tenth of the planted bugs (another with each commit), 20,000 power cuts, 20 kills
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What hand-written code there is; tidegate/v1 and tidegate/oip are generated.
SOURCES := tidegate placement broker agents edge tests

.PHONY: setup demo test check bench fuzz sim sim-quick protos protos-check format clean

setup: $(VENV)/.locked

# The lock's digest decides whether the environment is the right one.
$(VENV)/.locked: requirements.lock pyproject.toml
	@bash deploy/setup.sh $(PYTHON) $(VENV)

demo: setup
	@$(BIN)/python -m tidegate.cli.main demo

test: setup
	@$(BIN)/python -m pytest tests

check: setup protos-check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	@$(BIN)/python -m tests.bench

fuzz: setup
	@$(BIN)/python -m tests.fuzzing --seconds $${SECONDS_EACH:-60}

sim: setup
	@$(BIN)/python -m tests.simulation --seeds $${SEEDS:-20000} --from $${FROM:-0} --processes $${PROCESSES:-2}
	@$(BIN)/python -m tests.simulation.planted
	@$(BIN)/python -m tests.disks.powercuts --cuts 1000000 --processes $${PROCESSES:-2}
	@$(BIN)/python -m tests.disks.failing
	@$(BIN)/python -m tests.simulation.kills --kills 500
	@$(BIN)/python -m tests.simulation.kills.training
	@$(BIN)/python -m tests.placement.oracle --cases 200000 --processes $${PROCESSES:-2}

# One command a line, each for itself.
sim-quick: setup
	@$(BIN)/python -m tests.simulation --seeds 500 --processes 2
	@$(BIN)/python -m tests.simulation.planted --rotating
	@$(BIN)/python -m tests.disks.powercuts --cuts 20000 --processes 2
	@$(BIN)/python -m tests.disks.failing
	@$(BIN)/python -m tests.simulation.kills --kills 20

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

protos: setup
	@bash protos/generate.sh $(BIN) .

# Lint, compare with the last commit for breaking changes, regenerate elsewhere and compare byte for byte.
protos-check: setup
	@bash protos/check.sh $(BIN)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .tidegate
