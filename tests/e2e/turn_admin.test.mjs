// A TURN server as a process and by its administrator: privileges, log, process id, lists of sessions, figures by user, its end.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { allocates, clientOf, freePorts, isCoturn, LOCAL_PEERS, renewCertificate, startTurn, stopAll, USER, works } from './lib/turnserver.mjs';
import { uclient } from './lib/turnutils.mjs';
import { binary, until } from './lib/server.mjs';
import { TurnClient, udpPeer } from './lib/turn.mjs';
import { restCredentials } from './lib/stun.mjs';

const exec = promisify(execFile);
const isRoot = process.getuid() === 0;
const NOBODY = 65534;
const KEY = 'adminkey';
const SECRET = 'admin-secret-that-is-long-enough-for-hs256';
let dir;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sterna-turn-admin-'));
  await chmod(dir, 0o755);
});
after(async () => {
  await stopAll();
  await rm(dir, { recursive: true, force: true });
});

async function bound(t, server, options) {
  const peer = await udpPeer();
  t.after(() => peer.close());
  const c = await clientOf(t, server, options);
  await c.mustAllocate();
  assert.equal((await c.bind(0x4000, peer)).code, 0);
  return { c, peer };
}

function token(grants, { key = KEY, secret = SECRET, ttl = 60 } = {}) {
  const b64 = (o) => Buffer.from(JSON.stringify(o)).toString('base64url');
  const text = `${b64({ alg: 'HS256', typ: 'JWT' })}.${b64({ iss: key, sub: 'me', exp: Math.floor(Date.now() / 1000) + ttl, ...grants })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
const ADMIN = { sterna: { turnAdmin: true } };

// With the HTTP side: {server, api(path, {method, bearer}), cli(...words)}
async function withApi() {
  const port = await freePorts(1);
  const keys = `--keys=${KEY}: ${SECRET}`;
  const server = await startTurn({ options: [...USER, ...LOCAL_PEERS], args: [`--port=${port}`, '--bind_addresses=127.0.0.1', keys] });
  const url = `http://127.0.0.1:${port}`;
  return {
    server,
    url,
    api: (path, { method = 'GET', bearer = token(ADMIN) } = {}) =>
      fetch(`${url}/api/v1/turn/sessions${path}`, { method, headers: bearer ? { authorization: `Bearer ${bearer}` } : {} }),
    cli: (...words) => exec(binary, ['turn', 'sessions', ...words, '--url', url, keys]),
  };
}

describe('administration of a TURN server', { concurrency: true, skip: isCoturn && 'coturn has another' }, () => {
  test('sessions over HTTP: who may, what is listed, limits, filter, close', async (t) => {
    const { server, api } = await withApi();
    assert.equal((await api('', { bearer: null })).status, 401);
    assert.equal((await api('', { bearer: token(ADMIN, { secret: 'another' }) })).status, 401);
    assert.equal((await api('', { bearer: token(ADMIN, { ttl: -600 }) })).status, 401);
    assert.equal((await api('', { bearer: token({ video: { roomAdmin: true } }) })).status, 403);
    assert.equal((await api('/1', { method: 'DELETE', bearer: token({}) })).status, 403);
    for (const id of ['1', '0', 'x', '-1', '1x', '99999999999999999999999']) assert.equal((await api(`/${id}`, { method: 'DELETE' })).status, 404, id);
    for (const limit of ['0', '1001', 'x', '10000000', '-1']) assert.equal((await api(`?limit=${limit}`)).status, 400, limit);
    assert.equal((await api(`?user=${'u'.repeat(600)}`)).status, 400);

    const { c, peer } = await bound(t, server);
    const b = await clientOf(t, server, { user: 'bob', password: 'secret2', transport: 'tcp' });
    await b.mustAllocate();
    await works(c, peer, 'twelve bytes');
    const list = async (query = '') => (await api(query)).json();
    const all = await list();
    assert.deepEqual([all.sessions.length, all.truncated, all.incomplete], [2, false, false]);
    const [ann] = (await list('?user=ann')).sessions;
    assert.deepEqual(
      [ann.user, ann.realm, ann.transport, ann.relayed, ann.channels, ann.permissions, ann.peerPacketsOut, ann.peerBytesOut],
      ['ann', 'test.example', 'UDP', `127.0.0.1:${c.relayed[0].port}`, 1, 1, 1, 12]);
    assert.equal((await list('?user=bob')).sessions[0].transport, 'TCP');
    assert.deepEqual((await list('?user=nobody')).sessions, []);
    const one = await list('?limit=1');
    assert.deepEqual([one.sessions.length, one.truncated], [1, true]);

    assert.equal((await api(`/${ann.id}`, { method: 'DELETE' })).status, 204);
    assert.equal((await api(`/${ann.id}`, { method: 'DELETE' })).status, 404);
    assert.equal((await c.refresh(600)).code, 437);
    await until('the line in the log', () => /turn session ended.*closed by an administrator/.test(server.log()));
    assert.equal((await list()).sessions.length, 1);
  });

  test('sterna turn sessions', async (t) => {
    const { server, cli, url } = await withApi();
    const { c } = await bound(t, server);
    const table = (await cli('list')).stdout.split('\n');
    assert.match(table[0], /^ID\tTRANSPORT\tCLIENT\tRELAYED\tAGE\tIN\tOUT\tUSER$/);
    assert.match(table[1], /^\d+\tUDP\t127\.0\.0\.1:\d+\t127\.0\.0\.1:\d+\t\d+\t\d+\t\d+\tann$/);
    const { sessions } = JSON.parse((await cli('list', '--json', '--user', 'ann')).stdout);
    assert.equal(sessions.length, 1);
    assert.equal(JSON.parse((await cli('list', '--json', '--user', 'bob')).stdout).sessions.length, 0);
    await cli('close', sessions[0].id);
    assert.equal((await c.refresh(600)).code, 437);
    await assert.rejects(cli('close', sessions[0].id), /there is no such session/);
    await assert.rejects(cli('list', '--limit', '5000'), /HTTP 400/);
    await assert.rejects(exec(binary, ['turn', 'sessions', 'list', '--url', url, '--keys=other: secret-of-another-server-than-this']), /does not know the API key/);
  });

  test('figures by user, no more users than asked for', async (t) => {
    const port = await freePorts(1);
    const users = Array.from({ length: 6 }, (_, i) => `user=u${i}:p${i}`);
    const server = await startTurn({
      options: ['lt-cred-mech', ...users, ...LOCAL_PEERS, 'prometheus', `prometheus-port=${port}`, 'prometheus-username-labels'],
      args: ['--turn.metric_users=3'],
    });
    for (let i = 0; i < users.length; i++) {
      const { c, peer } = await bound(t, server, { user: `u${i}`, password: `p${i}` });
      await works(c, peer, `of u${i}`);
      assert.equal((await c.refresh(0)).code, 0);
    }
    const rows = await until('all of them', async () => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      const found = [...text.matchAll(/^turn_traffic_peer_sentp\{realm="test\.example",user="(\w+)"\} (\d+)$/gm)].map((m) => [m[1], Number(m[2])]);
      return found.reduce((n, [, v]) => n + v, 0) === users.length && found;
    });
    assert.equal(rows.length, 4, JSON.stringify(rows));
    assert.equal(rows.find(([name]) => name === 'other')[1], 3);
  });

  test('SIGUSR1 drains, and drain-min-allocations ends it', async (t) => {
    const server = await startTurn({ options: [...USER, ...LOCAL_PEERS, 'drain-min-allocations=1', 'alternate-server=192.0.2.9:3478'] });
    const [a, b] = [await bound(t, server), await bound(t, server)];
    let ended = false;
    server.child.on('exit', () => (ended = true));
    server.child.kill('SIGUSR1');
    await until('the drain', async () => (await allocates(t, server)) === 300);
    await works(a.c, a.peer, 'still here');
    assert.equal(ended, false);
    assert.equal((await b.c.refresh(0)).code, 0);
    await until('the end', () => ended);
    assert.equal(server.child.exitCode, 0);
    await until('the line of the one that was left', () => /turn session ended.*reason="the server stops"/.test(server.log()));
  });

  test('reload with other users, secrets, limits and certificate under traffic: nothing is lost', async (t) => {
    const options = ['lt-cred-mech', 'use-auth-secret', 'user=ann:secret1', ...LOCAL_PEERS];
    const server = await startTurn({ options: [...options, 'static-auth-secret=first'], tls: true });
    const runs = [['-y', '-c'], ['-y', '-c', '-t'], ['-y', '-c', '-S', '-t', '-p', server.tlsPort]].map((flags) =>
      uclient(server, [...flags, '-n', '150', '-z', '15', '-m', '2', '-u', 'ann', '-w', 'secret1']));
    await until('the sessions', () => allocates(t, server).then((code) => code === 0));
    let isRunning = true;
    const ended = Promise.all(runs).finally(() => (isRunning = false));
    let reloads = 0;
    for (; isRunning && reloads < 8; reloads++) {
      await renewCertificate(server.dir, server.files);
      await server.reload([...options, `static-auth-secret=number ${reloads}`, `user=more${reloads}:x`, `user-quota=${20 + reloads}`, 'max-bps=900000']);
      const want = restCredentials(`number ${reloads}`);
      await until('the new secret', async () => (await allocates(t, server, want)) === 0);
    }
    for (const r of await ended) {
      assert.equal(r.lost, 0, r.out);
      assert.ok(r.received >= 300, r.out);
    }
    assert.ok(reloads > 1);
    assert.doesNotMatch(server.log(), /keeps its old/);
  });
});

describe('a TURN server as a process', { concurrency: true, skip: isCoturn && 'coturn is another' }, () => {
  test('log-file, opened again when it was moved, and pidfile', async (t) => {
    const log = join(dir, 'turn.log');
    const pid = join(dir, 'turn.pid');
    const server = await startTurn({ options: [...USER, `log-file=${log}`, 'simple-log', `pidfile=${pid}`] });
    assert.equal(Number(await readFile(pid, 'utf8')), server.pid);
    assert.match(await readFile(log, 'utf8'), /msg="?ready/);
    assert.equal((await stat(log)).mode & 0o007, 0, 'not for everybody');
    await rename(log, `${log}.1`);
    server.child.kill('SIGHUP');
    await until('the new file', () => existsSync(log));
    const c = await clientOf(t, server);
    await c.mustAllocate();
    await c.refresh(0);
    await until('its first session', async () => /turn session ended/.test(await readFile(log, 'utf8')));
    assert.equal(server.log(), '');
    await server.stop();
    assert.equal(existsSync(pid), false);
  });

  test('syslog', { skip: (!isRoot || existsSync('/dev/log')) && 'needs root and a machine without a syslog daemon' }, async (t) => {
    const code = 'socket(S,AF_UNIX,SOCK_DGRAM,0); bind(S,sockaddr_un("/dev/log")) or die; $|=1; print "ready\\n"; while(defined recv(S,$m,8192,0)){print "$m\\n"}';
    const daemon = spawn('perl', ['-MSocket', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(async () => {
      daemon.kill();
      await rm('/dev/log', { force: true });
    });
    let got = '';
    daemon.stdout.on('data', (d) => (got += d));
    await until('the syslog', () => got.includes('ready\n'));
    const server = await startTurn({ options: [...USER, 'syslog', 'syslog-facility=local3'] });
    // Facility 19 (local3), severity 6 (information): 19 * 8 + 6.
    await until('the first line', () => /<158>.*sterna\[\d+\]: .*ready/.test(got));
    assert.equal(server.log(), '');
  });

  test('as the systemd unit has it: not root, one capability, a port below 1024', { skip: !isRoot && 'needs root' }, async (t) => {
    const unit = await readFile(new URL('../../deploy/sterna-turn.service', import.meta.url), 'utf8');
    const value = (key) => unit.match(new RegExp(`^${key}=(.*)$`, 'm'))[1];
    assert.equal(value('User'), 'sterna');
    assert.equal(value('AmbientCapabilities'), value('CapabilityBoundingSet'));
    assert.equal(value('NoNewPrivileges'), 'yes');
    const caps = `-all,+${value('AmbientCapabilities').toLowerCase().replace('cap_', '')}`;
    const host = `127.${1 + (process.pid % 200)}.${1 + Math.floor(Math.random() * 200)}.7`;
    const pid = join(dir, 'unit');
    await writeFile(pid, '');
    await chown(pid, NOBODY, NOBODY);
    const first = await freePorts(8);
    const args = ['turn', '--turn.udp_port=443', '--turn.tls_port=0', `--turn.bind_addresses=${host}`, '--turn.users={ann: secret1}', '--pidfile', pid,
      `--turn.relay_range_start=${first}`, `--turn.relay_range_end=${first + 7}`, '--rtc.workers=1'];
    const drop = ['--reuid=65534', '--regid=65534', '--clear-groups', '--no-new-privs', `--bounding-set=${caps}`, `--inh-caps=${caps}`, `--ambient-caps=${caps}`];
    const child = spawn('setpriv', [...drop, binary, ...args], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' } });
    t.after(() => child.kill('SIGKILL'));
    let log = '';
    child.stderr.on('data', (d) => (log += d));
    await until('the start', () => /msg="?ready/.test(log) || child.exitCode !== null);
    assert.match(log, /ready/);
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
    for (const line of [/^Uid:(\t65534){4}$/m, /^CapEff:\t0+400$/m, /^CapBnd:\t0+400$/m, /^NoNewPrivs:\t1$/m]) assert.match(status, line);
    const c = await TurnClient.open({ host, port: 443, user: 'ann', password: 'secret1' });
    t.after(() => c.close());
    await c.mustAllocate();
  });

  for (const readable of [true, false]) {
    const name = readable ? 'its files belong to them' : 'it cannot read its files any more, and says so';
    test(`proc-user and proc-group: ${name}`, { skip: !isRoot && 'needs root' }, async (t) => {
      const server = await startTurn({
        options: [...USER, ...LOCAL_PEERS, 'proc-user=nobody', 'proc-group=nogroup'],
        tls: true,
        env: { ASAN_OPTIONS: 'detect_leaks=0' }, // who has dropped privileges cannot be traced
      });
      const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
      for (const line of [/^Uid:(\t65534){4}$/m, /^Gid:(\t65534){4}$/m, /^Groups:\t65534 $/m, /^CapEff:\t0+$/m]) assert.match(status, line);
      const { c, peer } = await bound(t, server);
      await renewCertificate(server.dir, server.files);
      const options = [...USER, 'user=dan:secret4', ...LOCAL_PEERS];
      if (readable) {
        for (const f of [server.dir, server.file, server.files.cert, server.files.key]) await chown(f, NOBODY, NOBODY);
        await server.reload(options);
        await until('the new user', async () => (await allocates(t, server, { user: 'dan', password: 'secret4' })) === 0);
      } else {
        await server.reload(options);
        await until('the complaint', () => /reload failed.*turnserver\.conf.*[Pp]ermission denied/.test(server.log()));
        assert.equal(await allocates(t, server), 0, 'all stays as it was');
      }
      await works(c, peer, 'as before');
      assert.equal((await c.refresh(600)).code, 0);
    });
  }

  test('no secret is ever in the log, at debug level either', async (t) => {
    const port = await freePorts(1);
    const secrets = ['pass-word-one', 'rest-secret-two', 'api-secret-three-that-is-long-enough-for-hs256', 'pkey-password-four', 'statistics-five', 'prom-six'];
    const options = [
      'lt-cred-mech', 'use-auth-secret', `user=ann:${secrets[0]}`, `static-auth-secret=${secrets[1]}`, 'user=eve:0xbc807ee29df3c9ffa736523fb2c4e8ee',
      ...LOCAL_PEERS, 'verbose', `redis-statsdb=ip=127.0.0.1 port=1 password=${secrets[4]}`, `userdb=${join(dir, 'none.db')}`, 'no-dynamic-ip-list', `pkey-pwd=${secrets[3]}`,
    ];
    const server = await startTurn({
      options, tls: true,
      args: [`--port=${port}`, '--bind_addresses=127.0.0.1', `--keys=k: ${secrets[2]}`, '--prometheus.username=p', `--prometheus.password=${secrets[5]}`],
    });
    const ann = { user: 'ann', password: secrets[0] };
    const rest = restCredentials(secrets[1]);
    const { c } = await bound(t, server, ann);
    assert.equal(await allocates(t, server, rest), 0);
    assert.equal(await allocates(t, server, { ...ann, password: 'wrong-seven' }), 401);
    assert.equal(await allocates(t, server, { user: 'ghost', password: 'wrong-seven' }), 500);
    assert.equal(await allocates(t, server, { ...ann, transport: 'tls' }), 0);
    const bearer = token(ADMIN, { key: 'k', secret: secrets[2] });
    assert.equal((await fetch(`http://127.0.0.1:${port}/api/v1/turn/sessions`, { headers: { authorization: `Bearer ${bearer}` } })).status, 200);
    await server.reload([...options, 'user=new:another-eight']);
    await until('the new user', async () => (await allocates(t, server, { user: 'new', password: 'another-eight' })) === 0);
    await writeFile(server.file, 'user=broken-nine\n');
    server.child.kill('SIGHUP');
    await until('the complaint', () => /reload failed/.test(server.log()));
    await c.refresh(0);
    await until('the session', () => /turn session ended.*user="?ann/.test(server.log()));
    const log = server.log();
    assert.match(log, /level=debug/);
    const key = c.key.toString('hex');
    for (const s of [...secrets, rest.password, 'wrong-seven', 'another-eight', 'broken-nine', 'bc807ee29df3c9ffa736523fb2c4e8ee', key, bearer, c.nonce.toString()]) {
      assert.ok(!log.includes(s), `${s} is in the log`);
    }
  });
});
