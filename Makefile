# `make` lists what there is. Any command first builds .venv if it is missing or out of date.

# The versions that `make matrix` tries; the first that is here builds .venv.
PYTHONS := python3 python3.13 python3.12 python3.11 python3.10
PYTHON ?=
ARGS ?=
WORKERS ?= 2

VENV := .venv
BUILT := $(VENV)/.built
BUILDING := $(VENV)/.building
TOOLS := $(VENV)/.tools
DOCS_TOOLS := $(VENV)/.docs_tools
RUN := $(VENV)/bin/python
# A file's tests stay together: they share what was trained for them.
PYTEST := $(RUN) -m pytest -q --durations=10 -n $(WORKERS) --dist loadfile

# Interpreters that pyenv keeps count as being here.
PYENV := $(wildcard $(HOME)/.pyenv/versions/3.*/bin)
EMPTY :=
NOX := PATH="$$PATH:$(subst $(EMPTY) $(EMPTY),:,$(PYENV))" $(RUN) -m nox

# The demo's page is tested in a browser; where there is none, those tests are skipped.
BROWSER := command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
  echo 'No browser here, so that the page of leo_tf.demo is not tested:' \
    'apt-get install --no-install-recommends chromium chromium-driver'

.PHONY: help run test test-all lint docs matrix dist clean
.DEFAULT_GOAL := help

help:  ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo '  ARGS="..." goes to the command: make run ARGS="--shot=5"'
	@echo '  WORKERS=1 tests in one process instead of two side by side'
	@echo '  PYTHON=... picks the interpreter that builds $(VENV): 3.10 to 3.13'

run: $(BUILT)  ## Train, test and export LEO on the default data (5-way 1-shot)
	@$(RUN) -m leo_tf.run $(ARGS)

test: $(TOOLS)  ## Run the tests, but for the long ones
	@$(BROWSER)
	@$(PYTEST) -m "not long" $(ARGS)

test-all: $(TOOLS)  ## Run all tests
	@$(BROWSER)
	@$(PYTEST) $(ARGS)

lint: $(TOOLS)  ## Check style, formatting, types and which room imports which
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(VENV)/bin/lint-imports --no-cache
	@$(RUN) -m mypy

docs: $(DOCS_TOOLS)  ## Build the documentation site; warnings are errors
	@$(RUN) docs/site/assemble.py build/pages
	@NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build
	@echo build/site/index.html

matrix: $(TOOLS)  ## Try each Python that is here with each TensorFlow: hours, and 3 GB at a time
	@$(NOX) --no-error-on-missing-interpreters $(ARGS)

dist: $(TOOLS)  ## Build wheel and sdist of the commit into dist/, twice, and check them
	@$(NOX) --session dist $(ARGS)

clean:  ## Remove caches and build leftovers; keeps .venv, runs and embeddings
	@rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .nox
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# .building marks an installation that was cut short: the next one starts from nothing. The
# marker .built is written last, so only a whole environment counts.
$(BUILT): requirements.txt
	@python=; \
	for candidate in "$(PYTHON)" $(if $(PYTHON),,$(PYTHONS)); do \
	  if "$$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
	    >/dev/null 2>&1; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo 'make: need Python 3.10 to 3.13, and found none as $(or $(PYTHON),$(PYTHONS));' \
	    'install one, or name it: make PYTHON=/path/to/python3.12' >&2; exit 1; fi; \
	if ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then \
	  echo "make: $$python cannot create virtual environments;" \
	    'on Debian and Ubuntu: apt install python3-venv' >&2; exit 1; fi; \
	if [ -e $(BUILDING) ]; then rm -rf $(VENV); fi; \
	rm -f $(BUILT); \
	echo "Installing requirements.txt into $(VENV) with $$python: a few minutes, once."; \
	mkdir -p $(VENV) && touch $(BUILDING) && "$$python" -m venv $(VENV) || exit 1; \
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt & \
	pip=$$!; trap 'kill $$pip 2>/dev/null; exit 130' INT TERM; \
	while kill -0 $$pip 2>/dev/null; do printf .; sleep 2; done; echo; \
	wait $$pip || { echo 'make: the installation failed; see above, then run make again' >&2; \
	  exit 1; }; \
	mv $(BUILDING) $(BUILT) && touch $(BUILT)

$(TOOLS): $(BUILT) requirements-dev.txt
	@echo "Installing requirements-dev.txt into $(VENV)."
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $(TOOLS)

$(DOCS_TOOLS): $(BUILT) requirements-docs.txt
	@echo "Installing requirements-docs.txt into $(VENV)."
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $(DOCS_TOOLS)
