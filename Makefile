# Two commands on a fresh machine: `make profile` (the main job) and `make test` (all tests).
# PYTHON names another interpreter (3.11 or later, with venv and headers).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
NATIVE := $(wildcard native/* include/storeprof/*)

.PHONY: profile test lint setup truth bench-tsdb bench-probe bench-observer bench-analysis bench-memory bench-accuracy bench-peers clean

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

# Ours and other tools in turn; PYTHONS=/path/to/python3.13 takes further interpreters.
bench-probe: .venv-peers/probes
	@.venv-peers/bin/python benchmarks/probe_cost.py $(addprefix --python ,$(PYTHONS)) --out benchmarks/results/probe_cost.txt

bench-tsdb: $(READY)
	@$(BIN)/python benchmarks/tsdb_writes.py

bench-observer: $(READY)
	@$(BIN)/python benchmarks/observer_cost.py

bench-analysis: $(READY)
	@$(BIN)/python benchmarks/analysis_speed.py

bench-memory: $(READY)
	@$(BIN)/python benchmarks/memory_hook_cost.py

# Planted programs whose cause is known, about 20 s each; ONLY=01,45 takes those whose names begin so.
bench-accuracy: $(READY)
	@$(BIN)/python benchmarks/accuracy.py $(if $(ONLY),--only $(ONLY)) --json benchmarks/results/accuracy.json

# What other profilers name on the same programs; they live in an environment of their own.
bench-peers: $(READY) .venv-peers/ready
	@$(BIN)/python benchmarks/accuracy.py peers $(if $(ONLY),--only $(ONLY)) --json benchmarks/results/accuracy_peers.json

.venv-peers/ready:
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	@echo "setup: installing py-spy, scalene and pyinstrument into .venv-peers"
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check py-spy scalene pyinstrument
	@touch $@

.venv-peers/probes:
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	@echo "setup: installing viztracer, yappi, line_profiler, opentelemetry-sdk and prometheus_client into .venv-peers"
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check viztracer yappi line_profiler opentelemetry-sdk prometheus_client
	@touch $@

clean:
	rm -rf $(VENV) .venv-peers build src/*.egg-info
	find src -name '*.so' -delete
