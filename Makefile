# Every target sets itself up: it needs git, make and python3 (3.11 or newer), nothing else.
PYTHON ?= python3
BIN := .venv/bin

# Real images for the tests lie beside the checkout on some machines; without them those tests are skipped.
TEST_DATA := $(abspath ../shared/data)
ifneq ($(wildcard $(TEST_DATA)/.),)
export XRAYREG_TEST_DATA ?= $(TEST_DATA)
endif

.PHONY: help setup demo test lint format clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

setup:  ## make .venv (done by the other targets as needed)
	@$(PYTHON) tools/setup_venv.py

demo: setup  ## register a real chest CT with two of its X-rays, into demo-output/
	$(BIN)/xrayreg demo --out demo-output

test: lint  ## lint, then all tests
	$(BIN)/python -m pytest -q

lint: setup  ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup  ## mend style and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove all that the other targets made
	rm -rf .venv demo-output build dist .pytest_cache .ruff_cache XrayRegistration/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
