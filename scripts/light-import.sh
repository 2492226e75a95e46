#!/usr/bin/env bash
# Shows that a program which imports the libraries does not get test tools, configuration loaders, metrics or command
# lines with them: makes a module that imports them all, and looks at the go.mod that it ends up with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly heavy='testcontainers|koanf|prometheus|spf13|goleak|testify|/docker/|/moby/'

module=$(go list -m)
# The libraries: all packages but programs, what belongs to them, and what belongs to tests.
mapfile -t libraries < <(go list -f '{{if and (ne .Name "main") .GoFiles}}{{.ImportPath}}{{end}}' ./... |
	grep -v -E "^$module/(cmd|conformance|config|examples|gcrunner|internal|tests)(/|\$)")
((${#libraries[@]} > 0)) || {
	echo "light-import: found no libraries in $module" >&2
	exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
	echo "package main"
	echo
	printf 'import _ "%s"\n' "${libraries[@]}"
	echo
	echo "func main() {}"
} >"$work/main.go"
root=$PWD
cp go.sum "$work/go.sum"
(
	cd "$work"
	go mod init example.com/light
	go mod edit -require "$module@v0.0.0" -replace "$module=$root" -go "$(sed -n 's/^go //p' "$root/go.mod")"
	go mod tidy
	go build -o /dev/null .
) >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	echo "light-import: FAIL: a program that imports ${libraries[*]} does not build" >&2
	exit 1
}

echo "light-import: a program that imports"
printf '  %s\n' "${libraries[@]}"
echo "light-import: requires"
sed -n 's/^\(require\)\{0,1\}[[:space:]]\([^ ]*\.[^ ]*\) \(v[^ ]*\).*/  \2 \3/p' "$work/go.mod" | grep -v " $module "
if grep -E "$heavy" "$work/go.mod" >&2; then
	echo "light-import: FAIL: the modules above come with the libraries" >&2
	exit 1
fi
