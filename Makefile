# Needs make, a POSIX shell and Python 3.11; everything else is installed into .venv.
.DEFAULT_GOAL := help
.PHONY: help setup run stop shell test coverage mutants actions check validate bench requirements

VENV := .venv
PYTHON := $(VENV)/bin/python
# What is installed, word for word: while it equals the pins there is nothing to do.
INSTALLED := $(VENV)/.installed

# For the lowest Python that is supported: Debian's 3.11.2 needs a package that 3.11.3 does without.
COMPILE := --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet

# One test process per core, and not more than four: each has a database of its own.
WORKERS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
ARGS ?=

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PORT=8001 make run               another port        HOST=0.0.0.0 make run  for other machines"
	@echo "  DEBUG=1 make run                 tracebacks in the browser, code reloads"
	@echo "  DEBUG=1 SQL_LOG=1 make run       also logs each SQL statement with its milliseconds"
	@echo "  LOCAL_DIR=/elsewhere make run    another folder for the embedded servers and their data"
	@echo "  ARGS='tests/b2b -k seat' make test    some of the tests"

setup: ## Make .venv and install the pinned packages, if that is not done
	@cmp -s requirements/dev.txt $(INSTALLED) && $(PYTHON) -c '' 2>/dev/null || { \
		set -e; \
		$(PYTHON) -c '' 2>/dev/null || { \
			for name in python3.11 python3.12 python3.13 python3 python; do \
				if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$name; break; fi; \
			done; \
			if [ -z "$$found" ]; then echo "Python 3.11 or newer is needed, and no python3.11 or python3 on the PATH is that." >&2; exit 1; fi; \
			echo "Making $(VENV) with $$found …"; \
			$$found -m venv --clear $(VENV) || { echo "$$found can't make a virtual environment here. On Debian: apt-get install python3-venv" >&2; exit 1; }; \
		}; \
		echo "Installing the pinned packages, about a minute …"; \
		$(PYTHON) -m pip install --quiet --root-user-action ignore --disable-pip-version-check --no-input \
			--require-hashes -r requirements/dev.txt; \
		cp requirements/dev.txt $(INSTALLED); \
	}

run: setup ## Start everything with demo content; Ctrl-C stops it
	@exec $(PYTHON) -m dev.embedded run

stop: ## End embedded servers that manage.py left running
	@if [ -x $(PYTHON) ]; then exec $(PYTHON) -m dev.embedded stop; else echo "Nothing was running."; fi

shell: setup ## A Python shell with every model imported
	@exec $(PYTHON) manage.py shell

test: setup ## Run the tests
	@exec $(PYTHON) -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadgroup $(ARGS)

coverage: setup ## Run the tests and report which lines and branches no test reaches
	@$(PYTHON) -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadgroup --cov --cov-branch --cov-report=term --cov-report=html $(ARGS)
	@$(PYTHON) -m tests.ops.coverage_by_package

mutants: setup ## Change rules, prices and payments one place at a time; list what no test notices
	@exec $(PYTHON) -m tests.mutants --jobs $(WORKERS) $(ARGS)

actions: setup ## Renew and print the table of what each action of the Wagtail admin does (tests/cms/actions/outcomes.csv)
	@exec $(PYTHON) -m tests.cms.actions $(ARGS)

check: setup ## Lint, formats, spelling, dependencies, types, import directions, templates, migrations, settings
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(VENV)/bin/codespell
	$(VENV)/bin/deptry .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/djlint --quiet --lint frontend reports cms b2b ecommerce courses mitxonline dev
	DJANGO_SETTINGS_MODULE=mitxonline.settings.test $(PYTHON) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(PYTHON) manage.py check --settings mitxonline.settings.test --fail-level WARNING
	$(PYTHON) -m tests.ops.deploy_check
	$(PYTHON) -m mypy .

validate: check test ## Both: check, then test

bench: setup ## Measure the budgets
	@exec $(PYTHON) -m tests.bench $(ARGS)

requirements: setup ## Update every pin to the newest allowed version and install it
	$(PYTHON) -m uv pip compile pyproject.toml --upgrade $(COMPILE) --output-file requirements/base.txt
	$(PYTHON) -m uv pip compile pyproject.toml --group dev --upgrade $(COMPILE) --output-file requirements/dev.txt
	@$(MAKE) --no-print-directory setup
