# The two commands: 'make up' gives a cluster, 'make test' proves it. Both do all their own set-up.
PYTHON ?= python3
ifeq ($(strip $(PYTHON)),)
override PYTHON := python3
endif
LAB := .venv/bin/lab
PARITY := runs/parity.json
# FAMILY=centos: the family of the nodes in all suites; by default whichever can be had.
PYTEST := .venv/bin/coverage run -m pytest $(if $(FAMILY),--family $(FAMILY))
# The same for the unit tests, at next to no cost, and without the processes that they start.
UNIT := .venv/bin/python -m pytest -p tests.lines -q -n auto --dist worksteal tests/unit
NOTE := .venv/bin/python -m tests.parts
# MINUTES=40: the Xen part is ended after so many minutes of 'make test', and the table says so; unset: it runs to its end.
export MINUTES
# How many parts run side by side, where none of them minds; LANES=1: one after the other.
LANES ?= 2
BESIDE = $(MAKE) --no-print-directory -k -j$(LANES) --output-sync=target
LANED := lint images unit web people mysql storage sites galera apps host
PARTS := $(patsubst %,part-%,$(LANED))

# Where bytecode is not kept, each process of the tests compiles all modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help up down check coverage test test-all test-shared test-parts test-apart test-xen lane-xen nightly nightly-xen unit measured lint bench release clean engine xen $(PARTS)

help:
	@echo "make up [FILE=stage1]   create the cluster (default: cluster.yaml here, else all 18 nodes)"
	@echo "make down               remove its nodes, keep its data"
	@echo "make test               all suites, on clusters of their own; make check: no engine"
	@echo "make bench              figures; make nightly: what takes hours; make xen: a Xen host inside QEMU"

# 'make up FILE=stage1' selects a topology; default: cluster.yaml here, else 'full'.
ifeq ($(origin FILE),command line)
ifeq ($(strip $(FILE)),)
$(error FILE is empty: name a topology, as in 'make up FILE=stage1', or leave it out)
endif
up down: WHICH := -f $(FILE)
endif

up: .venv/ready engine
	@$(LAB) up $(WHICH)
	@echo "the command is $(LAB): '$(LAB) kill NODE' breaks something, '$(strip $(LAB) up $(WHICH))' mends it, 'make down' removes the nodes and keeps their data"

down: .venv/ready
	@$(LAB) down $(WHICH)

engine: .venv/ready
	@$(LAB) doctor --fix --quiet --machine

# The environment is recreated when its packages have changed, or for another PYTHON, and marked only when it is whole. The
# command alone needs less than the tests.
ifneq ($(origin PYTHON),file)
ifneq ($(PYTHON),$(shell cat .venv/python 2>/dev/null))
.PHONY: .venv/ready
endif
endif

.venv/ready: pyproject.toml constraints.txt scripts/venv scripts/install
	@scripts/venv $(PYTHON)

.venv/dev: .venv/ready
	@scripts/venv $(PYTHON) dev

lint: .venv/dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	scripts/shellcheck
	.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@# What runs in nodes is read by the oldest Python of the families.
	.venv/bin/vermin --quiet --no-tips --target=3.9- --violations images

unit: .venv/dev
	.venv/bin/python -m pytest -q -n auto --dist worksteal tests/unit

# Before each commit: no engine, and no unit test that is marked as slow. The output of each half comes at its end.
check: .venv/dev
	@.venv/bin/coverage erase
	@$(BESIDE) lint measured
	@$(MAKE) --no-print-directory coverage

measured: .venv/dev
	$(UNIT) -m "not slow" --durations 10

# Coverage of lab/ by all runs since the last 'erase', those of 'lab' as a command included.
coverage: .venv/dev
	@.venv/bin/coverage combine -q
	@.venv/bin/coverage report

# Each part is noted with its time and its tests. A part that fails does not stop the others; the table of all comes last,
# and fails if one of them did, or did not run.
test: .venv/dev
	@$(NOTE) begin
	@$(MAKE) --no-print-directory test-all; code=$$?; $(NOTE) table $(LANED) apart shared xen || code=$$?; exit $$code

test-all: .venv/dev
	@.venv/bin/coverage erase
	@scripts/need ssh openssh-client
	@scripts/need docker-compose docker-compose
	@scripts/need chromium chromium
	@scripts/axe
	-@$(BESIDE) part-lint part-images
	@echo "the unit tests beside Xen: the output of both comes at the end of each, after some 15 minutes"
	-@$(BESIDE) part-unit lane-xen
	-@$(MAKE) --no-print-directory test-apart
	-@$(MAKE) --no-print-directory test-shared
	-@$(MAKE) --no-print-directory test-parts
	@$(MAKE) --no-print-directory coverage
	-@.venv/bin/python -m tests.covered

# Xen's domains count their own time, so that it may run beside what asks for the processor alone.
lane-xen:
	-@$(MAKE) --no-print-directory part-host
	@$(MAKE) --no-print-directory test-xen

part-lint: .venv/dev
	@$(NOTE) run lint $(MAKE) --no-print-directory lint

part-images: engine
	@$(NOTE) run images $(LAB) build $(if $(FAMILY),--family $(FAMILY))

part-unit: .venv/dev
	$(NOTE) run unit $(UNIT)

# What needs no cluster, or makes clusters of its own; none of it is about times, so two run side by side.
test-apart: .venv/dev engine
	$(NOTE) run apart $(PYTEST) tests/report tests/images tests/compose tests/cluster -n $(LANES) --dist worksteal -m "apart and not nightly" --parity $(PARITY) --durations 15

# What needs the whole cluster, which its tests share.
test-shared: .venv/dev engine
	$(NOTE) run shared $(PYTEST) tests/cluster tests/attack -m "not nightly and not apart and not smaller" --parity $(PARITY) --durations 15

# What needs a part of the cluster: two at a time have fewer nodes than the whole. The output of each comes at its end.
test-parts: .venv/dev engine
	@$(BESIDE) part-web part-sites part-apps part-people part-mysql part-storage part-galera

part-web:
	$(NOTE) run web $(PYTEST) tests/cluster tests/attack --topology tests/cluster/topologies/web.yaml -m 'smaller(topology="tests/cluster/topologies/web.yaml") and not nightly' --parity $(PARITY) --durations 10
part-people:
	$(NOTE) run people $(PYTEST) tests/cluster --topology tests/cluster/topologies/people.yaml -m 'smaller(topology="tests/cluster/topologies/people.yaml") and not nightly' --parity $(PARITY) --durations 10
part-mysql:
	$(NOTE) run mysql $(PYTEST) tests/cluster --topology stage6 -m 'smaller(topology="stage6") and not nightly' --parity $(PARITY) --durations 10
part-storage:
	$(NOTE) run storage $(PYTEST) tests/cluster --topology tests/cluster/topologies/storage.yaml -m 'smaller(topology="tests/cluster/topologies/storage.yaml") and not nightly' --parity $(PARITY) --durations 10
part-sites:
	$(NOTE) run sites $(PYTEST) tests/cluster --topology tests/cluster/topologies/sites.yaml -m 'smaller(topology="tests/cluster/topologies/sites.yaml") and not nightly' --parity $(PARITY) --durations 10
part-galera:
	$(NOTE) run galera $(PYTEST) tests/cluster tests/attack --topology galera -m "galera and not nightly" --durations 10
part-apps:
	$(NOTE) run apps $(PYTEST) tests/cluster --topology tests/cluster/topologies/apps.yaml -m 'smaller(topology="tests/cluster/topologies/apps.yaml") and not nightly' --parity $(PARITY) --durations 10

# A real Xen inside QEMU; left running, as an engine is: 'lab xen host down' ends it.
xen: .venv/ready
	@$(LAB) doctor --backend xen --fix --quiet --machine
	@$(LAB) xen host up

# The same with the disks of the images that its tests boot.
part-host: .venv/ready engine
	@$(NOTE) run host sh -c '$(MAKE) --no-print-directory xen && $(LAB) build client web http-lb tcp-lb --backend xen'

# The tests that run on Xen at every change, marked with their reason: five domains at a time. Those of one role come
# first: what breaks the whole cluster last need not be repaired.
test-xen: .venv/dev xen
	$(NOTE) in-time xen $(PYTEST) tests/cluster tests/attack tests/xen --backend xen --topology tests/cluster/topologies/lvs.yaml -m 'xen_smoke(topology="tests/cluster/topologies/lvs.yaml") and not nightly' --parity $(PARITY) --durations 15

# Everything, part by part (tests/night.py), and what became of it on both backends. PART="xen-mail unit" chooses; a part that
# passed at this commit is not repeated: a night that was broken off goes on.
nightly: .venv/dev engine xen
	@mkdir -p runs
	@scripts/need podman podman
	@scripts/need rootlesskit rootlesskit
	@scripts/need newuidmap uidmap
	@scripts/need slirp4netns slirp4netns
	@scripts/axe
	@.venv/bin/python -m tests.night $(PART); code=$$?; \
	[ ! -f $(PARITY) ] || .venv/bin/python -m lab.testing.parity $(PARITY) > runs/parity.md; exit $$code

# Its parts on Xen alone; 'make nightly-xen PART=mail': one of them.
nightly-xen: .venv/dev engine xen
	@.venv/bin/python -m tests.night $(if $(PART),$(PART:%=xen-%),xen)

# The wheel, and a cluster of what it installs.
release: .venv/dev engine
	scripts/release

bench: .venv/dev engine
	.venv/bin/python -m bench

clean:
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .coverage .coverage.*
