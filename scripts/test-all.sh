#!/usr/bin/env bash
# Runs all tests on one DynamoDB engine, and then those that use an engine on each of the others that are there.
#
#   TESTFLAGS            further flags for go test
#   DYNAMOTEST_ENGINES   where engines are installed, by default .engines
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

engines=()
[[ ! -x ${DYNAMOTEST_ENGINES:-.engines}/dynoxide/dynoxide ]] || engines+=(dynoxide)
[[ ! -f ${DYNAMOTEST_ENGINES:-.engines}/dynamodb-local/DynamoDBLocal.jar ]] || engines+=(jar)
if command -v docker >/dev/null && timeout 3 docker info >/dev/null 2>&1; then engines+=(docker); fi
if ((${#engines[@]} == 0)); then
	exec scripts/test.sh # Which tries to install one.
fi
packages=(./...)
for engine in "${engines[@]}"; do
	DYNAMOTEST_ENGINE=$engine REQUIRE_DYNAMODB=1 scripts/test.sh "${packages[@]}"
	mapfile -t packages < <(scripts/engine-packages.sh)
done
echo "test-all: passed on ${engines[*]}"
