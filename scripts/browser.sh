#!/usr/bin/env bash
# Installs what the tests look at the collector's status page with: Debian's Chromium, where no browser is installed, which needs
# root; and axe-core, which finds what keeps people out, under .engines. Exits with 1 where one of them is not there in the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly engines=${DYNAMOTEST_ENGINES:-.engines}

say() { echo "browser: $*"; }
# shellcheck source=scripts/npm.sh
source scripts/npm.sh

chromium() {
	local browser log
	for browser in chromium chromium-browser google-chrome chrome; do
		if command -v "$browser" >/dev/null; then
			say "$browser is there"
			return
		fi
	done
	if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
		say "there is no Chromium, and only root on a Debian can install it" >&2
		return 1
	fi
	say "installing chromium"
	log=$(mktemp)
	# Fonts are recommended only, and without one there is no text to look at.
	local packages=(chromium fonts-dejavu-core)
	export DEBIAN_FRONTEND=noninteractive
	if ! { apt-get install -y -qq --no-install-recommends "${packages[@]}" ||
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends "${packages[@]}"; }; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		rm -f "$log"
		say "chromium cannot be installed" >&2
		return 1
	fi
	rm -f "$log"
	say "installed"
}

chromium
install axe-core axe-core 1 package/axe.min.js
[[ -f $engines/axe-core/axe.min.js ]]
