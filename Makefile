# Each target does the set-up that it needs. Wants Python 3.11 or newer, and Linux for grading.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV := 0.13.8

.PHONY: setup demo lab mpi test test-bundle test-browser test-slow hub hub-clean lint bench fuzz soak lock clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or run make PYTHON=/path/to/python3"; exit 2; }
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV)
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $(READY)

demo: setup
	$(BIN)/python scripts/demo.py

lab: setup
	$(BIN)/autograder build
	cd notebooks && ../$(BIN)/jupyter lab

# lesson 8 on 2 and 4 real MPI processes; NOTEBOOK=path for a student's
mpi: setup
	$(if $(NOTEBOOK),,$(BIN)/autograder build 08_sequence_parallelism)
	$(BIN)/python scripts/mpi_ring.py $(if $(NOTEBOOK),"$(NOTEBOOK)")

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint
	$(BIN)/autograder build --check
	$(BIN)/autograder build
	$(BIN)/python -m pytest -n 2 --ignore=tests/browser --ignore=tests/bundle_install

# the student bundle, installed and run as a new user would; wants PyPI
test-bundle: setup
	$(BIN)/autograder build
	$(BIN)/python -m pytest tests/bundle_install --durations=5

# JupyterLab in a browser that nobody sees; wants Chromium. Screenshots: build/browser/
test-browser: setup
	$(BIN)/autograder build
	$(BIN)/python -m pytest tests/browser --durations=10

# the two above at once
test-slow: setup
	$(BIN)/autograder build
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/browser tests/bundle_install --durations=10

# a JupyterHub on loopback with three sample people, until Ctrl-C; makes Unix accounts, so it wants root
hub:
	$(PYTHON) deploy/jupyterhub/sample_hub.py

hub-clean:
	$(PYTHON) deploy/jupyterhub/sample_hub.py clean

bench: setup
	$(BIN)/autograder build
	$(BIN)/python scripts/bench.py

# five targets, for ten minutes each
SECONDS ?= 600
fuzz: setup
	$(BIN)/python -m tests.fuzz.run --seconds $(SECONDS)

# half an hour to an hour: grading runs are killed 200 times, see scripts/soak.py
soak: setup
	$(BIN)/autograder build
	$(BIN)/python scripts/soak.py --rounds 200

lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --upgrade \
		--extra instructor --extra cluster --extra postgresql --extra mpi --extra hub --extra dev pyproject.toml -o requirements.lock

clean:
	rm -rf build demo
