# `make` alone lists the targets. Each sets up what it needs first.
.DEFAULT_GOAL := help
RUN := .venv/bin
.PHONY: help setup contracts demo test check format bench wheel soak mutate update-golden clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

.venv/.ready: pyproject.toml contracts/package-lock.json scripts/setup.sh
	@scripts/setup.sh

setup: .venv/.ready ## make the environment (.venv, npm sources, built contracts)

contracts: setup ## compile the contracts, if a source changed
	@$(RUN)/python -m rwa_sim.chain.artifacts

demo: setup ## run the demo scenario, then walk through the Python API
	@$(RUN)/rwa-sim run solar_demo --out out/demo
	@$(RUN)/python scripts/demo.py

test: setup ## run the tests, as CI does
	@$(RUN)/pytest -q -n 2 --dist loadfile

check: setup ## lint, format and types
	@$(RUN)/ruff check . && $(RUN)/ruff format --check . && $(RUN)/mypy

format: setup ## format the Python sources
	@$(RUN)/ruff check --fix . ; $(RUN)/ruff format .

bench: setup ## measure everything, as ratios within one run
	@$(RUN)/rwa-sim bench --out out/bench

wheel: contracts ## build the wheel, contracts inside
	@$(RUN)/python -m build --wheel --no-isolation

soak: setup ## the long campaigns
	@RWA_SIM_SOAK=1 $(RUN)/pytest -q -m slow

mutate: setup ## break the contracts on purpose; which tests notice
	@$(RUN)/python scripts/mutate.py

update-golden: setup ## rewrite the golden files; review the difference
	@$(RUN)/pytest -q --update-golden

clean: ## remove what was built
	@rm -rf .venv contracts/node_modules rwa_sim/chain/build dist out
