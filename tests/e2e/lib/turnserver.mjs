// A TURN server of its own for a test: `sterna turn` with coturn's options, or coturn itself, to see that the test is right:
//
//   TURN_UNDER_TEST=coturn tests/e2e/run turn_tools.test.mjs
import { execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { binary, until } from './server.mjs';
import { METHOD } from './stun.mjs';
import { TurnClient } from './turn.mjs';

const exec = promisify(execFile);

export const isCoturn = process.env.TURN_UNDER_TEST === 'coturn';
// For test(…, options): what coturn cannot do, or does otherwise.
export const notCoturn = (why) => ({ skip: isCoturn && `coturn: ${why}` });

async function isFree(port) {
  const udp = createSocket('udp4');
  const tcp = createServer();
  try {
    udp.bind(port, '0.0.0.0');
    await once(udp, 'listening');
    tcp.listen(port, '0.0.0.0');
    await once(tcp, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    udp.close();
    tcp.close();
  }
}

// n consecutive ports below those that the kernel gives away by itself. Only the first 8 are tried: in a wide range some may be taken.
let next = 10000 + Math.floor(Math.random() * 18000);
export async function freePorts(n) {
  for (;;) {
    if (next + n > 32000) next = 10000;
    const first = next;
    next += n;
    const tried = await Promise.all(Array.from({ length: Math.min(n, 8) }, (_, i) => isFree(first + i)));
    if (tried.every(Boolean)) return first;
  }
}

// A certificate authority and a server's certificate of it, for turn.test, localhost and 127.0.0.1.
export async function makeCertificates(dir) {
  const path = (name) => join(dir, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await exec('openssl', ['req', '-x509', ...key, '-keyout', path('ca.key'), '-out', path('ca.pem'), '-days', '30', '-subj', '/CN=Sterna test CA']);
  await writeFile(path('ext'), 'subjectAltName=DNS:turn.test,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n');
  const files = { ca: path('ca.pem'), cert: path('cert.pem'), key: path('key.pem') };
  await renewCertificate(dir, files);
  return files;
}

// Another certificate of the same authority, in the same files.
export async function renewCertificate(dir, files) {
  const path = (name) => join(dir, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await exec('openssl', ['req', ...key, '-keyout', files.key, '-out', path('csr'), '-subj', '/CN=turn.test']);
  await exec('openssl', ['x509', '-req', '-in', path('csr'), '-CA', files.ca, '-CAkey', path('ca.key'), '-CAcreateserial', '-days', '20',
    '-extfile', path('ext'), '-out', files.cert]);
}

const running = new Set();
// For after(): also when not all of them came up.
export const stopAll = () => Promise.all([...running].map((stop) => stop()));

const text = (options) => options.map((o) => `${o}\n`).join('');

// options: lines of turnserver.conf besides addresses and ports. hosts: listened on. relays: relayed from.
// relayPorts: how many. tls: certificates and a TLS port. args, env: flags and variables of ours, which coturn does not get.
export async function startTurn({
  options = [], hosts = ['127.0.0.1'], relays = hosts, relayPorts = 100, tls = false, realm = 'test.example', args = [],
  env = {},
} = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'sterna-turn-'));
  const port = await freePorts(4);
  const first = await freePorts(relayPorts);
  const files = tls && (await makeCertificates(dir));
  const base = [
    `listening-port=${port}`,
    `alt-listening-port=${port + 1}`,
    `tls-listening-port=${port + 2}`,
    ...hosts.map((h) => `listening-ip=${h}`),
    ...relays.map((h) => `relay-ip=${h}`),
    `min-port=${first}`,
    `max-port=${first + relayPorts - 1}`,
    `realm=${realm}`,
    'no-cli',
    'log-file=stdout',
    ...(files ? [`cert=${files.cert}`, `pkey=${files.key}`] : ['no-tls', 'no-dtls']),
    ...(isCoturn ? [`pidfile=${join(dir, 'pid')}`, 'relay-threads=1', 'verbose'] : []),
  ];
  if (isCoturn && !options.some((o) => o.startsWith('userdb='))) base.push(`userdb=${join(dir, 'db')}`);
  const file = join(dir, 'turnserver.conf');
  await writeFile(file, text([...base, ...options]), { mode: 0o600 });
  const child = isCoturn
    ? spawn('turnserver', ['-c', file], { stdio: ['ignore', 'pipe', 'pipe'] })
    : spawn(binary, ['turn', '--coturn-config', file, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  return watched(child, { dir, file, files, port, tlsPort: port + 2, host: hosts[0], hosts, relayFirst: first, relayLast: first + relayPorts - 1, base });
}

// Waits until the server answers, and gives it the handles that tests use.
async function watched(child, server) {
  let log = '';
  for (const out of [child.stdout, child.stderr]) {
    out.on('data', (d) => {
      log += d;
      if (process.env.STERNA_LOG) process.stderr.write(d);
    });
  }
  let end = null;
  const exited = new Promise((resolve) => child.on('close', (code, signal) => resolve((end = { code, signal }))));
  const { dir, host, port } = server;
  async function stop() {
    running.delete(stop);
    child.kill('SIGTERM');
    const again = setInterval(() => child.kill('SIGTERM'), 50); // the first one drains
    const late = setTimeout(() => child.kill('SIGKILL'), 10000);
    const { code, signal } = await exited;
    clearInterval(again);
    clearTimeout(late);
    await rm(dir, { recursive: true, force: true });
    if (isCoturn ? signal === 'SIGKILL' : code !== 0) throw new Error(`the TURN server ended with ${code ?? signal}:\n${log.slice(-4000)}`);
  }
  running.add(stop);
  const probe = await TurnClient.open({ host, port });
  try {
    await until('the TURN server', async () => {
      if (end) throw new Error(`the TURN server did not start (${end.code ?? end.signal}):\n${log}`);
      return probe.request(METHOD.binding, [], { ms: 100, once: true }).catch(() => undefined);
    });
  } catch (e) {
    running.delete(stop);
    child.kill('SIGKILL');
    await exited;
    await rm(dir, { recursive: true, force: true });
    throw new Error(end.code === null ? `${e.message}:\n${log}` : e.message);
  } finally {
    probe.close();
  }
  return {
    ...server,
    child,
    pid: child.pid,
    log: () => log,
    // A client of this server.
    client({ transport = 'udp', user = 'ann', password = 'secret1', ...more } = {}) {
      const toPort = transport === 'tls' ? server.tlsPort : port;
      return TurnClient.open({ host, port: toPort, transport, user, password, ...more });
    },
    // The file anew, with these options instead of those of the start; SIGHUP has it read.
    async reload(options) {
      await writeFile(server.file, text([...server.base, ...options]), { mode: 0o600 });
      child.kill('SIGHUP');
    },
    stop,
  };
}

export const USER = ['lt-cred-mech', 'user=ann:secret1', 'user=bob:secret2'];
// The peers of the tests are on this machine.
export const LOCAL_PEERS = ['allow-loopback-peers', 'allowed-peer-ip=127.0.0.0-127.255.255.255', 'allowed-peer-ip=::1'];

// A client that goes with its test.
export async function clientOf(t, server, options) {
  const c = await server.client(options);
  t.after(() => c.close());
  return c;
}

// The code of an Allocate: 0 is success.
export const allocates = async (t, server, options) => (await (await clientOf(t, server, options)).allocate()).code;

// There and back on a channel.
export async function works(c, peer, text) {
  c.sendChannel(0x4000, text);
  await peer.receive(text, (b) => b.toString() === text);
}
