# SPDX-License-Identifier: MIT
#
# The front door. Everything is built by meson and ninja; this only knows their names.

MAKEFLAGS += --no-print-directory
PREFIX ?= /usr/local
DESTDIR ?=
BULKHEAD = build/release/bulkhead

.PHONY: help deps-build deps-test build sanitize run test vm-test bench exec-attacks compare fuzz lint fmt install deb clean

help:
	@echo 'make build      build $(BULKHEAD)'
	@echo 'make run        build, and run an analysis within its memory and beyond it'
	@echo 'make test       build, with sanitizers too, and run all tests'
	@echo 'make vm-test    run the command-line tests on kernels with a pure cgroup v2 hierarchy'
	@echo 'make bench      measure how long a run takes to start, cold and warm, beside other tools, and an exec policy'
	@echo 'make exec-attacks  attack exec policies, and end runs under one, as often as their documentation says'
	@echo 'make compare    let programs die under bulkhead and other tools, and print what each says'
	@echo 'make fuzz       speak wrongly with the zygote for FUZZ_SECONDS (60)'
	@echo 'make lint       check the sources with clang-tidy, cppcheck, clang-format, shellcheck'
	@echo 'make fmt        format the sources'
	@echo 'make install    install below $$(DESTDIR)$$(PREFIX) (PREFIX=$(PREFIX))'
	@echo 'make deb        build a Debian package in build/deb'
	@echo 'make clean      remove build/'
	@echo
	@echo 'As root, missing Debian packages are installed; others are told which are missing.'

deps-build:
	@tools/install-deps build

deps-test:
	@tools/install-deps build test

build: deps-build
	@[ -e build/release/build.ninja ] || meson setup build/release
	@ninja -C build/release
	@ln -sf src/bulkhead $(BULKHEAD)

sanitize: deps-build
	@[ -e build/sanitize/build.ninja ] || meson setup build/sanitize \
		-Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Dstatic=false
	@ninja -C build/sanitize
	@ln -sf src/bulkhead build/sanitize/bulkhead

run: build
	@examples/demo.sh $(BULKHEAD)

# TESTS: the parts to run (tools/run-tests), all by default.
test: deps-test build sanitize
	@tools/run-tests $(TESTS)

vm-test: deps-test build
	@test/vm/vm-test --suite all

bench: build
	@tools/install-deps bench
	@bench/bench $(BULKHEAD)
	@echo
	@bench/warm $(BULKHEAD)
	@echo
	@bench/preload $(BULKHEAD)
	@echo
	@bench/exec $(BULKHEAD)

# Each attack so often, and each way to end a run; `make test` has less of it.
EXEC_TRIES = 10000
EXEC_SHUTDOWNS = 1000
exec-attacks: deps-test build
	@BULKHEAD=$(BULKHEAD) BULKHEAD_EXEC_TRIES=$(EXEC_TRIES) BULKHEAD_EXEC_SHUTDOWNS=$(EXEC_SHUTDOWNS) \
		/usr/bin/python3 -B -m pytest -p no:cacheprovider -q -rP test/cli/test_exec_attacks.py test/cli/test_exec_shutdowns.py

compare: build
	@tools/install-deps compare
	@bench/deaths $(BULKHEAD)

FUZZ_SECONDS = 60
fuzz: build
	@ninja -C build/release test/fuzz/fuzz-zygote
	@build/release/test/fuzz/fuzz-zygote build/release/src/bulkhead-zygote $(FUZZ_SECONDS)

lint: build
	@tools/install-deps lint
	@tools/lint

fmt:
	@tools/install-deps lint
	@clang-format -i $$(git ls-files 'src/*.[ch]' 'tools/*.c')

# meson would take a relative DESTDIR from the build directory on.
install: export dest := $(DESTDIR)
install: build
	@meson configure build/release -Dprefix='$(PREFIX)'
	@DESTDIR="$${dest:+$$(realpath -m -- "$$dest")}" meson install -C build/release

deb:
	@tools/install-deps build deb
	@tools/make-deb

clean:
	rm -rf build
