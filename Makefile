# sonotune: everything a newcomer needs is `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The GPU pins are those that ran on a real GPU; they are taken where an NVIDIA driver answers.
GPU := $(shell nvidia-smi -L >/dev/null 2>&1 && echo yes)
LOCK := $(if $(GPU),requirements-gpu.lock,requirements.lock)
INSTALLED := $(VENV)/.installed-$(LOCK)
export HF_HUB_OFFLINE ?= 1
export OMP_WAIT_POLICY ?= PASSIVE
export TOKENIZERS_PARALLELISM ?= false
# Where the shell forbids it (empty: allowed), each of some hundred processes would compile all modules again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install demo test lint unit gpu-test faults fuzz advisories bench base-model lock lock-gpu clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 14

install: $(INSTALLED) ## make .venv from the lock file (with the gpu extra where an NVIDIA driver is present)

$(INSTALLED): requirements.lock requirements-gpu.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: install ## fine-tune the embedded model on drawn phantoms and print the leaderboard
	$(BIN)/sonotune demo

test: lint unit ## format and lint, types, import contracts, tests

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Each test process gets one thread, so that two of them share two cores instead of fighting for them.
unit: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --durations 8

gpu-test: install ## the tests that need an NVIDIA GPU
	$(BIN)/python -m pytest -m gpu

faults: install ## inject some 400 faults into real processes and print what was lost (about an hour; FAULTS=short KINDS=a,b; docs/reliability.md)
	$(if $(KINDS)$(filter short,$(FAULTS)),,$(BIN)/python -m pytest -m long)
	$(BIN)/python tests/faults $(if $(filter short,$(FAULTS)),,--full) \
		$(if $(KINDS),--kinds "$(KINDS)",$(if $(filter short,$(FAULTS)),,--write docs/reliability.md))

fuzz: install ## feed 100,000 hostile inputs to each thing that reads untrusted data (about an hour on 2 cores; docs/security.md)
	$(BIN)/python tests/security --write docs/security.md

advisories: install ## ask the database of advisories about everything that is pinned (needs a network, and pip-audit)
	@if command -v pip-audit >/dev/null; then pip-audit --no-deps --disable-pip -r requirements.lock; else \
	  echo 'pip-audit is not installed (pipx install pip-audit). What is known offline is looked at by make test and doctor.'; exit 1; fi

bench: install ## the benchmarks of tests/benchmarks; each prints RESULT lines
	for program in tests/benchmarks/*.py; do $(BIN)/python $$program 2>/dev/null || exit 1; done

base-model: install ## train the two embedded models anew (one GPU, about 20 minutes)
	$(BIN)/python -m engine.basemodel --size base --steps 2161 --check 0 outputs/base-1
	$(BIN)/python -m engine.basemodel --size base --steps 1155 --seed 1 --learning-rate 1e-3 --start outputs/base-1 assets/base-model
	$(BIN)/python -m engine.basemodel --size large --steps 1178 --check 0 outputs/large-1
	$(BIN)/python -m engine.basemodel --size large --steps 1023 --seed 1 --learning-rate 1e-3 --start outputs/large-1 assets/base-model-large

lock: ## renew requirements.lock from pyproject.toml
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet '.[dev]'
	{ echo '# Exact pins for `make install` on a machine without an NVIDIA GPU; renewed by `make lock`.'; \
	  .venv-lock/bin/python -m pip freeze --exclude sonotune; } > requirements.lock
	rm -rf .venv-lock build

lock-gpu: ## renew requirements-gpu.lock (on a machine with an NVIDIA GPU, after its tests have passed there)
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet '.[dev,gpu]'
	{ echo '# Exact pins for `make install` on a machine with an NVIDIA GPU; renewed there by `make lock-gpu`.'; \
	  .venv-lock/bin/python -m pip freeze --exclude sonotune; } > requirements-gpu.lock
	rm -rf .venv-lock build

clean: ## remove the virtual environment and caches; runs.db, datasets/ and outputs/ stay
	rm -rf .venv .venv-lock .mypy_cache .ruff_cache .pytest_cache build *.egg-info
