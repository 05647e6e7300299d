# The front door.  Everything real happens in Meson; `make help` lists the doors.
BUILD ?= build
MESON_OPTIONS ?= -Dwerror=true
SECONDS ?= 60

.PHONY: bench-ablation bench-alarms bench-answers bench-calibration bench-crossing bench-decide bench-detect bench-explain bench-family bench-fdr bench-fleet bench-history bench-http bench-ingest bench-io bench-kernels bench-live bench-nn bench-peers bench-serve bench-standby bench-store bench-suites build check check-bad-days check-builds check-faults check-networks check-sanitize clean demo fuzz help install kinds pretrain setup web

DATA ?= ../shared/data
JOBS ?= 1
PEERS ?= bench/peers.txt
BENCH_VENV ?= $(HOME)/.cache/tocsin/bench-venv

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  \1  /p' Makefile | sort | awk '{ name=$$1; $$1=""; printf "  %-16s%s\n", name, $$0 }'

setup: ## install the packages of packages.txt that are missing
	@tools/setup

$(BUILD)/build.ninja:
	@echo "building for the first time: a minute or two" >&2
	@meson setup $(BUILD) $(MESON_OPTIONS) > /dev/null

build: setup $(BUILD)/build.ninja ## build the library and the command: build/tocsin
	@ninja -C $(BUILD) --quiet
	@ln -sf apps/tocsin $(BUILD)/tocsin

check: build ## run all tests
	@tools/test_web || echo "no Node, or npm did not answer: the tests of the dashboard will be skipped" >&2
	@python3 tools/run_tests.py $(BUILD)

bench-peers: ## install what the benchmarks compare with (PEERS="bench/peers.txt bench/peers-nn.txt") into a virtual environment outside the project
	@python3 -m venv $(BENCH_VENV) && $(BENCH_VENV)/bin/pip install --quiet $(PEERS:%=--requirement %)

bench-detect: build ## every speed figure of reading and detection, beside River, stumpy, scikit-learn and PyOD
	@bench/machine $(BUILD)/tocsin && BENCH_VENV=$(BENCH_VENV) bench/speed $(BUILD)

fuzz: setup ## run every fuzz target for SECONDS each (default 60) with clang's sanitizers
	@tools/fuzz build-fuzz $(SECONDS)

bench-kernels: build ## time products and convolutions beside OpenBLAS and oneDNN, joins and cells beside stumpy and PyTorch where TOCSIN_BENCH_PYTHON names a Python that has them
	@bench/machine $(BUILD)/tocsin && mkdir -p $(BUILD)/bench && $(BUILD)/bench/kernels_bench $(BUILD)/bench/kernels.json
	@$(BUILD)/bench/join_bench $(BUILD)/bench/join.json
	@$(BUILD)/bench/cells_bench $(BUILD)/bench/cells.json

bench-ingest: build ## bodies of requests to samples: remote-write, OTLP, line protocol, NDJSON, beside Python's protobuf where TOCSIN_BENCH_PYTHON names a Python that has it
	@bench/machine $(BUILD)/tocsin && mkdir -p $(BUILD)/bench && TOCSIN_BENCH_PYTHON="$${TOCSIN_BENCH_PYTHON:-$(wildcard $(BENCH_VENV)/bin/python)}" $(BUILD)/bench/ingest_bench $(BUILD)/bench/ingest.json
bench-http: build ## what a request costs, decided in process and served over loopback, without and with a token; writes build/bench/http.json
	@bench/machine $(BUILD)/tocsin && mkdir -p $(BUILD)/bench && $(BUILD)/bench/http_bench $(BUILD)/bench/http.json

bench-io: build ## CSV reading speed; writes build/bench/io.json
	@bench/machine $(BUILD)/tocsin && mkdir -p $(BUILD)/bench && $(BUILD)/bench/csv_bench $(BUILD)/bench/io.json

demo: build ## simulate a water-pump plant and find its rare events
	@mkdir -p $(BUILD)/demo
	@echo "A simulated plant, and what really happens in it:"
	@$(BUILD)/tocsin simulate pump --output $(BUILD)/demo/plant.csv
	@echo; echo "What tocsin finds without being told anything:"; echo
	@$(BUILD)/tocsin detect $(BUILD)/demo/plant.csv --report $(BUILD)/demo/plant.html

check-bad-days: build ## bad days of the service in full size: 10,000 connections, two million series; the container's build steps (minutes)
	@TOCSIN_SLOW_TESTS=1 python3 tests/servers/bad_days_test.py $(BUILD)/apps/tocsin && TOCSIN_SLOW_TESTS=1 python3 tests/servers/life_test.py $(BUILD)/apps/tocsin . $(BUILD)

bench-standby: build ## rows a second with the journal in its folder and with the journal that two services share, beside each other
	@python3 bench/standby_bench.py $(BUILD)/apps/tocsin

check-sanitize: setup ## all tests under address, undefined-behaviour and thread sanitizers (about 10 minutes)
	@tools/check_builds sanitize

check-networks: setup ## kernels and networks in every tier (portable, avx2, avx512), plain and under the sanitizers (about 15 minutes)
	@tools/check_builds networks

check-faults: setup ## all tests under valgrind; failing allocations and full disks are part of every run (about 10 minutes)
	@tools/check_builds faults

check-builds: setup ## gcc and clang, debug and release, all optional dependencies off
	@tools/check_builds compilers


bench-decide: build ## is the alarm budget kept, on simulated scores and on the series in DATA? false alarms promised and raised
	@bench/machine $(BUILD)/tocsin && mkdir -p $(BUILD)/bench && $(BUILD)/bench/budget_bench $(BUILD)/bench/budget.json
	@[ ! -d $(DATA) ] || $(BUILD)/bench/budget_files $(BUILD)/bench/budget_files.json tsb-ad $(DATA)/tsb-ad-u tsb-ad $(DATA)/tsb-ad-m nab $(DATA)/nab

bench-calibration: build ## do bands and p-values hold what they promise?  seconds; writes build/bench/calibration.json and .png
	@bench/machine $(BUILD)/tocsin && mkdir -p $(BUILD)/bench && $(BUILD)/bench/calibration_bench $(BUILD)/bench/calibration.json $(BUILD)/bench/calibration.png

bench-crossing: build ## do probabilities that a limit is passed mean what they say? half a minute
	@bench/machine $(BUILD)/tocsin && $(BUILD)/bench/crossing_bench && $(BUILD)/bench/crossing_bench --epochs 20

bench-fdr: build ## is the false-discovery rate kept over 1,000 fleets of 1,000 series?  minutes; writes build/bench/fdr.json
	@bench/machine $(BUILD)/tocsin && mkdir -p $(BUILD)/bench && $(BUILD)/bench/fdr_bench $(BUILD)/bench/fdr.json

bench-alarms: build ## an alarm budget beside 3 sigma and PyOD's defaults on ten series in DATA: alarms raised, events caught, time to detect
	@bench/machine $(BUILD)/tocsin && $(BENCH_VENV)/bin/python bench/ten_files.py $(BUILD) $(DATA)/nab 1/week

bench-answers: build ## what two hundred answers are worth: false alarms and events with and without them, simulated and of the series in DATA; minutes
	@bench/machine $(BUILD)/tocsin && mkdir -p $(BUILD)/bench && $(BUILD)/bench/answers_bench $(BUILD)/bench/answers_simulated.json
	@[ ! -d $(DATA) ] || $(BUILD)/bench/answers_bench $(BUILD)/bench/answers.json tsb-ad $(DATA)/tsb-ad-u nab $(DATA)/nab

bench-explain: build ## are explanations right? planted causes found, counterfactuals valid, kinds, milliseconds; writes build/bench/explain.json
	@bench/machine $(BUILD)/tocsin && mkdir -p $(BUILD)/bench && $(BUILD)/bench/explain_bench $(BUILD)/bench/explain.json

bench-serve: build ## how much the live service takes in, durable before it answers; how late, how large, how soon it is back after a kill
	@bench/machine $(BUILD)/tocsin && mkdir -p $(BUILD)/bench && $(BUILD)/bench/serve_bench $(BUILD)/bench/serve.json
bench-live: build ## what a row costs in the fast layer of the live service, beside River and scikit-learn
	@bench/machine $(BUILD)/tocsin && mkdir -p $(BUILD)/bench && TOCSIN_BENCH_PYTHON="$${TOCSIN_BENCH_PYTHON:-$(wildcard $(BENCH_VENV)/bin/python)}" $(BUILD)/bench/live_bench $(BUILD)/bench/live.json
bench-history: build ## what a row of history costs, how large it is, how long a picture of a million rows takes
	@bench/machine $(BUILD)/tocsin && mkdir -p $(BUILD)/bench && $(BUILD)/bench/history_bench $(or $(FOLDER),$(BUILD)) $(BUILD)/bench/history.json
bench-store: build ## what the store takes in a second, durable, in SQLite and in PostgreSQL; FOLDER is on the disk to be measured (default: the build folder)
	@bench/machine $(BUILD)/tocsin && mkdir -p $(BUILD)/bench && $(BUILD)/bench/store_bench $(or $(FOLDER),$(BUILD)) $(BUILD)/bench/store.json

bench-nn: build ## train and score small networks, beside PyTorch where TOCSIN_BENCH_PYTHON names a Python that has it
	@bench/machine $(BUILD)/tocsin && mkdir -p $(BUILD)/bench && TOCSIN_BENCH_PYTHON="$${TOCSIN_BENCH_PYTHON:-$(wildcard $(BENCH_VENV)/bin/python)}" $(BUILD)/bench/nn_bench $(BUILD)/bench/nn.json

bench-suites: build ## the five public data sets in DATA, offline and online, published values beside ours
	@bench/suites $(BUILD)/tocsin $(DATA) $(BUILD)/bench $(JOBS)

bench-family: build ## the deep detectors on SUITE (u, m or tabular) in DATA: one table
	@bench/family $(BUILD)/tocsin $(DATA) $(SUITE) --output $(BUILD)/bench $(if $(JOBS),--jobs $(JOBS))

bench-fleet: build ## what learning from many series is worth to one with 200 rows: simulated machines, SKAB and parts of TSB-AD in DATA
	@bench/machine $(BUILD)/tocsin && bench/fleet $(BUILD)/bench/fleet_bench $(DATA)

bench-ablation: build ## what each part of auto is worth on DATA/tsb-ad-u, and what MEMBERS would add
	@bench/machine $(BUILD)/tocsin && $(BUILD)/bench/ablation $(DATA)/tsb-ad-u tsb-ad $(MEMBERS)

web: ## build the dashboard anew: web/src into web/dist, which the next build embeds (needs Node)
	@tools/test_web && cd web && npm run --silent build

kinds: build ## learn anew to tell kinds of episodes apart: src/explain/kind_weights.inc, minutes
	@$(BUILD)/bench/kind_train src/explain/kind_weights.inc

pretrain: build ## train the networks that the library brings along anew, into build/weights
	@mkdir -p $(BUILD)/weights && cd $(BUILD)/weights && ../bench/pretrain --series 6000 --steps 3000 scores:1=scores-1.safetensors scores:2=scores-2.safetensors scores:3=scores-3.safetensors
	@cd $(BUILD)/weights && ../bench/pretrain --series 6000 --steps 12000 values:1=values-1.safetensors values:2=values-2.safetensors attention:1=attention-1.safetensors attention:2=attention-2.safetensors

install: build ## install library, headers, command and manual (DESTDIR, PREFIX by meson)
	@meson install -C $(BUILD) --quiet

clean: ## remove the build folders
	@rm -rf build build-*
