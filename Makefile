# Set-up and the main jobs. `make help` lists them; Snakefile holds the pipeline itself.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3)
CORES ?= all
CONFIG ?= config.yaml
KERAS ?= requirements/keras.txt
RUNTIME := $(if $(shell nvidia-smi -L 2>/dev/null),gpu,cpu)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Snakemake wants a cache: beside its own files, where HOME cannot be written.
ifeq ($(XDG_CACHE_HOME)$(shell mkdir -p "$$HOME/.cache" 2>/dev/null && [ -w "$$HOME/.cache" ] && echo writable),)
export XDG_CACHE_HOME := $(CURDIR)/.snakemake/cache
endif

.PHONY: help demo all config notebooks-pdf bench-reading test test-slow mutants lint clean
.NOTPARALLEL:

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'
	@echo "  CONFIG=mine.yaml chooses the configuration of demo, all and notebooks-pdf, CORES=4 the number of cores"
	@echo "  KERAS= sets up .venv without TensorFlow (1.3 GB), and models of Keras are left out"

demo: CONFIG := $(if $(filter file,$(origin CONFIG)),config/demo.yaml,$(CONFIG))
demo: all  ## the whole chain at laptop size: some 36 minutes of CPU; docs/demo.md says what it gives
	@[ "$(CONFIG)" != config/demo.yaml ] || python -m e2e.demo results/demo docs/demo.md

all: config .venv/installed  ## the whole chain of config.yaml, and its report
	@python -m e2e.recovery
	@echo "Running the workflow on $(CONFIG) with $(CORES) cores"
	@snakemake --cores $(CORES) all --configfile "$(CONFIG)"
	@results=results/$$(python -m e2e.config "$(CONFIG)"); report=$$results/report.html; \
	if [ ! -e $$report ] || [ -n "$$(find $$results config "$(CONFIG)" workflow/report -newer $$report -type f -print -quit)" ]; then \
	  echo "Writing the report"; \
	  snakemake --report $$report all --configfile "$(CONFIG)"; \
	else echo "The report is up to date"; fi; \
	echo "$(CURDIR)/$$report"

config:  # says what is wrong with the configuration before gigabytes are installed
	@[ ! -f .venv/pyvenv.cfg ] || { old=$$(sed -n 's/^command = .* -m venv //p' .venv/pyvenv.cfg); [ -z "$$old" ] || [ "$$old" -ef .venv ]; } || \
	  { echo ".venv was made as $$old, and works only there: rm -r .venv, then make again" >&2; exit 1; }
	@[ -f "$(CONFIG)" ] || { echo "CONFIG=$(CONFIG): there is no such file; here are: $$(grep -l '^run:' config.yaml config/*.yaml | paste -sd ' ')" >&2; exit 1; }
	@$(MAKE) .venv/started
	@PYTHONPATH=src python -m e2e.config "$(CONFIG)" >/dev/null

notebooks-pdf: config .venv/installed  ## the notebooks as results/<run>/<task>/notebook.pdf, by Chromium or LaTeX
	@snakemake --cores $(CORES) notebooks_pdf --configfile "$(CONFIG)"

bench-reading: config .venv/installed  ## how fast data move, against what others do: results/benchmark/reading.{json,png}, some minutes
	@python -m e2e.report.reading results/benchmark/reading.json results/benchmark/reading.png --config "$(CONFIG)"

test: .venv/installed  ## lint and the fast tests
	@$(MAKE) lint
	@pytest -n auto --maxprocesses 8 --dist loadfile

test-slow: .venv/installed  ## the tests that take minutes: sanitizers, ONNX Runtime 1.17, killed jobs, the container
	@pytest -m slow -n auto --maxprocesses 2 --dist loadfile

mutants: .venv/installed  ## do the tests bite: N=120 small faults in data/, learning/ and deploy/, chosen by SEED=1; hours
	@PYTHONPATH=src python tests/mutants.py $(or $(N),120) $(or $(SEED),1)

lint: .venv/installed
	@ruff check . && ruff format --check .
	@lint-imports --no-logo --no-cache
	@mypy
	@snakefmt --check Snakefile rules
	@snakemake --lint
	@clang-format --dry-run --Werror $$(find cmssw tests/cmssw -name '*.cc' -o -name '*.h')

clean:  ## remove all that results/ holds, of every run, downloads too, and Snakemake's records; .venv stays
	@[ ! -d results ] || find -H results -mindepth 1 -delete  # -H: results may be a link to a larger disk
	@rm -rf .snakemake

REQUIREMENTS := $(patsubst %,requirements/%.txt,base workflow dev $(RUNTIME)) $(KERAS)
PACKAGES := $(REQUIREMENTS:%=-r %) -c requirements/constraints.txt

.venv/started:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, and here is: $$($(PYTHON) --version 2>&1); install it, or name it: make PYTHON=/usr/bin/python3.11" >&2; exit 1; }
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet $$(grep -hiE '^(pyyaml|jsonschema)==' requirements/base.txt)
	@touch $@

.venv/installed: requirements/torch.txt $(REQUIREMENTS) requirements/constraints.txt pyproject.toml cmssw/standalone/fetch-headers | .venv/started
	@echo "Setting up .venv (about $(if $(KERAS),4,3) GB, some minutes; only when requirements change)"
	@command -v g++ >/dev/null || { containers/apt-install g++; }
	@$(BIN)/pip install --quiet uv==0.13.9
	@echo "  torch"
	@$(BIN)/pip install --quiet -r requirements/torch.txt
	@echo "  the other packages, with ONNX Runtime for $(RUNTIME)"
	@# uv is much faster, but does not read pip's own configuration: where that is needed, pip does the same
	@# --compile-bytecode, as pip does unasked: where PYTHONDONTWRITEBYTECODE is set, as in many images, each process
	@# would compile all that it imports, for 5 s
	@uv pip install --quiet --compile-bytecode --python $(BIN)/python $(PACKAGES) || $(BIN)/pip install --quiet $(PACKAGES)
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@echo "  headers of ONNX Runtime and doctest into .deps"
	@cmssw/standalone/fetch-headers .deps
	@touch $@
