# Every target sets itself up: it needs git, make and python3 (3.11 or newer), nothing else.
PYTHON ?= python3
BIN := .venv/bin

# Real images for the tests lie beside the checkout on some machines; without them those tests are skipped.
TEST_DATA := $(abspath ../shared/data)
ifneq ($(wildcard $(TEST_DATA)/.),)
export XRAYREG_TEST_DATA ?= $(TEST_DATA)
endif

.PHONY: help setup demo test benchmark registration networks bones fuzz pictures lint format clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

setup:  ## make .venv (done by the other targets as needed)
	@$(PYTHON) tools/setup_venv.py

demo: setup  ## register a real chest CT with two of its X-rays, into demo-output/
	$(BIN)/xrayreg demo --out demo-output

test: lint  ## lint, then all tests
	$(BIN)/python -m pytest -q

benchmark: setup  ## time rendering against nanodrr and DiffDRR, which it installs into .venv-benchmark
	test -d .venv-benchmark || $(PYTHON) -m venv .venv-benchmark
	.venv-benchmark/bin/pip install -q -c constraints.txt -e ".[networks]" nanodrr==0.1.7 diffdrr==0.6.1
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python Testing/benchmarks/first_call.py
	OMP_WAIT_POLICY=PASSIVE .venv-benchmark/bin/python Testing/benchmarks/renderers.py
	OMP_WAIT_POLICY=PASSIVE .venv-benchmark/bin/python Testing/benchmarks/training_step.py --rounds 5

registration: setup  ## capture range and accuracy of registration, on simulated and real X-rays, into build/ (an hour)
	mkdir -p build
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python Testing/benchmarks/registration.py build/single --starts 10
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python Testing/benchmarks/registration.py build/pairs --starts 6 --pairs
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python Testing/benchmarks/wrist.py build/wrist --starts 10

networks: setup  ## train a pose network for the skull's CT and register 200 X-rays from its starts, into build/ (an hour)
	mkdir -p build
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python Testing/benchmarks/network_geometry.py build/skull.camera.json
	OMP_WAIT_POLICY=PASSIVE $(BIN)/xrayreg train --volume $(XRAYREG_TEST_DATA)/skull_phantom_ct/dicom \
	    --geometry build/skull.camera.json --minutes 15 --card-views 0 --out build/skull.safetensors
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python Testing/benchmarks/pose_network.py build/skull.safetensors build/network \
	    --frontal 60
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python Testing/benchmarks/attention.py build/attention

bones: setup  ## moved bones in simulated chests, and the real wrist's together, into build/ (an hour and more)
	mkdir -p build
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python Testing/benchmarks/polyrigid.py build/bones --dense
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python Testing/benchmarks/polyrigid_labels.py build/bones-labels
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python Testing/benchmarks/wrist_together.py build/wrist-together

fuzz: setup  ## random damage to every reader, ten minutes, into build/
	$(BIN)/python Testing/fuzz/fuzz_readers.py --minutes 10 --out build/fuzz

pictures: setup  ## pictures of the Slicer module's panels and views, into build/pictures/
	$(BIN)/python Testing/gui/take_pictures.py build/pictures

lint: setup  ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup  ## mend style and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove all that the other targets made
	rm -rf .venv .venv-benchmark demo-output build dist .pytest_cache .ruff_cache XrayRegistration/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
