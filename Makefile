PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export LITELLM_LOCAL_MODEL_COST_MAP := True

.PHONY: demo test test-all test-oldest test-proxy prediction upstream matrix test-ray load lint types imports pytest redis-server bench record-usage routing lifetimes fuzz schema pictures docs site editors studio build clean

demo: $(VENV)/.installed
	$(BIN)/policy-cache demo

test: lint types imports pytest

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

imports: $(VENV)/.installed
	$(BIN)/lint-imports

pytest: $(VENV)/.installed redis-server
	$(BIN)/pytest --numprocesses auto

# What processes share their warmth through; without it, the tests that need it are skipped.
redis-server:
	@command -v redis-server >/dev/null || \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server >/dev/null; } || \
	  echo "no redis-server, and none could be installed"

# Repeats pytest on every supported Python that runs here; says which were absent.
test-all:
	@for v in 3.11 3.12 3.13; do \
	  if python$$v -c '' 2>/dev/null; then \
	    $(MAKE) --no-print-directory pytest PYTHON=python$$v VENV=.venv-$$v || exit 1; \
	  else echo "python$$v: not on this machine, skipped"; fi; \
	done

# A client's marker in every dialect, on every block, on every route: a quarter of an hour on two cores.
matrix: $(VENV)/.installed
	$(BIN)/python -m tests.wire.clients_matrix

# What touches the wire, with the oldest litellm that the extra allows.
test-oldest:
	$(MAKE) --no-print-directory .venv-oldest/.installed VENV=.venv-oldest
	.venv-oldest/bin/python -m pip install --quiet 'litellm[mcp]==1.106.2'
	.venv-oldest/bin/pytest --numprocesses auto tests/wire

# A real litellm proxy; its requirements are many.
test-proxy: .venv-proxy/.installed
	.venv-proxy/bin/pytest tests/proxy

# What the newest litellm changes of what the catalog was observed on; exits with 1 if anything.
upstream:
	rm -rf .venv-upstream
	$(PYTHON) -m venv .venv-upstream
	.venv-upstream/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-upstream/bin/python -m pip install --quiet --editable '.[litellm,emulator]' --group dev
	.venv-upstream/bin/python -m pip install --quiet --upgrade 'litellm[mcp]'
	.venv-upstream/bin/python -m tests.wire.upstream

# The simulator's partitions on a local Ray, which is a large package.
test-ray: .venv-ray/.installed
	.venv-ray/bin/pytest tests/forecast/test_ray.py

.venv-ray/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-ray
	.venv-ray/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-ray/bin/python -m pip install --quiet --editable '.[litellm,emulator,ray]' hypothesis pytest
	touch $@

# What a litellm proxy takes for 200 requests at once, and its memory over 20,000; takes some minutes.
load: .venv-proxy/.installed
	.venv-proxy/bin/python -m benchmarks.load

.venv-proxy/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-proxy
	.venv-proxy/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-proxy/bin/python -m pip install --quiet --editable '.[emulator,metrics,proxy,redis]' 'anthropic>=0.40' hypothesis pytest trustme
	touch $@

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.simulate
	$(BIN)/python -m benchmarks.warmth
	$(BIN)/python -m benchmarks.learning

# What quotes are worth: generated traffic, and a real Router; takes ten minutes.
routing: $(VENV)/.installed
	$(BIN)/python -m benchmarks.traffic
	$(BIN)/python -m benchmarks.routing

# What a litellm proxy predicts of a cache, beside our quotes; waits for six minutes.
prediction: .venv-proxy/.installed
	.venv-proxy/bin/python -m benchmarks.prediction

# What lifetimes cost on generated traffic, and how near the optimum is to real placements; takes ten minutes.
lifetimes: $(VENV)/.installed
	$(BIN)/python -m benchmarks.lifetimes
	$(BIN)/python -m benchmarks.bound
	$(BIN)/python -m benchmarks.shift

# What providers report of 40 small requests, for whoever has keys: under $1 each. Without a key nothing runs.
record-usage: $(VENV)/.installed
	$(BIN)/python -m benchmarks.record_usage

# The property tests again, with many more examples, and policies mutated at random.
fuzz: $(VENV)/.installed
	$(BIN)/pytest -m property --hypothesis-profile=fuzz
	$(BIN)/python -m tests.policy.fuzz

schema: $(VENV)/.installed
	$(BIN)/policy-cache schema > schema/policy.schema.json
	$(BIN)/policy-cache schema --catalog > schema/catalog.schema.json
	$(BIN)/policy-cache schema --tests > schema/test.schema.json

# The pictures of the live page in docs/images; needs Chromium.
pictures: $(VENV)/.installed
	$(BIN)/python -m tests.browser.pictures

# What is generated from the code and from litellm itself, and the site.
docs: $(VENV)/.installed
	$(BIN)/python examples/trace.py
	$(BIN)/python -m tests.wire.routes_page > docs/routes.md
	$(BIN)/policy-cache rule --output-format markdown > docs/diagnostics.md
	$(BIN)/python -m tests.policy.language_page > docs/language.md
	$(BIN)/python -m tests.policy.known_models > policy_cache/policy/check/models.txt
	$(BIN)/python -m tests.wire.upstream --write
	$(MAKE) --no-print-directory site

# The pages as they are, in site/.
site: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# What editors offer and show, asked of yaml-language-server; needs node and npm.
editors: $(VENV)/.installed
	$(BIN)/pytest tests/editors

# The page of `policy-cache studio`, of the sources in studio/; needs node and npm.
studio:
	cd studio && npm ci --ignore-scripts --no-audit --no-fund && npm run --silent build

build: $(VENV)/.installed
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) .venv-* dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
	  f"policy-cache needs Python 3.11 to 3.13, and {sys.executable} is {sys.version.split()[0]}: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[litellm,emulator]' --group dev --group docs
	$(BIN)/python -m pip install --quiet --group peers
	touch $@
