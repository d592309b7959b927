// A TURN server on a network: clients behind NAT, a server with many addresses and one behind 1:1 NAT, a path with a small MTU.
// Network namespaces and nftables make it; without the right to make them (root, CAP_SYS_ADMIN) these tests are skipped.
//
//   client 192.168.50.2 ── NAT 11.1.1.1 ── router ── server 11.1.2.2, 11.1.2.3, 2a0b:2::2, 2a0b:2::3, and 10.9.0.2 seen as 11.1.4.2
//                                            └─ MTU 1280 ── peer 11.1.3.2, 2a0b:3::2 (echoes)
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { binary } from './lib/server.mjs';
import { isCoturn } from './lib/turnserver.mjs';
import { V4, V6 } from './lib/stun.mjs';

const exec = promisify(execFile);
const script = fileURLToPath(new URL('./lib/netclient.mjs', import.meta.url));
const ns = Object.fromEntries(['client', 'router', 'server', 'peer'].map((who) => [who, `sterna-${who}-${process.pid}`]));
const MTU = 1280;
const PEER = { address: '11.1.3.2', port: 3480 };
const PEER6 = { address: '2a0b:3::2', port: 3480 };

const links = [
  { to: 'client', dev: 'c', own: ['192.168.50.2/24', '2a0b:1::2/64'], router: ['192.168.50.1/24', '2a0b:1::1/64'] },
  {
    to: 'server', dev: 's',
    own: ['11.1.2.2/24', '11.1.2.3/24', '10.9.0.2/24', '2a0b:2::2/64', '2a0b:2::3/64'],
    router: ['11.1.2.1/24', '10.9.0.1/24', '2a0b:2::1/64'],
  },
  { to: 'peer', dev: 'p', own: ['11.1.3.2/24', '2a0b:3::2/64'], router: ['11.1.3.1/24', '2a0b:3::1/64'], mtu: MTU },
];

const NAT = `
table ip nat {
  chain pre {
    type nat hook prerouting priority dstnat;
    ip daddr 11.1.4.2 dnat to 10.9.0.2
  }
  chain post {
    type nat hook postrouting priority srcnat;
    ip saddr 192.168.50.0/24 snat to 11.1.1.1
    ip saddr 10.9.0.2 snat to 11.1.4.2
  }
}
`;

const ip = (...args) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });
const ip6 = (address) => (address.includes(':') ? ['nodad'] : []); // else it cannot be bound to for seconds

function build() {
  for (const name of Object.values(ns)) {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
  }
  for (const { to, dev, own, router, mtu = 1500 } of links) {
    ip('link', 'add', dev, 'mtu', mtu, 'netns', ns[to], 'type', 'veth', 'peer', 'name', dev, 'mtu', mtu, 'netns', ns.router);
    for (const name of [ns[to], ns.router]) ip('-n', name, 'link', 'set', dev, 'up');
    for (const a of own) ip('-n', ns[to], 'addr', 'add', a, 'dev', dev, ...ip6(a));
    for (const a of router) ip('-n', ns.router, 'addr', 'add', a, 'dev', dev, ...ip6(a));
    for (const a of [router[0], router.at(-1)]) ip('-n', ns[to], 'route', 'add', 'default', 'via', a.split('/')[0]);
  }
  for (const a of ['11.1.1.1/32', '11.1.4.2/32']) ip('-n', ns.router, 'addr', 'add', a, 'dev', 'lo');
  const on = ['netns', 'exec', ns.router];
  ip(...on, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  execFileSync('ip', [...on, 'nft', '-f', '-'], { input: NAT, stdio: ['pipe', 'pipe', 'pipe'] });
}

function destroy() {
  for (const name of Object.values(ns)) {
    try {
      ip('netns', 'del', name);
    } catch {
      // was not made
    }
  }
}

// Why there can be no network here; false if there is one now.
function prepare() {
  if (isCoturn) return 'coturn: the configuration is ours';
  try {
    build();
    return false;
  } catch (e) {
    destroy();
    return `cannot make network namespaces: ${String(e.stderr ?? '').trim() || e.message}`;
  }
}

const children = [];
let dir;

function run(where, ...args) {
  const child = spawn('ip', ['netns', 'exec', ns[where], ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  children.push(child);
  return child;
}

// Starts `sterna turn`; resolves when it is ready, and fails with what it said if it ends before.
async function start(name, turn) {
  const file = join(dir, name);
  await writeFile(file, JSON.stringify({ turn: { realm: 'test.example', users: { ann: 'secret1' }, ...turn } }), { mode: 0o600 });
  const child = run('server', binary, 'turn', '--config', file);
  let log = '';
  await new Promise((resolve, reject) => {
    child.stderr.on('data', (d) => {
      log += d;
      if (log.includes('msg="ready"')) resolve();
    });
    child.once('close', () => reject(new Error(log)));
  });
}

async function client(scenario, options) {
  const { stdout } = await exec('ip', ['netns', 'exec', ns.client, process.execPath, script, scenario, JSON.stringify(options)]);
  return JSON.parse(stdout);
}

const all = { port: 3478 };
const mapped = { host: '11.1.4.2', port: 3500 };

describe('a TURN server on a network', { skip: prepare() }, () => {
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sterna-turn-net-'));
    run('peer', 'turnutils_peer', '-p', PEER.port, '-L', PEER.address, '-L', PEER6.address);
    await start('all', { relay_range_start: 20000, relay_range_end: 20999 });
    await start('mapped', {
      bind_addresses: ['10.9.0.2'], external_ips: ['11.1.4.2'], udp_port: mapped.port, relay_range_start: 21000, relay_range_end: 21999,
    });
  });

  after(async () => {
    await Promise.all(children.map((child) => {
      if (child.exitCode !== null || child.signalCode) return undefined;
      child.kill('SIGINT');
      return once(child, 'exit');
    }));
    destroy();
    await rm(dir, { recursive: true, force: true });
  });

  for (const [host, family, other] of [['11.1.2.2', V4, V6], ['11.1.2.3', V4, V6], ['2a0b:2::2', V6, V4], ['2a0b:2::3', V6, V4]]) {
    test(`answers come from ${host}, which was asked, and so does what is relayed`, async () => {
      const mapped = family === V6 ? '2a0b:1::2' : '11.1.1.1';
      for (const one of await client('allocate', { ...all, host, family, n: 6 })) assert.deepEqual(one, { source: host, relayed: host, mapped });
      for (const { relayed } of await client('allocate', { ...all, host, family: other, n: 6 })) {
        assert.ok(['11.1.2.2', '11.1.2.3', '2a0b:2::2', '2a0b:2::3'].includes(relayed), `not the private one: ${relayed}`);
      }
    });
  }

  test('a port pair over IPv6', async () => {
    const { code, even, odd } = await client('reserved', { ...all, host: '2a0b:2::2' });
    assert.equal(code, 0);
    assert.deepEqual(odd, { ...even, port: even.port + 1 });
  });

  test('behind 1:1 NAT: clients are told the public address, and reach a peer and each other', async () => {
    const { relayed, echo } = await client('echo', { ...mapped, peer: PEER });
    assert.equal(relayed.address, '11.1.4.2');
    assert.equal(echo, 'there and back');
    const { a, b, there, back } = await client('pair', mapped);
    assert.deepEqual([a.address, b.address, there, back], ['11.1.4.2', '11.1.4.2', 'from a', 'from b']);
  });

  // The smaller sizes first: what is too long for the path must not spoil those that come later.
  const sizes = [1200, 1222, 1300, 1400, 2000, 1200];
  for (const [name, options, unreachable, tooBig] of [
    ['IPv4', { ...mapped, peer: PEER }, [3, 3], [3, 4]],
    ['IPv6', { ...all, host: '2a0b:2::2', peer: PEER6, family: V6 }, [1, 4], [2, 0]],
  ]) {
    test(`${name}: a closed port and a path that is too narrow are told to the client`, async () => {
      const { closed, byRouter, byKernel } = await client('icmp', options);
      const said = (peer, [type, code], data) => ({ ...peer, type, code, data });
      assert.deepEqual(closed, said({ ...options.peer, port: 9 }, unreachable, 0));
      assert.deepEqual(byRouter, said(options.peer, tooBig, MTU));
      assert.deepEqual(byKernel, said(options.peer, tooBig, MTU));
    });

    test(`${name}: bursts of any length pass a narrow path`, async () => {
      assert.deepEqual(await client('bursts', { ...options, sizes, n: 16 }), Object.fromEntries(sizes.map((s) => [s, 16])));
    });
  }

  test('what the machine lacks stops the start', async () => {
    const ours = { udp_port: 3600, bind_addresses: ['11.1.2.2'] };
    await assert.rejects(start('no-relay', { ...ours, relay_addresses: ['11.1.2.99'] }), /cannot relay from 11\.1\.2\.99: .*does not have that address/);
    await assert.rejects(start('no-address', { ...ours, bind_addresses: ['11.1.2.99'] }), /11\.1\.2\.99:3600: .*does not have that address/);
    await assert.rejects(start('taken', { ...ours, udp_port: all.port }), /11\.1\.2\.2:3478 is in use by another program/);
  });
});
