#!/usr/bin/env bash
# Runs the tests, on the best DynamoDB engine there is, and says which one that was.
#
#   scripts/test.sh [package...]        by default ./...
#
#   TESTFLAGS                           further flags for go test, such as "-race -count=1"
#   DYNAMOTEST_ENGINE, ...              choose the engine; see the package conformance/dynamotest
#   REQUIRE_DYNAMODB=1                  fail where there is no engine, instead of testing the rest
#
# Where no engine is to be found, it tries to install one by scripts/engines.sh. It shows what go test prints without -v,
# and of failures everything. It fails if a package that should have run on the engine did not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Most tests wait for DynamoDB, or for time to pass, and not for a processor. On a slow machine some packages need more than
# the ten minutes that go test gives them.
# shellcheck disable=SC2206 # The flags are words.
flags=(-parallel=8 -timeout=25m ${TESTFLAGS-})
packages=("${@:-./...}")

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# engine_in prints the engine that a test's output names, if any.
engine_in() { sed -n 's/^dynamotest: engine=\([a-z]*\) .*/\1/p' "$1" | head -n 1; }

# probe runs the one test that shows which engine the others will get.
probe() {
	# shellcheck disable=SC2086 # The same flags, so that nothing is compiled twice.
	if ! go test "${flags[@]}" -count=1 -v -run '^TestEngineName$' ./conformance/dynamotest >"$log" 2>&1; then
		cat "$log" >&2
		exit 1
	fi
	grep '^dynamotest: going on without' "$log" >&2 || true
	engine=$(engine_in "$log")
}

required=${REQUIRE_DYNAMODB-}
REQUIRE_DYNAMODB='' probe
if [[ -z $engine ]] && command -v npm >/dev/null && scripts/engines.sh; then
	REQUIRE_DYNAMODB='' probe
fi
if [[ -n $engine ]]; then
	echo "test: DynamoDB is $engine"
	# From here on, each package must get the same.
	export REQUIRE_DYNAMODB=1
	[[ $engine == endpoint ]] || export DYNAMOTEST_ENGINE=$engine
elif [[ $required == 1 ]]; then
	echo "test: FAIL: there is no DynamoDB to test on; start Docker, or \`make engines\`" >&2
	exit 1
else
	echo "test: NOT TESTED: everything on DynamoDB, for there is none; start Docker, or \`make engines\`"
fi

# Of -v's output, what go test prints without it.
status=0
go test "${flags[@]}" -v "${packages[@]}" 2>&1 | tee "$log" |
	awk '/^(ok|FAIL|panic:|---? FAIL)|^ +--- FAIL/ { print; fflush() }' || status=$?
if ((status != 0)); then
	echo "test: what failed, in full:"
	# Each package's output ends with the line that says how it went; the end of it tells most.
	awk -v most=500 '
		/^ *(=== (RUN|PAUSE|CONT|NAME) |--- PASS: |PASS$)/ { next }
		/^(ok|\?)[ \t]/ { n = 0; next }
		{ lines[n++] = $0 }
		function show(i) {
			if (n > most) print "test: (" n - most " lines left out)"
			for (i = n > most ? n - most : 0; i < n; i++) print lines[i]
			n = 0
		}
		/^FAIL\t/ { show() }
		END { show() }' "$log"
	echo "test: FAIL"
	exit "$status"
fi

skipped=$(grep -c -E '^ *--- SKIP: ' "$log" || true)
if ((skipped > 0)); then
	echo "test: $skipped skipped, each for a reason that go test -v gives:"
	sed -n 's/^ *--- SKIP: \([^ ]*\) .*/  \1/p' "$log" | sort | uniq
fi
if [[ -z $engine ]]; then
	echo "test: NOT TESTED: everything on DynamoDB, for there is none; start Docker, or \`make engines\`"
	exit
fi

# The engine each package ran on: the line before its "ok".
awk -v OFS=' ' '
	/^dynamotest: engine=/ { sub(/^engine=/, "", $2); engine = $2 }
	/^ok/ { print $2, engine == "" ? "none" : engine; engine = "" }
' "$log" >"$log.engines"
trap 'rm -f "$log" "$log.engines"' EXIT
status=0
while read -r package; do
	got=$(awk -v package="$package" '$1 == package { print $2 }' "$log.engines")
	# With -run, a package may have no test that asks for an engine.
	if [[ $got == none && ${TESTFLAGS-} == *-run* ]]; then continue; fi
	if [[ -n $got && $got != "$engine" ]]; then
		echo "test: FAIL: the tests of $package ran on $got, not on $engine" >&2
		status=1
	fi
done < <(scripts/engine-packages.sh)
echo "test: $(grep -c -E '^ *--- PASS: ' "$log") tests passed in $(wc -l <"$log.engines") packages," \
	"$(grep -c -v ' none$' "$log.engines" || true) of them on $engine"
exit "$status"
