#!/usr/bin/env bash
# Tries what deploy and examples/sidecar hold, as somebody would who deploys the collector:
#
#   scripts/deployment.sh files     manifests against the types of Kubernetes, unit, alerts, workflows
#   scripts/deployment.sh images    builds the images and runs the example of a sidecar, with less patience
#
# As root on Debian it installs what it needs for that. It pulls no image: the build image is made of this machine's Go,
# DynamoDB Local by scripts/image.sh. Both have the names of the real ones only for as long as this takes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly build_image=golang:1.26-bookworm dynamodb_image=amazon/dynamodb-local:3.3.1
readonly local_dynamodb=${DYNAMOTEST_IMAGE:-scsdynamo-test/dynamodb-local:3.3.1}
readonly largest=40000000 # bytes of an image
readonly hardened=(--rm --read-only --cap-drop=ALL --security-opt=no-new-privileges --network=none)

work=$(mktemp -d)
ours=() # tags to take away again

say() { echo "deployment: $*"; }
die() {
	say "FAIL: $*" >&2
	exit 1
}

clean() {
	if [[ -f $work/compose.yaml ]]; then
		sidecar down --volumes --rmi local >/dev/null 2>&1 || true
	fi
	((${#ours[@]} == 0)) || docker rmi "${ours[@]}" >/dev/null 2>&1 || true
	chmod -R u+w "$work" && rm -rf "$work"
}
trap clean EXIT

# quietly COMMAND...: what it prints is shown where it fails.
quietly() {
	"$@" >"$work/log" 2>&1 || {
		tail -n 40 "$work/log" >&2
		die "$*"
	}
}

# apt COMMAND...: apt-get, which may have old lists.
apt() {
	if [[ $(id -u) != 0 ]] || ! type -P apt-get >/dev/null; then
		die "only root can install what is missing, and on Debian: apt-get $*"
	fi
	DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >/dev/null 2>&1 ||
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq "$@"; } >"$work/log" 2>&1 ||
		{ tail -n 20 "$work/log" >&2 && die "apt-get $*"; }
}

# promtool finds the tool, or takes it out of Debian's package: installed, that would start a Prometheus.
promtool() {
	if [[ -z ${promtool-} ]] && ! promtool=$(type -P promtool); then
		(cd "$work" && apt download prometheus)
		dpkg -x "$work"/prometheus_*.deb "$work/prometheus"
		promtool=$work/prometheus/usr/bin/promtool
	fi
	"$promtool" "$@"
}

manifests() {
	local paths=("$PWD"/deploy/kubernetes/*.yaml)
	(cd deploy/kubernetes/schema && go run . "${paths[@]}")
}

# unit must be understood, and expose less than what systemd calls "OK" at its best.
unit() {
	type -P systemd-analyze >/dev/null || apt install -y --no-install-recommends systemd
	sed 's|^ExecStart=/usr/local/bin/gcrunner |ExecStart=/bin/true |' deploy/systemd/gcrunner.service >"$work/gcrunner.service"
	quietly systemd-analyze verify "$work/gcrunner.service"
	if [[ -s $work/log ]]; then # what it does not know it only warns of
		cat "$work/log" >&2
		die "systemd-analyze verify warns"
	fi
	quietly systemd-analyze security --offline=true --threshold=15 "$work/gcrunner.service"
	tail -n 1 "$work/log"
}

files() {
	say "manifests"
	quietly manifests
	cat "$work/log"
	say "systemd unit"
	unit
	say "alerts"
	quietly promtool check rules deploy/prometheus/gcrunner-rules.yaml
	quietly promtool test rules deploy/prometheus/gcrunner-rules_test.yaml
	say "workflows"
	quietly scripts/tool.sh actionlint .github/workflows/*.yml
}

# name IMAGE NAME: gives an image the name of one that cannot be pulled, unless that is there.
name() {
	docker image inspect "$2" >/dev/null 2>&1 || {
		docker tag "$1" "$2"
		ours+=("$2")
	}
}

# build_base makes an image that builds as $build_image does, with all modules in it: a shell and this machine's Go.
build_base() {
	local root=$work/rootfs tag=scsdynamo-test/golang:local goroot library
	goroot=$(go env GOROOT)
	mkdir -p "$root/etc/ssl/certs" "$root/tmp" "$root/root" "$root/bin" "$root/usr/local/go"
	cp -L /bin/sh "$root/bin/sh"
	# go itself is static on most machines, and then has none.
	while read -r library; do
		cp -L --parents "$library" "$root"
	done < <(ldd /bin/sh "$goroot/bin/go" 2>/dev/null |
		awk '$2 == "=>" && $3 ~ "^/" { print $3 } $1 ~ "^/.*/ld-" { print $1 }' | sort -u)
	cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
	cp -r "$goroot"/{VERSION,go.env,bin,lib,pkg,src} "$root/usr/local/go/"
	GOMODCACHE=$root/go/pkg/mod GOPROXY=file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY) GOFLAGS=-modcacherw \
		quietly go mod download
	# Both images are built of the same packages, which are compiled once. What a release has compiled is taken over.
	mkdir -p "$root/root/.cache"
	[[ -z ${RELEASE_CACHE-} ]] || cp -r "$RELEASE_CACHE" "$root/root/.cache/go-build"
	CGO_ENABLED=0 GOCACHE=$root/root/.cache/go-build quietly go build -trimpath -o "$work/programs/" ./cmd/gcrunner ./examples/counter
	tar -C "$root" -c . | docker import --change 'ENV PATH=/usr/local/go/bin:/bin GOPATH=/go HOME=/root GOPROXY=off' \
		- "$tag" >/dev/null
	rm -rf "$root"
	name "$tag" "$build_image"
	ours+=("$tag")
}

# compose is whichever Compose there is: the plugin, or Debian's older program.
compose() {
	if docker compose version >/dev/null 2>&1; then
		docker compose "$@"
	else
		docker-compose "$@"
	fi
}

sidecar() { compose --project-name scsdynamo-deployment --project-directory examples/sidecar --file "$work/compose.yaml" "$@"; }

# becomes WHAT COMMAND...: waits until the command succeeds.
becomes() {
	local what=$1 i
	shift
	for ((i = 0; i < 300; i++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.2
	done
	sidecar logs --tail=20 >&2 || true
	die "it does not come to pass that $what"
}

# It is started anew until DynamoDB is there, each time with another port.
application_answers() { get "http://$(sidecar port counter 4000)"; }

nothing_left() { sidecar run --rm gcrunner --dry-run --output=json | grep '"scanned": 0,'; }

get() { curl --silent --fail --max-time 5 "$@"; }
has() { get "$1" | grep --quiet --extended-regexp "$2"; }

images() {
	local app collector image user size
	docker compose version >/dev/null 2>&1 || type -P docker-compose >/dev/null ||
		apt install -y --no-install-recommends docker-compose
	scripts/image.sh
	name "$local_dynamodb" "$dynamodb_image"
	docker image inspect "$build_image" >/dev/null 2>&1 || build_base

	# The example as it is, but for its patience, for ports that somebody else may use, and for the digests of the real images.
	mkdir -p "$work/deploy" "$work/examples/sidecar"
	for image in deploy/Dockerfile examples/sidecar/Dockerfile; do
		sed '/^FROM /s/@sha256:[0-9a-f]*//' "$image" >"$work/$image"
	done
	sed -e 's/"127\.0\.0\.1:\([0-9]*\):\1"/"127.0.0.1::\1"/' -e 's/--interval=30s/--interval=1s/' \
		-e 's/MAX_STALE: 2m/MAX_STALE: 3s/' -e 's/@sha256:[0-9a-f]*$//' -e "s|dockerfile: |&$work/|" \
		examples/sidecar/compose.yaml >"$work/compose.yaml"
	[[ $(diff examples/sidecar/compose.yaml "$work/compose.yaml" | grep -c '^>') == 7 ]] ||
		die "the example is not what this script knows: its images, ports, interval or max_stale"
	say "building the images"
	quietly sidecar build

	image=$(docker image ls --quiet --filter 'reference=scsdynamo-deployment?gcrunner')
	quietly docker run "${hardened[@]}" "$image" --version
	cat "$work/log"
	user=$(docker image inspect --format '{{.Config.User}}' "$image")
	[[ $user == 65532:65532 ]] || die "the image runs as $user"
	size=$(docker image inspect --format '{{.Size}}' "$image")
	((size < largest)) || die "the image has $size bytes"
	say "the image of gcrunner has $((size / 1000000)) MB"

	quietly sidecar up --detach dynamodb counter
	becomes "the application answers" application_answers
	app=http://$(sidecar port counter 4000)
	get --cookie-jar "$work/jar" "$app" | grep --quiet --line-regexp 'visits: 1' || die "the first visit is not counted as one"
	[[ $(get --cookie "$work/jar" "$app") == "visits: 2" ]] || die "the second visit is not counted in the same session"
	quietly sidecar run --rm gcrunner --dry-run --output=json
	quietly sidecar run --rm gcrunner --once

	quietly sidecar up --detach
	collector=http://$(sidecar port gcrunner 9464)
	becomes "the collector is ready" get "$collector/readyz"
	becomes "the collector is alive" get "$collector/livez"
	# The run before may have taken the session of above.
	quietly get --cookie-jar "$work/jar" "$app"
	becomes "sessions that nobody uses are collected" has "$collector/metrics" '^gcrunner_sessions_deleted_total\{rule="max_stale"\} [1-9]'
	becomes "no session is left" nothing_left
	becomes "the status page tells of it" has "$collector/" 'runs have deleted [1-9]'
	[[ $(get --cookie "$work/jar" "$app") == "visits: 1" ]] || die "the session goes on, although it was collected"
	say "a session of the application was collected"

	image=$(sidecar ps --quiet gcrunner)
	quietly sidecar stop gcrunner
	[[ $(docker inspect --format '{{.State.ExitCode}}' "$image") == 0 ]] || die "the collector does not end in order"
}

case ${1-} in
files) files ;;
images) images ;;
*) die "usage: scripts/deployment.sh files|images" ;;
esac
say "ok"
