#!/usr/bin/env bash
# Starts a Docker engine on a machine that has none running, and stops it again.
#
#   scripts/dockerd.sh start   does nothing where a Docker engine already answers
#   scripts/dockerd.sh stop    stops the engine that start started, and no other
#
# Meant for CI machines without a Docker service. It needs root and, where dockerd is not installed, Debian's docker.io.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly pidfile=.engines/dockerd.pid log=.engines/dockerd.log

say() { echo "dockerd.sh: $*"; }
die() {
	say "$*" >&2
	exit 1
}

# Answers within 3 seconds or not at all: a socket that nobody serves must not hang the caller.
answers() { command -v docker >/dev/null && timeout 3 docker info >/dev/null 2>&1; }

# The recorded process, if it is still a dockerd: after a reboot the number may belong to another program.
ours() {
	[[ -s $pidfile ]] || return 1
	local pid
	pid=$(<"$pidfile")
	[[ $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]] && echo "$pid"
}

install_docker() {
	command -v dockerd >/dev/null && command -v docker >/dev/null && return
	command -v apt-get >/dev/null || die "dockerd is not installed, and this is no Debian; install Docker and start again"
	say "installing docker.io"
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq docker.io >"$log" 2>&1 ||
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq docker.io; } >"$log" 2>&1 ||
		{ tail -n 20 "$log" >&2 && die "docker.io cannot be installed"; }
}

start() {
	if answers; then
		say "a Docker engine already answers"
		return
	fi
	[[ $(id -u) == 0 ]] || die "no Docker engine answers, and only root can start one"
	mkdir -p .engines
	install_docker
	# Installing the package may have started the service.
	if answers; then
		say "a Docker engine already answers"
		return
	fi
	setsid dockerd >"$log" 2>&1 </dev/null &
	local pid=$!
	echo "$pid" >"$pidfile"
	for ((i = 0; i < 60; i++)); do
		if answers; then
			say "started dockerd (pid $pid, log $log)"
			return
		fi
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.5
	done
	tail -n 20 "$log" >&2
	stop
	die "dockerd did not come up; its last lines are above"
}

stop() {
	local pid
	if ! pid=$(ours); then
		say "no dockerd of ours is running"
		rm -f "$pidfile"
		return
	fi
	kill "$pid"
	for ((i = 0; i < 40; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.5
	done
	kill -9 "$pid" 2>/dev/null || true
	rm -f "$pidfile"
	say "stopped dockerd (pid $pid)"
}

case ${1-} in
start) start ;;
stop) stop ;;
*) die "usage: scripts/dockerd.sh start|stop" ;;
esac
