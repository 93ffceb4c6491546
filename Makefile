# A thin front: each target is a command of tools/fork (python3 -m tools.fork --help).
PYTHON ?= python3
RELEASE ?=

.PHONY: build demo test test-upstream lint
build demo test test-upstream lint:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON); install \
	Python 3.10 to 3.13, or name one: make $@ PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m tools.fork $@ $(if $(RELEASE),--release $(RELEASE))
