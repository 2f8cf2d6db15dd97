# Set-up happens by itself, once, in .venv; a second run of any target starts its work at once.
PYTHON ?= python3.11
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt

# Node.js is a package of .venv; `node` runs what npm installed into tools/js.
NODE_TOOLS := $(BIN)/node tools/js/node_modules/.bin
SCRIPTS := src/vtmr/app/static/js tests/app/browser tools/js/eslint.config.js

.DEFAULT_GOAL := help
.PHONY: help demo annotate test browser unit rest training style fast coverage locked proof docs clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.installed-base  ## clicks on bundled photos become masks: overlays and strips in out/demo
	$(BIN)/vtmr demo --out out/demo

annotate: .venv/.installed-heic  ## the annotator in the browser, on copies of the bundled photos in out/annotate
	mkdir -p out/annotate
	for photo in src/vtmr/assets/photos/*.jpg; do \
		[ -e "out/annotate/$${photo##*/}" ] || cp "$$photo" out/annotate/; done
	$(BIN)/vtmr annotate out/annotate --labels object,background

# Parts of what has to pass, each in a process of its own, two at a time: one alone leaves a core idle, as much of it
# waits, for pages above all. The longest come first. All run, whatever fails. A part tells when it begins and ends;
# what it says is in build/test meanwhile and is printed when it ends. Ctrl-C ends them all. `make test JOBS=1` runs one
# after the other.
JOBS := 2
PARTS := browser unit rest training style
WHOLE := $(PARTS:%=%.part)
test: .venv/.installed-all  ## everything that must pass: style, types, layers, all tests but the soaks
	@mkdir -p build/test
	@$(MAKE) --no-print-directory --keep-going --jobs=$(JOBS) $(WHOLE)

.PHONY: $(WHOLE)
$(WHOLE): %.part:
	@echo "$*: begins; what it says is in build/test/$*.log"; began=$$(date +%s); end=passed; \
	$(MAKE) --no-print-directory $* > build/test/$*.log 2>&1 || end=FAILED; \
	cat build/test/$*.log; echo "$*: $$end after $$(($$(date +%s) - began)) s"; [ $$end = passed ]

# The browser's tests are never beside others in a process: Playwright's event loop outlives them, and asyncio allows
# but one.
PYTEST := $(BIN)/python -m pytest -m "not browser and not proof"
TRAINING := tests/train tests/golden
$(PARTS): .venv/.installed-all
# Two parts share the cores: of two threads each would wait, spinning, for the other at every layer.
$(PARTS): export VTMR_MOST_THREADS = 1
$(PARTS): export OMP_NUM_THREADS = 1
browser:
	CHROMIUM="$$(tools/chromium.sh)" $(BIN)/python -m pytest -m "browser and not proof" tests/app/browser

unit:
	$(PYTEST) tests/unit

training:
	$(PYTEST) $(TRAINING)

# Whatever no other part has: a new folder is in it.
rest:
	$(PYTEST) $(addprefix --ignore=,tests/app/browser tests/unit $(TRAINING))

style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini
	$(BIN)/lint-imports --no-logo
	$(NODE_TOOLS)/tsc --project tools/js
	$(NODE_TOOLS)/eslint --config tools/js/eslint.config.js $(SCRIPTS)

fast: .venv/.installed-all  ## the fast tests alone
	$(BIN)/python -m pytest

# One test measures memory, in which coverage's own records would count.
coverage: .venv/.installed-all  ## the fast tests, and the share of lines and branches that they run, with a floor
	$(BIN)/python -m pytest --cov --cov-report=term --cov-fail-under=85 \
		--deselect tests/unit/segmenter/test_vtmr.py::test_no_click_makes_a_float_array_of_the_image

proof: .venv/.installed-all  ## soak tests, by hand: they take long
	CHROMIUM="$$(tools/chromium.sh)" $(BIN)/python -m pytest -m "browser and proof" -s
	$(BIN)/python -m pytest -m "proof and not browser" -s

# In an environment of its own, so that nothing unchecked is in it.
locked:  ## the runtime alone in .venv-locked, every file checked against its hash in requirements.txt
	$(PYTHON) -m venv .venv-locked
	.venv-locked/bin/python -m pip install --require-hashes -r requirements.txt
	.venv-locked/bin/python -m pip install --no-deps --no-build-isolation .

docs: .venv/.installed-docs  ## the documentation site in build/site; a dead link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

clean:  ## removes what the other targets made
	rm -rf .venv .venv-locked tools/js/node_modules build dist out src/*.egg-info .pytest_cache .hypothesis .ruff_cache .mypy_cache .import_linter_cache

$(BIN)/python:
	$(PYTHON) -m venv .venv

# The base install has no torch: whoever only uses vtmr waits for less.
.venv/.installed-base: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing vtmr into .venv: once, about half a minute."
	$(INSTALL) -e .
	touch $@

# Whoever annotates may have photos of a phone.
.venv/.installed-heic: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing vtmr and what reads HEIC photos into .venv: once, about half a minute."
	$(INSTALL) -e '.[heic]'
	touch $@ .venv/.installed-base

.venv/.installed-all: pyproject.toml constraints.txt tools/js/package-lock.json | $(BIN)/python
	@echo "Installing vtmr, torch and what the tests need into .venv: once, one or two minutes."
	$(INSTALL) -e '.[train,bench,cluster,cvat,heic,dev,docs,serve-ray]'
	@echo "Installing what checks the annotator's scripts into tools/js/node_modules: once, some seconds."
	$(BIN)/npm ci --prefix tools/js --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	touch $@ .venv/.installed-base .venv/.installed-heic .venv/.installed-docs

.venv/.installed-docs: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing vtmr and what its documentation is made with into .venv: once, half a minute."
	$(INSTALL) -e '.[docs]'
	touch $@
