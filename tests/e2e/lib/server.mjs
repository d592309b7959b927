// A Sterna of its own for each test file: free ports, temporary configuration, output kept for failures.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createSocket } from 'node:dgram';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AccessToken } from 'livekit-server-sdk';

export const binary = process.env.STERNA ?? fileURLToPath(new URL('../../../build/sterna', import.meta.url));
export const KEY = 'e2ekey';
export const SECRET = 'e2e-secret-that-is-long-enough-for-hs256';

async function freeTcpPort() {
  const s = createServer().listen(0, '127.0.0.1');
  await once(s, 'listening');
  const { port } = s.address();
  s.close();
  return port;
}

async function freeUdpPorts(n) {
  for (;;) {
    const probe = createSocket('udp4').bind(0);
    await once(probe, 'listening');
    const { port } = probe.address();
    probe.close();
    if (port + n < 65536) return port;
  }
}

// One attempt; undefined if another program took one of the ports in between.
async function start(config, args) {
  const port = await freeTcpPort();
  const udp = await freeUdpPorts(4);
  const dir = await mkdtemp(join(tmpdir(), 'sterna-e2e-'));
  const file = join(dir, 'sterna.yaml'); // JSON is YAML
  const all = {
    port,
    bind_addresses: ['127.0.0.1'],
    keys: { [KEY]: SECRET },
    logging: { level: process.env.STERNA_LOG ?? 'info' },
    ...config,
    rtc: { udp_port: `${udp}-${udp + 1}`, enable_loopback_candidate: true, ...config.rtc },
  };
  await writeFile(file, JSON.stringify(all), { mode: 0o600 });
  const child = spawn(binary, ['serve', '--config', file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (d) => {
    log += d;
    if (process.env.STERNA_LOG) process.stderr.write(d);
  });
  child.stdout.resume();
  const exited = once(child, 'exit').finally(() => rm(dir, { recursive: true, force: true }));
  const http = `http://127.0.0.1:${port}`;
  for (let i = 0; ; i++) {
    if (child.exitCode !== null && /another program|in use/.test(log)) return undefined;
    if (child.exitCode !== null || i > 400) throw new Error(`server did not start:\n${log}`);
    try {
      if ((await fetch(`${http}/readyz`)).ok) break;
    } catch {
      // not listening yet
    }
    await new Promise((r) => setTimeout(r, 25));
  }
  return { port, udp, child, exited, http, log: () => log, all, file };
}

export async function startServer({ config = {}, args = [] } = {}) {
  let started;
  for (let i = 0; i < 5 && !started; i++) started = await start(config, args);
  if (!started) throw new Error('no free ports for the server');
  const { port, udp, child, exited, http, log, all, file } = started;

  return {
    http,
    ws: `ws://127.0.0.1:${port}`,
    port,
    udp,
    pid: child.pid,
    child,
    log,
    exited,
    async token(room, identity, grants = {}, options = {}) {
      const t = new AccessToken(KEY, SECRET, { identity, name: identity, ttl: '1h', ...options });
      t.addGrant({ room, roomJoin: true, canUpdateOwnMetadata: true, ...grants });
      return t.toJwt();
    },
    // Writes the configuration anew with these changes and has it read.
    async reload(changes, said = 'reload done') {
      const before = log().split(said).length;
      await writeFile(file, JSON.stringify({ ...all, ...changes }), { mode: 0o600 });
      child.kill('SIGHUP');
      await until('the reload', () => log().split(said).length > before);
    },
    async metrics() {
      const text = await (await fetch(`${http}/metrics`)).text();
      const out = {};
      for (const line of text.split('\n')) {
        const m = /^([a-z_]+(?:\{[^}]*\})?) (-?\d+)$/.exec(line);
        if (m) out[m[1]] = Number(m[2]);
      }
      return out;
    },
    // The first signal waits for all to leave, the next one does not; two at once could count as one.
    async stop() {
      const again = setInterval(() => child.kill('SIGTERM'), 50);
      child.kill('SIGTERM');
      const [code, signal] = await exited;
      clearInterval(again);
      if (code !== 0) throw new Error(`server ended with ${code ?? signal}:\n${log().slice(-4000)}`);
    },
  };
}

// Waits until fn gives something truthy; the error tells what was waited for.
export async function until(what, fn, ms = 15000) {
  const end = Date.now() + ms;
  let last;
  while (Date.now() < end) {
    last = await fn();
    if (last) return last;
    await new Promise((r) => setTimeout(r, 50));
  }
  throw new Error(`timed out waiting for ${what}`);
}
