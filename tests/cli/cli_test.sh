#!/usr/bin/env bash
# The command line as a user meets it: cli_test.sh path/to/sterna path/to/docs/config.md
set -uo pipefail
sterna=$(realpath "$1")
docs=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
# No setting of the machine this runs on must leak in.
while IFS= read -r name; do
	unset "$name"
done < <(compgen -e | grep -E '^(LIVEKIT_|WEBRTC_|NODE_IP$|UDP_PORT$|REDIS_)')

passed=0
failed=0

# run NAME CODE COMMAND…: keeps stdout in out, stderr in err.
run() {
	name=$1 want=$2
	shift 2
	"$@" >out 2>err </dev/null
	local code=$?
	if [ $code = "$want" ]; then
		passed=$((passed + 1))
	else
		fail "exit code $code instead of $want"
	fi
}
fail() {
	failed=$((failed + 1))
	echo "FAILED: $name: $1"
	sed 's/^/  stdout: /' out | head -5
	sed 's/^/  stderr: /' err | head -5
}
# The whole of stderr is this line.
says() {
	if [ "$(cat err)" = "$1" ]; then passed=$((passed + 1)); else fail "stderr is not: $1"; fi
}
out_has() {
	if grep -qF -- "$1" out; then passed=$((passed + 1)); else fail "stdout lacks: $1"; fi
}
out_lacks() {
	if ! grep -qF -- "$1" out; then passed=$((passed + 1)); else fail "stdout has: $1"; fi
}
err_has() {
	if grep -qF -- "$1" err; then passed=$((passed + 1)); else fail "stderr lacks: $1"; fi
}
out_is_empty() {
	if [ ! -s out ]; then passed=$((passed + 1)); else fail "stdout is not empty"; fi
}

# ---- help and version
run 'no command' 2 "$sterna"
says 'sterna: a command is missing; sterna help lists them'
run 'help' 0 "$sterna" help
for command in serve token user config version help; do
	out_has "  $command"
done
for command in serve token user config version; do
	run "help $command" 0 "$sterna" help $command
	out_has "sterna $command"
done
run '--help' 0 "$sterna" --help
out_has 'serve --dev'
run 'serve --help' 0 "$sterna" serve --help
out_has '--rtc.udp_port'
out_has '--node-ip'
run 'version' 0 "$sterna" version
out_has 'sterna '
out_has 'OpenSSL '
out_has 'libwebsockets '
out_has 'usrsctp '
out_has 'SQLite 3'
out_has 'libpq 1'
out_has 'hiredis '
run '--version' 0 "$sterna" --version

# ---- mistakes
run 'unknown command' 2 "$sterna" serv
says 'sterna: unknown command "serv"; did you mean serve?'
run 'far unknown command' 2 "$sterna" qqqq
says 'sterna: unknown command "qqqq"; sterna help lists them'
run 'help for an unknown command' 2 "$sterna" help toke
says 'sterna: unknown command "toke"; did you mean token?'
run 'unknown flag' 2 "$sterna" serve --rtc.udp_prot 1
says 'sterna: unknown flag --rtc.udp_prot; did you mean --rtc.udp_port?'
run 'flag without value' 2 "$sterna" serve --port
says 'sterna: --port: a value is missing; write --port VALUE'
run 'stray word' 2 "$sterna" serve now
says 'sterna: unexpected "now"'
run 'single dash' 2 "$sterna" serve -port
says 'sterna: unexpected "-port"; flags begin with --'
run 'bad port' 2 "$sterna" serve --dev --udp-port abc
says 'sterna: --udp-port: "abc" is not a port; use a number from 1 to 65535 or a range such as 7882-7889'
run 'no keys' 2 "$sterna" serve
says 'sterna: keys: there is no API key; set keys, key_file or LIVEKIT_KEYS, or use --dev to try things out'
run 'no such file' 2 "$sterna" serve --config nowhere.yaml
says 'sterna: cannot open nowhere.yaml: No such file or directory'

# ---- config
printf 'rtc:\n  udp_port: abc\n' >config.yaml
run 'config check names file and line' 2 "$sterna" config check --config config.yaml
says 'sterna: config.yaml:2: rtc.udp_port: "abc" is not a port; use a number from 1 to 65535 or a range such as 7882-7889'
out_is_empty
printf 'keys:\n  name: hush-hush\nredis:\n  address: h\n' >config.yaml
run 'config check with warnings' 0 "$sterna" config check --config config.yaml
out_has 'the configuration is good'
err_has 'warning: config.yaml:3: redis: ignored:'
err_has 'the secret of "name" is shorter than 32 characters'
run 'config show' 0 env LIVEKIT_PORT=4000 "$sterna" config show --config config.yaml --rtc.udp_port=5000-5001
out_has 'port: 4000'
out_has '  udp_port: 5000-5001'
out_has '"name": "[redacted]"'
out_lacks 'hush'
cp out shown.yaml
run 'config show can be loaded' 0 "$sterna" config show --config shown.yaml
if cmp -s out shown.yaml; then passed=$((passed + 1)); else fail 'it says something else then'; fi
run 'LIVEKIT_CONFIG' 0 env LIVEKIT_CONFIG='port: 4001' "$sterna" config show
out_has 'port: 4001'
run 'unknown verb' 2 "$sterna" config shwo
says 'sterna: unknown "config shwo"; did you mean config show?'
run 'missing verb' 2 "$sterna" config
says 'sterna: write sterna config check, show or docs'
run 'config docs' 0 "$sterna" config docs
if cmp -s out "$docs"; then
	passed=$((passed + 1))
else
	fail "docs/config.md is out of date; run: build/sterna config docs >docs/config.md"
fi
run 'full disk' 1 sh -c '"$1" config docs >/dev/full' sh "$sterna"
err_has 'cannot write to standard output: No space left on device'

# ---- token
claims() {
	local part
	part=$(cut -d. -f2 out | tr '_-' '/+')
	while [ $((${#part} % 4)) != 0 ]; do part="$part="; done
	printf %s "$part" | base64 -d >claims
	mv claims out
}
run 'token' 0 "$sterna" token create --dev --room r --identity i --name N --metadata M --attribute a=b \
	--can-publish=false --can-subscribe --can-publish-sources camera,microphone --ttl 90s
if [ "$(wc -l <out)" = 1 ] && [ ! -s err ] && grep -qE '^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$' out; then
	passed=$((passed + 1))
else
	fail 'stdout is not one token'
fi
# The signature is that of the secret: HMAC-SHA256 over the first two parts.
signed=$(cut -d. -f1,2 out)
mac=$(printf %s "$signed" | openssl dgst -sha256 -hmac secret -binary | base64 | tr '/+' '_-' | tr -d '=')
if [ "$mac" = "$(cut -d. -f3 out)" ]; then passed=$((passed + 1)); else fail 'the signature is wrong'; fi
claims
for claim in '"iss":"devkey"' '"sub":"i"' '"name":"N"' '"metadata":"M"' '"a":"b"' '"room":"r"' '"roomJoin":true' \
	'"canPublish":false' '"canSubscribe":true' '"canPublishSources":["camera","microphone"]'; do
	out_has "$claim"
done
nbf=$(grep -o '"nbf":[0-9]*' out | cut -d: -f2)
exp=$(grep -o '"exp":[0-9]*' out | cut -d: -f2)
if [ $((exp - nbf)) = 90 ]; then passed=$((passed + 1)); else fail "exp - nbf is not 90"; fi

run 'API token' 0 "$sterna" token create --api-key K --api-secret S --create --list
claims
out_has '"iss":"K"'
out_has '"roomCreate":true'
out_has '"roomList":true'
out_lacks '"roomJoin":true'
run 'agent token' 0 "$sterna" token create --dev --agent --hidden --recorder --admin --room r --identity i
claims
for claim in '"kind":"agent"' '"hidden":true' '"recorder":true' '"roomAdmin":true'; do
	out_has "$claim"
done
run 'key of the configuration' 0 "$sterna" token create --config config.yaml --room r --identity i
claims
out_has '"iss":"name"'
run 'key of the environment' 0 env LIVEKIT_API_KEY=E LIVEKIT_API_SECRET=S "$sterna" token create --room r --identity i
claims
out_has '"iss":"E"'

run 'token without key' 2 "$sterna" token create --room r --identity i
says 'sterna: there is no key to sign with; give --config, --api-key and --api-secret, or --dev'
run 'token with an unknown key' 2 "$sterna" token create --dev --api-key other --room r --identity i
says 'sterna: the configuration has no key "other"; give --api-secret'
run 'token without identity' 2 "$sterna" token create --dev --room r
says 'sterna: --identity is missing: who will hold the token?'
run 'token without room' 2 "$sterna" token create --dev --identity i
says 'sterna: --room is missing: which room may i join?'
run 'token for nothing' 2 "$sterna" token create --dev
says 'sterna: nothing would be allowed; give --room and --identity, or --create, --list or --admin'
run 'token with a bad ttl' 2 "$sterna" token create --dev --room r --identity i --ttl soon
says 'sterna: --ttl: "soon" is not a time; use one such as 30m, 6h or 7d'
run 'token with a bad source' 2 "$sterna" token create --dev --room r --identity i --can-publish-sources cam
err_has '"cam" is no source'
run 'token with a bad attribute' 2 "$sterna" token create --dev --room r --identity i --attribute ab
says 'sterna: --attribute: "ab" is not KEY=VALUE'
run 'token with a bad switch' 2 "$sterna" token create --dev --room r --identity i --can-publish=perhaps
says 'sterna: --can-publish: use --can-publish=true or --can-publish=false'
run 'token that is not UTF-8' 2 "$sterna" token create --dev --room r --identity $'\xff'
out_is_empty
run 'token without verb' 2 "$sterna" token
says 'sterna: write sterna token create --room ROOM --identity ID'

# ---- user
key() { # of realm $1, user $2
	sqlite3 users.db "SELECT hmackey FROM turnusers_lt WHERE realm = '$1' AND name = '$2'"
}
same() {
	if [ "$1" = "$2" ]; then passed=$((passed + 1)); else fail "$1 is not $2"; fi
}
run 'user add' 0 "$sterna" user add --db sqlite:users.db --realm north.gov --user gorst --password hero
out_has 'added gorst to north.gov'
same "$(key north.gov gorst)" 7da2270ccfa49786e0115366d3a3d14d
same "$(stat -c %a users.db)" 600
run 'user add without a scheme' 2 sh -c 'echo hero | "$1" user add --db users.db --realm r --user u' sh "$sterna"
says 'sterna: this names no database: write sqlite:PATH, postgresql://… or redis://…'
run 'user add reads the password' 0 sh -c 'echo hero | "$1" user add --db ./users.db --realm r --user u' sh "$sterna"
same "$(key r u)" "$(printf u:r:hero | openssl md5 -r | cut -d' ' -f1)"
run 'user add changes' 0 "$sterna" user add --db sqlite:users.db --realm r --user u --password x --algorithm sha256
out_has 'changed the password of u in r'
same "$(key r u)" "$(printf u:r:x | openssl sha256 -r | cut -d' ' -f1)"
run 'user add keeps quotes' 0 "$sterna" user add --db sqlite:users.db --realm r --user "x'); DROP TABLE turnusers_lt;--" --password p
run 'user list' 0 "$sterna" user list --db sqlite:users.db
same "$(cat out)" "$(printf "north.gov\tgorst\nr\tu\nr\tx'); DROP TABLE turnusers_lt;--")"
run 'user list of a realm' 0 "$sterna" user list --db sqlite:users.db --realm north.gov
same "$(cat out)" "$(printf 'north.gov\tgorst')"
run 'user delete' 0 "$sterna" user delete --db sqlite:users.db --realm r --user u
same "$(key r u)" ''
run 'user delete of nobody' 1 "$sterna" user delete --db sqlite:users.db --realm r --user u
says 'sterna: there is no user "u" in realm "r"'
run 'user list without a file' 1 "$sterna" user list --db sqlite:nowhere.db
says 'sterna: SQLite: there is no nowhere.db'
run 'user add without realm' 2 "$sterna" user add --db sqlite:users.db --user u --password p
says 'sterna: --realm is missing'
run 'user add without password' 2 "$sterna" user add --db sqlite:users.db --realm r --user u
says 'sterna: there is no password: neither --password nor a line on standard input'
run 'user add with a newline' 2 "$sterna" user add --db sqlite:users.db --realm r --user $'a\nb' --password p
says 'sterna: the user name has a control character'
run 'user in Redis' 2 "$sterna" user list --db redis://:hush-hush@localhost
err_has 'users can be changed in SQLite files only; for Redis'
run 'user with an unknown algorithm' 2 "$sterna" user add --db sqlite:users.db --algorithm sha1
says 'sterna: --algorithm: "sha1" is not known; use md5 or sha256'
run 'no SQLite file' 1 "$sterna" user list --db sqlite:config.yaml
says 'sterna: SQLite: config.yaml is no SQLite database'
run 'unknown user verb' 2 "$sterna" user ad
says 'sterna: unknown "user ad"; did you mean user add?'
# The tables are coturn's: its own file will do as well, and is not altered.
sqlite3 coturn.db 'CREATE TABLE turnusers_lt (realm varchar(127), name varchar(512), hmackey char(128), PRIMARY KEY (realm,name))'
run 'user add in a file of coturn' 0 "$sterna" user add --db sqlite:coturn.db --realm r --user u --password p
same "$(sqlite3 coturn.db '.tables')" turnusers_lt
same "$(sqlite3 coturn.db 'PRAGMA application_id; PRAGMA user_version; PRAGMA journal_mode' | paste -sd,)" 0,0,delete

# coturn's configuration
printf 'listning-port=1\n' >turnserver.conf
run 'coturn option misspelt' 2 "$sterna" turn --coturn-config turnserver.conf
says 'sterna: turnserver.conf:1: unknown option "listning-port"; did you mean listening-port?'
printf 'realm=r\nserver-relay\n' >turnserver.conf
run 'coturn option refused' 2 "$sterna" turn -c turnserver.conf
says 'sterna: turnserver.conf:2: server-relay: not possible: it lets anybody send to clients without a permission'
printf 'min-port=2000\nmax-port=1000\n' >turnserver.conf
run 'coturn ports the wrong way round' 2 "$sterna" turn -c turnserver.conf
err_has 'turnserver.conf:2: max-port: the range of relay ports ends at 1000 but begins at 2000; swap them'
run 'flags beside the file' 2 "$sterna" turn -c turnserver.conf --max-port 3000 --cert /nonexistent --pkey /nonexistent
err_has '--cert: cannot read /nonexistent: No such file or directory'
run 'unknown flag of turn' 2 "$sterna" turn --min-prt 1
says 'sterna: unknown argument --min-prt; did you mean --min-port?'
run 'secret in a bad file stays hidden' 2 "$sterna" turn -u :hush-hush
says 'sterna: -u: a user is name:password or name:0xkey'
run 'turn sessions of nobody' 1 "$sterna" turn sessions --dev --url http://127.0.0.1:1
says 'sterna: cannot connect to 127.0.0.1 port 1: Connection refused'
run 'turn sessions without a key' 2 "$sterna" turn sessions list
err_has 'keys: there is no API key to sign with'
run 'turn sessions misspelt' 2 "$sterna" turn sessions cloze 1
says 'sterna: write sterna turn sessions list, or sterna turn sessions close ID'
run 'turn options' 0 "$sterna" turn options
if tail -n "$(wc -l <out)" "$(dirname "$docs")/coturn.md" | cmp -s out -; then
	passed=$((passed + 1))
else
	fail "docs/coturn.md is out of date: replace its table by what sterna turn options prints"
fi

echo "$passed passed, $failed failed"
[ $failed = 0 ]
