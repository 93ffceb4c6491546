# SPDX-License-Identifier: Apache-2.0
# A thin front: each target is a command of tools/fork (python3 -m tools.fork --help).
PYTHON ?= python3
RELEASE ?=
# Here is where our packages are, whatever PYTHONSAFEPATH says.
FORK = PYTHONSAFEPATH= $(PYTHON) -m tools.fork $@

# One command at a time works in a checkout.
.NOTPARALLEL:
.PHONY: build demo test test-upstream bench lint patch weave apply wheel releases python
build demo test test-upstream lint patch weave: python
	@$(FORK) $(if $(RELEASE),--release $(RELEASE))

releases: python
	@$(FORK)

# make bench QUICK=1 is for the counts of compilations, not for times.
bench: python
	@$(FORK) $(if $(QUICK),--quick)

# make apply VLLM=<checkout or environment>; UNDO=1 takes the change back out of an
# environment, FORCE=1 weaves over what somebody else has changed.
apply: python
	@$(FORK) "$(VLLM)" $(if $(FORCE),--force) $(if $(UNDO),--undo)

# make wheel writes into dist/; RELEASE=, DEVICE=cuda or cpu, MACHINE=aarch64 or x86_64
# and PYTHON_VERSION=3.12 name one for elsewhere.
wheel: python
	@$(FORK) $(if $(RELEASE),--release $(RELEASE)) $(if $(DEVICE),--device $(DEVICE)) \
	$(if $(MACHINE),--machine $(MACHINE)) \
	$(if $(PYTHON_VERSION),--python-version $(PYTHON_VERSION))

python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON); install \
	Python 3.10 to 3.13, or name one: make demo PYTHON=..." >&2; exit 1; }
