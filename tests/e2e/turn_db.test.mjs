// Users, secrets, peers and limits of a TURN server that stand in a database, and what happens while it is away.
import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { databases, startDatabase } from './lib/databases.mjs';
import { isCoturn, startTurn, stopAll } from './lib/turnserver.mjs';
import { uclient } from './lib/turnutils.mjs';
import { until } from './lib/server.mjs';
import { udpPeer } from './lib/turn.mjs';
import { restCredentials } from './lib/stun.mjs';

after(stopAll);

// Answers are believed for a second; wrong passwords in a row are part of the tests.
const ARGS = ['--turn.userdb_cache=1s', '--turn.auth_failures_per_address=0'];
const OPTIONS = ['lt-cred-mech', 'use-auth-secret', 'allow-loopback-peers', 'verbose'];

async function code(server, options) {
  const c = await server.client(options);
  try {
    return (await c.allocate()).code;
  } finally {
    await c.refresh(0).catch(() => {});
    c.close();
  }
}

async function setup(t, kind, { options = [], args = [] } = {}) {
  const db = await startDatabase(kind);
  t.after(() => db.stop());
  const server = await startTurn({ options: [...OPTIONS, db.line, ...options], args: [...ARGS, ...args] });
  t.after(() => server.stop());
  const peer = await udpPeer();
  t.after(() => peer.close());
  return { db, server, peer };
}

async function bound(t, server, peer, options) {
  const c = await server.client(options);
  t.after(() => c.close());
  await c.mustAllocate();
  assert.equal((await c.bind(0x4000, peer)).code, 0);
  return c;
}

async function relays(c, peer, text) {
  c.sendChannel(0x4000, text);
  await peer.receive(text, (b) => b.toString() === text);
}

async function usersAndSecrets({ db, server }) {
  const first = { user: 'first', password: 'secret' };
  const late = { user: 'late', password: 'late-secret' };
  const run = uclient(server, ['-y', '-c', '-n', '2', '-u', 'first', '-w', 'secret']);
  assert.equal(await code(server, first), 0);
  assert.equal(await code(server, { ...first, password: 'wrong' }), 401);
  assert.equal(await code(server, late), 401);
  await db.addUser(late.user, late.password);
  await until('the new user, when "no such user" is forgotten', async () => (await code(server, late)) === 0);
  await db.removeUser(late.user);
  await until('the end of a user who is gone', async () => (await code(server, late)) === 401);

  await db.setSecrets(['old secret', 'other']);
  await until('the first secrets', async () => (await code(server, restCredentials('old secret'))) === 0);
  await until('the second of them', async () => (await code(server, restCredentials('other'))) === 0);
  const c = await server.client(restCredentials('old secret'));
  await c.mustAllocate();
  await db.setSecrets(['new secret']);
  await until('the new secret', async () => (await code(server, restCredentials('new secret'))) === 0);
  await until('the end of the old one, on each worker', async () => (await code(server, restCredentials('old secret'))) === 401);
  assert.equal((await c.refresh(600)).code, 0, 'of one that was there before');
  c.close();
  const r = await run;
  assert.equal(r.lost, 0, r.out);
  assert.ok(r.received > 0, r.out);
}

async function peersAndLimits(t, { db, server, peer }) {
  const first = { user: 'first', password: 'secret' };
  const permit = async (address) => {
    const c = await server.client(first);
    await c.mustAllocate();
    const answer = await c.permit(address);
    await c.refresh(0);
    c.close();
    return answer.code;
  };
  assert.equal(await permit('127.0.0.2'), 0);
  assert.equal(await permit('192.168.77.1'), 403);
  const running = await bound(t, server, peer, first);
  await db.addPeers('denied', '127.0.0.2-127.0.0.9');
  await db.addPeers('denied', '192.168.77.0/24');
  await db.addPeers('allowed', '192.168.77.1');
  await db.addPeers('denied', '127.0.0.3', 'another.example');
  await db.addPeers('denied', 'nonsense');
  await db.addOrigin('http://app.example:80');
  await db.setOption('user-quota', 2);
  await db.setOption('max-bps', 20000);
  await until('the denied peers', async () => (await permit('127.0.0.2')) === 403);
  assert.equal(await permit('192.168.77.1'), 0, 'allowed wins');
  assert.equal(await permit('192.168.77.2'), 403);
  assert.equal(await permit('127.0.0.1'), 0);
  for (const text of [/turn_origin_to_realm .* has no effect/, /other realms .* have no effect/, /allowed_peer_ip or denied_peer_ip .* left out/]) {
    await until(`${text}`, () => text.test(server.log()));
  }
  await relays(running, peer, 'as before');
  await until('the limits', () => /max_bps=true user_quota=true/.test(server.log()));
  await until('the limits on each worker', async () => (await permit('127.0.0.2')) === 403);

  const limited = await bound(t, server, peer, first);
  await until('the quota', async () => (await code(server, first)) === 486);
  for (let i = 0; i < 10; i++) {
    for (let k = 0; k < 10; k++) limited.sendChannel(0x4000, Buffer.alloc(1000, 7));
    await limited.refresh(600);
  }
  const through = peer.got.filter((g) => g.bytes.length === 1000).length;
  assert.ok(through >= 10 && through <= 60, `${through} of 100 packets of 1000 bytes at 20000 bytes per second`);
  await db.setOption('user-quota', 0);
  await until('no quota', async () => (await code(server, first)) === 0);
}

async function awayAndBack(t, { db, server, peer }) {
  const first = { user: 'first', password: 'secret' };
  await db.addUser('other', 'other-secret');
  const c = await bound(t, server, peer, first);
  await db.setSecrets(['kept']);
  await until('the secret', async () => (await code(server, restCredentials('kept'))) === 0);
  await db.down();
  const other = { user: 'other', password: 'other-secret' };
  assert.equal(await code(server, other), 500);
  await relays(c, peer, 'without a database');
  assert.equal((await c.refresh(600)).code, 0);
  assert.equal(await code(server, restCredentials('kept')), 0, 'secrets stay');
  await db.up();
  await until('the database', async () => (await code(server, other)) === 0, 15000);
  await relays(c, peer, 'with a database again');
  assert.equal((await c.refresh(600)).code, 0);
}

describe('a TURN server with a database', { concurrency: true, skip: isCoturn && 'coturn is not asked' }, () => {
  for (const kind of databases) {
    test(`users and secrets: ${kind}`, async (t) => usersAndSecrets(await setup(t, kind)));
    test(`peers and limits, and the database away: ${kind}`, async (t) => {
      const all = await setup(t, kind);
      await peersAndLimits(t, all);
      if (all.db.down) await awayAndBack(t, all);
    });
  }

  // What the database denies is not known before it has answered.
  test('no allocation before the database was asked for its peers', async (t) => {
    const db = await startDatabase('Redis');
    t.after(() => db.stop());
    await db.down();
    const ann = { user: 'ann', password: 'secret1' };
    const options = ['lt-cred-mech', 'user=ann:secret1', 'allow-loopback-peers', db.line];
    const server = await startTurn({ options, args: ARGS });
    t.after(() => server.stop());
    const careless = await startTurn({ options, args: [...ARGS, '--turn.userdb_peers=false'] });
    t.after(() => careless.stop());
    assert.equal(await code(server, ann), 500);
    assert.equal(await code(careless, ann), 0);
    assert.equal([...server.log().matchAll(/turn.userdb_peers=false does without/g)].length, 1);
    await db.up();
    await until('the database', async () => (await code(server, ann)) === 0, 15000);
  });

  test("coturn's statistics in Redis, seen by a subscriber", async (t) => {
    const db = await startDatabase('Redis');
    t.after(() => db.stop());
    const server = await startTurn({ options: ['lt-cred-mech', 'user=ann:secret1', 'allow-loopback-peers', `redis-statsdb=${db.url}`] });
    t.after(() => server.stop());
    const peer = await udpPeer();
    t.after(() => peer.close());
    const { got, stop } = await db.subscribe();
    t.after(stop);
    const c = await bound(t, server, peer, { user: 'ann', password: 'secret1' });
    const published = (what) => got.find(([key, value]) => key.endsWith(what[0]) && what[1].test(value));
    const [key] = await until('the start', () => published(['/status', /^new lifetime=600, type=UDP, local=127\.0\.0\.1:\d+, remote=127\.0\.0\.1:\d+$/]));
    assert.match(key, /^turn\/realm\/test\.example\/user\/ann\/allocation\/\d{18}\/status$/);
    assert.deepEqual(await db.keys(), [key]);
    assert.match(await db.get(key), /^new lifetime=600/);
    await relays(c, peer, 'twelve bytes');
    assert.equal((await c.refresh(900)).code, 0);
    await until('the refresh', () => published(['/status', /^refreshed lifetime=900$/]));
    assert.equal((await c.refresh(0)).code, 0);
    await until('the end', () => published(['/status', /^deleted$/]));
    for (const what of ['/traffic', '/total_traffic', '/traffic/peer', '/total_traffic/peer']) {
      assert.ok(published([what, /^rcvp=\d+, rcvb=\d+, sentp=\d+, sentb=\d+$/]), what);
    }
    assert.ok(published(['/total_traffic/peer', /^rcvp=0, rcvb=0, sentp=1, sentb=12$/]), JSON.stringify(got));
    assert.deepEqual(await db.keys(), []);
  });
});
