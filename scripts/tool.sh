#!/usr/bin/env bash
# Runs a program that tools/tools.go names, in the version of tools/go.mod, in the current directory:
#
#   scripts/tool.sh NAME [ARGUMENT...]
#
# Go verifies what it downloads against the checksum database, and keeps what it has built.
set -euo pipefail
tools=$(dirname "${BASH_SOURCE[0]}")/../tools

package=$(sed -n "s|^[[:space:]]*_ \"\(.*/${1:?the name of a tool}\)\"\$|\1|p" "$tools/tools.go")
[[ -n $package ]] || {
	echo "tool: tools/tools.go does not name $1" >&2
	exit 2
}
version=$(awk -v package="$package/" 'index(package, $1 "/") == 1 && $2 ~ /^v/ { print $2 }' "$tools/go.mod")
exec go run "$package@${version:?tools/go.mod has no version of $package}" "${@:2}"
