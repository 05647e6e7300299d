# The front door.  Everything real happens in Meson; `make help` lists the doors.
BUILD ?= build
MESON_OPTIONS ?= -Dwerror=true
SECONDS ?= 60

.PHONY: help setup build demo check check-sanitize check-faults fuzz bench-io bench-detect install clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  \1  /p' Makefile | sort | awk '{ name=$$1; $$1=""; printf "  %-16s%s\n", name, $$0 }'

setup: ## install the packages of packages.txt that are missing
	@tools/setup

$(BUILD)/build.ninja:
	@meson setup $(BUILD) $(MESON_OPTIONS) > /dev/null

build: setup $(BUILD)/build.ninja ## build the library and the command: build/tocsin
	@ninja -C $(BUILD) --quiet
	@ln -sf apps/tocsin $(BUILD)/tocsin

check: build ## run all tests
	@python3 tools/run_tests.py $(BUILD)

bench-detect: build ## time the streaming detectors, beside River where TOCSIN_BENCH_PYTHON names a Python that has it
	@$(BUILD)/bench/detect_fast_bench $(BUILD)/bench/detect_fast.json

fuzz: setup ## run every fuzz target for SECONDS each (default 60) with clang's sanitizers
	@tools/fuzz build-fuzz $(SECONDS)

bench-io: build ## CSV reading speed; writes build/bench/io.json
	@mkdir -p $(BUILD)/bench && $(BUILD)/bench/csv_bench $(BUILD)/bench/io.json

install: build ## install library, headers, command and manual (DESTDIR, PREFIX by meson)
	@meson install -C $(BUILD) --quiet

clean: ## remove the build folders
	@rm -rf build build-*
