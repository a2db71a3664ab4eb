# `make demo` discovers a better scheduler, explains and proves it in about two minutes; `make test` checks everything.
# Needs Python 3.11 or later, make and git.  Everything is installed into .venv, pinned by requirements.lock.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MINUTES ?= 1
OUT ?= runs/demo-$(shell date +%Y%m%d-%H%M%S)

.PHONY: demo test lint bench soak lock clean

demo: $(READY)
	$(eval RUN := $(OUT))
	@$(BIN)/evolve run spot --minutes $(MINUTES) --out $(RUN)
	@echo
	-@$(BIN)/evolve explain $(RUN)  # a short search may have found nothing to explain
	@echo
	@$(BIN)/evolve verify $(RUN)

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not soak" $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m tests.bench

soak: $(READY)
	$(BIN)/python -m pytest -m soak $(ARGS)

# With uv where it is installed, else with venv and pip.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "evolve needs Python 3.11 or later; set PYTHON=/path/to/python3.11"; exit 1; }
	@if command -v uv >/dev/null; then \
		uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
		uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock && \
		uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $@

# Renews the lock file; needs uv.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra llm --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
