# Two commands are all a newcomer needs: `make demo` and `make test`.
# Each creates .venv and installs what it needs; the machine needs make, Python >= 3.11 and venv.
#
#   make demo                    fit the public-domain portrait of scikit-image; says where the report is
#   make demo PHOTO=me.jpg       fit a photo of yours
#   make demo SCAN=head.obj      fit a scan
#   make test                    the test suite
#   make check                   ruff, pyright, import-linter
#   make clients                 exports opened in Blender, three.js and the glTF validator
#   make bench [ARGS=--quick]    the tables of docs/benchmarks.md
#   make build                   the wheel, and a smoke test of it
#   TORCH_INDEX=https://download.pytorch.org/whl/cpu   where to take torch from (here: CPU only)

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
TORCH_INDEX ?=
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -c constraints.txt
DEMO_OUT ?= demo_out
SCAN ?=
PHOTO ?=
ARGS ?=
PYTEST_ARGS ?= -n 2

.PHONY: demo test check clients bench build constraints clean help
.DEFAULT_GOAL := help

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

$(VENV)/.created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rigface needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

# One stamp per set of extras: a second call installs nothing.
$(VENV)/.installed-run: $(VENV)/.created pyproject.toml constraints.txt
	$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.created pyproject.toml constraints.txt
	$(PIP_INSTALL) -e '.[test]'
	@touch $@ $(VENV)/.installed-run

$(VENV)/.installed-dev: $(VENV)/.created pyproject.toml constraints.txt
	$(PIP_INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/.installed-run $(VENV)/.installed-test

$(VENV)/.installed-demo: $(VENV)/.created pyproject.toml constraints.txt
	$(PIP_INSTALL) -e '.[demo]'
	@touch $@ $(VENV)/.installed-run

ifneq ($(strip $(SCAN)),)
DEMO_NEEDS := run
DEMO = $(BIN)/rigface scan '$(SCAN)'
else ifneq ($(strip $(PHOTO)),)
DEMO_NEEDS := demo
DEMO = $(BIN)/rigface photo '$(PHOTO)'
else
DEMO_NEEDS := demo
DEMO = $(BIN)/python examples/05_fit_a_photo.py --save $(DEMO_OUT)/portrait.png && \
	$(BIN)/rigface photo $(DEMO_OUT)/portrait.png
endif

demo: $(VENV)/.installed-$(DEMO_NEEDS)
	@mkdir -p $(DEMO_OUT)
	$(DEMO) -o $(DEMO_OUT) $(ARGS)
	@echo 'Report: $(abspath $(DEMO_OUT))/report.html'

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

clients: $(VENV)/.installed-dev
	PYTHON=$(abspath $(BIN))/python bash clients/run.sh

bench: $(VENV)/.installed-dev
	$(BIN)/rigface bench registration $(ARGS)

build: $(VENV)/.created
	rm -rf build dist
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w dist .
	$(PYTHON) -m venv build/venv
	$(PIP_INSTALL:$(BIN)%=build/venv/bin%) dist/rigface-*.whl
	build/venv/bin/python tools/smoke_wheel.py

# Take over what is installed in a .venv whose checks pass.
constraints: $(VENV)/.installed-dev
	sed -n '/^#/p' constraints.txt > constraints.new
	$(BIN)/python -m pip freeze --exclude-editable | sed -E '/==/!d; s|\+[a-z0-9.]+$$||' >> constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf $(VENV) dist build out $(DEMO_OUT) .pytest_cache .ruff_cache clients/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
