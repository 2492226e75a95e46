#!/usr/bin/env bash
# Changes one line of the code at a time, and prints the mutants that no test has noticed. Of each part, 92 % must be killed.
# It takes hours: it is for the night, and not for a gate.
#
#   scripts/mutate.sh [sample [seed]]   tries so many mutants of each part, drawn at random; by default all
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export DYNAMOTEST_ENGINE=${DYNAMOTEST_ENGINE:-dynoxide}
sample=${1:-0}
seed=${2:-$RANDOM}
failed=0

# part TESTS FILE...: the tests that should notice, the fastest first, and the files of one package to change.
part() {
	local tests=$1
	shift
	echo "mutate: $*"
	go run ./tests/mutate -sample "$sample" -seed "$seed" -want 92 -test "$tests" "$@" || failed=1
}

# Many tests of the suites wait: more of them at a time than there are processors take less time.
part "./lockstrategy -skip=^TestConformance; ./sessionstore -skip=^TestConformance; ./tests/model;
	./sessionstore -run=^TestConformance -parallel=16; ./lockstrategy -run=^TestConformance" lockstrategy/*.go
part "./sessionstore -skip=^TestConformance; ./sessionstore -run=^TestConformance -parallel=16; ./tests/model; ./tests/dropin" \
	sessionstore/*.go
part "./dynamostore -skip=Conformance|KillNine|HoldOnePage|Expiry;
	./dynamostore -run=DriverConformance; ./dynamostore -run=St.*Conformance -parallel=16; ./tests/scenarios" \
	dynamostore/{write,attempts,update,expression,item}.go

exit "$failed"
