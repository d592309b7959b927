#!/usr/bin/env bash
# run.sh TEST-PROGRAM: the store's tests against servers of their own, ended and removed afterwards.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "$1")
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && command -v redis-server >/dev/null && command -v redis-cli >/dev/null || {
	echo "PostgreSQL or Redis is not installed: skipped (scripts/setup installs them)"
	exit 77
}
dir=$(mktemp -d /tmp/sterna-store.XXXXXX)
chmod 755 "$dir"
finish() {
	[ ! -s "$dir/redis.pid" ] || kill -9 "$(cat "$dir/redis.pid")" 2>/dev/null
	[ ! -d "$dir/pg/data" ] || "$here/servers.sh" "$dir" down postgres 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT
"$here/servers.sh" "$dir" up postgres && "$here/servers.sh" "$dir" up redis || exit 1
SERVERS="$here/servers.sh" STORE_DIR="$dir" "$program"
