// Running a TURN server: changes while clients are on it, limits, figures, databases, what stands before it, its end.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { allocates, clientOf, freePorts, isCoturn, LOCAL_PEERS, notCoturn, renewCertificate, startTurn, stopAll, USER, works } from './lib/turnserver.mjs';
import { uclient } from './lib/turnutils.mjs';
import { until } from './lib/server.mjs';
import { udpPeer } from './lib/turn.mjs';
import { ATTR, METHOD, restCredentials } from './lib/stun.mjs';

const exec = promisify(execFile);
let dir;

before(async () => (dir = await mkdtemp(join(tmpdir(), 'sterna-turn-ops-'))));
after(async () => {
  await stopAll();
  await rm(dir, { recursive: true, force: true });
});

describe('running a TURN server', { concurrency: true }, () => {
  test('reload: other users and secrets for those who come, nobody is dropped', notCoturn('does not read its file again'), async (t) => {
    const server = await startTurn({ options: [...USER, 'use-auth-secret', 'static-auth-secret=first', ...LOCAL_PEERS] });
    const peer = await udpPeer();
    t.after(() => peer.close());
    const c = await clientOf(t, server);
    await c.mustAllocate();
    assert.equal((await c.bind(0x4000, peer)).code, 0);
    assert.equal(await allocates(t, server, { user: 'dan', password: 'secret4' }), 401);
    await server.reload(['lt-cred-mech', 'user=ann:changed', 'user=dan:secret4', 'use-auth-secret', 'static-auth-secret=second', ...LOCAL_PEERS]);
    await until('the new user', async () => (await allocates(t, server, { user: 'dan', password: 'secret4' })) === 0);
    await works(c, peer, 'after the reload');
    assert.equal((await c.refresh(600)).code, 0, 'with the password of before');
    assert.equal(await allocates(t, server), 401, 'the old password');
    assert.equal(await allocates(t, server, { password: 'changed' }), 0);
    assert.equal(await allocates(t, server, { user: 'bob', password: 'secret2' }), 401, 'a user who is gone');
    assert.equal(await allocates(t, server, restCredentials('second')), 0);
    assert.equal(await allocates(t, server, restCredentials('first')), 401);
  });

  test('a certificate is replaced: the next connection gets it, those before go on', async (t) => {
    const server = await startTurn({ options: [...USER, ...LOCAL_PEERS], tls: true });
    const shown = async () => {
      const c = await server.client({ transport: 'tls' });
      const { serialNumber } = c.wire.socket.getPeerCertificate();
      c.close();
      return serialNumber;
    };
    const before = await shown();
    const c = await clientOf(t, server, { transport: 'tls' });
    await c.mustAllocate();
    await renewCertificate(server.dir, server.files);
    const want = new X509Certificate(await readFile(server.files.cert)).serialNumber;
    assert.notEqual(want, before);
    server.child.kill(isCoturn ? 'SIGUSR2' : 'SIGHUP');
    await until('the new certificate', async () => (await shown()) === want);
    assert.equal((await c.refresh(600)).code, 0);
  });

  test('a certificate that changes is noticed, a broken one is not taken', notCoturn('waits for a signal'), async (t) => {
    const server = await startTurn({ options: USER, tls: true });
    const shown = async () => {
      const c = await server.client({ transport: 'tls' });
      const { serialNumber } = c.wire.socket.getPeerCertificate();
      c.close();
      return serialNumber;
    };
    const before = await shown();
    await writeFile(server.files.cert, 'no certificate');
    server.child.kill('SIGHUP');
    await until('the complaint', () => /cert\.pem/.test(server.log()));
    assert.equal(await shown(), before);
    await renewCertificate(server.dir, server.files);
    await until('the new certificate', async () => (await shown()) !== before, 90000);
    assert.equal(await allocates(t, server, { transport: 'tls' }), 0);
  });

  test('max-bps: what is above is dropped, and later it flows again', async (t) => {
    const server = await startTurn({ options: [...USER, ...LOCAL_PEERS, 'max-bps=20000'] });
    const peer = await udpPeer();
    t.after(() => peer.close());
    const c = await clientOf(t, server);
    await c.mustAllocate();
    assert.equal((await c.bind(0x4000, peer)).code, 0);
    await works(c, peer, 'at first');
    for (let i = 0; i < 10; i++) {
      for (let k = 0; k < 30; k++) c.sendChannel(0x4000, Buffer.alloc(1000, 7));
      await c.refresh(600); // the server keeps up
    }
    const through = peer.got.length;
    assert.ok(through <= 60, `${through} of 300 packets of 1000 bytes at 20000 bytes per second`);
    await until('more', () => {
      c.sendChannel(0x4000, 'later');
      return peer.got.some((g) => g.bytes.toString() === 'later');
    });
  });

  test('figures under coturn\'s names', notCoturn("Debian's has no Prometheus"), async (t) => {
    const port = await freePorts(1);
    const server = await startTurn({ options: [...USER, ...LOCAL_PEERS, 'prometheus', `prometheus-port=${port}`] });
    const metrics = async () => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      return (name) => [...text.matchAll(new RegExp(`^${name}(\\{[^}]*\\})? (\\d+)$`, 'gm'))].map((m) => ({ labels: m[1] ?? '', n: Number(m[2]) }));
    };
    const sum = (rows) => rows.reduce((n, r) => n + r.n, 0);
    const peer = await udpPeer({ echo: true });
    t.after(() => peer.close());
    const c = await clientOf(t, server);
    await c.mustAllocate();
    const s = await clientOf(t, server, { transport: 'tcp' });
    await s.mustAllocate();
    assert.equal((await c.bind(0x4000, peer)).code, 0);
    for (let i = 0; i < 7; i++) c.sendChannel(0x4000, 'twelve bytes');
    await c.wait('the echoes', () => c.data.length === 7);
    await c.request(METHOD.binding);
    const during = await metrics();
    assert.equal(during('turn_total_allocations').find((r) => /type="UDP"/.test(r.labels)).n, 1);
    assert.equal(during('turn_total_allocations').find((r) => /type="TCP"/.test(r.labels)).n, 1);
    assert.ok(sum(during('stun_binding_request')) >= 1);
    assert.ok(sum(during('stun_binding_response')) >= 1);
    assert.ok(sum(during('turn_unauthenticated_401_responses')) >= 2);
    await Promise.all([c.refresh(0), s.refresh(0)]);
    const ended = await until('the end in the figures', async () => {
      const m = await metrics();
      return sum(m('turn_total_allocations')) === 0 && m;
    });
    assert.ok(sum(ended('turn_total_traffic_rcvp')) >= 7);
    assert.ok(sum(ended('turn_total_traffic_sentp')) >= 7);
    assert.equal(sum(ended('turn_total_traffic_peer_rcvp')), 7);
    assert.equal(sum(ended('turn_total_traffic_peer_rcvb')), 7 * 12);
    assert.doesNotMatch(JSON.stringify(ended('turn_traffic_rcvp')), /user=/);
    await until('the session in the log', () => /ann/.test(server.log()));
    assert.doesNotMatch(server.log(), /secret1/);
  });

  test('an operator\'s file with variables, an address behind NAT, relay to relay by its public name', async (t) => {
    const template = `external-ip=\${WEBRTC_TURN_PUBLIC_IP}/127.0.0.1
fingerprint
lt-cred-mech
user=\${WEBRTC_TURN_USERNAME}:\${WEBRTC_TURN_CREDENTIAL}
realm=\${WEBRTC_TURN_REALM}
no-tlsv1
no-tlsv1_1
dh-file=/nonexistent/dh.pem
user-quota=12
total-quota=1200
max-bps=3000000
bps-capacity=0
stale-nonce=600
no-multicast-peers
no-tcp-relay
denied-peer-ip=0.0.0.0-0.255.255.255
denied-peer-ip=10.0.0.0-10.255.255.255
denied-peer-ip=172.16.0.0-172.31.255.255
denied-peer-ip=192.168.0.0-192.168.255.255
denied-peer-ip=::1
denied-peer-ip=fc00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff`;
    const variables = { WEBRTC_TURN_PUBLIC_IP: '198.51.100.7', WEBRTC_TURN_USERNAME: 'veza', WEBRTC_TURN_CREDENTIAL: 'hush', WEBRTC_TURN_REALM: 'veza.example' };
    const lines = template.replace(/\$\{(\w+)\}/g, (_, name) => variables[name]).split('\n').filter((l) => !isCoturn || !l.startsWith('dh-file'));
    const server = await startTurn({ realm: 'veza.example', options: [...lines, ...(isCoturn ? LOCAL_PEERS : [])] });
    const [a, b] = [await clientOf(t, server, { user: 'veza', password: 'hush' }), await clientOf(t, server, { user: 'veza', password: 'hush', transport: 'tcp' })];
    await Promise.all([a.mustAllocate(), b.mustAllocate()]);
    assert.equal(a.realm, 'veza.example');
    assert.equal(a.relayed[0].address, '198.51.100.7');
    assert.equal((await a.permit('198.51.100.7')).code, 0);
    assert.equal((await b.bind(0x4000, a.relayed[0])).code, 0);
    a.send(b.relayed[0], 'by the public name');
    assert.equal((await b.receive()).bytes.toString(), 'by the public name');
    b.sendChannel(0x4000, 'and back');
    const back = await a.receive();
    assert.equal(back.bytes.toString(), 'and back');
    assert.deepEqual(back.from, b.relayed[0]);
    if (!isCoturn) assert.match(server.log(), /dh-file/, 'what is ignored is named');
  });

  test('users and secrets in an SQLite file with coturn\'s tables', async (t) => {
    const db = join(dir, 'users.db');
    const realm = 'test.example';
    await exec('turnadmin', ['-a', '-b', db, '-u', 'eve', '-r', realm, '-p', 'secret5']);
    const server = await startTurn({ options: ['lt-cred-mech', `userdb=${db}`, ...LOCAL_PEERS], realm });
    assert.equal(await allocates(t, server, { user: 'eve', password: 'secret5' }), 0);
    assert.equal(await allocates(t, server, { user: 'eve', password: 'wrong' }), 401);
    assert.equal(await allocates(t, server, { user: 'nobody', password: 'secret5' }), 401);
    await exec('turnadmin', ['-a', '-b', db, '-u', 'fay', '-r', realm, '-p', 'secret6']);
    assert.equal(await allocates(t, server, { user: 'fay', password: 'secret6' }), 0, 'a user who was added');
    const r = await uclient(server, ['-y', '-c', '-n', '2', '-u', 'eve', '-w', 'secret5']);
    assert.equal(r.lost, 0, r.out);
  });

  for (const version of [1, 2]) {
    test(`PROXY protocol version ${version}: the client's own address`, isCoturn && version === 1 ? notCoturn('reads version 2') : {}, async (t) => {
      const port = await freePorts(1);
      const server = await startTurn({ options: [...USER, ...LOCAL_PEERS, `tcp-proxy-port=${port}`], args: ['--turn.proxies=127.0.0.1'] });
      const v2 = Buffer.concat([
        Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.from([0x21, 0x11, 0, 12]), Buffer.from([9, 8, 7, 6]), Buffer.from([127, 0, 0, 1]),
        Buffer.from([0x15, 0xb3, port >> 8, port & 255]),
      ]);
      const prologue = version === 1 ? `PROXY TCP4 9.8.7.6 127.0.0.1 5555 ${port}\r\n` : v2;
      const c = await clientOf(t, { client: (o) => server.client({ ...o, transport: 'tcp' }) }, { port, prologue });
      const m = await c.request(METHOD.binding);
      assert.deepEqual(m.address(ATTR.xorMappedAddress), { address: '9.8.7.6', port: 5555 });
      await c.mustAllocate();
    });
  }

  test('the end: no new allocations, those that are go on until they end', notCoturn('ends at once'), async (t) => {
    const server = await startTurn({ options: [...USER, ...LOCAL_PEERS] });
    const peer = await udpPeer();
    t.after(() => peer.close());
    const c = await clientOf(t, server);
    await c.mustAllocate();
    assert.equal((await c.bind(0x4000, peer)).code, 0);
    let ended = false;
    server.child.on('exit', () => (ended = true));
    server.child.kill('SIGTERM');
    await until('the drain', async () => [300, 486, 508].includes(await allocates(t, server)));
    await works(c, peer, 'still here');
    assert.equal((await c.refresh(600)).code, 0);
    assert.equal(ended, false);
    assert.equal((await c.refresh(0)).code, 0);
    await until('the end', () => ended);
    assert.equal(server.child.exitCode, 0);
  });
});
