// Which peers a TURN client reaches: every range that is denied by default, in every notation, by every request; and sockets
// of this machine that listen and must hear nothing.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { LOCAL_PEERS, USER, freePorts, isCoturn, notCoturn, startTurn, stopAll } from './lib/turnserver.mjs';
import { startServer, until } from './lib/server.mjs';
import { TurnClient, udpPeer } from './lib/turn.mjs';
import { TCP, UDP, V4, V6, addressBytes, addressText, restCredentials } from './lib/stun.mjs';

// [range, its first address, one within, its last]
const DENIED_V4 = [
  ['0.0.0.0/8', '0.0.0.0', '0.1.2.3', '0.255.255.255'],
  ['10.0.0.0/8', '10.0.0.0', '10.0.0.1', '10.255.255.255'],
  ['100.64.0.0/10', '100.64.0.0', '100.100.100.200', '100.127.255.255'],
  ['127.0.0.0/8', '127.0.0.0', '127.0.0.1', '127.255.255.255'],
  ['169.254.0.0/16', '169.254.0.0', '169.254.169.254', '169.254.255.255'],
  ['172.16.0.0/12', '172.16.0.0', '172.17.0.1', '172.31.255.255'],
  ['192.0.0.0/24', '192.0.0.0', '192.0.0.192', '192.0.0.255'],
  ['192.0.2.0/24', '192.0.2.0', '192.0.2.77', '192.0.2.255'],
  ['192.88.99.0/24', '192.88.99.0', '192.88.99.1', '192.88.99.255'],
  ['192.168.0.0/16', '192.168.0.0', '192.168.1.1', '192.168.255.255'],
  ['198.18.0.0/15', '198.18.0.0', '198.19.0.1', '198.19.255.255'],
  ['198.51.100.0/24', '198.51.100.0', '198.51.100.9', '198.51.100.255'],
  ['203.0.113.0/24', '203.0.113.0', '203.0.113.5', '203.0.113.255'],
  ['224.0.0.0/4', '224.0.0.0', '239.255.255.250', '239.255.255.255'],
  ['240.0.0.0/4', '240.0.0.0', '250.1.2.3', '255.255.255.255'],
];
const DENIED_V6 = [
  ['::', '::', '::', '::'],
  ['::ffff:0:0/96', '::ffff:0.0.0.0', '::ffff:8.8.8.8', '::ffff:255.255.255.255'],
  ['64:ff9b::/96', '64:ff9b::', '64:ff9b::8.8.8.8', '64:ff9b::255.255.255.255'],
  ['64:ff9b:1::/48', '64:ff9b:1::', '64:ff9b:1:808:8:800::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff'],
  ['100::/64', '100::', '100::1', '100::ffff:ffff:ffff:ffff'],
  ['2001::/32', '2001::', '2001:0:4136:e378:8000:63bf:f7f7:f7f7', '2001:0:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['2001:db8::/32', '2001:db8::', '2001:db8::1', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['2002::/16', '2002::', '2002:808:808::1', '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['fc00::/7', 'fc00::', 'fd12:3456:789a::1', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['fe80::/10', 'fe80::', 'fe80::1', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['ff00::/8', 'ff00::', 'ff02::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
];
// Just outside of those ranges.
const ALLOWED_V4 = ['1.0.0.0', '8.8.8.8', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0',
  '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '192.0.1.0', '192.0.3.0', '192.88.98.255', '192.88.100.0',
  '192.167.255.255', '192.169.0.0', '198.17.255.255', '198.20.0.0', '198.51.99.255', '198.51.101.0', '203.0.112.255', '203.0.114.0',
  '223.255.255.255'];
const ALLOWED_V6 = ['2001:4860:4860::8888', '2003::1', '2606:4700::1111', '2a00:1450:4001:82b::200e', '2a00:1450::200:5efe:8.8.8.8'];

// How an IPv4 address is dressed as IPv6. `mapped` may also count as of the wrong family.
const hex = (n) => n.toString(16);
const dresses = {
  'v4-mapped': ([a, b, c, d]) => `::ffff:${a}.${b}.${c}.${d}`,
  'NAT64': ([a, b, c, d]) => `64:ff9b::${a}.${b}.${c}.${d}`,
  'local NAT64': ([a, b, c, d]) => `64:ff9b:1:${hex((a << 8) | b)}:${hex(c)}:${hex(d << 8)}::`,
  '6to4': ([a, b, c, d]) => `2002:${hex((a << 8) | b)}:${hex((c << 8) | d)}::1`,
  'ISATAP': ([a, b, c, d]) => `2a00:1450:1:2:0:5efe:${hex((a << 8) | b)}:${hex((c << 8) | d)}`,
  'ISATAP, global': ([a, b, c, d]) => `2a00:1450:1:2:200:5efe:${hex((a << 8) | b)}:${hex((c << 8) | d)}`,
  'ISATAP, link-local': ([a, b, c, d]) => `fe80::5efe:${a}.${b}.${c}.${d}`,
  'Teredo': ([a, b, c, d]) => `2001:0:4136:e378:8000:63bf:${hex(((a << 8) | b) ^ 0xffff)}:${hex(((c << 8) | d) ^ 0xffff)}`,
};

const RELAY_V4 = '127.0.0.9'; // of loopback, so that it is in a denied range itself
const RELAY_V6 = '::1';

const lastOf = (range, last) => `denied-peer-ip=${range}-${last}`;
// coturn denies none of these by itself.
const coturnRules = isCoturn ? [...DENIED_V4, ...DENIED_V6].map(([, first, , last]) => lastOf(addressText(addressBytes(first)), addressText(addressBytes(last)))) : [];

let guarded; // as it is by default
let opened; // some peers allowed

before(async () => {
  const hosts = ['127.0.0.1', '::1'];
  const relays = [RELAY_V4, RELAY_V6];
  [guarded, opened] = await Promise.all([
    startTurn({ options: [...USER, ...coturnRules], hosts, relays, relayPorts: 400, tls: true }),
    startTurn({
      options: [...USER, ...(isCoturn ? ['allow-loopback-peers'] : []), 'denied-peer-ip=127.0.0.0-127.255.255.255', 'denied-peer-ip=8.8.8.8',
        'denied-peer-ip=9.9.9.0-9.9.9.255', 'allowed-peer-ip=127.0.0.1', 'allowed-peer-ip=127.0.1.0-127.0.1.9', 'allowed-peer-ip=10.1.2.3',
        ...(isCoturn ? [] : ['allowed-peer-ip=10.9.0.0/16', 'allowed-peer-ip=fd00:1::/64', 'denied-peer-ip=7.7.0.0/16'])],
      hosts,
      relays,
    }),
  ]);
});

after(stopAll);

// Each from an address of its own, so that limits per address are not what is tested.
let clientsSoFar = 0;
async function allocated(t, server, { transport = 'udp', relay = UDP, family = V4 } = {}) {
  const local = `127.1.${++clientsSoFar >> 7}.${clientsSoFar & 127}`;
  const c = await server.client({ transport, local });
  t.after(() => c.close());
  return c.mustAllocate({ transport: relay, family });
}

// What each request says of this peer.
async function verdicts(c, address) {
  const peer = { address, port: 53 };
  if (c.isTcpRelay) return { CreatePermission: (await c.permit(address)).code, Connect: (await c.connectPeer(peer)).code };
  return { CreatePermission: (await c.permit(address)).code, ChannelBind: (await c.bind(0x4001, peer)).code };
}

async function clients(t, family) {
  const out = [await allocated(t, guarded, { family }), await allocated(t, guarded, { family, transport: 'tcp' })];
  const relayed = await allocated(t, guarded, { family, transport: 'tcp', relay: TCP });
  relayed.isTcpRelay = true;
  return [...out, relayed];
}

async function denied(cs, address, codes = [403]) {
  for (const c of cs) {
    for (const [request, got] of Object.entries(await verdicts(c, address))) {
      assert.ok(codes.includes(got), `${request} to ${address} by ${c.transport}${c.isTcpRelay ? ', TCP relay' : ''}: ${got}`);
    }
  }
}

describe('ranges', { concurrency: true }, () => {
  for (const [range, ...addresses] of DENIED_V4) {
    test(`${range} and its dresses`, async (t) => {
      const [v4, v6] = [await clients(t, V4), await clients(t, V6)];
      for (const a of new Set(addresses)) {
        await denied(v4, a);
        for (const [name, dress] of Object.entries(dresses)) {
          if (isCoturn && name.startsWith('ISATAP')) continue; // coturn does not look into those
          const dressed = dress([...addressBytes(a)]);
          await denied(v6, dressed, name === 'v4-mapped' ? [403, 443] : [403]);
          await denied(v4, dressed, [403, 443]);
        }
      }
    });
  }

  for (const [range, ...addresses] of DENIED_V6) {
    test(range, async (t) => {
      const [v4, v6] = [await clients(t, V4), await clients(t, V6)];
      for (const a of new Set(addresses)) {
        await denied(v6, a, range.startsWith('::ffff:') ? [403, 443] : [403]);
        await denied(v4, a, [403, 443]);
      }
    });
  }

  test('their neighbours are allowed', notCoturn('denies one more at each end'), async (t) => {
    const [v4, v6] = [await allocated(t, guarded), await allocated(t, guarded, { family: V6 })];
    for (const a of ALLOWED_V4) assert.equal((await v4.permit(a)).code, 0, a);
    for (const a of ALLOWED_V6) assert.equal((await v6.permit(a)).code, 0, a);
  });

  test('one denied peer among several: 403, and none of them is permitted', notCoturn('permits those before it'), async (t) => {
    const peer = await udpPeer();
    t.after(() => peer.close());
    const c = await allocated(t, opened);
    assert.equal((await c.permit('127.0.0.1', '10.0.0.1')).code, 403);
    c.send(peer, 'early');
    assert.equal((await c.permit('127.0.0.1')).code, 0);
    c.send(peer, 'now');
    await peer.receive('what is permitted', (b) => b.toString() === 'now');
    assert.equal(peer.got.length, 1);
  });
});

// Listens for datagrams and connections on one port of all addresses of this machine.
async function ears() {
  const udp = createSocket({ type: 'udp6' });
  const tcp = createServer();
  const heard = [];
  const port = await freePorts(1);
  udp.on('message', (bytes, from) => heard.push(`UDP ${bytes} from ${from.address}`));
  tcp.on('connection', (s) => {
    heard.push(`TCP from ${s.remoteAddress}`);
    s.on('error', () => {});
    s.on('data', (bytes) => heard.push(`TCP ${bytes}`));
  });
  udp.bind(port, '::');
  tcp.listen(port, '::');
  await Promise.all([once(udp, 'listening'), once(tcp, 'listening')]);
  return { port, heard, close: () => (udp.close(), tcp.close()) };
}

// The addresses of this machine that are in denied ranges; others are public and may be reached.
function ownAddresses() {
  const all = Object.values(networkInterfaces()).flat().filter((i) => !i.internal && !i.address.startsWith('fe80'));
  const isPrivate = (a) => /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|169\.254\.|192\.0\.[02]\.|198\.(1[89]|51)\.|203\.0\.113\.|f[cd])/.test(a);
  return all.map((i) => i.address).filter(isPrivate);
}

describe('listening sockets', () => {
  const own = ownAddresses();
  const v4 = ['127.0.0.1', '127.0.0.2', '127.1.2.3', '127.255.255.254', '0.0.0.0', '255.255.255.255', '224.0.0.1', ...own.filter((a) => !a.includes(':'))];
  const v6 = ['::', 'ff02::1', 'ff01::1', ...own.filter((a) => a.includes(':')), ...v4.flatMap((a) => Object.values(dresses).map((d) => d([...addressBytes(a)])))];

  // By all means, whatever the answers: datagrams and connections to that port. Gives the answers to Connect.
  async function attack(t, targets, port, family) {
    const connects = {};
    for (const transport of ['udp', 'tcp', 'tls']) {
      const c = await allocated(t, guarded, { transport, family });
      let channel = 0x4100;
      for (const address of targets) {
        c.send({ address, port }, `Send to ${address}`);
        await c.permit(address);
        c.send({ address, port }, `Send after CreatePermission to ${address}`);
        await c.bind(channel, { address, port });
        c.sendChannel(channel, `ChannelData to ${address}`);
        c.send({ address, port }, `Send after ChannelBind to ${address}`);
        channel++;
      }
      await c.refresh(600); // all of it has been looked at
      if (transport === 'udp') continue;
      const r = await allocated(t, guarded, { transport, relay: TCP, family });
      for (const address of targets) {
        await r.permit(address);
        connects[`${transport} ${address}`] = (await r.connectPeer({ address, port }, { ms: 2000 }).catch(() => ({ code: 'none' }))).code;
      }
    }
    return connects;
  }

  // What is heard of somebody who may: so the ears work.
  async function knock(port, address) {
    const s = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    s.send('knock', port, address);
    const c = connect(port, address).on('error', () => {});
    await once(c, 'connect');
    return () => (s.close(), c.destroy());
  }

  test(`nothing is heard on ${['127.0.0.1', '::1', ...own].join(', ')}`, async (t) => {
    const e = await ears();
    t.after(() => e.close());
    const connects = [await attack(t, v4, e.port, V4), await attack(t, v6, e.port, V6), await attack(t, v6, e.port, V4)];
    const knocked = ['127.0.0.1', '::1', ...own];
    for (const a of knocked) t.after(await knock(e.port, a));
    await until('those who may', () => e.heard.filter((h) => /^UDP knock/.test(h)).length === knocked.length);
    await until('their connections', () => e.heard.filter((h) => /^TCP from/.test(h)).length >= knocked.length);
    assert.deepEqual(e.heard.filter((h) => !/^UDP knock|^TCP from/.test(h)), []);
    assert.equal(e.heard.filter((h) => /^TCP from/.test(h)).length, knocked.length);
    assert.deepEqual(connects.flatMap((c) => Object.entries(c)).filter(([, code]) => ![403, 443].includes(code)), []);
  });

  test('nor on the relay addresses themselves, but for relayed ports', async (t) => {
    const e = await ears();
    t.after(() => e.close());
    await attackOwn(t, RELAY_V4, e.port, V4);
    await attackOwn(t, RELAY_V6, e.port, V6);
    t.after(await knock(e.port, '127.0.0.1'));
    await until('somebody who may', () => e.heard.includes('UDP knock from ::ffff:127.0.0.1'));
    assert.deepEqual(e.heard.filter((h) => h.startsWith('UDP') && !/knock/.test(h)), []);
    assert.equal(e.heard.filter((h) => /^TCP from/.test(h)).length, 1);
  });

  // CreatePermission names no port and may pass; what follows may not.
  async function attackOwn(t, address, port, family) {
    const c = await allocated(t, guarded, { family });
    await c.permit(address);
    c.send({ address, port }, 'Send');
    const m = await c.bind(0x4000, { address, port });
    assert.equal(m.code, 403, `ChannelBind to ${address}`);
    c.sendChannel(0x4000, 'ChannelData');
    await c.refresh(600);
    const r = await allocated(t, guarded, { transport: 'tcp', relay: TCP, family });
    await r.permit(address);
    assert.equal((await r.connectPeer({ address, port })).code, 403, `Connect to ${address}`);
  }
});

describe('who is reached', { concurrency: true }, () => {
  test('the allow list wins over the deny list', async (t) => {
    const peer = await udpPeer();
    t.after(() => peer.close());
    const c = await allocated(t, opened);
    assert.equal((await c.bind(0x4000, peer)).code, 0);
    c.sendChannel(0x4000, 'hello');
    await peer.receive('data', (b) => b.toString() === 'hello');
    for (const a of ['127.0.0.1', '127.0.1.0', '127.0.1.9', '10.1.2.3']) assert.equal((await c.permit(a)).code, 0, a);
    for (const a of ['127.0.0.2', '127.0.1.10', '8.8.8.8', '9.9.9.0', '9.9.9.255']) assert.equal((await c.permit(a)).code, 403, a);
    for (const a of ['8.8.8.7', '8.8.8.9', '9.9.8.255', '9.9.10.0']) assert.equal((await c.permit(a)).code, 0, a);
    const tcp = createServer((s) => s.on('error', () => {}));
    tcp.listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    t.after(() => tcp.close());
    const r = await allocated(t, opened, { transport: 'tcp', relay: TCP });
    assert.equal((await r.permit('127.0.0.1')).code, 0);
    assert.equal((await r.connectPeer({ address: '127.0.0.1', port: tcp.address().port })).code, 0);
  });

  test('ranges as CIDR; what is not opened stays closed', notCoturn('has no CIDR'), async (t) => {
    const c = await allocated(t, opened);
    for (const a of ['10.9.0.0', '10.9.255.255']) assert.equal((await c.permit(a)).code, 0, a);
    for (const a of ['10.8.255.255', '10.10.0.0', '10.1.2.4', '7.7.1.2', '192.168.0.1']) assert.equal((await c.permit(a)).code, 403, a);
    const v6 = await allocated(t, opened, { family: V6 });
    assert.equal((await v6.permit('fd00:1::77')).code, 0);
    assert.equal((await v6.permit('fd00:1:0:1::')).code, 403);
    for (const a of ['::ffff:10.0.0.1', '64:ff9b::10.0.0.1']) assert.ok([403, 443].includes((await v6.permit(a)).code), a);
  });

  for (const family of [V4, V6]) {
    test(`relay to relay, IPv${family === V4 ? 4 : 6}, on denied addresses`, notCoturn('refuses its own relay address'), async (t) => {
      const [a, b] = [await allocated(t, guarded, { family }), await allocated(t, guarded, { family, transport: 'tcp' })];
      assert.equal((await a.permit(b.relayed[0].address)).code, 0);
      assert.equal((await b.bind(0x4000, a.relayed[0])).code, 0);
      a.send(b.relayed[0], 'from a');
      assert.equal((await b.receive()).bytes.toString(), 'from a');
      b.sendChannel(0x4000, 'from b');
      const { bytes, from } = await a.receive();
      assert.equal(bytes.toString(), 'from b');
      assert.deepEqual(from, b.relayed[0]);
      assert.equal((await a.bind(0x4001, b.relayed[0])).code, 0);
      a.sendChannel(0x4001, 'both bound');
      assert.deepEqual(await b.receive(), { channel: 0x4000, bytes: Buffer.from('both bound') });
    });
  }

  test("the SFU's own ports, and no others beside them", notCoturn('has no SFU'), async (t) => {
    const [udp_port, first] = [await freePorts(1), await freePorts(50)];
    const server = await startServer({
      config: { turn: { enabled: true, udp_port, tls_port: 0, bind_addresses: ['127.0.0.1'], relay_range_start: first, relay_range_end: first + 49, secrets: ['e2e'] } },
    });
    t.after(() => server.stop());
    const e = await ears();
    t.after(() => e.close());
    const c = await TurnClient.open({ host: '127.0.0.1', port: udp_port, ...restCredentials('e2e') });
    t.after(() => c.close());
    await c.mustAllocate();
    for (const port of [server.udp, server.udp + 1]) {
      assert.equal((await c.bind(0x4000 + port - server.udp, { address: '127.0.0.1', port })).code, 0, `UDP port ${port}`);
    }
    for (const port of [server.port, e.port, 22]) assert.equal((await c.bind(0x4010, { address: '127.0.0.1', port })).code, 403, `port ${port}`);
    c.send({ address: '127.0.0.1', port: e.port }, 'Send');
    await c.refresh(600);
    t.after(await knock1(e));
    assert.deepEqual(e.heard, ['UDP knock from ::ffff:127.0.0.1']);
  });

  async function knock1(e) {
    const s = createSocket('udp4');
    s.send('knock', e.port, '127.0.0.1');
    await until('the knock', () => e.heard.length);
    return () => s.close();
  }
});
