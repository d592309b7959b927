#!/usr/bin/env bash
# servers.sh DIR up|down|stop|cont postgres|redis: private servers in DIR, never the system's. `down` is a crash.
# PostgreSQL listens on a socket in DIR/pg and runs as somebody who is not root; Redis on DIR/redis.sock and on the TCP
# port in DIR/redis.port.
set -euo pipefail
dir=$1 what=$2 which=$3
pg_bin=$(dirname "$(ls -1 /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -n 1)")

unprivileged() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
	else
		"$@"
	fi
}

up_postgres() {
	if [ ! -d "$dir/pg" ]; then
		mkdir "$dir/pg"
		[ "$(id -u)" != 0 ] || chown postgres "$dir/pg"
		(cd "$dir/pg" && unprivileged "$pg_bin/initdb" -D "$dir/pg/data" -U sterna -A trust -E UTF8 --locale=C --no-sync) >"$dir/initdb.log"
	fi
	(cd "$dir/pg" && unprivileged "$pg_bin/pg_ctl" -D "$dir/pg/data" -w -t 60 -l "$dir/pg/log" \
		-o "-c listen_addresses='' -c unix_socket_directories='$dir/pg' -c fsync=off -c shared_buffers=16MB" start) >"$dir/pg_ctl.log"
}

down_postgres() {
	(cd "$dir/pg" && unprivileged "$pg_bin/pg_ctl" -D "$dir/pg/data" -w -m immediate stop) >"$dir/pg_ctl.log"
}

answers_redis() {
	redis-cli -s "$dir/redis.sock" --no-auth-warning -a 'hush-hush' ping 2>/dev/null | grep -q PONG
}

# A port that is taken meanwhile makes the server end: another one is tried.
up_redis() {
	for _ in 1 2 3 4 5 6 7 8; do
		[ -s "$dir/redis.port" ] || echo $((20000 + RANDOM % 12000)) >"$dir/redis.port"
		redis-server --port "$(cat "$dir/redis.port")" --bind 127.0.0.1 --unixsocket "$dir/redis.sock" --dir "$dir" \
			--requirepass hush-hush --save '' --appendonly yes --appendfsync always --daemonize yes \
			--pidfile "$dir/redis.pid" --logfile "$dir/redis.log" >/dev/null
		for _ in $(seq 100); do
			if answers_redis; then return; fi
			sleep 0.05
		done
		: >"$dir/redis.port"
	done
	cat "$dir/redis.log" >&2
	return 1
}

pid_redis() {
	cat "$dir/redis.pid"
}

down_redis() {
	local pid
	pid=$(pid_redis)
	kill -9 "$pid"
	while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
}

case $what-$which in
up-*) up_"$which" ;;
down-*) down_"$which" ;;
stop-redis) kill -STOP "$(pid_redis)" ;;
cont-redis) kill -CONT "$(pid_redis)" ;;
*) exit 2 ;;
esac
