# Everything runs in .venv, which is made on first use; only Python 3.11 or newer must be there.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= demo
SECONDS ?= 60
FIRST ?= 0

.PHONY: demo test test-slow check docs cli-docs csaw fuzz format clean

demo: $(VENV)/.run  ## Backdoor a small network, repair it, guard it: the main job in a minute
	$(BIN)/badrepair demo --out $(OUT) --overwrite

test: $(VENV)/.dev  ## Run the tests
	$(BIN)/python -m pytest -n auto -m "not slow"

test-slow: $(VENV)/.dev  ## Run the tests that take long: large networks, all hostile files, runs that are killed
	$(BIN)/python -m pytest -n auto --dist loadfile -m slow

check: $(VENV)/.dev  ## Format, lint, types, import rules, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/mkdocs build --strict --quiet

docs: $(VENV)/.dev  ## Show the documentation while editing it
	$(BIN)/mkdocs serve

cli-docs: $(VENV)/.dev  ## Write docs/cli.md anew from --help
	$(BIN)/python docs/generate_cli.py

csaw: $(VENV)/.dev  ## Check the published CSAW figures: make csaw DATA=folder of the data
	BADREPAIR_CSAW_DATA="$(DATA)" $(BIN)/python -m pytest -rs tests/test_published.py

fuzz: $(VENV)/.dev  ## Open spoilt files for a while: make fuzz SECONDS=600; what fails is kept in fuzz-found
	$(BIN)/python tests/fuzz.py --seconds $(SECONDS) --first $(FIRST) --keep fuzz-found

format: $(VENV)/.dev  ## Format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Remove what was built
	rm -rf $(VENV) demo site build *.egg-info

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "badrepair needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[dev,docs]'
	@touch $@ $(VENV)/.run
