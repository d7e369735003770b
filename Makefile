# Every target does its own set-up: all it needs is Python 3.11, git and make.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
READY := .venv/.ready
DEMO := demo-home
CODE := src tests bench

# What an earlier demo made, and nothing else: rmdir stops at anything left.
forget-demo = rm -rf $(DEMO)/service $(DEMO)/country; [ ! -e $(DEMO) ] || rmdir $(DEMO)

.PHONY: help demo test test-long test-kills test-spark check bench kit docs lock clean

help: ## list what there is
	@echo "make TARGET, where TARGET is one of:"
	@awk -F ':[^#]*## ' '/^[a-z-]+:[^#]*## / {printf "  %-10s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): .ci/prepare requirements.txt pyproject.toml
	@.ci/prepare

demo: $(READY) ## the whole journey on a fictional country, from new (ARGS="--people 20000" for a smaller one)
	@$(forget-demo)
	@$(BIN)/ids demo --home $(DEMO) $(ARGS)

# Two workers on two cores: with more threads than these, linear algebra mostly waits for its own. Each takes a file
# after the other, in the order of tests/conftest.py: the longest first.
test test-long: export OPENBLAS_NUM_THREADS := 1
test test-long: workers := -n 2 --dist loadfile --no-loadscope-reorder

test: $(READY) ## every test that takes seconds and no extra services (ARGS="-k gate" for some)
	@$(BIN)/pytest $(workers) $(ARGS)

test-long: $(READY) ## whole journeys, by many commands and on large real files (minutes)
	@$(BIN)/pytest $(workers) -m 'long and not spark' $(ARGS)

test-kills: $(READY) ## kill -9 at random moments of loads, and disks that fill up (minutes)
	@$(BIN)/pytest -m kills $(ARGS)

test-spark: $(READY) ## queries and loads on DuckDB, Sail and Apache Spark, equal results (minutes; needs Java 17)
	@.ci/prepare --spark
	@$(BIN)/pytest tests/spec/test_spark_functions.py tests/journeys/test_spark_gateway.py tests/journeys/test_spark_loading.py tests/journeys/test_spark_specimen.py tests/journeys/test_iceberg.py -m 'spark or not spark' $(ARGS)

check: $(READY) ## format, lint, types, import contracts, limits and documentation
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/pytest tests/house

bench: $(READY) ## measure against the anchors (ARGS="deliver" for one); skips what lacks its data
	@$(BIN)/ids bench $(ARGS)

kit: $(READY) ## the supplier's kit as one file, dist/ids-kit.pyz (PLATFORM=win_amd64 for Windows)
	@mkdir -p dist
ifdef PLATFORM
	@$(BIN)/ids kit needs > dist/kit-needs.txt
	@$(BIN)/python -m pip download -q --platform $(PLATFORM) --python-version 3.11 --only-binary :all: --no-deps \
		--dest dist/wheels-$(PLATFORM) -r dist/kit-needs.txt
	@$(BIN)/ids kit build dist/ids-kit-$(PLATFORM).pyz --wheels dist/wheels-$(PLATFORM)
else
	@$(BIN)/ids kit build dist/ids-kit.pyz
endif

docs: $(READY) ## write the generated pages of docs/ again (commands, state diagrams)
	@$(BIN)/python -m tests.house.pages

lock: ## resolve the dependencies anew and write requirements.txt
	@.ci/prepare --lock

clean: ## remove the virtual environment, caches and the demo
	@$(forget-demo)
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
