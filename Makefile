# make run    see kgen work: installs it into .venv, trains, exports, draws pictures (5 minutes)
# make test   run every test, on all three backends
# make help   list the rest

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PICTURES := runs/pictures

# The tests need PyTorch, not its CUDA libraries: several gigabytes that PyPI's Linux wheels pull in.
# PyTorch's CPU builds carry "+cpu" in their version. Where pip's own index does not have them, they
# come from PyTorch's index, which is named here and nowhere else.
TORCH_CPU := torch==2.13.0+cpu
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-core test-jax test-tensorflow test-torch test-web test-starters \
	test-old-runtimes test-arm64 test-devices test-android lint types wheel-check clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 28

run: $(VENV)/installed ## train a GAN, a VAE and a DDPM, export them, draw with the exported files
	@mkdir -p $(PICTURES)
	$(BIN)/kgen train gan
	$(BIN)/kgen train vae
	$(BIN)/kgen train ddpm
	set -e; for family in gan vae ddpm; do \
		$(BIN)/kgen export $$family --force; \
		$(BIN)/kgen verify $$family; \
		$(BIN)/kgen generate $$family -n 64 --seed 7 --out $(PICTURES)/$$family.png --force; \
	done
	@echo
	@echo "The pictures, drawn by the exported files:"
	@ls -d $(CURDIR)/$(PICTURES)/*
	@echo "More pictures, of every run:"
	@ls -d $(CURDIR)/runs/*/samples
	@echo "The files for apps, each folder with a README and a report:"
	@ls -d $(CURDIR)/runs/*/export

test: test-core test-jax test-tensorflow test-torch ## run all tests: once, then on each backend

test-core: $(VENV)/installed-for-tests ## run the tests that do not depend on the backend
	$(BIN)/python -m pytest -m "not backend"

test-jax: $(VENV)/installed-for-tests ## run those that do, on JAX
	KERAS_BACKEND=jax $(BIN)/python -m pytest -m backend

test-tensorflow: $(VENV)/installed-for-tests ## ... on TensorFlow
	KERAS_BACKEND=tensorflow $(BIN)/python -m pytest -m backend

test-torch: $(VENV)/installed-for-tests ## ... on PyTorch
	KERAS_BACKEND=torch $(BIN)/python -m pytest -m backend

test-web: $(VENV)/installed-for-tests ## open pages and app in Chromium, and in WebKit where it is installed
	$(BIN)/python -m pytest -m "web$$(command -v WebKitWebDriver >/dev/null && echo ' or webkit')" tests/web
	@echo "What the pages look like: $(CURDIR)/build/web"

test-old-runtimes: $(VENV)/installed-for-tests ## run exported files in the oldest runtimes they claim
	$(BIN)/python -m pytest -m devices tests/exports/devices/test_old_runtimes.py
	@cat build/devices/old-runtimes.md

test-arm64: $(VENV)/installed-for-tests ## run exported files on ARM64, emulated by Debian's QEMU
	$(BIN)/python -m pytest -m devices tests/exports/devices/test_arm64.py
	@cat build/devices/arm64.md

test-devices: $(VENV)/installed-for-tests ## both of these, with one export
	$(BIN)/python -m pytest -m devices tests/exports/devices
	@cat build/devices/*.md

test-android: $(VENV)/installed-for-tests ## build the Android package and try it, without Android
	$(BIN)/python -m pytest -m android tests/android

test-starters: $(VENV)/installed-for-tests ## compile the starters by Kotlin, Swift and npm, which it installs
	$(BIN)/python -m pytest -m starters tests/exports/starter

lint: $(VENV)/installed-for-tests ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-for-tests ## check types
	$(BIN)/pyright --pythonpath $(BIN)/python

wheel-check: $(VENV)/installed-for-tests ## build the wheel, look inside, install and start it
	rm -rf dist build/wheel
	$(BIN)/python -m build
	KGEN_WHEEL=$$(echo dist/*.whl) $(BIN)/python -m pytest tests/core/test_packaging.py
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/pip install dist/*.whl
	build/wheel/bin/pip check
	cd build/wheel && bin/kgen --help
	cd build/wheel && bin/kgen train gan --dry-run
	rm -rf build/wheel

clean: ## remove everything that make made, except runs/
	rm -rf $(VENV) dist build .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps below are made last, so that an installation that failed half-way is begun again.

$(VENV)/created:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("kgen needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --upgrade pip
	@touch $@

$(VENV)/installed: $(VENV)/created pyproject.toml
	$(BIN)/pip install --editable .
	@touch $@

$(VENV)/installed-for-tests: $(VENV)/created pyproject.toml
ifeq ($(shell uname -s),Linux)
	$(BIN)/pip install "$(TORCH_CPU)" \
		|| $(BIN)/pip install --extra-index-url $(TORCH_CPU_INDEX) "$(TORCH_CPU)"
endif
	$(BIN)/pip install --editable ".[jax,torch,tensorboard,dev,web,app]"
	$(BIN)/pip check
	@! $(BIN)/pip list --format=freeze | grep -E '^(nvidia-|triton)' \
		|| { echo "The CUDA packages above are not for tests: see TORCH_CPU in the Makefile."; exit 1; }
	@touch $@ $(VENV)/installed
