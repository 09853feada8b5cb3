# Every target makes the environment it needs from $(PYTHON), so each can be the first one typed.
# Environments are named after the version: another PYTHON gets another one.

PYTHON ?= python3
# Interpreters, as names or paths between colons, that run the contract and fault suites as well.
MINIGUN_PYTHONS ?= python3.14:python3.14t
# Tests that run at a time.
JOBS ?= 2

VERSION := $(shell $(PYTHON) -c 'import sys, sysconfig; print("{}.{}".format(*sys.version_info) \
	+ "t" * bool(sysconfig.get_config_var("Py_GIL_DISABLED")))')
ifeq ($(VERSION),)
$(error PYTHON=$(PYTHON) does not run; name a Python >= 3.11)
endif
VENV := .venv-$(VERSION)
BIN := $(VENV)/bin

CHECKED := $(wildcard minigun_py examples benchmarks tests)
TYPED := $(wildcard minigun_py examples benchmarks)
PORTABLE := $(wildcard tests/contract tests/faults)
BENCHMARKS := $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py))

.DEFAULT_GOAL := help
# One target after the other, even under -j: the suites compete for cores and for the report.
.NOTPARALLEL:
.PHONY: help demo test check suite portable elsewhere bench soak clean

help:  ## what can be made
	@sed -n 's/^\([a-z]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(VENV)/.cli  ## run the census example, with progress
	@echo 'Running the pipeline of examples/census.py with a live view of its stages:'
	@echo '  minigun run examples/census.py --progress'
	@$(BIN)/minigun run examples/census.py --progress

test: check suite elsewhere  ## check, the whole suite with coverage, then the other Pythons

check: $(VENV)/.dev  ## formatting, lint, types, floors
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports

# The fault suite is not measured: most of what it runs is killed before it could tell.
suite: $(VENV)/.dev  ## the whole suite on $(PYTHON), with the coverage gate
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -n $(JOBS) --ignore=tests/contract --ignore=tests/faults
	$(BIN)/coverage run --rcfile=.coveragerc.workers -m pytest -n $(JOBS) tests/contract
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
	$(BIN)/python -m pytest -n $(JOBS) tests/faults

portable: $(VENV)/.test  ## the contract and fault suites on $(PYTHON)
ifeq ($(PORTABLE),)
	@echo 'no contract or fault suite yet'
else
	$(BIN)/python -m pytest -n $(JOBS) $(PORTABLE)
endif

elsewhere:  ## the contract and fault suites on each of $(MINIGUN_PYTHONS)
	@ran=; missing=; \
	for python in $(subst :, ,$(MINIGUN_PYTHONS)); do \
	    if command -v "$$python" > /dev/null; then \
	        echo "--- contract and fault suites on $$python"; \
	        $(MAKE) --no-print-directory portable PYTHON="$$python" || exit 1; \
	        ran="$$ran $$python"; \
	    else \
	        missing="$$missing $$python"; \
	    fi; \
	done; \
	echo "Other Pythons, run:$${ran:- none}; not found:$${missing:- none}"

bench: $(VENV)/.bench  ## every benchmark; the speed goes into benchmarks/RESULTS.md
	@set -e; for file in $(filter-out benchmarks/speed.py,$(BENCHMARKS)); do \
	    echo "--- $$file"; $(BIN)/python "$$file"; \
	done
	@echo '--- benchmarks/speed.py'
	@$(BIN)/python benchmarks/speed.py --write benchmarks/RESULTS.md

soak: $(VENV)/.test  ## the suite with many more examples, faults and items, and no time-out
	HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -o timeout=0 -o faulthandler_timeout=0

clean:  ## everything made
	rm -rf .venv-* .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache \
	    .pytest_cache .ruff_cache build dist *.egg-info
	find benchmarks examples minigun_py tests -name __pycache__ -prune -exec rm -rf {} + 2> /dev/null || true

# A stamp per extra; --clear leaves no half-made environment behind.
$(VENV)/.made:
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.cli $(VENV)/.test $(VENV)/.dev $(VENV)/.bench: $(VENV)/.%: pyproject.toml $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
