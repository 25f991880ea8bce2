# make run: all of Infra Mind on this machine. make test: all tests. make check: what has to hold before a change lands.
.DEFAULT_GOAL := help
.PHONY: help run test check audit format lock bench bench-peers chaos chaos-scaled api lint-api lint-pages clean
.DELETE_ON_ERROR:
# Where a machine sets this, each process would compile our code again at its start, for 0.6 s.
export PYTHONDONTWRITEBYTECODE :=

PY := .venv/bin/python
UV := .venv/bin/uv
# What `manage.py check --deploy` sees: a server that stands on the internet.
DEPLOYED := SECRET_KEY=$$($(PY) -c 'import secrets; print(secrets.token_urlsafe(60))') HTTPS=1 ALLOWED_HOSTS=infra.example \
	DATABASE_URL=postgresql://user@database.example/infra_mind REDIS_URL=redis://queue.example/0
COMPILE := $(UV) pip compile -q --universal --python-version 3.12 --generate-hashes --no-header $(if $(UPGRADE),--upgrade)

help:
	@echo "make run      start Infra Mind (PORT=8000); Ctrl-C stops it"
	@echo "make test     run all tests (ARGS='tests/test_embedded.py -k deep' runs some)"
	@echo "make check    lint, types, imports, migrations, deployment, locks"
	@echo "make audit    compare the locks with published advisories (needs the network)"
	@echo "make format   let ruff put the code into shape"
	@echo "make lock     compile the locks from pyproject.toml (UPGRADE=1 takes newer versions)"
	@echo "make api      write docs/openapi.json and docs/asyncapi.json"
	@echo "make lint-api lint both (with npm)"
	@echo "make bench-peers  compare with Celery, procrastinate, django-tasks-db, dramatiq, celery-progress"
	@echo "make chaos    storms of kills, freezes and outages over hundreds of runs (SEEDS='1 2 3')"
	@echo "make chaos-scaled  a storm over three web processes, four workers, RabbitMQ and PgBouncer"
	@echo "make clean    remove the virtual environments and caches (your data in .infra_mind stays)"

run: .venv/.runtime .venv-scanner/.installed
	@exec $(PY) manage.py up

test: .venv/.dev .venv-scanner/.installed
	@scripts/find-chromium
	@scripts/find-rabbitmq
	@scripts/find-prometheus
	@if command -v npm >/dev/null; then $(MAKE) -s .node/.installed; fi
	$(PY) -m pytest $(or $(ARGS),-n 4 --dist loadgroup --no-loadscope-reorder)

check: .venv/.dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	EXTRA_APPS=tests.probe $(PY) -m mypy
	.venv/bin/djlint templates accounts/templates tasks_ui/templates --lint --quiet
	.venv/bin/lint-imports
	$(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(DEPLOYED) $(PY) manage.py check --deploy --fail-level WARNING
	.venv/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	@! grep -nE '://|^ *--[^h]' requirements*.txt
	@if command -v npm >/dev/null; then $(MAKE) -s lint-pages; \
	elif [ -n "$$CI" ]; then echo "npm is missing: scripts and style sheets can't be linted."; exit 1; \
	else echo "npm is missing: scripts and style sheets are not linted."; fi

# Strict: a package that the advisory database does not know of, or can't be asked about, is a failure, not a pass.
PIP_AUDIT := $(UV) tool run pip-audit==2.10.1 --strict --disable-pip --require-hashes --progress-spinner off
audit: .venv/.dev
	$(PIP_AUDIT) $(foreach lock,requirements.txt requirements-dev.txt requirements-uv.txt,-r $(lock))
	$(PIP_AUDIT) -r requirements-scanner.txt

format: .venv/.dev
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

lock: .venv/.uv
	$(COMPILE) pyproject.toml --group dev -o requirements-dev.txt
	$(COMPILE) pyproject.toml -c requirements-dev.txt -o requirements.txt
	$(COMPILE) requirements-scanner.in -o requirements-scanner.txt
	echo uv | $(COMPILE) - -o requirements-uv.txt

bench: .venv/.dev .venv-scanner/.installed
	BENCH=full $(PY) -m pytest tests/bench -s -q $(ARGS)

bench-peers: .venv/.dev .venv-peers/.installed
	BENCH=peers $(PY) -m pytest tests/bench/peers -s -q -p no:cacheprovider $(ARGS)

chaos: .venv/.dev .venv-scanner/.installed
	SEEDS="$(or $(SEEDS),1 2 3)" $(PY) -m pytest tests/chaos/proof.py -s $(ARGS)
	EXAMPLES=1000 $(PY) -m pytest tests/tasks_ui/test_transitions_machine.py -q --timeout 3600

chaos-scaled: .venv/.dev .venv-scanner/.installed
	$(PY) -m pytest tests/chaos/scaled.py -s $(ARGS)

api: .venv/.dev
	$(PY) manage.py write_api_documents

lint-api: .node/.installed
	cd .node && REDOCLY_TELEMETRY=off node_modules/.bin/redocly lint --config redocly.yaml ../docs/openapi.json
	cd .node && node asyncapi.js ../docs/asyncapi.json

# The linters find their settings above the files, so these are copied beside the linters. The font is a copy of a file
# of a package: make run has to work without npm, and PyPI has no package with a variable woff2. So it is compared.
FONTS := tasks_ui/static/tasks_ui/fonts
lint-pages: .node/.installed
	@rm -rf .node/pages && mkdir -p .node/pages
	@cp -r --parents tasks_ui/static assessments/static .node/pages/
	cd .node && node_modules/.bin/eslint pages
	@cmp .node/node_modules/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2 $(FONTS)/inter-latin-wght-normal.woff2
	@cmp .node/node_modules/@fontsource-variable/inter/LICENSE $(FONTS)/LICENSE
	cd .node && node_modules/.bin/stylelint "pages/**/*.css"

clean:
	rm -rf .venv .venv-scanner .venv-peers .node .mypy_cache .ruff_cache .pytest_cache .hypothesis staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The two virtual environments: the application's, and the scanner's, whose dependencies don't agree with it.

.venv/bin/python:
	@python="$$(scripts/find-python)" && echo "Making .venv with $$python" && "$$python" -m venv --clear .venv

# uv installs many times faster than pip. Where it isn't available or finds no index, pip does the work.
.venv/.uv: requirements-uv.txt | .venv/bin/python
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip >/dev/null
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r $< || echo "uv isn't available; pip takes its place."
	@touch $@

.venv/.runtime: requirements.txt client/pyproject.toml | .venv/.uv
	@echo "Installing what Infra Mind runs on"
	@scripts/install .venv $<
	@scripts/install-client
	@touch $@

.venv/.dev: requirements-dev.txt client/pyproject.toml | .venv/.uv
	@echo "Installing what Infra Mind and its tests run on"
	@scripts/install .venv $<
	@scripts/install-client
	@touch $@ .venv/.runtime

.node/.installed: $(wildcard docs/lint/*)
	@mkdir -p .node
	@cp docs/lint/* .node/
	@npm install --prefix .node --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

.venv-scanner/.installed: requirements-scanner.txt assessments/scan/scanner/bicep_grammar.py | .venv/.uv
	@echo "Installing the scanner (about 570 MB)"
	@test -x .venv-scanner/bin/python || $(PY) -m venv --clear .venv-scanner
	@scripts/install .venv-scanner $<
	@touch $@

.venv-peers/.installed: tests/bench/peers/requirements.txt | .venv/.uv
	@echo "Installing what Infra Mind is compared with"
	@test -x .venv-peers/bin/python || $(PY) -m venv --clear .venv-peers
	@scripts/install .venv-peers $<
	@touch $@
