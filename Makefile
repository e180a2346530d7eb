# What each target does, `make` alone prints. Every target installs what it needs; see scripts/setup.

.DEFAULT_GOAL := help
.PHONY: always help binaries demo lab test fuzz lint bench profile scale compatibility hot lock clean

PYTHON := .venv/bin/python
BINARIES := dist/accelerated-bridge dist/host-device dist/sriov dist/host-local dist/static dist/plumbline
SOURCES := build.spec requirements.txt build/version build/flavour $(wildcard program/*.py program/*/*.py program/*.[ch] program/*.toml) \
    $(shell find cni ipam plugins plumbline -name '*.py')

# How a binary starts: from an image, or frozen (docs/architecture.md, The single file).
FLAVOUR := image
$(if $(filter $(words $(FLAVOUR))/$(FLAVOUR),1/image 1/frozen),,$(error FLAVOUR is image or frozen, not "$(FLAVOUR)"))

help:           ## print this
	@sed -n 's/^\([a-z]*\): .*##/  make \1\t/p' Makefile

binaries: $(BINARIES) ## build all plugins, each a single file in dist/; with FLAVOUR=frozen, without an image

# Version and commit, which are in the binaries: written only when they change, so that this builds nothing for nothing.
build/version: always | .venv/requirements.txt
	@mkdir -p build; $(PYTHON) -m program.version >build/version.now
	@cmp -s build/version.now $@ && rm build/version.now || mv build/version.now $@

# What dist/ was built as: written only when another flavour is asked for. Each has a folder of its own for what is made on
# the way.
build/flavour: always
	@mkdir -p build; echo $(FLAVOUR) | cmp -s - $@ || echo $(FLAVOUR) >$@

$(BINARIES) &: $(SOURCES)
	@scripts/setup build
	@echo "building $(BINARIES)"
	@mkdir -p build
	@FLAVOUR=$(FLAVOUR) PYINSTALLER_CONFIG_DIR=build/$(FLAVOUR)/cache $(PYTHON) -m PyInstaller --clean --noconfirm \
	    --log-level WARN --workpath build/$(FLAVOUR) --distpath dist build.spec >build/log 2>&1 || { cat build/log; exit 1; }
	@sed -n 's/^note: /  /p' build/log
	@ls -lh $(BINARIES) | awk '{print "  " $$9, $$5}'

demo: binaries  ## attach a device to a pod before your eyes, ping through it, give it back
	@scripts/setup demo
	@scripts/demo

# The command goes through the environment untouched: make and the shell would each take their $ and quotes out of it.
lab: export LAB_RUN = $(value RUN)
lab: binaries   ## a shell in a virtual machine with two SR-IOV NICs; with RUN='...', one command there
	@scripts/setup lab
	@$(PYTHON) -m lab

test: binaries  ## build everything and run all tests
	@scripts/setup test
	@$(MAKE) --no-print-directory lint
	@rm -rf build/test; status=0; part="$(MAKE) --no-print-directory --keep-going --jobs=3"; \
	    $$part $(SIDE_BY_SIDE) || status=$$?; $$part $(ALONE) || status=$$?; \
	    [ $$status = 0 ] || cat build/test/failed; exit $$status

# Parts of `test`, after it has installed and built everything. One that fails keeps no other from running. They begin in this
# order, three at a time: those on the host use half a CPU, those in the lab one.
SIDE_BY_SIDE := test-binary-first test-binary-second test-lab-boot test-unit test-lab-first test-lab-second
ALONE := test-lab-at-once
.PHONY: $(SIDE_BY_SIDE) $(ALONE)

$(SIDE_BY_SIDE) $(ALONE): test-%:
	@scripts/test_part $*

fuzz: binaries  ## make 20,000 mutated requests; with FUZZ='--seed 7 --only 12', a unit of them again
	@scripts/setup test
	@$(PYTHON) -m tests.support.requests $(FUZZ)

lint: .venv/requirements.txt ## style, types, import boundaries
	@$(PYTHON) -m ruff check --quiet && $(PYTHON) -m ruff format --quiet --check
	@$(PYTHON) -m mypy
	@mkdir -p build; .venv/bin/lint-imports --no-cache >build/imports 2>&1 || { cat build/imports; exit 1; }

bench: binaries ## measure beside the reference plugins
	@scripts/setup test
	@$(PYTHON) -m bench table

profile: binaries ## show where a binary's time goes
	@scripts/setup test
	@$(PYTHON) -m bench profile

scale: binaries ## measure as links, addresses and attachments become more
	@scripts/setup test
	@$(PYTHON) -m bench scale

compatibility: .venv/requirements.txt ## write into docs/compatibility.md what the tests say that they try
	@$(PYTHON) -m tests.peers.compatibility

hot:            ## list anew which functions most runs use, by which the binaries are laid out
	@scripts/setup test
	@$(PYTHON) -m bench hot

lock:           ## pin the newest versions in requirements.txt (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header --group dev pyproject.toml -o requirements.txt

.venv/requirements.txt: requirements.txt scripts/setup
	@scripts/setup build

clean:          ## remove what was built
	rm -rf build dist .venv
