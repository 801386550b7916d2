# Everything starts here: `make demo` and `make test` set up .venv from nothing.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TESTED := $(VENV)/.tested

.PHONY: setup demo test test-code test-model lint docs pictures browser clean

# The lock names every package that was tested, so nothing is resolved: --no-deps. That also keeps out
# what packages ask for and cotmill must not have (torchvision beside a CPU torch, llama.cpp).
$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "cotmill needs $(PYTHON): install it, or make PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# What only tests need: the packages of the extras `cad` and `ocr`, 1.7 GB installed.
$(TESTED): requirements-tests.lock $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements-tests.lock
	touch $@

setup: $(READY)

# The main job on the embedded default: a small model and its adapter. DEMO_PROGRAMS makes it smaller or larger.
DEMO_PROGRAMS ?= 170
demo: $(READY)
	$(BIN)/cotmill synthesize backend=embedded source=demo sampling=demo sampling.num_programs=$(DEMO_PROGRAMS) \
		dedup.max_per_fingerprint=12 output_dir=outputs/demo overwrite=true empty_status=0
	@echo "For more rows: make demo DEMO_PROGRAMS=1000"

# Lint, the tests without the model and those with it run at once. What the last print is kept apart until
# they end; a failure of any fails the whole.
test: $(TESTED) browser
	$(MAKE) --no-print-directory --jobs=3 lint test-code test-model

# Three processes, since many tests wait, run whole files, the slowest first. They give way to the tests with
# the model, which take as long on one core. Bytecode is kept, which some images forbid: many tests start Python.
test-code test-model: export PYTHONDONTWRITEBYTECODE =
test-code: $(TESTED)
	nice $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not model"

test-model: $(TESTED)
	mkdir -p build
	$(BIN)/python -m pytest -m model >build/test-model.log 2>&1; status=$$?; cat build/test-model.log; exit $$status

# The report is opened in a real browser. Where there is none and none can be installed, those tests
# are skipped and say so.
browser:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
		&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
		|| echo "no chromium: install it to run the tests that open the report"

# The pictures in README and docs/, of the run that `make demo` leaves.
pictures: $(READY)
	$(BIN)/python -m tests.pictures outputs/demo

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site of docs/, searchable without a network. DOCS_PORT=0 takes any port that is free.
DOCS_PORT ?= 8000
docs: $(READY)
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs
	@test -z "$$DISPLAY$$WAYLAND_DISPLAY" || $(BIN)/python -m webbrowser -t "file://$(CURDIR)/build/docs/index.html"
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/docs $(DOCS_PORT)

clean:
	rm -rf $(VENV) build outputs .pytest_cache .mypy_cache .ruff_cache .hypothesis
