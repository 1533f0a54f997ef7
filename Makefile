# make demo: from a fresh checkout to a small dataset. make test, make lint: what CI runs.
PYTHON ?= python3
VENV ?= .venv
OUT ?= out
CONSTRAINTS ?= constraints.txt
WORKERS ?=
NOTEBOOK_DATA ?= $(OUT)/hlo-10k
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format sample soak kills bench mutants notebooks clean

help:  ## Show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(INSTALLED): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than Python 3.11: run make PYTHON=/path/to/a/newer/python"; exit 1; }
	@echo "Installing into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint $(CONSTRAINTS) --editable '.[dev]'
	@touch $@

install: $(INSTALLED)  ## Install the project and its tools into .venv

demo: $(INSTALLED)  ## Build hlo-100 into out, and show a row of it
	@$(BIN)/jax-ir-pairs register
	@echo "Building hlo-100 into $(OUT)"
	@$(BIN)/jax-ir-pairs build hlo-100 --out $(OUT) $(if $(WORKERS),--workers $(WORKERS))
	@echo
	@$(BIN)/jax-ir-pairs show $(OUT) --config hlo-100 --row 1 --lines 24
	@echo
	@echo "Load it:   $(BIN)/python -c \"from datasets import load_dataset; print(load_dataset('$(OUT)', 'hlo-100'))\""
	@echo "Go on:     $(BIN)/jax-ir-pairs --help, README.md, examples/"

test: $(INSTALLED)  ## Run the tests
	@$(BIN)/python -m pytest -n auto $(TESTS)

lint: $(INSTALLED)  ## Run ruff and the type checker over source and tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(INSTALLED)  ## Format source and tests
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

sample: $(INSTALLED)  ## Make data/sample again, after a change that changes rows
	@rm -rf $(OUT)/sample
	@$(BIN)/jax-ir-pairs build data/sample/sample.yaml --out $(OUT)/sample --shards 0:1
	@cp $(OUT)/sample/sample/train-00000-of-00001.parquet data/sample/

soak: $(INSTALLED)  ## Run every sketch; extract 300 programs in all surroundings, stop the compiler at 1,000, compare
	@$(BIN)/python -m tests.synthesis.sketching.programs all 1
	@$(BIN)/python -m tests.extraction.same_bytes 300
	@$(BIN)/python -m tests.extraction.same_modules 1000

kills: $(INSTALLED)  ## Kill 50 builds at random moments, and workers of hlo-1k every 5 seconds
	@$(BIN)/python -m tests.faults.kills 50
	@$(BIN)/python -m tests.faults.kills 5 --real
	@$(BIN)/python -m tests.faults.soak hlo-1k --every 5

bench: $(INSTALLED)  ## Run the benchmarks
	@for file in benchmarks/*.py; do echo "$$file"; $(BIN)/python $$file || exit 1; done

mutants: $(INSTALLED)  ## Prove the verifier by 2,000 mutants and 1,000 true rows at each level (hours)
	@$(BIN)/python benchmarks/mutants.py --rows 1000 --of 250 --mutants 2000

notebooks: $(INSTALLED)  ## Run the notebooks again on NOTEBOOK_DATA (a build of hlo-10k), and keep what they show
	@JAX_IR_PAIRS_DATA=$(abspath $(NOTEBOOK_DATA)) $(BIN)/python -m tests.examples.renew_notebooks

clean:  ## Remove what make made
	rm -rf $(VENV) $(OUT) .mypy_cache .ruff_cache .pytest_cache .hypothesis
