# Every target does all of its own set-up: Python 3.12 or newer, pip and make are enough.
# Arguments for a tool:  make test ARGS="tests/units -k pairing"     Another Python:  make run PYTHON=python3.14

PY := .venv/bin/python
LAUNCHER := $(PY) -m crm_whatsapp.launcher
EPHEMERAL := $(LAUNCHER) exec --ephemeral --

.PHONY: help setup run stop test fuzz demo check format pictures chaos bench lock clean
.DEFAULT_GOAL := help

help:
	@echo "make run     everything up, with demo data and a simulated phone; prints where to go"
	@echo "make test    all tests, on servers of their own"
	@echo "make fuzz    five minutes of requests that nobody would write, made from the API's schema"
	@echo "make demo    walks through connect, QR code, inbound, outbound and campaign; exits 0 or 1"
	@echo "make check   style, types, imports, migrations, security settings, translations"
	@echo "make pictures  screenshots of the console, for the papers (needs Chromium)"
	@echo "make format  puts the style right"
	@echo "make chaos   kills processes while messages are sent"
	@echo "make bench   measures, as ratios within one run; ARGS=accept picks a part, ARGS=--help tells them"
	@echo "make stop    stops what 'make run' left or runs elsewhere"
	@echo "make lock    compiles requirements*.txt from requirements*.in"
	@echo "make clean   removes .venv, caches and the data of 'make run'"

setup:
	@python=$$(sh scripts/find-python) && "$$python" scripts/bootstrap.py

run: setup
	@$(LAUNCHER) run

stop: setup
	@$(LAUNCHER) stop

# Two workers: more gain nothing on the small machines this must pass on.
test: setup
	@$(EPHEMERAL) $(PY) -m pytest -n 2 $(ARGS)

# Some 200 operations and modes, so many examples of each.
fuzz: export FUZZ_EXAMPLES ?= 60
fuzz: setup
	@$(EPHEMERAL) $(PY) -m pytest tests/api/test_fuzz.py $(ARGS)

demo: setup
	@$(EPHEMERAL) $(PY) scripts/demo.py $(ARGS)

check: setup
	@$(EPHEMERAL) sh scripts/check

format: setup
	@$(PY) -m ruff check --fix-only --quiet . && $(PY) -m ruff format .

pictures: setup
	@$(EPHEMERAL) $(PY) scripts/pictures.py

chaos: setup
	@$(EPHEMERAL) $(PY) -m pytest -m chaos $(ARGS)

# On servers of its own, which are durable: the ephemeral ones trade just that for speed.
bench: setup
	@$(PY) -m bench $(ARGS)

# A lock must not depend on extra indexes and local wheels of the machine that makes it.
lock: export PIP_CONFIG_FILE := /dev/null
lock: export PIP_FIND_LINKS :=
lock: export PIP_EXTRA_INDEX_URL :=
lock: export CUSTOM_COMPILE_COMMAND := make lock
lock: setup
	@for name in requirements requirements-dev requirements-s3; do \
		$(PY) -m piptools compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url \
			--no-emit-find-links --no-emit-trusted-host --output-file $$name.txt $(ARGS) $$name.in || exit; \
	done

clean:
	@if [ -x $(PY) ]; then $(LAUNCHER) clean; else rm -rf .local; fi
	@rm -rf .venv .ruff_cache .mypy_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
