# Two commands for a start: `make search` and `make test`. The first installs what a search needs into .venv, the second the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PARALLEL := -n auto --maxprocesses 4
BY_FILE := $(PARALLEL) --dist loadfile
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

# One after the other also with -j: both kinds of installation write to the same folder.
.NOTPARALLEL:
.PHONY: env search test test-slow test-dist test-python dist docs fuzz audit lint clean help

help:
	@echo "make search     a first search: small MUXNets trained on digits, about two minutes; leaves runs/first/; once installs 1.9 GB"
	@echo "make test       the tests; once installs 0.9 GB more"
	@echo "make test-slow  the tests that take minutes"
	@echo "make dist       a wheel and an sdist in dist/"
	@echo "make test-dist  installs the wheel into an empty environment and searches there: some minutes, 2 GB (PYTHON=python3.12: on another Python)"
	@echo "make test-python PYTHON=python3.12   the quick tests on another Python: some minutes, 2 GB and more"
	@echo "make docs       the documentation as a site, in site/"
	@echo "make fuzz       damaged inputs of every kind, about 100,000, an hour"
	@echo "make audit      known vulnerabilities of the installed packages"
	@echo "make lint       style and types"
	@echo "make env        the environment .venv only, for all of these (2.8 GB)"

# Two stamps: .product for the packages of a search, .installed for those of the tests and tools as well. A search needs
# no stamp of its own where everything is installed.
PRODUCT := $(VENV)/.product
EVERYTHING := $(VENV)/.installed
SEARCHES := $(firstword $(wildcard $(EVERYTHING)) $(PRODUCT))

# $(call install,PACKAGE,WHAT)
comma := ,
define install
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("Python 3.10 or newer is needed, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.11 ...")'
	@echo "Installing into $(VENV): $(2) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip
	@$(PIP) --editable '$(1)'
	@# Also as a path: beside a clone in a folder named nas, Python would take the folder for the package.
	@echo '$(CURDIR)' > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/clone.pth"
	@touch $@
endef

env: $(EVERYTHING)

$(PRODUCT): setup.cfg pyproject.toml constraints.txt
	$(call install,.,the packages of a search (1.9 GB$(comma) more with PyTorch for GPUs; some minutes))

$(EVERYTHING): setup.cfg pyproject.toml constraints.txt
	$(call install,.[dev],the packages of tests and tools as well (2.8 GB$(comma) some minutes))

search: $(SEARCHES)
	@if [ -e runs/first/history.sqlite ]; then \
		echo "runs/first holds a search already: remove it for a new one (rm -r runs/first), or see it with: $(BIN)/nas front runs/first"; exit 4; fi
	@$(BIN)/nas search

test: env
	$(BIN)/python -m pytest $(PARALLEL) --dist worksteal

# Some start and kill whole clusters, which may be slower than they allow for: one that fails is tried once more, and
# counted as rerun.
test-slow: env
	$(BIN)/python -m pytest $(BY_FILE) -m slow --timeout 400 --reruns 1 --durations 25 -v

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --python-version 3.10 --no-warn-return-any --no-warn-unused-ignores

# Pages of the reference are made from the code; a warning is an error. To look at it: python3 -m http.server -d site
docs: env
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

dist: env
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

test-dist: env
	NAS_DIST_PYTHON=$$(command -v $(PYTHON)) $(BIN)/python -m pytest tests/release -m dist --timeout 2400

# On the newest packages that the other Python can have; PyTorch as pinned, for others may bring gigabytes for GPUs.
OTHER := .venv-python
test-python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("Python 3.10 or newer is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv --clear $(OTHER)
	grep '^torch==' constraints.txt > $(OTHER)/torch.txt
	$(OTHER)/bin/python -m pip install --disable-pip-version-check --quiet --constraint $(OTHER)/torch.txt --editable '.[dev]'
	$(OTHER)/bin/python -m pytest tests/core tests/pareto tests/algorithms tests/runs tests/engine tests/cli tests/export $(BY_FILE)

clean:
	rm -rf $(VENV) $(OTHER) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Damaged inputs of every kind, about 100,000 of them; NAS_FUZZ_INPUTS is how many each test tries.
fuzz: env
	NAS_FUZZ_INPUTS=$${NAS_FUZZ_INPUTS:-4000} $(BIN)/python -m pytest tests/hostile $(BY_FILE) --timeout 7200

# Known vulnerabilities of the pinned versions, from the public databases; fails where it gets no answer.
audit: env
	$(PIP) pip-audit
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict
