#!/usr/bin/env bash
# Runs every fuzz target for a while: scripts/fuzz.sh [time for each], by default 10s.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

time=${1:-10s}
targets=0
for package in $(go list ./...); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "fuzz: $target in $package"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
		targets=$((targets + 1))
	done
done
echo "fuzz: $targets targets, $time each"
