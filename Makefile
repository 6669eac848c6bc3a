# make setup | demo | test | faults | check | bench. Everything happens in .venv, which is made when it isn't there.

PYTHON ?= python3
JOBS ?= 2
DEMO ?= demo

BIN := .venv/bin
INSTALLED := .venv/.installed
SFSC := $(BIN)/sfsc-deploy
PACKAGES := sfsc_deploy trainer exporters profiles
# Two test processes with threads of their own each get in one another's way.
ONE_THREAD := OMP_NUM_THREADS=1

.PHONY: help setup demo test faults check lint format types layers bench clean

help:
	@echo "make setup   install everything into .venv"
	@echo "make demo    train on the drawn images, export three profiles, verify them: a few minutes"
	@echo "make test    run all tests"
	@echo "make faults  show what verify-compat says of each known fault, and of what is sound"
	@echo "make check   lint, types and layers"
	@echo "make format  put the code into the house's format"
	@echo "make bench   run the benchmarks"
	@echo "make clean   remove .venv, caches and the demo"

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@echo "Installing into .venv: some minutes the first time."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev,all]'
	@touch $@

demo: $(INSTALLED)
	rm -rf $(DEMO)
	$(SFSC) train --out $(DEMO)/run
	$(SFSC) export $(DEMO)/run --profile server-cpu --profile android --profile raspberry-pi --out $(DEMO)/dist
	$(SFSC) verify-compat $(DEMO)/dist/server-cpu.onnx $(DEMO)/dist/android.onnx $(DEMO)/dist/raspberry-pi.onnx \
	  --json $(DEMO)/verdict.json
	@echo
	@echo "The run        $(DEMO)/run           (training.png: the curves; evaluation.json: the figures)"
	@echo "The artifacts  $(DEMO)/dist          (one model and its sidecar for each device)"
	@echo "The verdict    $(DEMO)/verdict.json"

test: $(INSTALLED)
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

faults: $(INSTALLED)
	$(BIN)/python -m pytest -s --show-capture=no tests/verification/test_verification_menagerie.py

check: lint types layers

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(INSTALLED)
	$(BIN)/mypy $(foreach package,$(PACKAGES),-p $(package))

layers: $(INSTALLED)
	$(BIN)/lint-imports

# One process per benchmark: models that take turns in one process slow each other down.
bench: $(INSTALLED)
	@for file in benchmarks/*.py; do echo "$$file"; $(BIN)/python "$$file" || exit; done

clean:
	rm -rf .venv $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
