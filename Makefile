# Two commands on a fresh machine: `make profile` (the main job) and `make test` (all tests).
# PYTHON names another interpreter (3.11 or later, with venv and headers).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
NATIVE := $(wildcard native/* include/storeprof/*)

.PHONY: profile test lint setup truth bench-tsdb bench-probe bench-observer bench-analysis clean

profile: $(READY)
	@$(BIN)/storeprof profile tsdb --workload mixed --duration 20

test: $(READY)
	@$(BIN)/python -m pytest

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_house.py

setup: $(READY)

$(READY): pyproject.toml setup.py $(NATIVE)
	@scripts/check_prerequisites.sh $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setup: installing storeprof and its tools into $(VENV) (about a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

truth: $(READY)
	@$(BIN)/python -m pytest tests/truth -v

bench-probe: $(READY)
	@$(BIN)/python benchmarks/probe_cost.py

bench-tsdb: $(READY)
	@$(BIN)/python benchmarks/tsdb_writes.py

bench-observer: $(READY)
	@$(BIN)/python benchmarks/observer_cost.py

bench-analysis: $(READY)
	@$(BIN)/python benchmarks/analysis_speed.py

clean:
	rm -rf $(VENV) build src/*.egg-info
	find src -name '*.so' -delete
