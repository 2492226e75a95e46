#!/usr/bin/env bash
# Builds what a release consists of, into dist: each command for each platform, an SBOM (CycloneDX) of each, and SHA256SUMS.
#
#   scripts/release.sh VERSION [GOOS/GOARCH...]    VERSION is the tag, such as v1.2.3
#   scripts/release.sh check                       builds for this machine twice, and compares and tries what comes out
#
# The same commit and the same Go make the same programs, byte for byte, in any directory on any machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly commands=(gcrunner scsdynamo)
readonly platforms=({linux,darwin,windows}/{amd64,arm64})

work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT

die() {
	echo "release: FAIL: $*" >&2
	exit 1
}

# Names that a release has: gcrunner_1.2.3_linux_amd64, gcrunner_1.2.3_windows_amd64.exe.
file_name() {
	local extension=
	[[ $3 != windows/* ]] || extension=.exe
	echo "$1_${2#v}_${3/\//_}$extension"
}

# programs VERSION DIRECTORY PLATFORM...: nothing of this machine, and no setting of its user, gets into them.
programs() {
	local version=$1 directory=$2 platform command
	for platform in "${@:3}"; do
		for command in "${commands[@]}"; do
			echo "release: $(file_name "$command" "$version" "$platform")"
			env -u GOFLAGS -u GOEXPERIMENT -u GOAMD64 -u GOARM64 -u GOFIPS140 GOENV=off GOWORK=off \
				GOOS="${platform%/*}" GOARCH="${platform#*/}" CGO_ENABLED=0 \
				GOPROXY="$(go env GOPROXY)" GOCACHE="${RELEASE_CACHE:-$(go env GOCACHE)}" \
				go build -trimpath -buildvcs=false -mod=readonly \
				-ldflags "-s -w -X $(go list -m)/cmd/internal/version.release=$version" \
				-o "$directory/$(file_name "$command" "$version" "$platform")" "./cmd/$command"
		done
	done
}

# sboms VERSION DIRECTORY: what is in each program, as the program itself says.
sboms() {
	local program
	for program in "$2"/*; do
		scripts/tool.sh cyclonedx-gomod bin -json -std -licenses -noserial -notimestamp -version "$1" \
			-output "$program.cdx.json" "$program" 2>"$work/log" || {
			cat "$work/log" >&2
			die "no SBOM of $program"
		}
	done
}

release() {
	local version=$1
	shift
	[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || die "$version is not a version such as v1.2.3"
	(($# > 0)) || set -- "${platforms[@]}"
	rm -rf dist
	mkdir dist
	programs "$version" dist "$@"
	sboms "$version" dist
	(cd dist && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
	echo "release: $(wc -l <dist/SHA256SUMS) files in dist"
}

# check tries a release for this machine alone, which is what does not take a quarter of an hour.
check() {
	local version=v0.0.0-check host command program path release line
	host=$(go env GOOS)/$(go env GOARCH)
	release "$version" "$host"
	(cd dist && sha256sum --quiet --check SHA256SUMS) || die "SHA256SUMS is not that of the files"

	for command in "${commands[@]}"; do
		program=dist/$(file_name "$command" "$version" "$host")
		line=$("$program" --version)
		[[ $line == "$command "*"$version $(go env GOVERSION) $host" ]] ||
			die "$program --version says: $line"
		# Each module of the program is in its SBOM, in that version.
		while read -r path release; do
			grep -F -A 1 "\"name\": \"$path\"" "$program.cdx.json" | grep -q -F "\"version\": \"$release\"" ||
				die "$program.cdx.json lacks $path $release"
		done < <(go version -m "$program" | awk '$1 == "dep" { print $2, $3 }')
		grep -q -F "\"version\": \"$version\"" "$program.cdx.json" || die "$program.cdx.json does not say that it is of $version"
	done

	# Another directory. That another machine compiles the same, the workflow sees, which takes minutes.
	mkdir "$work/source" "$work/again"
	tar -c go.mod go.sum $(go list -f '{{.Dir}}' -deps ./cmd/... | sed -n "s|^$PWD/||p" | cut -d / -f 1 | sort -u) | tar -x -C "$work/source"
	(
		cd "$work/source"
		programs "$version" "$work/again" "$host"
	)
	for program in "$work"/again/*; do
		cmp "$program" "dist/${program##*/}" || die "${program##*/} is another one in another directory"
	done
	echo "release: ok"
}

case ${1-} in
check) check ;;
v*) release "$@" ;;
*) die "usage: scripts/release.sh VERSION [GOOS/GOARCH...] | check" ;;
esac
