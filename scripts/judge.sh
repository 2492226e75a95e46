#!/usr/bin/env bash
# Runs the suite of package conformance on the stores of the scs project and writes the outcomes to a directory:
#   scripts/judge.sh DIRECTORY [flags of go test, such as -run TestStores/memstore]
# REDIS_ADDR, POSTGRES_ADDR and MYSQL_ADDR name servers, as host:port. Where one is missing, Debian's is started on a
# loopback port (packages redis-server, postgresql, mariadb-server; as root), and ended afterwards. Servers named must let
# in postgres without a password, and scs with the password scs to the database scs: their tables "sessions" are dropped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

(($# > 0)) || {
	sed -n 's/^# \{0,1\}//; 2,6p' "${BASH_SOURCE[0]}" >&2
	exit 2
}
mkdir -p "$1"
JUDGE_REPORT=$(cd "$1" && pwd)
export JUDGE_REPORT
shift

work=$(mktemp -d)
chmod 711 "$work"
pids=()
finish() {
	((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
	wait
	rm -rf "$work"
}
trap finish EXIT

# await WHAT COMMAND...: waits until the command succeeds.
await() {
	local what=$1 end=$((SECONDS + 60))
	shift
	until "$@" >>"$work/log" 2>&1; do
		((SECONDS < end)) || {
			echo "judge: FAIL: $what does not start:" >&2
			tail -n 20 "$work"/*log >&2
			exit 1
		}
		sleep 0.2
	done
}

if [[ -z ${REDIS_ADDR:-} ]]; then
	redis-server --port 16379 --bind 127.0.0.1 --dir "$work" --save "" >"$work/redis.log" 2>&1 &
	pids+=($!)
	await Redis redis-cli -p 16379 ping
	export REDIS_ADDR=127.0.0.1:16379
fi
if [[ -z ${POSTGRES_ADDR:-} ]]; then
	bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/postgres | tail -n 1)")
	install -d -o postgres "$work/postgres"
	setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/initdb" -D "$work/postgres" -A trust -U postgres >"$work/initdb.log"
	setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/postgres" -D "$work/postgres" -p 15432 -h 127.0.0.1 \
		-k "$work/postgres" -c max_connections=500 >"$work/postgres.log" 2>&1 &
	pids+=($!)
	await PostgreSQL "$bin/pg_isready" -h 127.0.0.1 -p 15432
	export POSTGRES_ADDR=127.0.0.1:15432
fi
if [[ -z ${MYSQL_ADDR:-} ]]; then
	mariadb-install-db --datadir="$work/mariadb" --user=root >"$work/install.log" 2>&1
	mariadbd --no-defaults --datadir="$work/mariadb" --user=root --port=13306 --bind-address=127.0.0.1 --max-connections=500 \
		--socket="$work/mariadb.sock" --character-set-server=utf8mb4 >"$work/mariadb.log" 2>&1 &
	pids+=($!)
	await MariaDB mariadb-admin --socket="$work/mariadb.sock" ping
	mariadb --socket="$work/mariadb.sock" -e "CREATE DATABASE scs; CREATE USER scs@'%' IDENTIFIED BY 'scs'; GRANT ALL ON scs.* TO scs@'%'"
	export MYSQL_ADDR=127.0.0.1:13306
fi

cd tests/judge
go test -race -count=1 -parallel 8 -timeout 60m -run '^TestStores$' "$@" . || echo "judge: some rules are broken, as expected"
echo "judge: the outcomes are in $JUDGE_REPORT"
