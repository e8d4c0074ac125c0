# Everything is set up by the targets themselves: a fresh clone needs python3 (>= 3.11) and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell find src -type f -not -name '*.pyc') pyproject.toml README.md LICENSE

.PHONY: run test test-all test-vscode vsix editors servers bench bench-quick lint format clean

run: $(VENV)/.installed  ## show the main job on a real repository
	$(BIN)/python scripts/demo.py

# The gate is on the unit tests alone: measuring the commands and hosts that the others start nearly doubles their time.
test: $(VENV)/.installed-dev lint  ## lint, types, layers, tests with the coverage gate
	$(BIN)/python -m pytest tests/unit -m "not slow" --cov --cov-report=term:skip-covered
	$(BIN)/python -m pytest tests/integration -m "not slow"

test-all: $(VENV)/.installed-dev lint servers  ## the slow tests, too, and every supported Python found here
	$(BIN)/python -m pytest tests/unit --hypothesis-profile=exploring --cov --cov-report=term:skip-covered
	$(BIN)/python -m pytest tests/integration
	$(BIN)/python scripts/check_mcp_inspector.py
	$(BIN)/nox --no-error-on-missing-interpreters

test-vscode: $(VENV)/.installed-dev vsix  ## the extension in a real VS Code, in a browser; docs/editors.md says what it needs
	$(BIN)/python scripts/check_vscode.py

vsix:  ## check, test and package the extension: editors/vscode/dist/ctx.vsix
	cd editors/vscode && npm ci --no-fund --no-audit --loglevel=error && npm run package

editors:  ## install the editors that the tests drive, with apt-get
	scripts/install_editors.sh

servers: $(VENV)/bin/python  ## the language servers that test-all asks, into .cache/servers
	$(BIN)/python scripts/install_servers.py

bench: $(VENV)/.installed-dev  ## measure every bar; writes benchmarks/results/
	$(BIN)/python benchmarks/run_all.py

bench-quick: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/run_all.py --quick

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf editors/vscode/node_modules editors/vscode/out editors/vscode/dist
	rm -rf $(VENV) build .cache .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .nox

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ctx needs Python 3.11 or later; set PYTHON=…"; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make environments: install its venv package (Debian: apt-get install python3-venv)"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# Installed as a user would, not editable: a package missing from the wheel then shows, and start-up is the real one.
$(VENV)/.installed: $(VENV)/bin/python $(SOURCES)
	rm -rf build
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python $(SOURCES)
	rm -rf build
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade '.[dev]'
	@touch $@ $(VENV)/.installed
