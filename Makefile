# Everything on a fresh machine with Python >= 3.10: `make demo`, `make test`. Nothing outside .venv is touched.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
RUN ?= run/demo

.PHONY: demo test fallback check peers format docs build smoke audit minimum fuzz clean

demo: $(VENV)/.demo ## compare models on the generated sample, then recommend to one user and say why
	$(BIN)/aerec benchmark sample
	$(BIN)/aerec train sample --model mult-dae --out $(RUN) --overwrite
	$(BIN)/aerec recommend $(RUN) --user 1 -k 10 --explain

test: $(VENV)/.dev ## the whole suite; COVERAGE=1 measures what it covers too, which takes half as long again
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto $(if $(COVERAGE),--cov --cov-report=term:skip-covered)

fallback: $(VENV)/.dev ## training without the compiled kernels, as on a machine without a compiler
	AEREC_NATIVE=0 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto -p no:cacheprovider tests/native tests/network tests/training

check: $(VENV)/.dev ## lint, format, types, direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

peers: $(VENV)/.demo ## environments of the other libraries, for benchmarks/peers and benchmarks/speed
	$(BIN)/python benchmarks/peers/environments.py

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.docs ## the documentation, in site/; a broken link or reference is an error
	$(BIN)/mkdocs build --strict

build: $(VENV)/.dev ## wheel and source archive in dist/
	$(BIN)/python -m build

smoke: $(VENV)/.dev ## the wheel in a bare environment: train, recommend, repeat
	PYTHON=$(abspath $(BIN))/python tests/smoke/wheel.sh

audit: $(VENV)/.dev ## known vulnerabilities, and licences that are not permissive
	$(BIN)/python -m pip install -q pip-audit pip-licenses
	$(BIN)/python .ci/audit.py

minimum: ## the core of the suite with the lowest versions that pyproject.toml allows, in an environment of its own
	$(PYTHON) -m venv $(VENV)/minimum
	$(VENV)/minimum/bin/python -m pip install -q -c constraints-minimum.txt torch
	$(VENV)/minimum/bin/python -m pip install -q -c constraints-minimum.txt -e '.[baselines,report,tune,scale]' pytest hypothesis
	OMP_NUM_THREADS=1 $(VENV)/minimum/bin/python -m pytest -q -p no:cacheprovider tests --ignore tests/serving \
		--ignore tests/docs --ignore tests/export --ignore tests/test_tracking.py --ignore tests/test_notebooks.py \
		--ignore tests/cli/test_serve.py --ignore tests/cli/test_track.py --ignore tests/cli/test_export.py

fuzz: $(VENV)/.dev ## ten minutes of random examples: damaged files (guided by coverage with atheris) and the drawn tests
	AEREC_FUZZ_EXAMPLES=500 $(BIN)/python -m pytest -q -n auto -p no:cacheprovider tests/serving/test_fuzz.py tests/fuzz
	$(BIN)/python benchmarks/reliability/fuzz.py --seconds 300 --findings run/findings

# torch first and alone: with the pin in force no other package can ask for a different build of it
$(VENV)/.torch: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip
	$(BIN)/python -m pip install -q -c constraints.txt torch
	touch $@

$(VENV)/.demo: $(VENV)/.torch pyproject.toml
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.torch pyproject.toml
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $@ $(VENV)/.demo

$(VENV)/.docs: $(VENV)/.torch pyproject.toml
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) run dist site .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
