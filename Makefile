# Two commands: `make run` starts everything, `make test` runs every test. Nothing needs to be installed by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := 0.13.9
SECONDS := 600
DATABASE := sqlite

.PHONY: help setup dev run test test-postgresql image-test soak soak-everything soak-hosts fuzz pull-fuzz check audit \
	licences settings format translations screenshots lock bench clean

help:
	@echo "make run     start Pulsegate at http://127.0.0.1:9000 (OTX_API_KEY set: against OTX; else the demo)"
	@echo "make test    run every test        make check   run every linter"
	@echo "make setup   only make .venv       make format  format the code"
	@echo "make audit   what is known to be wrong with the pinned versions, as far as an index can be asked"
	@echo "make lock    pin the newest versions that pyproject.toml allows"
	@echo "make translations   take the texts of the pages into the catalogue of Japanese"
	@echo "make licences       docs/licences.md, from what is installed"
	@echo "make settings       docs/settings.md, from the models of the settings"
	@echo "make screenshots    each page, light, dark and narrow, into var/screenshots"
	@echo "make test-postgresql   run every test on PostgreSQL, which comes with the tests; else most are run on SQLite"
	@echo "make bench   run the benchmarks    make clean   remove .venv and caches"
	@echo "make image-test   what the Dockerfile does, each command of it, without a container engine; as root"
	@echo "make soak    publishers and polls, killed at random, for SECONDS=600 on DATABASE=sqlite or postgresql"
	@echo "make soak-everything   pulls, publications, pages and polls together, undisturbed; memory from 600 seconds on"
	@echo "make soak-hosts   servers and workers behind nginx, killed at random, for SECONDS=600"
	@echo "make fuzz    bent messages and requests to the TAXII service for SECONDS=600"
	@echo "make pull-fuzz   pulls from an OTX that misbehaves and changes for SECONDS=600, and 200 kills"

# .venv with the pinned packages; made again when the pins or the Python change.
setup: $(VENV)/.installed
dev: $(VENV)/.installed-dev

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Pulsegate needs Python 3.11 or later; name one with: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python requirements.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: setup
	@exec $(BIN)/pulsegate serve --demo-without-key

test: dev
	$(BIN)/pytest -n auto --dist worksteal

# `make test` runs what concerns the database most on both kinds, the rest on SQLite; this all on PostgreSQL.
test-postgresql: dev
	TEST_DATABASE=postgresql $(BIN)/pytest -n auto --dist worksteal

# Each command of the Dockerfile, from nothing; needs root, and a package index.
image-test: dev
	IMAGE_TEST=whole $(BIN)/pytest tests/deploy

soak: dev
	cd tests && ../$(BIN)/python -m soak.ledger --seconds $(SECONDS) --database $(DATABASE)

soak-everything: dev
	cd tests && ../$(BIN)/python -m soak.everything --seconds $(SECONDS) --database $(DATABASE)

soak-hosts: dev
	cd tests && ../$(BIN)/python -m soak.hosts --seconds $(SECONDS)

fuzz: dev
	FUZZ_SECONDS=$(SECONDS) $(BIN)/pytest tests/taxii/test_fuzz.py

pull-fuzz: dev
	PULL_SECONDS=$(SECONDS) PULL_KILLS=200 $(BIN)/pytest tests/functional/test_pull_survives.py \
		tests/functional/test_pull_killed.py

check: dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Fails for a known hole, never because no index is reached; then it says that nothing is known.
audit: dev
	cd tests && ../$(BIN)/python -m dependencies.audit

licences: dev
	cd tests && ../$(BIN)/python -m dependencies.licences

settings: dev
	$(BIN)/python -m pulsegate.settings.reference > docs/settings.md

format: dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Takes the texts of the pages into the catalogue; those that are new stand there with an empty msgstr.
translations: dev
	$(BIN)/python -m pulsegate.web.catalogue

screenshots: dev
	PYTHONPATH=tests $(BIN)/python -m browser.shots

# The lock files name no index: each machine uses its own.
lock: dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV)
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url --no-header \
		pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url --no-header \
		--group dev -c requirements.txt pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url --no-header \
		--group build -c requirements.txt -o requirements-build.txt

bench: dev
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
