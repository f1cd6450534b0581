# The two commands: 'make up' gives a cluster, 'make test' proves it. Both do all their own set-up.
PYTHON ?= python3
ifeq ($(strip $(PYTHON)),)
override PYTHON := python3
endif
LAB := .venv/bin/lab
PARITY := runs/parity.json
# FAMILY=centos: the family of the nodes in all suites; by default whichever can be had.
PYTEST := .venv/bin/coverage run -m pytest $(if $(FAMILY),--family $(FAMILY))

.PHONY: help up down check coverage test test-shared test-parts test-apart test-xen nightly unit lint bench release clean engine xen

help:
	@echo "make up [FILE=stage1]   create the cluster (default: cluster.yaml here, else all 18 nodes)"
	@echo "make down               remove its nodes, keep its data"
	@echo "make test               all suites, on clusters of their own; make check: no engine, two minutes"
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
	@echo "the command is $(LAB): '$(LAB) kill web1' breaks something, '$(strip $(LAB) up $(WHICH))' mends it, 'make down' removes the nodes and keeps their data"

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
	.venv/bin/pytest -q -n auto tests/unit

# Before each commit: no engine, under two minutes.
check: lint
	@.venv/bin/coverage erase
	$(PYTEST) -q -n auto tests/unit
	@$(MAKE) --no-print-directory coverage

# Coverage of lab/ by all runs since the last 'erase', those of 'lab' as a command included.
coverage: .venv/dev
	@.venv/bin/coverage combine -q
	@.venv/bin/coverage report

test: lint engine
	@.venv/bin/coverage erase
	@scripts/need ssh openssh-client
	@scripts/need docker-compose docker-compose
	@scripts/need chromium chromium
	@scripts/need rootlesskit rootlesskit
	@scripts/need newuidmap uidmap
	@scripts/need slirp4netns slirp4netns
	@$(MAKE) --no-print-directory test-apart
	@$(MAKE) --no-print-directory test-parts
	@$(MAKE) --no-print-directory test-shared
	@$(MAKE) --no-print-directory test-xen
	@$(MAKE) --no-print-directory coverage
	-@.venv/bin/python -m tests.covered

# What needs the whole cluster, which its tests share.
test-shared: .venv/dev engine
	$(PYTEST) tests/cluster tests/attack -m "not nightly and not apart and not smaller" --parity $(PARITY) --durations 25

# What needs no cluster, or makes clusters of its own.
test-apart: .venv/dev engine
	$(PYTEST) -n auto tests/unit
	$(PYTEST) tests/report tests/images tests/compose tests/cluster -m "apart and not nightly" --parity $(PARITY) --durations 25

# What needs a part of the cluster.
test-parts: .venv/dev engine
	$(PYTEST) tests/cluster --topology tests/cluster/topologies/storage.yaml -m 'smaller(topology="tests/cluster/topologies/storage.yaml") and not nightly' --parity $(PARITY)
	$(PYTEST) tests/cluster --topology tests/cluster/topologies/apps.yaml -m 'smaller(topology="tests/cluster/topologies/apps.yaml") and not nightly' --parity $(PARITY)
	$(PYTEST) tests/cluster --topology tests/cluster/topologies/sites.yaml -m 'smaller(topology="tests/cluster/topologies/sites.yaml") and not nightly' --parity $(PARITY)
	$(PYTEST) tests/cluster --topology stage6 -m 'smaller(topology="stage6") and not nightly' --parity $(PARITY)
	$(PYTEST) tests/cluster --topology galera -m "galera and not nightly"

# A real Xen inside QEMU; left running, as an engine is: 'lab xen host down' ends it.
xen: .venv/ready
	@$(LAB) doctor --backend xen --fix --quiet --machine
	@$(LAB) xen host up

# The tests that run on Xen at every change, marked with their reason: five domains at a time.
test-xen: .venv/dev xen
	$(PYTEST) tests/xen tests/cluster --backend xen --topology five -m 'xen_smoke(topology="five")' --parity $(PARITY) --durations 15

# Everything, stage by stage, and what became of it on both backends.
nightly: .venv/dev engine xen
	@mkdir -p runs
	@scripts/need podman podman
	.venv/bin/pytest tests/images -m nightly --junitxml runs/engines.xml; engines=$$?; \
	.venv/bin/pytest tests/report tests/cluster tests/attack --parity $(PARITY) --junitxml runs/docker.xml; docker=$$?; \
	.venv/bin/pytest tests/cluster/test_mysql.py --topology galera --junitxml runs/galera.xml; galera=$$?; \
	.venv/bin/pytest tests/xen tests/cluster --ignore tests/cluster/test_lessons.py --backend xen --topology five \
	    --parity $(PARITY) --junitxml runs/xen-five.xml; five=$$?; \
	.venv/bin/pytest tests/cluster/test_lessons.py --backend xen --parity $(PARITY) --junitxml runs/xen-lessons.xml; lessons=$$?; \
	.venv/bin/pytest tests/cluster/test_web_nodes.py tests/cluster/test_site.py tests/cluster/test_scaling.py \
	    --backend xen --topology stage3 --parity $(PARITY) --junitxml runs/xen-stage3.xml; stage3=$$?; \
	parts=0; for part in shell mail backup apps_five; do \
	    .venv/bin/pytest tests/cluster/test_$$part.py --backend xen --topology tests/cluster/topologies/$$part.yaml \
	        --parity $(PARITY) --junitxml runs/xen-$$part.xml || parts=1; \
	done; \
	.venv/bin/python -m lab.testing.parity $(PARITY) > runs/parity.md; \
	[ $$engines = 0 ] && [ $$docker = 0 ] && [ $$galera = 0 ] && [ $$five = 0 ] && [ $$lessons = 0 ] && [ $$stage3 = 0 ] && [ $$parts = 0 ]

# The wheel, and a cluster of what it installs.
release: .venv/dev engine
	scripts/release

bench: .venv/dev engine
	.venv/bin/python -m bench

clean:
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .coverage .coverage.*
