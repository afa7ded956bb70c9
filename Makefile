# Two commands on a fresh machine: `make profile` (the main job) and `make test` (all tests).
# PYTHON names another interpreter (3.11 or later, with venv and headers).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
PAGE := web/node_modules/ready
NATIVE := $(wildcard native/* include/storeprof/*)

.PHONY: profile test lint setup page page-check truth bench-tsdb bench-probe stress-kills bench-observer bench-analysis bench-memory bench-top bench-compare bench-accuracy bench-peers clean

profile: $(READY)
	@$(BIN)/storeprof profile tsdb --workload mixed --duration 20

test: $(READY) $(PAGE) .viewers/ready
	@$(BIN)/python -m pytest

.viewers/ready: scripts/get_viewers.sh tests/exports/package-lock.json
	@echo "setup: getting the viewers that tests open exports with into .viewers"
	@scripts/get_viewers.sh

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
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,viewers]'
	@touch $@

# The script and style of `report --html`, built from web/ and committed; page-check says whether they are stale.
page: $(PAGE)
	@cd web && npm run --silent check && npm run --silent build

page-check: $(PAGE)
	@cd web && npm run --silent check && npm run --silent verify

$(PAGE): web/package.json web/package-lock.json
	@scripts/check_page_prerequisites.sh
	@echo "setup: installing what builds the page of reports into web/node_modules"
	@cd web && npm ci --silent --no-audit --no-fund
	@touch $@

truth: $(READY)
	@$(BIN)/python -m pytest tests/truth -v

# Ours and other tools in turn; PYTHONS=/path/to/python3.13 takes further interpreters, MINITRACE= and TRACY= folders of sources.
bench-probe: .venv-peers/probes
	@.venv-peers/bin/python benchmarks/probe_cost.py $(addprefix --python ,$(PYTHONS)) $(addprefix --minitrace ,$(MINITRACE)) $(addprefix --tracy ,$(TRACY)) --out benchmarks/results/probe_cost.txt

# storeprof is killed a thousand times at random moments; the program must not notice (about half an hour).
stress-kills: $(READY)
	@$(BIN)/python benchmarks/recorder_kills.py --kills $(or $(KILLS),1000)

bench-tsdb: $(READY)
	@$(BIN)/python benchmarks/tsdb_writes.py

bench-observer: $(READY)
	@$(BIN)/python benchmarks/observer_cost.py

bench-analysis: $(READY)
	@$(BIN)/python benchmarks/analysis_speed.py

bench-memory: $(READY)
	@$(BIN)/python benchmarks/memory_hook_cost.py

# False alarms and power of a duel beside other tools' rules; MEASURE: seconds of pairs, added to those of earlier times.
bench-compare: $(READY)
	@mkdir -p build
	@$(BIN)/python benchmarks/compare_power.py collect $(or $(MEASURE),480) build/compare_power.pkl
	@$(BIN)/python benchmarks/compare_power.py report build/compare_power.pkl | tee benchmarks/results/compare_power.txt

bench-top: $(READY)
	@$(BIN)/python benchmarks/top_cost.py

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
	rm -rf $(VENV) .venv-peers .viewers web/node_modules build src/*.egg-info
	find src -name '*.so' -delete
