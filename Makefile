# make demo: from a fresh clone to a trained, scored and filmed network.   make test: every test not marked slow.
# make slow: the other tests.   make lint: ruff, mypy, complexity.   make docs: the documentation, into site/.
# make accuracy: the shipped weights against every filter on the sample that ships; ARGS="--set bn --base_dir DIR".
PYTHON ?= python3
PY := .venv/bin/python
EPOCHS ?=
ARGS ?=
COMPLEXITY := 20

.PHONY: demo test campaign slow lint docs benchmarks accuracy clean

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -c "import sys; assert sys.version_info >= (3, 11), 'Python 3.11 or newer is needed; say make PYTHON=python3.11'"
	$(PYTHON) -m venv .venv
	$(PY) -m pip install -q --upgrade pip
	$(PY) -m pip install -q -r requirements.txt -e ".[dev]"
	touch $@

demo: .venv/installed
	$(PY) -m lib demo $(if $(EPOCHS),TRAIN.EPOCH $(EPOCHS))

test: .venv/installed
	$(PY) -m pytest -q -n auto --dist worksteal -m "not slow"

campaign: .venv/installed
	$(PY) tests/campaign/run.py $(ARGS)

slow: .venv/installed
	$(PY) -m pytest -q -m slow

# Readers of foreign formats (lib/formats) follow the formats' own cases and are left out of the complexity check.
lint: .venv/installed
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) .ci/complexity.py $(COMPLEXITY)

docs: .venv/installed
	$(PY) -m mkdocs build --quiet

benchmarks: .venv/installed
	$(PY) -m benchmarks

accuracy: .venv/installed
	$(PY) -m benchmarks.accuracy $(ARGS)

clean:
	rm -rf .venv results site build
