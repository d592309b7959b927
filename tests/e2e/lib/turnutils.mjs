// The client tools of Debian's coturn package: run them, read what they say.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { freePorts } from './turnserver.mjs';

// Exit code and all output; a tool that does not end by itself is ended.
export async function tool(name, args, { ms = 30000 } = {}) {
  const child = spawn(`turnutils_${name}`, args.map(String), { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  child.stdout.on('data', (d) => (out += d));
  child.stderr.on('data', (d) => (out += d));
  const timer = setTimeout(() => child.kill('SIGKILL'), ms);
  const [code, signal] = await once(child, 'close');
  clearTimeout(timer);
  return { code: code ?? signal, out };
}

const last = (out, pattern) => [...out.matchAll(pattern)].at(-1);

// turnutils_uclient: what was sent, received and lost, and what it complained of.
export async function uclient(server, args, { port = server.port, host = server.host, ...options } = {}) {
  const { code, out } = await tool('uclient', ['-p', port, ...args, host], options);
  const sums = last(out, /start_mclient: tot_send_msgs=(\d+), tot_recv_msgs=(\d+)/g);
  const lost = last(out, /Total lost packets (-?\d+)/g);
  return {
    code,
    out,
    sent: sums ? Number(sums[1]) : 0,
    received: sums ? Number(sums[2]) : 0,
    lost: lost ? Number(lost[1]) : undefined,
    errors: [...out.matchAll(/error (\d{3}) \(/g)].map((m) => Number(m[1])),
  };
}

// turnutils_peer: echoes datagrams on two ports.
export async function echoPeer(addresses = ['127.0.0.1', '::1']) {
  const port = await freePorts(2);
  const child = spawn('turnutils_peer', ['-p', port, ...addresses.flatMap((a) => ['-L', a])], { stdio: 'ignore' });
  return {
    port,
    async stop() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
