// What the TURN server answers to each mistake, and to the same request twice: codes, attributes, bytes.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { randomBytes } from 'node:crypto';
import { LOCAL_PEERS, USER, freePorts, isCoturn, notCoturn, startTurn, stopAll } from './lib/turnserver.mjs';
import { until } from './lib/server.mjs';
import { udpPeer } from './lib/turn.mjs';
import { ATTR, CLASS, METHOD, TCP, UDP, V4, V6, encode, newTid, restCredentials } from './lib/stun.mjs';

const SOME_PEER = { address: '127.0.0.1', port: 9 };
const transport = (n) => [ATTR.requestedTransport, Buffer.from([n, 0, 0, 0])];
const family = (type, n) => [type, Buffer.from([n, 0, 0, 0])];

let main; // IPv4 and IPv6, TLS, mobility; peers on this machine
let v4only;
let quotas; // two allocations a user, three in all
let narrow; // two relay ports
let hasty; // nonces live a second
let rest;

before(async () => {
  [main, v4only, quotas, narrow, hasty, rest] = await Promise.all([
    startTurn({ options: [...USER, ...LOCAL_PEERS, 'mobility'], hosts: ['127.0.0.1', '::1'], tls: true }),
    startTurn({ options: [...USER, ...LOCAL_PEERS], args: ['--turn.mobility=false'] }),
    startTurn({ options: [...USER, 'user=cyd:secret3', 'user-quota=2', 'total-quota=3'] }),
    startTurn({ options: [...USER, 'relay-threads=1'], relayPorts: 2 }),
    startTurn({ options: [...USER, 'stale-nonce=1'] }),
    startTurn({ options: ['use-auth-secret', 'static-auth-secret=older', 'static-auth-secret=newer', ...LOCAL_PEERS] }),
  ]);
});

after(stopAll);

// A client that ends with the test.
async function clientOf(t, server, options) {
  const c = await server.client(options);
  t.after(() => {
    c.close();
    if (!isCoturn) c.check(); // coturn pads with what was there before
  });
  return c;
}

async function allocated(t, server, { client, ...options } = {}) {
  return (await clientOf(t, server, client)).mustAllocate(options);
}

// coturn: what coturn answers where it does not follow the RFC.
const code = (m, want, what = '', coturn = want) =>
  assert.equal(m.code, isCoturn ? coturn : want, `${what} ${m.code} ${m.reason ?? ''}`);

describe('who may', { concurrency: true }, () => {
  test('the first answer is a challenge', async (t) => {
    const c = await clientOf(t, main);
    const m = await c.request(METHOD.allocate, [transport(UDP)]);
    code(m, 401);
    assert.equal(m.text(ATTR.realm), 'test.example');
    assert.ok(m.get(ATTR.nonce).length >= 16 && m.get(ATTR.nonce).length <= 763);
    assert.equal(m.has(ATTR.messageIntegrity), false);
  });

  test('the nonce says what the server can do, and algorithms are offered (RFC 8489 §9.2)', notCoturn('knows RFC 5389 only'), async (t) => {
    const c = await clientOf(t, main);
    const m = await c.request(METHOD.allocate, [transport(UDP)]);
    const nonce = m.text(ATTR.nonce);
    assert.match(nonce, /^obMatJos2[A-Za-z0-9+/]{4}/);
    const features = Buffer.from(nonce.slice(9, 13), 'base64');
    assert.equal(features[0] & 0xc0, 0xc0, 'password algorithms and anonymity');
    const algorithms = m.get(ATTR.passwordAlgorithms);
    assert.deepEqual([algorithms.readUInt16BE(0), algorithms.readUInt16BE(4)].sort(), [1, 2]);
  });

  for (const [what, options] of Object.entries({
    'MESSAGE-INTEGRITY-SHA256': { hash: 'sha256', sendAlgorithms: true },
    'a key by SHA-256': { hash: 'sha256', keyHash: 'sha256' },
    'USERHASH': { hash: 'sha256', hideUser: true, sendAlgorithms: true },
    'USERHASH and a key by SHA-256': { hash: 'sha256', keyHash: 'sha256', hideUser: true },
  })) {
    test(`${what} (RFC 8489)`, notCoturn('knows RFC 5389 only'), async (t) => {
      const c = await clientOf(t, main, options);
      code(await c.allocate(), 0);
      code(await c.refresh(600), 0);
      const wrong = await clientOf(t, main, { ...options, password: 'wrong' });
      code(await wrong.allocate(), 401);
    });
  }

  test('answers to algorithms that were not offered are refused', notCoturn('knows RFC 5389 only'), async (t) => {
    const c = await clientOf(t, main, { hash: 'sha256', sendAlgorithms: true });
    c.learn(await c.request(METHOD.allocate, [transport(UDP)]));
    c.algorithms = Buffer.from([0, 1, 0, 0]); // somebody in between took the better one away
    code(await c.allocate(), 400);
  });

  test('a wrong password, an unknown user: 401', async (t) => {
    for (const options of [{ password: 'wrong' }, { user: 'nobody' }]) {
      const m = await (await clientOf(t, main, options)).allocate();
      code(m, 401, JSON.stringify(options));
      assert.equal(m.has(ATTR.messageIntegrity), false);
    }
  });

  test('REST credentials: either secret; expired, changed or of another secret: 401', async (t) => {
    for (const secret of ['older', 'newer']) {
      const c = await clientOf(t, rest, restCredentials(secret));
      code(await c.allocate(), 0, secret);
    }
    const plain = restCredentials('newer', { name: '' });
    code(await (await clientOf(t, rest, plain)).allocate(), 0, 'without a name');
    code(await (await clientOf(t, rest, restCredentials('newer', { ttl: -5 }))).allocate(), 401, 'expired');
    code(await (await clientOf(t, rest, restCredentials('other'))).allocate(), 401, 'of another secret');
    const { password } = restCredentials('newer');
    code(await (await clientOf(t, rest, { ...restCredentials('newer', { ttl: 7200 }), password })).allocate(), 401, 'prolonged');
  });

  test('an allocation outlives its REST credentials, but is not refreshed with them', notCoturn('refreshes'), async (t) => {
    const c = await clientOf(t, rest, restCredentials('newer', { ttl: 2 }));
    await c.mustAllocate();
    await until('the expiry', async () => (await c.refresh(600)).code === 401);
    code(await c.permit('127.0.0.1'), 0);
  });

  test('credentials without what belongs to them: 400', async (t) => {
    const c = await clientOf(t, main);
    c.learn(await c.request(METHOD.allocate, [transport(UDP)]));
    for (const missing of [ATTR.username, ATTR.realm, ATTR.nonce]) {
      const bytes = encode({ method: METHOD.allocate, attrs: [transport(UDP), ...c.credentials().filter(([type]) => type !== missing)], key: c.key });
      code(await c.exchange(bytes), 400, `without ${missing}`);
    }
  });

  test('a request without integrity on an allocation: 401, and nothing changes', async (t) => {
    const c = await allocated(t, main);
    code(await c.request(METHOD.refresh, [[ATTR.lifetime, 0]], { anonymous: true }), 401);
    code(await c.permit('127.0.0.1'), 0);
  });

  test('a nonce that is not ours: 438 with a new one, with which it works', async (t) => {
    const c = await allocated(t, main);
    const good = c.nonce;
    for (const nonce of [randomBytes(8).toString('hex'), 'x', Buffer.from(good.map((b, i) => (i === good.length - 1 ? b ^ 1 : b)))]) {
      c.nonce = nonce;
      const m = await c.request(METHOD.refresh);
      code(m, 438);
      assert.ok(m.text(ATTR.realm) && m.get(ATTR.nonce));
      c.learn(m);
      code(await c.request(METHOD.refresh), 0);
    }
  });

  test("another address's nonce: 438", notCoturn('asks the 5-tuple'), async (t) => {
    const c = await allocated(t, main);
    const other = await clientOf(t, main, { local: '127.0.0.77', realm: c.realm, nonce: c.nonce, algorithms: c.algorithms });
    code(await other.request(METHOD.allocate, [transport(UDP)]), 438);
  });

  test('a nonce grows stale: 438, and the allocation is kept', async (t) => {
    const c = await allocated(t, hasty);
    const [relayed] = c.relayed;
    const m = await until('the nonce to grow stale', async () => {
      const answer = await c.request(METHOD.refresh);
      return answer.code === 438 && answer;
    });
    assert.ok(m.get(ATTR.nonce) && !m.get(ATTR.nonce).equals(c.nonce));
    c.learn(m);
    code(await c.request(METHOD.refresh), 0);
    code(await c.allocate(), 437, 'still there');
    assert.deepEqual(c.relayed, [relayed]);
  });

  test('another user on the same 5-tuple: 441', async (t) => {
    const c = await allocated(t, main);
    Object.assign(c, { user: 'bob', password: 'secret2' });
    code(await c.request(METHOD.refresh), 441);
    code(await c.permit('127.0.0.1'), 441);
    Object.assign(c, { user: 'ann', password: 'secret1' });
    code(await c.refresh(), 0);
  });
});

describe('how many', () => {
  test('quota per user and in all: 486, and room again when one ends', async (t) => {
    const [a, b, c] = await Promise.all([clientOf(t, quotas), clientOf(t, quotas), clientOf(t, quotas)]);
    code(await a.allocate(), 0);
    code(await b.allocate(), 0);
    code(await c.allocate(), 486, "ann's third");
    code(await a.refresh(0), 0);
    code(await until('room', async () => {
      const m = await c.allocate();
      return m.code !== 486 && m;
    }), 0);
    code(await (await clientOf(t, quotas, { user: 'bob', password: 'secret2' })).allocate(), 0, "bob's first, the third in all");
    code(await (await clientOf(t, quotas, { user: 'cyd', password: 'secret3' })).allocate(), 486, 'the fourth in all');
  });

  test('no relay port left: 508, and one again when its owner is gone', async (t) => {
    const [a, other] = [await allocated(t, narrow), await allocated(t, narrow)];
    assert.deepEqual([a, other].map((c) => c.relayed[0].port).sort(), [narrow.relayFirst, narrow.relayLast]);
    const b = await clientOf(t, narrow);
    code(await b.allocate(), 508);
    code(await a.refresh(0), 0);
    code(await until('the port', async () => {
      const m = await b.allocate();
      return m.code !== 508 && m;
    }), 0);
    const c = await clientOf(t, narrow);
    code(await c.allocate({ more: [[ATTR.evenPort, Buffer.from([0x80])]] }), 508);
  });

  test('relay ports are of the range', async (t) => {
    for (let i = 0; i < 20; i++) {
      const { relayed } = await allocated(t, main);
      assert.ok(relayed[0].port >= main.relayFirst && relayed[0].port <= main.relayLast, `port ${relayed[0].port}`);
    }
  });
});

describe('what is asked', { concurrency: true }, () => {
  test('an attribute that must be understood and is not: 420 and its number', async (t) => {
    const c = await allocated(t, main);
    for (const method of [METHOD.refresh, METHOD.createPermission, METHOD.channelBind]) {
      const m = await c.call(method, [[0x7f01, 'huh']]);
      code(m, 420);
      assert.deepEqual([...m.get(ATTR.unknownAttributes)], [0x7f, 0x01]);
    }
    const bare = await clientOf(t, main);
    for (const method of [METHOD.binding, METHOD.allocate]) {
      const m = await bare.request(method, [transport(UDP), [0x7f01, ''], [0x7f02, 'abcde']].slice(method === METHOD.binding ? 1 : 0));
      code(m, 420, 'without credentials', method === METHOD.binding ? 420 : 401);
      if (m.code === 420) assert.deepEqual([...m.get(ATTR.unknownAttributes)], [0x7f, 0x01, 0x7f, 0x02]);
    }
    code(await c.refresh(600, [[0xff01, 'may be passed over']]), 0);
  });

  test('no allocation: 437', async (t) => {
    const c = await clientOf(t, main);
    code(await c.refresh(), 437, 'Refresh');
    code(await c.permit('127.0.0.1'), 437, 'CreatePermission', 400);
    code(await c.bind(0x4000, SOME_PEER), 437, 'ChannelBind', 400);
    code(await c.connectPeer(SOME_PEER), 437, 'Connect', 403);
  });

  test('a second Allocate: 437; after the end of the first it works', async (t) => {
    const c = await allocated(t, main);
    code(await c.allocate(), 437);
    code(await c.refresh(0), 0);
    code(await c.permit('127.0.0.1'), 437, 'after the end', 0); // coturn waits a second
    code(await until('the end', async () => {
      const m = await c.allocate();
      return m.code !== 437 && m;
    }), 0);
  });

  test('families: 440 when there is no such relay, 443 when the peer is of the other, 400 when both are asked wrongly', async (t) => {
    const c = await clientOf(t, v4only);
    code(await c.allocate({ family: V6 }), 440);
    code(await c.allocate({ more: [family(ATTR.requestedAddressFamily, 9)] }), 440, 'unknown');
    if (!isCoturn) code(await c.allocate({ more: [family(ATTR.requestedAddressFamily, V4), family(ATTR.additionalAddressFamily, V6)] }), 400);
    code(await c.allocate({ family: V4 }), 0);
    code(await c.permit('2606:4700::1'), 443);
    code(await c.bind(0x4000, { address: '2606:4700::1', port: 5000 }), 443);
    const d = await allocated(t, main, { family: V6 });
    code(await d.permit('127.0.0.1'), 443);
    code(await d.refresh(600, [family(ATTR.requestedAddressFamily, V4)]), 443);
    code(await d.refresh(600, [family(ATTR.requestedAddressFamily, V6)]), 0);
  });

  test('dual allocation: two addresses; half of one: ADDRESS-ERROR-CODE', notCoturn('has other numbers for these attributes'), async (t) => {
    const c = await allocated(t, main, { family: 'dual' });
    assert.deepEqual(c.relayed.map((r) => r.address).sort(), ['127.0.0.1', '::1']);
    code(await c.permit('127.0.0.1'), 0);
    code(await c.permit('::1'), 0);
    const half = await clientOf(t, v4only);
    const m = await half.allocate({ family: 'dual' });
    code(m, 0);
    assert.equal(half.relayed.length, 1);
    const e = m.get(ATTR.addressErrorCode);
    assert.equal(e[0], V6);
    assert.equal(e[2] * 100 + e[3], 440);
  });

  test('a transport that is none: 442', async (t) => {
    const c = await clientOf(t, main);
    code(await c.allocate({ transport: 99 }), 442, '99', 400);
    code(await c.allocate({ transport: 0 }), 442, '0', 400);
  });

  test('malformed requests: 400', async (t) => {
    const c = await clientOf(t, main);
    code(await c.call(METHOD.allocate), 400, 'no REQUESTED-TRANSPORT');
    const even = [ATTR.evenPort, Buffer.from([0x80])];
    code(await c.allocate({ more: [even, [ATTR.reservationToken, Buffer.alloc(8, 1)]] }), 400, 'EVEN-PORT with RESERVATION-TOKEN');
    if (!isCoturn) {
      code(await c.allocate({ family: V4, more: [[ATTR.reservationToken, Buffer.alloc(8, 1)]] }), 400, 'family with RESERVATION-TOKEN');
      code(await c.allocate({ family: 'dual', more: [even] }), 400, 'two families with the R bit');
      code(await c.allocate({ more: [family(ATTR.additionalAddressFamily, V4)] }), 400, 'IPv4 as the additional family');
    }
    await c.mustAllocate();
    code(await c.call(METHOD.createPermission), 400, 'no peer');
    code(await c.call(METHOD.createPermission, [[ATTR.xorPeerAddress, Buffer.from([0, 1, 0, 0, 1])]]), 400, 'half a peer', 0);
    code(await c.call(METHOD.channelBind, [[ATTR.xorPeerAddress, SOME_PEER]]), 400, 'no channel');
    code(await c.call(METHOD.channelBind, [[ATTR.channelNumber, Buffer.from([0x40, 0, 0, 0])]]), 400, 'no peer for the channel');
    code(await c.call(METHOD.connect, [[ATTR.xorPeerAddress, SOME_PEER]]), isCoturn ? 403 : 400, 'Connect on a UDP allocation');
  });

  test('channels: number and peer belong to each other', async (t) => {
    const c = await allocated(t, main);
    for (const number of [0x0000, 0x3fff, 0x8000, 0xffff]) code(await c.bind(number, SOME_PEER), 400, number.toString(16));
    code(await c.bind(0x4000, SOME_PEER), 0);
    code(await c.bind(0x4000, SOME_PEER), 0, 'again');
    code(await c.bind(0x4001, SOME_PEER), 400, 'another channel for the peer');
    code(await c.bind(0x4000, { ...SOME_PEER, port: 10 }), 400, 'another peer for the channel');
    code(await c.bind(0x4fff, { ...SOME_PEER, port: 11 }), 0);
  });

  test('EVEN-PORT, its reservation, and a token that is none: 508', async (t) => {
    const c = await clientOf(t, main);
    const m = await c.allocate({ more: [[ATTR.evenPort, Buffer.from([0x80])]] });
    code(m, 0);
    assert.equal(c.relayed[0].port % 2, 0);
    const token = m.get(ATTR.reservationToken);
    assert.equal(token.length, 8);
    const next = await clientOf(t, main);
    code(await next.allocate({ more: [[ATTR.reservationToken, token]] }), 0);
    assert.equal(next.relayed[0].port, c.relayed[0].port + 1);
    const late = await clientOf(t, main);
    code(await late.allocate({ more: [[ATTR.reservationToken, token]] }), 508, 'a token that was used', 404);
    code(await late.allocate({ more: [[ATTR.reservationToken, Buffer.alloc(8, 0xee)]] }), 508, 'a token that never was', 404);
  });

  test('lifetimes: 600 s at first, as asked up to 3600, 0 deletes', async (t) => {
    const c = await clientOf(t, main);
    assert.equal((await c.allocate()).number(ATTR.lifetime), 600);
    assert.equal((await c.refresh(900)).number(ATTR.lifetime), 900);
    assert.equal((await c.refresh(1000000)).number(ATTR.lifetime), 3600);
    assert.equal((await c.refresh(0)).number(ATTR.lifetime), 0);
    const d = await clientOf(t, main);
    assert.equal((await d.allocate({ lifetime: 777 })).number(ATTR.lifetime), 777);
  });

  test('a method that is none', async (t) => {
    const c = await allocated(t, main);
    const odd = await c.call(0x0f1).catch(() => undefined);
    assert.ok(odd === undefined || odd.code === 400, `${odd?.code}`);
  });

  test('what is not STUN at all gets no answer', async (t) => {
    const c = await clientOf(t, main);
    const whole = encode({ method: METHOD.binding });
    const cookie = Buffer.from(whole);
    cookie[4] = 0;
    const long = Buffer.from(whole);
    long.writeUInt16BE(4, 2);
    for (const bytes of [whole.subarray(0, 19), cookie, long, Buffer.alloc(20, 0xff), Buffer.from([0x40, 0, 0, 4]), Buffer.from([])]) c.wire.send(bytes);
    const cut = encode({ method: METHOD.allocate, attrs: [transport(UDP)] });
    cut.writeUInt16BE(400, 22); // the attribute's length leads past the end
    c.wire.send(cut);
    await c.request(METHOD.binding);
    const answers = c.packets - 1;
    if (!isCoturn) assert.ok(answers <= 1, `${answers} answers`); // 400 for the last one is fine
  });
});

describe('answers', { concurrency: true }, () => {
  test('the same request again gets the same bytes', async (t) => {
    const c = await allocated(t, main);
    const first = await c.exchange(c.last);
    const again = await c.exchange(c.last);
    code(first, 0);
    assert.deepEqual(again.bytes, first.bytes);
    assert.deepEqual(first.address(ATTR.xorRelayedAddress), c.relayed[0]);
    for (const request of [() => c.refresh(700), () => c.permit('127.0.0.1'), () => c.bind(0x4000, SOME_PEER)]) {
      const m = await request();
      code(m, 0);
      assert.deepEqual((await c.exchange(c.last)).bytes, m.bytes);
    }
    const gone = await c.refresh(0);
    code(gone, 0);
    if (!isCoturn) assert.deepEqual((await c.exchange(c.last)).bytes, gone.bytes, 'the deletion');
  });

  test('answers to authenticated requests carry integrity, errors too', async (t) => {
    const c = await allocated(t, main);
    for (const m of [await c.refresh(), ...(isCoturn ? [] : [await c.allocate()]), await c.permit('2606:4700::1'), await c.bind(0x3000, SOME_PEER)]) {
      assert.ok(m.verify(c.key), `${m.method} ${m.code}`);
    }
  });

  test('Binding: our address, over each transport; FINGERPRINT where one was sent', async (t) => {
    for (const transport of ['udp', 'tcp', 'tls']) {
      const c = await clientOf(t, main, { transport });
      const m = await c.request(METHOD.binding, [], { fingerprint: true });
      code(m, 0);
      assert.deepEqual(m.address(ATTR.xorMappedAddress), c.wire.at, transport);
      if (!isCoturn) assert.ok(m.fingerprintIsRight, transport);
    }
  });

  test('a wrong FINGERPRINT gets no success', async (t) => {
    const c = await clientOf(t, main);
    const bytes = encode({ method: METHOD.binding, fingerprint: true });
    bytes[bytes.length - 1] ^= 1;
    const m = await c.exchange(bytes, { ms: 500, once: true }).catch(() => undefined);
    assert.ok(m === undefined || m.code === 400);
  });

  test('an unauthenticated sender gets no more than it sent, on the whole', notCoturn('answers all'), async (t) => {
    const c = await clientOf(t, main, { local: '127.0.0.66' });
    const held = await allocated(t, main, { client: { local: '127.0.0.66' } });
    let sent = 0;
    for (let round = 0; round < 60; round++) {
      for (let i = 0; i < 100; i++) {
        const bytes = encode({ method: METHOD.allocate, attrs: [transport(UDP)] });
        sent += bytes.length;
        c.wire.send(bytes);
      }
      code(await held.refresh(600), 0, 'a known client meanwhile'); // and a pause that the server sets
    }
    assert.ok(c.bytesIn <= sent + 64 * 1024, `${c.bytesIn} bytes for ${sent}`);
    const elsewhere = await clientOf(t, main, { local: '127.0.0.67' });
    code(await elsewhere.allocate(), 0, 'another address');
  });

  test('guessing passwords is slowed, for that user at that address only', notCoturn('answers all'), async (t) => {
    const guesser = await clientOf(t, rest, { local: '127.0.0.68', user: 'x', password: 'y' });
    guesser.learn(await guesser.request(METHOD.allocate, [transport(UDP)]));
    const before = guesser.packets;
    for (let i = 0; i < 400; i++) {
      guesser.password = `guess${i}`;
      guesser.wire.send(encode({ method: METHOD.allocate, attrs: [transport(UDP), ...guesser.credentials()], key: guesser.key }));
      if (i % 50 === 49) await (await clientOf(t, rest)).request(METHOD.binding); // what came before has been seen
    }
    const answers = guesser.packets - before;
    assert.ok(answers < 200, `${answers} of 400 guesses were answered`);
    code(await (await clientOf(t, rest, { local: '127.0.0.68', ...restCredentials('newer') })).allocate(), 0, 'another user');
    code(await (await clientOf(t, rest, { local: '127.0.0.69', ...restCredentials('newer') })).allocate(), 0, 'another address');
  });
});

describe('data', { concurrency: true }, () => {
  for (const transport of ['udp', 'tcp', 'tls']) {
    test(`there and back over ${transport}: indications, channels, any length`, async (t) => {
      const peer = await udpPeer();
      t.after(() => peer.close());
      const c = await allocated(t, main, { client: { transport } });
      code(await c.permit('127.0.0.1'), 0);
      const lengths = [1, 2, 3, 4, 5, 160, 1199, 1200, ...(transport === 'udp' ? [] : [1399])];
      for (const n of lengths) {
        const bytes = randomBytes(n);
        c.send(peer, bytes);
        const { from } = await peer.receive(`${n} bytes`, (got) => got.equals(bytes));
        assert.deepEqual(from, c.relayed[0]);
        peer.send(bytes, c.relayed[0]);
        const back = await c.receive((d) => d.bytes.equals(bytes));
        assert.deepEqual(back.from, { address: '127.0.0.1', port: peer.port });
      }
      code(await c.bind(0x4123, peer), 0);
      for (const n of lengths) {
        const bytes = randomBytes(n);
        c.sendChannel(0x4123, bytes);
        await peer.receive(`${n} bytes on the channel`, (got) => got.equals(bytes));
        peer.send(bytes, c.relayed[0]);
        assert.equal((await c.receive((d) => d.bytes.equals(bytes))).channel, 0x4123);
      }
    });
  }

  test('nothing passes without a permission, either way', async (t) => {
    const [peer, other] = await Promise.all([udpPeer(), udpPeer({ address: '127.0.0.2' })]);
    t.after(() => (peer.close(), other.close()));
    const c = await allocated(t, main);
    c.send(peer, 'early');
    peer.send('early', c.relayed[0]);
    for (let i = 0; i < 3; i++) code(await c.refresh(600), 0); // until the server has seen it
    code(await c.permit('127.0.0.1'), 0);
    c.send(other, 'elsewhere');
    other.send('elsewhere', c.relayed[0]);
    c.sendChannel(0x4000, 'unbound');
    c.send(peer, 'now');
    await peer.receive('what is permitted', (b) => b.toString() === 'now');
    peer.send('now', c.relayed[0]);
    assert.equal((await c.receive()).bytes.toString(), 'now');
    assert.deepEqual([peer.got.length, other.got.length, c.data.length], [1, 0, 0]);
  });

  test("a client's allocation is of its 5-tuple", async (t) => {
    const peer = await udpPeer();
    t.after(() => peer.close());
    const c = await allocated(t, main);
    code(await c.bind(0x4000, peer), 0);
    const thief = await clientOf(t, main);
    thief.sendChannel(0x4000, 'stolen');
    thief.send(peer, 'stolen');
    code(await thief.permit('127.0.0.1'), 437, '', 400);
    c.sendChannel(0x4000, 'mine');
    await peer.receive('mine', (b) => b.toString() === 'mine');
    assert.equal(peer.got.length, 1);
  });

  test('a peer that is not there: ICMP is told (RFC 8656 §11.5)', notCoturn('has no ICMP attribute'), async (t) => {
    const c = await allocated(t, main);
    code(await c.permit('127.0.0.1'), 0);
    const nobody = { address: '127.0.0.1', port: await freePorts(1) };
    const m = await c.wait('the ICMP attribute', () => {
      c.send(nobody, 'anybody?');
      return c.indications.find((i) => i.has(ATTR.icmp));
    });
    assert.deepEqual(m.address(ATTR.xorPeerAddress), nobody);
    assert.deepEqual([...m.get(ATTR.icmp).subarray(0, 4)], [0, 0, 3 << 1, 3]); // type, 7 bits: destination unreachable; code, 9 bits: port
    assert.equal(m.has(ATTR.data), false);
  });

  test('DONT-FRAGMENT is understood', async (t) => {
    const peer = await udpPeer();
    t.after(() => peer.close());
    const c = await allocated(t, main, { more: [[ATTR.dontFragment, '']] });
    code(await c.permit('127.0.0.1'), 0);
    c.send(peer, 'whole', [[ATTR.dontFragment, '']]);
    await peer.receive('it', (b) => b.toString() === 'whole');
  });

  test('mobility: the allocation follows its ticket (RFC 8016)', async (t) => {
    const peer = await udpPeer();
    t.after(() => peer.close());
    const c = await allocated(t, main, { more: [[ATTR.mobilityTicket, '']] });
    code(await c.bind(0x4000, peer), 0);
    const { ticket, relayed } = c;
    assert.ok(ticket?.length);
    await c.move();
    const m = await c.refresh(600, [[ATTR.mobilityTicket, ticket]]);
    code(m, 0);
    assert.ok(m.get(ATTR.mobilityTicket)?.length && !m.get(ATTR.mobilityTicket).equals(ticket), 'a new ticket');
    c.sendChannel(0x4000, 'moved');
    const { from } = await peer.receive('data from the new place', (b) => b.toString() === 'moved');
    assert.deepEqual(from, relayed[0]);
    peer.send('back', relayed[0]);
    const back = await c.receive();
    if (!isCoturn) assert.equal(back.channel, 0x4000);
    const stranger = await clientOf(t, main, { user: 'bob', password: 'secret2' });
    const refused = await stranger.refresh(600, [[ATTR.mobilityTicket, m.get(ATTR.mobilityTicket)]]);
    assert.ok([400, 401, 437, 441].includes(refused.code), `${refused.code}`);
    const unknown = await (await clientOf(t, main)).refresh(600, [[ATTR.mobilityTicket, randomBytes(8)]]);
    assert.ok([400, 437].includes(unknown.code), `${unknown.code}`);
  });

  test('no mobility unless it is asked for: 405', async (t) => {
    const c = await clientOf(t, v4only);
    code(await c.allocate({ more: [[ATTR.mobilityTicket, '']] }), 405);
  });
});

describe('TCP allocations (RFC 6062)', { concurrency: true }, () => {
  // A TCP peer that echoes.
  async function echo(t) {
    const server = createServer((s) => s.on('error', () => {}).pipe(s));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    return { address: '127.0.0.1', port: server.address().port };
  }

  for (const transport of ['tcp', 'tls']) {
    test(`Connect, ConnectionBind, bytes both ways over ${transport}`, async (t) => {
      const peer = await echo(t);
      const c = await allocated(t, main, { client: { transport }, transport: TCP });
      code(await c.permit('127.0.0.1'), 0);
      const m = await c.connectPeer(peer);
      code(m, 0);
      const side = await c.bindConnection(m.get(ATTR.connectionId));
      t.after(() => side.close());
      code(side.answer, 0);
      const bytes = randomBytes(200000);
      side.write(bytes);
      assert.ok((await side.received(bytes.length)).equals(bytes));
      code(await c.connectPeer(peer), 446, 'the same peer again');
      side.close();
      code(await until('the connection to be gone', async () => {
        const again = await c.connectPeer(peer);
        return again.code !== 446 && again;
      }), 0);
    });
  }

  test('a peer connects: ConnectionAttempt', async (t) => {
    const c = await allocated(t, main, { client: { transport: 'tcp' }, transport: TCP });
    const dial = () => connect(c.relayed[0].port, '127.0.0.1').on('error', () => {});
    const closed = (socket) => new Promise((resolve) => socket.on('close', resolve));
    await closed(dial()); // no permission yet
    assert.equal(c.attempts.length, 0);
    code(await c.permit('127.0.0.1'), 0);
    const peer = dial();
    await once(peer, 'connect');
    const end = closed(peer);
    t.after(() => peer.destroy());
    peer.write('hello from the peer');
    const [attempt] = await c.wait('the attempt', () => c.attempts.length && c.attempts);
    assert.deepEqual(attempt.address(ATTR.xorPeerAddress), { address: '127.0.0.1', port: peer.localPort });
    const side = await c.bindConnection(attempt.get(ATTR.connectionId));
    code(side.answer, 0);
    assert.equal((await side.received(19)).toString(), 'hello from the peer');
    side.write('hello back');
    assert.equal((await once(peer, 'data'))[0].toString(), 'hello back');
    side.close();
    await end;
  });

  test('nobody listens: 447', async (t) => {
    const c = await allocated(t, main, { client: { transport: 'tcp' }, transport: TCP });
    code(await c.permit('127.0.0.1'), 0);
    code(await c.connectPeer({ address: '127.0.0.1', port: await freePorts(1) }, { ms: 35000 }), 447);
  });

  test('an identifier that is none, or of another user', notCoturn('says nothing'), async (t) => {
    const peer = await echo(t);
    const c = await allocated(t, main, { client: { transport: 'tcp' }, transport: TCP });
    code(await c.permit('127.0.0.1'), 0);
    const wrong = await c.bindConnection(Buffer.from([1, 2, 3, 4]));
    t.after(() => wrong.close());
    code(wrong.answer, 400);
    const m = await c.connectPeer(peer);
    code(m, 0);
    const bob = await clientOf(t, main, { transport: 'tcp', user: 'bob', password: 'secret2' });
    const stolen = await bob.bindConnection(m.get(ATTR.connectionId));
    t.after(() => stolen.close());
    assert.ok([400, 401, 441].includes(stolen.answer.code), `${stolen.answer.code}`);
  });

  test('not over UDP, not with UDP attributes: 400', async (t) => {
    const c = await clientOf(t, main);
    code(await c.allocate({ transport: TCP }), 400);
    const d = await clientOf(t, main, { transport: 'tcp' });
    for (const more of [[ATTR.evenPort, Buffer.from([0])], [ATTR.dontFragment, ''], [ATTR.reservationToken, Buffer.alloc(8)]]) {
      if (!isCoturn) code(await d.allocate({ transport: TCP, more: [more] }), 400, more[0].toString(16));
    }
  });
});

describe('NAT behaviour discovery (RFC 5780)', () => {
  let server;
  before(async () => (server = await startTurn({ options: USER, hosts: ['127.0.0.1', '127.0.0.2'] })));

  test('answers come from the address and port that are asked for', async (t) => {
    const c = await clientOf(t, server);
    const plain = await c.request(METHOD.binding);
    code(plain, 0);
    const other = plain.address(ATTR.otherAddress);
    assert.deepEqual(other, { address: '127.0.0.2', port: server.port + 1 });
    assert.deepEqual(plain.address(ATTR.responseOrigin), { address: '127.0.0.1', port: server.port });
    for (const [bits, from] of [
      [2, { address: '127.0.0.1', port: other.port }],
      [4, { address: '127.0.0.2', port: server.port }],
      [6, other],
    ]) {
      const m = await c.request(METHOD.binding, [[ATTR.changeRequest, bits]]);
      code(m, 0);
      assert.deepEqual(m.source, from);
      assert.deepEqual(m.address(ATTR.responseOrigin), from);
    }
    const elsewhere = await clientOf(t, server);
    const tid = newTid();
    c.wire.send(encode({ method: METHOD.binding, tid, attrs: [[ATTR.responsePort, Buffer.from([elsewhere.wire.at.port >> 8, elsewhere.wire.at.port & 255, 0, 0])]] }));
    if (!isCoturn) await elsewhere.wait('an answer on RESPONSE-PORT', () => elsewhere.packets);
  });

  test('no CHANGE-REQUEST over TCP, none without a second address', async (t) => {
    const c = await clientOf(t, v4only, { transport: 'tcp' });
    const m = await c.request(METHOD.binding, [[ATTR.changeRequest, 6]], { ms: 1500 }).catch(() => undefined);
    if (!isCoturn) assert.ok(m === undefined || m.code === 420 || m.code === 400, `${m?.code}`);
    const d = await clientOf(t, v4only);
    assert.equal((await d.request(METHOD.binding)).cls, CLASS.success);
  });
});
