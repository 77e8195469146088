# make help lists the targets. Logs, counts and temporary things are under .out/, binaries under bin/, tools under .tools/.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export PATH := $(shell . infra/dev/env.sh && echo "$$PATH")

stage := infra/dev/stage.sh
gotest := infra/dev/gotest.sh

# Runs what follows with $$packages set, or says that there are none. Fails when the list cannot be made.
packages = packages=$$(infra/dev/packages.sh $(1)); if [ -z "$$packages" ]; then echo "$@: no packages yet"; exit 0; fi;

# Tests of e2e by the start of their name. All others are the scenarios of the e2e stage.
e2e_special := ^Test(Chaos|Screens|Figure|Long)

## Work

help: ## this list
	@awk '/^## / { printf "\n%s\n", substr($$0, 4) } \
		/^[a-z0-9-]+:.*## / { i = index($$0, ":"); j = index($$0, "## "); printf "  make %-14s %s\n", substr($$0, 1, i - 1), substr($$0, j + 3) }' \
		Makefile

setup: ## install what is missing to build and to test
	@infra/dev/setup.sh test

generate: ## Go and TypeScript from proto/
	@infra/dev/generate.sh

format: ## write Go and web sources in the one format
	@go tool -modfile=tools/go.mod gofumpt -w $$(git ls-files -co --exclude-standard -- '*.go' ':!proto/gen' | xargs -r ls -d 2>/dev/null)
	@if [ -e webapp/package.json ]; then cd webapp && biome check --write .; fi

build: web ## the web app and the programs, into bin/
	@$(MAKE) binaries

web: ## the web app alone; nothing to do when it is current
	@infra/dev/web.sh build

binaries: # the programs with whatever webapp/dist holds
	@mkdir -p bin
	@for cmd in cloud/cmd/trunkline-cloud edge/cmd/trunkline-edge e2e/cmd/trunkline-demo; do \
		if [ -d $$cmd ]; then echo "build: bin/$${cmd##*/}"; CGO_ENABLED=0 go build -trimpath -o bin/ ./$$cmd; fi; \
	done

binaries-race: # the same with the race detector, for the one scenario that runs them
	@mkdir -p bin/race
	@for cmd in cloud/cmd/trunkline-cloud edge/cmd/trunkline-edge; do \
		if [ -d $$cmd ]; then CGO_ENABLED=1 go build -race -o bin/race/ ./$$cmd; fi; \
	done

## Demo

demo: ## everything on this machine, in one command; what it holds is kept in .demo
	@infra/dev/setup.sh demo
	@$(MAKE) build
	@exec bin/trunkline-demo $(ARGS)

demo-carrier: ## calls into the running demo from its carrier; ARGS="..." says which
	@exec bin/trunkline-demo carrier $(ARGS)

demo-reset: ## forget what the demo holds
	@rm -rf .demo

## Prove

check: ## before each commit: lint, architecture, units, web; under 3 minutes
	@infra/dev/summary.sh start
	@$(stage) lint $(MAKE) lint || true
	@$(stage) arch $(MAKE) arch || true
	@$(stage) unit $(MAKE) unit || true
	@$(stage) web $(MAKE) web-check || true
	@infra/dev/summary.sh print

test: ## all that must hold on main; at most 25 minutes on two cores
	@infra/dev/summary.sh start
	@$(stage) setup infra/dev/setup.sh test
	@$(stage) web $(MAKE) web-check || true
	@$(stage) build $(MAKE) build || true
	@$(stage) lint $(MAKE) lint || true
	@$(stage) race $(MAKE) race || true
	@$(stage) stores $(MAKE) stores || true
	@$(stage) e2e $(MAKE) e2e || true
	@$(stage) chaos $(MAKE) chaos || true
	@infra/dev/summary.sh print

lint: ## Go and protos: format, vet, staticcheck, what is generated is current
	@infra/dev/lint.sh

arch: ## who may import whom
	@$(gotest) arch -count=1 .

unit: ## Go units, without the race detector
	@$(call packages,unit) $(gotest) unit -timeout=10m $$packages

race: ## architecture and Go units, with the race detector
	@$(call packages,unit) CGO_ENABLED=1 $(gotest) race -race -timeout=15m . $$packages

stores: ## Go packages that need PostgreSQL, with the race detector
	@$(call packages,stores) CGO_ENABLED=1 $(gotest) stores -race -timeout=15m $$packages

web-check: ## web app: lint, types, tests
	@code=0; for what in lint types test; do infra/dev/web.sh $$what || code=1; done; exit $$code

e2e: ## the shipped programs as processes, with carriers, phones and browsers
	@if [ ! -d e2e ]; then echo "e2e: none yet"; exit 0; fi; \
		LIVE=1 $(gotest) e2e -count=1 -timeout=20m -skip '$(e2e_special)' ./e2e/...

chaos: ## a few kills and cuts; many of them are in test-long
	@if [ ! -d e2e ]; then echo "chaos: none yet"; exit 0; fi; \
		LIVE=1 $(gotest) chaos -count=1 -timeout=10m -run '^TestChaos' ./e2e/...

test-long: build binaries-race ## soak, a hundred kills, many seeds, a million rows; hours
	@$(call packages,all) TRUNKLINE_LONG=1 LIVE=1 $(gotest) long -count=1 -timeout=12h -run '^Test(Long|Chaos)' $$packages ./e2e/...

bench: build ## figures: lines FIGURE name value unit, also in .out/test
	@$(call packages,all) $(gotest) bench -run '^$$$$' -bench . -benchmem -timeout=30m $$packages
	@if [ -d e2e ]; then LIVE=1 $(gotest) figures -count=1 -timeout=60m -run '^TestFigure' ./e2e/...; fi

screens: build ## pictures of every page, into .out/screens
	@LIVE=1 $(gotest) screens -count=1 -timeout=20m -run '^TestScreens' ./e2e -screens

fresh: ## make test on a bare Debian made for it: the proof of the install steps
	@infra/dev/fresh.sh

clean: ## what was built and logged; not tools, not the demo
	@rm -rf bin .out
	@find webapp/dist -mindepth 1 ! -name .gitkeep -delete 2>/dev/null || true

.PHONY: help setup generate format build web binaries binaries-race demo demo-carrier demo-reset check test lint arch unit race stores \
	web-check e2e chaos test-long bench screens fresh clean
