# `make serve` runs Certuary, `make test` runs every check. README.md says what each needs.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
TESTS ?=

bin := $(VENV)/bin

.PHONY: help serve test lint format bench screens lock security-model packages-serve packages-test

help:
	@echo 'make serve   install what is missing, then run Certuary (ARGS="--home DIR ..." are handed on)'
	@echo 'make test    install what the tests need, then lint and run all of them'
	@echo 'make lint    ruff, mypy and the import contracts'
	@echo 'make format  let ruff rewrite the code'
	@echo 'make bench   measure, and write docs/performance.md'
	@echo 'make security-model  attack a server, and write the table of outcomes in docs/security-model.md'
	@echo 'make screens take the pictures of docs/screens'
	@echo 'make lock    choose the versions in requirements*.lock anew'

serve: packages-serve $(VENV)/.serve
	@exec $(bin)/certuary serve $(ARGS)

test: packages-test lint
	COVERAGE_FILE=$(VENV)/.coverage $(bin)/python -m pytest --cov --cov-report= $(TESTS)
	COVERAGE_FILE=$(VENV)/.coverage $(bin)/python -m coverage report --skip-covered --include='src/certuary/core/*' --fail-under=100
	COVERAGE_FILE=$(VENV)/.coverage $(bin)/python -m coverage report --skip-covered --include='src/certuary/services/*' --fail-under=95

lint: $(VENV)/.test
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/lint-imports

format: $(VENV)/.test
	$(bin)/ruff check --fix .
	$(bin)/ruff format .

bench: packages-test $(VENV)/.test
	$(bin)/python -m bench $(ARGS)

security-model: packages-test $(VENV)/.test
	SECURITY_MODEL=write $(bin)/python -m pytest tests/fault/attacks $(ARGS)

screens: packages-test $(VENV)/.test
	$(bin)/python -m tests.browser.screens

# Debian packages: installed when root, else named with the apt line to run.
packages-serve:
	@deploy/debian-packages python3-venv curl openssl

packages-test:
	@deploy/debian-packages python3-venv curl openssl postgresql strongswan-pki libstrongswan-standard-plugins \
		libstrongswan-extra-plugins libbcpkix-java default-jdk-headless chromium libnss3-tools

# The stamps say which lock file the environment was made from. The one for the tests holds everything.
$(VENV)/.serve: requirements.lock pyproject.toml | packages-serve
	@deploy/python-environment $(PYTHON) $(VENV) requirements.lock
	@touch $@

$(VENV)/.test: requirements-dev.lock pyproject.toml | packages-serve
	@deploy/python-environment $(PYTHON) $(VENV) requirements-dev.lock
	@touch $(VENV)/.serve $@

# Hashes for every wheel of a version, so that the locks serve each platform. The oldest Python chooses: run this with 3.11.
compile := pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --all-build-deps

lock: packages-serve
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet pip-tools
	CUSTOM_COMPILE_COMMAND='make lock' build/lock/bin/$(compile) --output-file requirements.lock pyproject.toml
	CUSTOM_COMPILE_COMMAND='make lock' build/lock/bin/$(compile) --output-file requirements-dev.lock \
		--extra dev --constraint requirements.lock pyproject.toml
