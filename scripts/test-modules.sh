#!/usr/bin/env bash
# Runs the tests that are modules of their own, so that what they need stays out of the go.mod of programs which import ours.
# A module that cannot be resolved, or whose go.mod is not tidy, fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

shopt -s nullglob
modules=(tests/*/go.mod)
((${#modules[@]} > 0)) || {
	echo "test-modules: FAIL: there is no tests/*/go.mod" >&2
	exit 1
}
for module in "${modules[@]}"; do
	directory=$(dirname "$module")
	[[ $directory != tests/judge ]] || continue # needs servers, and a C compiler: make judge
	echo "test-modules: $directory"
	(cd "$directory" && go mod tidy -diff && go vet ./... && go test -count=1 ./...) || {
		echo "test-modules: FAIL: $directory" >&2
		exit 1
	}
done
