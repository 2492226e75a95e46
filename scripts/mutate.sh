#!/usr/bin/env bash
# Changes one line of the code at a time, and prints the mutants that no test has noticed. Of each part, 92 % must be killed.
# It takes hours: it is for the night, and not for a gate.
#
#   scripts/mutate.sh [sample]          tries so many mutants of each part, drawn at random; by default all
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export DYNAMOTEST_ENGINE=${DYNAMOTEST_ENGINE:-dynoxide}
sample=${1:-0}
failed=0

# part TESTS FILE...: the packages whose tests should notice, and the files to change.
part() {
	local tests=$1
	shift
	echo "mutate: $*"
	go run ./tests/mutate -sample "$sample" -want 92 -test "$tests" "$@" || failed=1
}

part "./lockstrategy ./sessionstore ./tests/model ./boltstore" lockstrategy/*.go
part "./sessionstore ./tests/dropin ./tests/model" sessionstore/*.go
part "./dynamostore ./tests/scenarios" dynamostore/{write,attempts,update,move,expression,item}.go

exit "$failed"
