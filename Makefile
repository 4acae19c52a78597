# innerjudge: `make demo` shows it, `make test` tests it, `make real` runs it on a real model. README.md has the same steps for machines without make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The constraints hold the exact set that the tests passed with, torch first among them.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test real bench lint types docs clean

demo: $(VENV)/.installed
	$(BIN)/innerjudge compare --model reference --data builtin:solve --data builtin:rate --data builtin:choose --out demo

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n 2

# A real model of 135 million parameters on samples of public data. If it is stopped, it resumes where it was.
real: $(VENV)/.installed-gguf
	$(BIN)/python -m innerjudge.experiments.bench.real.fetch real
	$(BIN)/innerjudge compare --model real/smollm2-135m.gguf --data sample:mmlu --data sample:llmbar \
	  --data sample:topical-chat --data sample:gsm8k-solutions --limit 100 --between response --reasoning-tokens 0 --out real/compare

# Takes about half an hour, best on an idle machine; a page of the documentation quotes it.
bench: $(VENV)/.installed-bench
	$(BIN)/innerjudge bench --only passes --only early-stop --only candidates --only lengths --only tokens --only items \
	  --only precision --out experiments/bench/passes
	$(BIN)/innerjudge bench --only generating --only reranking --only asking --only reasoned --out experiments/bench/passes/generation
	$(BIN)/python -m innerjudge.experiments.bench.documents.speed experiments/bench/passes/benchmark.json \
	  docs/pages/explanation/speed.md

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The repository root is the package, so the checker needs a folder (outside, or the link would contain itself) in which
# the root is called `innerjudge`.
types: $(VENV)/.installed-test
	root=$$(pwd) && view=$$(mktemp -d) && ln -s "$$root" "$$view/innerjudge" && cd "$$view" && \
	  MYPYPATH=. "$$root/$(BIN)/mypy" --config-file "$$root/pyproject.toml" --cache-dir "$$root/.mypy_cache" \
	  --python-executable "$$root/$(BIN)/python" -p innerjudge.models -p innerjudge.extraction -p innerjudge.probes \
	  -p innerjudge.experiments

# Strict: a warning fails. Offline: nothing is fetched, neither while building nor by the pages.
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --config-file docs/mkdocs.yml
	@echo "The site is build/site/index.html"

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: constraints.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing innerjudge and what it needs into $(VENV) (a few minutes, once) ..."
	$(PIP) torch
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) --editable ".[test,dev]"
	@touch $@

$(VENV)/.installed-gguf: $(VENV)/.installed
	$(PIP) --editable ".[gguf]"
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	$(PIP) --editable ".[bench]"
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(PIP) --editable ".[docs]"
	@touch $@

clean:
	rm -rf $(VENV) build demo real
