#!/usr/bin/env bash
# Runs every case of the store suite on every store that is broken on purpose, and prints which cases see which defects.
# It takes some minutes. Arguments go to go test: scripts/mutants.sh -run 'TestMutants/a_delete' for some of them.
# scripts/mutants.sh -run 'TestShareOfFullRuns/find_deletes' -v -runs 100 counts in how many full runs some are found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../conformance"

# In a directory of its own, go test shows what a test prints although it passes. Most of the time the cases wait.
exec go test -count 1 -timeout 60m -parallel 4 -run '^TestMutants$' -matrix "$@"
