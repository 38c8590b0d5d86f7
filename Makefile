# `make run` and `make test` need Python, pip and make, nothing else.
# The environment reaches the program as it is: PORT=8001 make run

BIN := .venv/bin
PYTEST_ARGS ?=
BENCH_ARGS ?=
LONG_TIMES ?= 20
LONG_LIMIT ?= 1h
LONG_TESTS = tests/policies/pdp tests/policies/detectors tests/gateway/providers \
	tests/gateway/transformation
UPGRADE ?=
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --no-emit-index-url --no-emit-find-links $(UPGRADE) pyproject.toml

.PHONY: run test test-long test-ui test-clients lint assets assets-check openapi bench bench-overload bench-cached bench-streams bench-control lock \
	clean

run:
	@.ci/install requirements/embedded.txt
	@GATEHOUSE_DEMO=$${GATEHOUSE_DEMO-1} exec $(BIN)/python manage.py up

test:
	@.ci/install requirements/dev.txt
	@$(BIN)/python -m pytest -n auto --maxprocesses 8 $(PYTEST_ARGS)

# What draws at random (policies, detectors, dialects) tries LONG_TIMES as much as in `make test`.
# It fails where that takes longer than LONG_LIMIT.
test-long:
	@.ci/install requirements/dev.txt
	@GATEHOUSE_TEST_EXAMPLES=$(LONG_TIMES) timeout $(LONG_LIMIT) $(BIN)/python -m pytest -n auto \
		--maxprocesses 8 $(LONG_TESTS) $(PYTEST_ARGS)

lint:
	@.ci/install requirements/dev.txt
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint templates --lint --check --quiet
	@data=$$(mktemp -d) && trap 'rm -rf "$$data"' EXIT && set -x && \
		GATEHOUSE_DATA=$$data $(BIN)/python manage.py makemigrations --check --dry-run

# The console in a real browser (CHROMIUM, default /usr/bin/chromium), with axe from npm.
test-ui:
	@.ci/install requirements/dev.txt
	@.ci/assets install
	@$(BIN)/python -m pytest tests/ui $(PYTEST_ARGS)

# Programs of other makers before a running gateway: the official SDKs of Node, and NGINX.
test-clients:
	@.ci/install requirements/dev.txt
	@npm ci --prefix tests/clients --silent
	@$(BIN)/python -m pytest tests/clients $(PYTEST_ARGS)

# What pages load is built here and committed, so that whoever runs Gatehouse needs no Node.
assets:
	@.ci/assets build

assets-check:
	@.ci/assets check

# Draws docs/openapi.yaml anew; a test compares it.
openapi:
	@data=$$(mktemp -d) && trap 'rm -rf "$$data"' EXIT && GATEHOUSE_DATA=$$data \
		$(BIN)/python manage.py spectacular --fail-on-warn --validate --file docs/openapi.yaml

bench:
	@.ci/install requirements/dev.txt
	@$(BIN)/python -m tests.bench $(BENCH_ARGS)

# Ten times the load that fills a worker: what is still answered, as a ratio.
bench-overload:
	@.ci/install requirements/dev.txt
	@$(BIN)/python -m tests.bench.overload

# Streams: CPU per chunk beside a bare relay, and a thousand of them at once.
bench-streams:
	@.ci/install requirements/dev.txt
	@$(BIN)/python -m tests.bench.streams $(BENCH_ARGS)

# Kept answers beside calls that are sent.
bench-cached:
	@.ci/install requirements/dev.txt
	@$(BIN)/python -m tests.bench.cached

# Rollup, exports and pages with a million calls; --data=FOLDER keeps them for the next time.
bench-control:
	@.ci/install requirements/dev.txt
	@$(BIN)/python -m tests.bench.control_room $(BENCH_ARGS)

# The full set first; the smaller ones then take its versions. UPGRADE=--upgrade moves them on.
lock:
	@.ci/install requirements/dev.txt
	$(COMPILE) --extra embedded --extra dev -o requirements/dev.txt
	$(COMPILE) --extra embedded -c requirements/dev.txt -o requirements/embedded.txt
	$(COMPILE) -c requirements/dev.txt -o requirements/runtime.txt

# Leaves var/, which holds data and keys.
clean:
	rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
