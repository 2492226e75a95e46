#!/usr/bin/env bash
# Fuzzes every target of every module: scripts/fuzz.sh [TIME for each, as sleep has it], by default 10s.
#
# The time begins when the inputs that there are have been run, for those of earlier runs can take minutes: -fuzztime would count
# that, too. A package is compiled once, and only where it has targets. And an input that is interesting gets a hundred attempts
# to be made smaller, where go test would spend a minute on each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly time=${1:-10s} root=$PWD
work=$(mktemp -d)
pid=
trap '[[ -z $pid ]] || kill -INT "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT

# targets prints the directory and the name of each fuzz target.
targets() {
	find "$root" -name '*_test.go' -not -path '*/.engines/*' -not -path '*/testdata/*' | sort |
		xargs grep -H -o -E '^func Fuzz[A-Za-z0-9_]*\(' | sed -E 's|/[^/]*:func (.*)\($| \1|'
}

# fuzz PACKAGE TARGET runs the target until its time is over, or until an input fails.
fuzz() {
	: >"$work/log"
	"$work/fuzz.test" -test.run '^$' -test.fuzz "^$2\$" -test.fuzzminimizetime 100x \
		-test.fuzzcachedir "$(go env GOCACHE)/fuzz/$1" >>"$work/log" 2>&1 &
	pid=$!
	until grep -q 'now fuzzing' "$work/log" || ! kill -0 "$pid" 2>/dev/null; do
		sleep 0.1
	done
	sleep "$time" &
	wait -n "$pid" $! || true
	kill -INT "$pid" 2>/dev/null || true
	wait "$pid"
}

count=0 failed=() compiled=
while read -r directory target; do
	cd "$directory"
	package=$(go list)
	if [[ $package != "$compiled" ]]; then
		go test -c -fuzz . -o "$work/fuzz.test"
		compiled=$package
	fi
	count=$((count + 1))
	if fuzz "$package" "$target"; then
		echo "fuzz: $package $target: $(grep 'execs:' "$work/log" | tail -n 1 | sed 's/.*execs: //')"
	else
		cat "$work/log"
		failed+=("$package $target")
	fi
done < <(targets)

((count > 0)) || failed+=("there are no targets")
if ((${#failed[@]} > 0)); then
	printf 'fuzz: FAIL: %s\n' "${failed[@]}" >&2
	exit 1
fi
echo "fuzz: $count targets, $time each"
