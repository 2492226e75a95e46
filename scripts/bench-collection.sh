#!/usr/bin/env bash
# Measures what the collector consumes, how fast it reads and how much memory it takes, on every engine there is, and prints
# tables in Markdown. Others that collect are measured beside it: tower-sessions-dynamodb-store ("pages of 25, batch
# deletes"), connect-dynamodb ("full scan, single deletes"), and a scan with the SDK alone.
#
#   COLLECTBENCH_SESSIONS       how many sessions are collected from while capacity is counted, by default 100,000
#   COLLECTBENCH_SCANNED        how many sessions are scanned while time is measured, by default 30,000
#   COLLECTBENCH_ROUNDS         how often each scan is timed, by default 5
#   COLLECTBENCH_HEAP_SESSIONS  how many sessions are collected from while the heap is watched, by default 300,000
#   COLLECTBENCH_BOLT_SESSIONS  the same on bolt, by default 1,000,000
#   DYNAMOTEST_ENGINE           the only engine to measure on
#   DYNAMOTEST_ENGINES          where engines are installed, by default .engines
#   AWS_ENDPOINT_URL_DYNAMODB   a further DynamoDB to measure on
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

engines=() missing=()
add() { # NAME COMMAND...: an engine that is there if the command succeeds
	[[ -z ${DYNAMOTEST_ENGINE-} || $DYNAMOTEST_ENGINE == "$1" ]] || return 0
	if "${@:2}" >/dev/null 2>&1; then engines+=("$1"); else missing+=("$1"); fi
}
add dynoxide test -x "${DYNAMOTEST_ENGINES:-.engines}/dynoxide/dynoxide"
add jar test -f "${DYNAMOTEST_ENGINES:-.engines}/dynamodb-local/DynamoDBLocal.jar"
add docker timeout 3 docker info
[[ -z ${AWS_ENDPOINT_URL_DYNAMODB-} ]] || engines+=(endpoint)

export COLLECTBENCH_SESSIONS=${COLLECTBENCH_SESSIONS:-100000}
export COLLECTBENCH_SCANNED=${COLLECTBENCH_SCANNED:-30000} COLLECTBENCH_ROUNDS=${COLLECTBENCH_ROUNDS:-5}
export COLLECTBENCH_HEAP_SESSIONS=${COLLECTBENCH_HEAP_SESSIONS:-300000}
export COLLECTBENCH_BOLT_SESSIONS=${COLLECTBENCH_BOLT_SESSIONS:-1000000}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go test -c -o "$work/collectbench.test" ./tests/collectbench

# measure BENCHMARK ENGINE prints the table of one benchmark on one engine. Each has a process of its own.
measure() {
	local benchmark=$1 forced=$2
	case $1/$2 in
	BenchmarkHeap/bolt) benchmark+='$/^bolt' forced='' ;;
	BenchmarkHeap/*) benchmark+='$/^dynamodb' ;;
	esac
	[[ $2 != endpoint ]] || forced=''
	if ! (cd tests/collectbench && DYNAMOTEST_ENGINE=$forced REQUIRE_DYNAMODB=1 "$work/collectbench.test" \
		-test.run '^$' -test.bench "^$benchmark\$" -test.benchtime 1x -test.timeout 2h) >"$work/log" 2>&1; then
		cat "$work/log" >&2
		echo "bench-collection: FAIL: $1 on $2" >&2
		return 1
	fi
	grep '^|' "$work/log"
}

# show TITLE BENCHMARK ENGINE... prints the tables of one benchmark as one.
show() {
	echo
	echo "$1"
	echo
	for engine in "${@:3}"; do measure "$2" "$engine"; done | awk '!seen[$0]++'
}

show 'The heap of a process that collects, with 5 % expired:' BenchmarkHeap bolt "${engines[@]}"
if ((${#engines[@]} > 0)); then
	show 'Sessions looked at in a second, with none expired:' BenchmarkSpeed "${engines[@]}"
	show 'Capacity units that a run consumes in a second of a minute:' BenchmarkBudget "${engines[@]}"
	show 'Capacity units to collect sessions of 1,000 bytes, as the engine reports them:' BenchmarkCost "${engines[@]}"
fi
echo
if ((${#missing[@]} > 0)); then
	echo "bench-collection: not measured, for they are not there: ${missing[*]}. \`make engines\` installs dynoxide and the" \
		'jar of DynamoDB Local; its image needs Docker.'
fi
