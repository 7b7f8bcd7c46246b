# Each target makes the virtual environment on first use. For users: demo, test. For developers: lint, bench; docs,
# pictures, screenshots and results write the generated parts of the documentation anew.
VENV := .venv
PYTHON := $(VENV)/bin/python
BASE_PYTHON ?= $(firstword $(foreach name,python3.12 python3.11 python3,$(if $(shell $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo found),$(name))))
# A build of torch without CUDA is all that demo and tests need.
TORCH ?= torch==2.13.0

.PHONY: demo test lint bench docs pictures screenshots results

define environment
@test -n "$(BASE_PYTHON)" || { echo "No Python of 3.11 or newer was found. Name one: make BASE_PYTHON=/path/to/python3"; exit 1; }
@echo "Installing into $(VENV), which is done once…"
$(BASE_PYTHON) -m venv $(VENV)
endef

$(VENV)/engine: pyproject.toml
	$(environment)
	$(PYTHON) -m pip install --quiet '$(TORCH)'
	$(PYTHON) -m pip install --quiet --editable '.[report,data,torch]'
	touch $@

$(VENV)/development: pyproject.toml
	$(environment)
	$(PYTHON) -m pip install --quiet '$(TORCH)'
	$(PYTHON) -m pip install --quiet --editable '.[development]'
	touch $@ $(VENV)/engine

$(VENV)/peers: $(VENV)/development
	$(PYTHON) -m pip install --quiet --editable '.[development,peers]'
	touch $@

demo: $(VENV)/engine
	$(VENV)/bin/fluororeg demo

lint: $(VENV)/development
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

# Two at a time, file by file: files share what is dear to make.
test: $(VENV)/development
	$(PYTHON) -m pytest -n 2 --dist loadfile

bench: $(VENV)/peers
	$(VENV)/bin/fluororeg benchmark projector
	$(VENV)/bin/fluororeg benchmark scout

docs: $(VENV)/development
	$(PYTHON) docs/make/reference.py

pictures: $(VENV)/development
	$(PYTHON) docs/make/pictures.py demo-output
	$(PYTHON) docs/make/simulator.py
	$(PYTHON) docs/make/training_pictures.py
	$(PYTHON) docs/make/icons.py

screenshots: $(VENV)/development
	$(PYTHON) docs/make/screenshots.py
	$(PYTHON) docs/make/landmark_screenshots.py

results: $(VENV)/peers
	$(PYTHON) docs/make/results.py
