#!/usr/bin/env bash
# Installs Debian's Chromium, with which the tests look at the collector's status page, where no browser is installed. It
# needs root then.
set -euo pipefail

say() { echo "browser: $*"; }

for browser in chromium chromium-browser google-chrome chrome; do
	if command -v "$browser" >/dev/null; then
		say "$browser is there"
		exit
	fi
done
if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
	say "there is no Chromium, and only root on a Debian can install it" >&2
	exit 1
fi
say "installing chromium"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Fonts are recommended only, and without one there is no text to look at.
install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; }
install >"$log" 2>&1 || { apt-get update -qq && install; } >"$log" 2>&1 || {
	tail -n 20 "$log" >&2
	say "chromium cannot be installed" >&2
	exit 1
}
say "installed"
