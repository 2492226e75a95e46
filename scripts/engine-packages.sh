#!/usr/bin/env bash
# Prints the packages whose tests run on a DynamoDB engine: those that import dynamotest, if only by way of others.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

dynamotest=$(go list -m)/conformance/dynamotest
# Of each package, -test lists the program that go test makes of it. What was compiled anew for the test has that
# program's name behind its own: "example.com/a [example.com/a.test]".
go list -test -f '{{if eq .Name "main"}}{{range .Deps}}{{$.ImportPath}} {{.}}{{"\n"}}{{end}}{{end}}' ./... |
	awk -v dynamotest="$dynamotest" '$2 == dynamotest && sub(/\.test$/, "", $1) { print $1 }' | sort -u
