# Everything a fresh Debian 12 machine needs, from one command each.
#
#   make run      set up, make an instance under var/ and serve it
#   make test     set up and run every test
#   make check    the fast part: lint, types, unit tests
#   make interop  the real clients and the OASIS test cases, each against a server started for it
#   make interop LONG=1   with them, the server killed 200 times and its power cut 200 times
#   make durability   those alone; ROUNDS=, CUTS= and SEED= say otherwise
#   make bench    this server beside PyKMIP's
#   make fuzz     bytes that nobody would send, SECONDS=600 for each target

PYTHON ?= $$(bash tools/find-python.sh)
VENV   := .venv
BIN    := $(VENV)/bin
SERVER := $(VENV)/.serves
STAMP  := $(VENV)/.ready
CONFIG := var/instance/kmip-server.toml

.PHONY: setup run test check bench fuzz interop durability docs clean

ROUNDS := 200
CUTS   := 200

setup: $(STAMP)

# What serving needs, and the client of the README.
$(SERVER): setup.cfg pyproject.toml tools/system-packages.sh tools/find-python.sh
	bash tools/system-packages.sh
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing what the server needs into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[client]'
	touch $(SERVER)

$(STAMP): $(SERVER)
	@echo "installing what the tests need into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,fuzz]'
	touch $(STAMP)

$(CONFIG): | $(SERVER)
	mkdir -p var
	$(BIN)/kmip-server init var/instance

run: $(SERVER) $(CONFIG)
	exec $(BIN)/kmip-server run --config $(CONFIG)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -m "not slow"

# What goes over the wire, once with one worker and once with two.
test: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2
	KMIP_TEST_WORKERS=2 $(BIN)/pytest -n 2 tests/transport tests/commands tests/interop

docs: $(STAMP)
	$(BIN)/python tools/generate_docs.py

interop: $(STAMP)
	$(BIN)/python interop/run.py $(if $(CLIENT),--client $(CLIENT)) $(if $(KMIP_TESTS_NO_SKIP),--no-skip)
	$(if $(LONG),$(MAKE) durability)

durability: $(STAMP)
	$(BIN)/python -m tests.durability --rounds $(ROUNDS) --cuts $(CUTS) $(if $(SEED),--seed $(SEED))

bench: $(STAMP)
	$(BIN)/python -m bench $(BENCH)

fuzz: $(STAMP)
	$(BIN)/python -m tests.fuzz $(TARGET) --seconds $(or $(SECONDS),600)

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .hypothesis
