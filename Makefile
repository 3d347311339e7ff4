# Three commands do everything on a fresh machine: `make demo`, `make serve` and `make test`. Each makes .venv itself.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What the demo uses beside the library: the face finder, and the weights under the shipped detector (with them 60 MB).
DEMO_EXTRAS := faces,pretrained
# What the service uses: pictures and videos, scored by ONNX Runtime, on the weights under the shipped detector.
SERVE_EXTRAS := serve,faces,onnx,pretrained,video,provenance
# More settings of the service, as in make serve FLAGS=--port=8080
FLAGS ?=
# How long the service is loaded with good and hostile requests.
MINUTES ?= 5
# What development needs; with `bench` too, the tests of the benchmark's PyTorch half run (on Linux, several GB).
EXTRAS ?= dev

.PHONY: demo serve test soak lint types setup clean help

help:  ## Show this list.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /: /'

demo: $(VENV)/.installed-$(DEMO_EXTRAS)  ## Meta-train, hold one forgery method out, adapt to it: one table, runs/demo/.
	$(BIN)/python -m experiments.demo --workdir=runs/demo

serve: $(VENV)/.installed-$(SERVE_EXTRAS)  ## Serve the shipped detector and its page on this machine, port 8000.
	$(BIN)/metaforge serve --model=docs/strong/detector --state=runs/serve $(FLAGS)

test: $(VENV)/.installed-$(EXTRAS)  ## Run the whole test suite.
	JAX_PLATFORMS=cpu OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=30 --durations-min=5

soak: $(VENV)/.installed-$(EXTRAS)  ## Load the service for minutes (MINUTES=5): no wrong answer, none lost, memory flat.
	JAX_PLATFORMS=cpu $(BIN)/python -m experiments.serving.soak --minutes=$(MINUTES)

lint: $(VENV)/.installed-$(EXTRAS)  ## Check style.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-$(EXTRAS)  ## Check types.
	$(BIN)/pyright

setup: $(VENV)/.installed-$(EXTRAS)  ## Make .venv with everything for development.

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit("metaforge needs Python 3.11 or newer; call: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed-%: pyproject.toml constraints.txt | $(VENV)/.made
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[$*]'
	$(BIN)/python -W ignore::RuntimeWarning -m metaforge.data.detection.model_files
	@touch $@

clean:  ## Remove the virtual environment and caches; runs stay.
	rm -rf $(VENV) .pytest_cache .ruff_cache
