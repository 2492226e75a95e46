#!/usr/bin/env bash
# Measures what each lock strategy keeps and costs, on every engine there is, and prints tables in Markdown. The baseline
# is the locking of aws-sessionstore-dynamodb with its defaults.
#
#   DYNAMOTEST_ENGINES         where engines are installed, by default .engines
#   AWS_ENDPOINT_URL_DYNAMODB  a further DynamoDB to measure on
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

engines=() missing=()
add() { # NAME COMMAND...: an engine that is there if the command succeeds
	if "${@:2}" >/dev/null 2>&1; then engines+=("$1"); else missing+=("$1"); fi
}
add dynoxide test -x "${DYNAMOTEST_ENGINES:-.engines}/dynoxide/dynoxide"
add jar test -f "${DYNAMOTEST_ENGINES:-.engines}/dynamodb-local/DynamoDBLocal.jar"
add docker timeout 3 docker info
[[ -z ${AWS_ENDPOINT_URL_DYNAMODB-} ]] || engines+=(endpoint)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go test -c -o "$work/lockbench.test" ./tests/lockbench

# measure BENCHMARK ENGINE prints the table of one benchmark on one engine.
measure() {
	local place=dynamodb forced=$2
	case $2 in
	memory | bolt) place=$2 forced='' ;;
	endpoint) forced='' ;;
	esac
	if ! (cd tests/lockbench && DYNAMOTEST_ENGINE=$forced REQUIRE_DYNAMODB=1 "$work/lockbench.test" \
		-test.run '^$' -test.bench "^$1\$/^$place\$" -test.benchtime 1x) >"$work/log" 2>&1; then
		cat "$work/log" >&2
		echo "bench-locks: FAIL: $1 on $2" >&2
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

show '8 requests at once to one session, with handlers of 200 ms, in one process or in two:' \
	BenchmarkContention memory bolt "${engines[@]}"
if ((${#engines[@]} > 0)); then
	show '200 requests of 4 processes at once to one session, with handlers of 20 ms:' BenchmarkWaiters "${engines[@]}"
	show 'One request to a session that nobody else uses:' BenchmarkUncontended "${engines[@]}"
fi
echo
if ((${#missing[@]} > 0)); then
	echo "bench-locks: not measured, for they are not there: ${missing[*]}. \`make engines\` installs dynoxide and the jar of" \
		'DynamoDB Local; its image needs Docker.'
fi
