# What contributors run. `make` lists it.

# Further flags for go test: make test TESTFLAGS='-race -run TestI3'
TESTFLAGS ?=
# How long each target is fuzzed: make fuzz FUZZTIME=2m
FUZZTIME ?= 10s

.DEFAULT_GOAL := help
.PHONY: help test test-all test-modules race cover bench bench-locks bench-collection mutants judge mutate fuzz release engines lint format check ci

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "The tests use DynamoDB Local in Docker, or else an engine under .engines, which \`make engines\` installs."
	@echo "AWS_ENDPOINT_URL_DYNAMODB=... tests on any other; DYNAMOTEST_ENGINE=docker|jar|dynoxide chooses one."

test: ## run all tests on the best DynamoDB there is
	@TESTFLAGS='$(TESTFLAGS)' scripts/test.sh

test-all: ## run all tests, those on DynamoDB on every engine there is
	@TESTFLAGS='$(TESTFLAGS)' scripts/test-all.sh

test-modules: ## run the tests that are modules of their own, against web frameworks
	@scripts/test-modules.sh

race: ## run all tests under the race detector
	@TESTFLAGS='-race $(TESTFLAGS)' scripts/test.sh

cover: ## measure the coverage of all tests together, into cover.out
	@TESTFLAGS='-coverpkg=./... -coverprofile=cover.out $(TESTFLAGS)' scripts/test.sh
	@go tool cover -func=cover.out | tail -n 1

bench: ## run the benchmarks
	@go test -run '^$$' -bench . -benchmem $(TESTFLAGS) ./...

bench-locks: ## measure what the lock strategies keep and cost, on every engine there is
	@scripts/bench-locks.sh

bench-collection: ## measure what the collector consumes, its speed and its memory, on every engine there is
	@scripts/bench-collection.sh

mutants: ## print which cases of the store suite see which of the stores that are broken on purpose
	@scripts/mutants.sh

judge: ## run the store suite on the stores of the scs project, and write the outcomes to judge.out
	@scripts/judge.sh judge.out

mutate: ## change one line at a time, and print what no test notices; SAMPLE=100 tries that many
	@scripts/mutate.sh $(SAMPLE)

fuzz: ## fuzz every target for FUZZTIME, by default 10 seconds
	@scripts/fuzz.sh $(FUZZTIME)

release: ## build the programs of a release into dist: make release VERSION=v1.2.3
	@scripts/release.sh $(VERSION)

engines: ## install DynamoDB engines for the tests under .engines
	@scripts/engines.sh

lint: ## run the linters
	@scripts/tool.sh golangci-lint config verify
	@scripts/tool.sh golangci-lint run ./...
	@scripts/tool.sh actionlint

format: ## format the Go files
	@scripts/tool.sh golangci-lint fmt ./...

check: lint race ## what must pass before a pull request
	@go mod tidy -diff
	@scripts/light-import.sh

ci: ## the whole gate, on all engines: for a Debian machine, as root
	@.ci/run
